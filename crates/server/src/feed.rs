//! One read of a job's new events for all sockets that follow it here.
//!
//! The first socket that follows a job starts a reader, which takes each new event from the database once, makes
//! its message once, and keeps the newest ones; the last socket that leaves ends it. A socket that is further
//! behind than what is kept reads the database itself, until it has caught up.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use axum::extract::ws::Utf8Bytes;
use protocol::{
    JobId,
    event::{EventKind, JobEvent},
    problem::chain,
};
use store::{
    Store, StoreError,
    events::{self, Wanted},
    signals::JobFollower,
};
use tokio::{sync::watch, task::AbortHandle};

/// Events that are read from the database at once.
const PAGE: u64 = 500;
/// Messages that are kept of one job.
const MAX_MESSAGES: usize = 2000;
/// And the bytes that they may take.
const MAX_BYTES: usize = 4 << 20;
/// After a failure the database is asked again this much later.
const RETRY: Duration = Duration::from_secs(1);

/// An event as sockets send it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    pub(crate) seq: i64,
    pub(crate) kind: EventKind,
    pub(crate) text: Utf8Bytes,
}

impl Line {
    fn new(event: &JobEvent) -> Self {
        Self {
            seq: event.seq,
            kind: event.event.kind(),
            text: serde_json::to_string(event)
                .expect("events are plain data")
                .into(),
        }
    }
}

/// What a reader gets at once.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Batch {
    /// In order.
    pub(crate) lines: Vec<Line>,
    /// Everything up to this number was looked at; what is not among the lines is not wanted.
    pub(crate) reached: i64,
}

/// The feeds of all jobs that are followed now.
#[derive(Debug, Default)]
pub(crate) struct Feeds(Mutex<HashMap<JobId, Weak<Feed>>>);

impl Feeds {
    /// The feed of a job, which lives as long as somebody holds it.
    pub(crate) fn follow(&self, store: &Store, job: JobId) -> Arc<Feed> {
        let mut feeds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(feed) = feeds.get(&job).and_then(Weak::upgrade) {
            return feed;
        }
        feeds.retain(|_, feed| feed.strong_count() > 0);
        let feed = Arc::new(Feed::start(store.clone(), job));
        feeds.insert(job, Arc::downgrade(&feed));
        feed
    }
}

/// The newest events of a job.
#[derive(Debug)]
pub(crate) struct Feed {
    store: Store,
    job: JobId,
    shared: Arc<Shared>,
    reader: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    tail: Mutex<Tail>,
    /// Number of the newest event that was seen.
    newest: watch::Sender<i64>,
}

impl Feed {
    fn start(store: Store, job: JobId) -> Self {
        let shared = Arc::new(Shared {
            tail: Mutex::default(),
            newest: watch::Sender::new(0),
        });
        let changes = store.signals().subscribe(job);
        let reader = tokio::spawn(read(store.clone(), job, changes, Arc::clone(&shared)));
        Self {
            store,
            job,
            shared,
            reader: reader.abort_handle(),
        }
    }

    /// Changes when there are new events. To be taken before the first read, so that none falls in between.
    pub(crate) fn news(&self) -> watch::Receiver<i64> {
        self.shared.newest.subscribe()
    }

