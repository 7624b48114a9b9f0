//! Export and import: nothing is lost, and what is damaged is refused.

use std::collections::BTreeMap;

use protocol::audit::AuditAction;
use serde_json::{Value, value::RawValue};
use sim::postgres::Database;
use store::{
    Store, StoreBuilder,
    audit::{self, Filter},
    jobs,
    maintenance::TransferError,
    metrics,
};
use tempfile::TempDir;

use crate::{
    fixture::TestStore,
    populate::{N_STEPS, populate},
};

#[derive(serde::Deserialize)]
struct Line<'a> {
    table: String,
    #[serde(borrow)]
    row: BTreeMap<String, &'a RawValue>,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Cell {
    Json(Value),
    Text(String),
}

/// All rows of an export: what is JSON by its meaning, everything else to the last digit.
pub(crate) fn rows(export: &[u8]) -> anyhow::Result<Vec<(String, BTreeMap<String, Cell>)>> {
    let text = std::str::from_utf8(export)?;
    let lines: Vec<&str> = text.lines().collect();
    let mut rows = Vec::new();
    for line in &lines[1..lines.len() - 1] {
        let line: Line<'_> = serde_json::from_str(line)?;
        let mut row = BTreeMap::new();
        for (column, raw) in line.row {
            let cell = match raw.get() {
                json if json.starts_with(['{', '[']) => Cell::Json(serde_json::from_str(json)?),
                text => Cell::Text(text.to_owned()),
            };
            row.insert(column, cell);
        }
        rows.push((line.table, row));
    }
    Ok(rows)
}

/// Every table, in the order of an export.
async fn tables(builder: &StoreBuilder) -> anyhow::Result<Vec<String>> {
    let status = builder.database_status().await?;
    Ok(status.tables.into_iter().map(|table| table.name).collect())
}

fn sqlite(folder: &TempDir) -> StoreBuilder {
    Store::builder(folder.path())
}

fn postgres(folder: &TempDir, database: &Database) -> StoreBuilder {
    Store::builder(folder.path()).database(Some(database.url()))
}

pub(crate) async fn exported(builder: &StoreBuilder) -> anyhow::Result<Vec<u8>> {
    let mut file = Vec::new();
    builder.export_database(&mut file).await?;
    Ok(file)
}

#[tokio::test]
async fn moving_to_postgres_and_back_loses_nothing() -> anyhow::Result<()> {
    let test = TestStore::sqlite().await?;
    populate(&test.store, test.owner(), 7).await?;
    let first = exported(&sqlite(&test.folder)).await?;
    let before = rows(&first)?;
    let tables = tables(&sqlite(&test.folder)).await?;
    for table in &tables {
        assert!(before.iter().any(|(name, _)| name == table), "no row of {table}");
    }
    assert!(before.len() > N_STEPS as usize);

    let (folder, database) = (tempfile::tempdir()?, Database::shared()?);
    let there = postgres(&folder, &database);
    let copied = there.import_database(first.as_slice()).await?;
    assert!(copied.iter().map(|table| &table.name).eq(&tables));
    let second = exported(&there).await?;
    assert!(
        rows(&second)? == before,
        "PostgreSQL has other rows than SQLite had"
    );
    // Not only by our own word.
    let sums = database.sql("SELECT count(*), max(loss) FROM job_metrics")?;
    let highest = (f64::from(N_STEPS) + 0.1).ln() / 3.0;
    assert_eq!(sums.trim(), format!("{N_STEPS}|{highest}"));

    // It is the same installation.
    let store = postgres(&folder, &database).open().await?;
    assert_eq!(store.default_owner(), test.owner());
    assert_eq!(store.deployment(), test.store.deployment());
    let job = jobs::list(&store, test.owner(), None, 10).await?.remove(0);
    assert_eq!(job, jobs::get(&test.store, test.owner(), job.id).await?);
    assert_eq!(
        metrics::chart(&store, job.id, 300).await?,
        metrics::chart(&test.store, job.id, 300).await?
    );
    drop(store);

    let back = tempfile::tempdir()?;
    sqlite(&back).import_database(second.as_slice()).await?;
    let third = exported(&sqlite(&back)).await?;
    assert!(rows(&third)? == before, "SQLite has other rows than before");
    Ok(())
}

