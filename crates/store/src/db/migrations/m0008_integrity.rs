//! What turned out missing or damaged in the object store, and checkpoints that no engine could go on from.

use protocol::damage::Damage::{Damaged, Missing};
use sea_orm_migration::{prelude::*, schema::*};

use super::{execute, one_of};
use crate::words::word;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0008_integrity"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let kinds = [Missing, Damaged].map(|damage| word(&damage));
        let damaged = Table::create()
            .table("damaged_objects")
            .col(text("sha256").primary_key())
            .col(text("damage").check(one_of("damage", &kinds)))
            .col(timestamp_with_time_zone("found_at"))
            .take();
        manager.create_table(damaged).await?;
        execute(manager, "ALTER TABLE artifacts ADD COLUMN unusable text").await
    }
}
