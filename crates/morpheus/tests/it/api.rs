//! The HTTP API as a test uses it.

use reqwest::{
    Method, Url,
    multipart::{Form, Part},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::support::{DEADLINE, Server};

/// Pictures of the demo dataset, with their captions.
pub(crate) const ZORA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/demo-datasets/zora");

pub(crate) struct Api {
    http: reqwest::Client,
    url: Url,
    token: String,
}

impl Api {
    pub(crate) fn of(server: &Server) -> Self {
        Self::new(server.url.clone(), server.token.clone())
    }

    pub(crate) fn new(url: Url, token: String) -> Self {
        Self {
            http: reqwest::Client::new(),
            url,
            token,
        }
    }

    /// The same user at a server that was started again.
    pub(crate) fn at(&self, server: &Server) -> Self {
        Self {
            url: server.url.clone(),
            http: self.http.clone(),
            token: self.token.clone(),
        }
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.request(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        self.request(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) {
        let request = self.http.delete(self.url.join(path).unwrap());
        let answer = request.bearer_auth(&self.token).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
    }

    pub(crate) async fn bytes(&self, address: &str) -> Vec<u8> {
        let url = self.url.join(address).unwrap();
        let is_ours = url.origin() == self.url.origin();
        let mut request = self.http.get(url);
        // A bucket's signed address is the permission itself.
        if is_ours {
            request = request.bearer_auth(&self.token);
        }
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{address}: {}", answer.status());
        answer.bytes().await.unwrap().to_vec()
    }

    /// Uploads the first `n` pictures of the demo dataset; its id.
    pub(crate) async fn upload(&self, n: usize) -> Value {
        let dataset = self.post("/api/v1/datasets", json!({ "name": "Zora" })).await;
        let id = dataset["id"].as_str().unwrap();
        let mut form = Form::new();
        for stem in (0..n).map(|index| format!("{index:03}")) {
            for name in [format!("{stem}.png"), format!("{stem}.txt")] {
                let bytes = std::fs::read(format!("{ZORA}/{name}")).unwrap();
                form = form.part("files", Part::bytes(bytes).file_name(name));
            }
        }
        let request = self
            .http
            .post(self.url.join(&format!("/api/v1/datasets/{id}/items")).unwrap());
        let answer = request
            .bearer_auth(&self.token)
            .multipart(form)
            .send()
            .await
            .unwrap();
        let report: Value = answer.json().await.unwrap();
        assert_eq!(report["accepted"].as_array().unwrap().len(), n, "{report}");
        dataset["id"].clone()
    }

    /// Sends a form with files; the answer, or the problem.
    pub(crate) async fn send_form(&self, path: &str, form: Form) -> Value {
        let request = self.http.post(self.url.join(path).unwrap());
        let request = request.bearer_auth(&self.token).multipart(form);
        request.send().await.unwrap().json().await.unwrap()
    }

    /// Starts a small job; its id.
    pub(crate) async fn start_job(&self, dataset: &Value, parameters: Value) -> String {
        let request = json!({
            "dataset_id": dataset,
            "base_model": "tiny-xl",
            "name": "zora",
            "trigger_word": "zora",
            "parameters": parameters,
        });
        let job = self.post("/api/v1/jobs", request).await;
        job["id"].as_str().unwrap().to_owned()
    }

    /// Waits until the job has ended; the job.
    pub(crate) async fn ended(&self, job: &str) -> Value {
        let path = format!("/api/v1/jobs/{job}");
        let ends = ["succeeded", "failed", "stopped", "cancelled"];
        self.wait_for(&path, |job| ends.contains(&job["phase"].as_str().unwrap()))
            .await
    }

    /// Waits until a picture is drawn; the generation.
    pub(crate) async fn generated(&self, request: Value) -> Value {
        let generation = self.post("/api/v1/generations", request).await;
        let path = format!(
            "/api/v1/generations/{}?wait_seconds=10",
            generation["id"].as_str().unwrap()
        );
        let ended =
            |generation: &Value| ["succeeded", "failed"].contains(&generation["phase"].as_str().unwrap());
        let generation = self.wait_for(&path, ended).await;
        assert_eq!(generation["phase"], "succeeded", "{generation}");
        generation
    }

    /// Asks for `path` until the answer is as it should be. A server that is down for a moment is asked again.
    pub(crate) async fn wait_for(&self, path: &str, is_right: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        let mut last = Value::Null;
        while start.elapsed() < DEADLINE {
            let request = self
                .http
                .get(self.url.join(path).unwrap())
                .bearer_auth(&self.token);
            if let Ok(answer) = request.send().await
                && let Ok(value) = answer.json().await
            {
                last = value;
                if is_right(&last) {
                    return last;
                }
            }
            sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("waited too long for {path}: {last}");
    }

    async fn request(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let name = format!("{method} {path}");
        let mut request = self
            .http
            .request(method, self.url.join(path).unwrap())
            .bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{name}: {status}: {text}");
        serde_json::from_str(&text).unwrap()
    }
}
