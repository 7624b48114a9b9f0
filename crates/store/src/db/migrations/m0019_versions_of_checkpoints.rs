//! Jobs that end early with a result, jobs that make a version of another one's checkpoint, and notes.

use sea_orm_migration::{prelude::*, schema::*};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0019_versions_of_checkpoints"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [
            timestamp_with_time_zone_null("finish_requested_at"),
            uuid_null("version_of_job_id"),
            text_null("note"),
        ] {
            let table = Table::alter().table("training_jobs").add_column(column).take();
            manager.alter_table(table).await?;
        }
        Ok(())
    }
}
