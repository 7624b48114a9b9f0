//! Jobs on rented machines: the real server, the real agent in place of a container, and a simulated provider whose
//! clock runs faster than ours. The server is killed at every step between the order and the bill.

/// A test for each step between the order and the bill, at which `$dies_at` lets the server die.
macro_rules! at_each_failpoint {
    ($dies_at:ident) => {
        at_each_failpoint! {
            $dies_at,
            killed_after_the_intent: "intent committed", None;
            killed_after_the_order: "machine ordered", None;
            killed_after_the_adoption: "machine adopted", None;
            killed_after_a_refusal: "refusal noted", Some(Fault::once(What::NoCapacity { gpu: None }));
            killed_after_the_end_is_written: "end committed", None;
            killed_after_the_end_is_ordered: "end ordered", None;
            killed_after_the_settlement: "gone committed", None;
        }
    };
    ($dies_at:ident, $($name:ident: $place:literal, $fault:expr;)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            $dies_at($place, $fault).await;
        }
    )*};
}

mod drawing;
mod mailbox;

use std::{path::Path, process::Command, time::Duration};

use serde_json::{Value, json};
use sim::runpod::{self, Catalogue, Delays, Fault, KEY, Pace, Program, RunPod, Runner, What};

use crate::{
    api::Api,
    support::{DEADLINE, Server, morpheus},
};

/// A minute of the provider's is a second of ours.
const SCALE: u32 = 60;
const USD: i64 = 1_000_000;
const B200: &str = "NVIDIA B200";

async fn provider() -> RunPod {
    RunPod::start(runpod::Options {
        pace: Pace::Scaled(SCALE),
        catalogue: Catalogue::usual(),
        delays: Delays {
            allocation_s: 20,
            pull_s: 40,
            billing_s: 0,
        },
        quota: None,
        runner: Runner::Process(Program {
            path: env!("CARGO_BIN_EXE_morpheus").into(),
            first_args: Vec::new(),
            inherited: Vec::new(),
            relayed: Vec::new(),
            grace: Duration::from_secs(5),
        }),
        ..runpod::Options::default()
    })
    .await
    .unwrap()
}

fn settings(sim: &RunPod) -> Vec<(&'static str, String)> {
    vec![
        ("MORPHEUS_RUNPOD_KEY", KEY.to_owned()),
        ("MORPHEUS_RUNPOD_URL", sim.url()),
        ("MORPHEUS_RUNPOD_IMAGE", "morpheus/worker:1".to_owned()),
        ("MORPHEUS_RUNPOD_TIME_SCALE", SCALE.to_string()),
        ("MORPHEUS_LOG", "info".to_owned()),
    ]
}

/// Asks for the estimate, and starts what it says.
async fn submit(api: &Api, dataset: &Value, limit: i64, rental: Value, n_steps: u32) -> String {
    let mut request = json!({
        "dataset_id": dataset,
        "base_model": "tiny-xl",
        "name": "zora",
        "trigger_word": "zora",
        "provider": "runpod",
        "limit_micro_usd": limit,
        "rental": rental,
        "parameters": {
            "n_steps": n_steps, "batch_size": 1, "rank": 4,
            "checkpoint_every_n_steps": 50, "sample_every_n_steps": 0,
        },
    });
    let estimate = api.post("/api/v1/jobs/estimate", request.clone()).await;
    assert!(
        estimate["offers"][0]["cost_micro_usd"]["likely"].as_i64() > Some(0),
        "{estimate}"
    );
    request["estimate_hash"] = estimate["hash"].clone();
    let job = api.post("/api/v1/jobs", request).await;
    job["id"].as_str().unwrap().to_owned()
}

/// No machine is left, and what the ledger says is what the provider has charged.
async fn books_are_right(api: &Api, sim: &RunPod, limit: i64) {
    let bill = books_balance(api, sim, limit).await;
    assert!(bill > 0, "{bill}");
}

/// The same; the bill.
async fn books_balance(api: &Api, sim: &RunPod, limit: i64) -> i64 {
    let is_gone = |spend: &Value| {
        let machines = spend["instances"].as_array().unwrap();
        machines.iter().all(|machine| machine["phase"] == "gone")
    };
    wait_while_time_passes(api, sim, is_gone).await;
    assert_eq!(sim.living(), [""; 0]);
    let is_billed = |spend: &Value| {
        let machines = spend["instances"].as_array().unwrap();
        machines
            .iter()
            .all(|machine| machine["billed_micro_usd"].is_i64())
    };
    let spend = wait_while_time_passes(api, sim, is_billed).await;
    let user = spend["budgets"]
        .as_array()
        .unwrap()
        .iter()
        .find(|budget| budget["scope"] == "user");
    let bill = sim.bill().0;
    assert_eq!(user.unwrap()["spent_micro_usd"], bill, "{spend}");
    assert_eq!(user.unwrap()["reserved_micro_usd"], 0, "{spend}");
    assert!(bill <= limit, "{bill} of {limit}");
    bill
}

