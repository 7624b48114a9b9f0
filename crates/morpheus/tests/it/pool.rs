//! Machines where somebody runs `morpheus agent`, with the real server and real agents.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    api::Api,
    support::{Server, morpheus, terminate},
};

/// An agent of the pool; it ends with the test.
pub(crate) struct Member(Child);

impl Member {
    pub(crate) fn start(server: &Server, token: &str, name: &str, labels: &str, folder: &Path) -> Self {
        let mut command: Command = morpheus();
        command
            .args(["agent", "--name", name, "--label", labels, "--work"])
            .arg(folder.join(name))
            .args(["--server", server.url.as_str()])
            .env("MORPHEUS_TOKEN", token)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // One that was killed already is dead enough.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn machine<'a>(providers: &'a Value, name: &str) -> &'a Value {
    let pool = providers
        .as_array()
        .unwrap()
        .iter()
        .find(|info| info["name"] == "agent");
    let machines = pool.unwrap()["machines"].as_array();
    let found = machines.and_then(|machines| machines.iter().find(|machine| machine["name"] == name));
    found.unwrap_or(&Value::Null)
}

#[tokio::test]
async fn a_job_moves_from_one_machine_of_the_pool_to_another() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let api = Api::of(&server);
    let dataset = api.upload(8).await;
    let token = api
        .post("/api/v1/tokens", json!({ "name": "workshop", "scope": "agent" }))
        .await;
    let secret = token["secret"].as_str().unwrap();
    let attic = Member::start(&server, secret, "attic", "quiet", data.path());
    api.wait_for("/api/v1/providers", |providers| {
        !machine(providers, "attic").is_null()
    })
    .await;
    let request = json!({
        "dataset_id": dataset,
        "base_model": "tiny-xl",
        "name": "zora",
        "trigger_word": "zora",
        "provider": "agent",
        "rental": { "labels": ["quiet"] },
        "parameters": {
            "n_steps": 60, "batch_size": 1, "rank": 4,
            "checkpoint_every_n_steps": 10, "sample_every_n_steps": 0,
        },
    });
    let job = api.post("/api/v1/jobs", request).await;
    let id = job["id"].as_str().unwrap();
    api.wait_for(&format!("/api/v1/jobs/{id}"), |job| {
        job["checkpoint_step"].as_u64() >= Some(10)
    })
    .await;
    // Whoever ends an agent gives its work back; one that falls silent loses it with its lease.
    terminate(attic.0.id());
    let _cellar = Member::start(&server, secret, "cellar", "quiet,large", data.path());
    let job = api.ended(id).await;
    assert_eq!(job["phase"], "succeeded", "{job}");
    assert_eq!(job["n_attempts"], 2, "{job}");
    api.wait_for("/api/v1/providers", |providers| {
        let cellar = machine(providers, "cellar");
        cellar["is_online"] == true && cellar["job_id"].is_null()
    })
    .await;
    // A machine whose token is taken away ends.
    let mut attic = Member::start(&server, secret, "attic", "quiet", data.path());
    api.delete(&format!("/api/v1/tokens/{}", token["id"].as_str().unwrap()))
        .await;
    let status = attic.0.wait().unwrap();
    assert!(!status.success());
}
