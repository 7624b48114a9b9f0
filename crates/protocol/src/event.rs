//! The numbered event stream of a job: what the agent reports and what the dashboard follows.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    ArtifactId, AttemptId, JobId, MicroUsd, ModelVersionId,
    judgement::Judgement,
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
        /// The reason, for a person; absent if the phase is self-explanatory.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// An attempt ended.
    AttemptEnded {
        /// How it ended.
        outcome: Outcome,
        /// What the agent or the reconciler observed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    /// The engine is preparing: loading the base, caching latents, …
    Stage {
        /// The current step, for a person: `caching latents`.
        name: String,
        /// Completed units.
        done: u32,
        /// Total units; 0 if unknown.
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
    /// Which pictures some optimizer steps saw.
    PicturesSeen {
        /// The steps, in their order.
        steps: Vec<SeenPictures>,
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
    /// The trained file was evaluated.
    Validated {
        /// The verdict with its numbers.
        verdict: Verdict,
    },
    /// A stored checkpoint was judged by its pictures.
    Judged {
        /// Optimizer steps done at the checkpoint.
        step: u32,
        /// What it was found to be.
        judgement: Judgement,
    },
    /// The result is a new model version.
    ModelVersionCreated {
        /// Its id.
        model_version_id: ModelVersionId,
    },
    /// Cost of the job's machines so far. Sent each time the machines are checked.
    Spend {
        /// Amount spent, in micro-dollars; an upper bound until the provider has billed it.
        spent_micro_usd: MicroUsd,
        /// Cost per hour of its running machines, in micro-dollars.
        rate_micro_usd: MicroUsd,
        /// Total cost limit, in micro-dollars.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit_micro_usd: Option<MicroUsd>,
        /// Forecast of the total cost at the current speed, in micro-dollars.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        forecast_micro_usd: Option<MicroUsd>,
    },
    /// A log line for a person.
    Log {
        /// Severity.
        level: LogLevel,
        /// The text.
        message: String,
    },
}

/// The kind of an event: its `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// See [`Event::PhaseChanged`].
    PhaseChanged,
    /// See [`Event::AttemptEnded`].
    AttemptEnded,
    /// See [`Event::Stage`].
    Stage,
    /// See [`Event::Step`].
    Step,
    /// See [`Event::ValidationLoss`].
    ValidationLoss,
    /// See [`Event::PicturesSeen`].
    PicturesSeen,
    /// See [`Event::Sample`].
    Sample,
    /// See [`Event::Checkpoint`].
    Checkpoint,
    /// See [`Event::Validated`].
    Validated,
    /// See [`Event::Judged`].
    Judged,
    /// See [`Event::ModelVersionCreated`].
    ModelVersionCreated,
    /// See [`Event::Spend`].
    Spend,
    /// See [`Event::Log`].
    Log,
}

impl Event {
    /// Its kind.
    pub fn kind(&self) -> EventKind {
        match self {
            Self::PhaseChanged { .. } => EventKind::PhaseChanged,
            Self::AttemptEnded { .. } => EventKind::AttemptEnded,
            Self::Stage { .. } => EventKind::Stage,
            Self::Step(_) => EventKind::Step,
            Self::ValidationLoss { .. } => EventKind::ValidationLoss,
            Self::PicturesSeen { .. } => EventKind::PicturesSeen,
            Self::Sample { .. } => EventKind::Sample,
            Self::Checkpoint { .. } => EventKind::Checkpoint,
            Self::Validated { .. } => EventKind::Validated,
            Self::Judged { .. } => EventKind::Judged,
            Self::ModelVersionCreated { .. } => EventKind::ModelVersionCreated,
            Self::Spend { .. } => EventKind::Spend,
            Self::Log { .. } => EventKind::Log,
        }
    }
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
    /// Global gradient norm before clipping; 0 if the engine does not report it.
    pub gradient_norm: f64,
    /// Wall-clock time of this step.
    pub step_ms: f64,
    /// Estimated time to the last step.
    pub eta_seconds: f64,
}

/// The pictures that one optimizer step saw, each with its loss: three lists of the same length. Pictures that were drawn
/// for regularization are left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SeenPictures {
    /// The optimizer step; from 1.
    pub step: u32,
    /// The pictures, by their place in the job's dataset version; from 0.
    pub pictures: Vec<u32>,
    /// The timestep at which each was shown: from 0, nearly clean, to 999, nearly noise.
    pub timesteps: Vec<u32>,
    /// Loss of each before it is weighted, by min-SNR for example; with six decimal places.
    pub losses: Vec<f64>,
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
