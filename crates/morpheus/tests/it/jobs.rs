//! Jobs from end to end, with a server and agents of their own, and with power cuts in the middle.

use serde_json::{Value, json};

use crate::{
    api::Api,
    support::{Server, kill, path, succeed},
};

/// Enough steps that something can be killed in the middle.
const N_STEPS: u64 = 40;
const INTERVAL: u64 = 10;

fn parameters() -> Value {
    json!({
        "n_steps": N_STEPS,
        "batch_size": 1,
        "rank": 4,
        "checkpoint_every_n_steps": INTERVAL,
        "sample_every_n_steps": 0,
    })
}

#[tokio::test]
async fn a_job_goes_from_upload_to_a_picture() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let api = Api::of(&server);
    let dataset = api.upload(12).await;
    let parameters = json!({
        "n_steps": 12,
        "batch_size": 2,
        "rank": 4,
        "learning_rate": 0.01,
        "checkpoint_every_n_steps": 6,
        "sample_every_n_steps": 6,
    });
    let id = api.start_job(&dataset, parameters).await;
    let job = api.ended(&id).await;
    assert_eq!(job["phase"], "succeeded", "{job}");

    let events = events(&api, &id).await;
    assert_eq!(steps(&events), Vec::from_iter(1..=12));
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

    let version_id = job["model_version_id"].as_str().unwrap();
    let version = api.get(&format!("/api/v1/model-versions/{version_id}")).await;
    let checks = version["verdict"]["checks"].as_array().unwrap();
    for name in ["finite", "complete", "non_zero", "picture_changes"] {
        let check = checks.iter().find(|check| check["name"] == name).unwrap();
        assert_eq!(check["passed"], true, "{check}");
    }
    let lora = data.path().join("zora.safetensors");
    std::fs::write(
        &lora,
        api.bytes(&format!("/api/v1/model-versions/{version_id}/download"))
            .await,
    )
    .unwrap();
    succeed(["lora", "verify", path(&lora)]);

    let plain = picture(&api, json!([])).await;
    let off = picture(&api, json!([{ "model_version_id": version_id, "weight": 0 }])).await;
    let on = picture(&api, json!([{ "model_version_id": version_id, "weight": 1 }])).await;
    assert!(plain == off, "weight 0 is the base");
    assert!(plain != on, "weight 1 is not");
}

#[tokio::test]
async fn a_killed_agents_job_goes_on_from_its_checkpoint() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let api = Api::of(&server);
    let dataset = api.upload(4).await;
    let id = api.start_job(&dataset, parameters()).await;
    api.wait_for(&format!("/api/v1/jobs/{id}"), |job| {
        job["checkpoint_step"].as_u64() >= Some(10)
    })
    .await;
    for agent in server.agents() {
        kill(agent);
    }
    let job = api.ended(&id).await;
    assert_eq!(job["phase"], "succeeded", "{job}");
    assert_eq!(job["n_attempts"], 2, "{job}");
    let events = events(&api, &id).await;
    let attempts = steps_by_attempt(&events);
    let [first, second] = &attempts[..] else {
        panic!("{attempts:?}")
    };
    assert!(
        second[0] > 1 && second[0] <= first.last().unwrap() + 1,
        "{attempts:?}"
    );
    assert_eq!(second.last(), Some(&N_STEPS));
}

#[tokio::test]
async fn a_damaged_checkpoint_is_followed_by_the_one_before_it() {
    let data = tempfile::tempdir().unwrap();
    let objects = data.path().join("objects");
    let settings = [("MORPHEUS_OBJECTS", format!("file://{}", objects.display()))];
    let server = Server::start_with(data.path(), "127.0.0.1:0", &settings);
    let api = Api::of(&server);
    let dataset = api.upload(4).await;
    // Long enough to be stopped on a busy machine.
    let mut long = parameters();
    long["n_steps"] = (5 * N_STEPS).into();
    let id = api.start_job(&dataset, long).await;
    let path_of_job = format!("/api/v1/jobs/{id}");
    api.wait_for(&path_of_job, |job| job["checkpoint_step"].as_u64() >= Some(20))
        .await;
    api.post(&format!("{path_of_job}/stop"), json!({})).await;
    let stopped = api.ended(&id).await;
    assert_eq!(stopped["phase"], "stopped", "{stopped}");
    let files = api.get(&format!("{path_of_job}/artifacts")).await;
    let checkpoints: Vec<&Value> = files
        .as_array()
        .unwrap()
        .iter()
        .filter(|file| file["kind"] == "checkpoint")
        .collect();
    let [.., older, newest] = &checkpoints[..] else {
        panic!("{files}");
    };
    let object = |file: &Value| {
        let (folder, rest) = file["sha256"].as_str().unwrap().split_at(2);
        objects.join("sha256").join(folder).join(rest)
    };
    let mut bytes = std::fs::read(object(newest)).unwrap();
    bytes[1000] ^= 1;
    std::fs::write(object(newest), bytes).unwrap();
    std::fs::remove_file(object(older)).unwrap();

    api.post(&format!("{path_of_job}/resume"), json!({})).await;
    let job = api.ended(&id).await;
    assert_eq!(job["phase"], "succeeded", "{job}");
    assert_eq!(
        job["n_attempts"], 2,
        "looking for a whole one is no attempt: {job}"
    );
    let events = events(&api, &id).await;
    let warnings: Vec<&str> = events
        .iter()
        .filter(|event| event["type"] == "log" && event["level"] == "warning")
        .map(|event| event["message"].as_str().unwrap())
        .collect();
    assert!(
        warnings[0].contains("is damaged in the object store"),
        "{warnings:?}"
    );
    assert!(
        warnings[1].contains("is missing from the object store"),
        "{warnings:?}"
    );

    let args = ["objects", "verify", "--json", "--data", path(data.path())];
    let output = crate::support::run(args);
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    let damaged = seen["damaged"].as_array().unwrap();
    // The job wrote those of its interval again, to the same bytes. The one made by stopping is among them only if the
    // job happened to stop there.
    if stopped["checkpoint_step"]
        .as_u64()
        .unwrap()
        .is_multiple_of(INTERVAL)
    {
        assert!(
            output.status.success() && damaged.is_empty(),
            "both were written again: {seen}"
        );
        return;
    }
    assert!(!output.status.success(), "one is damaged still: {seen}");
    assert_eq!(damaged.len(), 1, "the other was written again: {seen}");
    assert_eq!(damaged[0]["damage"], "damaged");
    assert_eq!(damaged[0]["dependents"][0]["kind"], "checkpoint");
    assert_eq!(damaged[0]["dependents"][0]["job"], "zora");
}

