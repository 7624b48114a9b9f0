//! `edits`: files that are made out of others.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "edits")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub owner_id: Uuid,
    pub kind: String,
    pub phase: String,
    pub request: Json,
    pub plan: Json,
    pub n_attempts: i32,
    pub wants_cancel: bool,
    pub progress: Option<Json>,
    pub notes: Json,
    pub artifact_id: Option<Uuid>,
    pub model_version_id: Option<Uuid>,
    pub error: Option<String>,
    pub created_at: DateTimeUtc,
    pub started_at: Option<DateTimeUtc>,
    pub ended_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
