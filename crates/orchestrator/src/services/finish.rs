//! The end of an attempt, as its agent reports it.

use std::{pin::pin, time::Duration};

use protocol::{
    AttemptId,
    agent::{ArtifactKind, Finish, TrainResult},
    event::Event,
    model::{RESULT_CHECKS, VALIDATION_CHECK, Verdict},
    phase::{AttemptPhase, Outcome, Phase},
};
use store::{
    StoreError, Tx,
    attempts::{self, Attempt, Subject},
    events::{self, NewEvent},
    jobs::{self, JobState},
    models::{self, NewVersion},
    tokens::AgentCredential,
};

use tokio::time::{Instant, interval_at};

use super::{
    AttemptEnd, artifacts::stored, edits::finish_edit, end_job_attempt, end_rented_attempt,
    generations::finish_generation, reports,
};
use crate::{Orchestrator, ServiceError, ServiceResult, disk::PAUSED};

/// Beginning of the reason of a job that waits because the disk of its machine takes no writes.
const NO_ROOM: &str = "paused because a disk of the agent's machine takes no writes";
/// The first wait; it doubles with each attempt that made no progress.
const FIRST_ROOM_PAUSE: Duration = Duration::from_secs(10);
/// The longest wait: the server is not told when there is space again.
const LAST_ROOM_PAUSE: Duration = Duration::from_secs(300);

impl Orchestrator {
    /// Ends an attempt. A result becomes artifact, model, model version, phase and events in one transaction.
    pub async fn finish(
        &self,
        agent: &AgentCredential,
        id: AttemptId,
        mut finish: Finish,
    ) -> ServiceResult<()> {
        reports::fit_finish(&mut finish)?;
        if let (Outcome::Completed, Some(result)) = (finish.outcome, &mut finish.result) {
            let checking = self.check_result(agent, id, result);
            self.holding(id, finish.fence, checking).await?;
        }
        let mut header = None;
        if let (Outcome::Completed, Some(result)) = (finish.outcome, &finish.edited) {
            let checking = self.check_edited(agent, id, result);
            header = self.holding(id, finish.fence, checking).await?;
        }
        let tx = self.store.begin().await?;
        let attempt = attempts::get(&tx, id).await?;
        if !attempt.belongs_to(agent) {
            return Err(ServiceError::Forbidden);
        }
        if attempt.fence != finish.fence {
            return Err(ServiceError::LeaseLost);
        }
        if attempt.phase == AttemptPhase::Gone {
            // The answer to the same request was lost on its way.
            return match attempt.outcome {
                Some(outcome) if outcome == finish.outcome => Ok(()),
                _ => Err(ServiceError::LeaseLost),
            };
        }
        let outcome = finish.outcome;
        match attempt.subject {
            Subject::Job(job) => {
                let job = jobs::state(&tx, job).await?;
                self.finish_job(&tx, &attempt, &job, finish).await?;
            }
            Subject::Generation(_) => finish_generation(&tx, &attempt, finish).await?,
            Subject::Edit(_) => finish_edit(&tx, &attempt, finish, header).await?,
            Subject::Drawing(_) => {
                let end = AttemptEnd::new(outcome, finish.detail);
                end_rented_attempt(self, &tx, &attempt, end).await?;
            }
        }
        tx.commit().await?;
        tracing::info!(attempt.id = %id, ?outcome, "attempt finished");
        Ok(())
    }

