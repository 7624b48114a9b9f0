//! The reaper against the simulated provider, whose clock the tests move.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::TimeDelta;
use orchestrator::reap::{Options, Report, round};
use protocol::{JobId, spend::RentalWish};
use rental::{Landlord, MachineName, Order, deployment_mark};
use sim::rented::{Beginning, Fault, Reads, Route, Simulated, Start, What};
use uuid::Uuid;

on_every_provider! {
    what_is_overdue_ends_and_nothing_else_is_touched,
    one_installation_alone_can_be_reaped,
    a_deletion_that_fails_is_tried_again,
    a_confirmed_deletion_is_not_believed_until_the_machine_is_gone,
    a_machine_that_the_list_shows_late_is_ended_by_a_later_look,
    a_list_that_fails_ends_nothing_and_says_so,
}

const OURS: Uuid = Uuid::from_u128(1);
const THEIRS: Uuid = Uuid::from_u128(2);

/// A provider, and an account of which nobody knows more than its key.
struct Cloud {
    sim: Arc<dyn Simulated>,
    account: Arc<dyn Landlord>,
}

impl Cloud {
    async fn new(start: Start) -> Self {
        let sim = start(Beginning::default()).await;
        let account = sim.landlord();
        Self { sim, account }
    }

    async fn order(&self, name: &str) {
        let offers = self.account.offers(&RentalWish::default(), 0).await.unwrap();
        let order = Order {
            name,
            offer: &offers[0],
            env: BTreeMap::new(),
        };
        self.account.order(&order).await.unwrap();
    }

    async fn rent(&self, deployment: Uuid, minutes: i64) -> String {
        let deadline = self.sim.now() + TimeDelta::minutes(minutes);
        let form = self.account.kind().names();
        let name = MachineName::new(form, deployment, JobId::new(), 1, deadline).to_string();
        self.order(&name).await;
        name
    }

    async fn reap(&self, options: &Options) -> Report {
        round(self.account.as_ref(), options).await.unwrap()
    }
}

fn options() -> Options {
    Options {
        patience: Duration::from_secs(1),
        ..Options::default()
    }
}

fn names(machines: &[orchestrator::reap::Machine]) -> Vec<&str> {
    machines.iter().map(|machine| machine.name.as_str()).collect()
}

async fn what_is_overdue_ends_and_nothing_else_is_touched(start: Start) {
    let cloud = Cloud::new(start).await;
    let short = cloud.rent(OURS, 10).await;
    let long = cloud.rent(OURS, 60).await;
    for foreign in ["my-notebook", "mph-looks-like-ours"] {
        cloud.order(foreign).await;
    }
    assert_eq!(cloud.reap(&options()).await.ended, []);
    // Its own time to end itself, and the server's to end it, are respected.
    cloud.sim.step(Duration::from_secs(12 * 60));
    assert_eq!(cloud.reap(&options()).await.ended, []);
    cloud.sim.step(Duration::from_secs(2 * 60));
    let report = cloud.reap(&options()).await;
    assert_eq!(names(&report.ended), [short.as_str()]);
    assert_eq!(names(&report.in_time), [long.as_str()]);
    assert_eq!(report.foreign.len(), 2);
    cloud.sim.step(Duration::from_secs(2 * 3_600));
    cloud.reap(&options()).await;
    let mut living = cloud.sim.living();
    living.sort();
    assert_eq!(living, ["mph-looks-like-ours", "my-notebook"]);
}

async fn one_installation_alone_can_be_reaped(start: Start) {
    let cloud = Cloud::new(start).await;
    cloud.rent(OURS, 1).await;
    let theirs = cloud.rent(THEIRS, 1).await;
    cloud.sim.step(Duration::from_secs(600));
    let ours = Options {
        deployment: Some(deployment_mark(OURS)),
        ..options()
    };
    let report = cloud.reap(&ours).await;
    assert_eq!(report.ended.len(), 1);
    assert_eq!(names(&report.other_deployments), [theirs.as_str()]);
    assert_eq!(cloud.sim.living(), [theirs]);
}

async fn a_deletion_that_fails_is_tried_again(start: Start) {
    let cloud = Cloud::new(start).await;
    cloud.rent(OURS, 1).await;
    cloud.sim.step(Duration::from_secs(600));
    let fails = |route, status| {
        Fault::once(What::Answer {
            route,
            status,
            retry_after_s: None,
        })
    };
    cloud.sim.fault(fails(Route::Delete, 500).times(2));
    cloud.sim.fault(fails(Route::Get, 503));
    let patient = Options {
        patience: Duration::from_secs(60),
        ..options()
    };
    let report = cloud.reap(&patient).await;
    assert_eq!((report.ended.len(), report.left.len()), (1, 0));
    assert_eq!(cloud.sim.living(), [""; 0]);
}

async fn a_confirmed_deletion_is_not_believed_until_the_machine_is_gone(start: Start) {
    let cloud = Cloud::new(start).await;
    let tough = cloud.rent(OURS, 1).await;
    cloud.sim.step(Duration::from_secs(600));
    cloud
        .sim
        .fault(Fault::once(What::DeleteIgnored { seconds: Some(180) }));
    let report = cloud.reap(&options()).await;
    assert_eq!(names(&report.left), [tough.as_str()]);
    // A page that does not show it for a while is no proof either.
    cloud.sim.fault(Fault::always(What::Omit {
        reads: Reads::Get,
        seconds: 60,
    }));
    assert_eq!(names(&cloud.reap(&options()).await.left), [tough.as_str()]);
    cloud.sim.step(Duration::from_secs(180));
    assert_eq!(cloud.sim.living(), [""; 0]);
    assert_eq!(cloud.reap(&options()).await, Report::default());
}

async fn a_machine_that_the_list_shows_late_is_ended_by_a_later_look(start: Start) {
    let cloud = Cloud::new(start).await;
    cloud.sim.fault(Fault::always(What::Lag {
        reads: Reads::Both,
        seconds: 900,
    }));
    cloud.rent(OURS, 1).await;
    cloud.sim.step(Duration::from_secs(600));
    assert_eq!(cloud.reap(&options()).await, Report::default());
    cloud.sim.step(Duration::from_secs(300));
    assert_eq!(cloud.reap(&options()).await.ended.len(), 1);
    assert_eq!(cloud.sim.living(), [""; 0]);
}

async fn a_list_that_fails_ends_nothing_and_says_so(start: Start) {
    let cloud = Cloud::new(start).await;
    cloud.rent(OURS, 1).await;
    cloud.sim.step(Duration::from_secs(600));
    cloud.sim.fault(Fault::once(What::Answer {
        route: Route::List,
        status: 500,
        retry_after_s: None,
    }));
    assert!(round(cloud.account.as_ref(), &options()).await.is_err());
    assert_eq!(cloud.sim.living().len(), 1);
    assert_eq!(cloud.reap(&options()).await.ended.len(), 1);
}
