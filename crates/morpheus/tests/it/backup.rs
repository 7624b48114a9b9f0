//! Backup and restore of the whole product, with everything destroyed in between.

use std::path::Path;

use serde_json::{Value, json};

use crate::{
    api::Api,
    jobs::{events, steps_by_attempt},
    support::{Server, kill, morpheus, path, services, succeed},
};

const N_STEPS: u64 = 40;

/// Runs a command on an installation; its standard output and error.
fn run(args: &[&str], data: &Path) -> (bool, String, String) {
    let output = morpheus()
        .args(args)
        .arg("--data")
        .arg(data)
        .envs(services(data))
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[track_caller]
fn json_of(args: &[&str], data: &Path) -> Value {
    let (succeeded, out, err) = run(args, data);
    assert!(succeeded, "{err}");
    serde_json::from_str(&out).unwrap()
}

#[track_caller]
fn refused(args: &[&str], data: &Path) -> String {
    let (succeeded, out, err) = run(args, data);
    assert!(!succeeded, "{out}");
    err
}

/// Items without their addresses, which are signed anew.
async fn captions(api: &Api, dataset: &Value) -> Vec<(Value, Value, Value)> {
    let items = api
        .get(&format!("/api/v1/datasets/{}/items", dataset.as_str().unwrap()))
        .await;
    let items = items["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| {
            (
                item["id"].clone(),
                item["file_name"].clone(),
                item["caption"].clone(),
            )
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_job_goes_on_in_the_restored_installation() {
    let shelf = tempfile::tempdir().unwrap();
    let (first, second) = (shelf.path().join("first"), shelf.path().join("second"));
    let file = shelf.path().join("studio.tar");
    let server = Server::start(&first);
    let api = Api::of(&server);
    let dataset = api.upload(4).await;
    let parameters = |n_steps: u64| {
        json!({
            "n_steps": n_steps,
            "batch_size": 1,
            "rank": 4,
            "checkpoint_every_n_steps": 10,
            "sample_every_n_steps": 0,
        })
    };
    let done = api.start_job(&dataset, parameters(2)).await;
    let done = api.ended(&done).await;
    assert_eq!(done["phase"], "succeeded", "{done}");
    let version = done["model_version_id"].as_str().unwrap();
    let job = api.start_job(&dataset, parameters(N_STEPS)).await;
    api.wait_for(&format!("/api/v1/jobs/{job}"), |job| {
        job["checkpoint_step"].as_u64() >= Some(10)
    })
    .await;

    let made = json_of(&["backup", path(&file), "--json"], &first);
    assert_eq!(made["lost"], json!([]), "{made}");
    assert!(made["n_objects"].as_u64() > Some(5), "{made}");
    let verified = json_of(&["backup", "--verify", path(&file), "--json"], &first);
    assert_eq!(verified["id"], made["id"]);
    let captions_before = captions(&api, &dataset).await;
    let busy = refused(&["restore", path(&file)], &first);
    assert!(busy.contains("in use by another Morpheus server"), "{busy}");

    let agents = server.agents();
    server.kill();
    agents.into_iter().for_each(kill);
    let full = refused(&["restore", path(&file)], &first);
    assert!(full.contains("is not empty"), "{full}");
    std::fs::remove_dir_all(&first).unwrap();

    let restored = json_of(&["restore", path(&file), "--json"], &second);
    assert_eq!(restored["n_attempts_ended"], 1, "{restored}");
    assert_eq!(restored["deployment"].as_str().map(str::len), Some(36));
    let server = Server::start(&second);
    assert!(server.token.is_empty(), "it is not a first start");
    // The same token.
    let api = api.at(&server);
    assert_eq!(captions(&api, &dataset).await, captions_before);
    let ended = api.ended(&job).await;
    assert_eq!(ended["phase"], "succeeded", "{ended}");
    assert_eq!(ended["n_attempts"], 2, "{ended}");
    let events = events(&api, &job).await;
    let attempts = steps_by_attempt(&events);
    let [before, after] = &attempts[..] else {
        panic!("{attempts:?}")
    };
    assert!(
        after[0] > 10 && after[0] <= before.last().unwrap() + 1 && after.last() == Some(&N_STEPS),
        "{attempts:?}"
    );
    let n_lost = events.iter().filter(|event| event["outcome"] == "lost").count();
    assert_eq!(n_lost, 1, "the old attempt is lost, once");

    let lora = shelf.path().join("zora.safetensors");
    let bytes = api
        .bytes(&format!("/api/v1/model-versions/{version}/download"))
        .await;
    std::fs::write(&lora, bytes).unwrap();
    succeed(["lora", "verify", path(&lora)]);
    let request = json!({
        "base_model": "tiny-xl",
        "prompt": "zora, smiling",
        "seed": 7,
        "n_steps": 2,
        "loras": [{ "model_version_id": version, "weight": 1 }],
    });
    api.generated(request).await;
}

#[test]
fn lost_files_make_the_command_fail_and_are_named() {
    let shelf = tempfile::tempdir().unwrap();
    let data = shelf.path().join("data");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = store::Store::open(&data).await.unwrap();
        let tx = store.begin().await.unwrap();
        let owner = store.default_owner();
        let dataset = store::datasets::create(&tx, owner, "zora").await.unwrap();
        let picture = store::datasets::NewItem {
            file_name: "cover.png".to_owned(),
            caption: String::new(),
            split: protocol::dataset::Split::Train,
            showing: protocol::dataset::Showing::default(),
            width: 8,
            height: 8,
            size_bytes: 1,
            sha256: "0".repeat(64),
            notes: Vec::new(),
        };
        store::datasets::add_item(&tx, owner, dataset.id, picture)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    });
    let run = |args: &[&str]| {
        let output = morpheus().args(args).arg("--data").arg(&data).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.success(), text(output.stdout), text(output.stderr))
    };
    let inside = data.join("studio.tar");
    let (succeeded, out, err) = run(&["backup", path(&inside)]);
    assert!(
        !succeeded && out.contains("LOST") && out.contains("picture `cover.png` of dataset"),
        "{out}"
    );
    assert!(
        err.contains("1 files that the database refers to are lost"),
        "{err}"
    );
    assert!(
        err.contains("is in the data folder and will be lost with it"),
        "{err}"
    );
    let folder = shelf.path().join("studio");
    let (succeeded, out, _) = run(&["backup", path(&folder), "--allow-missing"]);
    assert!(succeeded && out.contains("It contains secrets"), "{out}");
    let (succeeded, out, _) = run(&["backup", "--verify", path(&folder)]);
    assert!(
        succeeded && out.contains("is complete") && out.contains("LOST"),
        "{out}"
    );
}
