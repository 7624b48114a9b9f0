//! Hyperparameters as columns, for people with `psql` and for queries: PostgreSQL and SQLite compute them from the
//! stored recipe.
//!
//! They are no part of the entities, so nothing writes them, and exports leave them out. A hyperparameter that was added
//! gets its column when a server opens the database; no migration names it.

use protocol::parameters::{Definition, Parameters, Range, Value};
use sea_orm::{ConnectionTrait as _, DbBackend, DbErr, Statement};

use super::Transaction;

/// The tables that hold a recipe, with what else they call by the name of a hyperparameter.
const TABLES: [(&str, &[&str]); 2] = [
    ("training_jobs", &[]),
    // The steps that it was trained for.
    ("model_versions", &["n_steps"]),
];

/// Adds the columns that a database lacks.
pub(crate) async fn apply(tx: &Transaction) -> Result<(), DbErr> {
    let backend = tx.get_database_backend();
    let default = Parameters::default();
    for (table, own) in TABLES {
        let there = columns(tx, table).await?;
        for (definition, default) in default.values() {
            let is_there = there.iter().any(|column| column == definition.name);
            if !is_there && !own.contains(&definition.name) {
                for sql in add(backend, table, definition, default) {
                    tx.execute_unprepared(&sql).await?;
                }
            }
        }
    }
    Ok(())
}

/// All columns of a table, computed ones included.
async fn columns(tx: &Transaction, table: &str) -> Result<Vec<String>, DbErr> {
    let backend = tx.get_database_backend();
    let sql = match backend {
        DbBackend::Postgres => format!(
            "SELECT column_name::text AS name FROM information_schema.columns \
             WHERE table_schema = current_schema() AND table_name = '{table}'"
        ),
        _ => format!("SELECT name FROM pragma_table_xinfo('{table}')"),
    };
    let rows = tx.query_all_raw(Statement::from_string(backend, sql)).await?;
    rows.iter().map(|row| row.try_get("", "name")).collect()
}

/// A recipe that was written before there was a hyperparameter was trained by its default. A model version that was
/// imported has no recipe, and no value.
fn add(backend: DbBackend, table: &str, definition: &Definition, default: Value<'_>) -> Vec<String> {
    let name = definition.name;
    let kind = match definition.range {
        Range::Whole { .. } => "bigint",
        Range::Number { .. } => "double precision",
        Range::Switch => "boolean",
        Range::Words(_) | Range::Text { .. } | Range::List { .. } => "text",
    };
    let default = match default {
        Value::Whole(value) => value.to_string(),
        Value::Number(value) => format!("{value:?}"),
        Value::Switch(value) => value.to_string(),
        Value::Text(value) => quoted(value),
        Value::List(_) => quoted(&default.to_json().to_string()),
    };
    match backend {
        DbBackend::Postgres => vec![
            format!(
                "ALTER TABLE {table} ADD COLUMN {name} {kind} GENERATED ALWAYS AS (CASE WHEN recipe IS NOT NULL THEN \
                 coalesce((recipe #>> '{{parameters,{name}}}')::{kind}, {default}) END) STORED"
            ),
            format!(
                "COMMENT ON COLUMN {table}.{name} IS {}",
                quoted(&format!("{} Computed from recipe.", definition.help()))
            ),
        ],
        // SQLite adds computed columns only where they take no room.
        _ => vec![format!(
            "ALTER TABLE {table} ADD COLUMN {name} {kind} GENERATED ALWAYS AS (CASE WHEN recipe IS NOT NULL THEN \
             coalesce(json_extract(recipe, '$.parameters.{name}'), {default}) END) VIRTUAL"
        )],
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
