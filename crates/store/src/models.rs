//! Models and their versions.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use protocol::{
    ArtifactId, DatasetVersionId, JobId, ModelId, ModelVersionId, OwnerId,
    imported::Imported,
    judged::EvidencePicture,
    judgement::Judgement,
    model::{Model, ModelVersion, Stage, Verdict, current},
};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, OnConflict},
};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::{
    BlobKey, Read, Result, StoreError, Tx,
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

mod choices;

pub use choices::{choose, cover, is_in_trash, is_picture, picture_of, rename, set_usage};

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
    /// What it does to pictures, if something judged that.
    pub judgement: Option<&'a Judgement>,
}

/// A model version to create from a file that was made elsewhere. Its bytes are stored.
#[derive(Debug, Clone)]
pub struct NewImport<'a> {
    /// Whose it is.
    pub owner: OwnerId,
    /// Name of its model.
    pub name: &'a str,
    /// The base model that it was imported for.
    pub base_model: &'a str,
    /// The file.
    pub file: &'a VersionFile,
    /// The file's own metadata.
    pub metadata: &'a BTreeMap<String, String>,
    /// What it holds, and what its owner said about it.
    pub imported: &'a Imported,
}

/// The file of a model version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionFile {
    /// File name for downloads.
    pub file_name: String,
    /// SHA-256, in hexadecimal.
    pub sha256: String,
    /// Size.
    pub size_bytes: u64,
    /// Its key in the object store.
    pub key: BlobKey,
    /// Its owner agreed to use it although a part of it is not applied.
    pub allow_partial: bool,
}

/// A version that its owner approved.
#[derive(Debug, Clone, PartialEq)]
pub struct Approved {
    /// Whose it is.
    pub owner: OwnerId,
    /// The version.
    pub version: ModelVersion,
    /// Key of its file.
    pub file: BlobKey,
    /// Key of the fixed-seed picture with it.
    pub picture: Option<BlobKey>,
}

/// An owner's models with their versions, the newest first: at most `limit` that are older than `after`. The pictures of
/// the evidence are left out.
pub async fn list(db: &impl Read, owner: OwnerId, after: Option<ModelId>, limit: u64) -> Result<Vec<Model>> {
    let mut query = model::Entity::find()
        .filter(model::Column::OwnerId.eq(owner.0))
        .filter(model::Column::DeletedAt.is_null());
    if let Some(after) = after {
        query = query.filter(model::Column::Id.lt(after.0));
    }
    let models = query
        .order_by_desc(model::Column::Id)
        .limit(limit)
        .all(db.connection())
        .await
        .doing("list models")?;
    complete(db, models, WithEvidence::No).await
}

/// One model with its versions.
pub async fn get(db: &impl Read, owner: OwnerId, id: ModelId) -> Result<Model> {
    let row = model::Entity::find_by_id(id.0)
        .filter(model::Column::OwnerId.eq(owner.0))
        .filter(model::Column::DeletedAt.is_null())
        .one(db.connection())
        .await
        .doing("read a model")?
        .ok_or_else(|| StoreError::not_found("model", id))?;
    let mut models = complete(db, vec![row], WithEvidence::Yes).await?;
    models.pop().ok_or_else(|| StoreError::not_found("model", id))
}

/// An owner's models by name.
pub async fn names(db: &impl Read, owner: OwnerId) -> Result<Vec<(ModelId, String)>> {
    let found: Vec<(Uuid, String)> = model::Entity::find()
        .select_only()
        .column(model::Column::Id)
        .column(model::Column::Name)
        .filter(model::Column::OwnerId.eq(owner.0))
        .filter(model::Column::DeletedAt.is_null())
        .order_by_asc(model::Column::Name)
        .into_tuple()
        .all(db.connection())
        .await
        .doing("list the names of models")?;
    Ok(found.into_iter().map(|(id, name)| (ModelId(id), name)).collect())
}

