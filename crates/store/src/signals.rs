//! Wake-up calls: they say that looking at the database is worth it, and nothing more.
//!
//! Within a process they are channels. Where several servers share a database, a [`bus`] carries them from one
//! to the others: PostgreSQL's LISTEN and NOTIFY, or Redis Streams. A lost call is made up for by timers, a
//! doubled one is harmless.

mod bus;
mod postgres;
mod redis;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use protocol::{GenerationId, JobId};
use tokio::sync::{broadcast, mpsc, watch};

pub use self::bus::BusError;
pub(crate) use self::{
    bus::{Bus, Transport},
    postgres::PostgresTransport,
    redis::RedisTransport,
};

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

/// Calls that wait for the bus; more are dropped, and the others told that some were missed.
const BUS_CAPACITY: usize = 1024;

/// Wakes reconcilers, waiting agents and followers of events. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Signals {
    here: Arc<Hub>,
    others: Option<Outbox>,
}

/// What this process tells the other servers.
#[derive(Debug, Clone)]
struct Outbox {
    calls: mpsc::Sender<Call>,
    overflowed: Arc<AtomicBool>,
}

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Wake,
    Changed(Change),
}

/// The channels of this process.
#[derive(Debug)]
pub(crate) struct Hub {
    work: watch::Sender<u64>,
    /// `None`: some were missed.
    changes: broadcast::Sender<Option<Change>>,
    jobs: Mutex<HashMap<JobId, watch::Sender<()>>>,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            work: watch::Sender::new(0),
            changes: broadcast::Sender::new(CAPACITY),
            jobs: Mutex::default(),
        }
    }
}

impl Signals {
    /// Signals that reach other servers too, for as long as the returned bus lives.
    pub(crate) fn over(transport: impl Transport) -> (Self, Bus) {
        let here = Arc::new(Hub::default());
        let (calls, to_send) = mpsc::channel(BUS_CAPACITY);
        let overflowed = Arc::new(AtomicBool::new(false));
        let bus = Bus::start(transport, Arc::clone(&here), to_send, Arc::clone(&overflowed));
        let others = Some(Outbox { calls, overflowed });
        (Self { here, others }, bus)
    }

    /// There may be something to do: wakes reconcilers and agents that wait for work, at every server.
    pub fn wake(&self) {
        self.tell(Call::Wake);
    }

    /// Waits for calls of [`wake`](Self::wake) that come after this one.
    pub fn on_wake(&self) -> Wakeups {
        Wakeups(self.here.work.subscribe())
    }

    /// Follows one job's events.
    pub fn subscribe(&self, job: JobId) -> JobFollower {
        let mut jobs = self.here.jobs();
        // Jobs that nobody follows any more leave here, so that the map stays as small as it can be.
        jobs.retain(|_, followers| followers.receiver_count() > 0);
        JobFollower(jobs.entry(job).or_default().subscribe())
    }

    /// Follows every change.
    pub fn subscribe_all(&self) -> Follower {
        Follower(self.here.changes.subscribe())
    }

    /// Tells followers of a change that is committed.
    pub(crate) fn changed(&self, change: Change) {
        self.tell(Call::Changed(change));
    }

    /// Never waits: whoever committed does not depend on the bus.
    fn tell(&self, call: Call) {
        self.here.tell(call);
        if let Some(others) = &self.others
            && others.calls.try_send(call).is_err()
        {
            others.overflowed.store(true, Ordering::Relaxed);
        }
    }
}

impl Hub {
    pub(crate) fn tell(&self, call: Call) {
        match call {
            Call::Wake => self.work.send_modify(|n| *n = n.wrapping_add(1)),
            Call::Changed(change) => {
                if let Change::Job { id, .. } = change
                    && let Some(followers) = self.jobs().get(&id)
                {
                    followers.send_replace(());
                }
                // Nobody following is no error.
                let _ = self.changes.send(Some(change));
            }
        }
    }

    /// Some calls did not arrive: everybody looks again.
    pub(crate) fn missed(&self) {
        for followers in self.jobs().values() {
            followers.send_replace(());
        }
        let _ = self.changes.send(None);
        self.tell(Call::Wake);
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<JobId, watch::Sender<()>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for wake-up calls.
#[derive(Debug)]
pub struct Wakeups(watch::Receiver<u64>);

impl Wakeups {
    /// Returns at once if there was a call since the last return (or since this was made).
    pub async fn wait(&mut self) {
        changed(&mut self.0).await;
    }
}

/// Follows one job's events: subscribe, read the database, then wait and read again.
#[derive(Debug)]
pub struct JobFollower(watch::Receiver<()>);

impl JobFollower {
    /// Waits until the job may have new events.
    pub async fn changed(&mut self) {
        changed(&mut self.0).await;
    }
}

async fn changed<T>(receiver: &mut watch::Receiver<T>) {
    if receiver.changed().await.is_err() {
        // All senders are gone: the process is shutting down.
        std::future::pending::<()>().await;
    }
}

/// Follows every change.
#[derive(Debug)]
pub struct Follower(broadcast::Receiver<Option<Change>>);

impl Follower {
    /// The next change; `None` when some were missed, so that everything followed must be read again.
    pub async fn next(&mut self) -> Option<Change> {
        match self.0.recv().await {
            Ok(change) => change,
            Err(broadcast::error::RecvError::Lagged(_)) => None,
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}