    /// The next events after number `after`, in order, without those of some kinds; none when there are none now.
    pub(crate) async fn after(&self, after: i64, without: &[EventKind]) -> Result<Batch, StoreError> {
        if let Some(batch) = self.shared.tail().after(after, without) {
            return Ok(batch);
        }
        let newest = events::newest(&self.store, self.job).await?;
        let wanted = Wanted {
            after,
            up_to: newest,
            without,
            limit: PAGE,
        };
        let events = events::some(&self.store, self.job, wanted).await?;
        let reached = match events.last() {
            Some(last) if events.len() as u64 == PAGE => last.seq,
            _ => newest.max(after),
        };
        Ok(Batch {
            lines: events.iter().map(Line::new).collect(),
            reached,
        })
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Shared {
    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn read(store: Store, job: JobId, mut changes: JobFollower, shared: Arc<Shared>) {
    loop {
        match read_on(&store, job, &shared).await {
            Ok(()) => changes.changed().await,
            // Sockets for an unknown job are closed soon.
            Err(StoreError::NotFound { .. }) => return,
            Err(error) => {
                tracing::warn!(job.id = %job, error = chain(&error), "events could not be read");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// Takes everything that is new.
async fn read_on(store: &Store, job: JobId, shared: &Shared) -> Result<(), StoreError> {
    let begun = shared.tail().ends_at;
    let mut after = match begun {
        Some(after) => after,
        None => {
            let newest = events::newest(store, job).await?;
            shared.tail().begin(newest);
            shared.newest.send_replace(newest);
            newest
        }
    };
    loop {
        let events = events::after(store, job, after, PAGE).await?;
        let Some(last) = events.last() else { return Ok(()) };
        after = last.seq;
        shared.tail().extend(events.iter().map(Line::new));
        shared.newest.send_replace(after);
    }
}

/// The newest messages of a job, without a gap.
#[derive(Debug, Default)]
struct Tail {
    lines: VecDeque<Line>,
    n_bytes: usize,
    /// Everything after this number, up to `ends_at`, is here.
    starts_after: i64,
    /// `None` until the reader knows where it begins.
    ends_at: Option<i64>,
}

impl Tail {
    fn begin(&mut self, newest: i64) {
        (self.starts_after, self.ends_at) = (newest, Some(newest));
    }

    fn extend(&mut self, lines: impl Iterator<Item = Line>) {
        for line in lines {
            self.n_bytes += line.text.len();
            self.ends_at = Some(line.seq);
            self.lines.push_back(line);
        }
        while self.lines.len() > MAX_MESSAGES || self.n_bytes > MAX_BYTES {
            let Some(oldest) = self.lines.pop_front() else {
                return;
            };
            self.n_bytes -= oldest.text.len();
            self.starts_after = oldest.seq;
        }
    }

    /// What comes after a number; `None` when it is not all here.
    fn after(&self, after: i64, without: &[EventKind]) -> Option<Batch> {
        let ends_at = self.ends_at?;
        if after < self.starts_after {
            return None;
        }
        let skip = self.lines.partition_point(|line| line.seq <= after);
        let wanted = self
            .lines
            .range(skip..)
            .filter(|line| !without.contains(&line.kind));
        Some(Batch {
            lines: wanted.cloned().collect(),
            reached: ends_at.max(after),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(seqs: std::ops::RangeInclusive<i64>, n_bytes: usize) -> impl Iterator<Item = Line> {
        seqs.map(move |seq| Line {
            seq,
            kind: if seq % 2 == 0 {
                EventKind::Step
            } else {
                EventKind::Log
            },
            text: "x".repeat(n_bytes).into(),
        })
    }

    fn seqs(tail: &Tail, after: i64) -> Option<Vec<i64>> {
        Some(
            tail.after(after, &[])?
                .lines
                .iter()
                .map(|line| line.seq)
                .collect(),
        )
    }

    #[test]
    fn knows_what_it_has() {
        let mut tail = Tail::default();
        assert_eq!(seqs(&tail, 0), None, "it has not begun");
        tail.begin(3);
        assert_eq!(seqs(&tail, 2), None);
        assert_eq!(seqs(&tail, 3), Some(vec![]));
        tail.extend(lines(4..=6, 1));
        assert_eq!(seqs(&tail, 2), None);
        assert_eq!(seqs(&tail, 3), Some(vec![4, 5, 6]));
        assert_eq!(seqs(&tail, 5), Some(vec![6]));
        assert_eq!(seqs(&tail, 6), Some(vec![]));
        // Somebody who asks for what has not happened yet.
        assert_eq!(seqs(&tail, 9), Some(vec![]));
    }

    #[test]
    fn leaves_out_what_is_not_wanted_and_says_how_far_it_looked() {
        let mut tail = Tail::default();
        tail.begin(3);
        tail.extend(lines(4..=8, 1));
        let words = tail.after(3, &[EventKind::Step]).expect("all of it is here");
        let seqs: Vec<i64> = words.lines.iter().map(|line| line.seq).collect();
        assert_eq!((seqs, words.reached), (vec![5, 7], 8));
        let nothing = tail.after(7, &[EventKind::Step]).expect("all of it is here");
        assert_eq!((nothing.lines.len(), nothing.reached), (0, 8));
        assert_eq!(tail.after(9, &[]).map(|batch| batch.reached), Some(9));
    }

    #[test]
    fn keeps_the_newest() {
        let mut tail = Tail::default();
        tail.begin(0);
        let n = MAX_MESSAGES as i64;
        tail.extend(lines(1..=n + 5, 1));
        assert_eq!(seqs(&tail, 4), None);
        assert_eq!(seqs(&tail, 5).map(|seqs| seqs.len()), Some(MAX_MESSAGES));
        tail.extend(lines(n + 6..=n + 7, MAX_BYTES));
        assert_eq!(seqs(&tail, n + 5), None, "both together are too large");
        assert_eq!(seqs(&tail, n + 6), Some(vec![n + 7]));
    }
}
