//! `morpheus reap` against the simulated provider, from a machine with nothing but the key.

use std::{process::Output, time::Duration};

use chrono::TimeDelta;
use protocol::JobId;
use rental::{MachineName, NameForm};
use serde_json::{Value, json};
use sim::runpod::{Fault, KEY, Options, RunPod, What};
use uuid::Uuid;

use crate::support::morpheus;

const OURS: Uuid = Uuid::from_u128(1);

struct Simulator {
    runtime: tokio::runtime::Runtime,
    sim: RunPod,
}

impl Simulator {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        let sim = runtime.block_on(RunPod::start(Options::stepped())).unwrap();
        Self { runtime, sim }
    }

    fn rent(&self, name: &str) {
        let body = json!({"name": name, "image": "a", "gpu": {"id": "NVIDIA L40S", "count": 1}});
        let url = format!("{}/v2/pods", self.sim.url());
        let client = reqwest::Client::builder().user_agent("test").build().unwrap();
        let answer = self
            .runtime
            .block_on(client.post(url).bearer_auth(KEY).json(&body).send())
            .unwrap();
        assert_eq!(answer.status(), 201);
    }

    fn ours(&self, minutes: i64) -> String {
        let deadline = self.sim.now() + TimeDelta::minutes(minutes);
        MachineName::new(NameForm::Long, OURS, JobId::new(), 1, deadline).to_string()
    }

    fn reap(&self, args: &[&str]) -> Output {
        let mut command = morpheus();
        command.args(["reap", "--once", "--json"]).args(args);
        command
            .env("RUNPOD_API_KEY", KEY)
            .env("MORPHEUS_RUNPOD_URL", self.sim.url());
        command.output().unwrap()
    }
}

fn report(output: &Output) -> Value {
    let stdout = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(stdout.trim())
        .unwrap_or_else(|err| panic!("{err}: {stdout}{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn the_overdue_end_and_the_rest_is_named() {
    let simulator = Simulator::start();
    let (short, long) = (simulator.ours(5), simulator.ours(500));
    for name in [&short, &long, "somebody-s-notebook"] {
        simulator.rent(name);
    }
    simulator.sim.step(Duration::from_secs(3_600));
    let other = Uuid::from_u128(2).to_string();
    let output = simulator.reap(&["--deployment", &other]);
    assert!(output.status.success());
    assert_eq!(report(&output)["other_deployments"].as_array().unwrap().len(), 2);

    let output = simulator.reap(&[]);
    assert!(output.status.success());
    let report = report(&output);
    assert_eq!(report["ended"][0]["name"], short.as_str());
    assert_eq!(report["in_time"][0]["name"], long.as_str());
    assert_eq!(report["foreign"][0]["name"], "somebody-s-notebook");
    assert!(!simulator.sim.living().contains(&short));
    assert_eq!(simulator.sim.living().len(), 2);
    let printed = [output.stdout, output.stderr].concat();
    assert!(!String::from_utf8_lossy(&printed).contains(KEY));
}

#[test]
fn a_machine_that_does_not_end_is_an_error() {
    let simulator = Simulator::start();
    let name = simulator.ours(5);
    simulator.rent(&name);
    simulator.sim.step(Duration::from_secs(3_600));
    simulator
        .sim
        .fault(Fault::always(What::DeleteIgnored { seconds: None }));
    let output = simulator.reap(&["--patience", "1"]);
    assert!(!output.status.success());
    assert_eq!(report(&output)["left"][0]["name"], name.as_str());
    assert!(String::from_utf8_lossy(&output.stderr).contains("1 overdue machines still exist"));
}

#[test]
fn without_a_key_it_says_where_one_belongs() {
    let output = morpheus()
        .args(["reap", "--once"])
        .env_remove("RUNPOD_API_KEY")
        .output()
        .unwrap();
    assert!(!output.status.success());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("set MORPHEUS_RUNPOD_KEY or RUNPOD_API_KEY"),
        "{stderr}"
    );
}
