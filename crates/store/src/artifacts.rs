//! Files kept from jobs, generations and edits.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use protocol::{
    ArtifactId, AttemptId, EditId, GenerationId, JobId, OwnerId,
    agent::{ArtifactKind, NewArtifact},
    judged::EvidencePicture,
    judgement::Judgement,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr};
use uuid::Uuid;

use crate::{
    BlobKey, Read, Result, StoreError, Tx,
    attempts::Attempt,
    damage,
    db::{
        entities::artifact::{self, STORED},
        insert,
    },
    error::Doing,
    now,
    words::{clean, from_json, json},
};

/// A file kept from a job, a generation or an edit.
#[derive(Debug, Clone, PartialEq)]
pub struct Artifact {
    /// Its id.
    pub id: ArtifactId,
    /// Whose it is.
    pub owner: OwnerId,
    /// The job it was kept from, if it was one.
    pub job_id: Option<JobId>,
    /// The generation it was kept from, if it was one.
    pub generation_id: Option<GenerationId>,
    /// The edit it was kept from, if it was one.
    pub edit_id: Option<EditId>,
    /// The attempt that made it.
    pub attempt_id: AttemptId,
    /// What it is.
    pub kind: ArtifactKind,
    /// File name for downloads.
    pub file_name: String,
    /// SHA-256, in hexadecimal.
    pub sha256: String,
    /// Size.
    pub size_bytes: u64,
    /// Its key in the object store.
    pub key: BlobKey,
    /// Whether its bytes are stored; otherwise it was only announced.
    pub is_stored: bool,
    /// Of a checkpoint that was judged: what it was found to be.
    pub judgement: Option<Judgement>,
    /// When it was announced.
    pub created_at: DateTime<Utc>,
}

/// The stored pictures that show what judgements say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StoredEvidence {
    /// By job and optimizer steps of what was judged, then by name in the judgement.
    keys: BTreeMap<(JobId, u32), BTreeMap<String, BlobKey>>,
}

impl StoredEvidence {
    /// The pictures of a judgement of so many steps of a job, in its order.
    pub fn of_judgement(
        &self,
        judged: (JobId, u32),
        judgement: &Judgement,
        url: impl Fn(&BlobKey) -> String,
    ) -> Vec<EvidencePicture> {
        let Some(keys) = self.keys.get(&judged) else {
            return Vec::new();
        };
        let named = judgement.evidence.iter().filter_map(|evidence| {
            Some(EvidencePicture {
                name: evidence.name.clone(),
                url: url(keys.get(&evidence.name)?),
            })
        });
        named.collect()
    }
}

const ANNOUNCED: &str = "announced";

/// The stored files of a job, in upload order.
pub async fn of_job(db: &impl Read, owner: OwnerId, job: JobId) -> Result<Vec<Artifact>> {
    let rows = artifact::Entity::find()
        .filter(artifact::Column::JobId.eq(job.0))
        .filter(artifact::Column::OwnerId.eq(owner.0))
        .filter(artifact::Column::State.eq(STORED))
        .order_by_asc(artifact::Column::Id)
        .all(db.connection())
        .await
        .doing("list the files of a job")?;
    rows.into_iter().map(to_artifact).collect()
}

/// One stored file.
pub async fn get(db: &impl Read, owner: OwnerId, id: ArtifactId) -> Result<Artifact> {
    let artifact = find(db, id).await?;
    if artifact.owner != owner || !artifact.is_stored {
        return Err(StoreError::not_found("file", id));
    }
    Ok(artifact)
}

/// One file, stored or announced, whoever owns it.
pub async fn find(db: &impl Read, id: ArtifactId) -> Result<Artifact> {
    let row = artifact::Entity::find_by_id(id.0)
        .one(db.connection())
        .await
        .doing("read a file's row")?
        .ok_or_else(|| StoreError::not_found("file", id))?;
    to_artifact(row)
}

/// One stored file, which is not forgotten before the transaction ends.
pub async fn keep(tx: &Tx, owner: OwnerId, id: ArtifactId) -> Result<Artifact> {
    let row = tx
        .hold(artifact::Entity::find_by_id(id.0))
        .filter(artifact::Column::OwnerId.eq(owner.0))
        .filter(artifact::Column::State.eq(STORED))
        .one(tx.connection())
        .await
        .doing("keep a file")?
        .ok_or_else(|| StoreError::not_found("file", id))?;
    to_artifact(row)
}

/// Which sample prompts of a job have a preview of before its first step.
pub async fn start_samples(db: &impl Read, job: JobId) -> Result<BTreeSet<u32>> {
    let rows = artifact::Entity::find()
        .filter(artifact::Column::JobId.eq(job.0))
        .filter(artifact::Column::Kind.eq("sample"))
        .filter(artifact::Column::Step.eq(0))
        .filter(artifact::Column::State.eq(STORED))
        .all(db.connection())
        .await
        .doing("look for the first previews of a job")?;
    let mut drawn = BTreeSet::new();
    for row in rows {
        if let ArtifactKind::Sample { prompt_index, .. } = to_artifact(row)?.kind {
            drawn.insert(prompt_index);
        }
    }
    Ok(drawn)
}

