//! The schema, step by step. A step that was released is never changed; the next one builds on it.

mod m0001_initial;
mod m0002_auth_users;
mod m0003_replicas;
mod m0004_spend;
mod m0005_pool;
mod m0006_bases;
mod m0007_access;
mod m0008_integrity;
mod m0009_idempotency;
mod m0010_recipe_columns;
mod m0011_imports;
mod m0012_base_settings;
mod m0013_edits;
mod m0014_groups;
mod m0015_own_presets;
mod m0016_drawing_sessions;
mod m0017_generation_notes;
mod m0018_dataset_checks;
mod m0019_versions_of_checkpoints;
mod m0020_judgements;
mod m0022_notices;
mod m0023_library;
mod m0024_panels;
mod m0025_trash;
mod m0026_captioning;
mod row_security;

use sea_orm::ConnectionTrait;
use sea_orm_migration::prelude::*;

use super::{Database, Place, Transaction, recipe_columns, tables::TABLES};
use crate::OpenError;
pub(crate) use m0010_recipe_columns::FORMER;

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_initial::Migration),
            Box::new(m0002_auth_users::Migration),
            Box::new(m0003_replicas::Migration),
            Box::new(m0004_spend::Migration),
            Box::new(m0005_pool::Migration),
            Box::new(m0006_bases::Migration),
            Box::new(m0007_access::Migration),
            Box::new(m0008_integrity::Migration),
            Box::new(m0009_idempotency::Migration),
            Box::new(m0010_recipe_columns::Migration),
            Box::new(m0011_imports::Migration),
            Box::new(m0012_base_settings::Migration),
            Box::new(m0013_edits::Migration),
            Box::new(m0014_groups::Migration),
            Box::new(m0015_own_presets::Migration),
            Box::new(m0016_drawing_sessions::Migration),
            Box::new(m0017_generation_notes::Migration),
            Box::new(m0018_dataset_checks::Migration),
            Box::new(m0019_versions_of_checkpoints::Migration),
            Box::new(m0020_judgements::Migration),
            Box::new(m0022_notices::Migration),
            Box::new(m0023_library::Migration),
            Box::new(m0024_panels::Migration),
            Box::new(m0025_trash::Migration),
            Box::new(m0026_captioning::Migration),
        ]
    }
}

/// Brings the schema up to date, all or nothing; refuses one that a newer version made. Of servers that start
/// together, one does it while the others wait.
pub(crate) async fn migrate(database: &Database, place: &Place) -> Result<(), OpenError> {
    let failed = |source| failed(place, source);
    let tx = database.begin_alone().await.map_err(failed)?;
    let applied = applied(&tx).await.map_err(failed)?;
    refuse_newer(&applied, place)?;
    if applied.len() < known().len() {
        Migrator::up(tx.inner(), None).await.map_err(failed)?;
        row_security::apply(&tx).await.map_err(failed)?;
    }
    recipe_columns::apply(&tx).await.map_err(failed)?;
    tx.commit().await.map_err(failed)
}

/// Refuses a schema that a newer version made.
pub(crate) fn refuse_newer(applied: &[String], place: &Place) -> Result<(), OpenError> {
    let known = known();
    match applied.iter().rfind(|step| !known.contains(step)) {
        None => Ok(()),
        Some(newer) => Err(OpenError::NewerSchema {
            url: place.shown(),
            found: newer.clone(),
            known: known.last().cloned().unwrap_or_default(),
        }),
    }
}

/// How many steps a schema had gone, if it is this version's or an older one; otherwise its newest step that this
/// version does not know, and the newest that it does.
pub(crate) fn n_steps(schema: &[String]) -> Result<usize, (String, String)> {
    let known = known();
    if known.starts_with(schema) && !schema.is_empty() {
        return Ok(schema.len());
    }
    let newer = schema
        .iter()
        .rfind(|step| !known.contains(step))
        .or(schema.last());
    let newer = newer.cloned().unwrap_or_default();
    Err((newer, known.last().cloned().unwrap_or_default()))
}

/// Gives a database without a row the schema of the first `n_steps` steps.
pub(crate) async fn start_at(tx: &Transaction, place: &Place, n_steps: usize) -> Result<(), OpenError> {
    let failed = |source| failed(place, source);
    let mut n_applied = {
        let applied = applied(tx).await.map_err(failed)?;
        refuse_newer(&applied, place)?;
        applied.len()
    };
    if n_applied > n_steps {
        // There is no way back from a newer schema but to begin anew; nothing is in it.
        for table in TABLES.iter().rev() {
            let drop = format!("DROP TABLE IF EXISTS {}", table.name);
            tx.execute_unprepared(&drop).await.map_err(failed)?;
        }
        tx.execute_unprepared("DROP TABLE seaql_migrations")
            .await
            .map_err(failed)?;
        n_applied = 0;
    }
    let n_left = <u32 as TryFrom<usize>>::try_from(n_steps - n_applied).unwrap_or(u32::MAX);
    Migrator::up(tx.inner(), Some(n_left)).await.map_err(failed)
}

/// Goes the steps that are left, with rows in the tables.
pub(crate) async fn catch_up(tx: &Transaction, place: &Place) -> Result<(), OpenError> {
    let failed = |source| failed(place, source);
    Migrator::up(tx.inner(), None).await.map_err(failed)?;
    row_security::apply(tx).await.map_err(failed)?;
    recipe_columns::apply(tx).await.map_err(failed)
}

/// Says again who may see what on PostgreSQL: for roles that came after the last migration.
pub(crate) async fn secure(database: &Database, place: &Place) -> Result<(), OpenError> {
    let failed = |source| failed(place, source);
    let tx = database.begin_alone().await.map_err(failed)?;
    row_security::apply(&tx).await.map_err(failed)?;
    tx.commit().await.map_err(failed)
}

fn failed(place: &Place, source: DbErr) -> OpenError {
    let url = place.shown();
    if !source.to_string().contains("permission denied") {
        return OpenError::Migrate { url, source };
    }
    let fix = "make the user of --database or MORPHEUS_DATABASE the database's owner, or grant it access: GRANT CREATE ON \
               SCHEMA public TO …";
    OpenError::Postgres {
        url,
        problem: "its user has no permission to create or change tables".to_owned(),
        fix: fix.to_owned(),
        source: Some(source.into()),
    }
}

/// The steps that this version knows, the oldest first.
pub(crate) fn known() -> Vec<String> {
    let steps = Migrator::migrations();
    steps.iter().map(|step| step.name().to_owned()).collect()
}

/// The steps that the database has gone, the oldest first; none when it is empty.
pub(crate) async fn applied(db: &Transaction) -> Result<Vec<String>, DbErr> {
    if !SchemaManager::new(db.inner())
        .has_table("seaql_migrations")
        .await?
    {
        return Ok(Vec::new());
    }
    let steps = Query::select()
        .column("version")
        .from("seaql_migrations")
        .order_by("version", Order::Asc)
        .take();
    let rows = db.query_all(&steps).await?;
    rows.iter().map(|row| row.try_get("", "version")).collect()
}

/// `column` holds one of these words.
fn one_of(column: &str, words: &[String]) -> SimpleExpr {
    let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    Expr::cust(format!("{column} IN ({})", words.join(", ")))
}

/// A foreign key to another table's id.
fn to(table: &'static str, column: &'static str, target: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create().from(table, column).to(target, "id").take()
}

async fn execute(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    manager.get_connection().execute_unprepared(sql).await.map(|_| ())
}