    /// Does what may take longer than a lease, for an agent that sends no heartbeats any more.
    async fn holding<T>(
        &self,
        id: AttemptId,
        fence: i64,
        work: impl Future<Output = ServiceResult<T>> + Send,
    ) -> ServiceResult<T> {
        let every = self.options.lease / 3;
        let mut due = interval_at(Instant::now() + every, every);
        let mut work = pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = due.tick() => {
                    let tx = self.store.begin().await?;
                    match attempts::renew(&tx, id, fence, self.lease_end()).await {
                        Ok(()) => tx.commit().await?,
                        // It is over; the transaction that follows says what that means.
                        Err(StoreError::Stale { .. }) => {}
                        Err(err) => return Err(err.into()),
                    }
                }
            }
        }
    }

    /// What an attempt's end is to its job: a pause, which happens as often as it must, or one more attempt.
    async fn end_of_attempt(
        &self,
        tx: &Tx,
        attempt: &Attempt,
        job: &JobState,
        finish: &Finish,
    ) -> ServiceResult<AttemptEnd> {
        let detail = finish.detail.clone();
        // A rented machine is gone with its disk, and another may be too small as well: those attempts are counted,
        // since each of them costs money.
        if finish.outcome == Outcome::Lost && finish.disk_fault && job.rental.is_none() {
            let n_before = attempts::n_ended_alike(tx, attempt, NO_ROOM).await?;
            let told = reports::reason(detail);
            tracing::warn!(attempt.id = %attempt.id, detail = told, "a job waits for room on its machine's disk");
            return Ok(AttemptEnd::again(
                Outcome::Lost,
                format!("{NO_ROOM}: it goes on from its newest checkpoint when there is room ({told})"),
                room_pause(n_before),
            ));
        }
        if finish.outcome != Outcome::Stopped || job.phase != Phase::Running || job.requested.is_some() {
            return Ok(AttemptEnd::new(finish.outcome, detail));
        }
        let is_told = attempt.detail.as_deref() == Some(PAUSED)
            || (self.disk.is_short() && self.copies_here(&attempt.provider) > 0);
        if is_told {
            return Ok(AttemptEnd::again(Outcome::Stopped, PAUSED, Duration::ZERO));
        }
        tracing::warn!(attempt.id = %attempt.id, "the agent stopped a job that nobody told it to stop");
        let detail = detail.unwrap_or_else(|| "the agent stopped without being told to".to_owned());
        Ok(AttemptEnd::new(Outcome::Stopped, detail))
    }

    async fn finish_job(
        &self,
        tx: &Tx,
        attempt: &Attempt,
        job: &JobState,
        finish: Finish,
    ) -> ServiceResult<()> {
        let end = self.end_of_attempt(tx, attempt, job, &finish).await?;
        if finish.outcome != Outcome::Completed || job.phase == Phase::Cancelling {
            end_job_attempt(self, tx, attempt, end).await?;
            return Ok(());
        }
        let Some(result) = finish.result else {
            return Err(ServiceError::field(
                "result",
                "must be given when the outcome is `completed`",
            ));
        };
        create_version(tx, attempt, job, &result).await?;
        // The file is kept and shown with its verdict either way, but the job succeeds only if the file passed.
        let unsound = unsound(&result.verdict);
        end_job_attempt(self, tx, attempt, AttemptEnd { unsound, ..end }).await?;
        Ok(())
    }
}

/// The wait after an attempt that ended because of a full disk; `n_before` earlier attempts began at the same step
/// and ended in the same way.
fn room_pause(n_before: u64) -> Duration {
    (FIRST_ROOM_PAUSE * (1_u32 << n_before.min(10))).min(LAST_ROOM_PAUSE)
}

async fn create_version(
    tx: &Tx,
    attempt: &Attempt,
    job: &JobState,
    result: &TrainResult,
) -> ServiceResult<()> {
    let file = stored(tx, attempt, "result.artifact_id", result.artifact_id).await?;
    if !matches!(file.kind, ArtifactKind::Lora { .. }) {
        return Err(ServiceError::field(
            "result.artifact_id",
            "must be a file of kind `lora`",
        ));
    }
    for (field, picture) in [("result.before", result.before), ("result.after", result.after)] {
        if let Some(picture) = picture {
            stored(tx, attempt, field, picture).await?;
        }
    }
    let version = NewVersion {
        job,
        file: &file,
        n_steps: result.n_steps,
        verdict: &result.verdict,
        metadata: &result.metadata,
        before: result.before,
        after: result.after,
        // What cannot be drawn with was not judged, whatever its agent says.
        judgement: result.judgement.as_ref().filter(|_| is_whole(&result.verdict)),
    };
    let model_version_id = models::create_version(tx, version).await?;
    let created = Event::ModelVersionCreated { model_version_id };
    let new = NewEvent::of_attempt(store::now(), attempt.id, created);
    events::append(tx, job.id, vec![new]).await?;
    Ok(())
}

/// Whether the file itself is sound, whatever it does to pictures.
fn is_whole(verdict: &Verdict) -> bool {
    let is_of_result = |name: &str| RESULT_CHECKS.contains(&name);
    verdict
        .checks
        .iter()
        .all(|check| check.passed || is_of_result(&check.name))
}

/// Why the file is not a working LoRA. A validation loss that did not fall is not a reason: such a file works, and
/// its owner decides.
fn unsound(verdict: &Verdict) -> Option<String> {
    let failed: Vec<String> = verdict
        .checks
        .iter()
        .filter(|check| !check.passed && check.name != VALIDATION_CHECK)
        .map(|check| format!("{}: {}", check.name, check.detail))
        .collect();
    (!failed.is_empty()).then(|| format!("the trained file did not pass its checks: {}", failed.join("; ")))
}

#[cfg(test)]
mod tests;
