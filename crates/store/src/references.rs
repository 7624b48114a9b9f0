//! What is still wanted of the stored files: what the collector of objects decides by.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use protocol::{
    ArtifactId, DatasetVersionId, JobId, agent::ArtifactKind, dataset::Manifest, generation::GenerationPhase,
    model::Stage, phase::Phase,
};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr};
use uuid::Uuid;

use crate::{
    BlobKey, Read, Result, StoreError, Tx,
    db::entities::{
        artifact::{self, STORED},
        dataset_item, dataset_version, edit, generation, job, model, model_version,
    },
    error::Doing,
    words::{from_json, unword, word},
};

/// A file kept from a job, a generation or an edit, and what became of those.
#[derive(Debug, Clone, PartialEq)]
pub struct File {
    /// The file.
    pub id: ArtifactId,
    /// What it is.
    pub kind: ArtifactKind,
    /// Its blob.
    pub key: BlobKey,
    /// Its bytes are there; otherwise they were only announced.
    pub is_stored: bool,
    /// A model version or a generation shows it, or it shows what a model version was found to be.
    pub is_used: bool,
    /// When it was announced.
    pub created_at: DateTime<Utc>,
    /// What it was kept from.
    pub of: Subject,
}

/// What a file was kept from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A job.
    Job {
        /// Where it stands.
        phase: Phase,
        /// When it ended.
        ended_at: Option<DateTime<Utc>>,
        /// Its model version is approved.
        is_promoted: bool,
        /// The job goes on from this file if it is resumed, or if the one before it turns out damaged.
        is_spare_checkpoint: bool,
    },
    /// A generation.
    Generation {
        /// When it ended.
        ended_at: Option<DateTime<Utc>>,
    },
    /// An edit.
    Edit {
        /// When it ended.
        ended_at: Option<DateTime<Utc>>,
    },
}

/// Files in the order of their ids: at most `limit` after `after`.
pub async fn files(db: &impl Read, after: Option<ArtifactId>, limit: u64) -> Result<Vec<File>> {
    let mut query = artifact::Entity::find();
    if let Some(after) = after {
        query = query.filter(artifact::Column::Id.gt(after.0));
    }
    let rows = query
        .order_by_asc(artifact::Column::Id)
        .limit(limit)
        .all(db.connection())
        .await
        .doing("list files")?;
    complete(db, rows).await
}

/// These files, as far as they are still there.
pub async fn files_again(db: &impl Read, ids: &[ArtifactId]) -> Result<Vec<File>> {
    let rows = artifact::Entity::find()
        .filter(artifact::Column::Id.is_in(ids.iter().map(|id| id.0)))
        .all(db.connection())
        .await
        .doing("read files again")?;
    complete(db, rows).await
}

/// Forgets files. A job that loses its last checkpoint begins anew when it is resumed; one that makes a version of it
/// still says of which step.
pub async fn forget(tx: &Tx, files: &[ArtifactId]) -> Result<()> {
    let ids: Vec<Uuid> = files.iter().map(|id| id.0).collect();
    let jobs: Vec<Option<Uuid>> = artifact::Entity::find()
        .select_only()
        .column(artifact::Column::JobId)
        .distinct()
        .filter(artifact::Column::Id.is_in(ids.clone()))
        .filter(artifact::Column::Kind.eq("checkpoint"))
        .into_tuple()
        .all(tx.connection())
        .await
        .doing("find the jobs of files")?;
    artifact::Entity::delete_many()
        .filter(artifact::Column::Id.is_in(ids))
        .exec(tx.connection())
        .await
        .doing("forget files")?;
    for job in jobs.into_iter().flatten() {
        if crate::artifacts::newest_checkpoint(tx, JobId(job))
            .await?
            .is_none()
        {
            job::Entity::update_many()
                .col_expr(job::Column::CheckpointStep, Expr::value(None::<i64>))
                .filter(job::Column::Id.eq(job))
                .filter(job::Column::VersionOfJobId.is_null())
                .exec(tx.connection())
                .await
                .doing("forget the checkpoint of a job")?;
        }
    }
    Ok(())
}

