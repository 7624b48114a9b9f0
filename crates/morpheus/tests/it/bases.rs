//! Base models from elsewhere, with the real server, real agents and a simulated Hugging Face.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::{Value, json};
use sim::hub::Hub;

use crate::{
    api::Api,
    jobs::events,
    pool::Member,
    support::{Server, morpheus, path, run},
};

/// The built-in base as the folder that it is made from.
const TINY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/tiny-xl");
const REPOSITORY: &str = "somebody/tiny";

async fn hub_with_tiny() -> Hub {
    let hub = Hub::start().await.unwrap();
    let folders = std::fs::read_dir(TINY).unwrap().flatten();
    for entry in folders {
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_file() {
            hub.put(REPOSITORY, &name, std::fs::read(entry.path()).unwrap());
            continue;
        }
        for file in std::fs::read_dir(entry.path()).unwrap().flatten() {
            let path = format!("{name}/{}", file.file_name().into_string().unwrap());
            hub.put(REPOSITORY, &path, std::fs::read(file.path()).unwrap());
        }
    }
    hub
}

fn start(data: &Path, hub: &Hub, bases: &str) -> Server {
    let settings = [
        ("HF_ENDPOINT", hub.url.clone()),
        ("MORPHEUS_BASES", bases.to_owned()),
    ];
    Server::start_with(data, "127.0.0.1:0", &settings)
}

async fn ready(api: &Api, name: &str) -> Value {
    let all = api
        .wait_for("/api/v1/registered-base-models", |bases| {
            find(bases, name)["state"] != "checking"
        })
        .await;
    let base = find(&all, name).clone();
    assert_eq!(base["state"], "ready", "{base}");
    base
}

fn find<'a>(bases: &'a Value, name: &str) -> &'a Value {
    let bases = bases.as_array().unwrap();
    bases
        .iter()
        .find(|base| base["name"] == name)
        .unwrap_or(&Value::Null)
}

fn job(dataset: &Value, base: &str, provider: &str) -> Value {
    json!({
        "dataset_id": dataset,
        "base_model": base,
        "name": "zora",
        "trigger_word": "zora",
        "provider": provider,
        "parameters": {
            "n_steps": 2, "batch_size": 1, "rank": 4,
            "checkpoint_every_n_steps": 0, "sample_every_n_steps": 0,
        },
    })
}

async fn trained(api: &Api, request: Value) -> Value {
    let job = api.post("/api/v1/jobs", request).await;
    let job = api.ended(job["id"].as_str().unwrap()).await;
    assert_eq!(job["phase"], "succeeded", "{job}");
    job
}

/// Whole files that were fetched since the last call.
fn fetched(hub: &Hub) -> usize {
    let asked = hub.take_asked().into_iter();
    asked.filter(|asked| asked.range.is_none()).count()
}

#[tokio::test]
async fn a_repository_is_fetched_once_for_training_and_pictures() {
    let hub = hub_with_tiny().await;
    let data = tempfile::tempdir().unwrap();
    let bases = format!("mine=hf:{REPOSITORY}");
    let server = start(data.path(), &hub, &bases);
    let api = Api::of(&server);
    let base = ready(&api, "mine").await;
    assert_eq!(
        (&base["class"], &base["native_resolution"]),
        (&json!("tiny"), &json!(128))
    );
    assert_eq!(fetched(&hub), 0, "the server needs no whole file");

    let dataset = api.upload(4).await;
    let first = trained(&api, job(&dataset, "mine", "local")).await;
    assert_eq!(fetched(&hub), base["n_files"], "each file once");
    let events = events(&api, first["id"].as_str().unwrap()).await;
    let stages: Vec<&Value> = events.iter().map(|event| &event["name"]).collect();
    assert!(
        stages
            .iter()
            .any(|name| **name == "downloading the base model (MB)"),
        "{stages:?}"
    );

    let request = json!({
        "base_model": "mine", "prompt": "zora", "seed": 7, "n_steps": 2,
        "loras": [{ "model_version_id": first["model_version_id"], "weight": 1 }],
    });
    api.generated(request).await;

    // Neither the next server nor the next job needs the hub any more.
    drop(server);
    let server = start(data.path(), &hub, &bases);
    let api = api.at(&server);
    ready(&api, "mine").await;
    drop(hub);
    trained(&api, job(&dataset, "mine", "local")).await;
}

