//! The pool: machines where somebody runs an agent.

use sea_orm_migration::{prelude::*, schema::*};

use super::{execute, to};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0005_pool"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let machines = Table::create()
            .table("pool_machines")
            .col(pk_uuid("id"))
            .col(uuid("owner_id"))
            .col(uuid("token_id"))
            .col(text("name"))
            .col(json_binary("machine"))
            .col(timestamp_with_time_zone("seen_at"))
            .foreign_key(&mut to("pool_machines", "owner_id", "owners"))
            .foreign_key(&mut to("pool_machines", "token_id", "api_tokens"))
            .take();
        manager.create_table(machines).await?;
        for statement in STATEMENTS {
            execute(manager, statement).await?;
        }
        Ok(())
    }
}

/// The same text on SQLite and PostgreSQL.
const STATEMENTS: &[&str] = &[
    "ALTER TABLE api_tokens ADD COLUMN is_of_pool boolean NOT NULL DEFAULT false",
    "CREATE UNIQUE INDEX pool_machines_name ON pool_machines (token_id, name)",
    "CREATE INDEX pool_machines_owner ON pool_machines (owner_id, seen_at)",
];
