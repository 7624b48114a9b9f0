//! What a rented machine does next: a pure function of its clocks, the server's responses, and progress.

use std::{fmt, time::Duration};

use chrono::TimeDelta;
use protocol::{MicroUsd, spend::RentalTerms};
use serde::{Deserialize, Serialize};

use super::{Environment, Moment};

/// Tolerance for a clock that is ahead and was not compared yet; less than the reserve for a late termination.
const CLOCK_PAD: TimeDelta = TimeDelta::seconds(300);
/// A container that restarted more often than this makes no progress.
const MOST_RESTARTS: u32 = 3;
/// Training is stalled after no progress for this long, which is modl's limit, and for this many
/// times the duration of a step.
const LEAST_STALL: Duration = Duration::from_secs(8 * 60);
const STALL_STEPS: u32 = 20;
/// Loading a base model over a network shows nothing for long; sd-scripts' own limit of 15 minutes comes first.
const PREPARING_STALL: Duration = Duration::from_secs(30 * 60);
/// Weight of the newest step in the mean duration of steps.
const STEP_WEIGHT: f64 = 0.1;

/// Start of this process, and what happened before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// Now.
    pub at: Moment,
    /// Time since the machine's container was started for the first time, by our clocks.
    pub ran_before: Duration,
    /// Number of restarts.
    pub n_restarts: u32,
}

/// A response of the server to the agent that owns the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Clocks from before the request was sent.
    pub asked: Moment,
    /// How long the lease lasts.
    pub lease_seconds: u32,
    /// The terms; without any, the last terms apply.
    pub terms: Option<RentalTerms>,
}

/// A sign of progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// One optimizer step.
    Step,
    /// Anything else: a stage, a validation loss, an uploaded file.
    Other,
    /// Training is done. Evaluating the file on a CPU shows no progress until it is done.
    Finalizing,
}

/// The decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Continue.
    Run,
    /// Write and upload a checkpoint, then exit; there is enough time.
    Leave(Reason),
    /// Terminate the machine immediately.
    Terminate(Reason),
}

/// The reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The server was not reached while the machine was starting.
    NoContact,
    /// The server has not renewed the lease.
    LeaseOver,
    /// The deadline is reached, or so close that the checkpoint must be written now.
    Deadline,
    /// The same for the budget.
    Budget,
    /// The container restarted too often.
    Restarts,
    /// The work is stalled.
    Stall,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoContact => "the machine could not reach the server in time",
            Self::LeaseOver => "the server did not renew the machine's lease",
            Self::Deadline => "the machine's time was over",
            Self::Budget => "the machine's budget was used up",
            Self::Restarts => "the machine's container was started again too often",
            Self::Stall => "the work on the machine made no progress",
        })
    }
}

/// The switch. Decisions are final: it never goes from [`Decision::Terminate`] to another decision, nor from
/// [`Decision::Leave`] back to [`Decision::Run`].
#[derive(Debug, Clone)]
pub struct Deadman {
    environment: Environment,
    start: Start,
    contact: Option<Contact>,
    terms: Option<Terms>,
    work: Work,
    leaving: Option<Leaving>,
    terminated: Option<Reason>,
}

/// Terms of the server, counted from before it was asked.
#[derive(Debug, Clone, Copy)]
struct Terms {
    asked: Moment,
    terms: RentalTerms,
}

/// Since when, and how long at most.
#[derive(Debug, Clone, Copy)]
struct Leaving {
    at: Duration,
    within: Duration,
    reason: Reason,
}

/// How the work goes.
#[derive(Debug, Clone, Copy, Default)]
struct Work {
    newest: Option<(Duration, Progress)>,
    newest_step: Option<Duration>,
    /// Mean duration, in seconds of the provider's clock.
    step_seconds: Option<f64>,
}

/// Time or money that is left until a limit; below zero when it is passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Plenty,
    /// No more than is kept for leaving.
    Little,
    None,
}

