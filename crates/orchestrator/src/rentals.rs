//! Rented machines: calculations of times and money. No IO; the time is an argument, by the provider's clock.
//!
//! A machine is ordered only when its worst case fits into every budget:
//!
//! ```text
//! ordered                                                  deadline      + kill
//! |-- create --|-- boot --|-- run ------------|-- stop ---|-- kill --|
//! |<------------------- reserved = rate cap x this ------------------>|
//! ```
//!
//! Whatever happens to it, one of three ends it by its deadline and `kill`: its own agent, this server, or
//! `morpheus reap`. So as long as an hour costs no more than the rate cap, it cannot cost more than was reserved. When
//! an hour costs more, more is reserved, or the deadline comes earlier.

mod clock;
pub(crate) mod estimate;

#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use protocol::{MicroUsd, spend::RentalTerms};
use rental::Landlord;
use store::spend::Instance;
use uuid::Uuid;

pub use self::clock::{Clock, Elapsed};
use crate::{time::time_delta, watches::Watches};

/// How long things may take, by the provider's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// Until an order is answered.
    pub create: Duration,
    /// From there until the agent calls.
    pub boot: Duration,
    /// No machine is ordered for less work than this.
    pub least_run: Duration,
    /// For the last checkpoint and its upload.
    pub stop: Duration,
    /// From the deadline until the machine has been terminated.
    pub kill: Duration,
    /// An agent that never reached the server ends its machine after this.
    pub boot_grace: Duration,
    /// An agent that cannot renew its lease for this long ends its machine.
    pub lease: Duration,
    /// How long a machine whose order was not answered is searched for.
    pub unresolved: Duration,
    /// How long a machine that was not found keeps part of its reservation, in case it appears or is billed.
    pub quarantine: Duration,
    /// A machine that was not listed for this long is gone.
    pub missing: Duration,
    /// Age at which a machine of ours without a row is terminated.
    pub stray: Duration,
    /// A bill that has not changed for this long is final.
    pub bill: Duration,
    /// Interval of the passes,
    pub tick: Duration,
    /// and their interval while a machine is being ordered or terminated.
    pub busy_tick: Duration,
}

impl Default for Times {
    fn default() -> Self {
        const MINUTE: u64 = 60;
        let minutes = |n: u64| Duration::from_secs(n * MINUTE);
        Self {
            create: minutes(1),
            boot: minutes(20),
            least_run: minutes(10),
            stop: minutes(5),
            kill: minutes(6),
            boot_grace: minutes(10),
            lease: minutes(10),
            unresolved: minutes(5),
            quarantine: minutes(150),
            missing: minutes(1),
            stray: minutes(10),
            bill: minutes(120),
            tick: Duration::from_secs(30),
            busy_tick: Duration::from_secs(5),
        }
    }
}

impl Times {
    /// From the order to the deadline, with this much work.
    fn until_deadline(&self, run: Duration) -> Duration {
        self.create + self.boot + run + self.stop
    }

    /// The shortest time that must be affordable to order a machine. One minute is added, since deadlines are whole
    /// minutes.
    pub(crate) fn least(&self, rate_cap: MicroUsd) -> MicroUsd {
        let longest = self.until_deadline(self.least_run) + self.kill + Duration::from_secs(60);
        cost(rate_cap, time_delta(longest))
    }

    /// What a machine that has not been found by `now` can have cost, including the time until its agent gives up.
    pub(crate) fn quarantined(&self, instance: &Instance, now: DateTime<Utc>) -> MicroUsd {
        let until_now = (now - instance.ordered_at).max(TimeDelta::zero());
        let from_now = time_delta(self.create + self.boot_grace + self.stop + self.kill);
        cost(instance.rate_cap, until_now + from_now).min(instance.reserved)
    }
}

/// Who rents machines out, and how.
#[derive(Debug, Clone)]
pub struct RentalOptions {
    /// Who.
    pub landlord: Arc<dyn Landlord>,
    /// Where agents reach the server.
    pub server_url: String,
    /// Whether agents communicate with the server through the bucket, since they cannot reach it.
    pub has_mailbox: bool,
    /// See [`Times`].
    pub times: Times,
    /// How many times as fast as ours the provider's clock runs; a simulated one's may.
    pub time_scale: u32,
    /// Counts the time between two of the provider's answers; if absent, this machine's monotonic clock does.
    pub elapsed: Option<Elapsed>,
}

impl RentalOptions {
    /// The usual times.
    pub fn new(landlord: Arc<dyn Landlord>, server_url: impl Into<String>) -> Self {
        Self {
            landlord,
            server_url: server_url.into(),
            has_mailbox: false,
            times: Times::default(),
            time_scale: 1,
            elapsed: None,
        }
    }
}

/// A landlord, with what this process knows of it.
#[derive(Debug)]
pub(crate) struct Rental {
    pub(crate) landlord: Arc<dyn Landlord>,
    pub(crate) server_url: String,
    pub(crate) has_mailbox: bool,
    pub(crate) times: Times,
    pub(crate) time_scale: u32,
    pub(crate) clock: Clock,
    pub(crate) watches: Watches,
    pub(crate) health: std::sync::Mutex<Health>,
    /// When bills were last asked for, by machine.
    pub(crate) bills_read: std::sync::Mutex<HashMap<Uuid, DateTime<Utc>>>,
}

