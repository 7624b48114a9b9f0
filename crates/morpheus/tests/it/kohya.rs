//! Jobs for the kohya engine through server and agent, with the replay program in place of sd-scripts: what goes well,
//! and every way in which sd-scripts is known to fail.

use serde_json::{Value, json};

use crate::{
    api::Api,
    replay::{SdScripts, bar, parameters, python},
    support::{Server, kill, path, succeed, wait_for},
};

const LOSSES: [f32; 4] = [0.5, 0.25, 0.125, 0.0625];

/// A server whose agents on this machine run the replay program.
struct Stage {
    kohya: SdScripts,
    api: Api,
    server: Server,
    data: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        Self::patient(120)
    }

    /// What is silent for so long is ended.
    fn patient(quiet_seconds: u32) -> Self {
        let (kohya, data) = (SdScripts::new(), tempfile::tempdir().unwrap());
        let settings = [
            ("MORPHEUS_KOHYA_DIR", path(kohya.dir()).to_owned()),
            ("MORPHEUS_KOHYA_PYTHON", path(&python()).to_owned()),
            ("MORPHEUS_KOHYA_PRECISION", "no".to_owned()),
            ("MORPHEUS_KOHYA_QUIET_SECONDS", quiet_seconds.to_string()),
        ];
        let server = Server::start_with(data.path(), "127.0.0.1:0", &settings);
        Self {
            api: Api::of(&server),
            kohya,
            server,
            data,
        }
    }

    fn good_run(&self) -> Value {
        self.kohya.good_run(&LOSSES)
    }

    /// Uploads two pictures and starts a job of four steps; its id.
    async fn start(&self, runs: &[Value]) -> String {
        self.kohya.plays(runs);
        let dataset = self.api.upload(2).await;
        let request = json!({
            "engine": "kohya",
            "dataset_id": dataset,
            "base_model": "tiny-xl",
            "name": "zora",
            "trigger_word": "zora",
            "sample_prompts": ["zora"],
            "parameters": parameters(4, 42),
        });
        let job = self.api.post("/api/v1/jobs", request).await;
        job["id"].as_str().unwrap().to_owned()
    }

    async fn events(&self, job: &str) -> Vec<Value> {
        let events = self
            .api
            .get(&format!("/api/v1/jobs/{job}/events?limit=10000"))
            .await;
        events.as_array().unwrap().clone()
    }

    async fn wait_for_checkpoint(&self, job: &str) {
        self.api
            .wait_for(&format!("/api/v1/jobs/{job}"), |job| {
                job["checkpoint_step"].as_u64() == Some(2)
            })
            .await;
    }

    /// That the job succeeded with a version that passed, and that its file is the one that was left behind.
    async fn check_succeeded(&self, id: &str) {
        let job = self.api.ended(id).await;
        assert_eq!(job["phase"], "succeeded", "{job}");
        let version = job["model_version_id"].as_str().unwrap();
        let path_of = format!("/api/v1/model-versions/{version}");
        let version = self.api.get(&path_of).await;
        for name in ["finite", "complete", "non_zero", "picture_changes"] {
            let checks = version["verdict"]["checks"].as_array().unwrap();
            let check = checks.iter().find(|check| check["name"] == name).unwrap();
            assert_eq!(check["passed"], true, "{check}");
        }
        let lora = self.data.path().join("downloaded.safetensors");
        std::fs::write(&lora, self.api.bytes(&format!("{path_of}/download")).await).unwrap();
        succeed(["lora", "verify", path(&lora)]);
    }

    /// That a job with this one run fails, and says why.
    async fn check_fails(&self, run: Value, words: &str) {
        let id = self.start(&[run]).await;
        self.check_failed(&id, words).await;
    }

    async fn check_failed(&self, id: &str, words: &str) {
        let job = self.api.ended(id).await;
        assert_eq!(
            (&job["phase"], &job["n_attempts"]),
            (&json!("failed"), &json!(1)),
            "{job}"
        );
        assert!(job["reason"].as_str().unwrap().contains(words), "{job}");
        assert!(job.get("model_version_id").is_none(), "{job}");
        let events = self.events(id).await;
        let ended = events
            .iter()
            .find(|event| event["type"] == "attempt_ended")
            .unwrap();
        assert!(ended["detail"].as_str().unwrap().contains(words), "{ended}");
        // It is tried once: what failed so would fail again, on a machine that costs money.
        assert_eq!(self.kohya.n_runs(), 1);
        wait_for("the end of sd-scripts", || {
            (!is_running(self.kohya.process())).then_some(())
        });
    }
}

/// Whether a process runs; one that nobody has asked about yet is a zombie.
fn is_running(process: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    !status.is_empty() && !status.contains("State:\tZ")
}

fn steps(events: &[Value]) -> Vec<(u64, f64)> {
    let steps = events.iter().filter(|event| event["type"] == "step");
    steps
        .map(|event| (event["step"].as_u64().unwrap(), event["loss"].as_f64().unwrap()))
        .collect()
}

