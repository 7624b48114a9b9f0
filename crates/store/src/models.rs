//! Models and their versions.

use std::collections::BTreeMap;

use protocol::{
    ArtifactId, DatasetVersionId, JobId, ModelId, ModelVersionId, OwnerId,
    model::{Model, ModelVersion, Stage, Verdict},
};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, OnConflict},
};
use uuid::Uuid;

use crate::{
    Read, Result, StoreError, Tx,
    artifacts::{self, Artifact},
    damage,
    db::{
        entities::{artifact, job, model, model_version},
        insert,
    },
    error::Doing,
    jobs::{JobState, to_step, with_recipe},
    now,
    objects::UrlOptions,
    words::{clean, from_json, json, unword, word},
};

/// A model version to create from a job's result.
#[derive(Debug, Clone)]
pub struct NewVersion<'a> {
    /// The job that trained it.
    pub job: &'a JobState,
    /// The file.
    pub file: &'a Artifact,
    /// Optimizer steps it was trained for.
    pub n_steps: u32,
    /// The verdict on the file.
    pub verdict: &'a Verdict,
    /// The file's own metadata.
    pub metadata: &'a BTreeMap<String, String>,
    /// The fixed-seed picture without the LoRA.
    pub before: Option<ArtifactId>,
    /// The fixed-seed picture with the LoRA.
    pub after: Option<ArtifactId>,
}

/// An owner's models with their versions, the newest first: at most `limit` that are older than `after`.
pub async fn list(db: &impl Read, owner: OwnerId, after: Option<ModelId>, limit: u64) -> Result<Vec<Model>> {
    let mut query = model::Entity::find().filter(model::Column::OwnerId.eq(owner.0));
    if let Some(after) = after {
        query = query.filter(model::Column::Id.lt(after.0));
    }
    let models = query
        .order_by_desc(model::Column::Id)
        .limit(limit)
        .all(db.connection())
        .await
        .doing("list models")?;
    complete(db, models).await
}

/// One model with its versions.
pub async fn get(db: &impl Read, owner: OwnerId, id: ModelId) -> Result<Model> {
    let row = model::Entity::find_by_id(id.0)
        .filter(model::Column::OwnerId.eq(owner.0))
        .one(db.connection())
        .await
        .doing("read a model")?
        .ok_or_else(|| StoreError::not_found("model", id))?;
    let mut models = complete(db, vec![row]).await?;
    models.pop().ok_or_else(|| StoreError::not_found("model", id))
}

/// One model version.
pub async fn version(db: &impl Read, owner: OwnerId, id: ModelVersionId) -> Result<ModelVersion> {
    let row = version_row(db, owner, id).await?;
    let mut versions = to_versions(db, vec![row]).await?;
    versions
        .pop()
        .ok_or_else(|| StoreError::not_found("model version", id))
}

/// The file of a model version.
pub async fn file(db: &impl Read, owner: OwnerId, id: ModelVersionId) -> Result<Artifact> {
    let row = version_row(db, owner, id).await?;
    artifacts::find(db, ArtifactId(row.artifact_id)).await
}

/// Adds a job's result as the next version of the model with the job's name.
pub async fn create_version(tx: &Tx, new: NewVersion<'_>) -> Result<ModelVersionId> {
    let recipe = &new.job.recipe;
    let model_id = find_or_create(tx, new.job.owner, recipe.name()).await?;
    let newest: Option<i32> = model_version::Entity::find()
        .select_only()
        .column(model_version::Column::Version)
        .filter(model_version::Column::ModelId.eq(model_id))
        .order_by_desc(model_version::Column::Version)
        .limit(1)
        .into_tuple()
        .one(tx.connection())
        .await
        .doing("number a model version")?;
    let (id, artifact_url) = (ModelVersionId::new(), tx.objects().location(&new.file.key));
    let row = with_recipe!(model_version, recipe, {
        id: id.0,
        owner_id: new.job.owner.0,
        model_id: model_id,
        version: newest.unwrap_or(0) + 1,
        stage: word(&Stage::Draft),
        job_id: new.job.id.0,
        dataset_version_id: new.job.dataset_version_id.0,
        n_steps: i64::from(new.n_steps),
        artifact_id: new.file.id.0,
        artifact_url: artifact_url.clone(),
        file_name: new.file.file_name.clone(),
        size_bytes: new.file.size_bytes.cast_signed(),
        sha256: new.file.sha256.clone(),
        metadata: json(new.metadata),
        verdict: json(new.verdict),
        verdict_passed: new.verdict.passed,
        before_artifact_id: new.before.map(|id| id.0),
        after_artifact_id: new.after.map(|id| id.0),
        created_at: now(),
        promoted_at: None,
        retired_at: None,
    });
    insert(tx.connection(), row, "store a model version").await?;
    job::Entity::update_many()
        .col_expr(job::Column::ModelVersionId, Expr::value(id.0))
        .col_expr(job::Column::ArtifactUrl, Expr::value(artifact_url))
        .filter(job::Column::Id.eq(new.job.id.0))
        .exec(tx.connection())
        .await
        .doing("note the result of a job")?;
    Ok(id)
}

