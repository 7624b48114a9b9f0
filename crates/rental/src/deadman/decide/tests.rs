//! Each rule with made-up clocks, and what holds for all of them.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use protocol::{MicroUsd, spend::RentalTerms};

use super::{Contact, Deadman, Decision, Progress, Reason, Start};
use crate::deadman::{Environment, Moment, Scale};

const HOUR: i64 = 3_600;
/// $3.60 in an hour are a tenth of a cent in a second.
const RATE: MicroUsd = MicroUsd(3_600_000);

/// A machine that was started at second 0, with a clock that may be wrong.
struct Machine {
    deadman: Deadman,
    /// By how much its clock is ahead.
    ahead_s: i64,
}

fn real_start() -> DateTime<Utc> {
    DateTime::from_timestamp_secs(1_800_000_000).unwrap()
}

/// An hour to live, ten minutes to start, five to leave, and money for two hours.
fn environment() -> Environment {
    Environment {
        deadline: real_start() + TimeDelta::seconds(HOUR),
        boot_grace: Duration::from_secs(600),
        stop: Duration::from_secs(300),
        rate: RATE,
        budget: MicroUsd(2 * RATE.0),
        scale: Scale::REAL,
    }
}

/// Terms that forbid nothing yet.
fn terms() -> RentalTerms {
    RentalTerms {
        seconds_to_deadline: 3_600,
        stop_seconds: 300,
        rate_micro_usd: RATE,
        budget_left_micro_usd: MicroUsd(100 * RATE.0),
    }
}

impl Machine {
    fn new(environment: Environment) -> Self {
        Self::restarted(environment, 0, 0)
    }

    fn restarted(environment: Environment, n_restarts: u32, ran_before_s: u64) -> Self {
        Self::with_clock(environment, 0, n_restarts, ran_before_s)
    }

    fn with_clock(environment: Environment, ahead_s: i64, n_restarts: u32, ran_before_s: u64) -> Self {
        let start = Start {
            at: moment(0.0, ahead_s),
            ran_before: Duration::from_secs(ran_before_s),
            n_restarts,
        };
        Self {
            deadman: Deadman::new(environment, start),
            ahead_s,
        }
    }

    fn heard(&mut self, asked_s: f64, lease_seconds: u32, terms: Option<RentalTerms>) {
        self.deadman.heard(Contact {
            asked: moment(asked_s, self.ahead_s),
            lease_seconds,
            terms,
        });
    }

    fn at(&mut self, seconds: f64) -> Decision {
        self.deadman.decide(moment(seconds, self.ahead_s))
    }

    /// If it were asked just before `seconds`, it would decide something else than at `seconds`.
    #[track_caller]
    fn would_change_at(&self, seconds: f64, to: Decision) {
        let decide = |seconds| self.deadman.clone().decide(moment(seconds, self.ahead_s));
        if seconds > 0.0 {
            assert_ne!(decide(seconds - 0.01), to, "before {seconds}");
        }
        assert_eq!(decide(seconds), to, "at {seconds}");
    }
}

fn moment(seconds: f64, ahead_s: i64) -> Moment {
    let since = Duration::from_secs_f64(seconds);
    Moment {
        monotonic: Duration::from_secs(1_000) + since,
        wall: real_start() + TimeDelta::from_std(since).unwrap() + TimeDelta::seconds(ahead_s),
    }
}

#[test]
fn a_machine_that_reaches_nobody_ends_after_the_boot_grace() {
    let mut machine = Machine::new(environment());
    assert_eq!(machine.at(0.0), Decision::Run);
    machine.would_change_at(600.0, Decision::Terminate(Reason::NoContact));
}

#[test]
fn after_a_contact_the_lease_counts_from_before_the_request() {
    let mut machine = Machine::new(environment());
    machine.heard(100.0, 60, Some(terms()));
    assert_eq!(machine.at(150.0), Decision::Run);
    machine.heard(140.0, 60, Some(terms()));
    machine.would_change_at(200.0, Decision::Leave(Reason::LeaseOver));
}

#[test]
fn an_answer_that_was_overtaken_renews_nothing() {
    let mut machine = Machine::new(environment());
    machine.heard(140.0, 60, None);
    machine.heard(100.0, 1_000, None);
    machine.would_change_at(200.0, Decision::Leave(Reason::LeaseOver));
}