/// Every approved version: by model, the newest version first. The pictures of the evidence are left out.
pub async fn approved(db: &impl Read) -> Result<Vec<Approved>> {
    let rows = model_version::Entity::find()
        .filter(model_version::Column::Stage.eq(word(&Stage::Approved)))
        .filter(model_version::Column::DeletedAt.is_null())
        .order_by_asc(model_version::Column::ModelId)
        .order_by_desc(model_version::Column::Version)
        .all(db.connection())
        .await
        .doing("list approved model versions")?;
    let pictures = rows.iter().filter_map(|row| row.after_artifact_id).collect();
    let pictures = picture_keys(db, pictures).await?;
    let mut beside = Vec::with_capacity(rows.len());
    for row in &rows {
        let file = BlobKey::from_sha256(&row.sha256)
            .map_err(|err| StoreError::corrupt("model_versions.sha256", err))?;
        let picture = row.after_artifact_id.and_then(|id| pictures.get(&id));
        let picture = picture.map(|key| key.parse()).transpose();
        let picture = picture.map_err(|err| StoreError::corrupt("artifacts.blob_key", err))?;
        beside.push((OwnerId(row.owner_id), file, picture));
    }
    let versions = to_versions(db, rows, WithEvidence::No).await?;
    let approved = versions.into_iter().zip(beside);
    Ok(approved
        .map(|(version, (owner, file, picture))| Approved {
            owner,
            version,
            file,
            picture,
        })
        .collect())
}

/// Ids of all approved versions, in their order.
pub async fn approved_ids(db: &impl Read) -> Result<Vec<ModelVersionId>> {
    let ids: Vec<Uuid> = model_version::Entity::find()
        .select_only()
        .column(model_version::Column::Id)
        .filter(model_version::Column::Stage.eq(word(&Stage::Approved)))
        .filter(model_version::Column::DeletedAt.is_null())
        .order_by_asc(model_version::Column::Id)
        .into_tuple()
        .all(db.connection())
        .await
        .doing("list the ids of approved model versions")?;
    Ok(ids.into_iter().map(ModelVersionId).collect())
}

/// One model version.
pub async fn version(db: &impl Read, owner: OwnerId, id: ModelVersionId) -> Result<ModelVersion> {
    let row = version_row(db, owner, id).await?;
    if row.deleted_at.is_some() {
        return Err(StoreError::not_found("model version", id));
    }
    let mut versions = to_versions(db, vec![row], WithEvidence::Yes).await?;
    versions
        .pop()
        .ok_or_else(|| StoreError::not_found("model version", id))
}

/// The file of a model version, of a deleted one too: what was begun with it is finished with it.
pub async fn file(db: &impl Read, owner: OwnerId, id: ModelVersionId) -> Result<VersionFile> {
    let row = version_row(db, owner, id).await?;
    let imported: Option<Imported> = maybe_json("model_versions.imported", row.imported)?;
    Ok(VersionFile {
        allow_partial: imported.is_some_and(|imported| imported.allow_partial),
        key: BlobKey::from_sha256(&row.sha256)
            .map_err(|err| StoreError::corrupt("model_versions.sha256", err))?,
        file_name: row.file_name,
        sha256: row.sha256,
        size_bytes: row.size_bytes.cast_unsigned(),
    })
}

/// Adds a job's result as the next version of the model with the job's name.
pub async fn create_version(tx: &Tx, new: NewVersion<'_>) -> Result<ModelVersionId> {
    let recipe = &new.job.recipe;
    let model_id = find_or_create(tx, new.job.owner, recipe.name()).await?;
    let number = next_version(tx, model_id).await?;
    let (id, artifact_url) = (ModelVersionId::new(), tx.objects().location(&new.file.key));
    let row = with_recipe!(model_version, recipe, {
        id: id.0,
        owner_id: new.job.owner.0,
        model_id: model_id,
        version: number,
        stage: word(&Stage::Draft),
        job_id: Some(new.job.id.0),
        dataset_version_id: Some(new.job.dataset_version_id.0),
        n_steps: Some(i64::from(new.n_steps)),
        artifact_id: Some(new.file.id.0),
        artifact_url: artifact_url.clone(),
        file_name: new.file.file_name.clone(),
        size_bytes: new.file.size_bytes.cast_signed(),
        sha256: new.file.sha256.clone(),
        metadata: json(new.metadata),
        verdict: Some(json(new.verdict)),
        verdict_passed: new.verdict.passed,
        imported: None,
        before_artifact_id: new.before.map(|id| id.0),
        after_artifact_id: new.after.map(|id| id.0),
        created_at: now(),
        promoted_at: None,
        retired_at: None,
        usage: None,
        judgement: new.judgement.map(json),
        deleted_at: None,
    });
    insert(tx.connection(), row, "store a model version").await?;
    let stamp = new.judgement.map(|judgement| word(&judgement.stamp));
    job::Entity::update_many()
        .col_expr(job::Column::Stamp, Expr::value(stamp))
        .col_expr(job::Column::ModelVersionId, Expr::value(id.0))
        .col_expr(job::Column::ArtifactUrl, Expr::value(artifact_url))
        .filter(job::Column::Id.eq(new.job.id.0))
        .exec(tx.connection())
        .await
        .doing("note the result of a job")?;
    Ok(id)
}

