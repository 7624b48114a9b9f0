//! `training_jobs`: one training that a user submitted.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "training_jobs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub owner_id: Uuid,
    pub dataset_id: Uuid,
    pub dataset_version_id: Uuid,
    pub name: String,
    pub trigger_word: Option<String>,
    pub base_model: String,
    pub engine: String,
    pub preset: String,
    pub recipe: Json,
    pub provider: String,
    pub priority: i32,
    pub project: Option<String>,
    pub rental: Option<Json>,
    pub limit_micro_usd: Option<i64>,
    pub spent_micro_usd: i64,
    pub reserved_micro_usd: i64,
    pub rate_micro_usd: i64,
    pub spend_warned_at: Option<DateTimeUtc>,
    pub phase: String,
    pub reason: Option<String>,
    pub requested: Option<String>,
    pub requested_at: Option<DateTimeUtc>,
    pub checkpoint_requested_at: Option<DateTimeUtc>,
    pub sample_requested_at: Option<DateTimeUtc>,
    pub finish_requested_at: Option<DateTimeUtc>,
    pub not_before: Option<DateTimeUtc>,
    pub n_attempts: i32,
    pub n_fruitless_attempts: i32,
    pub progress: Option<Json>,
    pub checkpoint_step: Option<i64>,
    pub last_seq: i64,
    pub version_of_job_id: Option<Uuid>,
    pub note: Option<String>,
    pub stamp: Option<String>,
    pub model_version_id: Option<Uuid>,
    pub artifact_url: Option<String>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub started_at: Option<DateTimeUtc>,
    pub ended_at: Option<DateTimeUtc>,
    pub deleted_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
