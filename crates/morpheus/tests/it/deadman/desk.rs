//! A real server whose agents the test starts itself, where it wants them.

use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::write_program;
use crate::{
    api::Api,
    support::{DEADLINE, Server, path},
};

/// A real server that hands its agents' addresses and tokens to the test instead of starting them.
pub(super) struct Desk {
    _server: Server,
    pub(super) api: Api,
    folder: TempDir,
}

impl Desk {
    pub(super) fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("agent");
        // `agent --server URL`; the file appears when it is whole.
        let script = format!(
            "cd {} && echo \"$3 $MORPHEUS_TOKEN\" >$$.part && mv $$.part $$.agent && exec sleep 1000",
            path(folder.path())
        );
        write_program(&program, &script);
        let settings = [("MORPHEUS_AGENT_PROGRAM", path(&program).to_owned())];
        let server = Server::start_with(&folder.path().join("data"), "127.0.0.1:0", &settings);
        Self {
            api: Api::of(&server),
            _server: server,
            folder,
        }
    }

    pub(super) async fn start_job(&self, n_steps: u32) -> String {
        let dataset = self.api.upload(4).await;
        let parameters = json!({
            "n_steps": n_steps, "batch_size": 1, "rank": 4,
            "checkpoint_every_n_steps": 0, "sample_every_n_steps": 0,
        });
        self.api.start_job(&dataset, parameters).await
    }

    /// Address and token of the next agent; each once.
    pub(super) async fn wait_for_agent(&self) -> (String, String) {
        let start = Instant::now();
        loop {
            for entry in std::fs::read_dir(self.folder.path()).unwrap().flatten() {
                if entry
                    .path()
                    .extension()
                    .is_some_and(|extension| extension == "agent")
                {
                    let text = std::fs::read_to_string(entry.path()).unwrap();
                    std::fs::remove_file(entry.path()).unwrap();
                    let (server, token) = text.trim().split_once(' ').unwrap();
                    return (server.to_owned(), token.to_owned());
                }
            }
            assert!(start.elapsed() < DEADLINE, "the server started no agent");
            sleep(Duration::from_millis(20)).await;
        }
    }

    pub(super) async fn wait_for_step(&self, job: &str, step: u64) {
        let is_there = |job: &Value| job["progress"]["step"].as_u64() >= Some(step);
        self.api.wait_for(&format!("/api/v1/jobs/{job}"), is_there).await;
    }

    /// What the job's stream says of the end of its first attempt.
    pub(super) async fn wait_for_attempt_end(&self, job: &str) -> Value {
        let ended = |events: &Value| {
            let mut events = events.as_array().cloned().unwrap_or_default().into_iter();
            events.find(|event| event["type"] == "attempt_ended")
        };
        let events = format!("/api/v1/jobs/{job}/events?limit=10000");
        let events = self.api.wait_for(&events, |events| ended(events).is_some()).await;
        ended(&events).unwrap()
    }
}
