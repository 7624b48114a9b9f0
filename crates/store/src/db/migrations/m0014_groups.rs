//! How often a training shows a picture, and as what.

use sea_orm_migration::prelude::*;

use super::execute;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0014_groups"
    }
}

const COLUMNS: [&str; 3] = [
    "group_name text NOT NULL DEFAULT ''",
    "repeats integer NOT NULL DEFAULT 1 CHECK (repeats BETWEEN 1 AND 1000)",
    "regularization boolean NOT NULL DEFAULT FALSE",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in COLUMNS {
            execute(manager, &format!("ALTER TABLE dataset_items ADD COLUMN {column}")).await?;
        }
        Ok(())
    }
}
