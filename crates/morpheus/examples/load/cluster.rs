//! The server under load, and the jobs whose agents are played here.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use protocol::{
    agent::{
        AgentEvent, Assignment, ClaimReply, ClaimRequest, Heartbeat, HeartbeatReply, Report, Work, WorkKind,
    },
    event::StepMetrics,
};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Mutex;

/// In place of an agent: leaves its token for us, and waits to be ended.
const STAND_IN: &str = "#!/bin/sh\n\
    mkdir -p \"$MORPHEUS_WORK/tokens\"\n\
    printf %s \"$MORPHEUS_TOKEN\" > \"$MORPHEUS_WORK/$$\"\n\
    mv \"$MORPHEUS_WORK/$$\" \"$MORPHEUS_WORK/tokens/\"\n\
    exec sleep 3600\n";

/// Pictures of the demo dataset.
const ZORA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/demo-datasets/zora");

pub(crate) struct Cluster {
    server: Child,
    pub(crate) url: String,
    pub(crate) token: String,
    pub(crate) http: reqwest::Client,
    folder: TempDir,
    _database: sim::postgres::Database,
}

impl Cluster {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let stand_in = folder.path().join("stand-in");
        fs::write(&stand_in, STAND_IN)?;
        fs::set_permissions(&stand_in, fs::Permissions::from_mode(0o755))?;
        let database = sim::postgres::Database::shared()?;
        let mut server = Command::new(morpheus()?)
            .args(["serve", "--json", "--listen", "127.0.0.1:0"])
            .args(["--database", &database.url(), "--queue", &sim::redis::shared()?])
            .args(["--max-running", &format!("local={}", super::sockets::N_JOBS)])
            .arg("--agent-program")
            .arg(&stand_in)
            .arg("--data")
            .arg(folder.path().join("data"))
            .env("MORPHEUS_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .context("failed to start the server")?;
        let stdout = server.stdout.as_mut().context("no standard output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let ready: Value = serde_json::from_str(&line).context("the server did not start")?;
        let text = |name: &str| ready[name].as_str().unwrap_or_default().to_owned();
        let login = text("login_url");
        let secret = login
            .split_once("token=")
            .context("the server printed no login address")?
            .1;
        let (http, url) = (reqwest::Client::new(), text("url"));
        Ok(Self {
            server,
            token: api_token(&http, &url, secret).await?,
            url,
            http,
            folder,
            _database: database,
        })
    }

    /// A new dataset; its id.
    pub(crate) async fn dataset(&self, name: &str) -> anyhow::Result<String> {
        let dataset = self.post("/api/v1/datasets", &json!({ "name": name })).await?;
        Ok(dataset["id"].as_str().context("a dataset has an id")?.to_owned())
    }

    /// Uploads files; how many were accepted.
    pub(crate) async fn upload(&self, dataset: &str, files: Vec<(String, Vec<u8>)>) -> anyhow::Result<usize> {
        let form = files.into_iter().fold(Form::new(), |form, (name, bytes)| {
            form.part("files", Part::bytes(bytes).file_name(name))
        });
        let url = format!("{}/api/v1/datasets/{dataset}/items", self.url);
        let answer = self
            .http
            .post(url)
            .bearer_auth(&self.token)
            .multipart(form)
            .send()
            .await?;
        let report: Value = answer.error_for_status()?.json().await?;
        Ok(report["accepted"].as_array().map_or(0, Vec::len))
    }

    /// Makes jobs and claims them, as their agents would.
    pub(crate) async fn agents(&self, n: usize) -> anyhow::Result<Vec<Agent>> {
        let dataset = self.dataset("zora").await?;
        let picture = |n: usize| -> anyhow::Result<_> {
            let name = format!("{n:03}.png");
            Ok((name.clone(), fs::read(format!("{ZORA}/{name}"))?))
        };
        self.upload(&dataset, (0..3).map(picture).collect::<Result<_, _>>()?)
            .await?;
        for n in 0..n {
            let job = json!({
                "dataset_id": dataset, "base_model": "tiny-xl", "name": format!("job {n}"),
                "parameters": { "n_steps": 100_000, "rank": 4 },
            });
            self.post("/api/v1/jobs", &job).await?;
        }
        let mut agents = Vec::new();
        for token in self.wait_for_tokens(n).await? {
            agents.push(Agent::claim(self, token).await?);
        }
        Ok(agents)
    }

    async fn wait_for_tokens(&self, n: usize) -> anyhow::Result<Vec<String>> {
        let tokens = self.folder.path().join("data/agent/tokens");
        let start = Instant::now();
        loop {
            let files: Vec<PathBuf> = fs::read_dir(&tokens)
                .map(|files| files.flatten().map(|file| file.path()).collect())
                .unwrap_or_default();
            if files.len() >= n {
                return files.iter().map(|file| Ok(fs::read_to_string(file)?)).collect();
            }
            ensure!(
                start.elapsed() < Duration::from_secs(120),
                "only {} agents were started",
                files.len()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self
            .http
            .post(format!("{}{path}", self.url))
            .bearer_auth(&self.token);
        let answer = request.json(body).send().await?;
        let status = answer.status();
        let body: Value = answer.json().await?;
        ensure!(status.is_success(), "{path}: {status}: {body}");
        Ok(body)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let children = rustix::process::Pid::from_child(&self.server);
        for agent in agents_of(children.as_raw_nonzero().get()) {
            let _ = rustix::process::kill_process(agent, rustix::process::Signal::KILL);
        }
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Processes that a process started.
fn agents_of(parent: i32) -> Vec<rustix::process::Pid> {
    let wanted = format!("PPid:\t{parent}\n");
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id: &i32| {
        fs::read_to_string(format!("/proc/{id}/status")).is_ok_and(|status| status.contains(&wanted))
    })
    .filter_map(rustix::process::Pid::from_raw)
    .collect()
}

/// The binary beside this program's folder.
fn morpheus() -> anyhow::Result<PathBuf> {
    let ourselves = std::env::current_exe()?;
    let folder = ourselves
        .parent()
        .and_then(Path::parent)
        .context("this program lies in a folder")?;
    let path = folder.join("morpheus");
    ensure!(
        path.exists(),
        "`{}` is missing: run `cargo build`",
        path.display()
    );
    Ok(path)
}

/// An agent that is played here.
pub(crate) struct Agent {
    http: reqwest::Client,
    heartbeats: String,
    token: String,
    fence: i64,
    pub(crate) job: String,
    next: Mutex<Next>,
}

/// What comes next.
struct Next {
    event: u64,
    step: u32,
}

impl Agent {
    async fn claim(cluster: &Cluster, token: String) -> anyhow::Result<Self> {
        let request = ClaimRequest {
            kinds: vec![WorkKind::Train],
            wait_seconds: 10,
            machine: Some(agent::machine::describe(None, Vec::new(), false, false)),
        };
        let url = format!("{}/api/v1/agent", cluster.url);
        let http = reqwest::Client::new();
        let answer = http
            .post(format!("{url}/claim"))
            .bearer_auth(&token)
            .json(&request)
            .send()
            .await?;
        let reply: ClaimReply = answer.error_for_status()?.json().await?;
        let Assignment {
            attempt_id,
            fence,
            work,
            ..
        } = reply.assignment.context("the server had no work")?;
        let Work::Train(work) = work else {
            anyhow::bail!("the work is no training");
        };
        Ok(Self {
            http,
            heartbeats: format!("{url}/attempts/{attempt_id}/heartbeat"),
            token,
            fence,
            job: work.job_id.to_string(),
            next: Mutex::new(Next { event: 1, step: 1 }),
        })
    }

    /// Reports so many steps in one batch, and says the number of the first when it begins.
    pub(crate) async fn report(&self, n_steps: u32, at_begin: impl FnOnce(u32)) -> anyhow::Result<()> {
        let mut next = self.next.lock().await;
        let events = (0..n_steps).map(|n| AgentEvent {
            n: next.event + u64::from(n),
            at: chrono::Utc::now(),
            report: Report::Step(step(next.step + n)),
        });
        let heartbeat = Heartbeat {
            fence: self.fence,
            events: events.collect(),
        };
        at_begin(next.step);
        let request = self.http.post(&self.heartbeats).bearer_auth(&self.token);
        let answer = request.json(&heartbeat).send().await?.error_for_status()?;
        let reply: HeartbeatReply = answer.json().await?;
        next.event += u64::from(n_steps);
        next.step += n_steps;
        ensure!(reply.acknowledged + 1 == next.event, "some events were not taken");
        Ok(())
    }
}

fn step(step: u32) -> StepMetrics {
    StepMetrics {
        step,
        n_steps: 100_000,
        epoch: 1,
        n_epochs: 1,
        loss: 1.0 / f64::from(step),
        average_loss: 1.0 / f64::from(step),
        learning_rate: 1e-4,
        gradient_norm: 1.0,
        step_ms: 100.0,
        eta_seconds: 1.0,
    }
}

/// Signs in with a login address, as a browser does, and makes an API token.
async fn api_token(http: &reqwest::Client, url: &str, secret: &str) -> anyhow::Result<String> {
    let signed_in = http
        .post(format!("{url}/login"))
        .json(&json!({ "token": secret }))
        .send()
        .await?;
    let cookie = signed_in.error_for_status()?.headers()["set-cookie"].clone();
    let made = http
        .post(format!("{url}/api/v1/tokens"))
        .header("cookie", cookie.to_str()?.split(';').next().unwrap_or_default())
        .json(&json!({ "name": "load" }))
        .send()
        .await?;
    let made: Value = made.error_for_status()?.json().await?;
    Ok(made["secret"]
        .as_str()
        .context("a token has a secret")?
        .to_owned())
}
