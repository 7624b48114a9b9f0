//! Sessions that belong to what they were signed in with, and the audit log.

use sea_orm_migration::{prelude::*, schema::*};

use super::{execute, to};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0007_access"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = [
            ColumnDef::new("made_by").uuid().null().take(),
            ColumnDef::new("client_address").text().null().take(),
            ColumnDef::new("user_agent").text().null().take(),
        ];
        for column in columns {
            let table = Table::alter().table("api_tokens").add_column(column).take();
            manager.alter_table(table).await?;
        }
        let log = Table::create()
            .table("audit_log")
            .col(pk_uuid("id"))
            .col(uuid("owner_id"))
            .col(timestamp_with_time_zone("at"))
            .col(text("action"))
            .col(text("actor"))
            // The token may have come with an import of another time: no foreign key.
            .col(uuid_null("token_id"))
            .col(text_null("address"))
            .col(text_null("subject"))
            .col(text_null("detail"))
            .col(integer("n"))
            .foreign_key(&mut to("audit_log", "owner_id", "owners"))
            .take();
        manager.create_table(log).await?;
        for statement in STATEMENTS {
            execute(manager, statement).await?;
        }
        Ok(())
    }
}

/// The same text on SQLite and PostgreSQL. Sessions from before do not say which token they belong to, so that they
/// cannot end with it: they end now. Nobody can tell whether an older login address was used, so it works once more.
const STATEMENTS: &[&str] = &[
    "ALTER TABLE api_tokens ADD COLUMN kind text NOT NULL DEFAULT 'token' \
     CHECK (kind IN ('token', 'session', 'login'))",
    "UPDATE api_tokens SET kind = 'session', revoked_at = coalesce(revoked_at, created_at) \
     WHERE scope = 'user' AND name = 'browser session'",
    "UPDATE api_tokens SET kind = 'login' WHERE scope = 'user' AND name = 'login address'",
    "CREATE INDEX api_tokens_made_by ON api_tokens (made_by)",
    "CREATE INDEX audit_log_owner ON audit_log (owner_id, id)",
    "CREATE INDEX audit_log_at ON audit_log (at)",
];
