//! The only place where a job's phase changes: through the life cycle, with its event, in the caller's transaction.

use std::time::Duration;

use protocol::phase::{Outcome, Phase};
use store::{
    Tx,
    attempts::{self, Attempt},
    jobs::{self, JobState, PhaseChange},
};

use super::reports;
use crate::{
    Orchestrator, ServiceError, ServiceResult,
    lifecycle::{Input, next},
    time::time_delta,
};

/// Moves a job by an input; returns its new phase. An input that leads nowhere new changes nothing.
pub(crate) async fn apply(
    tx: &Tx,
    job: &JobState,
    input: Input,
    reason: Option<String>,
) -> ServiceResult<Phase> {
    let to = next(job.phase, input).map_err(|err| ServiceError::Conflict(err.to_string()))?;
    if to != job.phase {
        let change = PhaseChange {
            reason,
            ..PhaseChange::new(job.phase, to)
        };
        jobs::change_phase(tx, job.id, change).await?;
    }
    Ok(to)
}

/// How an attempt of a job ended.
#[derive(Debug, Clone)]
pub(crate) struct AttemptEnd {
    pub(crate) outcome: Outcome,
    /// What was seen, for a person.
    pub(crate) detail: Option<String>,
    /// Why the job failed although its attempt did all its work.
    pub(crate) unsound: Option<String>,
    /// If set, the attempt does not count against the job, which is queued again after this time.
    pub(crate) again_after: Option<Duration>,
}

impl AttemptEnd {
    pub(crate) fn new(outcome: Outcome, detail: impl Into<Option<String>>) -> Self {
        Self {
            outcome,
            detail: detail.into(),
            unsound: None,
            again_after: None,
        }
    }

    /// See [`AttemptEnd::again_after`].
    pub(crate) fn again(outcome: Outcome, detail: impl Into<String>, after: Duration) -> Self {
        Self {
            again_after: Some(after),
            ..Self::new(outcome, detail.into())
        }
    }
}

/// The longest wait before another attempt.
const MAX_BACKOFF: Duration = Duration::from_secs(60);

/// Ends an attempt and moves its job: to its end, or back to the queue if attempts are left.
pub(crate) async fn end_job_attempt(
    orchestrator: &Orchestrator,
    tx: &Tx,
    attempt: &Attempt,
    end: AttemptEnd,
) -> ServiceResult<Phase> {
    let AttemptEnd {
        outcome,
        detail,
        unsound,
        again_after,
    } = end;
    attempts::end(tx, attempt, outcome, detail.clone()).await?;
    let store::attempts::Subject::Job(job) = attempt.subject else {
        return Err(ServiceError::Conflict(
            "this attempt does not belong to a job".to_owned(),
        ));
    };
    let job = jobs::state(tx, job).await?;
    let (outcome, detail) = match unsound {
        None => (outcome, detail),
        Some(reason) => (Outcome::Failed, Some(reason)),
    };
    let n_fruitless = job.n_fruitless_attempts + 1;
    let input = Input::AttemptEnded {
        outcome,
        attempts_left: match again_after {
            Some(_) => u32::MAX,
            None => orchestrator.attempts_left(job.n_fruitless_attempts),
        },
    };
    let to = next(job.phase, input).map_err(|err| ServiceError::Conflict(err.to_string()))?;
    let mut change = PhaseChange::new(job.phase, to);
    match to {
        Phase::Queued if again_after.is_some() => {
            change.not_before = again_after.map(|pause| store::now() + time_delta(pause));
            change.reason = detail;
        }
        Phase::Queued => {
            change.n_fruitless_attempts = Some(n_fruitless);
            change.not_before = Some(store::now() + time_delta(backoff(n_fruitless)));
            change.reason = Some(retry_reason(outcome, job.checkpoint_step));
        }
        Phase::Failed => {
            change.n_fruitless_attempts = Some(n_fruitless);
            change.reason = Some(failure_reason(outcome, n_fruitless, detail));
        }
        Phase::Stopped if job.checkpoint_step.is_none() => {
            change.reason =
                Some("stopped before its first checkpoint: resuming restarts at step 0".to_owned());
        }
        _ => {}
    }
    jobs::change_phase(tx, job.id, change).await?;
    Ok(to)
}

/// The first retry is immediate: most losses are single accidents.
fn backoff(n_fruitless: u32) -> Duration {
    match n_fruitless {
        0 | 1 => Duration::ZERO,
        n => Duration::from_secs(1 << (n - 2).min(6)).min(MAX_BACKOFF),
    }
}

fn retry_reason(outcome: Outcome, checkpoint_step: Option<u32>) -> String {
    let what = match outcome {
        Outcome::NeverStarted => "the agent never connected",
        Outcome::Lost => "the agent was lost",
        Outcome::Completed | Outcome::Stopped | Outcome::Cancelled | Outcome::Failed => {
            "the agent exited early"
        }
    };
    match checkpoint_step {
        Some(step) => format!("{what}; the next attempt resumes from step {step}"),
        None => format!("{what}; the next attempt starts at step 0"),
    }
}

fn failure_reason(outcome: Outcome, n_fruitless: u32, detail: Option<String>) -> String {
    let detail = reports::reason(detail);
    match outcome {
        Outcome::Failed => detail,
        _ => {
            format!(
                "{n_fruitless} attempts in a row ended without a new checkpoint; the last error: {detail}"
            )
        }
    }
}