#[tokio::test]
async fn a_good_run_becomes_a_model_version() {
    let stage = Stage::new();
    let id = stage.start(&[stage.good_run()]).await;
    stage.check_succeeded(&id).await;
    let events = stage.events(&id).await;
    assert_eq!(steps(&events), [(1, 0.5), (2, 0.25), (3, 0.125), (4, 0.0625)]);
    for kind in [
        "stage",
        "sample",
        "checkpoint",
        "validated",
        "model_version_created",
    ] {
        assert!(
            events.iter().any(|event| event["type"] == kind),
            "no {kind} in {events:?}"
        );
    }
    let samples = stage.api.get(&format!("/api/v1/jobs/{id}/samples")).await;
    let sample = &samples.as_array().unwrap()[0];
    assert_eq!(
        (&sample["step"], &sample["prompt"]),
        (&json!(2), &json!("zora")),
        "{samples}"
    );
    // All files are there from the start, so that their order is that of their names.
    let checkpoints: std::collections::BTreeSet<_> = events
        .iter()
        .filter(|event| event["type"] == "checkpoint")
        .map(|event| event["step"].as_u64().unwrap())
        .collect();
    assert_eq!(checkpoints, [2, 4].into());
}

#[tokio::test]
async fn an_exit_code_of_0_without_a_file_is_a_failure() {
    let stage = Stage::new();
    let mut run = stage.good_run();
    run["files"] = json!([]);
    stage
        .check_fails(run, "there is no complete file `zora.safetensors`")
        .await;
}

#[tokio::test]
async fn losses_that_are_no_numbers_end_the_job() {
    let stage = Stage::new();
    let bars: String = (0..=6).map(|step| bar(step, 8).replace("0.5]", "nan]")).collect();
    let run = json!({ "err": stage.kohya.file("nan", bars), "stays": true });
    stage
        .check_fails(run, "the loss is not a number (NaN) since step")
        .await;
}

#[tokio::test]
async fn an_empty_folder_is_named() {
    let stage = Stage::new();
    let out = "0 train images with repeats.\nNo data found. Please verify arguments\n";
    let run = json!({ "out": stage.kohya.file("empty", out) });
    stage.check_fails(run, "found no pictures").await;
}

#[tokio::test]
async fn silence_ends_the_job() {
    let stage = Stage::patient(1);
    let run = json!({ "out": stage.kohya.file("begun", "epoch 1/1\n"), "stays": true });
    stage
        .check_fails(run, "made no output and no progress for 1 s")
        .await;
}

#[tokio::test]
async fn a_log_wrapped_at_80_columns_is_understood() {
    let stage = Stage::new();
    let mut run = stage.good_run();
    // No scalars: the steps are on the bar alone, and the word on the model in a wrapped line behind it.
    let mut err: String = (0..4).map(|step| bar(step, 4)).collect();
    err.push_str(bar(4, 4).trim_end());
    err.push_str(
        "2026-11-22 12:49:11 INFO                                      train_util.py:5989\n\
         \x20                   INFO     load tokenizer from cache:      strategy_base.py:61\n\
         \x20                            /data/tokenizers/openai_clip-ab                    \n\
         \x20                            h14                                                \n\
         \x20                   INFO     model saved.                  train_network.py:1729\n",
    );
    run["err"] = json!(stage.kohya.file("wrapped", err));
    run["out"] = json!(stage.kohya.file("plain", "epoch 1/1\n"));
    run["losses"] = json!([]);
    let id = stage.start(&[run]).await;
    stage.check_succeeded(&id).await;
    assert_eq!(steps(&stage.events(&id).await).last(), Some(&(4, 0.5)));
}

#[tokio::test]
async fn a_stopped_job_goes_on_where_it_was() {
    let stage = Stage::new();
    let first = stage.kohya.begun_run(&LOSSES[..2]);
    // After a stop sd-scripts counts, and we tell, the steps that are left.
    let rest = stage.kohya.good_run(&LOSSES[2..]);
    let id = stage.start(&[first, rest]).await;
    stage.wait_for_checkpoint(&id).await;
    stage
        .api
        .post(&format!("/api/v1/jobs/{id}/stop"), json!({}))
        .await;
    let job = stage.api.ended(&id).await;
    assert_eq!(
        (&job["phase"], &job["checkpoint_step"]),
        (&json!("stopped"), &json!(2)),
        "{job}"
    );
    wait_for("the end of sd-scripts", || {
        (!is_running(stage.kohya.process())).then_some(())
    });

    stage
        .api
        .post(&format!("/api/v1/jobs/{id}/resume"), json!({}))
        .await;
    stage
        .api
        .wait_for(&format!("/api/v1/jobs/{id}"), |job| job["phase"] != "stopped")
        .await;
    stage.check_succeeded(&id).await;
    let events = stage.events(&id).await;
    assert_eq!(steps(&events), [(1, 0.5), (2, 0.25), (3, 0.125), (4, 0.0625)]);
    assert!(!stage.kohya.has_option(0, "--resume") && stage.kohya.has_option(1, "--resume"));
}

#[tokio::test]
async fn sd_scripts_killed_from_outside_is_named() {
    let stage = Stage::new();
    let id = stage.start(&[stage.kohya.begun_run(&LOSSES[..2])]).await;
    stage.wait_for_checkpoint(&id).await;
    assert!(!stage.server.agents().is_empty());
    kill(stage.kohya.process());
    stage
        .check_failed(&id, "signal 9, which something else sent")
        .await;
}
