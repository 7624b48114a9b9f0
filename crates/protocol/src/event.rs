//! The numbered event stream of a job: what the agent reports and what the dashboard follows.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    ArtifactId, AttemptId, JobId, MicroUsd, ModelVersionId,
    model::Verdict,
    phase::{Outcome, Phase},
};

/// One event of a job's stream, as `WS /api/v1/jobs/{id}/events` sends it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobEvent {
    /// Position in the job's stream: 1, 2, 3, … without gaps. Send the last one seen as `after` to resume.
    pub seq: i64,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// The attempt that reported it; absent for events of the job itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_id: Option<AttemptId>,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The job moved to another phase.
    PhaseChanged {
        /// The new phase.
        phase: Phase,
        /// Why, for a person; absent when the phase says it all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// An attempt ended.
    AttemptEnded {
        /// How.
        outcome: Outcome,
        /// What the agent or the reconciler saw.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    /// The engine is preparing: loading the base, caching latents, …
    Stage {
        /// What it does, for a person: `caching latents`.
        name: String,
        /// Finished parts.
        done: u32,
        /// All parts; 0 when unknown.
        total: u32,
    },
    /// One optimizer step.
    Step(StepMetrics),
    /// A validation loss was measured on held-out pictures.
    ValidationLoss {
        /// Optimizer steps done before it was measured.
        step: u32,
        /// Mean over the held-out pictures and the fixed timesteps.
        loss: f64,
    },
    /// A preview picture is stored.
    Sample {
        /// The stored picture.
        artifact_id: ArtifactId,
        /// Optimizer steps done when it was rendered.
        step: u32,
        /// Which of the recipe's sample prompts, from 0.
        prompt_index: u32,
        /// The prompt.
        prompt: String,
        /// Seed of its starting noise.
        seed: u64,
    },
    /// A resumable checkpoint is stored.
    Checkpoint {
        /// The stored file.
        artifact_id: ArtifactId,
        /// Optimizer steps done.
        step: u32,
        /// Size of the file.
        size_bytes: u64,
    },
    /// The trained file was judged.
    Validated {
        /// The verdict with its numbers.
        verdict: Verdict,
    },
    /// The result is a new model version.
    ModelVersionCreated {
        /// Its id.
        model_version_id: ModelVersionId,
    },
    /// What the job's machines have cost until now. It comes with every look at them.
    Spend {
        /// Spent, an upper bound until the provider has billed it, in micro-dollars.
        spent_micro_usd: MicroUsd,
        /// What an hour of its living machines costs, in micro-dollars.
        rate_micro_usd: MicroUsd,
        /// What it may cost in all, in micro-dollars.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit_micro_usd: Option<MicroUsd>,
        /// What it will have cost at its last step, if steps go on as they do, in micro-dollars.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        forecast_micro_usd: Option<MicroUsd>,
    },
    /// A line for a person.
    Log {
        /// How grave.
        level: LogLevel,
        /// The line.
        message: String,
    },
}

/// How grave a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Worth knowing.
    Info,
    /// Worth looking at.
    Warning,
    /// Something failed.
    Error,
}

/// The numbers of one optimizer step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StepMetrics {
    /// Optimizer steps done, this one included; from 1.
    pub step: u32,
    /// All optimizer steps of the job.
    pub n_steps: u32,
    /// The epoch that this step belongs to; from 1.
    pub epoch: u32,
    /// All epochs of the job.
    pub n_epochs: u32,
    /// Training loss of this step's batch.
    pub loss: f64,
    /// Mean loss of the last epoch's worth of steps.
    pub average_loss: f64,
    /// Learning rate used by this step.
    pub learning_rate: f64,
    /// Norm of all gradients together before clipping; 0 where the engine does not tell.
    pub gradient_norm: f64,
    /// Wall-clock time of this step.
    pub step_ms: f64,
    /// Estimated time to the last step.
    pub eta_seconds: f64,
}

/// Any job's event, as `WS /api/v1/events` sends it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AnyJobEvent {
    /// The job.
    pub job_id: JobId,
    /// Its event.
    #[serde(flatten)]
    pub event: JobEvent,
}