/// The latest stored checkpoint of a job that is not known to be damaged or unusable.
pub async fn newest_checkpoint(db: &impl Read, job: JobId) -> Result<Option<Artifact>> {
    Ok(whole_checkpoints(db, job, 1).await?.pop())
}

/// The stored checkpoints from which a job can resume, latest first: at most `limit`.
pub async fn whole_checkpoints(db: &impl Read, job: JobId, limit: u64) -> Result<Vec<Artifact>> {
    let rows = artifact::Entity::find()
        .filter(artifact::Column::JobId.eq(job.0))
        .filter(artifact::Column::Kind.eq("checkpoint"))
        .filter(artifact::Column::State.eq(STORED))
        .filter(artifact::Column::Unusable.is_null())
        .filter(artifact::Column::Sha256.not_in_subquery(damage::hashes()))
        .order_by_desc(artifact::Column::Step)
        .order_by_desc(artifact::Column::Id)
        .limit(limit)
        .all(db.connection())
        .await
        .doing("look for checkpoints")?;
    rows.into_iter().map(to_artifact).collect()
}

/// A stored checkpoint of a job with these bytes, even if damaged or unusable.
pub async fn checkpoint_with(db: &impl Read, job: JobId, sha256: &str) -> Result<Option<Artifact>> {
    let row = artifact::Entity::find()
        .filter(artifact::Column::JobId.eq(job.0))
        .filter(artifact::Column::Kind.eq("checkpoint"))
        .filter(artifact::Column::State.eq(STORED))
        .filter(artifact::Column::Sha256.eq(sha256))
        .order_by_desc(artifact::Column::Step)
        .one(db.connection())
        .await
        .doing("look for a checkpoint by its hash")?;
    row.map(to_artifact).transpose()
}

/// The newest whole checkpoint of a step of a job, which is not forgotten before the transaction ends.
pub async fn checkpoint_of_step(tx: &Tx, job: JobId, step: u32) -> Result<Option<Artifact>> {
    let row = tx
        .hold(artifact::Entity::find())
        .filter(artifact::Column::JobId.eq(job.0))
        .filter(artifact::Column::Kind.eq("checkpoint"))
        .filter(artifact::Column::Step.eq(i64::from(step)))
        .filter(artifact::Column::State.eq(STORED))
        .filter(artifact::Column::Unusable.is_null())
        .filter(artifact::Column::Sha256.not_in_subquery(damage::hashes()))
        .order_by_desc(artifact::Column::Id)
        .one(tx.connection())
        .await
        .doing("look for the checkpoint of a step")?;
    row.map(to_artifact).transpose()
}

/// Gives a stored file to another job as well. Its attempt stays the one that made it, and its bytes are stored once.
pub async fn lend(tx: &Tx, file: &Artifact, to: JobId) -> Result<ArtifactId> {
    let details = json(&file.kind);
    let row = artifact::Model {
        id: ArtifactId::new().0,
        owner_id: file.owner.0,
        job_id: Some(to.0),
        generation_id: None,
        edit_id: None,
        attempt_id: file.attempt_id.0,
        kind: details["kind"].as_str().unwrap_or_default().to_owned(),
        step: details["step"].as_i64(),
        details,
        file_name: file.file_name.clone(),
        sha256: file.sha256.clone(),
        size_bytes: file.size_bytes.cast_signed(),
        url: tx.objects().location(&file.key),
        blob_key: file.key.to_string(),
        state: STORED.to_owned(),
        created_at: now(),
        stored_at: Some(now()),
        unusable: None,
        judgement: None,
    };
    let id = ArtifactId(row.id);
    insert(tx.connection(), row, "store a file's row").await?;
    Ok(id)
}

/// Records that no engine can resume from a checkpoint, and why.
pub async fn mark_unusable(tx: &Tx, id: ArtifactId, problem: &str) -> Result<()> {
    artifact::Entity::update_many()
        .col_expr(artifact::Column::Unusable, Expr::value(clean(problem)))
        .filter(artifact::Column::Id.eq(id.0))
        .exec(tx.connection())
        .await
        .doing("note that a checkpoint is unusable")?;
    Ok(())
}

/// Keeps what the newest stored checkpoint of a step of a job was found to be; says whether there is such a checkpoint.
pub async fn judge_checkpoint(tx: &Tx, job: JobId, step: u32, judgement: &Judgement) -> Result<bool> {
    let newest: Option<Uuid> = artifact::Entity::find()
        .select_only()
        .column(artifact::Column::Id)
        .filter(artifact::Column::JobId.eq(job.0))
        .filter(artifact::Column::Kind.eq("checkpoint"))
        .filter(artifact::Column::Step.eq(i64::from(step)))
        .filter(artifact::Column::State.eq(STORED))
        .order_by_desc(artifact::Column::Id)
        .limit(1)
        .into_tuple()
        .one(tx.connection())
        .await
        .doing("look for the checkpoint that was judged")?;
    let Some(newest) = newest else {
        return Ok(false);
    };
    artifact::Entity::update_many()
        .col_expr(artifact::Column::Judgement, Expr::value(json(judgement)))
        .filter(artifact::Column::Id.eq(newest))
        .exec(tx.connection())
        .await
        .doing("keep what a checkpoint was found to be")?;
    Ok(true)
}