impl Deadman {
    /// A switch for a machine that has just started.
    pub fn new(environment: Environment, start: Start) -> Self {
        Self {
            environment,
            start,
            contact: None,
            terms: None,
            work: Work::default(),
            leaving: None,
            terminated: None,
        }
    }

    /// Handles a response of the server. Responses to older requests change nothing.
    pub fn heard(&mut self, contact: Contact) {
        let asked = contact.asked;
        if self
            .contact
            .is_some_and(|newest| asked.monotonic < newest.asked.monotonic)
        {
            return;
        }
        self.contact = Some(contact);
        if let Some(terms) = contact.terms {
            self.terms = Some(Terms { asked, terms });
        }
    }

    /// Records progress.
    pub fn progressed(&mut self, at: Duration, what: Progress) {
        let work = &mut self.work;
        let is_judged = matches!(work.newest, Some((_, Progress::Finalizing)));
        if what != Progress::Step {
            let what = if is_judged { Progress::Finalizing } else { what };
            work.newest = Some((at, what));
            return;
        }
        work.newest = Some((at, what));
        if let Some(before) = work.newest_step.replace(at) {
            let took = self
                .environment
                .scale
                .provider(at.saturating_sub(before))
                .as_secs_f64();
            let mean = work.step_seconds.unwrap_or(took);
            work.step_seconds = Some(mean + STEP_WEIGHT * (took - mean));
        }
    }

    /// Returns the current decision.
    pub fn decide(&mut self, now: Moment) -> Decision {
        if let Some(reason) = self.terminated {
            return Decision::Terminate(reason);
        }
        let decision = match (self.look(now), self.leaving) {
            (Decision::Terminate(reason), _) => Decision::Terminate(reason),
            (_, Some(leaving)) if self.passed(leaving.at, now) >= leaving.within => {
                Decision::Terminate(leaving.reason)
            }
            (_, Some(leaving)) => Decision::Leave(leaving.reason),
            (decision, None) => decision,
        };
        match decision {
            Decision::Run => {}
            Decision::Leave(reason) => {
                let within = self.stop();
                self.leaving.get_or_insert(Leaving {
                    at: now.monotonic,
                    within,
                    reason,
                });
            }
            Decision::Terminate(reason) => self.terminated = Some(reason),
        }
        decision
    }

    /// How much time is left for leaving, by our clock.
    pub fn time_to_leave(&self, now: Moment) -> Duration {
        if self.terminated.is_some() {
            return Duration::ZERO;
        }
        let within = match self.leaving {
            None => self.stop(),
            Some(leaving) => leaving.within.saturating_sub(self.passed(leaving.at, now)),
        };
        let left = [self.term_left(now), self.clock_left(now)]
            .into_iter()
            .flatten()
            .fold(within, Duration::min);
        self.environment.scale.real(left)
    }

    fn look(&self, now: Moment) -> Decision {
        if self.start.n_restarts > MOST_RESTARTS {
            return Decision::Terminate(Reason::Restarts);
        }
        if self.contact.is_none() && self.passed(self.start.at.monotonic, now) >= self.environment.boot_grace
        {
            return Decision::Terminate(Reason::NoContact);
        }
        let time = [self.term_left(now), self.clock_left(now)]
            .into_iter()
            .flatten()
            .map(|left| self.time(left));
        let time = time.fold(Left::Plenty, Left::least);
        let money = self.money_left(now);
        match (time, money) {
            (Left::None, _) => Decision::Terminate(Reason::Deadline),
            (_, Left::None) => Decision::Terminate(Reason::Budget),
            (Left::Little, _) => Decision::Leave(Reason::Deadline),
            (_, Left::Little) => Decision::Leave(Reason::Budget),
            _ if self.is_lease_over(now) => Decision::Leave(Reason::LeaseOver),
            _ if self.is_stalled(now) => Decision::Leave(Reason::Stall),
            _ => Decision::Run,
        }
    }

