//! Stars, tags and notes of jobs, models and pictures; covers and chosen versions of models; how a version is used.

use protocol::library::Labeled;
use sea_orm_migration::{prelude::*, schema::*};

use super::{execute, one_of, to};
use crate::words::word;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0023_library"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let kinds = Labeled::ALL.map(|kind| word(&kind));
        let labels = Table::create()
            .table("labels")
            .col(pk_uuid("id"))
            .col(uuid("owner_id"))
            .col(text("kind").check(one_of("kind", &kinds)))
            .col(uuid("subject_id"))
            .col(boolean("starred"))
            .col(json_binary("tags"))
            .col(text("note"))
            .col(timestamp_with_time_zone("updated_at"))
            .foreign_key(&mut to("labels", "owner_id", "owners"))
            .take();
        manager.create_table(labels).await?;
        for index in [
            "CREATE UNIQUE INDEX labels_subject ON labels (kind, subject_id)",
            "CREATE INDEX labels_owner ON labels (owner_id, kind, id)",
        ] {
            execute(manager, index).await?;
        }
        for column in [uuid_null("pinned_version_id"), uuid_null("cover_artifact_id")] {
            let table = Table::alter().table("models").add_column(column).take();
            manager.alter_table(table).await?;
        }
        let usage = Table::alter()
            .table("model_versions")
            .add_column(json_binary_null("usage"))
            .take();
        manager.alter_table(usage).await
    }
}