#[tokio::test]
async fn a_folder_of_the_server_reaches_another_machine_by_way_of_the_object_store() {
    let hub = Hub::start().await.unwrap();
    let data = tempfile::tempdir().unwrap();
    let server = start(data.path(), &hub, &format!("here={TINY}"));
    let api = Api::of(&server);
    ready(&api, "here").await;
    let token = json!({ "name": "workshop", "scope": "agent" });
    let token = api.post("/api/v1/tokens", token).await;
    let secret = token["secret"].as_str().unwrap();
    let _attic = Member::start(&server, secret, "attic", "quiet", data.path());
    let dataset = api.upload(4).await;

    let copy = "/api/v1/registered-base-models/here/copy";
    api.post(copy, Value::Null).await;
    api.wait_for("/api/v1/registered-base-models", |bases| {
        find(bases, "here")["copy"] == "stored"
    })
    .await;
    trained(&api, job(&dataset, "here", "agent")).await;
    let kept = data.path().join("attic/bases");
    let folders = std::fs::read_dir(kept).unwrap().flatten();
    assert_eq!(folders.filter(|entry| entry.path().is_dir()).count(), 1);
}

/// The server has no files of it: the machine that draws says what the base does.
#[tokio::test]
async fn a_base_of_the_web_that_is_only_drawn_with_is_measured_too() {
    let hub = hub_with_tiny().await;
    let data = tempfile::tempdir().unwrap();
    let server = start(data.path(), &hub, &format!("mine=hf:{REPOSITORY},prediction=v"));
    let api = Api::of(&server);
    assert_eq!(ready(&api, "mine").await["measured"], Value::Null);
    let request = json!({ "base_model": "mine", "prompt": "zora", "seed": 7, "n_steps": 1 });
    api.generated(request).await;
    let all = api
        .wait_for("/api/v1/registered-base-models", |bases| {
            !find(bases, "mine")["measured"].is_null()
        })
        .await;
    let base = find(&all, "mine");
    assert_eq!(base["measured"]["is"], "epsilon", "{base}");
    assert_eq!(
        base["notes"][0],
        "the setting says v-prediction, but it behaves like epsilon; it is taken as v-prediction"
    );
}