/// What was last seen of a landlord.
#[derive(Debug, Clone, Default)]
pub(crate) struct Health {
    pub(crate) seen_at: Option<DateTime<Utc>>,
    pub(crate) n_foreign: u32,
    pub(crate) foreign_rate: MicroUsd,
    /// Ids of all machines ever seen that are not ours.
    pub(crate) foreign: HashSet<String>,
}

impl Rental {
    pub(crate) fn new(options: RentalOptions) -> Self {
        let elapsed = options
            .elapsed
            .unwrap_or_else(|| Elapsed::steady(options.time_scale));
        Self {
            landlord: options.landlord,
            server_url: options.server_url,
            has_mailbox: options.has_mailbox,
            times: options.times,
            time_scale: options.time_scale,
            clock: Clock::new(elapsed),
            watches: Watches::default(),
            health: std::sync::Mutex::default(),
            bills_read: std::sync::Mutex::default(),
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.landlord.kind().name()
    }

    /// What people call it.
    pub(crate) fn title(&self) -> &'static str {
        self.landlord.kind().title()
    }
}

/// A reservation that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) reserved: MicroUsd,
    pub(crate) deadline_at: DateTime<Utc>,
}

/// The longest time for which a machine can be paid with the remaining money, but no longer than the work needs;
/// `None` if that is too short.
pub(crate) fn plan(
    times: &Times,
    rate_cap: MicroUsd,
    run: Duration,
    left: Option<MicroUsd>,
    now: DateTime<Utc>,
) -> Option<Plan> {
    let kill = time_delta(times.kill);
    let wanted = time_delta(times.until_deadline(run.max(times.least_run)));
    let affordable = left.map_or(TimeDelta::MAX, |left| time_for(rate_cap, left) - kill);
    let deadline_at = whole_minutes(now.checked_add_signed(wanted.min(affordable))?);
    // Required times are rounded up, so that the work fits; affordable times must not be.
    let deadline_at = match deadline_at + TimeDelta::minutes(1) {
        later if wanted < affordable && later - now <= affordable => later,
        _ => deadline_at,
    };
    if deadline_at - now < time_delta(times.until_deadline(times.least_run)) {
        return None;
    }
    Some(Plan {
        reserved: cost(rate_cap, deadline_at - now + kill),
        deadline_at,
    })
}

/// What a time costs, rounded up; the largest possible amount on overflow.
pub(crate) fn cost(rate: MicroUsd, time: TimeDelta) -> MicroUsd {
    let time = time.to_std().unwrap_or(Duration::ZERO);
    rate.checked_cost(time).unwrap_or(MicroUsd(i64::MAX))
}

/// How long an amount lasts, rounded down to milliseconds.
fn time_for(rate: MicroUsd, amount: MicroUsd) -> TimeDelta {
    if rate <= MicroUsd::ZERO {
        return TimeDelta::MAX;
    }
    let ms = i128::from(amount.0.max(0)) * 3_600_000 / i128::from(rate.0);
    i64::try_from(ms)
        .ok()
        .and_then(TimeDelta::try_milliseconds)
        .unwrap_or(TimeDelta::MAX)
}

fn whole_minutes(time: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(time.timestamp().div_euclid(60) * 60, 0).unwrap_or(time)
}

/// What a machine has cost by `now`: each stretch at the higher of the rates at its ends.
pub(crate) fn accrued(instance: &Instance, rate: MicroUsd, now: DateTime<Utc>) -> MicroUsd {
    let stretch = (now - instance.accrued_until).max(TimeDelta::zero());
    instance.accrued + cost(instance.rate.max(rate), stretch)
}

/// How long a machine may still live before it must be ended: by its deadline, and by its money.
pub(crate) fn time_left(times: &Times, instance: &Instance, now: DateTime<Utc>) -> TimeDelta {
    let spent = accrued(instance, instance.rate, now);
    let money = time_for(instance.rate, instance.reserved - spent) - time_delta(times.kill);
    (instance.deadline_at - now).min(money)
}

/// The limits for its agent.
pub(crate) fn terms(times: &Times, instance: &Instance, now: DateTime<Utc>) -> RentalTerms {
    let left = time_left(times, instance, now).max(TimeDelta::zero());
    let spent = accrued(instance, instance.rate, now) + cost(instance.rate, time_delta(times.kill));
    RentalTerms {
        seconds_to_deadline: u32::try_from(left.num_seconds()).unwrap_or(u32::MAX),
        stop_seconds: u32::try_from(times.stop.as_secs()).unwrap_or(u32::MAX),
        rate_micro_usd: instance.rate,
        budget_left_micro_usd: (instance.reserved - spent).max(MicroUsd::ZERO),
    }
}

/// What must be added to a reservation so that a machine that became dearer can live until its deadline.
pub(crate) fn missing_money(times: &Times, instance: &Instance, now: DateTime<Utc>) -> MicroUsd {
    let worst = accrued(instance, instance.rate, now)
        + cost(
            instance.rate,
            (instance.deadline_at - now).max(TimeDelta::zero()) + time_delta(times.kill),
        );
    (worst - instance.reserved).max(MicroUsd::ZERO)
}
