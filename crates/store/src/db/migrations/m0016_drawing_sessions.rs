//! Drawing sessions: a machine may be rented for one instead of for a job, which then pays for it, and a generation may
//! be sent to one.

use protocol::{
    drawing::DrawingPhase,
    phase::{AttemptPhase, Outcome},
    spend::{InstancePhase, LedgerAccount, LedgerKind},
};
use sea_orm::DbBackend;
use sea_orm_migration::{prelude::*, schema::*};

use super::{execute, one_of, to};
use crate::words::word;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0016_drawing_sessions"
    }
}

/// An attempt is a try of one thing.
const ONE_SUBJECT: &str = "(CASE WHEN job_id IS NULL THEN 0 ELSE 1 END) \
                           + (CASE WHEN generation_id IS NULL THEN 0 ELSE 1 END) \
                           + (CASE WHEN edit_id IS NULL THEN 0 ELSE 1 END) \
                           + (CASE WHEN drawing_session_id IS NULL THEN 0 ELSE 1 END) = 1";
const ENDED: &str = "(phase = 'gone') = (outcome IS NOT NULL)";
/// A job or a drawing session pays.
const ONE_PAYER: &str = "(job_id IS NULL) <> (drawing_session_id IS NULL)";

const INDICES: &[&str] = &[
    "CREATE INDEX drawing_sessions_owner ON drawing_sessions (owner_id, id)",
    "CREATE INDEX drawing_sessions_open ON drawing_sessions (provider, created_at, id) WHERE phase <> 'ended'",
    "CREATE UNIQUE INDEX attempts_one_per_drawing_session ON attempts (drawing_session_id) WHERE phase <> 'gone'",
    "CREATE UNIQUE INDEX attempts_of_drawing_session ON attempts (drawing_session_id, n)",
    "CREATE INDEX rented_instances_drawing_session ON rented_instances (drawing_session_id)",
    "CREATE INDEX ledger_entries_drawing_session ON ledger_entries (drawing_session_id, id)",
    "CREATE INDEX generations_drawing_session ON generations (drawing_session_id, phase)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(drawing_sessions()).await?;
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

fn drawing_sessions() -> TableCreateStatement {
    let phases = DrawingPhase::ALL.map(|phase| word(&phase));
    Table::create()
        .table("drawing_sessions")
        .col(pk_uuid("id"))
        .col(uuid("owner_id"))
        .col(text("name"))
        .col(text("provider"))
        .col(text("phase").check(one_of("phase", &phases)))
        .col(text_null("reason"))
        .col(json_binary("rental"))
        .col(integer("idle_minutes").check(Expr::col("idle_minutes").gt(0)))
        .col(big_integer("limit_micro_usd").check(Expr::col("limit_micro_usd").gt(0)))
        .col(big_integer("spent_micro_usd").check(Expr::col("spent_micro_usd").gte(0)))
        .col(big_integer("reserved_micro_usd").check(Expr::col("reserved_micro_usd").gte(0)))
        .col(big_integer("rate_micro_usd"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone_null("started_at"))
        .col(timestamp_with_time_zone_null("ended_at"))
        .foreign_key(&mut to("drawing_sessions", "owner_id", "owners"))
        .take()
}

async fn on_postgres(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for table in ["attempts", "rented_instances", "ledger_entries", "generations"] {
        let add = format!(
            "ALTER TABLE {table} ADD COLUMN drawing_session_id uuid REFERENCES drawing_sessions (id)"
        );
        execute(manager, &add).await?;
    }
    for sql in [
        "ALTER TABLE attempts DROP CONSTRAINT attempts_one_subject".to_owned(),
        format!("ALTER TABLE attempts ADD CONSTRAINT attempts_one_subject CHECK ({ONE_SUBJECT})"),
        "ALTER TABLE rented_instances ALTER COLUMN job_id DROP NOT NULL".to_owned(),
        format!("ALTER TABLE rented_instances ADD CONSTRAINT rented_instances_one_payer CHECK ({ONE_PAYER})"),
        "ALTER TABLE ledger_entries ALTER COLUMN job_id DROP NOT NULL".to_owned(),
        format!("ALTER TABLE ledger_entries ADD CONSTRAINT ledger_entries_one_payer CHECK ({ONE_PAYER})"),
    ] {
        execute(manager, &sql).await?;
    }
    Ok(())
}

/// SQLite changes no check: the rows go into new tables of the same name. Other tables refer to these; the references
/// are checked at the end of the transaction, when the rows are there again.
async fn on_sqlite(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    execute(manager, "PRAGMA defer_foreign_keys = ON").await?;
    execute(
        manager,
        "ALTER TABLE generations ADD COLUMN drawing_session_id uuid_text REFERENCES drawing_sessions (id)",
    )
    .await?;
    const ATTEMPTS: &str = "id, job_id, generation_id, edit_id, n, provider, server, phase, outcome, detail, fence, \
                            lease_until, token_hash, instance, start_step, last_event_n, created_at, launched_at, \
                            claimed_at, heartbeat_at, ended_at";
    const INSTANCES: &str = "id, owner_id, job_id, attempt_id, project, month, provider, name, handle, phase, reason, \
                             gpu, n_gpus, cloud, data_center, rate_micro_usd, rate_cap_micro_usd, reserved_micro_usd, \
                             accrued_micro_usd, billed_micro_usd, bill_seen_micro_usd, bill_seen_at, ordered_at, \
                             deadline_at, accrued_until, missing_since, n_missing, abandoned_at, gone_at";
    const ENTRIES: &str =
        "id, owner_id, job_id, instance_id, at, kind, from_account, to_account, amount_micro_usd";
    for (name, columns, table) in [
        ("attempts", ATTEMPTS, attempts()),
        ("rented_instances", INSTANCES, rented_instances()),
        ("ledger_entries", ENTRIES, ledger_entries()),
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
        "CREATE UNIQUE INDEX attempts_one_per_edit ON attempts (edit_id) WHERE phase <> 'gone'",
        "CREATE UNIQUE INDEX attempts_of_job ON attempts (job_id, n)",
        "CREATE UNIQUE INDEX attempts_of_generation ON attempts (generation_id, n)",
        "CREATE UNIQUE INDEX attempts_of_edit ON attempts (edit_id, n)",
        "CREATE INDEX attempts_token ON attempts (token_hash)",
        "CREATE INDEX attempts_alive ON attempts (provider, server) WHERE phase <> 'gone'",
        "CREATE UNIQUE INDEX rented_instances_name ON rented_instances (name)",
        "CREATE INDEX rented_instances_alive ON rented_instances (provider) WHERE phase <> 'gone'",
        "CREATE INDEX rented_instances_unbilled ON rented_instances (provider, gone_at) \
         WHERE phase = 'gone' AND billed_micro_usd IS NULL",
        "CREATE INDEX rented_instances_attempt ON rented_instances (attempt_id)",
        "CREATE INDEX rented_instances_owner ON rented_instances (owner_id, id)",
        "CREATE INDEX ledger_entries_job ON ledger_entries (job_id, id)",
        "CREATE INDEX ledger_entries_owner ON ledger_entries (owner_id, id)",
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
        .col(uuid_null("drawing_session_id"))
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
        .foreign_key(&mut to("attempts", "drawing_session_id", "drawing_sessions"))
        .take()
}

fn rented_instances() -> TableCreateStatement {
    use InstancePhase::{Abandoned, Ending, Gone, Intent, Live, Unknown};
    let phases = [Intent, Unknown, Live, Ending, Abandoned, Gone].map(|phase| word(&phase));
    Table::create()
        .table("rented_instances")
        .col(pk_uuid("id"))
        .col(uuid("owner_id"))
        .col(uuid_null("job_id"))
        .col(uuid_null("drawing_session_id"))
        .col(uuid("attempt_id"))
        .col(text_null("project"))
        .col(text("month"))
        .col(text("provider"))
        .col(text("name"))
        .col(text_null("handle"))
        .col(text("phase").check(one_of("phase", &phases)))
        .col(text_null("reason"))
        .col(text("gpu"))
        .col(integer("n_gpus").check(Expr::col("n_gpus").gt(0)))
        .col(text("cloud"))
        .col(text_null("data_center"))
        .col(big_integer("rate_micro_usd"))
        .col(big_integer("rate_cap_micro_usd").check(Expr::col("rate_cap_micro_usd").gt(0)))
        .col(big_integer("reserved_micro_usd").check(Expr::col("reserved_micro_usd").gte(0)))
        .col(big_integer("accrued_micro_usd").check(Expr::col("accrued_micro_usd").gte(0)))
        .col(big_integer_null("billed_micro_usd"))
        .col(big_integer_null("bill_seen_micro_usd"))
        .col(timestamp_with_time_zone_null("bill_seen_at"))
        .col(timestamp_with_time_zone("ordered_at"))
        .col(timestamp_with_time_zone("deadline_at"))
        .col(timestamp_with_time_zone("accrued_until"))
        .col(timestamp_with_time_zone_null("missing_since"))
        .col(integer("n_missing"))
        .col(timestamp_with_time_zone_null("abandoned_at"))
        .col(timestamp_with_time_zone_null("gone_at"))
        .check(Expr::cust(ONE_PAYER))
        .foreign_key(&mut to("rented_instances", "owner_id", "owners"))
        .foreign_key(&mut to("rented_instances", "job_id", "training_jobs"))
        .foreign_key(&mut to(
            "rented_instances",
            "drawing_session_id",
            "drawing_sessions",
        ))
        .foreign_key(&mut to("rented_instances", "attempt_id", "attempts"))
        .take()
}

fn ledger_entries() -> TableCreateStatement {
    use LedgerAccount::{Available, Reserved, Spent};
    use LedgerKind::{Accrue, Release, Reserve, TopUp, TrueUp};
    let kinds = [Reserve, TopUp, Accrue, Release, TrueUp].map(|kind| word(&kind));
    let accounts = [Available, Reserved, Spent].map(|account| word(&account));
    Table::create()
        .table("ledger_entries")
        .col(pk_uuid("id"))
        .col(uuid("owner_id"))
        .col(uuid_null("job_id"))
        .col(uuid_null("drawing_session_id"))
        .col(uuid("instance_id"))
        .col(timestamp_with_time_zone("at"))
        .col(text("kind").check(one_of("kind", &kinds)))
        .col(text("from_account").check(one_of("from_account", &accounts)))
        .col(text("to_account").check(one_of("to_account", &accounts)))
        .col(big_integer("amount_micro_usd").check(Expr::col("amount_micro_usd").gt(0)))
        .check(Expr::cust("from_account <> to_account"))
        .check(Expr::cust(ONE_PAYER))
        .foreign_key(&mut to("ledger_entries", "owner_id", "owners"))
        .foreign_key(&mut to("ledger_entries", "job_id", "training_jobs"))
        .foreign_key(&mut to(
            "ledger_entries",
            "drawing_session_id",
            "drawing_sessions",
        ))
        .foreign_key(&mut to("ledger_entries", "instance_id", "rented_instances"))
        .take()
}
