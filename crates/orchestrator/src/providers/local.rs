//! The provider `local`: agents as child processes of the server, on its own machine.
//!
//! Agents outlive a server that crashes, and go on when it is back. The running agents are found in `/proc`, never
//! remembered: each agent carries the installation's and its own id in its environment, which its children inherit,
//! and leads a process group. A process that does not carry both is never touched.

mod logs;
mod proc;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use async_trait::async_trait;
use protocol::{environment, recipe::Engine};
use tokio::process::Command;
use uuid::Uuid;

use self::proc::{Group, SIGNATURE, Signature};
use super::{Instance, LaunchRequest, Provider, ProviderError, Purpose};
use fetch::Ranges;

/// Settings for agents on this machine.
#[derive(Debug, Clone)]
pub struct LocalOptions {
    /// The program: `morpheus` itself.
    pub program: PathBuf,
    /// Arguments before ours (`agent --server URL …`); empty for `morpheus`.
    pub first_args: Vec<OsString>,
    /// The address at which agents reach the server.
    pub server_url: String,
    /// Where their logs go, one file each.
    pub log_dir: PathBuf,
    /// Where they keep work in progress and cached files.
    pub work_dir: PathBuf,
    /// Distinguishes our instances from those of another installation on this machine: `Store::deployment`.
    pub deployment: Uuid,
    /// Distinguishes them from those of another server of the installation on this machine: `Store::server`.
    pub server: Uuid,
    /// Jobs that train at the same time.
    pub capacity: usize,
    /// Engines that they have.
    pub engines: Vec<Engine>,
    /// Where they may fetch base models from beside the public addresses.
    pub fetch_from: Ranges,
    /// Time between the request to end and the kill.
    pub grace: Duration,
}

/// Starts agents as child processes.
#[derive(Debug)]
pub struct Local {
    options: LocalOptions,
}

pub(crate) const NAME: &str = "local";

/// The only settings of the server that an agent gets; the others hold passwords. It downloads base models itself,
/// also from gated repositories.
const SETTINGS: [&str; 12] = [
    "HF_TOKEN",
    "MORPHEUS_LOG",
    "MORPHEUS_LOG_FORMAT",
    "MORPHEUS_BASE_CACHE_GB",
    "MORPHEUS_IGNORE_MEMORY",
    "MORPHEUS_JUDGE_SHARE",
    "MORPHEUS_DIFFUSERS_PYTHON",
    "MORPHEUS_KOHYA_DIR",
    "MORPHEUS_KOHYA_PYTHON",
    "MORPHEUS_KOHYA_PRECISION",
    "MORPHEUS_KOHYA_TOKENIZERS",
    "MORPHEUS_KOHYA_QUIET_SECONDS",
];

/// Logs of agents that ended are kept for this long, the newest ones.
const LOGS_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
const MAX_LOGS: usize = 200;

/// A killed process is gone within moments, unless the kernel itself waits for a disk.
const KILL_TIMEOUT: Duration = Duration::from_secs(10);

/// How much of a log's end is shown in a message.
const LAST_WORDS_BYTES: usize = 600;

impl Local {
    /// A provider for this machine.
    pub fn new(options: LocalOptions) -> Self {
        Self { options }
    }

    fn log_path(&self, id: Uuid) -> PathBuf {
        self.options.log_dir.join(format!("agent-{id}.log"))
    }

    fn spawn(&self, request: &LaunchRequest) -> io::Result<Instance> {
        let options = &self.options;
        fs::create_dir_all(&options.log_dir)?;
        fs::create_dir_all(&options.work_dir)?;
        logs::prune(&options.log_dir, LOGS_KEPT, MAX_LOGS - 1);
        let log = open_log(&self.log_path(request.id))?;
        let started_at = store::now();
        let signature = Signature {
            deployment: options.deployment,
            server: options.server,
            purpose: request.purpose,
            id: request.id,
            started_at,
        };
        let mut command = Command::new(&options.program);
        command
            .args(&options.first_args)
            .args(["agent", "--server", &options.server_url]);
        if request.purpose == Purpose::Generate {
            command.arg("--generate");
        }
        // An agent works with signed URLs; it must not get passwords and keys of the server.
        command
            .env_clear()
            .envs(environment::of_machine(std::env::vars_os(), &SETTINGS));
        let fetch_from: Vec<String> = options.fetch_from.iter().map(|range| range.to_string()).collect();
        if !fetch_from.is_empty() {
            command.env("MORPHEUS_ALLOW_FETCH_FROM", fetch_from.join(","));
        }
        command
            .env("MORPHEUS_TOKEN", &request.token)
            .env("MORPHEUS_WORK", &options.work_dir)
            .env(SIGNATURE, signature.to_string())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Its own group: Ctrl-C in the server's terminal does not reach it, and it ends as a whole.
            .process_group(0)
            .kill_on_drop(false);
        let mut child = command.spawn()?;
        let handle = child.id().ok_or_else(|| io::Error::other("it ended at once"))?;
        let id = request.id;
        // Collects the exit status, so that no zombie process stays.
        tokio::spawn(async move {
            match child.wait().await {
                Ok(status) => tracing::info!(instance.id = %id, %status, "agent ended"),
                Err(err) => tracing::warn!(instance.id = %id, error = %err, "agent cannot be waited for"),
            }
        });
        Ok(Instance {
            id: request.id,
            purpose: request.purpose,
            handle: handle.to_string(),
            started_at,
        })
    }

    /// Process groups that carry our installation's and our server's id.
    async fn groups(&self) -> Result<Vec<Group>, ProviderError> {
        let (deployment, server) = (self.options.deployment, self.options.server);
        tokio::task::spawn_blocking(move || proc::groups(deployment, server))
            .await
            .map_err(|err| failed("read the list of processes", err))?
            .map_err(|err| failed("read the list of processes", err))
    }
}

#[async_trait]
impl Provider for Local {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capacity(&self) -> usize {
        self.options.capacity
    }

    fn engines(&self) -> &[Engine] {
        &self.options.engines
    }

    async fn launch(&self, request: &LaunchRequest) -> Result<Instance, ProviderError> {
        self.spawn(request)
            .map_err(|err| failed(&format!("start `{}`", self.options.program.display()), err))
    }

    async fn list(&self) -> Result<Vec<Instance>, ProviderError> {
        // sd-scripts runs in a group of its own beside its agent's, under the same id.
        let groups = self.groups().await?.into_iter();
        let instances: BTreeMap<Uuid, Instance> = groups
            .map(|group| (group.signature.id, group.instance()))
            .collect();
        Ok(instances.into_values().collect())
    }

    async fn terminate(&self, instance: &Instance) -> Result<(), ProviderError> {
        for group in self.groups().await? {
            if group.signature.id == instance.id {
                group
                    .end(self.options.grace, KILL_TIMEOUT)
                    .await
                    .map_err(|err| failed(&format!("end the processes of instance {}", instance.id), err))?;
            }
        }
        Ok(())
    }

    async fn last_words(&self, id: Uuid) -> Option<String> {
        let log = tokio::fs::read(self.log_path(id)).await.ok()?;
        let end = log.len().saturating_sub(LAST_WORDS_BYTES);
        let text = String::from_utf8_lossy(&log[end..]);
        // The first line after the cut is incomplete.
        let text = match text.split_once('\n') {
            Some((_, rest)) if end > 0 => rest,
            _ => &text,
        };
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }
}

fn open_log(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
}

fn failed(doing: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ProviderError {
    ProviderError {
        provider: NAME,
        doing: doing.to_owned(),
        source: source.into(),
    }
}
