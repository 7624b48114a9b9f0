//! Files kept from jobs and generations.

use chrono::{DateTime, Utc};
use protocol::{ArtifactId, AttemptId, JobId, OwnerId, agent::ArtifactKind};

use crate::{BlobKey, Read, Result};

/// A file kept from a job or a generation.
#[derive(Debug, Clone, PartialEq)]
pub struct Artifact {
    /// Its id.
    pub id: ArtifactId,
    /// The job it was kept from, if it was one.
    pub job_id: Option<JobId>,
    /// The attempt that made it.
    pub attempt_id: AttemptId,
    /// What it is.
    pub kind: ArtifactKind,
    /// Name that a download gets.
    pub file_name: String,
    /// SHA-256, in hexadecimal.
    pub sha256: String,
    /// Size.
    pub size_bytes: u64,
    /// Where it is in the object store.
    pub key: BlobKey,
    /// Its bytes are there; otherwise they were only announced.
    pub is_stored: bool,
    /// When it was announced.
    pub created_at: DateTime<Utc>,
}

/// The stored files of a job, in the order they came.
pub async fn of_job(db: &impl Read, owner: OwnerId, job: JobId) -> Result<Vec<Artifact>> {
    let _ = (db, owner, job);
    todo!()
}

/// One stored file.
pub async fn get(db: &impl Read, owner: OwnerId, id: ArtifactId) -> Result<Artifact> {
    let _ = (db, owner, id);
    todo!()
}
