//! Presets of users' own.

use sea_orm_migration::{prelude::*, schema::*};

use super::{execute, to};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0015_own_presets"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let presets = Table::create()
            .table("own_presets")
            .col(pk_uuid("id"))
            .col(uuid("owner_id"))
            .col(text("name"))
            .col(text("preset"))
            .col(text("family"))
            .col(json_binary("parameters"))
            .col(timestamp_with_time_zone("created_at"))
            .foreign_key(&mut to("own_presets", "owner_id", "owners"))
            .take();
        manager.create_table(presets).await?;
        execute(
            manager,
            "CREATE UNIQUE INDEX own_presets_name ON own_presets (owner_id, name)",
        )
        .await
    }
}
