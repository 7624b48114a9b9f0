//! Wake-up calls within this process: they say that looking at the database is worth it, and nothing more.
//!
//! A lost call is made up for by the reconcilers' timer, a doubled one is harmless.

use std::sync::Arc;

use protocol::{GenerationId, JobId};
use tokio::sync::{broadcast, watch};

/// Something in the database changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A job has events up to `seq`.
    Job {
        /// The job.
        id: JobId,
        /// Number of its newest event.
        seq: i64,
    },
    /// A generation moved to another phase.
    Generation(GenerationId),
}

/// A slow follower that missed this many changes is told to read everything again.
const CAPACITY: usize = 4096;

/// Wakes reconcilers, waiting agents and followers of events. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Signals {
    work: Arc<watch::Sender<u64>>,
    changes: broadcast::Sender<Change>,
}

impl Default for Signals {
    fn default() -> Self {
        Self {
            work: Arc::new(watch::Sender::new(0)),
            changes: broadcast::Sender::new(CAPACITY),
        }
    }
}

impl Signals {
    /// There may be something to do: wakes reconcilers and agents that wait for work.
    pub fn wake(&self) {
        self.work.send_modify(|n| *n = n.wrapping_add(1));
    }

    /// Waits for calls of [`wake`](Self::wake) that come after this one.
    pub fn on_wake(&self) -> Wakeups {
        Wakeups(self.work.subscribe())
    }

    /// Follows one job's events.
    pub fn subscribe(&self, job: JobId) -> JobFollower {
        JobFollower {
            job,
            changes: self.changes.subscribe(),
        }
    }

    /// Follows every change.
    pub fn subscribe_all(&self) -> Follower {
        Follower(self.changes.subscribe())
    }

    /// Tells followers of a change that is committed.
    pub(crate) fn changed(&self, change: Change) {
        // Nobody following is no error.
        let _ = self.changes.send(change);
    }
}

/// Waits for wake-up calls.
#[derive(Debug)]
pub struct Wakeups(watch::Receiver<u64>);

impl Wakeups {
    /// Returns at once if there was a call since the last return (or since this was made).
    pub async fn wait(&mut self) {
        if self.0.changed().await.is_err() {
            // All senders are gone: the process is ending, and nobody will call again.
            std::future::pending::<()>().await;
        }
    }
}

/// Follows one job's events: subscribe, read the database, then wait and read again.
#[derive(Debug)]
pub struct JobFollower {
    job: JobId,
    changes: broadcast::Receiver<Change>,
}

impl JobFollower {
    /// Waits until the job may have new events.
    pub async fn changed(&mut self) {
        loop {
            match self.changes.recv().await {
                Ok(Change::Job { id, .. }) if id == self.job => return,
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(_)) => return,
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

/// Follows every change.
#[derive(Debug)]
pub struct Follower(broadcast::Receiver<Change>);

impl Follower {
    /// The next change; `None` when some were missed, so that everything followed must be read again.
    pub async fn next(&mut self) -> Option<Change> {
        match self.0.recv().await {
            Ok(change) => Some(change),
            Err(broadcast::error::RecvError::Lagged(_)) => None,
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}
