//! `deliveries`: one notice to one receiver, written with what it tells of.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "deliveries")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub owner_id: Uuid,
    pub webhook_id: Option<Uuid>,
    pub job_id: Option<Uuid>,
    pub kind: String,
    pub body: String,
    pub state: String,
    pub n_attempts: i32,
    pub next_at: DateTimeUtc,
    pub leased_until: Option<DateTimeUtc>,
    pub status: Option<i32>,
    pub error: Option<String>,
    pub created_at: DateTimeUtc,
    pub ended_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
