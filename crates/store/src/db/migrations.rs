//! The schema, step by step. A step that was released is never changed; the next one builds on it.

mod m0001_initial;
mod m0003_replicas;

use sea_orm::ConnectionTrait;
use sea_orm_migration::prelude::*;

use super::Database;
use crate::OpenError;

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_initial::Migration),
            Box::new(m0003_replicas::Migration),
        ]
    }
}

/// Brings the schema up to date; refuses one that a newer version made.
pub(super) async fn migrate(database: &Database, url: &str) -> Result<(), OpenError> {
    let failed = |source| OpenError::Migrate {
        url: url.to_owned(),
        source,
    };
    Migrator::install(&database.writer).await.map_err(failed)?;
    let applied = Migrator::get_migration_models(&database.writer)
        .await
        .map_err(failed)?;
    let known: Vec<String> = Migrator::migrations()
        .iter()
        .map(|step| step.name().to_owned())
        .collect();
    if let Some(newer) = applied.iter().rfind(|step| !known.contains(&step.version)) {
        return Err(OpenError::NewerSchema {
            url: url.to_owned(),
            found: newer.version.clone(),
            known: known.last().cloned().unwrap_or_default(),
        });
    }
    Migrator::up(&database.writer, None).await.map_err(failed)
}

/// `column` holds one of these words.
fn one_of(column: &str, words: &[String]) -> SimpleExpr {
    let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    Expr::cust(format!("{column} IN ({})", words.join(", ")))
}

async fn execute(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    manager.get_connection().execute_unprepared(sql).await.map(|_| ())
}