#[test]
fn leaving_takes_at_most_the_stop_time_and_is_not_taken_back() {
    let mut machine = Machine::new(environment());
    machine.heard(0.0, 60, Some(terms()));
    assert_eq!(machine.at(70.0), Decision::Leave(Reason::LeaseOver));
    // The server is back, and gives more time to leave: too late.
    let longer = RentalTerms {
        stop_seconds: 3_000,
        ..terms()
    };
    machine.heard(80.0, 3_600, Some(longer));
    assert_eq!(machine.at(90.0), Decision::Leave(Reason::LeaseOver));
    machine.would_change_at(370.0, Decision::Terminate(Reason::LeaseOver));
    machine.heard(371.0, 3_600, Some(terms()));
    assert_eq!(machine.at(372.0), Decision::Terminate(Reason::LeaseOver));
}

#[test]
fn the_time_that_is_left_to_leave_is_never_more_than_until_the_deadline() {
    let mut machine = Machine::new(environment());
    machine.heard(0.0, 60, Some(terms()));
    machine.at(70.0);
    assert_eq!(
        machine.deadman.time_to_leave(moment(100.0, 0)),
        Duration::from_secs(270)
    );
    let near = RentalTerms {
        seconds_to_deadline: 50,
        ..terms()
    };
    machine.heard(100.0, 60, Some(near));
    assert_eq!(
        machine.deadman.time_to_leave(moment(110.0, 0)),
        Duration::from_secs(40)
    );
}

#[test]
fn the_servers_deadline_counts_from_before_the_request() {
    let near = RentalTerms {
        seconds_to_deadline: 1_000,
        ..terms()
    };
    let mut machine = Machine::new(environment());
    machine.heard(100.0, 3_600, Some(near));
    machine.would_change_at(800.0, Decision::Leave(Reason::Deadline));
    machine.would_change_at(1_100.0, Decision::Terminate(Reason::Deadline));
}

#[test]
fn the_environments_budget_holds_whatever_the_server_says() {
    let far = RentalTerms {
        seconds_to_deadline: 1_000_000,
        ..terms()
    };
    let mut machine = Machine::new(environment());
    machine.heard(0.0, 1_000_000, Some(far));
    machine.would_change_at(6_900.0, Decision::Leave(Reason::Budget));
    machine.would_change_at(7_200.0, Decision::Terminate(Reason::Budget));
}

#[test]
fn a_clock_that_is_an_hour_ahead_ends_a_machine_that_reached_nobody_early() {
    let machine = Machine::with_clock(environment(), HOUR, 0, 0);
    machine.would_change_at(0.0, Decision::Leave(Reason::Deadline));
    // Five minutes of it are forgiven.
    machine.would_change_at(300.0, Decision::Terminate(Reason::Deadline));
}

#[test]
fn a_wrong_clock_is_put_right_by_the_first_contact() {
    for ahead_s in [-HOUR, HOUR] {
        let mut machine = Machine::with_clock(environment(), ahead_s, 0, 0);
        machine.heard(1.0, 1_000_000, Some(terms()));
        assert_eq!(machine.at(2.0), Decision::Run, "{ahead_s}");
        machine.would_change_at(3_301.0, Decision::Leave(Reason::Deadline));
        machine.would_change_at(3_601.0, Decision::Terminate(Reason::Deadline));
    }
}

#[test]
fn a_clock_that_is_an_hour_behind_leaves_the_boot_grace_and_the_lease() {
    let mut machine = Machine::with_clock(environment(), -HOUR, 0, 0);
    machine.would_change_at(600.0, Decision::Terminate(Reason::NoContact));
    let mut contact = Contact {
        asked: moment(10.0, -HOUR),
        lease_seconds: 60,
        terms: Some(terms()),
    };
    machine.deadman.heard(contact);
    machine.would_change_at(70.0, Decision::Leave(Reason::LeaseOver));
    contact.lease_seconds = 1_000_000;
    machine.deadman.heard(contact);
    machine.would_change_at(3_310.0, Decision::Leave(Reason::Deadline));
}

#[test]
fn a_machine_that_was_started_again_knows_the_deadline_by_its_clock() {
    let environment = Environment {
        deadline: real_start() - TimeDelta::seconds(301),
        ..environment()
    };
    assert_eq!(
        Machine::restarted(environment, 1, 0).at(0.0),
        Decision::Terminate(Reason::Deadline)
    );
}

