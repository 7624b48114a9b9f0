//! What to do about one attempt of a job: a pure decision over what was read.

use chrono::{DateTime, TimeDelta, Utc};
use protocol::phase::{AttemptPhase, Phase};
use store::{attempts::Attempt, jobs::JobState};

use crate::providers::Instance;

/// What was read, and the times that matter.
#[derive(Debug, Clone)]
pub(crate) struct View<'a> {
    pub(crate) job: &'a JobState,
    pub(crate) attempt: &'a Attempt,
    /// The living instance that carries the attempt's id.
    pub(crate) instance: Option<&'a Instance>,
    pub(crate) now: DateTime<Utc>,
    /// Before this, nobody could renew a lease here.
    pub(crate) serving_since: DateTime<Utc>,
    pub(crate) lease: TimeDelta,
    pub(crate) boot_timeout: TimeDelta,
    pub(crate) patience: TimeDelta,
}

/// The next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// All is as it should be.
    Wait,
    /// Start an instance.
    Launch,
    /// Write down the instance that was found.
    Record,
    /// End the attempt: nothing was begun, and nothing shall be.
    Withdraw,
    /// End the attempt: its agent never called.
    NeverStarted(&'static str),
    /// End the attempt: its agent is gone.
    Lost(&'static str),
    /// End the attempt: its agent does not follow the order to cancel.
    ForceCancel,
}

pub(crate) fn decide(view: &View<'_>) -> Action {
    let (attempt, now) = (view.attempt, view.now);
    let was_claimed = attempt.claimed_at.is_some();
    if matches!(view.job.phase, Phase::Stopping | Phase::Cancelling) {
        if !was_claimed {
            return Action::Withdraw;
        }
        let asked = view.job.requested_at;
        if view.job.phase == Phase::Cancelling && asked.is_some_and(|asked| now > asked + view.patience) {
            return Action::ForceCancel;
        }
    }
    match (attempt.phase, view.instance) {
        (AttemptPhase::Gone, _) => Action::Wait,
        (AttemptPhase::Intent, None) => Action::Launch,
        (AttemptPhase::Intent, Some(_)) => Action::Record,
        (AttemptPhase::Booting, None) => Action::NeverStarted("the agent ended before it called"),
        (AttemptPhase::Booting, Some(_)) => {
            let since = attempt
                .launched_at
                .unwrap_or(attempt.created_at)
                .max(view.serving_since);
            if now > since + view.boot_timeout {
                Action::NeverStarted("the agent did not call in time")
            } else {
                Action::Wait
            }
        }
        (AttemptPhase::Running, None) => Action::Lost("the agent ended without a word"),
        (AttemptPhase::Running, Some(_)) if lease_ran_out(view) => {
            Action::Lost("the agent did not call before its lease ended")
        }
        (AttemptPhase::Running, Some(_)) if attempt.instance.is_none() => Action::Record,
        (AttemptPhase::Running, Some(_)) => Action::Wait,
    }
}

/// A lease that ended while no server was there to renew it gets its whole length anew.
fn lease_ran_out(view: &View<'_>) -> bool {
    let until = view.attempt.lease_until.unwrap_or(view.attempt.created_at);
    view.now > until.max(view.serving_since + view.lease)
}
