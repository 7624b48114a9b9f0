//! The product with its objects in a bucket: a job from end to end, and what the commands say.

use std::process::Output;

use serde_json::{Value, json};
use sim::s3::{self, Options};

use crate::{
    api::Api,
    support::{Server, morpheus, path, succeed},
};

fn settings(server: &s3::Server, bucket: &str) -> Vec<(&'static str, String)> {
    vec![
        ("MORPHEUS_OBJECTS", format!("s3://{bucket}/studio")),
        ("MORPHEUS_S3_ENDPOINT", server.endpoint.clone()),
        ("MORPHEUS_S3_ACCESS_KEY_ID", s3::ACCESS_KEY_ID.to_owned()),
        ("MORPHEUS_S3_SECRET_ACCESS_KEY", s3::SECRET_ACCESS_KEY.to_owned()),
    ]
}

/// Runs a command beside the test's own server, which must go on answering.
async fn run(args: Vec<String>, settings: Vec<(&'static str, String)>) -> Output {
    let running = move || morpheus().args(args).envs(settings).output().unwrap();
    tokio::task::spawn_blocking(running).await.unwrap()
}

/// The store is as lax as Supabase's: nothing here may rest on its checks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_keeps_its_files_in_a_bucket() {
    let store = s3::Server::start(Options::supabase()).await.unwrap();
    let bucket = store.bucket().await.unwrap();
    let settings = settings(&store, &bucket);
    let data = tempfile::tempdir().unwrap();
    let (folder, given) = (data.path().to_owned(), settings.clone());
    let starting = move || Server::start_with(&folder, "127.0.0.1:0", &given);
    let server = tokio::task::spawn_blocking(starting).await.unwrap();
    let api = Api::of(&server);
    let dataset = api.upload(4).await;
    let parameters = json!({
        "n_steps": 4,
        "batch_size": 1,
        "rank": 4,
        "checkpoint_every_n_steps": 2,
        "sample_every_n_steps": 0,
    });
    let id = api.start_job(&dataset, parameters).await;
    let job = api.ended(&id).await;
    assert_eq!(job["phase"], "succeeded", "{job}");

    let files = api.get(&format!("/api/v1/jobs/{id}/artifacts")).await;
    let files = files.as_array().unwrap();
    let lora = files.iter().find(|file| file["kind"] == "lora").unwrap();
    let url = lora["url"].as_str().unwrap();
    assert!(url.starts_with(&store.endpoint), "{url}");
    // No token: the address itself is the permission.
    let answer = reqwest::get(url).await.unwrap();
    let disposition = answer.headers()["content-disposition"].to_str().unwrap();
    assert!(
        disposition.starts_with("attachment; filename=\"zora"),
        "{disposition}"
    );
    let by_address = answer.bytes().await.unwrap();
    let version = job["model_version_id"].as_str().unwrap();
    let by_route = api
        .bytes(&format!("/api/v1/model-versions/{version}/download"))
        .await;
    assert!(by_address == by_route, "the route leads to the same file");
    let file = data.path().join("zora.safetensors");
    std::fs::write(&file, &by_address).unwrap();
    succeed(["lora", "verify", path(&file)]);

    assert!(
        !data.path().join("objects").exists(),
        "nothing is kept on this machine"
    );
    let page = reqwest::get(server.url.clone()).await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains(&format!("img-src 'self' {}", store.endpoint)),
        "{policy}"
    );

    let args = [
        "objects",
        "collect",
        "--dry-run",
        "--json",
        "--data",
        path(data.path()),
    ];
    let args = args.map(str::to_owned).to_vec();
    let collected = run(args, settings).await;
    let collected: Value = serde_json::from_slice(&collected.stdout).unwrap();
    assert_eq!(
        collected["objects"],
        json!([]),
        "everything is young: {collected}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_and_the_start_name_what_is_wrong_with_a_bucket() {
    let store = s3::Server::start(Options::default()).await.unwrap();
    let bucket = store.bucket().await.unwrap();
    let right = settings(&store, &bucket);
    let data = tempfile::tempdir().unwrap();
    let doctor = |settings: Vec<(&'static str, String)>| {
        let args = [
            "doctor",
            "--json",
            "--listen",
            "127.0.0.1:0",
            "--data",
            path(data.path()),
        ];
        run(args.map(str::to_owned).to_vec(), settings)
    };
    let finding = |output: &Output| -> Value {
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = report["findings"].as_array().unwrap().clone();
        findings
            .into_iter()
            .find(|finding| finding["name"] == "objects")
            .unwrap()
    };
    let healthy = finding(&doctor(right.clone()).await);
    assert_eq!(healthy["health"], "ok", "{healthy}");
    let probes = store.folder(&bucket).join("studio/probe");
    assert_eq!(std::fs::read_dir(probes).unwrap().count(), 0, "it cleans up");

    let wrong = [
        (
            "MORPHEUS_S3_SECRET_ACCESS_KEY",
            "wrong",
            "MORPHEUS_S3_SECRET_ACCESS_KEY",
        ),
        ("MORPHEUS_S3_ACCESS_KEY_ID", "wrong", "MORPHEUS_S3_ACCESS_KEY_ID"),
        (
            "MORPHEUS_S3_ENDPOINT",
            "http://127.0.0.1:9",
            "MORPHEUS_S3_ENDPOINT",
        ),
        ("MORPHEUS_OBJECTS", "s3://missing", "MORPHEUS_OBJECTS"),
    ];
    for (name, value, named) in wrong {
        let mut settings = right.clone();
        settings.push((name, value.to_owned()));
        let output = doctor(settings.clone()).await;
        assert!(!output.status.success());
        let finding = finding(&output);
        assert_eq!(finding["health"], "problem", "{finding}");
        assert!(finding["fix"].as_str().unwrap().contains(named), "{finding}");

        let args = ["serve", "--listen", "127.0.0.1:0", "--data", path(data.path())];
        let output = run(args.map(str::to_owned).to_vec(), settings).await;
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && text.contains(named), "{text}");
        assert!(!text.contains(s3::SECRET_ACCESS_KEY), "{text}");
    }
}

