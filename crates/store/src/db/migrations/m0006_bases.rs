//! Base models that were registered.

use protocol::base::{BaseCopy, BaseState};
use sea_orm_migration::{prelude::*, schema::*};

use super::{execute, one_of};
use crate::words::word;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0006_bases"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        use BaseCopy::{Copying, None, Stored};
        use BaseState::{Checking, Failed, Ready};
        let states = [Checking, Ready, Failed].map(|state| word(&state));
        let copies = [None, Copying, Stored, BaseCopy::Failed].map(|copy| word(&copy));
        let bases = Table::create()
            .table("base_models")
            .col(pk_uuid("id"))
            .col(text("name"))
            .col(text("source"))
            .col(boolean("from_settings"))
            .col(text("state").check(one_of("state", &states)))
            .col(text("copy").check(one_of("copy", &copies)))
            .col(text_null("problem"))
            .col(json_binary_null("facts"))
            .col(json_binary("files"))
            .col(big_integer("done_bytes"))
            .col(timestamp_with_time_zone_null("leased_until"))
            .col(timestamp_with_time_zone("created_at"))
            .take();
        manager.create_table(bases).await?;
        execute(
            manager,
            "CREATE UNIQUE INDEX base_models_name ON base_models (name)",
        )
        .await
    }
}
