//! Corrects what is out of date in a database that was restored from a backup.

use std::time::Duration;

use protocol::phase::Outcome;
use store::attempts::{self, Subject};

use super::{AttemptEnd, end_job_attempt, end_lost};
use crate::{Orchestrator, ServiceResult};

/// The message at the job.
const SEEN: &str = "the installation was restored from a backup";

impl Orchestrator {
    /// Ends the attempts that were under way when the backup was made: they have gone on without this database, and
    /// what they stored since is not in it. Their jobs go on from their newest checkpoints. Returns how many there were.
    pub async fn end_restored_attempts(&self) -> ServiceResult<usize> {
        let alive = attempts::alive(&self.store).await?;
        for attempt in &alive {
            let tx = self.store.begin().await?;
            match attempt.subject {
                Subject::Job(_) => {
                    // It does not count against the job.
                    let end = AttemptEnd::again(Outcome::Lost, SEEN, Duration::ZERO);
                    end_job_attempt(self, &tx, attempt, end).await?;
                }
                Subject::Generation(_) | Subject::Edit(_) => {
                    end_lost(&tx, attempt, Some(SEEN.to_owned())).await?;
                }
            }
            tx.commit().await?;
        }
        Ok(alive.len())
    }
}
