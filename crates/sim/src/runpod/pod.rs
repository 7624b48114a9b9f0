//! A pod: what was asked for, how far it has come, and what happens to it next.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, SecondsFormat, Utc};
use protocol::MicroUsd;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{catalogue::Cloud, clock::seconds, dollars, faults::Death, meter::Meter};

/// The provider keeps this many lines.
const MOST_LINES: usize = 5_000;

/// What `POST /v2/pods` asked for, after its contract was checked.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wanted {
    pub(super) name: String,
    #[serde(default)]
    pub(super) image: String,
    #[serde(default)]
    pub(super) args: String,
    #[serde(default = "default_disk")]
    pub(super) disk: u32,
    #[serde(default)]
    pub(super) env: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) ports: Vec<String>,
    #[serde(default)]
    pub(super) registry: Option<String>,
    #[serde(default)]
    pub(super) cloud: Cloud,
    pub(super) gpu: Option<WantedGpu>,
    pub(super) cpu: Option<Value>,
    #[serde(default)]
    pub(super) data_center_ids: Vec<String>,
    #[serde(default)]
    pub(super) mounts: Mounts,
    #[serde(default)]
    pub(super) global_networking: bool,
    pub(super) template_id: Option<String>,
}

fn default_disk() -> u32 {
    20
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WantedGpu {
    pub(super) id: String,
    pub(super) count: Option<u32>,
    #[serde(default)]
    pub(super) allowed_cuda_versions: Vec<String>,
    pub(super) min_cuda_version: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mounts {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) persistent: Option<Persistent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) network: Option<Vec<Network>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Persistent {
    pub(super) size: u32,
    pub(super) path: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Network {
    pub(super) volume_id: String,
    pub(super) path: String,
}

/// How far a pod has come. A terminated one is kept for its bill, and shown to nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Provisioning,
    Starting,
    Running,
    Exited,
    Error,
    Terminated,
}

/// What happens to a pod at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Happening {
    Allocated,
    Pulled,
    ContainerStarts,
    ContainerEnds,
    Dies(Death),
    PriceChanges(u32),
    DeletionHappens,
}

#[derive(Debug)]
pub(super) struct Pod {
    pub(super) id: String,
    pub(super) account: usize,
    /// Its own key, good for itself alone.
    pub(super) key: String,
    pub(super) wanted: Wanted,
    pub(super) gpu: String,
    pub(super) gpu_count: u32,
    /// Where its GPUs come from.
    pub(super) place: String,
    pub(super) cuda_version: String,
    pub(super) phase: Phase,
    pub(super) locked: bool,
    /// What its GPUs cost in an hour while it is up.
    pub(super) price: MicroUsd,
    pub(super) meter: Meter,
    pub(super) created_at: DateTime<Utc>,
    pub(super) started_at: Option<DateTime<Utc>>,
    /// Since when its container runs.
    pub(super) container_since: Option<DateTime<Utc>>,
    /// Counts the starts of its container.
    pub(super) n_starts: u32,
    pub(super) exits_after_s: Option<u32>,
    pub(super) ignores_deletion: bool,
    pub(super) clock_skew_s: i64,
    pub(super) plan: Vec<(DateTime<Utc>, Happening)>,
    pub(super) log: Log,
}

/// Lines of a pod's container and of the system that runs it.
#[derive(Debug, Default)]
pub(super) struct Log {
    lines: VecDeque<Line>,
    n_lines: u64,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) number: u64,
    pub(super) at: DateTime<Utc>,
    pub(super) source: Source,
    pub(super) text: String,
}

/// Who wrote a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Source {
    Container,
    System,
}

impl Log {
    pub(super) fn write(&mut self, at: DateTime<Utc>, source: Source, text: impl Into<String>) {
        self.n_lines += 1;
        self.lines.push_back(Line {
            number: self.n_lines,
            at,
            source,
            text: text.into(),
        });
        if self.lines.len() > MOST_LINES {
            self.lines.pop_front();
        }
    }

