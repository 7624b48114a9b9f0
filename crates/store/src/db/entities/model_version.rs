//! `model_versions`: LoRAs offered for use, trained or imported.

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
    pub job_id: Option<Uuid>,
    pub dataset_version_id: Option<Uuid>,
    pub name: String,
    pub trigger_word: Option<String>,
    pub base_model: String,
    pub engine: Option<String>,
    pub preset: Option<String>,
    pub n_steps: Option<i64>,
    pub recipe: Option<Json>,
    pub artifact_id: Option<Uuid>,
    pub artifact_url: String,
    pub file_name: String,
    pub size_bytes: i64,
    pub sha256: String,
    pub metadata: Json,
    pub verdict: Option<Json>,
    pub verdict_passed: bool,
    pub imported: Option<Json>,
    pub before_artifact_id: Option<Uuid>,
    pub after_artifact_id: Option<Uuid>,
    pub created_at: DateTimeUtc,
    pub promoted_at: Option<DateTimeUtc>,
    pub retired_at: Option<DateTimeUtc>,
    pub usage: Option<Json>,
    pub judgement: Option<Json>,
    pub deleted_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
