//! Step metrics of a job, in columns, for charts.

use protocol::{JobId, job::Metrics};

use crate::{Read, Result};

/// The metrics of a job in at most `width` entries.
pub async fn chart(db: &impl Read, job: JobId, width: u32) -> Result<Metrics> {
    let _ = (db, job, width);
    todo!()
}
