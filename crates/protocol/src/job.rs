//! Jobs: requests and responses of the API.

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    DatasetId, DatasetVersionId, JobId, MicroUsd, ModelVersionId,
    base::Prediction,
    event::StepMetrics,
    judgement::Stamp,
    phase::Phase,
    preset::{BaseClass, Family, Preset},
    recipe::{Engine, ParameterOverrides, Recipe},
    sample::SamplePrompt,
    spend::{JobSpend, RentalWish},
};

/// Submits a training job.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateJob {
    /// The dataset to train on. It is frozen when the job is created; later changes do not affect the job.
    pub dataset_id: DatasetId,
    /// Name of the base model, as `GET /api/v1/base-models` lists it.
    pub base_model: String,
    /// Name of the resulting model, 1 to 80 characters.
    #[schema(min_length = 1, max_length = 80)]
    pub name: String,
    /// The word that activates the LoRA in a prompt; prepended to captions that lack it.
    #[serde(default)]
    #[schema(max_length = 80)]
    pub trigger_word: Option<String>,
    /// What the LoRA is for; sets the defaults of all parameters.
    #[serde(default)]
    pub preset: Preset,
    /// The family of base models whose preset is taken; absent for the one that the base was recognized as.
    #[serde(default)]
    pub family: Option<Family>,
    /// The training engine.
    #[serde(default)]
    pub engine: Engine,
    /// The provider of the machine: `local` is the server's own machine.
    #[serde(default = "local")]
    #[schema(default = "local")]
    pub provider: String,
    /// Priority, from -10 to 10. Higher runs first; the oldest first among equals.
    #[serde(default)]
    #[schema(minimum = -10, maximum = 10, default = 0)]
    pub priority: i8,
    /// Overrides of the preset's hyperparameters.
    #[serde(default)]
    pub parameters: ParameterOverrides,
    /// Length of the training in epochs, in place of `n_views` and `n_steps` of the parameters.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 100_000)]
    pub n_epochs: Option<u32>,
    /// The preview pictures, at most 16: each a prompt, or an object with a prompt and what else is chosen. If omitted,
    /// captions of the dataset are used.
    #[serde(
        default,
        serialize_with = "crate::sample::serialize",
        deserialize_with = "crate::sample::deserialize_request"
    )]
    #[schema(schema_with = crate::sample::schema)]
    pub sample_prompts: Vec<SamplePrompt>,
    /// A version of a model in the library to begin with, in place of a LoRA that changes nothing. Its kind, ranks and
    /// layers must be those that the job trains.
    #[serde(default)]
    pub start_from: Option<ModelVersionId>,
    /// Total cost limit of the job across all its machines, in micro-dollars. Required for a provider
    /// with paid machines; the job stops with a checkpoint before it exceeds the limit.
    #[serde(default)]
    #[schema(value_type = Option<i64>, minimum = 1)]
    pub limit_micro_usd: Option<MicroUsd>,
    /// The project of the job, whose budget also applies; 1 to 80 characters.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 80)]
    pub project: Option<String>,
    /// Why the job is run, for people; at most 200 characters on one line.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub note: Option<String>,
    /// Requirements for the rented machine.
    #[serde(default)]
    pub rental: RentalWish,
    /// `hash` of the estimate that the user saw. Required for a provider with paid machines: if prices or
    /// settings have changed since, the job is rejected.
    #[serde(default)]
    pub estimate_hash: Option<String>,
}

/// Asks for a model version of a stored checkpoint.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MakeVersion {
    /// Optimizer steps done at the checkpoint.
    #[schema(minimum = 1)]
    pub step: u32,
    /// The provider of the machine that makes it. If omitted, that of the job, or `local` if that one costs money.
    #[serde(default)]
    pub provider: Option<String>,
    /// Total cost limit, in micro-dollars. Required for a provider with paid machines.
    #[serde(default)]
    #[schema(value_type = Option<i64>, minimum = 1)]
    pub limit_micro_usd: Option<MicroUsd>,
}

/// What changed in a dataset since a job froze it, in pictures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DatasetChanges {
    /// Added since.
    pub n_added: u32,
    /// Deleted since.
    pub n_removed: u32,
    /// With another caption.
    pub n_recaptioned: u32,
    /// Shown more or less often, or as another kind of picture.
    pub n_shown_otherwise: u32,
}

/// The valid range of priorities.
pub const PRIORITIES: RangeInclusive<i8> = -10..=10;

fn local() -> String {
    "local".into()
}

/// One training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Its phase.
    pub phase: Phase,
    /// The reason for the phase, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The fully resolved configuration.
    pub recipe: Recipe,
    /// The dataset it was created from.
    pub dataset_id: DatasetId,
    /// The frozen pictures that it trains on.
    pub dataset_version_id: DatasetVersionId,
    /// The provider of the machine.
    pub provider: String,
    /// Higher runs first.
    pub priority: i8,
    /// Number of attempts started so far.
    pub n_attempts: u32,
    /// The numbers of the newest step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<StepMetrics>,
    /// Optimizer steps at the newest checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_step: Option<u32>,
    /// Its next step is its last, or it is finished with its newest checkpoint: it was asked to end early with a result.
    #[serde(default)]
    pub is_finishing: bool,
    /// The job whose checkpoint this one makes a version of. It trains no step itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_of: Option<JobId>,
    /// Why it is run, as its owner wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The resulting model version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_version_id: Option<ModelVersionId>,
    /// What its result was found to be; absent without a result, and if nothing judged it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamp: Option<Stamp>,
    /// Its cost limit and its cost so far.
    pub spend: JobSpend,
    /// The project of the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Requirements for the rented machine; absent if none is rented.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rental: Option<RentalWish>,
    /// Number of the newest event of its stream.
    pub last_seq: i64,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When an agent first started to work on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
}

/// The step metrics of a job, in columns, for a chart.
///
/// If there are more steps than requested entries, each entry stands for a bucket of steps: `loss_min`
/// and `loss_max` are its extremes, all other values are those of its last step.
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
    /// Time of the step, in milliseconds.
    #[serde(default)]
    pub step_ms: Vec<f64>,
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
    /// Size class.
    pub class: BaseClass,
    /// Which base models are trained like it; selects the presets.
    pub family: Family,
    /// What tells its family, after "because".
    pub family_reason: String,
    /// Side of the square pictures it was trained on, in pixels.
    pub native_resolution: u32,
    /// Whether it ships with Morpheus.
    pub built_in: bool,
    /// What its U-Net is taken to predict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction: Option<Prediction>,
    /// What one should know before using it, as sentences: what was measured contradicts what its files say, or tensors
    /// are not used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}
