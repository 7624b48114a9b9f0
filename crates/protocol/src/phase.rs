//! Phases of jobs and attempts. The transitions between phases are in `orchestrator::lifecycle`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Phase of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Waiting for an instance.
    Queued,
    /// An instance is being started for it.
    Launching,
    /// An agent trains it.
    Running,
    /// Trained; the result is being validated and stored.
    Finalizing,
    /// A stop was requested; the agent writes a checkpoint first.
    Stopping,
    /// Ended before its last step, with a checkpoint; can be resumed.
    Stopped,
    /// Cancellation was requested; the agent has not confirmed it yet.
    Cancelling,
    /// Ended without keeping anything.
    Cancelled,
    /// Failed with an error that a retry does not fix.
    Failed,
    /// Trained, validated and stored.
    Succeeded,
}

impl Phase {
    /// Every phase, in the order of a job's life.
    pub const ALL: [Self; 10] = [
        Self::Queued,
        Self::Launching,
        Self::Running,
        Self::Finalizing,
        Self::Stopping,
        Self::Stopped,
        Self::Cancelling,
        Self::Cancelled,
        Self::Failed,
        Self::Succeeded,
    ];

    /// Whether no attempt works on a job in this phase, and none will unless a user resumes it.
    pub fn is_ended(self) -> bool {
        matches!(
            self,
            Self::Stopped | Self::Cancelled | Self::Failed | Self::Succeeded
        )
    }

    /// The word that the API, the database and the pages use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Launching => "launching",
            Self::Running => "running",
            Self::Finalizing => "finalizing",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::Succeeded => "succeeded",
        }
    }
}

/// Phase of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttemptPhase {
    /// Committed to the database; the instance is not ordered yet.
    Intent,
    /// The provider started an instance; its agent has not connected yet.
    Booting,
    /// The agent holds the lease and works.
    Running,
    /// Ended. The outcome says how.
    Gone,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It did all its work.
    Completed,
    /// It stopped with a checkpoint, as ordered.
    Stopped,
    /// It was canceled, as ordered, and kept nothing.
    Cancelled,
    /// The engine reported an error.
    Failed,
    /// Its lease ran out: the agent died, or could not reach the server.
    Lost,
    /// The agent of the instance never connected.
    NeverStarted,
}
