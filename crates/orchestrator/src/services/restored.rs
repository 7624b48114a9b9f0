//! Corrects what is out of date in a database that was restored from a backup.

use std::time::Duration;

use protocol::phase::Outcome;
use store::{
    attempts::{self, Subject},
    edits, generations,
};

use super::{AttemptEnd, again_or_failed, edit_again_or_failed, end_job_attempt};
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
                Subject::Generation(id) => {
                    attempts::end(&tx, attempt, Outcome::Lost, Some(SEEN.to_owned())).await?;
                    generations::end_attempt(&tx, id, again_or_failed(attempt)).await?;
                }
                Subject::Edit(id) => {
                    let edit = edits::state(&tx, id).await?;
                    attempts::end(&tx, attempt, Outcome::Lost, Some(SEEN.to_owned())).await?;
                    edits::end_attempt(&tx, id, edit_again_or_failed(attempt, &edit)).await?;
                }
            }
            tx.commit().await?;
        }
        Ok(alive.len())
    }
}
