//! The processes below the supervisor: it reaps all of them, also those whose parents have gone, as a container's first
//! process must.

use std::{
    fs, io,
    process::{Command, Stdio},
    time::Duration,
};

use rustix::{
    io::Errno,
    process::{
        Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, kill_process_group, set_child_subreaper,
        wait,
    },
};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep_until, timeout_at},
};

/// Processes that were killed end within this time, unless they hang in the kernel.
const KILL_TIME: Duration = Duration::from_secs(2);

/// All children of this process. Nothing else in it may wait for one.
#[derive(Debug)]
pub struct Children {
    ended: tokio::signal::unix::Signal,
}

/// A process that this one has started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process(Pid);

impl Process {
    /// Sends it a signal.
    pub fn signal(self, signal: Signal) {
        // It may have ended by itself at this moment.
        let _ = kill_process(self.0, signal);
    }

    /// Kills its whole group, which it must be the leader of.
    pub fn kill_group(self) {
        let _ = kill_process_group(self.0, Signal::KILL);
    }
}

impl Children {
    /// Makes this process the parent of all below it whose own parents end. Call from within a Tokio runtime.
    ///
    /// # Errors
    /// If the kernel does not allow it.
    pub fn adopt() -> io::Result<Self> {
        set_child_subreaper(Some(getpid()))?;
        Ok(Self {
            ended: signal(SignalKind::child())?,
        })
    }

    /// Starts a process; its output is the caller's to read.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(&self, command: &mut Command) -> io::Result<(Process, std::process::Child)> {
        let child = command.spawn()?;
        let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let id = id.ok_or_else(|| io::Error::other("a process without a number"))?;
        Ok((Process(id), child))
    }

    /// The next process that has ended. It is reaped only when this returns.
    pub async fn next_end(&mut self) -> (Process, WaitStatus) {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((id, status))) => return (Process(id), status),
                Err(Errno::INTR) => {}
                Ok(None) | Err(_) => {
                    self.ended.recv().await;
                }
            }
        }
    }

    /// Runs a program to its end, and kills it when that takes longer than `limit`. `None` says that it was killed.
    ///
    /// # Errors
    /// If it cannot be started.
    pub async fn run(&mut self, command: &mut Command, limit: Duration) -> io::Result<Option<WaitStatus>> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let (process, _) = self.start(command)?;
        let end = Instant::now() + limit;
        while let Ok((ended, status)) = timeout_at(end, self.next_end()).await {
            if ended == process {
                return Ok(Some(status));
            }
        }
        process.signal(Signal::KILL);
        Ok(None)
    }

    /// Kills everything below this process.
    pub async fn end_all(&mut self) {
        let end = Instant::now() + KILL_TIME;
        // What a killed process leaves behind becomes a child of this one, and is found in the next round.
        while Instant::now() < end && has_children() {
            for child in children() {
                let _ = kill_process(child, Signal::KILL);
            }
            tokio::select! {
                _ = self.next_end() => {}
                () = sleep_until(end) => {}
            }
        }
    }
}

fn has_children() -> bool {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(None) => return true,
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

fn children() -> Vec<Pid> {
    let me = getpid().as_raw_nonzero().to_string();
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let ids = entries.flatten().filter_map(|entry| {
        let id: i32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        // `id (name) state parent …`, and the name may hold anything.
        let (_, rest) = stat.rsplit_once(')')?;
        let parent = rest.split_whitespace().nth(1)?;
        (parent == me).then_some(id)
    });
    ids.filter_map(Pid::from_raw).collect()
}
