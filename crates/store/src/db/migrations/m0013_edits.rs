//! Edits: files that are made out of others. An attempt may be one of an edit, and a file its result.

use protocol::{
    edit::EditPhase,
    phase::{AttemptPhase, Outcome},
};
use sea_orm::DbBackend;
use sea_orm_migration::{prelude::*, schema::*};

use super::{execute, one_of, to};
use crate::words::word;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0013_edits"
    }
}

/// An attempt is a try of one thing.
const ONE_SUBJECT: &str = "(CASE WHEN job_id IS NULL THEN 0 ELSE 1 END) \
                           + (CASE WHEN generation_id IS NULL THEN 0 ELSE 1 END) \
                           + (CASE WHEN edit_id IS NULL THEN 0 ELSE 1 END) = 1";
const ENDED: &str = "(phase = 'gone') = (outcome IS NOT NULL)";
/// Kinds of files, the new one last.
const KINDS: [&str; 7] = [
    "sample",
    "checkpoint",
    "lora",
    "picture_before",
    "picture_after",
    "picture",
    "edited",
];

const INDICES: &[&str] = &[
    "CREATE INDEX edits_owner ON edits (owner_id, id)",
    "CREATE INDEX edits_queue ON edits (created_at, id) WHERE phase = 'queued'",
    "CREATE UNIQUE INDEX attempts_one_per_edit ON attempts (edit_id) WHERE phase <> 'gone'",
    "CREATE UNIQUE INDEX attempts_of_edit ON attempts (edit_id, n)",
    "CREATE INDEX artifacts_of_edit ON artifacts (edit_id)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(edits()).await?;
        match manager.get_database_backend() {
            DbBackend::Postgres => on_postgres(manager).await?,
            _ => on_sqlite(manager).await?,
        }
        for index in INDICES {
            execute(manager, index).await?;
        }
        Ok(())
    }
}

