//! What the agent of a generation does or waits for, and what it has to say about its picture.

use sea_orm_migration::{prelude::*, schema::*};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0017_generation_notes"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [text_null("stage"), json_binary_null("notes")] {
            let table = Table::alter().table("generations").add_column(column).take();
            manager.alter_table(table).await?;
        }
        Ok(())
    }
}
