//! The server is killed at random moments among many kinds of writes. Whatever it has acknowledged is there.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use reqwest::{Method, Url};
use serde_json::{Value, json};
use sim::table::STORAGE;

use crate::{
    api::Api,
    replicas::chaos::Dice,
    support::{DEADLINE, Server},
};

/// Writes of one seed that must be acknowledged.
const N_WRITES: usize = 200;
/// About so many are acknowledged between two kills.
const N_BETWEEN_KILLS: usize = 30;
const N_WRITERS: usize = 4;

/// Seeds of a short run; `make test-kill` has ten.
const N_SEEDS: u64 = 2;

/// What a writer knows to be kept: for each thing the state that was acknowledged last, and those that were asked for
/// since and may or may not have come about.
#[derive(Default)]
struct Known {
    things: BTreeMap<String, (String, Vec<String>)>,
}

impl Known {
    fn asked(&mut self, thing: &str, state: &str) {
        if let Some((_, open)) = self.things.get_mut(thing) {
            open.push(state.to_owned());
        }
    }

    fn acknowledged(&mut self, thing: &str, state: &str) {
        self.things
            .insert(thing.to_owned(), (state.to_owned(), Vec::new()));
    }
}

/// The server of the moment, and who it is asked by.
#[derive(Clone)]
struct Client {
    http: reqwest::Client,
    token: String,
    url: Arc<Mutex<Url>>,
    n_acknowledged: Arc<AtomicUsize>,
}

impl Client {
    /// The answer, if it says that the write has happened.
    async fn write(&self, method: Method, path: &str, body: Option<&Value>) -> Option<Value> {
        let url = self.url.lock().unwrap().join(path).unwrap();
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let Ok(answer) = request.send().await else {
            wait_for_the_next_server().await;
            return None;
        };
        let status = answer.status();
        if !status.is_success() {
            // One that was killed in the middle of it may have done it, and then there is nothing to do.
            let text = answer.text().await.unwrap_or_default();
            assert!(!status.is_server_error(), "{path}: {status}: {text}");
            return None;
        }
        let text = answer.text().await.ok()?;
        self.n_acknowledged.fetch_add(1, Ordering::Relaxed);
        Some(serde_json::from_str(&text).unwrap_or(Value::Null))
    }
}

/// Writes until enough is acknowledged; no other writer touches its things.
async fn write(client: Client, dice: Dice, dataset: String, item: String, version: Option<String>) -> Known {
    let mut known = Known::default();
    let mut tokens: Vec<String> = Vec::new();
    let mut jobs: Vec<String> = Vec::new();
    let mut n = 0;
    while client.n_acknowledged.load(Ordering::Relaxed) < N_WRITES {
        n += 1;
        match dice.below(8) {
            0..=2 => {
                let (thing, caption) = (format!("item {item}"), format!("caption {n}"));
                let path = format!("/api/v1/datasets/{dataset}/items/{item}");
                known.asked(&thing, &caption);
                let body = json!({ "caption": caption });
                if client.write(Method::PATCH, &path, Some(&body)).await.is_some() {
                    known.acknowledged(&thing, &caption);
                }
            }
            3 => {
                let request = json!({
                    "dataset_id": dataset, "base_model": "tiny-xl", "name": format!("job {n}"),
                    "trigger_word": "zora", "parameters": { "n_steps": 1, "rank": 4 },
                });
                if let Some(job) = client.write(Method::POST, "/api/v1/jobs", Some(&request)).await {
                    let id = job["id"].as_str().unwrap().to_owned();
                    known.acknowledged(&format!("job {id}"), "queued");
                    jobs.push(id);
                }
            }
            4 => {
                if let Some(id) = jobs.pop() {
                    let thing = format!("job {id}");
                    known.asked(&thing, "cancelled");
                    let path = format!("/api/v1/jobs/{id}/cancel");
                    if client.write(Method::POST, &path, None).await.is_some() {
                        known.acknowledged(&thing, "cancelled");
                    }
                }
            }
            5 => {
                let body = json!({ "name": format!("token {n}"), "scope": "user" });
                if let Some(token) = client.write(Method::POST, "/api/v1/tokens", Some(&body)).await {
                    let id = id_of(&token).to_owned();
                    known.acknowledged(&format!("token {id}"), "there");
                    tokens.push(id);
                }
            }
            6 => {
                if let Some(id) = tokens.pop() {
                    let thing = format!("token {id}");
                    known.asked(&thing, "gone");
                    let path = format!("/api/v1/tokens/{id}");
                    if client.write(Method::DELETE, &path, None).await.is_some() {
                        known.acknowledged(&thing, "gone");
                    }
                }
            }
            _ => {
                if let Some(version) = &version {
                    let thing = format!("version {version}");
                    let (verb, stage) = [("promote", "approved"), ("retire", "retired")][dice.below(2)];
                    known.asked(&thing, stage);
                    let path = format!("/api/v1/model-versions/{version}/{verb}");
                    if client.write(Method::POST, &path, None).await.is_some() {
                        known.acknowledged(&thing, stage);
                    }
                }
            }
        }
    }
    known
}

/// The id of a token that was just made.
fn id_of(token: &Value) -> &str {
    let id = token["id"].as_str().or(token["token"]["id"].as_str());
    id.expect("a token has an id")
}

