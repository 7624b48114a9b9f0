//! When jobs, models, model versions and generations were deleted: they can be brought back for a while.

use sea_orm_migration::{prelude::*, schema::*};

use super::execute;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0025_trash"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["training_jobs", "models", "model_versions", "generations"] {
            let column = timestamp_with_time_zone_null("deleted_at");
            let change = Table::alter().table(table).add_column(column).take();
            manager.alter_table(change).await?;
            // The few rows in the trash, for its list and for those that are due.
            let index =
                format!("CREATE INDEX {table}_deleted ON {table} (deleted_at) WHERE deleted_at IS NOT NULL");
            execute(manager, &index).await?;
        }
        Ok(())
    }
}
