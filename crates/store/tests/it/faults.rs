//! Storage that fails: what was acknowledged is there, what was not is not, and the next try works.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use protocol::DatasetId;
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use store::{Read as _, StorageFault, Store, StoreError, Strike, datasets};

use crate::fixture::{TestStore, open_sqlite};

/// SQL that meets this fault, with all that the database does about it.
fn meets(test: &TestStore, fault: StorageFault) -> String {
    let raise =
        |code: &str| format!("DO $$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = '{code}'; END $$");
    match (fault, test.is_postgres()) {
        (StorageFault::Full, false) => {
            "PRAGMA max_page_count = 1; INSERT INTO settings VALUES ('full', zeroblob(1000000))".to_owned()
        }
        (StorageFault::ReadOnly, false) => "PRAGMA query_only = ON; DELETE FROM settings".to_owned(),
        // A file that cannot be opened.
        (StorageFault::Failed, false) => "ATTACH DATABASE '/dev/null/none' AS other".to_owned(),
        (StorageFault::Full, true) => raise("53100"),
        (StorageFault::ReadOnly, true) => {
            "SET LOCAL transaction_read_only = on; DELETE FROM settings".to_owned()
        }
        (StorageFault::Failed, true) => raise("58030"),
        (StorageFault::Busy, true) => raise("40P01"),
        (StorageFault::Away, true) => "SELECT pg_terminate_backend(pg_backend_pid())".to_owned(),
        (StorageFault::Busy | StorageFault::Away, false)
        | (StorageFault::Astray | StorageFault::Replaced, _) => panic!("not by a statement"),
    }
}

async fn create(store: &Store, name: &str) -> store::Result<DatasetId> {
    let tx = store.begin().await?;
    let dataset = datasets::create(&tx, store.default_owner(), name).await?;
    tx.commit().await?;
    Ok(dataset.id)
}

/// The names of all datasets, as another connection sees them.
async fn names(store: &Store) -> anyhow::Result<Vec<String>> {
    let listed = datasets::list(store, store.default_owner(), None, 1000).await?;
    let mut names: Vec<String> = listed.into_iter().map(|dataset| dataset.name).collect();
    names.sort();
    Ok(names)
}

pub(crate) async fn pass_without_a_trace(test: TestStore) -> anyhow::Result<()> {
    let mut faults = vec![StorageFault::Full, StorageFault::ReadOnly, StorageFault::Failed];
    if test.is_postgres() {
        faults.extend([StorageFault::Busy, StorageFault::Away]);
    }
    let mut expected = Vec::new();
    for fault in faults {
        for strike in [Strike::Statement(1), Strike::Commit(1)] {
            let injector = test.store.injector();
            injector.arm(strike, meets(&test, fault));
            let outcome = create(&test.store, "lost").await;
            assert!(injector.disarm(), "{fault:?} at {strike:?} did not strike");
            let Err(StoreError::Storage { fault: found, .. }) = outcome else {
                anyhow::bail!("{fault:?} at {strike:?}: {outcome:?}");
            };
            assert_eq!(found, fault, "{strike:?}");
            // The very next one is kept, although nobody has started anything again.
            let name = format!("{fault:?} {strike:?}");
            create(&test.store, &name).await?;
            expected.push(name);
        }
    }
    expected.sort();
    assert_eq!(names(&test.store).await?, expected);
    let seen = test
        .sql("SELECT name FROM training_datasets ORDER BY name")
        .await?;
    let mut seen: Vec<String> = seen.into_iter().flatten().collect();
    seen.sort();
    assert_eq!(seen, expected, "as somebody else sees it");
    Ok(())
}

pub(crate) async fn may_hide_that_a_commit_succeeded(test: TestStore) -> anyhow::Result<()> {
    test.store.injector().arm(Strike::Answer(1), "");
    let outcome = create(&test.store, "kept").await;
    assert_eq!(outcome.unwrap_err().fault(), Some(StorageFault::Away));
    create(&test.store, "next").await?;
    assert_eq!(names(&test.store).await?, ["kept", "next"]);
    Ok(())
}

/// The transaction that somebody goes on with although a part of it failed.
pub(crate) async fn are_not_overlooked(test: TestStore) -> anyhow::Result<()> {
    let id = create(&test.store, "first").await?;
    let broken = [
        format!(
            "INSERT INTO training_datasets SELECT * FROM training_datasets WHERE name = 'first' AND '{id}' <> ''"
        ),
        "SELECT * FROM nothing".to_owned(),
        meets(&test, StorageFault::Full),
        // SQLite is outside of the transaction from here on, as after an automatic rollback.
        "ROLLBACK; SELECT * FROM nothing".to_owned(),
    ];
    for sql in broken {
        let tx = test.store.begin().await?;
        datasets::create(&tx, test.owner(), "before").await?;
        tx.connection()
            .execute_unprepared(&sql)
            .await
            .map(drop)
            .unwrap_err();
        let after = datasets::create(&tx, test.owner(), "after").await;
        assert!(after.is_err(), "{sql}: a statement follows one that failed");
        let committed = tx.commit().await;
        assert!(committed.is_err(), "{sql}: acknowledged");
        assert_eq!(names(&test.store).await?, ["first"], "{sql}");
    }
    create(&test.store, "next").await?;
    assert_eq!(names(&test.store).await?, ["first", "next"]);
    Ok(())
}

fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