#[test]
fn its_own_reckoning_of_the_cost_ends_it() {
    let budget = |n_seconds: i64| MicroUsd(RATE.0 / HOUR * n_seconds);
    let far = Environment {
        deadline: real_start() + TimeDelta::days(9),
        boot_grace: Duration::from_secs(1_000_000),
        budget: budget(1_000),
        ..environment()
    };
    let machine = Machine::new(far);
    machine.would_change_at(700.0, Decision::Leave(Reason::Budget));
    machine.would_change_at(1_000.0, Decision::Terminate(Reason::Budget));

    let restarted = Machine::restarted(far, 1, 400);
    restarted.would_change_at(300.0, Decision::Leave(Reason::Budget));
    restarted.would_change_at(600.0, Decision::Terminate(Reason::Budget));

    // What the server says is left counts from before it was asked, at its price.
    let twice_as_dear = RentalTerms {
        seconds_to_deadline: 1_000_000,
        rate_micro_usd: MicroUsd(2 * RATE.0),
        budget_left_micro_usd: budget(2_000),
        ..terms()
    };
    let mut machine = Machine::new(Environment {
        budget: MicroUsd(i64::MAX),
        ..far
    });
    machine.heard(500.0, 1_000_000, Some(twice_as_dear));
    machine.would_change_at(1_200.0, Decision::Leave(Reason::Budget));
    machine.would_change_at(1_500.0, Decision::Terminate(Reason::Budget));
}

#[test]
fn the_fourth_restart_is_the_last() {
    for (n_restarts, decision) in [(3, Decision::Run), (4, Decision::Terminate(Reason::Restarts))] {
        assert_eq!(Machine::restarted(environment(), n_restarts, 0).at(0.0), decision);
    }
}

#[test]
fn at_a_faster_provider_every_time_is_shorter_by_the_same_factor() {
    let fast = Environment {
        scale: Scale::new(60).unwrap(),
        // Its calendar is not ours.
        deadline: real_start() - TimeDelta::days(100),
        ..environment()
    };
    Machine::new(fast).would_change_at(10.0, Decision::Terminate(Reason::NoContact));

    let mut machine = Machine::new(fast);
    machine.heard(1.0, 60, Some(terms()));
    machine.would_change_at(2.0, Decision::Leave(Reason::LeaseOver));
    machine.heard(1.0, 1_000_000, Some(terms()));
    machine.would_change_at(56.0, Decision::Leave(Reason::Deadline));
    assert_eq!(
        machine.deadman.time_to_leave(moment(56.0, 0)),
        Duration::from_secs(5)
    );
    machine.would_change_at(61.0, Decision::Terminate(Reason::Deadline));
}

#[test]
fn training_that_stands_still_is_left() {
    let mut machine = Machine::new(environment());
    machine.heard(0.0, 1_000_000, None);
    let progressed = |machine: &mut Machine, seconds, what| {
        machine.deadman.progressed(moment(seconds, 0).monotonic, what);
    };
    // A base model may take long to load.
    progressed(&mut machine, 0.0, Progress::Other);
    machine.would_change_at(1_800.0, Decision::Leave(Reason::Stall));
    for step in 0..10 {
        progressed(&mut machine, f64::from(step), Progress::Step);
    }
    machine.would_change_at(9.0 + 480.0, Decision::Leave(Reason::Stall));
    // Steps of 50 seconds make 20 of them the limit.
    for step in 0..100 {
        progressed(&mut machine, 10.0 + 50.0 * f64::from(step), Progress::Step);
    }
    let last = 10.0 + 50.0 * 99.0;
    let mut late = Machine::new(Environment {
        deadline: real_start() + TimeDelta::days(9),
        budget: MicroUsd(i64::MAX),
        ..environment()
    });
    late.heard(0.0, 1_000_000, None);
    late.deadman.work = machine.deadman.work;
    assert_eq!(late.at(last + 900.0), Decision::Run);
    assert_eq!(late.at(last + 1_000.1), Decision::Leave(Reason::Stall));
}

#[test]
fn judging_a_file_may_take_as_long_as_it_takes() {
    let mut machine = Machine::new(environment());
    machine.heard(0.0, 1_000_000, None);
    for (seconds, what) in [
        (0.0, Progress::Step),
        (1.0, Progress::Step),
        (2.0, Progress::Finalizing),
        (3.0, Progress::Other),
    ] {
        machine.deadman.progressed(moment(seconds, 0).monotonic, what);
    }
    assert_eq!(machine.at(3_200.0), Decision::Run);
}
