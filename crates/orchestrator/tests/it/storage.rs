//! Each statement of a job's life fails once. What was acknowledged is there, what was not is not, and the next try
//! works.

use std::fmt::Debug;

use orchestrator::ServiceResult;
use protocol::{
    DatasetId,
    dataset::Split,
    model::Stage,
    phase::{Outcome, Phase},
};
use sim::table::STORAGE;
use store::{
    Strike,
    datasets::{self, AddedItem, NewItem},
    models,
};

use crate::fixture::{Bench, step, verdict};

/// SQL that ends a transaction as a full disk, a broken connection or a lost server does.
fn faults(bench: &Bench) -> Vec<&'static str> {
    if bench.on_postgres() {
        return vec![
            "DO $$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = '53100'; END $$",
            "SELECT pg_terminate_backend(pg_backend_pid())",
        ];
    }
    vec![
        "PRAGMA max_page_count = 1; INSERT INTO settings VALUES ('full', zeroblob(1000000))",
        // SQLite ends a transaction by itself, and nobody is told.
        "ROLLBACK; SELECT * FROM nothing",
    ]
}

/// Lets each statement and the first commit of a step fail; then the step succeeds.
async fn struck<T, E: Debug>(
    bench: &Bench,
    what: &str,
    step: impl AsyncFn() -> Result<T, E>,
    n_struck: &mut u32,
) -> anyhow::Result<T> {
    let injector = bench.store().injector();
    let faults = faults(bench);
    let statements = (1..).flat_map(|n| faults.iter().map(move |sql| (Strike::Statement(n), *sql)));
    let commits = faults.iter().map(|sql| (Strike::Commit(1), *sql));
    for (strike, sql) in commits.chain(statements) {
        let before = bench.everything().await?;
        injector.arm(strike, sql);
        let outcome = step().await;
        if !injector.disarm() {
            return outcome.map_err(|err| anyhow::anyhow!("{what}, without a fault: {err:?}"));
        }
        *n_struck += 1;
        anyhow::ensure!(
            outcome.is_err(),
            "{what}: {strike:?} failed, and it was acknowledged"
        );
        if injector.n_commits() == 0 {
            let after = bench.everything().await?;
            anyhow::ensure!(
                before == after,
                "{what}: {strike:?} failed, and left something behind"
            );
        }
    }
    unreachable!("there is no end of statements")
}

async fn add_picture(bench: &Bench, dataset: DatasetId) -> store::Result<AddedItem> {
    let item = NewItem {
        file_name: "new.png".to_owned(),
        caption: "standing".to_owned(),
        split: Split::Train,
        showing: protocol::dataset::Showing::default(),
        width: 128,
        height: 128,
        size_bytes: 100,
        sha256: hex::encode([9; 32]),
        notes: Vec::new(),
    };
    let tx = bench.store().begin().await?;
    let added = datasets::add_item(&tx, bench.owner(), dataset, item).await?;
    tx.commit().await?;
    Ok(added)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_statement_of_a_life_may_fail() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let mut n = 0;
    let dataset = struck(
        &bench,
        "make a dataset",
        async || {
            let tx = bench.store().begin().await?;
            let dataset = datasets::create(&tx, bench.owner(), "zora").await?;
            tx.commit().await.map(|()| dataset.id)
        },
        &mut n,
    )
    .await?;
    let added = struck(
        &bench,
        "add a picture",
        async || add_picture(&bench, dataset).await,
        &mut n,
    )
    .await?;
    assert!(matches!(added, AddedItem::Added(_)), "{added:?}");
    let job = struck(
        &bench,
        "create a job",
        async || {
            bench
                .orchestrator
                .create_job(bench.owner(), bench.request())
                .await
        },
        &mut n,
    )
    .await?;
    struck(&bench, "launch", async || bench.pass().await, &mut n).await?;
    assert_eq!(bench.machines.n_launches(), 1, "one machine, whatever failed");
    let agent = bench.agent().await?;
    let held = struck(&bench, "claim", async || agent.claim_train().await, &mut n).await?;
    let events = || vec![step(1, 1), step(2, 2)];
    let reply = struck(
        &bench,
        "send events",
        async || agent.beat(&held, events()).await,
        &mut n,
    )
    .await?;
    assert_eq!(reply.acknowledged, 2);
    let passed = verdict(&[]);
    let finish = struck(
        &bench,
        "bring the files",
        async || agent.completed(&held, passed.clone()).await,
        &mut n,
    )
    .await?;
    assert_eq!(finish.outcome, Outcome::Completed);
    struck(
        &bench,
        "finish",
        async || -> ServiceResult<()> {
            let finished = bench
                .orchestrator
                .finish(&agent.credential, held.id, finish.clone());
            finished.await
        },
        &mut n,
    )
    .await?;
    struck(&bench, "tidy up", async || bench.pass().await, &mut n).await?;
    let done = bench.job(job.id).await?;
    assert_eq!((done.phase, done.n_attempts), (Phase::Succeeded, 1));
    let version = done.model_version_id.expect("a version");
    struck(
        &bench,
        "promote",
        async || {
            bench
                .orchestrator
                .promote(bench.owner(), version, protocol::model::Promote::default())
                .await
        },
        &mut n,
    )
    .await?;
    // All of it once.
    bench.stream(job.id).await?;
    let version = models::version(bench.store(), bench.owner(), version).await?;
    assert_eq!((version.stage, version.version), (Stage::Approved, 1));
    let listed = datasets::list(bench.store(), bench.owner(), None, 100).await?;
    assert_eq!(listed.len(), 2);
    assert_eq!(
        datasets::items(bench.store(), bench.owner(), dataset)
            .await?
            .len(),
        1
    );
    assert!(n > 60, "only {n} statements failed");
    STORAGE.check(
        "each statement and each commit of a job's life fails once, from its dataset to its promotion",
        &[
            "the step is refused and leaves nothing; repeated, it is taken once",
            "0",
        ],
    );
    Ok(())
}