/// Changes the stage of a model version.
pub async fn set_stage(tx: &Tx, owner: OwnerId, id: ModelVersionId, stage: Stage) -> Result<()> {
    let mut update = model_version::Entity::update_many()
        .col_expr(model_version::Column::Stage, Expr::value(word(&stage)));
    match stage {
        Stage::Approved => update = update.col_expr(model_version::Column::PromotedAt, Expr::value(now())),
        Stage::Retired => update = update.col_expr(model_version::Column::RetiredAt, Expr::value(now())),
        Stage::Draft => {}
    }
    let done = update
        .filter(model_version::Column::Id.eq(id.0))
        .filter(model_version::Column::OwnerId.eq(owner.0))
        .exec(tx.connection())
        .await
        .doing("change the stage of a model version")?;
    if done.rows_affected == 0 {
        return Err(StoreError::not_found("model version", id));
    }
    Ok(())
}

/// The id of an owner's model of that name, which is held: its versions are numbered one at a time.
async fn find_or_create(tx: &Tx, owner: OwnerId, name: &str) -> Result<Uuid> {
    let row = model::Model {
        id: ModelId::new().0,
        owner_id: owner.0,
        name: clean(name),
        created_at: now(),
    };
    let key = [model::Column::OwnerId, model::Column::Name];
    model::Entity::insert(model::ActiveModel::from(row))
        .on_conflict(OnConflict::columns(key).do_nothing().to_owned())
        .exec_without_returning(tx.connection())
        .await
        .doing("store a model")?;
    let found = tx
        .hold(model::Entity::find())
        .filter(model::Column::OwnerId.eq(owner.0))
        .filter(model::Column::Name.eq(clean(name)))
        .one(tx.connection())
        .await
        .doing("look for a model")?;
    found
        .map(|found| found.id)
        .ok_or_else(|| StoreError::not_found("model", name))
}

async fn version_row(db: &impl Read, owner: OwnerId, id: ModelVersionId) -> Result<model_version::Model> {
    model_version::Entity::find_by_id(id.0)
        .filter(model_version::Column::OwnerId.eq(owner.0))
        .one(db.connection())
        .await
        .doing("read a model version")?
        .ok_or_else(|| StoreError::not_found("model version", id))
}

async fn complete(db: &impl Read, models: Vec<model::Model>) -> Result<Vec<Model>> {
    let ids: Vec<Uuid> = models.iter().map(|model| model.id).collect();
    let rows = model_version::Entity::find()
        .filter(model_version::Column::ModelId.is_in(ids))
        .order_by_desc(model_version::Column::Version)
        .all(db.connection())
        .await
        .doing("list model versions")?;
    let mut versions: BTreeMap<ModelId, Vec<ModelVersion>> = BTreeMap::new();
    for version in to_versions(db, rows).await? {
        versions.entry(version.model_id).or_default().push(version);
    }
    Ok(models
        .into_iter()
        .map(|model| Model {
            id: ModelId(model.id),
            name: model.name,
            versions: versions.remove(&ModelId(model.id)).unwrap_or_default(),
            created_at: model.created_at,
        })
        .collect())
}

async fn to_versions(db: &impl Read, rows: Vec<model_version::Model>) -> Result<Vec<ModelVersion>> {
    let pictures: Vec<Uuid> = rows
        .iter()
        .flat_map(|row| [row.before_artifact_id, row.after_artifact_id])
        .flatten()
        .collect();
    let keys: BTreeMap<Uuid, String> = artifact::Entity::find()
        .select_only()
        .column(artifact::Column::Id)
        .column(artifact::Column::BlobKey)
        .filter(artifact::Column::Id.is_in(pictures))
        .into_tuple()
        .all(db.connection())
        .await
        .doing("read the pictures of model versions")?
        .into_iter()
        .collect();
    let picture_url = |id: Option<Uuid>| -> Result<Option<String>> {
        let Some(key) = id.and_then(|id| keys.get(&id)) else {
            return Ok(None);
        };
        let key = key
            .parse()
            .map_err(|err| StoreError::corrupt("artifacts.blob_key", err))?;
        Ok(Some(db.objects().get_url(&key, &UrlOptions::picture())))
    };
    let damaged = damage::by_hash(db, rows.iter().map(|row| row.sha256.clone())).await?;
    rows.into_iter()
        .map(|row| {
            Ok(ModelVersion {
                damage: damaged.get(&row.sha256).copied(),
                id: ModelVersionId(row.id),
                model_id: ModelId(row.model_id),
                name: row.name,
                version: row.version.unsigned_abs(),
                stage: unword("model_versions.stage", &row.stage)?,
                job_id: JobId(row.job_id),
                dataset_version_id: DatasetVersionId(row.dataset_version_id),
                base_model: row.base_model,
                trigger_word: row.trigger_word,
                n_steps: to_step(row.n_steps)?,
                file_name: row.file_name,
                size_bytes: row.size_bytes.cast_unsigned(),
                sha256: row.sha256,
                metadata: from_json("model_versions.metadata", row.metadata)?,
                verdict: from_json("model_versions.verdict", row.verdict)?,
                before_url: picture_url(row.before_artifact_id)?,
                after_url: picture_url(row.after_artifact_id)?,
                created_at: row.created_at,
            })
        })
        .collect()
}