/// The state of everything, as the server says after it was started for the last time.
async fn look(api: &Api, dataset: &str, version: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let items = api.get(&format!("/api/v1/datasets/{dataset}/items")).await;
    for item in list(&items) {
        let (id, caption) = (item["id"].as_str().unwrap(), item["caption"].as_str().unwrap());
        found.insert(format!("item {id}"), caption.to_owned());
    }
    for token in list(&api.get("/api/v1/tokens").await) {
        found.insert(
            format!("token {}", token["id"].as_str().unwrap()),
            "there".to_owned(),
        );
    }
    let stage = api.get(&format!("/api/v1/model-versions/{version}")).await;
    let stage = stage["stage"].as_str().unwrap().to_owned();
    found.insert(format!("version {version}"), stage);
    found
}

fn list(answer: &Value) -> Vec<Value> {
    let list = answer.as_array().or(answer["items"].as_array());
    list.unwrap().clone()
}

/// How many things are in a state that nobody acknowledged or asked for since.
async fn n_lost(api: &Api, known: &[Known], found: &BTreeMap<String, String>, seed: u64) -> usize {
    let mut n_lost = 0;
    for (thing, (acknowledged, open)) in known.iter().flat_map(|known| &known.things) {
        let state = match thing.split_once(' ') {
            Some(("job", id)) => {
                let job = api.get(&format!("/api/v1/jobs/{id}")).await;
                job["phase"].as_str().unwrap_or("gone").to_owned()
            }
            _ => found.get(thing).cloned().unwrap_or_else(|| "gone".to_owned()),
        };
        if state != *acknowledged && !open.contains(&state) {
            eprintln!("seed {seed}: {thing} is `{state}`, and `{acknowledged}` was acknowledged");
            n_lost += 1;
        }
    }
    n_lost
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_acknowledged_outlives_kills() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start(data.path());
    let mut api = Api::of(&server);
    let dataset = api.upload(N_WRITERS).await;
    let trained = json!({
        "n_steps": 2, "batch_size": 1, "rank": 4, "learning_rate": 0.01, "sample_every_n_steps": 0,
    });
    let job = api.start_job(&dataset, trained).await;
    let job = api.ended(&job).await;
    let version = job["model_version_id"].as_str().expect("a version").to_owned();
    let dataset = dataset.as_str().unwrap().to_owned();
    let items = api.get(&format!("/api/v1/datasets/{dataset}/items")).await;
    let items: Vec<String> = list(&items)
        .iter()
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect();
    server.kill();
    // From here on jobs wait: what they do is the business of other tests.
    let settings = [("MORPHEUS_MAX_RUNNING", "local=0".to_owned())];
    let start = || Server::start_with(data.path(), "127.0.0.1:0", &settings);
    server = start();
    api = api.at(&server);

    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|value| value.parse::<u64>().unwrap())
    };
    let first = number("MORPHEUS_KILL_SEED").unwrap_or(now.as_secs());
    let n_seeds = number("MORPHEUS_KILL_SEEDS").unwrap_or(N_SEEDS);
    let (mut n_kills, mut lost) = (0, 0);
    for seed in first..first + n_seeds {
        eprintln!("MORPHEUS_KILL_SEED={seed} MORPHEUS_KILL_SEEDS=1 repeats this");
        let dice = Dice::new(seed);
        let client = Client {
            http: reqwest::Client::builder().timeout(DEADLINE).build().unwrap(),
            token: api.token().to_owned(),
            url: Arc::new(Mutex::new(server.url.clone())),
            n_acknowledged: Arc::default(),
        };
        let writers: Vec<_> = (0..N_WRITERS)
            .map(|n| {
                let version = (n == 0).then(|| version.clone());
                let (item, dataset) = (items[n].clone(), dataset.clone());
                tokio::spawn(write(client.clone(), dice.clone(), dataset, item, version))
            })
            .collect();
        let mut next = dice.below(N_BETWEEN_KILLS);
        while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
            let n = client.n_acknowledged.load(Ordering::Relaxed);
            if n < next {
                wait_for(Duration::from_millis(1)).await;
                continue;
            }
            // In the middle of whatever comes then.
            wait_for(Duration::from_micros(dice.below(8000) as u64)).await;
            server.kill();
            n_kills += 1;
            server = tokio::task::block_in_place(start);
            *client.url.lock().unwrap() = server.url.clone();
            next = n + 1 + dice.below(2 * N_BETWEEN_KILLS);
        }
        let mut known = Vec::new();
        for writer in writers {
            known.push(writer.await.unwrap());
        }
        server.kill();
        server = start();
        api = api.at(&server);
        let found = look(&api, &dataset, &version).await;
        lost += n_lost(&api, &known, &found, seed).await;
    }
    eprintln!("{n_seeds} seeds, {n_kills} kills, {lost} lost");
    assert!(n_kills >= 2 * n_seeds, "only {n_kills} kills");
    STORAGE.check(
        "the server is killed at random moments during 200 captions, jobs, tokens and promotions",
        &[
            "the connection breaks; the server that is started next has all that was acknowledged",
            &lost.to_string(),
        ],
    );
    assert_eq!(lost, 0, "acknowledged, and not there");
}

/// A server that was killed is being started again.
async fn wait_for_the_next_server() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}

/// When the server is killed is a matter of chance, not of what it does.
async fn wait_for(moment: Duration) {
    tokio::time::sleep(moment).await;
}
