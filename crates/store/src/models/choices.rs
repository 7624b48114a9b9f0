//! What owners choose of their models: name, cover, the version to use, and how to use a version.

use std::collections::BTreeMap;

use protocol::{
    ArtifactId, GenerationId, JobId, ModelId, ModelVersionId, OwnerId,
    library::HowToUse,
    model::{ModelVersion, current},
};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr};
use uuid::Uuid;

use crate::{
    BlobKey, Read, Result, StoreError, Tx,
    db::entities::{
        artifact::{self, STORED},
        generation, model, model_version,
    },
    error::Doing,
    objects::UrlOptions,
    words::{clean, json},
};

/// Renames a model and its versions. No other of the owner's models may have the name.
pub async fn rename(tx: &Tx, owner: OwnerId, id: ModelId, name: &str) -> Result<()> {
    let done = model::Entity::update_many()
        .col_expr(model::Column::Name, Expr::value(clean(name)))
        .filter(model::Column::Id.eq(id.0))
        .filter(model::Column::OwnerId.eq(owner.0))
        .exec(tx.connection())
        .await
        .doing("rename a model")?;
    if done.rows_affected == 0 {
        return Err(StoreError::not_found("model", id));
    }
    model_version::Entity::update_many()
        .col_expr(model_version::Column::Name, Expr::value(clean(name)))
        .filter(model_version::Column::ModelId.eq(id.0))
        .exec(tx.connection())
        .await
        .doing("rename the versions of a model")?;
    Ok(())
}

/// Whether a deleted model has this name, so that it could not be brought back if another one took it.
pub async fn is_in_trash(db: &impl Read, owner: OwnerId, name: &str) -> Result<bool> {
    let found = model::Entity::find()
        .filter(model::Column::OwnerId.eq(owner.0))
        .filter(model::Column::Name.eq(clean(name)))
        .filter(model::Column::DeletedAt.is_not_null())
        .one(db.connection())
        .await
        .doing("look for a deleted model")?;
    Ok(found.is_some())
}

/// Keeps the version to use and the cover of a model; without one, the choice is the server's.
pub async fn choose(
    tx: &Tx,
    owner: OwnerId,
    id: ModelId,
    version: Option<ModelVersionId>,
    cover: Option<ArtifactId>,
) -> Result<()> {
    let done = model::Entity::update_many()
        .col_expr(
            model::Column::PinnedVersionId,
            Expr::value(version.map(|version| version.0)),
        )
        .col_expr(
            model::Column::CoverArtifactId,
            Expr::value(cover.map(|cover| cover.0)),
        )
        .filter(model::Column::Id.eq(id.0))
        .filter(model::Column::OwnerId.eq(owner.0))
        .exec(tx.connection())
        .await
        .doing("choose the version and the cover of a model")?;
    match done.rows_affected {
        0 => Err(StoreError::not_found("model", id)),
        _ => Ok(()),
    }
}

/// Whether a file is a stored sample of one of the owner's jobs, or the picture of one of their generations.
pub async fn is_picture(db: &impl Read, owner: OwnerId, id: ArtifactId) -> Result<bool> {
    let found = artifact::Entity::find_by_id(id.0)
        .filter(artifact::Column::OwnerId.eq(owner.0))
        .filter(artifact::Column::Kind.is_in([SAMPLE, PICTURE]))
        .filter(artifact::Column::State.eq(STORED))
        .one(db.connection())
        .await
        .doing("look for a sample or a picture")?;
    Ok(found.is_some())
}

/// The file of a generation's picture; `None` where there is none, or the generation is somebody else's.
pub async fn picture_of(db: &impl Read, owner: OwnerId, id: GenerationId) -> Result<Option<ArtifactId>> {
    let found: Option<Option<Uuid>> = generation::Entity::find_by_id(id.0)
        .select_only()
        .column(generation::Column::ArtifactId)
        .filter(generation::Column::OwnerId.eq(owner.0))
        .filter(generation::Column::DeletedAt.is_null())
        .into_tuple()
        .one(db.connection())
        .await
        .doing("look for the picture of a generation")?;
    Ok(found.flatten().map(ArtifactId))
}