    /// Time that has passed at the provider.
    fn passed(&self, since: Duration, now: Moment) -> Duration {
        let real = now.monotonic.saturating_sub(since);
        self.environment.scale.provider(real)
    }

    /// Time that is kept for leaving.
    fn stop(&self) -> Duration {
        self.terms.map_or(self.environment.stop, |newest| {
            Duration::from_secs(newest.terms.stop_seconds.into())
        })
    }

    fn time(&self, left: Duration) -> Left {
        match left {
            Duration::ZERO => Left::None,
            left if left <= self.stop() => Left::Little,
            _ => Left::Plenty,
        }
    }

    /// Until the deadline, as the server has said and as the monotonic clock measures.
    fn term_left(&self, now: Moment) -> Option<Duration> {
        let newest = self.terms?;
        let seconds = Duration::from_secs(newest.terms.seconds_to_deadline.into());
        Some(seconds.saturating_sub(self.passed(newest.asked.monotonic, now)))
    }

    /// Until the deadline, by the machine's wall clock. It holds when the process was started again and has forgotten
    /// how long it runs. The server says how long it is until then and never what time it is, so only before its first
    /// answer does it matter whether the clock is right. A simulated provider that runs faster has a calendar of its
    /// own.
    fn clock_left(&self, now: Moment) -> Option<Duration> {
        if !self.environment.scale.is_real() {
            return None;
        }
        let (from, left) = match self.terms {
            Some(Terms { asked, terms }) => {
                (asked.wall, TimeDelta::seconds(terms.seconds_to_deadline.into()))
            }
            None => (self.environment.deadline, CLOCK_PAD),
        };
        // Not the sum of both, which may be beyond any calendar.
        let left = left - now.wall.signed_duration_since(from);
        Some(left.to_std().unwrap_or_default())
    }

    /// By its own reckoning from its first start on, and by the server's words. The reckoning also bounds how long the
    /// machine can live if the server is wrong about the deadline.
    fn money_left(&self, now: Moment) -> Left {
        let Environment {
            budget, rate, scale, ..
        } = self.environment;
        let before = scale.provider(self.start.ran_before);
        let since = self.passed(self.start.at.monotonic, now);
        let reckoned = self.money(budget, rate, before.saturating_add(since));
        let Some(Terms { asked, terms }) = self.terms else {
            return reckoned;
        };
        let told = self.money(
            terms.budget_left_micro_usd,
            terms.rate_micro_usd,
            self.passed(asked.monotonic, now),
        );
        reckoned.least(told)
    }

    fn money(&self, budget: MicroUsd, rate: MicroUsd, time: Duration) -> Left {
        // More than can be written down is more than any budget.
        let cost = |time| rate.checked_cost(time).unwrap_or(MicroUsd(i64::MAX));
        let spent = cost(time);
        if spent >= budget {
            Left::None
        } else if spent + cost(self.stop()) >= budget {
            Left::Little
        } else {
            Left::Plenty
        }
    }

    fn is_lease_over(&self, now: Moment) -> bool {
        self.contact.is_some_and(|newest| {
            self.passed(newest.asked.monotonic, now) >= Duration::from_secs(newest.lease_seconds.into())
        })
    }

    fn is_stalled(&self, now: Moment) -> bool {
        let Some((at, what)) = self.work.newest else {
            return false;
        };
        let limit = match (what, self.work.step_seconds) {
            (Progress::Finalizing, _) => return false,
            (_, None) => PREPARING_STALL,
            (_, Some(seconds)) => {
                let steps = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
                LEAST_STALL.max(steps.saturating_mul(STALL_STEPS))
            }
        };
        self.passed(at, now) >= limit
    }
}

impl Left {
    fn least(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, _) | (_, Self::None) => Self::None,
            (Self::Little, _) | (_, Self::Little) => Self::Little,
            (Self::Plenty, Self::Plenty) => Self::Plenty,
        }
    }
}

#[cfg(test)]
mod tests;
