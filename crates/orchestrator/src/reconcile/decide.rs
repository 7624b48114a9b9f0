//! What to do about one attempt of a job: a pure decision based on what was read.

use std::time::Duration;

use protocol::phase::{AttemptPhase, Phase};
use store::{attempts::Attempt, jobs::JobState};

use crate::providers::Instance;

/// What was read, for how long it has been unchanged, and the relevant time limits.
#[derive(Debug, Clone)]
pub(crate) struct View<'a> {
    pub(crate) job: &'a JobState,
    pub(crate) attempt: &'a Attempt,
    /// This server opened the attempt, and so it can see the instance.
    pub(crate) is_ours: bool,
    /// The living instance that carries the attempt's id.
    pub(crate) instance: Option<&'a Instance>,
    /// Time since the lease was last renewed.
    pub(crate) unrenewed_for: Duration,
    /// Time since the attempt was opened or its instance started.
    pub(crate) started_for: Duration,
    /// Time since its owner asked for its end.
    pub(crate) requested_for: Duration,
    pub(crate) lease: Duration,
    pub(crate) boot_timeout: Duration,
    pub(crate) patience: Duration,
}

/// The next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// All is as it should be.
    Wait,
    /// Start an instance.
    Launch,
    /// Record the instance that was found.
    Record,
    /// End the attempt: nothing was started, and nothing will be.
    Withdraw,
    /// End the attempt: its agent never called.
    NeverStarted(&'static str),
    /// End the attempt: its agent is gone.
    Lost(&'static str),
    /// End the attempt: its agent does not follow the order to cancel.
    ForceCancel,
}

pub(crate) fn decide(view: &View<'_>) -> Action {
    if !view.is_ours {
        return decide_for_another(view);
    }
    let attempt = view.attempt;
    let was_claimed = attempt.claimed_at.is_some();
    if matches!(view.job.phase, Phase::Stopping | Phase::Cancelling) {
        if !was_claimed {
            return Action::Withdraw;
        }
        if view.job.phase == Phase::Cancelling && view.requested_for > view.patience {
            return Action::ForceCancel;
        }
    }
    match (attempt.phase, view.instance) {
        (AttemptPhase::Gone, _) => Action::Wait,
        (AttemptPhase::Intent, None) => Action::Launch,
        (AttemptPhase::Intent, Some(_)) => Action::Record,
        (AttemptPhase::Booting, None) => Action::NeverStarted("the agent exited before it connected"),
        (AttemptPhase::Booting, Some(_)) if view.started_for > view.boot_timeout => {
            Action::NeverStarted("the agent did not connect in time")
        }
        (AttemptPhase::Booting, Some(_)) => Action::Wait,
        (AttemptPhase::Running, None) => Action::Lost("the agent exited without a report"),
        (AttemptPhase::Running, Some(_)) if view.unrenewed_for > view.lease => {
            Action::Lost("the agent sent no heartbeat before its lease expired")
        }
        (AttemptPhase::Running, Some(_)) if attempt.instance.is_none() => Action::Record,
        (AttemptPhase::Running, Some(_)) => Action::Wait,
    }
}

/// The attempt belongs to another server, which knows more as long as it is running. Only a silence so long that it
/// would have ended the attempt itself shows that it is not.
fn decide_for_another(view: &View<'_>) -> Action {
    match view.attempt.phase {
        AttemptPhase::Intent | AttemptPhase::Booting if view.started_for > view.boot_timeout + view.lease => {
            Action::NeverStarted("the server that started its agent has stopped")
        }
        AttemptPhase::Running if view.unrenewed_for > 2 * view.lease => {
            Action::Lost("neither its agent nor the server that started it responds any more")
        }
        AttemptPhase::Intent | AttemptPhase::Booting | AttemptPhase::Running | AttemptPhase::Gone => {
            Action::Wait
        }
    }
}