/// Adds an imported file as the next version of the model of that name, unless one that is not retired was made of the
/// same file; tells whether it did.
pub async fn create_imported(tx: &Tx, new: NewImport<'_>) -> Result<(ModelVersionId, bool)> {
    let model_id = find_or_create(tx, new.owner, new.name).await?;
    let same: Option<Uuid> = model_version::Entity::find()
        .select_only()
        .column(model_version::Column::Id)
        .filter(model_version::Column::ModelId.eq(model_id))
        .filter(model_version::Column::Sha256.eq(&new.file.sha256))
        .filter(model_version::Column::Imported.is_not_null())
        .filter(model_version::Column::DeletedAt.is_null())
        .filter(model_version::Column::Stage.ne(word(&Stage::Retired)))
        .order_by_desc(model_version::Column::Version)
        .limit(1)
        .into_tuple()
        .one(tx.connection())
        .await
        .doing("look for the same imported file")?;
    if let Some(same) = same {
        return Ok((ModelVersionId(same), false));
    }
    let id = ModelVersionId::new();
    let row = model_version::Model {
        id: id.0,
        owner_id: new.owner.0,
        model_id,
        version: next_version(tx, model_id).await?,
        stage: word(&Stage::Draft),
        job_id: None,
        dataset_version_id: None,
        name: clean(new.name),
        trigger_word: new.imported.trigger_words.first().cloned(),
        base_model: new.base_model.to_owned(),
        engine: None,
        preset: None,
        n_steps: None,
        recipe: None,
        artifact_id: None,
        artifact_url: tx.objects().location(&new.file.key),
        file_name: clean(&new.file.file_name),
        size_bytes: new.file.size_bytes.cast_signed(),
        sha256: new.file.sha256.clone(),
        metadata: json(new.metadata),
        verdict: None,
        verdict_passed: false,
        imported: Some(json(new.imported)),
        before_artifact_id: None,
        after_artifact_id: None,
        created_at: now(),
        promoted_at: None,
        retired_at: None,
        usage: None,
        judgement: None,
        deleted_at: None,
    };
    insert(tx.connection(), row, "store an imported model version").await?;
    Ok((id, true))
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
        .filter(model_version::Column::DeletedAt.is_null())
        .exec(tx.connection())
        .await
        .doing("change the stage of a model version")?;
    if done.rows_affected == 0 {
        return Err(StoreError::not_found("model version", id));
    }
    Ok(())
}

/// The id of an owner's model of that name, which is held: its versions are numbered one at a time. One that was deleted
/// is there again, but for the versions that it had.
async fn find_or_create(tx: &Tx, owner: OwnerId, name: &str) -> Result<Uuid> {
    let row = model::Model {
        id: ModelId::new().0,
        owner_id: owner.0,
        name: clean(name),
        created_at: now(),
        pinned_version_id: None,
        cover_artifact_id: None,
        deleted_at: None,
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
    let found = found.ok_or_else(|| StoreError::not_found("model", name))?;
    if found.deleted_at.is_some() {
        model::Entity::update_many()
            .col_expr(model::Column::DeletedAt, Expr::value(None::<DateTime<Utc>>))
            .filter(model::Column::Id.eq(found.id))
            .exec(tx.connection())
            .await
            .doing("bring back a model")?;
    }
    Ok(found.id)
}

/// The number of a model's next version; the model is held.
async fn next_version(tx: &Tx, model_id: Uuid) -> Result<i32> {
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
    Ok(newest.unwrap_or(0) + 1)
}

async fn version_row(db: &impl Read, owner: OwnerId, id: ModelVersionId) -> Result<model_version::Model> {
    model_version::Entity::find_by_id(id.0)
        .filter(model_version::Column::OwnerId.eq(owner.0))
        .one(db.connection())
        .await
        .doing("read a model version")?
        .ok_or_else(|| StoreError::not_found("model version", id))
}

/// Whether the pictures that show what versions were found to be are looked for. Lists do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WithEvidence {
    Yes,
    No,
}

