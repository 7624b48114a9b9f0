//! The client against the simulated provider, over HTTP: what it says, and each way in which it fails.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::{collections::BTreeMap, time::Duration};

use protocol::MicroUsd;
use rental::{
    CallError, CallFault, CreateError, CreateFault, Key, NextStep, TerminateAck,
    providers::runpod::{Candidate, Client, Cloud, Options, PodSpec, PodStatus, Stock, Wish, candidates},
};
use sim::runpod::{self, Death, Fault, KEY, Quota, Reads, Reply, Route, RunPod, What};

/// Short, so that a hanging answer does not hold a test up; long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(2);

async fn simulator() -> RunPod {
    RunPod::start(runpod::Options::stepped()).await.unwrap()
}

fn client_with(sim: &RunPod, key: &str) -> Client {
    Client::new(Options {
        timeout: PATIENCE,
        create_timeout: PATIENCE,
        ..Options::new(sim.url().parse().unwrap(), Key::new(key))
    })
    .unwrap()
}

fn client(sim: &RunPod) -> Client {
    client_with(sim, KEY)
}

fn spec(name: &str) -> PodSpec {
    PodSpec {
        name: name.to_owned(),
        image: "morpheus/worker:1".to_owned(),
        args: String::new(),
        disk_gb: 20,
        env: BTreeMap::from([("MORPHEUS_TOKEN".to_owned(), "secret".to_owned())]),
        gpu: "NVIDIA GeForce RTX 4090".to_owned(),
        gpu_count: 1,
        min_cuda_version: None,
        cloud: Cloud::Secure,
        data_center: None,
    }
}

async fn refused(fault: What) -> CreateError {
    let sim = simulator().await;
    sim.fault(Fault::once(fault));
    let err = client(&sim).create(&spec("a")).await.unwrap_err();
    assert_eq!(sim.living(), [""; 0], "{err}");
    // The fault is over, and the same request is fine.
    if !matches!(err.fault, CreateFault::RateLimited { .. }) {
        client(&sim).create(&spec("b")).await.unwrap();
    }
    err
}

fn fault<T>(outcome: Result<T, CallError>) -> CallFault {
    let Err(err) = outcome else { panic!("no fault") };
    assert!(err.to_string().starts_with("RunPod "), "{err}");
    err.fault
}

fn answer(route: Route, status: u16) -> What {
    What::Answer {
        route,
        status,
        retry_after_s: None,
    }
}

#[tokio::test]
async fn a_pod_lives_is_charged_and_ends() {
    let sim = simulator().await;
    let client = client(&sim);
    let pod = client.create(&spec("one")).await.unwrap();
    assert_eq!(
        (pod.status, pod.rate),
        (PodStatus::Provisioning, MicroUsd(640_000))
    );
    sim.step(Duration::from_secs(60));
    let pod = client.get_pod(&pod.id).await.unwrap().unwrap();
    assert_eq!((pod.status, pod.name.as_str()), (PodStatus::Running, "one"));
    assert!(pod.started_at > pod.created_at);
    let listing = client.list_pods().await.unwrap();
    assert_eq!(listing.pods, std::slice::from_ref(&pod));
    assert_eq!(listing.at.unwrap().timestamp(), sim.now().timestamp());

    sim.step(Duration::from_secs(3_540));
    assert_eq!(client.delete_pod(&pod.id).await.unwrap(), TerminateAck::Accepted);
    assert_eq!(client.get_pod(&pod.id).await.unwrap(), None);
    assert_eq!(client.delete_pod(&pod.id).await.unwrap(), TerminateAck::NotFound);
    // An hour of the GPU, and of 20 GB of disk at $0.10 for a month of 730 hours.
    let bills = async |only| client.bills(pod.created_at.unwrap(), only).await.unwrap();
    let bill = bills(Some(&pod.id)).await;
    assert_eq!(bill.len(), 1);
    assert_eq!(bill[0].total, MicroUsd(640_000 + 2_740));
    assert_eq!(bill[0].total, sim.bill());
    assert_eq!(bills(None).await, bill);
    assert_eq!(bills(Some("x")).await, []);
    sim.step(Duration::from_secs(3_600));
    assert_eq!(bills(Some(&pod.id)).await[0].total, sim.bill());
}