/// Those of the blobs that a file, an imported LoRA, a dataset's picture or a base model refers to. Files in `except` do not count.
pub async fn referred(
    db: &impl Read,
    keys: &[BlobKey],
    except: &BTreeSet<ArtifactId>,
) -> Result<HashSet<BlobKey>> {
    let pictures: Vec<String> = dataset_item::Entity::find()
        .select_only()
        .column(dataset_item::Column::Sha256)
        .filter(dataset_item::Column::Sha256.is_in(keys.iter().map(BlobKey::sha256)))
        .into_tuple()
        .all(db.connection())
        .await
        .doing("look for pictures by their hash")?;
    let files: Vec<(Uuid, String)> = artifact::Entity::find()
        .select_only()
        .column(artifact::Column::Id)
        .column(artifact::Column::Sha256)
        .filter(artifact::Column::BlobKey.is_in(keys.iter().map(BlobKey::as_str)))
        .into_tuple()
        .all(db.connection())
        .await
        .doing("look for files by their key")?;
    let files = files
        .into_iter()
        .filter(|(id, _)| !except.contains(&ArtifactId(*id)))
        .map(|(_, sha256)| sha256);
    let imports: Vec<String> = model_version::Entity::find()
        .select_only()
        .column(model_version::Column::Sha256)
        .filter(model_version::Column::Imported.is_not_null())
        .filter(model_version::Column::Sha256.is_in(keys.iter().map(BlobKey::sha256)))
        .into_tuple()
        .all(db.connection())
        .await
        .doing("look for imported files by their hash")?;
    let bases = crate::bases::referred(db, keys).await?;
    pictures
        .into_iter()
        .chain(files)
        .chain(imports)
        .chain(bases)
        .map(|hash| key_of(&hash))
        .collect()
}

/// The pictures of all frozen dataset versions, or of those frozen since a time.
pub async fn frozen(db: &impl Read, since: Option<DateTime<Utc>>) -> Result<HashSet<BlobKey>> {
    /// Manifests are large.
    const PAGE: u64 = 50;
    let mut keys = HashSet::new();
    let mut after = DatasetVersionId(Uuid::nil());
    loop {
        let mut query = dataset_version::Entity::find().filter(dataset_version::Column::Id.gt(after.0));
        if let Some(since) = since {
            query = query.filter(dataset_version::Column::CreatedAt.gte(since));
        }
        let page = query
            .order_by_asc(dataset_version::Column::Id)
            .limit(PAGE)
            .all(db.connection())
            .await
            .doing("read dataset versions")?;
        let Some(last) = page.last() else {
            return Ok(keys);
        };
        after = DatasetVersionId(last.id);
        for row in page {
            let manifest: Manifest = from_json("dataset_versions.manifest", row.manifest)?;
            for item in manifest.items {
                keys.insert(key_of(&item.sha256)?);
            }
        }
    }
}

pub(crate) fn key_of(sha256: &str) -> Result<BlobKey> {
    BlobKey::from_sha256(sha256).map_err(|err| StoreError::corrupt("a SHA-256", err))
}

/// Adds what became of jobs, generations and edits.
async fn complete(db: &impl Read, rows: Vec<artifact::Model>) -> Result<Vec<File>> {
    let of_jobs: BTreeSet<Uuid> = rows.iter().filter_map(|row| row.job_id).collect();
    let jobs = jobs(db, &of_jobs).await?;
    let of_generations: BTreeSet<Uuid> = rows.iter().filter_map(|row| row.generation_id).collect();
    let generations: BTreeMap<Uuid, generation::Model> = generation::Entity::find()
        .filter(generation::Column::Id.is_in(of_generations))
        .all(db.connection())
        .await
        .doing("read the generations of files")?
        .into_iter()
        .map(|row| (row.id, row))
        .collect();
    let of_edits: BTreeSet<Uuid> = rows.iter().filter_map(|row| row.edit_id).collect();
    let edits: BTreeMap<Uuid, Option<DateTime<Utc>>> = edit::Entity::find()
        .select_only()
        .columns([edit::Column::Id, edit::Column::EndedAt])
        .filter(edit::Column::Id.is_in(of_edits))
        .into_tuple::<(Uuid, Option<DateTime<Utc>>)>()
        .all(db.connection())
        .await
        .doing("read the edits of files")?
        .into_iter()
        .collect();
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let used = used_by_versions(db, &ids).await?;
    let mut files = Vec::with_capacity(rows.len());
    for row in rows {
        let shown = row.generation_id.and_then(|id| generations.get(&id));
        let edit = row.edit_id.and_then(|id| edits.get(&id));
        let job = row.job_id.and_then(|id| jobs.get(&id));
        let is_stored = row.state == STORED;
        let shows_version = is_stored
            && row.kind == "evidence"
            && job
                .zip(row.step)
                .is_some_and(|(job, step)| job.version_steps.contains(&step));
        let of = match (job, shown, edit) {
            (Some(job), ..) => Subject::Job {
                phase: job.phase,
                ended_at: job.ended_at,
                is_promoted: job.is_promoted,
                is_spare_checkpoint: job.spare_checkpoints.contains(&row.id),
            },
            (None, Some(shown), _) => {
                let phase: GenerationPhase = unword("generations.phase", &shown.phase)?;
                Subject::Generation {
                    ended_at: shown.ended_at.filter(|_| phase.is_ended()),
                }
            }
            // All have foreign keys.
            (None, None, Some(ended_at)) => Subject::Edit { ended_at: *ended_at },
            (None, None, None) => return Err(StoreError::corrupt("artifacts", "belongs to nothing")),
        };
        files.push(File {
            id: ArtifactId(row.id),
            kind: from_json("artifacts.details", row.details)?,
            key: key_of(&row.sha256)?,
            is_stored,
            is_used: used.contains(&row.id)
                || shows_version
                || shown.is_some_and(|shown| shown.artifact_id == Some(row.id)),
            created_at: row.created_at,
            of,
        });
    }
    Ok(files)
}

