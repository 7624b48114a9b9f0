//! What results and checkpoints were found to be, and the pictures that show it: files of a kind of their own.

use sea_orm::DbBackend;
use sea_orm_migration::{prelude::*, schema::*};

use super::{execute, one_of, to};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0020_judgements"
    }
}

/// Kinds of files, the new one last.
const KINDS: [&str; 8] = [
    "sample",
    "checkpoint",
    "lora",
    "picture_before",
    "picture_after",
    "picture",
    "edited",
    "evidence",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in [
            ("model_versions", json_binary_null("judgement")),
            ("training_jobs", text_null("stamp")),
        ] {
            let table = Table::alter().table(table).add_column(column).take();
            manager.alter_table(table).await?;
        }
        match manager.get_database_backend() {
            DbBackend::Postgres => on_postgres(manager).await,
            _ => on_sqlite(manager).await,
        }
    }
}

async fn on_postgres(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let judgement = json_binary_null("judgement");
    let table = Table::alter().table("artifacts").add_column(judgement).take();
    manager.alter_table(table).await?;
    execute(
        manager,
        "ALTER TABLE artifacts DROP CONSTRAINT artifacts_known_kind",
    )
    .await?;
    let kinds = one_of_kinds();
    let add = format!("ALTER TABLE artifacts ADD CONSTRAINT artifacts_known_kind CHECK ({kinds})");
    execute(manager, &add).await
}

/// SQLite changes no check: the rows go into a new table of the same name. Other tables refer to it; the references
/// are checked at the end of the transaction, when the rows are there again.
async fn on_sqlite(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    const COLUMNS: &str = "id, owner_id, job_id, generation_id, edit_id, attempt_id, kind, step, details, file_name, \
                           sha256, size_bytes, blob_key, url, state, created_at, stored_at, unusable";
    execute(manager, "PRAGMA defer_foreign_keys = ON").await?;
    execute(
        manager,
        "CREATE TABLE artifacts_before AS SELECT * FROM artifacts",
    )
    .await?;
    execute(manager, "DROP TABLE artifacts").await?;
    manager.create_table(artifacts()).await?;
    let copy = format!("INSERT INTO artifacts ({COLUMNS}) SELECT {COLUMNS} FROM artifacts_before");
    execute(manager, &copy).await?;
    execute(manager, "DROP TABLE artifacts_before").await?;
    // As earlier steps made them.
    for index in [
        "CREATE INDEX artifacts_of_job ON artifacts (job_id, kind, step)",
        "CREATE INDEX artifacts_of_generation ON artifacts (generation_id)",
        "CREATE INDEX artifacts_of_attempt ON artifacts (attempt_id, sha256)",
        "CREATE INDEX artifacts_of_edit ON artifacts (edit_id)",
    ] {
        execute(manager, index).await?;
    }
    Ok(())
}

fn one_of_kinds() -> String {
    let kinds = KINDS.map(|kind| format!("'{kind}'"));
    format!("kind IN ({})", kinds.join(", "))
}

fn artifacts() -> TableCreateStatement {
    let states = ["announced", "stored"].map(String::from);
    Table::create()
        .table("artifacts")
        .col(pk_uuid("id"))
        .col(uuid("owner_id"))
        .col(uuid_null("job_id"))
        .col(uuid_null("generation_id"))
        .col(uuid_null("edit_id"))
        .col(uuid("attempt_id"))
        .col(text("kind").check(Expr::cust(one_of_kinds())))
        .col(big_integer_null("step"))
        .col(json_binary("details"))
        .col(text("file_name"))
        .col(text("sha256"))
        .col(big_integer("size_bytes"))
        .col(text("blob_key"))
        .col(text("url"))
        .col(text("state").check(one_of("state", &states)))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone_null("stored_at"))
        .col(text_null("unusable"))
        .col(json_binary_null("judgement"))
        .foreign_key(&mut to("artifacts", "owner_id", "owners"))
        .foreign_key(&mut to("artifacts", "job_id", "training_jobs"))
        .foreign_key(&mut to("artifacts", "generation_id", "generations"))
        .foreign_key(&mut to("artifacts", "edit_id", "edits"))
        .foreign_key(&mut to("artifacts", "attempt_id", "attempts"))
        .take()
}