/// The stored pictures of the evidence of judgements of so many steps of jobs. Of pictures with one name, the newest counts.
pub async fn evidence(db: &impl Read, judged: &BTreeSet<(JobId, u32)>) -> Result<StoredEvidence> {
    let mut stored = StoredEvidence::default();
    if judged.is_empty() {
        return Ok(stored);
    }
    let jobs: BTreeSet<Uuid> = judged.iter().map(|(job, _)| job.0).collect();
    let steps: BTreeSet<i64> = judged.iter().map(|(_, step)| i64::from(*step)).collect();
    let rows = artifact::Entity::find()
        .filter(artifact::Column::JobId.is_in(jobs))
        .filter(artifact::Column::Kind.eq("evidence"))
        .filter(artifact::Column::Step.is_in(steps))
        .filter(artifact::Column::State.eq(STORED))
        .order_by_asc(artifact::Column::Id)
        .all(db.connection())
        .await
        .doing("list the evidence of judgements")?;
    for row in rows {
        let file = to_artifact(row)?;
        if let (Some(job), ArtifactKind::Evidence { step, name }) = (file.job_id, file.kind) {
            stored.keys.entry((job, step)).or_default().insert(name, file.key);
        }
    }
    Ok(stored)
}

/// Records an announced file of an attempt; the same file again uses the same row.
pub async fn announce(tx: &Tx, owner: OwnerId, attempt: &Attempt, new: &NewArtifact) -> Result<Artifact> {
    let details = json(&new.kind);
    let same = artifact::Entity::find()
        .filter(artifact::Column::AttemptId.eq(attempt.id.0))
        .filter(artifact::Column::Sha256.eq(&new.sha256))
        .all(tx.connection())
        .await
        .doing("look for the same file")?;
    let (job_id, generation_id, edit_id) = attempt.subject.columns();
    // What was lent to another job has the same attempt.
    let is_same = |row: &artifact::Model| row.details == details && row.job_id == job_id;
    if let Some(row) = same.into_iter().find(is_same) {
        return to_artifact(row);
    }
    let key =
        BlobKey::from_sha256(&new.sha256).map_err(|err| StoreError::corrupt("artifacts.sha256", err))?;
    let row = artifact::Model {
        id: ArtifactId::new().0,
        owner_id: owner.0,
        job_id,
        generation_id,
        edit_id,
        attempt_id: attempt.id.0,
        kind: details["kind"].as_str().unwrap_or_default().to_owned(),
        step: details["step"].as_i64(),
        details,
        file_name: new.file_name.clone(),
        sha256: new.sha256.clone(),
        size_bytes: new.size_bytes.cast_signed(),
        url: tx.objects().location(&key),
        blob_key: key.to_string(),
        state: ANNOUNCED.to_owned(),
        created_at: now(),
        stored_at: None,
        unusable: None,
        judgement: None,
    };
    insert(tx.connection(), row.clone(), "store a file's row").await?;
    to_artifact(row)
}

/// Records that a file is stored; returns whether it was not recorded before.
pub async fn mark_stored(tx: &Tx, id: ArtifactId) -> Result<bool> {
    let done = artifact::Entity::update_many()
        .col_expr(artifact::Column::State, Expr::value(STORED))
        .col_expr(artifact::Column::StoredAt, Expr::value(now()))
        .filter(artifact::Column::Id.eq(id.0))
        .filter(artifact::Column::State.eq(ANNOUNCED))
        .exec(tx.connection())
        .await
        .doing("note that a file is stored")?;
    Ok(done.rows_affected > 0)
}

fn to_artifact(row: artifact::Model) -> Result<Artifact> {
    Ok(Artifact {
        id: ArtifactId(row.id),
        owner: OwnerId(row.owner_id),
        job_id: row.job_id.map(JobId),
        generation_id: row.generation_id.map(GenerationId),
        edit_id: row.edit_id.map(EditId),
        attempt_id: AttemptId(row.attempt_id),
        kind: from_json("artifacts.details", row.details)?,
        file_name: row.file_name,
        sha256: row.sha256,
        size_bytes: row.size_bytes.cast_unsigned(),
        key: row
            .blob_key
            .parse()
            .map_err(|err| StoreError::corrupt("artifacts.blob_key", err))?,
        is_stored: row.state == STORED,
        judgement: row
            .judgement
            .map(|judgement| from_json("artifacts.judgement", judgement))
            .transpose()?,
        created_at: row.created_at,
    })
}
