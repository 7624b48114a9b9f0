//! `ledger_entries`: every movement of money, never changed.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "ledger_entries")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub owner_id: Uuid,
    pub job_id: Option<Uuid>,
    pub drawing_session_id: Option<Uuid>,
    pub instance_id: Uuid,
    pub at: DateTimeUtc,
    pub kind: String,
    pub from_account: String,
    pub to_account: String,
    pub amount_micro_usd: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
