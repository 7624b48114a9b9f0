//! The numbered event stream of each job.

use protocol::{JobId, event::JobEvent};

use crate::{Read, Result};

/// Events of a job with numbers above `after`, in order, at most `limit`.
pub async fn after(db: &impl Read, job: JobId, after: i64, limit: u64) -> Result<Vec<JobEvent>> {
    let _ = (db, job, after, limit);
    todo!()
}
