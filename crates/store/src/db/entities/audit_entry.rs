//! `audit_log`: who did what, when, from where; never changed.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_log")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub owner_id: Uuid,
    pub at: DateTimeUtc,
    pub action: String,
    pub actor: String,
    pub token_id: Option<Uuid>,
    pub address: Option<String>,
    pub subject: Option<String>,
    pub detail: Option<String>,
    pub n: i32,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
