//! Measures the peak memory of this program together with the agents that it started.

use std::{collections::HashMap, time::Duration};

use procfs::process::all_processes;
use tokio::task::JoinHandle;

/// Watches this process and its descendants until it is asked for the peak.
pub(crate) struct PeakMemory {
    watcher: JoinHandle<()>,
    peak_bytes: std::sync::Arc<std::sync::atomic::AtomicU64>,
}

const INTERVAL: Duration = Duration::from_millis(200);

impl PeakMemory {
    /// Starts watching.
    pub(crate) fn watch() -> Self {
        use std::sync::{
            Arc,
            atomic::{AtomicU64, Ordering},
        };
        let peak_bytes = Arc::new(AtomicU64::new(0));
        let shared = Arc::clone(&peak_bytes);
        let watcher = tokio::spawn(async move {
            let mut interval = tokio::time::interval(INTERVAL);
            loop {
                interval.tick().await;
                shared.fetch_max(family_peak_bytes(std::process::id()), Ordering::Relaxed);
            }
        });
        Self { watcher, peak_bytes }
    }

    /// The largest sum that was seen.
    pub(crate) fn peak_bytes(&self) -> u64 {
        use std::sync::atomic::Ordering;
        self.peak_bytes
            .fetch_max(family_peak_bytes(std::process::id()), Ordering::Relaxed);
        self.peak_bytes.load(Ordering::Relaxed)
    }
}

impl Drop for PeakMemory {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}

/// Sum of the high-water marks of a process and its living descendants.
///
/// Each process's mark is its own maximum, so the sum is never below what they held at one moment.
fn family_peak_bytes(root: u32) -> u64 {
    let processes = processes();
    let mut family = vec![root];
    let mut index = 0;
    while index < family.len() {
        let parent = family[index];
        family.extend(
            processes
                .iter()
                .filter(|(_, process)| process.parent == parent)
                .map(|(id, _)| *id),
        );
        index += 1;
    }
    family
        .iter()
        .filter_map(|id| processes.get(id))
        .map(|process| process.peak_bytes)
        .sum()
}

/// The living child processes of a process.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    let processes = processes();
    let children = processes.iter().filter(|(_, process)| process.parent == parent);
    children.map(|(id, _)| *id).collect()
}

struct Usage {
    parent: u32,
    peak_bytes: u64,
}

/// The living processes, by their numbers.
fn processes() -> HashMap<u32, Usage> {
    let processes = all_processes().into_iter().flatten().flatten();
    let usages = processes.filter_map(|process| {
        let status = process.status().ok()?;
        let usage = Usage {
            parent: status.ppid.cast_unsigned(),
            // Absent for kernel threads.
            peak_bytes: status.vmhwm.unwrap_or(0) * 1024,
        };
        Some((process.pid().cast_unsigned(), usage))
    });
    usages.collect()
}

#[cfg(test)]
mod tests {
    use super::family_peak_bytes;

    #[test]
    fn a_child_counts() {
        let alone = family_peak_bytes(std::process::id());
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let together = family_peak_bytes(std::process::id());
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(together > alone, "{together} > {alone}");
    }
}
