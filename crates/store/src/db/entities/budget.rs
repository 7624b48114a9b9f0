//! `budgets`: limits of projects, users and months; that of a job or a drawing session is in its own row.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "budgets")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub owner_id: Uuid,
    pub scope: String,
    pub key: String,
    pub limit_micro_usd: Option<i64>,
    pub reserved_micro_usd: i64,
    pub spent_micro_usd: i64,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