/// The base is measured once, by the server; whoever needs it later knows it.
#[tokio::test]
async fn what_a_base_does_is_said_in_the_same_words_everywhere() {
    const NOTE: &str =
        "the setting says v-prediction, but it behaves like epsilon; it is taken as v-prediction";
    let hub = Hub::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let base = copy_of_tiny(folder.path());
    let data = folder.path().join("data");
    let declared = format!("here={},prediction=v", base.display());
    let server = start(&data, &hub, &declared);
    let api = Api::of(&server);
    let registered = ready(&api, "here").await;
    assert_eq!(registered["notes"], json!([NOTE]), "{registered}");
    assert_eq!(registered["measured"]["is"], "epsilon");
    assert_eq!(registered["settings"], json!({ "prediction": "v" }));
    let offered = api.get("/api/v1/base-models").await;
    assert_eq!(find(&offered, "here")["notes"], json!([NOTE]), "{offered}");
    assert_eq!(find(&offered, "here")["prediction"], "v");

    // The server keeps it in its own account's cache folder, which a doctor of another account does not know.
    let doctor = || {
        let output = run(["doctor", "--json", "--data", path(&data), "--base", &declared]);
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let (cache, of_agents) = (data.join("cache/morpheus/measured"), data.join("agent/measured"));
    let found = doctor();
    let words = "whether it does what its files say is not known here (looked in `";
    assert!(found.contains(words) && !found.contains(NOTE), "{found}");
    assert!(found.contains(path(&of_agents)), "{found}");
    // It knows that of the server's agents.
    std::fs::create_dir_all(data.join("agent")).unwrap();
    std::fs::rename(&cache, &of_agents).unwrap();
    let found = doctor();
    assert!(found.contains(NOTE) && !found.contains(words), "{found}");
    std::fs::rename(&of_agents, &cache).unwrap();

    let out = folder.path().join("a.png");
    let drawn = run([
        "generate",
        "--base",
        path(&base),
        "--prediction",
        "v",
        "--prompt",
        "zora",
        "--steps",
        "1",
        "--out",
        path(&out),
    ]);
    let said = String::from_utf8_lossy(&drawn.stderr).into_owned();
    assert!(drawn.status.success() && said.contains(NOTE), "{said}");
    // Which knows what was measured on this machine.
    let found = doctor();
    assert!(found.contains(NOTE), "{found}");
}

#[tokio::test]
async fn a_base_with_numbers_that_are_not_finite_fails_when_it_is_registered() {
    let hub = Hub::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let base = copy_of_tiny(folder.path());
    let unet = base.join("unet/diffusion_pytorch_model.safetensors");
    let mut bytes = std::fs::read(&unet).unwrap();
    let end = bytes.len();
    // Half precision.
    bytes[end - 2..].copy_from_slice(&0x7e00_u16.to_le_bytes());
    std::fs::write(&unet, bytes).unwrap();
    let server = start(
        &folder.path().join("data"),
        &hub,
        &format!("broken={}", base.display()),
    );
    let api = Api::of(&server);
    let all = api
        .wait_for("/api/v1/registered-base-models", |bases| {
            find(bases, "broken")["state"] == "failed"
        })
        .await;
    let problem = find(&all, "broken")["problem"].as_str().unwrap();
    assert!(problem.contains("the base model is broken"), "{problem}");
}

fn copy_of_tiny(folder: &Path) -> PathBuf {
    let to = folder.join("base");
    diffusion::base::export_built_in("tiny-xl", &to).unwrap();
    to
}

#[tokio::test]
async fn neither_the_api_nor_the_log_tells_what_is_secret_in_an_address() {
    let hub = Hub::start().await.unwrap();
    let data = tempfile::tempdir().unwrap();
    let log = data.path().join("log");
    let child = morpheus()
        .args(["serve", "--json", "--listen", "127.0.0.1:0", "--data"])
        .arg(data.path().join("data"))
        .env("HF_ENDPOINT", &hub.url)
        .env("MORPHEUS_LOG", "debug")
        .env(
            "MORPHEUS_BASES",
            format!("first={}/none?token=SECRET", with_password(&hub.url)),
        )
        .stdout(Stdio::piped())
        .stderr(File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let (mut child, url, token) = Server::read_ready(child, None);
    let api = Api::new(url, token.unwrap());
    // One is refused where it leads to, the other one is asked for.
    let elsewhere = with_password("http://localhost:1");
    for (name, url) in [("second", &elsewhere), ("third", &with_password(&hub.url))] {
        let request = json!({ "name": name, "source": format!("{url}/none?token=SECRET") });
        let answer = api.post("/api/v1/registered-base-models", request).await;
        assert!(!answer.to_string().contains("SECRET"), "{answer}");
    }
    let all = api
        .wait_for("/api/v1/registered-base-models", |bases| {
            ["first", "second", "third"]
                .iter()
                .all(|name| find(bases, name)["state"] == "failed")
        })
        .await;
    assert!(!all.to_string().contains("SECRET"), "{all}");
    child.kill().unwrap();
    child.wait().unwrap();
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("a base model is not fit"), "{log}");
    assert!(!log.contains("SECRET"), "{log}");
}

fn with_password(url: &str) -> String {
    url.replace("http://", "http://user:SECRET@")
}
