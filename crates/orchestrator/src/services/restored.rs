//! Corrects what is out of date in a database that was restored from a backup.

use std::time::Duration;

use protocol::phase::{AttemptPhase, Outcome};
use store::{
    attempts::{self, Subject},
    drawing,
};

use super::{AttemptEnd, end_lost, end_rented_attempt, refuse_drawing};
use crate::{Orchestrator, ServiceResult};

/// The message at the job or drawing session.
const SEEN: &str = "the installation was restored from a backup";

impl Orchestrator {
    /// Ends the attempts that were under way when the backup was made: they have gone on without this database, and
    /// what they stored since is not in it. Their jobs go on from their newest checkpoints. Returns how many there were.
    /// Nobody waits any more for the machine of a drawing session that was to be ordered: it ends as well.
    pub async fn end_restored_attempts(&self) -> ServiceResult<usize> {
        let alive = attempts::alive(&self.store).await?;
        for attempt in &alive {
            let tx = self.store.begin().await?;
            let attempt = attempts::get(&tx, attempt.id).await?;
            if attempt.phase == AttemptPhase::Gone {
                // Of a picture, with the drawing session that it was drawn in.
                continue;
            }
            match attempt.subject {
                Subject::Job(_) | Subject::Drawing(_) => {
                    // It does not count against a job. A drawing session is over.
                    let end = AttemptEnd::again(Outcome::Lost, SEEN, Duration::ZERO);
                    end_rented_attempt(self, &tx, &attempt, end).await?;
                }
                Subject::Generation(_) | Subject::Edit(_) => {
                    end_lost(&tx, &attempt, Some(SEEN.to_owned())).await?;
                }
            }
            tx.commit().await?;
        }
        for session in drawing::ordered(&self.store).await? {
            let tx = self.store.begin().await?;
            refuse_drawing(&tx, session, SEEN).await?;
            tx.commit().await?;
        }
        Ok(alive.len())
    }
}
