//! The servers, and requests to any of them that last until one answers.

use std::{
    fs::File,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use reqwest::{Method, StatusCode};
use serde_json::Value;
use sim::{postgres::Database, redis::Redis};
use tempfile::TempDir;
use tokio::time::sleep;

use super::chaos::Dice;
use crate::{
    api::Api,
    support::{Server, kill, morpheus, wait_for},
};

pub(crate) const N_SERVERS: usize = 3;

/// All of it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Cluster(Arc<Inner>);

struct Inner {
    servers: Mutex<Vec<Option<Child>>>,
    ports: Vec<u16>,
    max_running: Vec<u64>,
    http: reqwest::Client,
    token: String,
    pub(crate) redis: Mutex<Redis>,
    redis_url: String,
    database: Database,
    folder: TempDir,
}

impl Cluster {
    /// Starts the servers, with so many agents between them.
    pub(crate) fn start(n_agents: u64) -> Self {
        let redis = Redis::start().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut inner = Inner {
            servers: Mutex::default(),
            ports: Vec::new(),
            max_running: (0..N_SERVERS as u64)
                .map(|n| (n_agents + n) / N_SERVERS as u64)
                .collect(),
            http: reqwest::Client::builder()
                .timeout(Duration::from_secs(20))
                .build()
                .unwrap(),
            token: String::new(),
            redis_url: redis.url(),
            redis: Mutex::new(redis),
            database: Database::shared().unwrap(),
            folder,
        };
        for n in 0..N_SERVERS {
            let (server, url, token) = Server::read_ready(inner.spawn(n, 0), None);
            inner.ports.push(url.port().unwrap());
            if let Some(token) = token {
                inner.token = token;
            }
            inner.servers.get_mut().unwrap().push(Some(server));
        }
        Self(Arc::new(inner))
    }

    pub(crate) fn redis(&self) -> std::sync::MutexGuard<'_, Redis> {
        self.0.redis.lock().unwrap()
    }

    /// Kills a server as a power cut would; its agents go on.
    pub(crate) fn kill_server(&self, n: usize) {
        if let Some(mut server) = self.0.servers.lock().unwrap()[n].take() {
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }

    /// Starts a server again where it was.
    pub(crate) fn start_server(&self, n: usize) {
        let port = self.0.ports[n];
        // Another program may have got the number for a connection of its own.
        wait_for("the server's port", || {
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()
        });
        let server = self.0.spawn(n, port);
        let (server, ..) = Server::read_ready(server, None);
        self.0.servers.lock().unwrap()[n] = Some(server);
    }

    /// Living agents of all servers, also of those that were killed.
    pub(crate) fn agents(&self) -> Vec<u32> {
        self.0.agents()
    }

    pub(crate) async fn upload(&self) -> Value {
        let url = format!("http://127.0.0.1:{}", self.0.ports[0]).parse().unwrap();
        Api::new(url, self.0.token.clone()).upload(3).await
    }

    pub(crate) async fn get(&self, dice: &Dice, path: &str) -> Value {
        let (status, body) = self.ask(dice, Method::GET, path, None).await;
        assert!(status.is_success(), "{path}: {status}: {body}");
        body
    }

    pub(crate) async fn post(&self, dice: &Dice, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask(dice, Method::POST, path, Some(body)).await;
        assert!(status.is_success(), "{path}: {status}: {answer}");
        answer
    }

    /// Whether the job is cancelled now, or had come to its end before.
    pub(crate) async fn cancel(&self, dice: &Dice, job: &str) -> bool {
        let path = format!("/api/v1/jobs/{job}/cancel");
        let (status, body) = self.ask(dice, Method::POST, &path, Some(&Value::Null)).await;
        assert!(
            status.is_success() || status == StatusCode::CONFLICT,
            "{path}: {status}: {body}"
        );
        status.is_success()
    }

    pub(crate) async fn events(&self, dice: &Dice, job: &str) -> Vec<Value> {
        let path = format!("/api/v1/jobs/{job}/events?limit=10000");
        self.get(dice, &path).await.as_array().unwrap().clone()
    }

    pub(crate) async fn wait_until_begun(&self, dice: &Dice, job: &str) {
        let begun = |job: &Value| !job["progress"].is_null() || !job["ended_at"].is_null();
        self.wait_until(dice, job, super::DEADLINE, begun).await;
    }

    pub(crate) async fn wait_until_ended(&self, dice: &Dice, job: &str, limit: Duration) {
        self.wait_until(dice, job, limit, |job| !job["ended_at"].is_null())
            .await;
    }

    async fn wait_until(&self, dice: &Dice, id: &str, limit: Duration, is_right: impl Fn(&Value) -> bool) {
        let start = Instant::now();
        loop {
            let job = self.get(dice, &format!("/api/v1/jobs/{id}")).await;
            if is_right(&job) {
                return;
            }
            assert!(start.elapsed() < limit, "waited too long: {job}");
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// The address of any server's socket, and the token for it.
    pub(crate) fn socket(&self, dice: &Dice, path: &str) -> (String, String) {
        let port = self.0.ports[dice.below(N_SERVERS)];
        (
            format!("ws://127.0.0.1:{port}{path}"),
            format!("Bearer {}", self.0.token),
        )
    }

    /// Asks one server after the other until one answers. What is asked for may be done twice.
    async fn ask(
        &self,
        dice: &Dice,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> (StatusCode, Value) {
        let start = Instant::now();
        loop {
            let port = self.0.ports[dice.below(N_SERVERS)];
            let url = format!("http://127.0.0.1:{port}{path}");
            let mut request = self
                .0
                .http
                .request(method.clone(), url)
                .bearer_auth(&self.0.token);
            if let Some(body) = body {
                request = request.json(body);
            }
            if let Some(answer) = wait_for_answer(request).await {
                return answer;
            }
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "no server answers {path}"
            );
        }
    }
}

/// The answer of a server that lives; after a pause, nothing.
async fn wait_for_answer(request: reqwest::RequestBuilder) -> Option<(StatusCode, Value)> {
    if let Ok(answer) = request.send().await
        && !answer.status().is_server_error()
    {
        let status = answer.status();
        if let Ok(body) = answer.json().await {
            return Some((status, body));
        }
    }
    sleep(Duration::from_millis(50)).await;
    None
}

impl Inner {
    fn data(&self, n: usize) -> PathBuf {
        self.folder.path().join(format!("server-{n}"))
    }

    fn spawn(&self, n: usize, port: u16) -> Child {
        let data = self.data(n);
        std::fs::create_dir_all(&data).unwrap();
        let log = File::options()
            .create(true)
            .append(true)
            .open(data.join("server.log"))
            .unwrap();
        let objects = format!("file://{}", self.folder.path().join("objects").display());
        let mut command = morpheus();
        command
            .args(["serve", "--json", "--listen", &format!("127.0.0.1:{port}")])
            .args(["--database", &self.database.url(), "--queue", &self.redis_url])
            .args(["--objects", &objects])
            .args(["--max-running", &format!("local={}", self.max_running[n])])
            .arg("--agent-program")
            .arg(pretend_agent())
            .arg("--data")
            .arg(data)
            .stdout(Stdio::piped())
            .stderr(log);
        command.spawn().unwrap()
    }

    fn agents(&self) -> Vec<u32> {
        let ours = self.folder.path().display().to_string();
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        ids.filter(|id: &u32| {
            let environment = std::fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
            let mut variables = environment.split(|byte| *byte == 0);
            variables.any(|variable| {
                let variable = String::from_utf8_lossy(variable);
                variable
                    .strip_prefix("MORPHEUS_WORK=")
                    .is_some_and(|work| work.starts_with(&ours))
            })
        })
        .collect()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for server in self.servers.get_mut().unwrap().iter_mut().flatten() {
            let _ = server.kill();
            let _ = server.wait();
        }
        self.agents().into_iter().for_each(kill);
        if std::thread::panicking() {
            let kept = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap()).keep();
            eprintln!("the servers' logs are in {}", kept.display());
        }
    }
}

/// The agent that only pretends to train, which Cargo builds along with the tests.
fn pretend_agent() -> PathBuf {
    let folder = Path::new(env!("CARGO_BIN_EXE_morpheus")).parent().unwrap();
    let path = folder.join("examples/pretend_agent");
    assert!(path.exists(), "{} is missing", path.display());
    path
}
