//! Requests to the simulator, and what came back.

use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::Value;
use sim::runpod::{KEY, Options, RunPod};

pub(crate) const GPU: &str = "NVIDIA GeForce RTX 4090";

/// An answer; the body is null where there is none.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

pub(crate) async fn simulator() -> RunPod {
    RunPod::start(Options::stepped()).await.unwrap()
}

pub(crate) async fn call(sim: &RunPod, method: Method, path: &str, body: Option<Value>) -> Answer {
    call_as(sim, KEY, method, path, body).await
}

pub(crate) async fn call_as(
    sim: &RunPod,
    key: &str,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Answer {
    let client = reqwest::Client::builder().user_agent("test").build().unwrap();
    let mut request = client
        .request(method, format!("{}{path}", sim.url()))
        .bearer_auth(key);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.unwrap();
    Answer {
        status,
        headers,
        body: serde_json::from_str(&text).unwrap_or(Value::Null),
    }
}

pub(crate) fn pod(name: &str) -> Value {
    serde_json::json!({
        "name": name, "image": "worker:1", "disk": 20, "gpu": {"id": GPU, "count": 1},
        "env": {"A": "b"}, "ports": ["22/tcp"],
    })
}

/// Creates a pod; its id.
pub(crate) async fn create(sim: &RunPod, body: Value) -> String {
    let answer = call(sim, Method::POST, "/v2/pods", Some(body)).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.body["id"].as_str().unwrap().to_owned()
}
