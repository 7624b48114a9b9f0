//! Rented machines: their rows, the ledger, and budgets.

use protocol::spend::{BudgetScope, InstancePhase, LedgerAccount, LedgerKind};
use sea_orm_migration::{prelude::*, schema::*};

use super::{execute, one_of, to};
use crate::words::word;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0004_spend"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let jobs = [
            text_null("project"),
            json_binary_null("rental"),
            big_integer_null("limit_micro_usd"),
            timestamp_with_time_zone_null("spend_warned_at"),
        ];
        for column in jobs {
            let add = Table::alter().table("training_jobs").add_column(column).take();
            manager.alter_table(add).await?;
        }
        for mut table in [budgets(), rented_instances(), ledger_entries()] {
            manager.create_table(table.take()).await?;
        }
        for statement in STATEMENTS {
            execute(manager, statement).await?;
        }
        Ok(())
    }
}

/// The same text on SQLite and PostgreSQL.
const STATEMENTS: &[&str] = &[
    "ALTER TABLE training_jobs ADD COLUMN spent_micro_usd bigint NOT NULL DEFAULT 0 CHECK (spent_micro_usd >= 0)",
    "ALTER TABLE training_jobs ADD COLUMN reserved_micro_usd bigint NOT NULL DEFAULT 0 CHECK (reserved_micro_usd >= 0)",
    "ALTER TABLE training_jobs ADD COLUMN rate_micro_usd bigint NOT NULL DEFAULT 0",
    "CREATE UNIQUE INDEX budgets_key ON budgets (owner_id, scope, key)",
    "CREATE UNIQUE INDEX rented_instances_name ON rented_instances (name)",
    "CREATE INDEX rented_instances_alive ON rented_instances (provider) WHERE phase <> 'gone'",
    "CREATE INDEX rented_instances_unbilled ON rented_instances (provider, gone_at) \
     WHERE phase = 'gone' AND billed_micro_usd IS NULL",
    "CREATE INDEX rented_instances_attempt ON rented_instances (attempt_id)",
    "CREATE INDEX rented_instances_owner ON rented_instances (owner_id, id)",
    "CREATE INDEX ledger_entries_job ON ledger_entries (job_id, id)",
    "CREATE INDEX ledger_entries_owner ON ledger_entries (owner_id, id)",
];

fn budgets() -> TableCreateStatement {
    use BudgetScope::{Month, Project, User};
    let scopes = [Project, User, Month].map(|scope| word(&scope));
    Table::create()
        .table("budgets")
        .col(pk_uuid("id"))
        .col(uuid("owner_id"))
        .col(text("scope").check(one_of("scope", &scopes)))
        .col(text("key"))
        .col(big_integer_null("limit_micro_usd").check(Expr::col("limit_micro_usd").gte(0)))
        .col(big_integer("reserved_micro_usd").check(Expr::col("reserved_micro_usd").gte(0)))
        .col(big_integer("spent_micro_usd").check(Expr::col("spent_micro_usd").gte(0)))
        .col(timestamp_with_time_zone("created_at"))
        .foreign_key(&mut to("budgets", "owner_id", "owners"))
        .take()
}

fn rented_instances() -> TableCreateStatement {
    use InstancePhase::{Abandoned, Ending, Gone, Intent, Live, Unknown};
    let phases = [Intent, Unknown, Live, Ending, Abandoned, Gone].map(|phase| word(&phase));
    Table::create()
        .table("rented_instances")
        .col(pk_uuid("id"))
        .col(uuid("owner_id"))
        .col(uuid("job_id"))
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
        .foreign_key(&mut to("rented_instances", "owner_id", "owners"))
        .foreign_key(&mut to("rented_instances", "job_id", "training_jobs"))
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
        .col(uuid("job_id"))
        .col(uuid("instance_id"))
        .col(timestamp_with_time_zone("at"))
        .col(text("kind").check(one_of("kind", &kinds)))
        .col(text("from_account").check(one_of("from_account", &accounts)))
        .col(text("to_account").check(one_of("to_account", &accounts)))
        .col(big_integer("amount_micro_usd").check(Expr::col("amount_micro_usd").gt(0)))
        .check(Expr::cust("from_account <> to_account"))
        .foreign_key(&mut to("ledger_entries", "owner_id", "owners"))
        .foreign_key(&mut to("ledger_entries", "job_id", "training_jobs"))
        .foreign_key(&mut to("ledger_entries", "instance_id", "rented_instances"))
        .take()
}
