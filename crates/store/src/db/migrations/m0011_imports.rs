//! Model versions that no job trained: what a job says of one may be empty, and `imported` says the rest.

use protocol::{model::Stage, parameters::Parameters};
use sea_orm::DbBackend;
use sea_orm_migration::{prelude::*, schema::*};

use super::{execute, one_of, to};
use crate::words::word;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0011_imports"
    }
}

/// What only a job says of a version.
const OF_JOBS: [&str; 8] = [
    "job_id",
    "dataset_version_id",
    "engine",
    "preset",
    "n_steps",
    "recipe",
    "artifact_id",
    "verdict",
];

/// A version is either trained, with all that its job says of it, or imported.
const ONE_ORIGIN: &str = "(imported IS NULL AND job_id IS NOT NULL AND dataset_version_id IS NOT NULL \
                          AND engine IS NOT NULL AND preset IS NOT NULL AND n_steps IS NOT NULL \
                          AND recipe IS NOT NULL AND artifact_id IS NOT NULL AND verdict IS NOT NULL) \
                          OR (imported IS NOT NULL AND job_id IS NULL AND artifact_id IS NULL AND NOT verdict_passed)";
const APPROVED: &str = "stage <> 'approved' OR verdict_passed OR imported IS NOT NULL";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        match manager.get_database_backend() {
            DbBackend::Postgres => on_postgres(manager).await,
            _ => on_sqlite(manager).await,
        }
    }
}

async fn on_postgres(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let changed = "ALTER TABLE model_versions";
    for column in OF_JOBS {
        execute(manager, &format!("{changed} ALTER COLUMN {column} DROP NOT NULL")).await?;
    }
    // They are computed of the recipe, by an expression that takes a version without one for a default. They are made
    // anew when all steps are gone.
    for definition in Parameters::ALL
        .iter()
        .filter(|definition| definition.name != "n_steps")
    {
        execute(
            manager,
            &format!("{changed} DROP COLUMN IF EXISTS {}", definition.name),
        )
        .await?;
    }
    for change in [
        "ADD COLUMN imported jsonb".to_owned(),
        // The name that PostgreSQL gives to a table's check of several columns.
        "DROP CONSTRAINT model_versions_check".to_owned(),
        format!("ADD CONSTRAINT model_versions_approved CHECK ({APPROVED})"),
        format!("ADD CONSTRAINT model_versions_one_origin CHECK ({ONE_ORIGIN})"),
    ] {
        execute(manager, &format!("{changed} {change}")).await?;
    }
    Ok(())
}

/// SQLite changes no column: the rows go into a new table. No other table refers to this one.
async fn on_sqlite(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager.create_table(model_versions()).await?;
    const COLUMNS: &str = "id, owner_id, model_id, version, stage, job_id, dataset_version_id, name, trigger_word, \
                           base_model, engine, preset, n_steps, recipe, artifact_id, artifact_url, file_name, \
                           size_bytes, sha256, metadata, verdict, verdict_passed, before_artifact_id, \
                           after_artifact_id, created_at, promoted_at, retired_at";
    for sql in [
        &format!("INSERT INTO model_versions_next ({COLUMNS}) SELECT {COLUMNS} FROM model_versions"),
        "DROP TABLE model_versions",
        "ALTER TABLE model_versions_next RENAME TO model_versions",
        "CREATE UNIQUE INDEX model_versions_number ON model_versions (model_id, version)",
        "CREATE UNIQUE INDEX model_versions_job ON model_versions (job_id)",
        "CREATE INDEX model_versions_owner ON model_versions (owner_id, id)",
    ] {
        execute(manager, sql).await?;
    }
    Ok(())
}

fn model_versions() -> TableCreateStatement {
    const NAME: &str = "model_versions_next";
    let stages = [Stage::Draft, Stage::Approved, Stage::Retired].map(|stage| word(&stage));
    let mut table = Table::create();
    table
        .table(NAME)
        .col(pk_uuid("id"))
        .col(uuid("owner_id"))
        .col(uuid("model_id"))
        .col(integer("version").check(Expr::col("version").gt(0)))
        .col(text("stage").check(one_of("stage", &stages)))
        .col(uuid_null("job_id"))
        .col(uuid_null("dataset_version_id"))
        .col(text("name"))
        .col(text_null("trigger_word"))
        .col(text("base_model"))
        .col(text_null("engine"))
        .col(text_null("preset"))
        .col(big_integer_null("n_steps").check(Expr::col("n_steps").gt(0)))
        .col(json_binary_null("recipe"))
        .col(uuid_null("artifact_id"))
        .col(text("artifact_url"))
        .col(text("file_name"))
        .col(big_integer("size_bytes"))
        .col(text("sha256"))
        .col(json_binary("metadata"))
        .col(json_binary_null("verdict"))
        .col(boolean("verdict_passed"))
        .col(json_binary_null("imported"))
        .col(uuid_null("before_artifact_id"))
        .col(uuid_null("after_artifact_id"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone_null("promoted_at"))
        .col(timestamp_with_time_zone_null("retired_at"))
        .check(Expr::cust(APPROVED))
        .check(Expr::cust(ONE_ORIGIN));
    for (column, target) in [
        ("owner_id", "owners"),
        ("model_id", "models"),
        ("job_id", "training_jobs"),
        ("dataset_version_id", "dataset_versions"),
        ("artifact_id", "artifacts"),
        ("before_artifact_id", "artifacts"),
        ("after_artifact_id", "artifacts"),
    ] {
        table.foreign_key(&mut to(NAME, column, target));
    }
    table.take()
}