#[tokio::test]
async fn an_import_is_all_or_nothing() -> anyhow::Result<()> {
    let test = TestStore::sqlite().await?;
    populate(&test.store, test.owner(), 7).await?;
    let whole = String::from_utf8(exported(&sqlite(&test.folder)).await?)?;
    let folder = tempfile::tempdir()?;
    let import = async |text: &str| sqlite(&folder).import_database(text.as_bytes()).await;

    let n_lines = whole.lines().count();
    let first_lines = |n: usize| {
        whole
            .lines()
            .take(n)
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    let cut_off = import(&first_lines(n_lines - 1)).await.unwrap_err();
    assert!(cut_off.to_string().contains("truncated"), "{cut_off}");
    let cut_within = import(&whole[..whole.len() / 2]).await.unwrap_err();
    assert!(matches!(cut_within, TransferError::Line { .. }), "{cut_within}");
    let without_one = whole.replacen(whole.lines().nth(n_lines - 2).unwrap_or_default(), "", 1);
    let without_one = without_one.replace("\n\n", "\n");
    let changed = import(&without_one).await.unwrap_err();
    assert!(changed.to_string().contains("rows are missing"), "{changed}");
    let newer = import(&whole.replacen("m0001_initial", "m9999_future", 1))
        .await
        .unwrap_err();
    assert!(matches!(newer, TransferError::OtherSchema { .. }), "{newer}");
    let wrong = import(&whole.replacen("\"width\":128", "\"width\":\"wide\"", 1))
        .await
        .unwrap_err();
    assert!(wrong.to_string().contains("`width`"), "{wrong}");
    // The database's own rules hold for imported rows too.
    let broken_rule = import(&whole.replacen("\"phase\":\"queued\"", "\"phase\":\"lost\"", 1))
        .await
        .unwrap_err();
    assert!(matches!(broken_rule, TransferError::Store(_)), "{broken_rule}");

    let status = sqlite(&folder).database_status().await?;
    let n_rows: u64 = status.tables.iter().map(|table| table.n_rows).sum();
    assert_eq!(n_rows, 0, "something was half-written");
    import(&whole).await?;
    let twice = import(&whole).await.unwrap_err();
    assert!(matches!(twice, TransferError::NotEmpty { .. }), "{twice}");
    Ok(())
}

#[tokio::test]
async fn status_changes_nothing() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let status = sqlite(&folder).database_status().await?;
    assert_eq!((status.server.as_str(), status.schema), ("SQLite", None));
    assert_eq!(status.pending[0], "m0001_initial");
    assert_eq!(std::fs::read_dir(folder.path())?.count(), 0);

    let database = Database::shared()?;
    let there = postgres(&folder, &database);
    let status = there.database_status().await?;
    assert!(status.server.starts_with("PostgreSQL "), "{}", status.server);
    assert_eq!((status.schema, status.tables.len()), (None, 0));
    there.migrate_database().await?;
    let status = there.database_status().await?;
    assert_eq!(status.pending.len(), 0);
    let n_tables = database.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")?;
    assert_eq!(
        n_tables.trim(),
        (status.tables.len() + 1).to_string(),
        "each is exported, but the migrations"
    );
    Ok(())
}

/// A server of that version may be at work on it.
#[tokio::test]
async fn what_is_written_down_of_an_older_database_leaves_it_as_it_is() -> anyhow::Result<()> {
    let on_sqlite = tempfile::tempdir()?;
    let (elsewhere, database) = (tempfile::tempdir()?, Database::shared()?);
    for builder in [sqlite(&on_sqlite), postgres(&elsewhere, &database)] {
        let steps = builder.database_status().await?.pending;
        builder.migrate_database_to(steps.len() - 1).await?;
        let before = builder.database_status().await?;
        assert_eq!(before.pending, steps[steps.len() - 1..]);
        builder.record(AuditAction::DatabaseExported, "a file").await?;
        assert_eq!(builder.database_status().await?, before);

        let store = builder.clone().open().await?;
        let all = Filter::default();
        let entries = || audit::list(&store, store.default_owner(), &all, 100);
        let n_before = entries().await?.len();
        builder.record(AuditAction::DatabaseExported, "a file").await?;
        let entries = entries().await?;
        assert_eq!(entries.len(), n_before + 1, "a current one has an entry");
        assert_eq!(entries[0].subject.as_deref(), Some("a file"));
    }
    let older = tempfile::tempdir()?;
    let builder = sqlite(&older);
    builder.migrate_database_to(1).await?;
    let before = builder.database_status().await?;
    builder.record(AuditAction::DatabaseExported, "a file").await?;
    assert_eq!(builder.database_status().await?, before);
    Ok(())
}