async fn complete(db: &impl Read, models: Vec<model::Model>, evidence: WithEvidence) -> Result<Vec<Model>> {
    let ids: Vec<Uuid> = models.iter().map(|model| model.id).collect();
    let rows = model_version::Entity::find()
        .filter(model_version::Column::ModelId.is_in(ids))
        .filter(model_version::Column::DeletedAt.is_null())
        .order_by_desc(model_version::Column::Version)
        .all(db.connection())
        .await
        .doing("list model versions")?;
    let mut versions: BTreeMap<ModelId, Vec<ModelVersion>> = BTreeMap::new();
    for version in to_versions(db, rows, evidence).await? {
        versions.entry(version.model_id).or_default().push(version);
    }
    let models: Vec<(model::Model, Vec<ModelVersion>)> = models
        .into_iter()
        .map(|row| {
            let versions = versions.remove(&ModelId(row.id)).unwrap_or_default();
            (row, versions)
        })
        .collect();
    let covers = choices::covers(db, &models).await?;
    Ok(models
        .into_iter()
        .map(|(row, versions)| {
            let pinned = row.pinned_version_id.map(ModelVersionId);
            let current = current(&versions, pinned);
            let current_version_id = current.map(|version| version.id);
            let with_it = current.and_then(|version| version.after_url.clone());
            Model {
                id: ModelId(row.id),
                name: row.name,
                current_version_id,
                is_pinned: pinned.is_some() && pinned == current_version_id,
                cover_url: covers.get(&row.id).cloned().or(with_it),
                cover_artifact_id: row.cover_artifact_id.map(ArtifactId),
                versions,
                created_at: row.created_at,
            }
        })
        .collect())
}

async fn picture_keys(db: &impl Read, pictures: Vec<Uuid>) -> Result<BTreeMap<Uuid, String>> {
    let keys: Vec<(Uuid, String)> = artifact::Entity::find()
        .select_only()
        .column(artifact::Column::Id)
        .column(artifact::Column::BlobKey)
        .filter(artifact::Column::Id.is_in(pictures))
        .into_tuple()
        .all(db.connection())
        .await
        .doing("read the pictures of model versions")?;
    Ok(keys.into_iter().collect())
}

async fn to_versions(
    db: &impl Read,
    rows: Vec<model_version::Model>,
    evidence: WithEvidence,
) -> Result<Vec<ModelVersion>> {
    let pictures = rows
        .iter()
        .flat_map(|row| [row.before_artifact_id, row.after_artifact_id])
        .flatten()
        .collect();
    let keys = picture_keys(db, pictures).await?;
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
    let mut judged = BTreeSet::new();
    if evidence == WithEvidence::Yes {
        for row in rows.iter().filter(|row| row.judgement.is_some()) {
            if let (Some(job), Some(step)) = (row.job_id, row.n_steps) {
                judged.insert((JobId(job), to_step(step)?));
            }
        }
    }
    let stored = artifacts::evidence(db, &judged).await?;
    rows.into_iter()
        .map(|row| {
            let judgement: Option<Judgement> = maybe_json("model_versions.judgement", row.judgement)?;
            let step = row.n_steps.map(to_step).transpose()?;
            let evidence = match (&judgement, row.job_id, step) {
                (Some(judgement), Some(job), Some(step)) => {
                    let url = |key: &BlobKey| db.objects().get_url(key, &UrlOptions::picture());
                    stored.of_judgement((JobId(job), step), judgement, url)
                }
                _ => Vec::<EvidencePicture>::new(),
            };
            Ok(ModelVersion {
                judgement,
                evidence,
                damage: damaged.get(&row.sha256).copied(),
                id: ModelVersionId(row.id),
                model_id: ModelId(row.model_id),
                name: row.name,
                version: row.version.unsigned_abs(),
                stage: unword("model_versions.stage", &row.stage)?,
                job_id: row.job_id.map(JobId),
                dataset_version_id: row.dataset_version_id.map(DatasetVersionId),
                imported: maybe_json("model_versions.imported", row.imported)?,
                base_model: row.base_model,
                trigger_word: row.trigger_word,
                n_steps: step,
                file_name: row.file_name,
                size_bytes: row.size_bytes.cast_unsigned(),
                sha256: row.sha256,
                metadata: from_json("model_versions.metadata", row.metadata)?,
                verdict: maybe_json("model_versions.verdict", row.verdict)?,
                usage: maybe_json("model_versions.usage", row.usage)?,
                before_url: picture_url(row.before_artifact_id)?,
                after_url: picture_url(row.after_artifact_id)?,
                created_at: row.created_at,
            })
        })
        .collect()
}

fn maybe_json<T: DeserializeOwned>(
    what: &'static str,
    value: Option<serde_json::Value>,
) -> Result<Option<T>> {
    value.map(|value| from_json(what, value)).transpose()
}