#[tokio::test]
async fn each_refusal_of_a_creation_says_what_to_do() {
    let next = async |what| refused(what).await.next_step();
    assert_eq!(
        next(What::NoCapacity { gpu: None }).await,
        NextStep::NextCandidate
    );
    assert_eq!(next(answer(Route::Create, 402)).await, NextStep::StopAccount);
    assert_eq!(next(answer(Route::Create, 403)).await, NextStep::NextCandidate);
    assert_eq!(next(answer(Route::Create, 401)).await, NextStep::StopAccount);
    assert_eq!(next(answer(Route::Create, 422)).await, NextStep::Fail);
    assert_eq!(next(answer(Route::Create, 400)).await, NextStep::Fail);
    let limited = What::Answer {
        route: Route::Create,
        status: 429,
        retry_after_s: Some(12),
    };
    assert_eq!(next(limited).await, NextStep::Wait(Duration::from_secs(12)));
    // A 500 may come after the pod, so it counts as if it had.
    assert_eq!(next(answer(Route::Create, 500)).await, NextStep::Resolve);
    let hang = What::Silence {
        route: Route::Create,
        reply: Reply::Hang,
    };
    assert_eq!(next(hang).await, NextStep::Resolve);
}

#[tokio::test]
async fn a_pod_whose_creation_was_not_confirmed_is_found_by_its_name() {
    for reply in [Reply::Status500, Reply::Hang, Reply::Reset] {
        let sim = simulator().await;
        let client = client(&sim);
        sim.fault(Fault::once(What::CreateLost { reply }));
        let err = client.create(&spec("lost")).await.unwrap_err();
        assert!(
            matches!(err.fault, CreateFault::Ambiguous(_)),
            "{reply:?}: {err:?}"
        );
        let pods = client.list_pods().await.unwrap().pods;
        assert_eq!(pods.len(), 1, "{reply:?}");
        assert_eq!(pods[0].name, "lost");
    }
}

#[tokio::test]
async fn what_cannot_be_reached_was_not_sent() {
    let sim = simulator().await;
    let client = client(&sim);
    drop(sim);
    wait_until_refused(&client).await;
}

