//! Jobs as the API takes and shows them.

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    DatasetId, DatasetVersionId, JobId, MicroUsd, ModelVersionId,
    event::StepMetrics,
    phase::Phase,
    preset::{BaseClass, Preset},
    recipe::{Engine, ParameterOverrides, Recipe},
    spend::{JobSpend, RentalWish},
};

/// Asks for a training.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateJob {
    /// The pictures to learn from. They are frozen when the job is made; later changes do not reach it.
    pub dataset_id: DatasetId,
    /// Name of the base model, as `GET /api/v1/base-models` lists it.
    pub base_model: String,
    /// Name of the result, from 1 to 80 characters.
    #[schema(min_length = 1, max_length = 80)]
    pub name: String,
    /// The word that calls the LoRA up in a prompt; put in front of captions that lack it.
    #[serde(default)]
    #[schema(max_length = 80)]
    pub trigger_word: Option<String>,
    /// What the LoRA is for; gives the defaults of all parameters.
    #[serde(default)]
    pub preset: Preset,
    /// What computes the training.
    #[serde(default)]
    pub engine: Engine,
    /// Who leases the machine: `local` is this one.
    #[serde(default = "local")]
    #[schema(default = "local")]
    pub provider: String,
    /// Jobs of a higher priority go first, from -10 to 10; of equal ones the oldest.
    #[serde(default)]
    #[schema(minimum = -10, maximum = 10, default = 0)]
    pub priority: i8,
    /// Replaces the preset's hyperparameters.
    #[serde(default)]
    pub parameters: ParameterOverrides,
    /// Prompts of the preview pictures, at most 16. Left out: captions of the dataset.
    #[serde(default)]
    #[schema(max_items = 16)]
    pub sample_prompts: Vec<String>,
    /// What the job may cost in all, over every machine that it runs on, in micro-dollars. Needed for a provider
    /// that rents machines out; the job ends itself, with a checkpoint, before it passes this.
    #[serde(default)]
    #[schema(value_type = Option<i64>, minimum = 1)]
    pub limit_micro_usd: Option<MicroUsd>,
    /// The project that it belongs to, whose budget it also keeps to; from 1 to 80 characters.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 80)]
    pub project: Option<String>,
    /// Which rented machines it may run on.
    #[serde(default)]
    pub rental: RentalWish,
    /// `hash` of the estimate that the user saw. Needed for a provider that rents machines out: if prices or
    /// settings have changed since, nothing is launched.
    #[serde(default)]
    pub estimate_hash: Option<String>,
}

/// The priorities that a job can have.
pub const PRIORITIES: RangeInclusive<i8> = -10..=10;

fn local() -> String {
    "local".into()
}

/// One training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Where it stands.
    pub phase: Phase,
    /// Why it stands there, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The fully resolved configuration.
    pub recipe: Recipe,
    /// The dataset it was made from.
    pub dataset_id: DatasetId,
    /// The frozen pictures that it trains on.
    pub dataset_version_id: DatasetVersionId,
    /// Who leases the machine.
    pub provider: String,
    /// Jobs of a higher priority go first.
    pub priority: i8,
    /// How many attempts were started.
    pub n_attempts: u32,
    /// The numbers of the newest step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<StepMetrics>,
    /// Optimizer steps that the newest checkpoint holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_step: Option<u32>,
    /// The result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_version_id: Option<ModelVersionId>,
    /// What it may and does cost.
    pub spend: JobSpend,
    /// The project that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Which rented machines it may run on; absent where none are rented.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rental: Option<RentalWish>,
    /// Number of the newest event of its stream.
    pub last_seq: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When an agent first worked on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
}

/// The step metrics of a job, in columns, for a chart.
///
/// When there are more steps than the wanted width, each entry stands for a bucket of steps: `loss_min`
/// and `loss_max` are its extremes, everything else is its last step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Metrics {
    /// Optimizer step.
    pub step: Vec<u32>,
    /// Training loss.
    pub loss: Vec<f64>,
    /// Lowest loss of the bucket.
    pub loss_min: Vec<f64>,
    /// Highest loss of the bucket.
    pub loss_max: Vec<f64>,
    /// Mean loss of the last epoch's worth of steps.
    pub average_loss: Vec<f64>,
    /// Learning rate.
    pub learning_rate: Vec<f64>,
    /// Gradient norm before clipping.
    pub gradient_norm: Vec<f64>,
    /// Validation losses: optimizer step and loss.
    pub validation: Vec<(u32, f64)>,
    /// Number of the newest event that is included; follow the WebSocket from here.
    pub last_seq: i64,
}

/// A base model that jobs and generations can use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BaseModel {
    /// The name to use in jobs and generations.
    pub name: String,
    /// How large it is, as far as presets care.
    pub class: BaseClass,
    /// Side of the square pictures that it was trained on, in pixels.
    pub native_resolution: u32,
    /// Ships with Morpheus.
    pub built_in: bool,
}
