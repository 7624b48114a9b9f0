//! Jobs: one row each, with its recipe as JSON and its hyperparameters in columns that a person can read.

use protocol::{JobId, OwnerId, job::Job};

use crate::{Read, Result};

/// An owner's jobs, the newest first.
pub async fn list(db: &impl Read, owner: OwnerId, limit: u64) -> Result<Vec<Job>> {
    let _ = (db, owner, limit);
    todo!()
}

/// One job.
pub async fn get(db: &impl Read, owner: OwnerId, id: JobId) -> Result<Job> {
    let _ = (db, owner, id);
    todo!()
}