async fn wait_until_refused(client: &Client) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        match client.create(&spec("nowhere")).await {
            Err(CreateError {
                fault: CreateFault::NotSent(_),
                ..
            }) => return,
            other => assert!(tokio::time::Instant::now() < deadline, "{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_read_waits_as_long_as_it_is_told_and_a_creation_is_told_at_once() {
    let sim = simulator().await;
    let client = client(&sim);
    let limited = |route, seconds| {
        Fault::once(What::Answer {
            route,
            status: 429,
            retry_after_s: Some(seconds),
        })
    };
    sim.fault(limited(Route::List, 1));
    let start = std::time::Instant::now();
    assert_eq!(client.list_pods().await.unwrap().pods, []);
    assert!(start.elapsed() >= Duration::from_secs(1));

    sim.fault(limited(Route::Create, 600));
    for _ in 0..2 {
        let err = client.create(&spec("a")).await.unwrap_err();
        let CreateFault::RateLimited { retry_after } = err.fault else {
            panic!("{err:?}")
        };
        assert!(retry_after > Duration::from_secs(590) && retry_after <= Duration::from_secs(600));
    }
    // Nothing else is sent either, and nobody waits for ten minutes without knowing.
    assert!(matches!(
        fault(client.list_pods().await),
        CallFault::RateLimited { .. }
    ));
    assert_eq!(sim.living(), [""; 0]);
}

#[tokio::test]
async fn the_provider_s_own_limits_are_understood() {
    let sim = RunPod::start(runpod::Options {
        quota: Some(Quota {
            minute: 3,
            ..Quota::default()
        }),
        ..runpod::Options::stepped()
    })
    .await
    .unwrap();
    let client = client(&sim);
    for _ in 0..3 {
        client.list_pods().await.unwrap();
    }
    let err = client.create(&spec("a")).await.unwrap_err();
    assert_eq!(err.next_step(), NextStep::Wait(Duration::from_secs(20)));
}

#[tokio::test]
async fn a_young_pod_may_be_missing_and_an_old_one_too() {
    let sim = simulator().await;
    let client = client(&sim);
    sim.fault(Fault::always(What::Lag {
        reads: Reads::Both,
        seconds: 120,
    }));
    let pod = client.create(&spec("young")).await.unwrap();
    assert_eq!(client.get_pod(&pod.id).await.unwrap(), None);
    assert_eq!(client.list_pods().await.unwrap().pods, []);
    // An order to end it is not understood either, and proves nothing.
    assert_eq!(client.delete_pod(&pod.id).await.unwrap(), TerminateAck::NotFound);
    sim.step(Duration::from_secs(120));
    assert_eq!(client.list_pods().await.unwrap().pods.len(), 1);

    sim.fault(Fault::always(What::Omit {
        reads: Reads::List,
        seconds: 30,
    }));
    assert_eq!(client.list_pods().await.unwrap().pods, []);
    assert!(client.get_pod(&pod.id).await.unwrap().is_some());
    sim.step(Duration::from_secs(30));
    assert_eq!(client.list_pods().await.unwrap().pods.len(), 1);
}

#[tokio::test]
async fn a_list_is_complete_or_an_error() {
    let sim = simulator().await;
    let client = client(&sim);
    sim.fault(Fault::once(answer(Route::List, 502)));
    assert!(matches!(
        fault(client.list_pods().await),
        CallFault::Unclear { .. }
    ));
    let reset = |route| {
        Fault::once(What::Silence {
            route,
            reply: Reply::Reset,
        })
    };
    sim.fault(reset(Route::List));
    assert!(matches!(
        fault(client.list_pods().await),
        CallFault::Unclear { .. }
    ));
    sim.fault(Fault::once(answer(Route::Delete, 503)));
    assert!(matches!(
        fault(client.delete_pod("x").await),
        CallFault::Unclear { .. }
    ));
    sim.fault(Fault::once(answer(Route::Catalogue, 500)));
    assert!(matches!(fault(client.offers(1).await), CallFault::Unclear { .. }));
    sim.fault(Fault::once(answer(Route::Billing, 500)));
    assert!(matches!(
        fault(client.bills(sim.now(), None).await),
        CallFault::Unclear { .. }
    ));
    sim.fault(Fault::once(answer(Route::Get, 409)));
    assert!(matches!(fault(client.get_pod("x").await), CallFault::Conflict(_)));
}

#[tokio::test]
async fn pods_die_cost_more_or_never_start() {
    let sim = simulator().await;
    let client = client(&sim);
    let dies = |how| What::Dies { after_s: 90, how };
    for (name, what) in [
        ("vanishes", dies(Death::Vanishes)),
        ("error", dies(Death::Error)),
        ("exits", dies(Death::Exited)),
        ("stuck", What::StuckProvisioning),
        ("dear", What::Price { percent: 150 }),
        (
            "dearer",
            What::PriceChange {
                after_s: 90,
                percent: 200,
            },
        ),
        ("loops", What::ContainerExits { after_s: 1 }),
    ] {
        sim.fault(Fault::once(what).named(name));
        let pod = client.create(&spec(name)).await.unwrap();
        let expected = if name == "dear" { 960_000 } else { 640_000 };
        assert_eq!(pod.rate, MicroUsd(expected), "{name}");
    }
    sim.step(Duration::from_secs(100));
    let seen: BTreeMap<String, (PodStatus, i64)> = client
        .list_pods()
        .await
        .unwrap()
        .pods
        .into_iter()
        .map(|pod| (pod.name, (pod.status, pod.rate.0)))
        .collect();
    let expected = BTreeMap::from(
        [
            ("error", (PodStatus::Error, 0)),
            ("exits", (PodStatus::Exited, 0)),
            ("stuck", (PodStatus::Provisioning, 640_000)),
            ("dear", (PodStatus::Running, 960_000)),
            ("dearer", (PodStatus::Running, 1_280_000)),
            ("loops", (PodStatus::Running, 640_000)),
        ]
        .map(|(name, seen)| (name.to_owned(), seen)),
    );
    assert_eq!(seen, expected);
    // Started after 35 seconds, ended after one more, and 17 later again: at 35, 53, 71 and 89.
    assert_eq!(sim.container_starts("loops"), 4);
    assert_eq!(sim.container_starts("stuck"), 0);
}

#[tokio::test]
async fn a_confirmed_deletion_may_take_its_time() {
    let sim = simulator().await;
    let client = client(&sim);
    sim.fault(Fault::once(What::DeleteIgnored { seconds: Some(180) }));
    let pod = client.create(&spec("tough")).await.unwrap();
    for _ in 0..3 {
        assert_eq!(client.delete_pod(&pod.id).await.unwrap(), TerminateAck::Accepted);
        assert!(client.get_pod(&pod.id).await.unwrap().is_some());
        sim.step(Duration::from_secs(59));
    }
    sim.step(Duration::from_secs(3));
    assert_eq!(client.get_pod(&pod.id).await.unwrap(), None);
}

#[tokio::test]
async fn keys_open_only_their_own_doors() {
    let sim = simulator().await;
    let pod = client(&sim).create(&spec("self")).await.unwrap();
    let other = client(&sim).create(&spec("other")).await.unwrap();
    let wrong = client_with(&sim, "rpa_wrong");
    assert!(matches!(
        fault(wrong.list_pods().await),
        CallFault::Unauthorized(_)
    ));

    let env = sim.environment("self").unwrap();
    assert_eq!(env["RUNPOD_POD_ID"], pod.id);
    let own = client_with(&sim, &env["RUNPOD_API_KEY"]);
    assert!(matches!(fault(own.list_pods().await), CallFault::Forbidden(_)));
    assert!(matches!(
        fault(own.delete_pod(&other.id).await),
        CallFault::Forbidden(_)
    ));
    assert!(own.get_pod(&pod.id).await.unwrap().is_some());
    assert_eq!(own.delete_pod(&pod.id).await.unwrap(), TerminateAck::Accepted);
    assert_eq!(own.get_pod(&pod.id).await.unwrap(), None);
    assert_eq!(sim.living(), ["other"]);
}

#[tokio::test]
async fn keys_and_environments_are_not_printed() {
    let sim = simulator().await;
    let client = client(&sim);
    let printed = format!("{client:?} {:?}", spec("a"));
    assert!(
        !printed.contains(KEY) && !printed.contains("\"secret\""),
        "{printed}"
    );
    sim.fault(Fault::once(answer(Route::List, 500)));
    let err = client.list_pods().await.unwrap_err();
    assert!(!format!("{err:?}").contains(KEY));
}

#[tokio::test]
async fn the_catalogue_gives_candidates_that_can_be_had() {
    let sim = simulator().await;
    let client = client(&sim);
    let offers = client.offers(4).await.unwrap();
    let wish = Wish {
        min_memory_gb: 48,
        gpu_count: 4,
        most_per_hour: Some(MicroUsd(6_000_000)),
        ..Wish::default()
    };
    let found = candidates(&offers, &wish);
    let Candidate {
        gpu,
        cloud,
        data_center,
        rate,
        stock,
        ..
    } = found[0].clone();
    assert_eq!(
        (gpu.as_str(), rate, stock),
        ("NVIDIA L40S", MicroUsd(3_160_000), Stock::Medium)
    );
    // The first place is full after three such machines, and says so; the next candidate has room.
    let wanted = |data_center| PodSpec {
        gpu: gpu.clone(),
        gpu_count: 4,
        cloud,
        data_center,
        ..spec("big")
    };
    for _ in 0..3 {
        let pod = client.create(&wanted(data_center.clone())).await.unwrap();
        assert_eq!(pod.rate, rate);
    }
    let err = client.create(&wanted(data_center)).await.unwrap_err();
    assert_eq!(err.next_step(), NextStep::NextCandidate);
    client
        .create(&wanted(found[1].data_center.clone()))
        .await
        .unwrap();
}

#[tokio::test]
async fn an_account_without_money_rents_nothing_and_loses_what_it_has() {
    let sim = RunPod::start(runpod::Options {
        accounts: vec![(KEY.to_owned(), MicroUsd(1_000_000))],
        ..runpod::Options::stepped()
    })
    .await
    .unwrap();
    let client = client(&sim);
    client.create(&spec("first")).await.unwrap();
    let err = client.create(&spec("second")).await.unwrap_err();
    assert!(matches!(err.fault, CreateFault::NoFunds(_)), "{err:?}");
    sim.step(Duration::from_secs(2 * 3_600));
    assert_eq!(sim.living(), [""; 0]);
    // The provider looks at its accounts every five minutes, so a little more than there was is gone.
    assert!(sim.bill() > MicroUsd(1_000_000) && sim.bill() < MicroUsd(1_060_000));
}

#[tokio::test]
async fn logs_are_read_and_go_on_where_they_were_left() {
    let sim = simulator().await;
    let client = client(&sim);
    let pod = client.create(&spec("talks")).await.unwrap();
    sim.step(Duration::from_secs(60));
    let mut logs = client.logs(&pod.id, None).await.unwrap();
    let first = logs.next().await.unwrap().unwrap();
    assert_eq!(
        (first.source.as_str(), first.text.as_str()),
        ("system", "create container morpheus/worker:1")
    );
    let second = logs.next().await.unwrap().unwrap();
    assert_eq!(second.text, "image is ready");
    let mut again = client.logs(&pod.id, Some(&second.id)).await.unwrap();
    assert_eq!(again.next().await.unwrap().unwrap().text, "start container");
    // What comes later is seen by both, and the log ends with the pod.
    logs.next().await.unwrap();
    client.delete_pod(&pod.id).await.unwrap();
    assert_eq!(logs.next().await.unwrap(), None);
    assert_eq!(again.next().await.unwrap(), None);
}
