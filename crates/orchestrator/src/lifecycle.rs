//! The life cycle of a job: one pure function. No phase changes anywhere else. Drawing sessions have one of their own.

pub mod drawing;

#[cfg(test)]
mod tests;

use protocol::phase::{Outcome, Phase};

/// What happens to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Input {
    /// The decision to start an instance for it was committed.
    Launch,
    /// An agent took its attempt.
    Claimed,
    /// The agent did the last step.
    TrainingDone,
    /// Its owner wants it to end with a checkpoint.
    StopRequested,
    /// Its owner wants its next step to be the last, with a result.
    FinishRequested,
    /// Its owner wants it to end without keeping anything.
    CancelRequested,
    /// The rest of its cost limit is too small for another machine.
    OutOfMoney,
    /// Its owner wants it to go on.
    Resume,
    /// Its attempt ended. One that ended before its time is followed by another, if any are left.
    AttemptEnded {
        /// How.
        outcome: Outcome,
        /// Attempts that may still be made.
        attempts_left: u32,
    },
}

/// An input that a job in this phase cannot have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a job that {} {}", standing(*phase), input.refused())]
pub struct InvalidTransition {
    /// The job's phase.
    pub phase: Phase,
    /// The input.
    pub input: Input,
}

/// Where a job stands, for the sentence of [`InvalidTransition`].
fn standing(phase: Phase) -> &'static str {
    match phase {
        Phase::Queued => "waits for a machine",
        Phase::Launching => "waits for its machine to start",
        Phase::Running => "is running",
        Phase::Finalizing => "is being finished",
        Phase::Stopping => "is being stopped",
        Phase::Stopped => "was stopped",
        Phase::Cancelling => "is being canceled",
        Phase::Cancelled => "was canceled",
        Phase::Failed => "has failed",
        Phase::Succeeded => "has succeeded",
    }
}

impl Input {
    /// What cannot happen, for the sentence of [`InvalidTransition`].
    fn refused(self) -> &'static str {
        match self {
            Self::Launch => "cannot be started on a machine",
            Self::Claimed => "cannot be taken by an agent",
            Self::TrainingDone => "cannot have done its last step",
            Self::StopRequested => "cannot be stopped",
            Self::FinishRequested => "cannot be finished early",
            Self::CancelRequested => "cannot be canceled",
            Self::OutOfMoney => "cannot run out of money",
            Self::Resume => "cannot be resumed",
            Self::AttemptEnded { .. } => "has no attempt that could end",
        }
    }
}

/// The phase after an input. An input that may arrive twice leaves the job in the phase that it led to.
pub fn next(phase: Phase, input: Input) -> Result<Phase, InvalidTransition> {
    use Input::{
        AttemptEnded, CancelRequested, Claimed, FinishRequested, Launch, OutOfMoney, Resume, StopRequested,
        TrainingDone,
    };
    use Phase::{
        Cancelled, Cancelling, Failed, Finalizing, Launching, Queued, Running, Stopped, Stopping, Succeeded,
    };
    match (phase, input) {
        (Queued, Launch) => Ok(Launching),
        // An agent that claims again begins again from its checkpoint.
        (Launching | Running | Finalizing, Claimed) => Ok(Running),
        (Stopping, Claimed) => Ok(Stopping),
        (Cancelling, Claimed) => Ok(Cancelling),
        (Running | Finalizing, TrainingDone) => Ok(Finalizing),
        (Stopping, TrainingDone) => Ok(Stopping),
        (Cancelling, TrainingDone) => Ok(Cancelling),

        (Queued, StopRequested | OutOfMoney) => Ok(Stopped),
        (Launching | Running | Stopping, StopRequested) => Ok(Stopping),
        // It goes its way to the same end, only sooner.
        (Queued | Launching | Running | Finalizing, FinishRequested) => Ok(phase),
        (Queued, CancelRequested) => Ok(Cancelled),
        (Launching | Running | Finalizing | Stopping | Cancelling, CancelRequested) => Ok(Cancelling),
        (Stopped | Failed, Resume) => Ok(Queued),

        (Cancelling, AttemptEnded { .. }) => Ok(Cancelled),
        (
            Running | Finalizing | Stopping,
            AttemptEnded {
                outcome: Outcome::Completed,
                ..
            },
        ) => Ok(Succeeded),
        (
            Launching | Running | Finalizing | Stopping,
            AttemptEnded {
                outcome: Outcome::Failed,
                ..
            },
        ) => Ok(Failed),
        (Stopping, AttemptEnded { .. }) => Ok(Stopped),
        // It completed before anybody saw it begin: no agent of ours.
        (
            Launching,
            AttemptEnded {
                outcome: Outcome::Completed,
                ..
            },
        ) => Err(InvalidTransition { phase, input }),
        // Ended before its time, for no fault of the training.
        (Launching | Running | Finalizing, AttemptEnded { attempts_left: 0, .. }) => Ok(Failed),
        (Launching | Running | Finalizing, AttemptEnded { .. }) => Ok(Queued),

        (phase, input) => Err(InvalidTransition { phase, input }),
    }
}