struct JobFacts {
    phase: Phase,
    ended_at: Option<DateTime<Utc>>,
    is_promoted: bool,
    /// Optimizer steps of its model versions.
    version_steps: BTreeSet<i64>,
    spare_checkpoints: Vec<Uuid>,
}

/// Whole checkpoints that a job keeps after it ended and may be resumed: one may turn out damaged.
const N_SPARE_CHECKPOINTS: u64 = 2;

async fn jobs(db: &impl Read, ids: &BTreeSet<Uuid>) -> Result<BTreeMap<Uuid, JobFacts>> {
    let versions: Vec<(Uuid, String, Option<i64>)> = model_version::Entity::find()
        .select_only()
        .columns([
            model_version::Column::JobId,
            model_version::Column::Stage,
            model_version::Column::NSteps,
        ])
        .filter(model_version::Column::JobId.is_in(ids.iter().copied()))
        .into_tuple()
        .all(db.connection())
        .await
        .doing("look for the model versions of jobs")?;
    let mut promoted = BTreeSet::new();
    let mut steps: BTreeMap<Uuid, BTreeSet<i64>> = BTreeMap::new();
    let approved = word(&Stage::Approved);
    for (job, stage, n_steps) in versions {
        if stage == approved {
            promoted.insert(job);
        }
        steps.entry(job).or_default().extend(n_steps);
    }
    let rows: Vec<(Uuid, String, Option<DateTime<Utc>>)> = job::Entity::find()
        .select_only()
        .column(job::Column::Id)
        .column(job::Column::Phase)
        .column(job::Column::EndedAt)
        .filter(job::Column::Id.is_in(ids.iter().copied()))
        .into_tuple()
        .all(db.connection())
        .await
        .doing("read the jobs of files")?;
    let mut jobs = BTreeMap::new();
    for (id, phase, ended_at) in rows {
        let spare = crate::artifacts::whole_checkpoints(db, JobId(id), N_SPARE_CHECKPOINTS).await?;
        let facts = JobFacts {
            phase: unword("training_jobs.phase", &phase)?,
            ended_at,
            is_promoted: promoted.contains(&id),
            version_steps: steps.remove(&id).unwrap_or_default(),
            spare_checkpoints: spare.iter().map(|file| file.id.0).collect(),
        };
        jobs.insert(id, facts);
    }
    Ok(jobs)
}

/// Those of the files that a model version, of whatever stage, is made of or shows, or that are the cover of a model.
async fn used_by_versions(db: &impl Read, ids: &[Uuid]) -> Result<BTreeSet<Uuid>> {
    use model_version::Column::{AfterArtifactId, ArtifactId, BeforeArtifactId};
    let any = Condition::any()
        .add(ArtifactId.is_in(ids.iter().copied()))
        .add(BeforeArtifactId.is_in(ids.iter().copied()))
        .add(AfterArtifactId.is_in(ids.iter().copied()));
    let rows: Vec<(Option<Uuid>, Option<Uuid>, Option<Uuid>)> = model_version::Entity::find()
        .select_only()
        .columns([ArtifactId, BeforeArtifactId, AfterArtifactId])
        .filter(any)
        .into_tuple()
        .all(db.connection())
        .await
        .doing("look for the files of model versions")?;
    let covers: Vec<Option<Uuid>> = model::Entity::find()
        .select_only()
        .column(model::Column::CoverArtifactId)
        .filter(model::Column::CoverArtifactId.is_in(ids.iter().copied()))
        .into_tuple()
        .all(db.connection())
        .await
        .doing("look for the covers of models")?;
    Ok(rows
        .into_iter()
        .flat_map(|(file, before, after)| [file, before, after])
        .chain(covers)
        .flatten()
        .collect())
}
