//! What pictures were measured to be, what users acknowledged of the checks, and edits of many captions.

use sea_orm_migration::{prelude::*, schema::*};

use super::{execute, to};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0018_dataset_checks"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let measures = Table::alter()
            .table("dataset_items")
            .add_column(json_binary_null("measures"))
            .take();
        manager.alter_table(measures).await?;
        let acknowledgements = Table::create()
            .table("finding_acknowledgements")
            .col(pk_uuid("id"))
            .col(uuid("dataset_id"))
            .col(text("code"))
            .col(text("content"))
            .col(timestamp_with_time_zone("created_at"))
            .foreign_key(&mut to(
                "finding_acknowledgements",
                "dataset_id",
                "training_datasets",
            ))
            .take();
        manager.create_table(acknowledgements).await?;
        let edits = Table::create()
            .table("caption_edits")
            .col(pk_uuid("id"))
            .col(uuid("dataset_id"))
            .col(json_binary("operation"))
            .col(big_integer("n_changed"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone_null("undone_at"))
            .foreign_key(&mut to("caption_edits", "dataset_id", "training_datasets"))
            .take();
        manager.create_table(edits).await?;
        let changes = Table::create()
            .table("caption_changes")
            .col(pk_uuid("id"))
            .col(uuid("edit_id"))
            .col(uuid("item_id"))
            .col(text("caption_before"))
            .col(text("caption_after"))
            .foreign_key(&mut to("caption_changes", "edit_id", "caption_edits"))
            .take();
        manager.create_table(changes).await?;
        for index in [
            "CREATE UNIQUE INDEX finding_acknowledgements_content ON finding_acknowledgements (dataset_id, content)",
            "CREATE INDEX caption_edits_dataset ON caption_edits (dataset_id, id)",
            "CREATE INDEX caption_changes_edit ON caption_changes (edit_id)",
        ] {
            execute(manager, index).await?;
        }
        Ok(())
    }
}