/// An export in which everything that the audit log has happened 100 days earlier.
fn aged(export: &str) -> String {
    let mut lines = Vec::new();
    for line in export.lines() {
        let Some((before, rest)) = line.split_once(r#""at":""#) else {
            lines.push(line.to_owned());
            continue;
        };
        if !line.contains(r#""audit_log""#) {
            lines.push(line.to_owned());
            continue;
        }
        let (date, rest) = rest.split_at(10);
        let date: chrono::NaiveDate = date.parse().unwrap();
        lines.push(format!(
            r#"{before}"at":"{}{rest}"#,
            date - chrono::TimeDelta::days(100)
        ));
    }
    lines.join("\n") + "\n"
}

#[test]
fn collecting_keeps_the_audit_log_for_as_long_as_the_settings_say() {
    let folder = tempfile::tempdir().unwrap();
    let (first, data) = (folder.path().join("first"), folder.path().join("data"));
    // It is written down itself: there is one entry.
    succeed(["objects", "collect", "--data", path(&first)]);
    let export = folder.path().join("export.jsonl");
    succeed(["db", "export", "--data", path(&first), path(&export)]);
    let changed = aged(&std::fs::read_to_string(&export).unwrap());
    std::fs::write(&export, changed).unwrap();
    succeed(["db", "import", "--data", path(&data), path(&export)]);
    // Objects are not in an export: they are moved by hand.
    std::fs::rename(first.join("objects"), data.join("objects")).unwrap();

    let n_old = |settings: &[&str]| {
        let args = ["objects", "collect", "--json", "--data", path(&data)];
        let said = succeed(args.iter().chain(settings));
        let said: Value = serde_json::from_str(&said).unwrap();
        said["n_audit_entries"].as_u64().unwrap()
    };
    assert_eq!(n_old(&[]), 0, "a year is usual");
    assert_eq!(n_old(&["--dry-run", "--audit-days", "101"]), 0);
    assert_eq!(n_old(&["--dry-run", "--audit-days", "99"]), 1);
    let file = folder.path().join("morpheus.toml");
    std::fs::write(&file, "audit_days = 99\n").unwrap();
    assert_eq!(n_old(&["--dry-run", "--config", path(&file)]), 1);
    assert_eq!(n_old(&["--config", path(&file)]), 1);
    assert_eq!(n_old(&["--config", path(&file)]), 0, "it is gone");
    let left = succeed(["audit", "--json", "--data", path(&data)]);
    let actions: Vec<Value> = left
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["action"].clone())
        .collect();
    assert!(actions.contains(&json!("database_imported")), "{actions:?}");
}
