//! Pictures that were cut out of comic pages.

use sea_orm_migration::{prelude::*, schema::*};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0024_panels"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [
            uuid_null("page_item_id"),
            integer_null("panel"),
            text_null("page_caption"),
        ] {
            let table = Table::alter().table("dataset_items").add_column(column).take();
            manager.alter_table(table).await?;
        }
        Ok(())
    }
}
