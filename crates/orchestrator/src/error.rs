//! Errors of services.

use protocol::problem::{FieldError, InvalidFields};
use store::StoreError;

/// Result of a service.
pub type ServiceResult<T> = Result<T, ServiceError>;

/// Why a service refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// Fields of the request are wrong. (HTTP 422)
    #[error(transparent)]
    Invalid(#[from] InvalidFields),
    /// It does not exist, or belongs to another owner. (HTTP 404)
    #[error("there is no {what} `{id}`")]
    NotFound {
        /// What was asked for, as a noun.
        what: &'static str,
        /// The id that was asked for.
        id: String,
    },
    /// The thing is not in a state that allows this; the message says what would be right. (HTTP 409 `conflict`)
    #[error("{0}")]
    Conflict(String),
    /// The agent does not own the work any more: somebody else does, or it has ended. (HTTP 409 `lease_lost`)
    #[error("this attempt no longer holds the lease: stop the work")]
    LeaseLost,
    /// The token was deleted or has expired. (HTTP 401)
    #[error("the token was deleted or has expired: create a new one under Settings")]
    TokenEnded,
    /// The token is not the one that this attempt was given. (HTTP 403)
    #[error("this token does not belong to this attempt")]
    Forbidden,
    /// A provider does not answer. (HTTP 503)
    #[error("{0}")]
    Unavailable(String),
    /// The server's disk has no room for it; the message says how much is needed. (HTTP 507)
    #[error("{0}")]
    NoRoom(String),
    /// The store failed. (HTTP 500; 507 on a full disk, 503 if a retry may work)
    #[error(transparent)]
    Store(StoreError),
}

impl ServiceError {
    pub(crate) fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(InvalidFields(vec![FieldError::new(field, message)]))
    }

    /// A conflict that is caused by a field of the request.
    pub(crate) fn at(self, field: &str) -> Self {
        match self {
            Self::Conflict(reason) => Self::field(field, reason),
            err => err,
        }
    }
}

impl From<StoreError> for ServiceError {
    fn from(err: StoreError) -> Self {
        match err {
            StoreError::NotFound { what, id } => Self::NotFound { what, id },
            StoreError::Stale { .. } => Self::Conflict(format!("{err}: reload, then try again")),
            err => Self::Store(err),
        }
    }
}
