//! Owners that sign in through Supabase Auth.

use sea_orm_migration::prelude::*;

use super::execute;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0002_auth_users"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let user = ColumnDef::new("auth_user_id").uuid().null().take();
        let table = Table::alter().table("owners").add_column(user).take();
        manager.alter_table(table).await?;
        let index = "CREATE UNIQUE INDEX owners_auth_user ON owners (auth_user_id)";
        execute(manager, index).await
    }
}
