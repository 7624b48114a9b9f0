//! Metrics of the server, for `/metrics`.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering},
};

use protocol::{
    job::Job,
    phase::Phase,
    system::{DiskStatus, FolderStatus},
};

/// Counted since the start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Answers by the first digit of their status, from 1 to 5.
    answers: [AtomicU64; 5],
    sockets_opened: AtomicU64,
    sockets_closed: AtomicU64,
    slow_readers: AtomicU64,
}

impl Counters {
    pub(crate) fn answered(&self, status: u16) {
        if let Some(counter) = usize::from(status / 100)
            .checked_sub(1)
            .and_then(|class| self.answers.get(class))
        {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a WebSocket for as long as the returned guard lives.
    pub(crate) fn socket(&self) -> OpenSocket<'_> {
        self.sockets_opened.fetch_add(1, Ordering::Relaxed);
        OpenSocket(self)
    }

    pub(crate) fn slow_reader(&self) {
        self.slow_readers.fetch_add(1, Ordering::Relaxed);
    }
}

/// A WebSocket that counts as open.
pub(crate) struct OpenSocket<'a>(&'a Counters);

impl Drop for OpenSocket<'_> {
    fn drop(&mut self) {
        self.0.sockets_closed.fetch_add(1, Ordering::Relaxed);
    }
}

/// The metrics in Prometheus text format.
pub(crate) fn prometheus(counters: &Counters, jobs: &[Job], disk: &DiskStatus) -> String {
    let mut text = String::new();
    let mut metric = |name: &str, kind: &str, help: &str, values: &[(String, u64)]| {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "# HELP morpheus_{name} {help}\n# TYPE morpheus_{name} {kind}"
        );
        for (labels, value) in values {
            let _ = writeln!(text, "morpheus_{name}{labels} {value}");
        }
    };
    let by_phase = Phase::ALL.map(|phase| {
        let n_jobs = jobs.iter().filter(|job| job.phase == phase).count();
        (format!("{{phase=\"{}\"}}", phase.as_str()), n_jobs as u64)
    });
    metric("jobs", "gauge", "Jobs by phase.", &by_phase);
    let n_events = jobs.iter().map(|job| job.last_seq.unsigned_abs()).sum();
    metric(
        "job_events_total",
        "counter",
        "Events of all jobs.",
        &[(String::new(), n_events)],
    );
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let answers: Vec<_> = counters
        .answers
        .iter()
        .enumerate()
        .map(|(class, counter)| (format!("{{status=\"{}xx\"}}", class + 1), read(counter)))
        .collect();
    metric(
        "http_answers_total",
        "counter",
        "Responses by status class.",
        &answers,
    );
    let n_open = read(&counters.sockets_opened).saturating_sub(read(&counters.sockets_closed));
    metric(
        "websockets",
        "gauge",
        "Open WebSockets.",
        &[(String::new(), n_open)],
    );
    metric(
        "slow_readers_total",
        "counter",
        "WebSockets closed because their client did not read.",
        &[(String::new(), read(&counters.slow_readers))],
    );
    let of_folders = |value: fn(&FolderStatus) -> u64| -> Vec<(String, u64)> {
        let folders = disk.folders.iter();
        folders
            .map(|folder| (format!("{{folder=\"{}\"}}", folder.name), value(folder)))
            .collect()
    };
    metric(
        "disk_free_bytes",
        "gauge",
        "Free bytes on the disk of each folder.",
        &of_folders(|folder| folder.free_bytes),
    );
    metric(
        "disk_min_free_bytes",
        "gauge",
        "Work pauses below this many free bytes.",
        &of_folders(|folder| folder.min_free_bytes),
    );
    metric(
        "disk_short",
        "gauge",
        "1 while work waits for disk space.",
        &of_folders(|folder| folder.is_short.into()),
    );
    if let Some(bytes) = resident_bytes() {
        metric(
            "process_resident_memory_bytes",
            "gauge",
            "Resident memory of this process.",
            &[(String::new(), bytes)],
        );
    }
    text
}

/// Memory of this process; known on Linux only.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib * 1024)
}
