//! Finds agents among the processes of this machine by a variable in their environment.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fmt, io,
    os::fd::OwnedFd,
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use procfs::process::{Process, all_processes};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open},
};
use uuid::Uuid;

use crate::providers::{Instance, Purpose};

/// The environment variable that marks an agent and its children as ours.
pub(super) const SIGNATURE: &str = "MORPHEUS_INSTANCE";

/// What that variable holds: `deployment/server/purpose/id/started_at`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signature {
    pub(super) deployment: Uuid,
    pub(super) server: Uuid,
    pub(super) purpose: Purpose,
    pub(super) id: Uuid,
    pub(super) started_at: DateTime<Utc>,
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let purpose = match self.purpose {
            Purpose::Train => "train",
            Purpose::Generate => "generate",
        };
        let Self {
            deployment,
            server,
            id,
            ..
        } = self;
        write!(
            f,
            "{deployment}/{server}/{purpose}/{id}/{}",
            self.started_at.timestamp_micros()
        )
    }
}

impl FromStr for Signature {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('/');
        let mut part = || parts.next().ok_or(());
        Ok(Self {
            deployment: part()?.parse().map_err(|_| ())?,
            server: part()?.parse().map_err(|_| ())?,
            purpose: match part()? {
                "train" => Purpose::Train,
                "generate" => Purpose::Generate,
                _ => return Err(()),
            },
            id: part()?.parse().map_err(|_| ())?,
            started_at: DateTime::from_timestamp_micros(part()?.parse().map_err(|_| ())?).ok_or(())?,
        })
    }
}

/// The living processes of one agent.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) signature: Signature,
    leader: i32,
    members: Vec<i32>,
}

/// Groups of living processes that carry the id of this installation and of this server of it.
pub(super) fn groups(deployment: Uuid, server: Uuid) -> io::Result<Vec<Group>> {
    let mut groups: BTreeMap<i32, Group> = BTreeMap::new();
    // One that has ended meanwhile is none.
    for process in all_processes().map_err(io::Error::other)?.flatten() {
        let is_ours = |found: &Signature| found.deployment == deployment && found.server == server;
        let Some(signature) = signature(&process).filter(is_ours) else {
            continue;
        };
        let Some(leader) = group_of(&process) else {
            continue;
        };
        groups
            .entry(leader)
            .or_insert_with(|| Group {
                signature,
                leader,
                members: Vec::new(),
            })
            .members
            .push(process.pid());
    }
    Ok(groups.into_values().collect())
}

/// What a process carries; `None` when it is gone, is somebody else's, or carries nothing.
fn signature(process: &Process) -> Option<Signature> {
    let environment = process.environ().ok()?;
    environment.get(OsStr::new(SIGNATURE))?.to_str()?.parse().ok()
}

/// The process group of a living process.
fn group_of(process: &Process) -> Option<i32> {
    let stat = process.stat().ok()?;
    // What has ended and was not waited for yet lives no more.
    (!matches!(stat.state, 'Z' | 'X')).then_some(stat.pgrp)
}

impl Group {
    pub(super) fn instance(&self) -> Instance {
        Instance {
            id: self.signature.id,
            purpose: self.signature.purpose,
            handle: self.leader.to_string(),
            started_at: self.signature.started_at,
        }
    }

    /// Asks the processes to end, waits, then kills them; returns when they are gone.
    pub(super) async fn end(&self, grace: Duration, kill_timeout: Duration) -> io::Result<()> {
        // These handles refer to the same processes even if their ids are reused.
        let handles = Arc::new(self.handles()?);
        if !self.signal(Signal::TERM)? || all_gone(&handles, grace).await? {
            return Ok(());
        }
        tracing::warn!(instance.id = %self.signature.id, "agent does not end when asked to; killing it");
        if !self.signal(Signal::KILL)? || all_gone(&handles, kill_timeout).await? {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "it does not die"))
    }

    fn handles(&self) -> io::Result<Vec<OwnedFd>> {
        let mut handles = Vec::with_capacity(self.members.len());
        for pid in self.members.iter().copied().filter_map(Pid::from_raw) {
            match pidfd_open(pid, PidfdFlags::empty()) {
                Ok(handle) => handles.push(handle),
                Err(Errno::SRCH) => {}
                Err(err) => return Err(err.into()),
            }
        }
        Ok(handles)
    }

    /// Signals the group; false when nothing of ours is left in it.
    fn signal(&self, signal: Signal) -> io::Result<bool> {
        // Checked again immediately before: the ids may have been reused.
        let ours = |&pid: &i32| {
            Process::new(pid).is_ok_and(|process| {
                signature(&process).as_ref() == Some(&self.signature)
                    && group_of(&process) == Some(self.leader)
            })
        };
        let Some(leader) = Pid::from_raw(self.leader).filter(|_| self.members.iter().any(ours)) else {
            return Ok(false);
        };
        match kill_process_group(leader, signal) {
            Ok(()) => Ok(true),
            Err(Errno::SRCH) => Ok(false),
            Err(err) => Err(err.into()),
        }
    }
}

/// Waits until all of these processes have ended; false if some have not ended in time.
async fn all_gone(handles: &Arc<Vec<OwnedFd>>, within: Duration) -> io::Result<bool> {
    let handles = Arc::clone(handles);
    let deadline = Instant::now() + within;
    let wait = move || {
        for handle in handles.iter() {
            // A process's handle becomes readable when it ends.
            let mut events = [PollFd::new(handle, PollFlags::IN)];
            loop {
                let left = deadline.saturating_duration_since(Instant::now());
                let left = Timespec::try_from(left).map_err(io::Error::other)?;
                match poll(&mut events, Some(&left)) {
                    Ok(0) => return Ok(false),
                    Ok(_) => break,
                    Err(Errno::INTR) => {}
                    Err(err) => return Err(err.into()),
                }
            }
        }
        Ok(true)
    };
    tokio::task::spawn_blocking(wait)
        .await
        .map_err(io::Error::other)?
}
