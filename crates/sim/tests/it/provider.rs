//! What the simulated provider refuses, charges and lets happen.

use std::time::Duration;

use expect_test::expect;
use reqwest::Method;
use serde_json::{Value, json};
use sim::runpod::{Fault, Options, Pace, Reads, RunPod, What};

use crate::http::{call, create, pod, simulator};

async fn refusal(body: Value) -> String {
    let sim = simulator().await;
    let answer = call(&sim, Method::POST, "/v2/pods", Some(body)).await;
    assert_eq!(sim.living(), [""; 0]);
    let errors = answer.body["errors"].as_array().cloned().unwrap_or_default();
    let errors: Vec<&str> = errors.iter().map(|error| error.as_str().unwrap()).collect();
    format!(
        "{} {}\n{}",
        answer.status.as_u16(),
        answer.body["detail"].as_str().unwrap(),
        errors.join("\n")
    )
}

#[tokio::test]
async fn what_the_contract_does_not_name_is_refused_field_by_field() {
    expect![[r#"
        422 Request validation failed.
        $: missing property 'name'
        $: missing property 'image'
        $.cloud: value must be one of 'SECURE', 'COMMUNITY'
        $.disk: minimum: got 0, want 1
        $.env.A: got number, want string
        $.gpu: missing property 'id'
        $.gpu.count: got string, want integer
        $.gpu: additional properties 'type' not allowed
        $: additional properties 'interruptible' not allowed
        $.mounts.network: maxItems: got 2, want 1"#]]
    .assert_eq(
        &refusal(json!({
            "cloud": "ALL", "disk": 0, "env": {"A": 1}, "gpu": {"count": "1", "type": "x"}, "interruptible": true,
            "mounts": {"network": [{"volumeId": "a", "path": "/"}, {"volumeId": "b", "path": "/"}]},
        }))
        .await,
    );
}

#[tokio::test]
async fn fields_that_do_not_go_together_are_refused() {
    let with = |change: &dyn Fn(&mut Value)| {
        let mut body = pod("a");
        change(&mut body);
        body
    };
    let both_mounts = with(&|body| {
        body["mounts"] = json!({
            "persistent": {"size": 10, "path": "/a"}, "network": [{"volumeId": "x", "path": "/b"}],
        });
    });
    assert!(
        refusal(both_mounts)
            .await
            .starts_with("400 mounts.persistent and mounts.network")
    );
    let both_cuda = with(&|body| {
        body["gpu"]["allowedCudaVersions"] = json!(["12.8"]);
        body["gpu"]["minCudaVersion"] = json!("12.1");
    });
    assert!(
        refusal(both_cuda)
            .await
            .starts_with("400 gpu.allowedCudaVersions")
    );
    let both_kinds = with(&|body| body["cpu"] = json!({"id": "cpu3c", "vcpuCount": 2}));
    assert!(
        refusal(both_kinds)
            .await
            .starts_with("400 exactly one of gpu or cpu")
    );
    let no_count = with(&|body| body["gpu"] = json!({"id": crate::http::GPU}));
    assert!(
        refusal(no_count)
            .await
            .starts_with("400 There are no longer any instances available")
    );
    let too_new = with(&|body| body["gpu"]["minCudaVersion"] = json!("12.11"));
    assert!(
        refusal(too_new)
            .await
            .starts_with("400 There are no longer any instances available")
    );
    let nowhere = with(&|body| body["dataCenterIds"] = json!(["MOON-1"]));
    assert!(
        refusal(nowhere)
            .await
            .starts_with("400 There are no longer any instances available")
    );
    let template = with(&|body| body["templateId"] = json!("abc"));
    assert!(refusal(template).await.starts_with("404"));
}

#[tokio::test]
async fn who_does_not_say_who_it_is_is_turned_away() {
    let sim = simulator().await;
    let response = reqwest::get(format!("{}/v2/pods", sim.url())).await.unwrap();
    assert_eq!(response.status(), 403);
}

#[tokio::test]
async fn charging_begins_with_the_creation_and_goes_on_through_restarts() {
    let sim = simulator().await;
    sim.fault(Fault::once(What::StuckProvisioning).named("stuck"));
    sim.fault(Fault::once(What::ContainerExits { after_s: 1 }).named("loops"));
    let stuck = create(&sim, pod("stuck")).await;
    let loops = create(&sim, pod("loops")).await;
    sim.step(Duration::from_secs(3_600));
    assert_eq!(sim.pod_bill(&stuck), sim.pod_bill(&loops));
    assert!(sim.container_starts("loops") > 190);
    // A stopped pod's GPUs cost nothing, and it holds none.
    let stop = json!({"action": "stop"});
    call(
        &sim,
        Method::POST,
        &format!("/v2/pods/{loops}/action"),
        Some(stop),
    )
    .await;
    let before = sim.pod_bill(&loops);
    sim.step(Duration::from_secs(3_600));
    assert_eq!(sim.pod_bill(&loops), before);
}

#[tokio::test]
async fn faults_are_set_from_outside_and_wrong_ones_are_explained() {
    let sim = simulator().await;
    let path = "/__sim/faults";
    let fault = json!({"what": {"kind": "no_capacity"}, "times": 1});
    assert_eq!(call(&sim, Method::POST, path, Some(fault)).await.status, 204);
    let set = call(&sim, Method::GET, path, None).await.body;
    assert_eq!(set["faults"][0]["what"]["kind"], "no_capacity");
    assert_eq!(
        call(&sim, Method::POST, "/v2/pods", Some(pod("a"))).await.status,
        400
    );
    create(&sim, pod("a")).await;
    let wrong = call(
        &sim,
        Method::POST,
        path,
        Some(json!({"what": {"kind": "meteor"}})),
    )
    .await;
    assert_eq!(wrong.status, 422);
    assert!(
        wrong.body["errors"][0].as_str().unwrap().contains("meteor"),
        "{}",
        wrong.body
    );
    sim.fault(Fault::always(What::Lag {
        reads: Reads::Both,
        seconds: 900,
    }));
    assert_eq!(
        call(&sim, Method::GET, "/v2/pods", None).await.body["pods"],
        json!([])
    );
    // Its own page for tests hides nothing.
    assert_eq!(
        call(&sim, Method::GET, "/__sim/state", None).await.body["pods"][0]["name"],
        "a"
    );
    call(&sim, Method::DELETE, path, None).await;
    let stepped = call(&sim, Method::POST, "/__sim/clock", Some(json!({"step_s": 3_600}))).await;
    assert_eq!(stepped.status, 200);
    assert!(sim.bill().0 > 640_000);
}

#[tokio::test]
async fn a_share_of_the_cases_is_that_share() {
    let sim = RunPod::start(Options {
        seed: 7,
        ..Options::stepped()
    })
    .await
    .unwrap();
    sim.fault(Fault::always(What::NoCapacity { gpu: None }).percent(50));
    let mut n_created = 0;
    for _ in 0..40 {
        let answer = call(&sim, Method::POST, "/v2/pods", Some(pod("a"))).await;
        if answer.status == 201 {
            n_created += 1;
            let path = format!("/v2/pods/{}", answer.body["id"].as_str().unwrap());
            call(&sim, Method::DELETE, &path, None).await;
        }
    }
    assert!((8..=32).contains(&n_created), "{n_created}");
}

#[tokio::test]
async fn a_scaled_clock_runs_ahead() {
    let sim = RunPod::start(Options {
        pace: Pace::Scaled(3_600),
        ..Options::default()
    })
    .await
    .unwrap();
    let id = create(&sim, pod("quick")).await;
    wait_until_running(&sim, &id).await;
}

async fn wait_until_running(sim: &RunPod, id: &str) {
    let start = std::time::Instant::now();
    while call(sim, Method::GET, &format!("/v2/pods/{id}"), None).await.body["status"] != "RUNNING" {
        assert!(start.elapsed() < Duration::from_secs(30), "it does not start");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[test]
fn paces_are_read() {
    assert_eq!("scaled:60".parse(), Ok(Pace::Scaled(60)));
    assert_eq!("stepped".parse(), Ok(Pace::Stepped));
    assert!("scaled:0".parse::<Pace>().is_err() && "fast".parse::<Pace>().is_err());
}

#[tokio::test]
async fn a_wrong_clock_is_given_to_a_pod_or_refused_with_what_is_missing() {
    let sim = simulator().await;
    let fault = json!({"what": {"kind": "clock_skew", "seconds": -3_600}, "times": 1});
    let answer = call(&sim, Method::POST, "/__sim/faults", Some(fault)).await;
    if answer.status == 409 {
        assert!(
            answer.body["detail"].as_str().unwrap().contains("`faketime`"),
            "{}",
            answer.body
        );
        return;
    }
    assert_eq!(answer.status, 204);
    create(&sim, pod("late")).await;
    create(&sim, pod("right")).await;
    let late = sim.environment("late").unwrap();
    assert_eq!(late["FAKETIME"], "-3600s");
    assert!(late["LD_PRELOAD"].contains("libfaketime"));
    assert!(!sim.environment("right").unwrap().contains_key("FAKETIME"));
}