/// Keeps how a version is used.
pub async fn set_usage(tx: &Tx, owner: OwnerId, id: ModelVersionId, usage: &HowToUse) -> Result<()> {
    let kept = (*usage != HowToUse::default()).then(|| json(usage));
    let done = model_version::Entity::update_many()
        .col_expr(model_version::Column::Usage, Expr::value(kept))
        .filter(model_version::Column::Id.eq(id.0))
        .filter(model_version::Column::OwnerId.eq(owner.0))
        .exec(tx.connection())
        .await
        .doing("keep how a model version is used")?;
    match done.rows_affected {
        0 => Err(StoreError::not_found("model version", id)),
        _ => Ok(()),
    }
}

/// Key of a model's cover: its owner's choice, the newest sample of the current version's job, or the fixed-seed picture
/// with that version.
pub async fn cover(db: &impl Read, owner: OwnerId, version: ModelVersionId) -> Result<Option<BlobKey>> {
    let row = super::version_row(db, owner, version).await?;
    let model = model::Entity::find_by_id(row.model_id)
        .one(db.connection())
        .await
        .doing("read the model of a version")?
        .ok_or_else(|| StoreError::not_found("model", row.model_id))?;
    let chosen: Vec<Uuid> = model.cover_artifact_id.into_iter().collect();
    let samples = newest_samples(db, row.job_id.into_iter().collect()).await?;
    let found = match super::picture_keys(db, chosen).await?.into_values().next() {
        Some(chosen) => Some(chosen),
        None => match samples.into_values().next() {
            Some(sample) => Some(sample),
            None => {
                let with_it = row.after_artifact_id.into_iter().collect();
                super::picture_keys(db, with_it).await?.into_values().next()
            }
        },
    };
    found
        .map(|key| key.parse::<BlobKey>())
        .transpose()
        .map_err(|err| StoreError::corrupt("artifacts.blob_key", err))
}

/// Signed URLs of the covers of models, by their ids: their owners' choices, else the newest samples of the jobs of their
/// current versions.
pub(super) async fn covers(
    db: &impl Read,
    models: &[(model::Model, Vec<ModelVersion>)],
) -> Result<BTreeMap<Uuid, String>> {
    let jobs = models.iter().filter_map(|(row, versions)| job_of(row, versions));
    let samples = newest_samples(db, jobs.map(|job| job.0).collect()).await?;
    let chosen = models.iter().filter_map(|(row, _)| row.cover_artifact_id);
    let chosen = super::picture_keys(db, chosen.collect()).await?;
    let mut covers = BTreeMap::new();
    for (row, versions) in models {
        let own = row.cover_artifact_id.and_then(|id| chosen.get(&id));
        let key = own.or_else(|| samples.get(&job_of(row, versions)?.0));
        if let Some(key) = key {
            let key = key
                .parse::<BlobKey>()
                .map_err(|err| StoreError::corrupt("artifacts.blob_key", err))?;
            covers.insert(row.id, db.objects().get_url(&key, &UrlOptions::picture()));
        }
    }
    Ok(covers)
}

/// The job of the version that a model is used by.
fn job_of(row: &model::Model, versions: &[ModelVersion]) -> Option<JobId> {
    let pinned = row.pinned_version_id.map(ModelVersionId);
    current(versions, pinned)?.job_id
}

/// The words of samples and of the pictures of generations among files.
const SAMPLE: &str = "sample";
const PICTURE: &str = "picture";

/// Keys of the first sample of the last step that has one, by job.
async fn newest_samples(db: &impl Read, jobs: Vec<Uuid>) -> Result<BTreeMap<Uuid, String>> {
    /// Samples of the last step only: a long job has hundreds.
    const LAST: &str = "step = (SELECT MAX(later.step) FROM artifacts later WHERE later.job_id = artifacts.job_id \
                        AND later.kind = 'sample' AND later.state = 'stored')";
    let rows: Vec<(Option<Uuid>, String)> = artifact::Entity::find()
        .select_only()
        .column(artifact::Column::JobId)
        .column(artifact::Column::BlobKey)
        .filter(artifact::Column::JobId.is_in(jobs))
        .filter(artifact::Column::Kind.eq(SAMPLE))
        .filter(artifact::Column::State.eq(STORED))
        .filter(Condition::all().add(Expr::cust(LAST)))
        .order_by_desc(artifact::Column::Id)
        .into_tuple()
        .all(db.connection())
        .await
        .doing("look for the newest samples of jobs")?;
    // The oldest of a step comes last, and stays.
    Ok(rows
        .into_iter()
        .filter_map(|(job, key)| Some((job?, key)))
        .collect())
}
