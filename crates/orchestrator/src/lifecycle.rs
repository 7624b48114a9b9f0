//! The life cycle of a job: one pure function. No phase changes anywhere else.

#[cfg(test)]
mod tests;

use protocol::phase::{Outcome, Phase};

/// What happens to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Input {
    /// The intent to start an instance for it is committed.
    Launch,
    /// An agent took its attempt.
    Claimed,
    /// The agent did the last step.
    TrainingDone,
    /// Its owner wants it to end with a checkpoint.
    StopRequested,
    /// Its owner wants it to end without keeping anything.
    CancelRequested,
    /// What is left of its limit is too little for another machine.
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
#[error("a job that is {} cannot take {input:?}", phase.as_str())]
pub struct InvalidTransition {
    /// Where the job stands.
    pub phase: Phase,
    /// What was to happen.
    pub input: Input,
}

/// The phase after an input. Inputs that may arrive twice lead back to the phase they led to.
pub fn next(phase: Phase, input: Input) -> Result<Phase, InvalidTransition> {
    use Input::{
        AttemptEnded, CancelRequested, Claimed, Launch, OutOfMoney, Resume, StopRequested, TrainingDone,
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
