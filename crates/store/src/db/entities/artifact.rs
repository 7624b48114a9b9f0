//! `artifacts`: files kept from jobs and generations.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "artifacts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub owner_id: Uuid,
    pub job_id: Option<Uuid>,
    pub generation_id: Option<Uuid>,
    pub edit_id: Option<Uuid>,
    pub attempt_id: Uuid,
    pub kind: String,
    pub step: Option<i64>,
    pub details: Json,
    pub file_name: String,
    pub sha256: String,
    pub size_bytes: i64,
    pub blob_key: String,
    pub url: String,
    pub state: String,
    pub created_at: DateTimeUtc,
    pub stored_at: Option<DateTimeUtc>,
    pub unusable: Option<String>,
    pub judgement: Option<Json>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The word for a file whose bytes are there.
pub(crate) const STORED: &str = "stored";
