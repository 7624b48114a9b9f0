//! The reaper against the simulated provider, whose clock the tests move.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use orchestrator::{
    providers::{
        machine_name::{MachineName, deployment_mark},
        runpod::Client,
    },
    reap::{Options, Report, round},
};
use protocol::JobId;
use sim::runpod::{Fault, Reads, Route, RunPod, What};
use uuid::Uuid;

use crate::runpod::{client, simulator, spec};

const OURS: Uuid = Uuid::from_u128(1);
const THEIRS: Uuid = Uuid::from_u128(2);

fn name(deployment: Uuid, deadline: DateTime<Utc>) -> String {
    MachineName::new(deployment, JobId::new(), 1, deadline).to_string()
}

async fn rent(sim: &RunPod, client: &Client, deployment: Uuid, minutes: i64) -> String {
    let name = name(deployment, sim.now() + TimeDelta::minutes(minutes));
    client.create(&spec(&name)).await.unwrap();
    name
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

#[tokio::test]
async fn what_is_overdue_ends_and_nothing_else_is_touched() {
    let sim = simulator().await;
    let client = client(&sim);
    let short = rent(&sim, &client, OURS, 10).await;
    let long = rent(&sim, &client, OURS, 60).await;
    for foreign in ["my-notebook", "mph-looks-like-ours"] {
        client.create(&spec(foreign)).await.unwrap();
    }
    assert_eq!(round(&client, &options()).await.unwrap().ended, []);
    // Its own time to end itself, and the server's to end it, are respected.
    sim.step(Duration::from_secs(12 * 60));
    assert_eq!(round(&client, &options()).await.unwrap().ended, []);
    sim.step(Duration::from_secs(2 * 60));
    let report = round(&client, &options()).await.unwrap();
    assert_eq!(names(&report.ended), [short.as_str()]);
    assert_eq!(names(&report.in_time), [long.as_str()]);
    assert_eq!(report.foreign.len(), 2);
    sim.step(Duration::from_secs(2 * 3_600));
    round(&client, &options()).await.unwrap();
    let mut living = sim.living();
    living.sort();
    assert_eq!(living, ["mph-looks-like-ours", "my-notebook"]);
}

#[tokio::test]
async fn one_installation_alone_can_be_reaped() {
    let sim = simulator().await;
    let client = client(&sim);
    rent(&sim, &client, OURS, 1).await;
    let theirs = rent(&sim, &client, THEIRS, 1).await;
    sim.step(Duration::from_secs(600));
    let report = round(
        &client,
        &Options {
            deployment: Some(deployment_mark(OURS)),
            ..options()
        },
    )
    .await
    .unwrap();
    assert_eq!(report.ended.len(), 1);
    assert_eq!(names(&report.other_deployments), [theirs.as_str()]);
    assert_eq!(sim.living(), [theirs]);
}

#[tokio::test]
async fn a_deletion_that_fails_is_tried_again() {
    let sim = simulator().await;
    let client = client(&sim);
    rent(&sim, &client, OURS, 1).await;
    sim.step(Duration::from_secs(600));
    let fails = |route, status| {
        Fault::once(What::Answer {
            route,
            status,
            retry_after_s: None,
        })
    };
    sim.fault(fails(Route::Delete, 500).times(2));
    sim.fault(fails(Route::Get, 503));
    let patient = Options {
        patience: Duration::from_secs(60),
        ..options()
    };
    let report = round(&client, &patient).await.unwrap();
    assert_eq!((report.ended.len(), report.left.len()), (1, 0));
    assert_eq!(sim.living(), [""; 0]);
}

#[tokio::test]
async fn a_confirmed_deletion_is_not_believed_until_the_machine_is_gone() {
    let sim = simulator().await;
    let client = client(&sim);
    let tough = rent(&sim, &client, OURS, 1).await;
    sim.step(Duration::from_secs(600));
    sim.fault(Fault::once(What::DeleteIgnored { seconds: Some(180) }));
    let report = round(&client, &options()).await.unwrap();
    assert_eq!(names(&report.left), [tough.as_str()]);
    // A page that does not show it for a while is no proof either.
    sim.fault(Fault::always(What::Omit {
        reads: Reads::Get,
        seconds: 60,
    }));
    assert_eq!(
        names(&round(&client, &options()).await.unwrap().left),
        [tough.as_str()]
    );
    sim.step(Duration::from_secs(180));
    assert_eq!(sim.living(), [""; 0]);
    assert_eq!(round(&client, &options()).await.unwrap(), Report::default());
}

#[tokio::test]
async fn a_machine_that_the_list_shows_late_is_ended_by_a_later_look() {
    let sim = simulator().await;
    let client = client(&sim);
    sim.fault(Fault::always(What::Lag {
        reads: Reads::Both,
        seconds: 900,
    }));
    rent(&sim, &client, OURS, 1).await;
    sim.step(Duration::from_secs(600));
    assert_eq!(round(&client, &options()).await.unwrap(), Report::default());
    sim.step(Duration::from_secs(300));
    assert_eq!(round(&client, &options()).await.unwrap().ended.len(), 1);
    assert_eq!(sim.living(), [""; 0]);
}

#[tokio::test]
async fn a_list_that_fails_ends_nothing_and_says_so() {
    let sim = simulator().await;
    let client = client(&sim);
    rent(&sim, &client, OURS, 1).await;
    sim.step(Duration::from_secs(600));
    sim.fault(Fault::once(What::Answer {
        route: Route::List,
        status: 500,
        retry_after_s: None,
    }));
    assert!(round(&client, &options()).await.is_err());
    assert_eq!(sim.living().len(), 1);
    assert_eq!(round(&client, &options()).await.unwrap().ended.len(), 1);
}
