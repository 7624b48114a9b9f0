//! What requests that may be sent twice were answered.

use sea_orm_migration::{prelude::*, schema::*};

use super::{execute, to};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0009_idempotency"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let keys = Table::create()
            .table("idempotency_keys")
            .col(uuid("owner_id"))
            .col(text("key"))
            .col(text("route"))
            .col(text("body_sha256"))
            .col(integer("status"))
            // Text, not JSON: a repeated request gets the same bytes.
            .col(text_null("answer"))
            .col(text_null("refusal"))
            .col(timestamp_with_time_zone("created_at"))
            .primary_key(Index::create().col("owner_id").col("key"))
            .foreign_key(&mut to("idempotency_keys", "owner_id", "owners"))
            .take();
        manager.create_table(keys).await?;
        execute(
            manager,
            "CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at)",
        )
        .await
    }
}
