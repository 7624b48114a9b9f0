//! Metrics of the server, for `/metrics`.

use procfs::process::Process;
use prometheus::{
    IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, Result, TextEncoder, core::Collector,
};
use protocol::{
    drawing::DrawingPhase,
    notice::DeliveryState,
    phase::Phase,
    system::{DiskStatus, FolderStatus},
};
use store::jobs::Tally;

/// Prefix of every name.
const PREFIX: &str = "morpheus";

/// Metrics of each folder whose disk is watched: name, help, value.
const OF_FOLDERS: [(&str, &str, fn(&FolderStatus) -> u64); 3] = [
    (
        "disk_free_bytes",
        "Free bytes on the disk of each folder.",
        |folder| folder.free_bytes,
    ),
    (
        "disk_min_free_bytes",
        "Work pauses below this many free bytes.",
        |folder| folder.min_free_bytes,
    ),
    ("disk_short", "1 while work waits for disk space.", |folder| {
        folder.is_short.into()
    }),
];

/// Counted since the start.
#[derive(Debug)]
pub(crate) struct Counters {
    registry: Registry,
    /// Responses by the first digit of their status, from 1 to 5.
    answers: [IntCounter; 5],
    websockets: IntGauge,
    slow_readers: IntCounter,
}

impl Default for Counters {
    fn default() -> Self {
        Self::new().expect("each name is valid and used once")
    }
}

impl Counters {
    fn new() -> Result<Self> {
        let registry = registry()?;
        let answers = Opts::new("http_answers_total", "Responses by status class.");
        let answers = register(&registry, IntCounterVec::new(answers, &["status"])?)?;
        let websockets = IntGauge::new("websockets", "Open WebSockets.")?;
        let slow_readers = IntCounter::new(
            "slow_readers_total",
            "WebSockets closed because their client did not read.",
        )?;
        Ok(Self {
            answers: ["1xx", "2xx", "3xx", "4xx", "5xx"].map(|class| answers.with_label_values(&[class])),
            websockets: register(&registry, websockets)?,
            slow_readers: register(&registry, slow_readers)?,
            registry,
        })
    }

    pub(crate) fn answered(&self, status: u16) {
        if let Some(counter) = usize::from(status / 100)
            .checked_sub(1)
            .and_then(|class| self.answers.get(class))
        {
            counter.inc();
        }
    }

    /// Counts a WebSocket for as long as the returned guard lives.
    pub(crate) fn socket(&self) -> OpenSocket<'_> {
        self.websockets.inc();
        OpenSocket(self)
    }

    pub(crate) fn slow_reader(&self) {
        self.slow_readers.inc();
    }
}

/// A WebSocket that counts as open.
pub(crate) struct OpenSocket<'a>(&'a Counters);

impl Drop for OpenSocket<'_> {
    fn drop(&mut self) {
        self.0.websockets.dec();
    }
}

/// The metrics in Prometheus text format: what was counted, and the present state.
pub(crate) fn prometheus(
    counters: &Counters,
    jobs: &[Tally],
    drawing: &[(DrawingPhase, u64)],
    deliveries: &[(DeliveryState, u64)],
    disk: &DiskStatus,
) -> Result<String> {
    let now = registry()?;
    let by_phase = Phase::ALL.map(|phase| {
        let n_jobs = jobs.iter().find(|tally| tally.phase == phase);
        (phase.as_str(), n_jobs.map_or(0, |tally| tally.n_jobs))
    });
    gauges(&now, ("jobs", "Jobs by phase."), "phase", by_phase)?;
    let by_phase = DrawingPhase::ALL.map(|phase| {
        let n_sessions = drawing.iter().find(|(of, _)| *of == phase);
        (phase.as_str(), n_sessions.map_or(0, |(_, n)| *n))
    });
    let about = ("drawing_sessions", "Rented machines for pictures by phase.");
    gauges(&now, about, "phase", by_phase)?;
    let by_state = DeliveryState::ALL.map(|state| {
        let n_deliveries = deliveries.iter().find(|(of, _)| *of == state);
        (state.as_str(), n_deliveries.map_or(0, |(_, n)| *n))
    });
    let about = (
        "deliveries",
        "Notices to webhooks and by mail of the last 30 days, by state.",
    );
    gauges(&now, about, "state", by_state)?;
    let events = IntCounter::new("job_events_total", "Events of all jobs.")?;
    events.inc_by(jobs.iter().map(|tally| tally.n_events).sum());
    register(&now, events)?;
    for (name, help, value) in OF_FOLDERS {
        let folders = disk.folders.iter();
        let values = folders.map(|folder| (folder.name.as_str(), value(folder)));
        gauges(&now, (name, help), "folder", values)?;
    }
    if let Some(bytes) = resident_bytes() {
        let memory = IntGauge::new(
            "process_resident_memory_bytes",
            "Resident memory of this process.",
        )?;
        memory.set(whole(bytes));
        register(&now, memory)?;
    }
    let mut families = counters.registry.gather();
    families.extend(now.gather());
    TextEncoder::new().encode_to_string(&families)
}

fn registry() -> Result<Registry> {
    Registry::new_custom(Some(PREFIX.to_owned()), None)
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

/// A gauge for each value of a label.
fn gauges<'a>(
    registry: &Registry,
    (name, help): (&str, &str),
    label: &str,
    values: impl IntoIterator<Item = (&'a str, u64)>,
) -> Result<()> {
    let gauges = register(registry, IntGaugeVec::new(Opts::new(name, help), &[label])?)?;
    for (of, value) in values {
        gauges.with_label_values(&[of]).set(whole(value));
    }
    Ok(())
}

fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Resident memory of this process.
fn resident_bytes() -> Option<u64> {
    let status = Process::myself().ok()?.status().ok()?;
    Some(status.vmrss? * 1024)
}