#[tokio::test]
async fn a_terminated_agent_leaves_a_checkpoint_behind() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let api = Api::of(&server);
    let dataset = api.upload(4).await;
    let mut parameters = parameters();
    // No checkpoint but the one that the signal brings about.
    parameters["checkpoint_every_n_steps"] = json!(0);
    let id = api.start_job(&dataset, parameters).await;
    api.wait_for(&format!("/api/v1/jobs/{id}"), |job| {
        job["progress"]["step"].as_u64() >= Some(5)
    })
    .await;
    for agent in server.agents() {
        crate::support::terminate(agent);
    }
    let job = api.ended(&id).await;
    assert_eq!(job["phase"], "succeeded", "{job}");
    let attempts = steps_by_attempt(&events(&api, &id).await);
    let [first, second] = &attempts[..] else {
        panic!("{attempts:?}")
    };
    assert_eq!(second[0], first.last().unwrap() + 1, "{attempts:?}");
}

#[tokio::test]
async fn a_killed_servers_job_is_finished_by_the_next() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let api = Api::of(&server);
    let dataset = api.upload(4).await;
    let id = api.start_job(&dataset, parameters()).await;
    api.wait_for(&format!("/api/v1/jobs/{id}"), |job| {
        job["progress"]["step"].as_u64() >= Some(5)
    })
    .await;
    // The agent goes on, and looks for the server where it was.
    let listen = format!("127.0.0.1:{}", server.url.port().unwrap());
    server.kill();
    let server = Server::start_at(data.path(), &listen);
    let api = api.at(&server);
    let job = api.ended(&id).await;
    assert_eq!(job["phase"], "succeeded", "{job}");
    let events = events(&api, &id).await;
    assert_eq!(steps_by_attempt(&events).last().unwrap().last(), Some(&N_STEPS));
}

/// All events of a job; their numbers have no gaps.
pub(crate) async fn events(api: &Api, job: &str) -> Vec<Value> {
    let events = api.get(&format!("/api/v1/jobs/{job}/events?limit=10000")).await;
    let events = events.as_array().unwrap().clone();
    let numbers: Vec<_> = events
        .iter()
        .map(|event| event["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, Vec::from_iter(1..=events.len() as u64));
    events
}

fn steps(events: &[Value]) -> Vec<u64> {
    let steps = events.iter().filter(|event| event["type"] == "step");
    steps.map(|event| event["step"].as_u64().unwrap()).collect()
}

/// The steps of each attempt, in the order of the attempts.
pub(crate) fn steps_by_attempt(events: &[Value]) -> Vec<Vec<u64>> {
    let mut attempts: Vec<(String, Vec<u64>)> = Vec::new();
    for event in events.iter().filter(|event| event["type"] == "step") {
        let attempt = event["attempt_id"].as_str().unwrap();
        let step = event["step"].as_u64().unwrap();
        match attempts.iter_mut().find(|(id, _)| id == attempt) {
            Some((_, steps)) => steps.push(step),
            None => attempts.push((attempt.to_owned(), vec![step])),
        }
    }
    attempts.into_iter().map(|(_, steps)| steps).collect()
}

async fn picture(api: &Api, loras: Value) -> Vec<u8> {
    let request = json!({
        "base_model": "tiny-xl",
        "prompt": "lorelei ink comic portrait of zora, smiling, blue background",
        "seed": 7,
        "n_steps": 4,
        "loras": loras,
    });
    let generation = api.generated(request).await;
    let png = api.bytes(generation["image_url"].as_str().unwrap()).await;
    image::load_from_memory(&png).unwrap().into_rgb8().into_raw()
}
