//! Backups and exports of every schema that was released: taken as they are, and brought up to date.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use serde_json::{Map, Value, value::RawValue};
use store::{Store, backup::Backup, maintenance::TransferError};

use super::{Place, back_up, quiet};
use crate::{
    fixture::{TestStore, open_sqlite},
    maintenance::exported,
    populate::populate,
};

#[derive(serde::Deserialize, serde::Serialize)]
struct Line {
    table: String,
    row: BTreeMap<String, Box<RawValue>>,
}

#[derive(serde::Deserialize)]
struct Recorded {
    parameters: BTreeMap<String, Box<RawValue>>,
}

/// The tables of a database with their columns.
async fn columns(folder: &std::path::Path) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let connection = open_sqlite(folder).await?;
    let select = "SELECT m.name AS t, c.name AS c FROM sqlite_master m JOIN pragma_table_info(m.name) c \
                  WHERE m.type = 'table'";
    let rows = connection
        .query_all_raw(Statement::from_string(DbBackend::Sqlite, select))
        .await?;
    let mut columns: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows {
        let column = row.try_get("", "c")?;
        columns.entry(row.try_get("", "t")?).or_default().push(column);
    }
    Ok(columns)
}

/// An export as a version with these tables and columns would have written it.
fn of_then(export: &str, steps: &[String], then: &BTreeMap<String, Vec<String>>) -> anyhow::Result<String> {
    let mut header: Value = serde_json::from_str(export.lines().next().unwrap_or_default())?;
    header["header"]["schema"] = serde_json::to_value(steps)?;
    let mut lines = vec![header.to_string()];
    let mut n_rows: BTreeMap<String, u64> = then.keys().map(|table| (table.clone(), 0)).collect();
    let mut order: Vec<String> = Vec::new();
    let n_lines = export.lines().count();
    for line in export.lines().skip(1).take(n_lines - 2) {
        let mut line: Line = serde_json::from_str(line)?;
        let Some(columns) = then.get(&line.table) else {
            continue;
        };
        line.row.retain(|column, _| columns.contains(column));
        // What is computed now was stored then.
        if let Some(recipe) = line.row.get("recipe") {
            let recipe: Recorded = serde_json::from_str(recipe.get())?;
            let stored = recipe.parameters.into_iter();
            for (name, value) in stored.filter(|(name, _)| columns.contains(name)) {
                line.row.entry(name).or_insert(value);
            }
        }
        *n_rows.entry(line.table.clone()).or_default() += 1;
        if order.last() != Some(&line.table) {
            order.push(line.table.clone());
        }
        lines.push(serde_json::to_string(&line)?);
    }
    let end: Vec<Value> = order
        .iter()
        .map(|name| {
            let mut table = Map::new();
            table.insert("name".to_owned(), name.as_str().into());
            table.insert("n_rows".to_owned(), n_rows[name].into());
            table.into()
        })
        .collect();
    lines.push(serde_json::json!({ "end": end }).to_string());
    Ok(lines.join("\n") + "\n")
}

/// The recipe in the first row of a table. It is compared by value: databases space it in different ways.
fn recipe_of(export: &str, table: &str) -> anyhow::Result<Value> {
    let mut lines = export
        .lines()
        .filter_map(|line| serde_json::from_str::<Line>(line).ok());
    let line = lines.find(|line| line.table == table);
    let line = line.ok_or_else(|| anyhow::anyhow!("no row of {table}"))?;
    Ok(serde_json::from_str(line.row["recipe"].get())?)
}

#[tokio::test]
async fn every_released_schema_can_be_restored() -> anyhow::Result<()> {
    let test = TestStore::sqlite().await?;
    populate(&test.store, test.owner(), 7).await?;
    let export = String::from_utf8(exported(&Store::builder(test.folder.path())).await?)?;
    let known = Store::builder(test.folder.path()).database_status().await?;
    let newest = known.schema.unwrap_or_default();
    let steps: Vec<String> = {
        let header: Value = serde_json::from_str(export.lines().next().unwrap_or_default())?;
        serde_json::from_value(header["header"]["schema"].clone())?
    };
    assert!(steps.len() >= 6, "{steps:?}");
    for n in 1..=steps.len() {
        // A database as that version made it, to see what there was.
        let old = tempfile::tempdir()?;
        Store::builder(old.path()).migrate_database_to(n).await?;
        let text = of_then(&export, &steps[..n], &columns(old.path()).await?)?;

        // Into a new place, and in turn into one that an up-to-date version has prepared; the last step also on
        // PostgreSQL.
        for on_postgres in [false, true] {
            if on_postgres && n + 1 != steps.len() {
                continue;
            }
            let there = TestStore::empty(on_postgres)?;
            if n % 2 == 0 {
                there.builder().migrate_database().await?;
            }
            there.builder().import_database(text.as_bytes()).await?;
            let status = there.builder().database_status().await?;
            assert_eq!(status.schema.as_deref(), Some(newest.as_str()), "{n} steps");
            let jobs = status.tables.iter().find(|table| table.name == "training_jobs");
            assert_eq!(jobs.map(|table| table.n_rows), Some(1));
            there.builder().open().await?;
            let same = String::from_utf8(exported(&there.builder()).await?)?;
            for table in ["training_jobs", "model_versions"] {
                assert_eq!(
                    recipe_of(&same, table)?,
                    recipe_of(&export, table)?,
                    "{n} steps, {table}"
                );
            }
        }
    }
    let unknown = export.replacen(&format!("\"{newest}\""), "\"m9999_future\"", 1);
    let there = tempfile::tempdir()?;
    let newer = Store::builder(there.path())
        .import_database(unknown.as_bytes())
        .await
        .unwrap_err();
    assert!(matches!(newer, TransferError::OtherSchema { .. }), "{newer}");
    assert!(
        newer.to_string().contains("use that version or a newer one"),
        "{newer}"
    );
    Ok(())
}

/// Somebody backs up with the new version before it has touched the database.
#[tokio::test]
async fn an_older_database_is_backed_up_as_it_is() -> anyhow::Result<()> {
    let place = Place::embedded()?;
    place.builder().migrate_database_to(3).await?;
    let connection = open_sqlite(place.data()).await?;
    let (owner, deployment) = (uuid::Uuid::now_v7(), uuid::Uuid::now_v7());
    for sql in [
        format!(
            "INSERT INTO owners (id, name, created_at) VALUES (x'{}', 'owner', '2026-01-01 00:00:00+00:00')",
            owner.simple()
        ),
        format!("INSERT INTO settings VALUES ('deployment', '{deployment}')"),
    ] {
        connection.execute_unprepared(&sql).await?;
    }
    let shelf = tempfile::tempdir()?;
    let file = shelf.path().join("studio.tar");
    back_up(&place, &file).await?;
    let status = place.builder().database_status().await?;
    assert_eq!(status.schema.as_deref(), Some("m0003_replicas"), "it was changed");

    let there = Place::embedded()?;
    there
        .builder()
        .restore(&Backup::open(&file, None)?, &mut quiet)
        .await?;
    let store = there.builder().open().await?;
    assert_eq!(store.deployment(), deployment);
    assert_eq!(store.default_owner().0, owner);
    Ok(())
}
