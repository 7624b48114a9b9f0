//! `caption_runs`: descriptions of many pictures of a dataset.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "caption_runs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub dataset_id: Uuid,
    pub endpoint_id: Option<Uuid>,
    pub endpoint: String,
    pub model: String,
    pub prompt: String,
    pub policy: String,
    pub trigger_word: String,
    pub state: String,
    pub n_items: i64,
    pub n_done: i64,
    pub n_failed: i64,
    pub n_failed_in_row: i64,
    pub error: Option<String>,
    pub leased_by: Option<Uuid>,
    pub leased_until: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub ended_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
