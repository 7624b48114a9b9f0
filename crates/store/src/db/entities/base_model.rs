//! `base_models`: base models that were registered.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "base_models")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub source: String,
    pub from_settings: bool,
    pub state: String,
    pub copy: String,
    pub problem: Option<String>,
    pub facts: Option<Json>,
    pub files: Json,
    pub done_bytes: i64,
    pub leased_until: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub prediction: Option<String>,
    pub vae: Option<String>,
    pub measured: Option<Json>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
