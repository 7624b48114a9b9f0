//! A database that the version before left behind.

use protocol::{parameters::Parameters, phase::Phase};
use sea_orm::ConnectionTrait as _;
use store::{Store, jobs};

use crate::fixture::{TestStore, open_sqlite};

/// Of the schema `m0009_idempotency`, made by a server of that version: a dataset, and a job on `tiny-xl` that was
/// stopped after 6 of 12 steps. Tokens, the audit log and the job's events were taken out.
const SCHEMA_9: &str = include_str!("fixtures/schema-0009.sql");

#[tokio::test]
async fn a_stopped_job_of_the_version_before_is_there_with_its_checkpoint() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("morpheus.db");
    std::fs::File::create(&file)?;
    let connection = open_sqlite(folder.path()).await?;
    connection.execute_unprepared(SCHEMA_9).await?;
    connection.close().await?;

    let store = Store::open(folder.path()).await?;
    let listed = jobs::list(&store, store.default_owner(), None, 10).await?;
    let job = &listed[0];
    assert_eq!((job.phase, job.checkpoint_step), (Phase::Stopped, Some(6)));
    let p = job.recipe.parameters();
    assert_eq!((p.n_steps, p.rank, p.resolution), (12, 1, 64));
    let status = Store::builder(folder.path()).database_status().await?;
    assert!(status.pending.is_empty(), "{:?}", status.pending);
    drop(store);

    let names: Vec<&str> = Parameters::ALL.iter().map(|definition| definition.name).collect();
    let test = TestStore {
        store: Store::open(folder.path()).await?,
        folder,
        database: None,
    };
    let texts: Vec<String> = names.iter().map(|name| format!("{name} || ''")).collect();
    let rows = test
        .sql(&format!("SELECT {} FROM training_jobs", texts.join(", ")))
        .await?;
    let column = |name: &str| {
        names
            .iter()
            .position(|known| *known == name)
            .map(|at| &rows[0][at])
    };
    assert_eq!(column("rank").map(String::as_str), Some("1"));
    assert_eq!(column("lr_schedule").map(String::as_str), Some("cosine"));
    assert_eq!(column("bucket_step").map(String::as_str), Some("32"));
    Ok(())
}
