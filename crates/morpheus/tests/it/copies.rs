//! Copies of approved LoRAs for other programs, while the server is killed.

use std::{collections::BTreeSet, path::Path};

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    api::Api,
    generate::a_lora,
    support::{DEADLINE, Server, run},
};

fn settings(folder: &Path) -> Vec<(&'static str, String)> {
    vec![("MORPHEUS_LORA_FOLDER", folder.display().to_string())]
}

async fn wait_for_copies(api: &Api, is_right: impl Fn(&Value) -> bool) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let copies = api.get("/api/v1/lora-copies").await;
        if is_right(&copies) {
            return;
        }
        assert!(Instant::now() < deadline, "{copies}");
        sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// What a program sees that lists the folder.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| !name.starts_with('.')).collect()
}

/// The server is killed before any file of a copy is fetched, or when all are and nothing says so yet.
#[tokio::test]
async fn a_copy_outlives_a_killed_server() {
    for place in ["copies: announced", "copies: written"] {
        let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let server = Server::start(data.path());
        let api = Api::of(&server);
        let form = Form::new()
            .text("base_model", "tiny-xl")
            .part("file", Part::bytes(a_lora()).file_name("ink.safetensors"));
        let version = api.send_form("/api/v1/models/import", form).await;
        let path = format!("/api/v1/model-versions/{}", version["id"].as_str().unwrap());
        let body = json!({ "without_verdict": true });
        api.post(&format!("{path}/promote"), body).await;
        drop(server);

        let mut dying = settings(folder.path());
        dying.push(("MORPHEUS_DIE_AT", place.to_owned()));
        Server::start_with(data.path(), "127.0.0.1:0", &dying).wait_until_dead();
        let server = Server::start_with(data.path(), "127.0.0.1:0", &settings(folder.path()));
        let api = api.at(&server);
        wait_for_copies(&api, |copies| {
            copies["copies"][0]["file_name"] == "ink-v1.safetensors"
        })
        .await;
        assert_eq!(
            std::fs::read(folder.path().join("ink-v1.safetensors")).unwrap(),
            a_lora()
        );
        assert_eq!(
            names(folder.path()).len(),
            4,
            "{place}: a version without a picture"
        );
        api.post(&format!("{path}/retire"), json!({})).await;
        wait_for_copies(&api, |copies| copies["copies"] == json!([])).await;
        assert_eq!(names(folder.path()), BTreeSet::new(), "{place}");
    }
}

#[test]
fn doctor_names_a_folder_that_is_missing() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path().to_str().unwrap();
    let found = |folder: &str| -> Value {
        let place = ["--data", data, "--listen", "127.0.0.1:0"];
        let output = run(["doctor", "--json", "--lora-folder", folder].iter().chain(&place));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = report["findings"].as_array().unwrap();
        let ours = findings.iter().find(|finding| finding["name"] == "LoRA folder");
        ours.unwrap().clone()
    };
    let missing = found("/nowhere/loras");
    assert_eq!(missing["health"], "warning");
    let detail = missing["detail"].as_str().unwrap();
    assert!(detail.contains("does not exist"), "{detail}");
    assert_eq!(found(data)["health"], "ok");
}
