//! What the owner of a base model says about it, and what its U-Net was measured to do.

use sea_orm_migration::{prelude::*, schema::*};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0012_base_settings"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [
            text_null("prediction"),
            text_null("vae"),
            json_binary_null("measured"),
        ] {
            let table = Table::alter().table("base_models").add_column(column).take();
            manager.alter_table(table).await?;
        }
        Ok(())
    }
}