    pub(super) fn lines(&self) -> impl DoubleEndedIterator<Item = &Line> {
        self.lines.iter()
    }
}

impl Pod {
    pub(super) fn is_gone(&self) -> bool {
        self.phase == Phase::Terminated
    }

    /// Whether it holds its GPUs.
    pub(super) fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Provisioning | Phase::Starting | Phase::Running)
    }

    pub(super) fn volume_gb(&self) -> u32 {
        self.wanted
            .mounts
            .persistent
            .as_ref()
            .map_or(0, |volume| volume.size)
    }

    /// Plans something, in place of what was planned of the same kind.
    pub(super) fn plan(&mut self, at: DateTime<Utc>, what: Happening) {
        self.plan.retain(|(_, planned)| *planned != what);
        self.plan.push((at, what));
    }

    pub(super) fn forget(&mut self, what: Happening) {
        self.plan.retain(|(_, planned)| *planned != what);
    }

    pub(super) fn next_happening(&self) -> Option<(DateTime<Utc>, Happening)> {
        self.plan.iter().min_by_key(|(at, _)| *at).copied()
    }

    /// What may be asked of it now.
    pub(super) fn actions(&self) -> &'static [&'static str] {
        match self.phase {
            Phase::Running => &["stop", "restart", "terminate"],
            Phase::Exited | Phase::Error => &["start", "terminate"],
            Phase::Provisioning | Phase::Starting => &["stop", "terminate"],
            Phase::Terminated => &[],
        }
    }

    fn status(&self) -> &'static str {
        match self.phase {
            Phase::Provisioning => "PROVISIONING",
            Phase::Starting => "STARTING",
            Phase::Running => "RUNNING",
            Phase::Exited => "EXITED",
            Phase::Error => "ERROR",
            Phase::Terminated => "TERMINATED",
        }
    }

    fn runtime(&self, now: DateTime<Utc>) -> Value {
        match (self.phase, self.container_since) {
            // Straight after its creation it is empty, later it is null until the pod runs.
            (Phase::Provisioning, _) if now < self.created_at + seconds(1) => json!({}),
            (Phase::Running, Some(since)) => json!({
                "uptime": (now - since).num_seconds(),
                "gpus": (0..self.gpu_count).map(|_| json!({"util": 97, "memoryUtil": 60})).collect::<Vec<_>>(),
                "cpu": {"util": 20},
                "memory": {"util": 30},
                "ports": [],
            }),
            (Phase::Running, None) => json!({}),
            _ => Value::Null,
        }
    }

    /// The pod as the provider shows it.
    pub(super) fn json(&self, now: DateTime<Utc>) -> Value {
        let wanted = &self.wanted;
        let cost = if self.is_up() { self.price } else { MicroUsd::ZERO };
        json!({
            "id": self.id,
            "name": wanted.name,
            "image": wanted.image,
            "args": wanted.args,
            "disk": wanted.disk,
            "ports": wanted.ports,
            "env": wanted.env,
            "registry": wanted.registry,
            "status": self.status(),
            "actions": self.actions(),
            "mounts": wanted.mounts,
            "gpu": {"id": self.gpu, "count": self.gpu_count},
            "cloud": wanted.cloud,
            "dataCenterId": (self.phase != Phase::Provisioning).then_some(&self.place),
            "cudaVersion": self.started_at.map(|_| &self.cuda_version),
            "ssh": {"proxy": null, "direct": null},
            "template": null,
            "cost": dollars(cost),
            "locked": self.locked,
            "runtime": self.runtime(now),
            "globalNetworking": {"enabled": wanted.global_networking},
            "createdAt": timestamp(self.created_at),
            "startedAt": self.started_at.map(timestamp),
        })
    }
}

/// A time as the provider writes it.
pub(super) fn timestamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
