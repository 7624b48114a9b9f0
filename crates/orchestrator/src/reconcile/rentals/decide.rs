//! What to do about one rented machine: a pure decision based on what was read and observed.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use protocol::{
    phase::{AttemptPhase, Outcome, Phase},
    spend::InstancePhase,
};
use rental::Machine;
use store::{attempts::Attempt, spend::Instance};

use super::work::Work;
use crate::{
    rentals::{Times, time_left},
    services::{SILENCE, is_silent},
    time::time_delta,
};

/// Number of checks that must not find a machine before it counts as gone.
const LOOKS: u32 = 3;

/// What was read and seen.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub(super) times: &'a Times,
    /// By the provider's clock.
    pub(super) now: DateTime<Utc>,
    pub(super) instance: &'a Instance,
    /// As the provider lists it.
    pub(super) shown: Option<&'a Machine>,
    pub(super) attempt: &'a Attempt,
    pub(super) work: &'a Work,
    /// Time since the lease was last renewed.
    pub(super) unrenewed_for: Duration,
    /// Time since its owner asked for its end.
    pub(super) requested_for: Duration,
    /// Time since a drawing session was last used.
    pub(super) silent_for: Duration,
}

/// The next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// All is as it should be.
    Wait,
    /// The machine of an order has shown up.
    Adopt,
    /// It was searched for long enough.
    Abandon,
    /// It will not appear any more.
    Forget,
    /// It is there: count its cost.
    Keep,
    /// The list does not have it: ask for it alone.
    LookCloser,
    /// It must be terminated.
    End {
        /// Why, for a person.
        reason: &'static str,
        /// How its attempt ends, if it has not.
        outcome: Outcome,
    },
    /// Its termination was requested, and has to be confirmed.
    EndAgain,
}

pub(super) fn decide(view: &View<'_>) -> Action {
    let View {
        times, now, instance, ..
    } = view;
    match (instance.phase, view.shown) {
        (InstancePhase::Gone, _) => Action::Wait,
        (InstancePhase::Intent | InstancePhase::Unknown | InstancePhase::Abandoned, Some(_)) => Action::Adopt,
        (InstancePhase::Intent | InstancePhase::Unknown, None) => {
            if *now - instance.ordered_at >= time_delta(times.unresolved) {
                Action::Abandon
            } else {
                Action::Wait
            }
        }
        (InstancePhase::Abandoned, None) => match instance.abandoned_at {
            Some(since) if *now - since < time_delta(times.quarantine) => Action::Wait,
            _ => Action::Forget,
        },
        (InstancePhase::Ending, _) => Action::EndAgain,
        (InstancePhase::Live, shown) => match (end(view, shown), shown) {
            (Some((reason, outcome)), _) => Action::End { reason, outcome },
            (None, Some(_)) => Action::Keep,
            (None, None) => Action::LookCloser,
        },
    }
}

/// Why a living machine must go, if it must.
fn end(view: &View<'_>, shown: Option<&Machine>) -> Option<(&'static str, Outcome)> {
    let View {
        times,
        now,
        instance,
        attempt,
        ..
    } = view;
    if attempt.phase == AttemptPhase::Gone {
        return Some(("its attempt is over", Outcome::Lost));
    }
    if time_left(times, instance, *now) <= TimeDelta::zero() {
        return Some(("its time or its money is over", Outcome::Lost));
    }
    if shown.is_some_and(|machine| machine.has_failed) {
        return Some(("the rented machine has failed", Outcome::Lost));
    }
    let was_claimed = attempt.claimed_at.is_some();
    if let Some(end) = end_of_work(view, was_claimed) {
        return Some(end);
    }
    if !was_claimed && *now - instance.ordered_at > time_delta(times.create + times.boot) {
        return Some(("the agent did not connect in time", Outcome::NeverStarted));
    }
    if was_claimed && view.unrenewed_for > times.lease + times.stop {
        return Some((
            "the agent sent no heartbeat before its lease expired",
            Outcome::Lost,
        ));
    }
    None
}

/// Why what it works for does not want a living machine any more.
fn end_of_work(view: &View<'_>, was_claimed: bool) -> Option<(&'static str, Outcome)> {
    let View {
        times, now, instance, ..
    } = view;
    match view.work {
        Work::Job(job) => {
            if matches!(job.phase, Phase::Stopping | Phase::Cancelling) && !was_claimed {
                return Some(("the job was ended before its agent called", Outcome::Cancelled));
            }
            if job.phase == Phase::Cancelling && view.requested_for > times.stop {
                return Some(("the agent did not carry out the cancellation", Outcome::Cancelled));
            }
        }
        Work::Drawing(session, used) => {
            // There is no checkpoint to write: it ends before its agent's own switch would leave.
            let left = time_left(times, instance, *now);
            if left <= time_delta(times.stop) {
                return Some((LIMIT_REACHED, Outcome::Stopped));
            }
            if is_silent(session, *used, view.silent_for) {
                return Some((SILENCE, Outcome::Stopped));
            }
        }
    }
    None
}

/// Why a drawing session ends.
const LIMIT_REACHED: &str = "its limit is reached, or its longest time";

/// Whether a machine that is not listed counts as gone: several checks over some time, since the list may be out of
/// date.
pub(super) fn is_missing(times: &Times, instance: &Instance, now: DateTime<Utc>) -> bool {
    let Some(since) = instance.missing_since else {
        return false;
    };
    instance.n_missing >= LOOKS && now - since >= time_delta(times.missing)
}
