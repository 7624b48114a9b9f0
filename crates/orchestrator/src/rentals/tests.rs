//! Reservations and deadlines: their sums are right for every price, limit and time.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use protocol::{
    AttemptId, JobId, MicroUsd, OwnerId,
    spend::{InstancePhase, RentalTerms},
};
use store::spend::{Instance, Payer, Scopes};
use uuid::Uuid;

use super::{Plan, Times, accrued, cost, missing_money, plan, terms, time_left};

const USD: i64 = 1_000_000;

fn noon() -> DateTime<Utc> {
    "2026-11-22T12:00:30Z".parse().unwrap()
}

fn instance(plan: Plan, rate: MicroUsd) -> Instance {
    Instance {
        id: Uuid::now_v7(),
        scopes: Scopes {
            owner: OwnerId::new(),
            project: None,
            month: "2026-11".to_owned(),
        },
        payer: Payer::Job(JobId::new()),
        attempt: AttemptId::new(),
        provider: "somebody".to_owned(),
        name: "mph".to_owned(),
        handle: Some("pod".to_owned()),
        phase: InstancePhase::Live,
        rate,
        rate_cap: rate,
        reserved: plan.reserved,
        accrued: MicroUsd::ZERO,
        ordered_at: noon(),
        deadline_at: plan.deadline_at,
        accrued_until: noon(),
        missing_since: None,
        n_missing: 0,
        abandoned_at: None,
        gone_at: None,
        billed: None,
        bill_seen: None,
    }
}

#[test]
fn an_expensive_machine_gets_the_time_that_its_limit_pays_for() {
    let times = Times::default();
    let limit = MicroUsd(50 * USD);
    let plan = plan(
        &times,
        MicroUsd(50 * USD),
        Duration::from_secs(24 * 3600),
        Some(limit),
        noon(),
    )
    .unwrap();
    // An hour in all, six minutes of which are for its end; deadlines are whole minutes.
    assert_eq!(
        plan.deadline_at,
        "2026-11-22T12:54:00Z".parse::<DateTime<Utc>>().unwrap()
    );
    assert_eq!(plan.reserved, MicroUsd(49_583_334));
}

#[test]
fn no_machine_for_less_than_it_needs_to_start() {
    let times = Times::default();
    let rate = MicroUsd(USD);
    let least = times.least(rate);
    let with = |limit| plan(&times, rate, Duration::ZERO, Some(limit), noon());
    assert!(with(least).is_some());
    assert!(with(MicroUsd(least.0 * 9 / 10)).is_none());
    assert!(with(MicroUsd::ZERO).is_none());
    assert!(with(MicroUsd(-1)).is_none());
}

#[test]
fn a_dearer_machine_must_go_earlier() {
    let times = Times::default();
    let rate = MicroUsd(USD);
    let plan = plan(&times, rate, Duration::from_secs(3 * 3600), None, noon()).unwrap();
    let mut machine = instance(plan, rate);
    let before = time_left(&times, &machine, noon());
    assert_eq!(before, plan.deadline_at - noon());
    machine.rate = MicroUsd(2 * USD);
    let after = time_left(&times, &machine, noon());
    assert!(after < before / 2 + TimeDelta::minutes(1), "{after} of {before}");
    assert_eq!(
        missing_money(&times, &machine, noon()),
        cost(machine.rate, before + TimeDelta::minutes(6)) - machine.reserved
    );
    let RentalTerms {
        seconds_to_deadline, ..
    } = terms(&times, &machine, noon());
    assert_eq!(i64::from(seconds_to_deadline), after.num_seconds());
}

proptest! {
    /// Whoever obeys the deadline and the time for the kill stays within the reservation, which is within the limit.
    #[test]
    fn a_machine_that_is_killed_in_time_costs_no_more_than_was_reserved(
        rate in 1_i64..200 * USD,
        limit in 0_i64..500 * USD,
        run_s in 0_u64..400 * 3600,
        second in 0_i64..3600,
        looks in proptest::collection::vec(1_i64..1000, 0..50),
    ) {
        let times = Times::default();
        let (rate, limit) = (MicroUsd(rate), MicroUsd(limit));
        let now = noon() + TimeDelta::seconds(second);
        let Some(plan) = plan(&times, rate, Duration::from_secs(run_s), Some(limit), now) else {
            prop_assert!(limit < times.least(rate), "refused, though {limit} is enough");
            return Ok(());
        };
        prop_assert!(plan.reserved <= limit);
        prop_assert!(plan.deadline_at.timestamp() % 60 == 0);
        let mut machine = Instance { ordered_at: now, accrued_until: now, ..instance(plan, rate) };
        // However often it is looked at, and at which odd moments: rounding up never adds up to more than a look's worth.
        let n_looks = looks.len();
        let mut at = now;
        for seconds in looks {
            at = (at + TimeDelta::seconds(seconds)).min(plan.deadline_at);
            machine.accrued = accrued(&machine, rate, at);
            machine.accrued_until = at;
        }
        let end = plan.deadline_at + TimeDelta::minutes(6);
        let most = accrued(&machine, rate, end);
        prop_assert!(most <= plan.reserved + MicroUsd(n_looks as i64), "{most} of {}", plan.reserved);
        let left = time_left(&times, &machine, at);
        prop_assert!(left <= plan.deadline_at - at);
    }
}
