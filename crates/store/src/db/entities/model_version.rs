//! `model_versions`: trained LoRAs offered for use.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "model_versions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub owner_id: Uuid,
    pub model_id: Uuid,
    pub version: i32,
    pub stage: String,
    pub job_id: Uuid,
    pub dataset_version_id: Uuid,
    pub name: String,
    pub trigger_word: Option<String>,
    pub base_model: String,
    pub engine: String,
    pub preset: String,
    pub n_steps: i64,
    pub recipe: Json,
    pub artifact_id: Uuid,
    pub artifact_url: String,
    pub file_name: String,
    pub size_bytes: i64,
    pub sha256: String,
    pub metadata: Json,
    pub verdict: Json,
    pub verdict_passed: bool,
    pub before_artifact_id: Option<Uuid>,
    pub after_artifact_id: Option<Uuid>,
    pub created_at: DateTimeUtc,
    pub promoted_at: Option<DateTimeUtc>,
    pub retired_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