pub(crate) async fn do_not_come_of_requests_that_are_dropped(test: TestStore) -> anyhow::Result<()> {
    // In the middle of a statement; SQLite may be quicker than that.
    let mut n_abandoned = 0;
    for _ in 0..200 {
        let tx = test.store.begin().await?;
        if poll_once(datasets::create(&tx, test.owner(), "half")).is_none() {
            n_abandoned += 1;
            assert!(tx.commit().await.is_err(), "a statement was abandoned");
        }
        if n_abandoned == 3 {
            break;
        }
    }
    assert_eq!(n_abandoned, 3);
    // Before the commit.
    let tx = test.store.begin().await?;
    datasets::create(&tx, test.owner(), "dropped").await?;
    drop(tx);
    // In the middle of the commit, which is carried through.
    let tx = test.store.begin().await?;
    datasets::create(&tx, test.owner(), "carried through").await?;
    let _ = poll_once(tx.commit());
    wait_for_a_name(&test.store).await?;
    // While one begins.
    for _ in 0..10 {
        let _ = poll_once(test.store.begin());
    }
    create(&test.store, "next").await?;
    assert_eq!(names(&test.store).await?, ["carried through", "next"]);
    Ok(())
}

pub(crate) async fn show_in_the_proof(test: TestStore) -> anyhow::Result<()> {
    let store = &test.store;
    store.prove_database().await?;
    store.prove_objects().await?;
    for strike in [Strike::Statement(2), Strike::Commit(1)] {
        store.injector().arm(strike, meets(&test, StorageFault::Full));
        let outcome = store.prove_database().await;
        assert_eq!(outcome.unwrap_err().fault(), Some(StorageFault::Full));
    }
    store.prove_database().await?;
    // A row of each server, and none of those that are gone.
    test.execute("INSERT INTO settings VALUES ('heartbeat.gone', '00000000000000000001')")
        .await?;
    store.prove_database().await?;
    let rows = test
        .sql("SELECT key FROM settings WHERE key LIKE 'heartbeat.%'")
        .await?;
    assert_eq!(rows, [[format!("heartbeat.{}", store.server())]]);
    Ok(())
}

/// As long as it lasts, and after it: with the real limit of SQLite, and the file opened again.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_was_full_keeps_what_is_written_next() -> anyhow::Result<()> {
    let test = TestStore::sqlite().await?;
    let mut acknowledged = Vec::new();
    for round in 0..6 {
        test.store.injector().run_first(Some("PRAGMA max_page_count = 1"));
        let mut n_refused = 0;
        for n in 0..10_000 {
            let name = format!("{round} {n} {}", "x".repeat(150));
            match create(&test.store, &name).await {
                Ok(_) => acknowledged.push(name),
                Err(err) => {
                    assert_eq!(err.fault(), Some(StorageFault::Full), "{err}");
                    n_refused += 1;
                }
            }
            if n_refused == 2 {
                break;
            }
        }
        assert_eq!(n_refused, 2, "it is never full");
        test.store.injector().run_first(None);
        let name = format!("{round} after");
        let id = create(&test.store, &name).await?;
        assert_eq!(datasets::get(&test.store, test.owner(), id).await?.name, name);
        acknowledged.push(name);
    }
    acknowledged.sort();
    let TestStore { store, folder, .. } = test;
    drop(store);
    let store = Store::open(folder.path()).await?;
    assert_eq!(names(&store).await?, acknowledged);
    Ok(())
}

/// Many wait for the one connection that writes, and its commit fails while they do.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_connection_whose_commit_failed_is_handed_to_nobody_else() -> anyhow::Result<()> {
    // A rule that is checked by the commit, and a trace that outlives the transaction on its connection.
    const FAILS: &str = "PRAGMA recursive_triggers = ON; PRAGMA defer_foreign_keys = ON; \
                         UPDATE training_datasets SET owner_id = zeroblob(16)";
    const N_WRITERS: usize = 8;
    let test = TestStore::sqlite().await?;
    create(&test.store, "first").await?;
    for round in 0..40 {
        test.store.injector().arm(Strike::AtCommit(1), FAILS);
        let mut writers = tokio::task::JoinSet::new();
        for n in 0..N_WRITERS {
            let store = test.store.clone();
            writers.spawn(async move {
                let tx = store.begin().await?;
                let trace = Statement::from_string(DbBackend::Sqlite, "PRAGMA recursive_triggers");
                let trace = tx
                    .connection()
                    .query_one_raw(trace)
                    .await?
                    .context("it has a value")?;
                anyhow::ensure!(trace.try_get_by_index::<i64>(0)? == 0, "used again");
                datasets::create(&tx, store.default_owner(), &format!("{round} {n}")).await?;
                anyhow::Ok(tx.commit().await.is_ok())
            });
        }
        let kept: Vec<bool> = writers.join_all().await.into_iter().collect::<Result<_, _>>()?;
        assert!(test.store.injector().disarm(), "it did not strike");
        assert_eq!(kept.iter().filter(|kept| !**kept).count(), 1, "round {round}");
    }
    assert_eq!(names(&test.store).await?.len(), 1 + 40 * (N_WRITERS - 1));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_of_another_program_is_waited_for_and_then_named() -> anyhow::Result<()> {
    let test = TestStore::sqlite().await?;
    let other = open_sqlite(test.folder.path()).await?;
    other.execute_unprepared("BEGIN IMMEDIATE").await?;
    let begun = Instant::now();
    let refused = create(&test.store, "refused").await.unwrap_err();
    assert_eq!(refused.fault(), Some(StorageFault::Busy), "{refused}");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    other.execute_unprepared("ROLLBACK").await?;
    create(&test.store, "kept").await?;
    assert_eq!(names(&test.store).await?, ["kept"]);
    Ok(())
}

async fn wait_for_a_name(store: &Store) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    while names(store).await?.is_empty() {
        anyhow::ensure!(Instant::now() < deadline, "the commit was dropped as well");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
