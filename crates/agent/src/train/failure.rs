//! Why an attempt to train failed.

use std::error::Error;

use protocol::problem::chain;

use crate::{
    client::ClientError, disk_fault, engine::EngineError, instead::Unfetched, transfer::TransferError,
};

/// Why an attempt failed.
pub(super) enum Failure {
    /// The work cannot be done; text for people.
    Work(String),
    /// The engine cannot resume from its checkpoint, with the reason.
    Checkpoint(String),
    /// The disk of this machine takes no writes, or is about to; text for people.
    Disk(String),
    /// The server could not be informed.
    Exchange(ClientError),
}

impl Failure {
    /// Of something on this machine.
    pub(super) fn of(err: &(dyn Error + 'static)) -> Self {
        if disk_fault::is_cause(err) {
            Self::Disk(chain(err))
        } else {
            Self::Work(chain(err))
        }
    }
}

impl From<ClientError> for Failure {
    fn from(err: ClientError) -> Self {
        Self::Exchange(err)
    }
}

impl From<EngineError> for Failure {
    fn from(err: EngineError) -> Self {
        match err {
            EngineError::Checkpoint(problem) => Self::Checkpoint(problem),
            EngineError::Disk(detail) => Self::Disk(detail),
            EngineError::Work(detail) => Self::Work(detail),
        }
    }
}

impl From<Unfetched> for Failure {
    fn from(err: Unfetched) -> Self {
        match err {
            Unfetched::Transfer(err) => err.into(),
            Unfetched::Exchange(err) => Self::Exchange(err),
            Unfetched::GiveUp(reason) => Self::Work(reason),
        }
    }
}

impl From<TransferError> for Failure {
    fn from(err: TransferError) -> Self {
        match err.into_final() {
            Ok(err) => Self::Exchange(err),
            Err(err) => Self::of(&err),
        }
    }
}