/// An order that was not answered keeps money for hours, and bills are final when they have not changed for two hours.
async fn wait_while_time_passes(api: &Api, sim: &RunPod, is_right: impl Fn(&Value) -> bool) -> Value {
    let start = std::time::Instant::now();
    loop {
        let spend = api.get("/api/v1/spend").await;
        if is_right(&spend) {
            return spend;
        }
        assert!(start.elapsed() < DEADLINE, "{spend}");
        // What lives costs money.
        if sim.living().is_empty() {
            sim.step(Duration::from_secs(1800));
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_on_a_rented_machine_runs_to_its_end() {
    let (data, sim) = (tempfile::tempdir().unwrap(), provider().await);
    let server = Server::start_with(data.path(), "127.0.0.1:0", &settings(&sim));
    let api = Api::of(&server);
    let dataset = api.upload(4).await;
    let id = submit(&api, &dataset, 20 * USD, json!({}), 30).await;
    let job = api.ended(&id).await;
    assert_eq!(job["phase"], "succeeded", "{job}");
    books_are_right(&api, &sim, 20 * USD).await;
}

/// Acceptance test 3, through the API; the dashboard's is in `dashboard/e2e`.
#[tokio::test(flavor = "multi_thread")]
async fn acceptance_3_a_job_ends_itself_before_its_limit() {
    let (data, sim) = (tempfile::tempdir().unwrap(), provider().await);
    let server = Server::start_with(data.path(), "127.0.0.1:0", &settings(&sim));
    let api = Api::of(&server);
    let dataset = api.upload(4).await;
    let rental = json!({ "gpus": [B200], "n_gpus": 8 });
    let id = submit(&api, &dataset, 50 * USD, rental, 1_000_000).await;
    let job = api.ended(&id).await;
    assert_eq!(job["phase"], "stopped", "{job}");
    assert!(
        job["reason"]
            .as_str()
            .unwrap()
            .contains("limit of $50.00 is reached"),
        "{job}"
    );
    let checkpoint = job["checkpoint_step"].as_u64().unwrap();
    assert!(
        checkpoint > 0 && job["progress"]["step"].as_u64() >= Some(checkpoint),
        "{job}"
    );
    books_are_right(&api, &sim, 50 * USD).await;
    assert!(sim.bill().0 > 30 * USD, "{}", sim.bill());
}

/// The server dies at this step, by itself; started again, it makes everything good.
async fn dies_at(place: &str, fault: Option<Fault>) {
    let (data, sim) = (tempfile::tempdir().unwrap(), provider().await);
    if let Some(fault) = fault {
        sim.fault(fault);
    }
    let mut dying = settings(&sim);
    dying.push(("MORPHEUS_DIE_AT", place.to_owned()));
    let server = Server::start_with(data.path(), "127.0.0.1:0", &dying);
    let api = Api::of(&server);
    let dataset = api.upload(4).await;
    let id = submit(&api, &dataset, 20 * USD, json!({}), 30).await;
    let listen = server.url.authority().to_owned();
    server.wait_until_dead();
    let server = Server::start_with(data.path(), &listen, &settings(&sim));
    let api = api.at(&server);
    let job = api.ended(&id).await;
    assert_eq!(job["phase"], "succeeded", "{place}: {job}");
    books_are_right(&api, &sim, 20 * USD).await;
}

at_each_failpoint!(dies_at);

/// The key and the image belong together, and other mistakes are named.
#[test]
fn settings_that_cannot_work_are_named() {
    let refused = |settings: &[(&str, &str)]| {
        let output = serve(tempfile::tempdir().unwrap().path())
            .envs(settings.iter().copied())
            .output()
            .unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let err = refused(&[("MORPHEUS_RUNPOD_KEY", "rpa_x")]);
    assert!(err.contains("--runpod-image"), "{err}");
    let err = refused(&[("MORPHEUS_RUNPOD_IMAGE", "x")]);
    assert!(err.contains("MORPHEUS_RUNPOD_KEY"), "{err}");
    let err = refused(&[
        ("MORPHEUS_RUNPOD_KEY", "rpa_x"),
        ("MORPHEUS_RUNPOD_IMAGE", "x"),
        ("MORPHEUS_RUNPOD_URL", "nowhere"),
    ]);
    assert!(err.contains("`nowhere`"), "{err}");
}

fn serve(data: &Path) -> Command {
    let mut command = morpheus();
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data);
    command
}

/// Against the simulator, in which a container is a program of ours: what needs a shell is not seen.
#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_rents_one_machine_and_leaves_none() {
    let sim = provider().await;
    let doctor = |args: &[&str]| {
        let mut command = morpheus();
        command
            .args(["doctor", "--json", "runpod"])
            .args(args)
            .envs(settings(&sim));
        tokio::task::block_in_place(|| command.output().unwrap())
    };
    let looked = doctor(&[]);
    let looked: Value = serde_json::from_slice(&looked.stdout).unwrap();
    assert_eq!(looked["ok"], true, "{looked}");
    assert_eq!(sim.bill().0, 0, "it orders nothing");

    let asked = doctor(&["--live"]);
    assert!(
        asked.status.success(),
        "{}",
        String::from_utf8_lossy(&asked.stderr)
    );
    let asked: Value = serde_json::from_slice(&asked.stdout).unwrap();
    let answers = asked["answers"].as_array().unwrap();
    let seen = |part: &str| {
        let answer = answers
            .iter()
            .find(|answer| answer["question"].as_str().unwrap().contains(part));
        answer.unwrap()["seen"].as_str().unwrap()
    };
    assert_eq!(seen("former API"), "410");
    assert!(seen("appear in the list").starts_with("after "), "{asked}");
    assert!(seen("container start").starts_with("after "), "{asked}");
    assert!(seen("billing records").contains("s after the end"), "{asked}");
    assert!(
        seen("terminate itself").starts_with("no, this program terminated it"),
        "{asked}"
    );
    assert_eq!(sim.living(), [""; 0]);
    assert!(sim.bill().0 > 0 && sim.bill().0 < USD, "{}", sim.bill());
}
