//! A small HTTP server for tests: answers every request by a function.

use std::sync::{Arc, Mutex};

use protocol::{
    AttemptId, GenerationId,
    agent::{Assignment, BaseLocation, GenerateWork, KnownOfBase, Work},
};
use reqwest::Url;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::client::Client;

/// A request as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) line: String,
    /// The other lines of its head.
    pub(crate) headers: Vec<String>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Listens on a free port until it is dropped.
pub(crate) struct FakeServer {
    pub(crate) url: Url,
    requests: Arc<Mutex<Vec<Request>>>,
    task: JoinHandle<()>,
}

impl FakeServer {
    /// Answers by `answer`, which gets the number of the request, from 0.
    pub(crate) async fn start(
        answer: impl Fn(usize, &Request) -> (u16, Vec<u8>) + Send + Sync + 'static,
    ) -> Self {
        Self::start_raw(move |n, request| {
            let (status, body) = answer(n, request);
            let mut whole = format!(
                "HTTP/1.1 {status} -\r\ncontent-length: {}\r\ncontent-type: application/json\r\n",
                body.len()
            )
            .into_bytes();
            whole.extend_from_slice(b"connection: close\r\n\r\n");
            whole.extend_from_slice(&body);
            whole
        })
        .await
    }

    /// Writes what `answer` returns as it is, and ends the connection.
    pub(crate) async fn start_raw(
        answer: impl Fn(usize, &Request) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap())
            .parse()
            .unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serve(stream, &seen, &answer).await;
            }
        });
        Self { url, requests, task }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.url.clone(), "token".into()).unwrap()
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    stream: TcpStream,
    seen: &Mutex<Vec<Request>>,
    answer: &(impl Fn(usize, &Request) -> Vec<u8> + Sync),
) {
    let mut stream = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        head.push(line.trim().to_owned());
    }
    let Some(line) = head.first().cloned() else { return };
    let length = head
        .iter()
        .find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length: ")?
                .parse()
                .ok()
        })
        .unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    let headers = head.split_off(1);
    let request = Request { line, headers, body };
    let reply = {
        let mut seen = seen.lock().unwrap();
        let reply = answer(seen.len(), &request);
        seen.push(request);
        reply
    };
    let _ = stream.write_all(&reply).await;
}

/// An attempt of a picture, for tests that do not look at what is made.
pub(crate) fn assignment() -> Assignment {
    let request = json!({
        "base_model": "tiny-xl", "prompt": "", "seed": 1, "n_steps": 4, "guidance": 1.0, "width": 64, "height": 64,
    });
    Assignment {
        attempt_id: AttemptId::new(),
        fence: 7,
        lease_seconds: 20,
        work: Work::Generate(GenerateWork {
            generation_id: GenerationId::new(),
            request: serde_json::from_value(request).unwrap(),
            base: BaseLocation::BuiltIn {
                name: "tiny-xl".into(),
            },
            base_known: KnownOfBase::default(),
            lora_files: Vec::new(),
        }),
        terms: None,
    }
}
