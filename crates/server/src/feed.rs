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
use protocol::{JobId, event::JobEvent, problem::chain};
use store::{Store, StoreError, events, signals::JobFollower};
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
    pub(crate) text: Utf8Bytes,
}

impl Line {
    fn new(event: &JobEvent) -> Self {
        Self {
            seq: event.seq,
            text: serde_json::to_string(event)
                .expect("events are plain data")
                .into(),
        }
    }
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

    /// The next events after number `after`, in order; none when there are none now.
    pub(crate) async fn after(&self, after: i64) -> Result<Vec<Line>, StoreError> {
        if let Some(lines) = self.shared.tail().after(after) {
            return Ok(lines);
        }
        let events = events::after(&self.store, self.job, after, PAGE).await?;
        Ok(events.iter().map(Line::new).collect())
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
            // A job that is none has no socket for long.
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
    fn after(&self, after: i64) -> Option<Vec<Line>> {
        self.ends_at?;
        if after < self.starts_after {
            return None;
        }
        let skip = self.lines.partition_point(|line| line.seq <= after);
        Some(self.lines.range(skip..).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(seqs: std::ops::RangeInclusive<i64>, n_bytes: usize) -> impl Iterator<Item = Line> {
        seqs.map(move |seq| Line {
            seq,
            text: "x".repeat(n_bytes).into(),
        })
    }

    fn seqs(tail: &Tail, after: i64) -> Option<Vec<i64>> {
        Some(tail.after(after)?.iter().map(|line| line.seq).collect())
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
