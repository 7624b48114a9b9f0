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
    pub rank: i32,
    pub alpha: f64,
    pub learning_rate: f64,
    pub lr_schedule: String,
    pub n_warmup_steps: i64,
    pub n_steps: i64,
    pub batch_size: i32,
    pub gradient_accumulation: i32,
    pub max_gradient_norm: f64,
    pub weight_decay: f64,
    pub min_snr_gamma: f64,
    pub noise_offset: f64,
    pub caption_dropout: f64,
    pub resolution: i32,
    pub max_tokens: i32,
    pub seed: i64,
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
