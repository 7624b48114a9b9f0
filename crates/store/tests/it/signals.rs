//! Signals: what one server commits wakes the others, whatever carries it and whatever happens to that.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use protocol::{
    JobId,
    event::{Event, LogLevel},
};
use sim::postgres::Database;
use store::{
    Store,
    events::{self, NewEvent},
    generations,
    signals::{Change, Follower},
};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::fixture::{TestStore, generation};

/// Longer than any retry and any sweep.
const DEADLINE: Duration = Duration::from_secs(30);

/// Two servers of one installation.
pub(crate) struct Servers {
    pub(crate) first: TestStore,
    pub(crate) second: Store,
    /// The second one's data.
    _folder: Option<TempDir>,
}

impl Servers {
    /// Both are the same one.
    pub(crate) async fn in_process() -> anyhow::Result<Self> {
        let first = TestStore::sqlite().await?;
        let second = first.store.clone();
        Ok(Self {
            first,
            second,
            _folder: None,
        })
    }

    pub(crate) async fn over_postgres() -> anyhow::Result<Self> {
        let first = TestStore::postgres().await?;
        let url = first.database.as_ref().map(Database::url);
        let folder = tempfile::tempdir()?;
        let second = Store::builder(folder.path()).database(url).open().await?;
        Ok(Self {
            first,
            second,
            _folder: Some(folder),
        })
    }

    /// Cuts the connections off that hear, as an administrator can.
    pub(crate) fn cut_listeners_off(&self) -> anyhow::Result<()> {
        let database = self.first.database.as_ref().context("a database on a server")?;
        let n_cut = database.sql(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE datname = current_database() AND query LIKE 'LISTEN %'",
        )?;
        ensure!(n_cut.trim() != "0", "nobody listens");
        Ok(())
    }

    pub(crate) async fn over_redis(url: &str) -> anyhow::Result<Self> {
        let first = TestStore::sqlite_with(|store| store.queue(Some(url.to_owned()))).await?;
        let second = Store::builder(first.folder.path()).queue(Some(url.to_owned()));
        let second = second.open().await?;
        Ok(Self {
            first,
            second,
            _folder: None,
        })
    }

    /// On a Redis that speaks TLS by a certificate of this authority.
    pub(crate) async fn over_tls(url: &str, ca: PathBuf) -> anyhow::Result<Self> {
        let first =
            TestStore::sqlite_with(|store| store.queue(Some(url.to_owned())).queue_ca(Some(ca.clone())))
                .await?;
        let second = Store::builder(first.folder.path()).queue(Some(url.to_owned()));
        let second = second.queue_ca(Some(ca)).open().await?;
        Ok(Self {
            first,
            second,
            _folder: None,
        })
    }

    async fn job(&self) -> anyhow::Result<JobId> {
        self.first.job(self.first.dataset().await?).await
    }
}

pub(crate) async fn reach_every_server(servers: Servers) -> anyhow::Result<()> {
    let job = servers.job().await?;
    let mut changes = servers.second.signals().subscribe_all();
    let mut wakeups = servers.second.signals().on_wake();
    wait_until_heard(&servers.first.store, job, &mut changes).await?;

    let tx = servers.first.store.begin().await?;
    let generation = generations::create(&tx, servers.first.owner(), &generation()).await?;
    tx.commit().await?;
    wait_for(&mut changes, |change| change == Change::Generation(generation)).await?;
    timeout(DEADLINE, wakeups.wait()).await?;
    Ok(())
}

/// However many changes come at once, the newest of each job is heard.
pub(crate) async fn carry_a_burst(servers: Servers) -> anyhow::Result<()> {
    const N_EVENTS: i64 = 300;
    let job = servers.job().await?;
    let mut changes = servers.second.signals().subscribe_all();
    wait_until_heard(&servers.first.store, job, &mut changes).await?;
    let mut last = 0;
    for _ in 0..N_EVENTS {
        last = say_something(&servers.first.store, job).await?;
    }
    wait_for(&mut changes, |change| {
        change == Change::Job { id: job, seq: last }
    })
    .await
}

/// Nobody waits for a queue that is away, and nothing is overlooked meanwhile.
pub(crate) async fn outlive_their_service(
    servers: &Servers,
    mut stop: impl FnMut() -> anyhow::Result<()>,
    mut start: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let job = servers.job().await?;
    let mut changes = servers.second.signals().subscribe_all();
    wait_until_heard(&servers.first.store, job, &mut changes).await?;
    for _ in 0..2 {
        stop()?;
        let mut follower = servers.second.signals().subscribe(job);
        let before = Instant::now();
        // More than the queue of calls holds.
        for _ in 0..3 {
            say_something(&servers.first.store, job).await?;
        }
        let took = before.elapsed();
        assert!(took < Duration::from_secs(2), "three commits took {took:?}");
        timeout(DEADLINE, follower.changed()).await?;
        start()?;
        wait_until_heard(&servers.first.store, job, &mut changes).await?;
    }
    Ok(())
}

/// Two installations on one service do not hear each other.
pub(crate) async fn keep_to_their_installation(ours: Servers, theirs: Servers) -> anyhow::Result<()> {
    let (our_job, their_job) = (ours.job().await?, theirs.job().await?);
    let mut our_changes = ours.second.signals().subscribe_all();
    wait_until_heard(&ours.first.store, our_job, &mut our_changes).await?;
    let mut their_changes = theirs.second.signals().subscribe_all();
    wait_until_heard(&theirs.first.store, their_job, &mut their_changes).await?;
    let theirs_last = say_something(&theirs.first.store, their_job).await?;
    let ours_last = say_something(&ours.first.store, our_job).await?;
    let is_last = |change| {
        change
            == Change::Job {
                id: our_job,
                seq: ours_last,
            }
    };
    wait_for(&mut our_changes, |change| {
        assert!(
            !matches!(change, Change::Job { id, .. } if id == their_job),
            "{change:?}"
        );
        is_last(change)
    })
    .await?;
    let is_last = |change| {
        change
            == Change::Job {
                id: their_job,
                seq: theirs_last,
            }
    };
    wait_for(&mut their_changes, is_last).await
}

/// Repeats a commit until another server hears of one by name, not only that it should look again.
async fn wait_until_heard(store: &Store, job: JobId, changes: &mut Follower) -> anyhow::Result<()> {
    let heard = async {
        loop {
            say_something(store, job).await?;
            let is_ours = |change| matches!(change, Change::Job { id, .. } if id == job);
            if let Ok(heard) = timeout(Duration::from_millis(300), wait_for(changes, is_ours)).await {
                return heard;
            }
        }
    };
    timeout(DEADLINE, heard).await?
}

async fn wait_for(changes: &mut Follower, mut wanted: impl FnMut(Change) -> bool) -> anyhow::Result<()> {
    let found = async {
        loop {
            if changes.next().await.is_some_and(&mut wanted) {
                return;
            }
        }
    };
    Ok(timeout(DEADLINE, found).await?)
}

async fn say_something(store: &Store, job: JobId) -> anyhow::Result<i64> {
    let tx = store.begin().await?;
    let event = Event::Log {
        level: LogLevel::Info,
        message: "something".to_owned(),
    };
    let seq = events::append(&tx, job, vec![NewEvent::of_job(store::now(), event)]).await?;
    tx.commit().await?;
    Ok(seq)
}