fn edits() -> TableCreateStatement {
    use EditPhase::{Cancelled, Failed, Queued, Running, Succeeded};
    let phases = [Queued, Running, Succeeded, Failed, Cancelled].map(|phase| word(&phase));
    Table::create()
        .table("edits")
        .col(pk_uuid("id"))
        .col(uuid("owner_id"))
        .col(text("kind"))
        .col(text("phase").check(one_of("phase", &phases)))
        .col(json_binary("request"))
        .col(json_binary("plan"))
        .col(integer("n_attempts"))
        .col(boolean("wants_cancel"))
        .col(json_binary_null("progress"))
        .col(json_binary("notes"))
        // No foreign keys: files have the one back to the edit, and versions need files.
        .col(uuid_null("artifact_id"))
        .col(uuid_null("model_version_id"))
        .col(text_null("error"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone_null("started_at"))
        .col(timestamp_with_time_zone_null("ended_at"))
        .foreign_key(&mut to("edits", "owner_id", "owners"))
        .take()
}

async fn on_postgres(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let kinds = KINDS.map(|kind| format!("'{kind}'")).join(", ");
    for sql in [
        "ALTER TABLE attempts ADD COLUMN edit_id uuid REFERENCES edits (id)".to_owned(),
        // The names that PostgreSQL gives to a table's first check of several columns, and to that of a column.
        "ALTER TABLE attempts DROP CONSTRAINT attempts_check".to_owned(),
        format!("ALTER TABLE attempts ADD CONSTRAINT attempts_one_subject CHECK ({ONE_SUBJECT})"),
        "ALTER TABLE artifacts ADD COLUMN edit_id uuid REFERENCES edits (id)".to_owned(),
        "ALTER TABLE artifacts DROP CONSTRAINT artifacts_kind_check".to_owned(),
        format!("ALTER TABLE artifacts ADD CONSTRAINT artifacts_known_kind CHECK (kind IN ({kinds}))"),
    ] {
        execute(manager, &sql).await?;
    }
    Ok(())
}

/// SQLite changes no check: the rows go into new tables of the same name. Other tables refer to these; the references
/// are checked at the end of the transaction, when the rows are there again.
async fn on_sqlite(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    execute(manager, "PRAGMA defer_foreign_keys = ON").await?;
    const ATTEMPTS: &str = "id, job_id, generation_id, n, provider, server, phase, outcome, detail, fence, lease_until, \
                            token_hash, instance, start_step, last_event_n, created_at, launched_at, claimed_at, \
                            heartbeat_at, ended_at";
    const ARTIFACTS: &str = "id, owner_id, job_id, generation_id, attempt_id, kind, step, details, file_name, sha256, \
                             size_bytes, blob_key, url, state, created_at, stored_at, unusable";
    for (name, columns, table) in [
        ("attempts", ATTEMPTS, attempts()),
        ("artifacts", ARTIFACTS, artifacts()),
    ] {
        execute(
            manager,
            &format!("CREATE TABLE {name}_before AS SELECT * FROM {name}"),
        )
        .await?;
        execute(manager, &format!("DROP TABLE {name}")).await?;
        manager.create_table(table).await?;
        let copy = format!("INSERT INTO {name} ({columns}) SELECT {columns} FROM {name}_before");
        execute(manager, &copy).await?;
        execute(manager, &format!("DROP TABLE {name}_before")).await?;
    }
    // As earlier steps made them.
    for index in [
        "CREATE UNIQUE INDEX attempts_one_per_job ON attempts (job_id) WHERE phase <> 'gone'",
        "CREATE UNIQUE INDEX attempts_one_per_generation ON attempts (generation_id) WHERE phase <> 'gone'",
        "CREATE UNIQUE INDEX attempts_of_job ON attempts (job_id, n)",
        "CREATE UNIQUE INDEX attempts_of_generation ON attempts (generation_id, n)",
        "CREATE INDEX attempts_token ON attempts (token_hash)",
        "CREATE INDEX attempts_alive ON attempts (provider, server) WHERE phase <> 'gone'",
        "CREATE INDEX artifacts_of_job ON artifacts (job_id, kind, step)",
        "CREATE INDEX artifacts_of_generation ON artifacts (generation_id)",
        "CREATE INDEX artifacts_of_attempt ON artifacts (attempt_id, sha256)",
    ] {
        execute(manager, index).await?;
    }
    Ok(())
}

fn attempts() -> TableCreateStatement {
    use AttemptPhase::{Booting, Gone, Intent};
    let phases = [Intent, Booting, AttemptPhase::Running, Gone].map(|phase| word(&phase));
    use Outcome::{Cancelled, Completed, Failed, Lost, NeverStarted, Stopped};
    let outcomes = [Completed, Stopped, Cancelled, Failed, Lost, NeverStarted].map(|outcome| word(&outcome));
    Table::create()
        .table("attempts")
        .col(pk_uuid("id"))
        .col(uuid_null("job_id"))
        .col(uuid_null("generation_id"))
        .col(uuid_null("edit_id"))
        .col(integer("n"))
        .col(text("provider"))
        .col(uuid_null("server"))
        .col(text("phase").check(one_of("phase", &phases)))
        .col(text_null("outcome").check(one_of("outcome", &outcomes)))
        .col(text_null("detail"))
        .col(big_integer("fence"))
        .col(timestamp_with_time_zone_null("lease_until"))
        .col(text("token_hash"))
        .col(json_binary_null("instance"))
        .col(big_integer("start_step"))
        .col(big_integer("last_event_n"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone_null("launched_at"))
        .col(timestamp_with_time_zone_null("claimed_at"))
        .col(timestamp_with_time_zone_null("heartbeat_at"))
        .col(timestamp_with_time_zone_null("ended_at"))
        .check(Expr::cust(ONE_SUBJECT))
        .check(Expr::cust(ENDED))
        .foreign_key(&mut to("attempts", "job_id", "training_jobs"))
        .foreign_key(&mut to("attempts", "generation_id", "generations"))
        .foreign_key(&mut to("attempts", "edit_id", "edits"))
        .take()
}

fn artifacts() -> TableCreateStatement {
    let kinds = KINDS.map(String::from);
    let states = ["announced", "stored"].map(String::from);
    Table::create()
        .table("artifacts")
        .col(pk_uuid("id"))
        .col(uuid("owner_id"))
        .col(uuid_null("job_id"))
        .col(uuid_null("generation_id"))
        .col(uuid_null("edit_id"))
        .col(uuid("attempt_id"))
        .col(text("kind").check(one_of("kind", &kinds)))
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
        .foreign_key(&mut to("artifacts", "owner_id", "owners"))
        .foreign_key(&mut to("artifacts", "job_id", "training_jobs"))
        .foreign_key(&mut to("artifacts", "generation_id", "generations"))
        .foreign_key(&mut to("artifacts", "edit_id", "edits"))
        .foreign_key(&mut to("artifacts", "attempt_id", "attempts"))
        .take()
}
