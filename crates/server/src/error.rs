//! The error type of the API and its responses: `application/problem+json`, never internal details.

use std::{borrow::Cow, time::Duration};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use orchestrator::ServiceError;
use protocol::problem::{FieldError, InvalidFields, Problem, chain};
use store::{StorageFault, StoreError, objects::BlobError};

/// Result of a handler.
pub(crate) type ApiResult<T> = Result<T, ApiError>;

/// Errors of handlers.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// Fields of the request are wrong.
    #[error(transparent)]
    InvalidFields(#[from] InvalidFields),
    /// The request as a whole is wrong.
    #[error("{0}")]
    InvalidRequest(String),
    /// Not authenticated.
    #[error("{0}")]
    Unauthorized(Cow<'static, str>),
    /// Too many failed sign-ins.
    #[error(
        "too many failed sign-ins from this address: wait {} s, then try again; a valid token always works",
        seconds(.wait)
    )]
    TooManyRefusals { wait: Duration },
    /// The caller has no permission.
    #[error("{0}")]
    Forbidden(&'static str),
    /// Not found.
    #[error("there is no {what} `{id}`")]
    NotFound { what: &'static str, id: String },
    /// The API has no such route.
    #[error("the API has no route `{0}`; GET /api/openapi.json lists all of them")]
    NoRoute(String),
    /// The route does not support this method.
    #[error("{0} is not a method of this route; GET /api/openapi.json lists them")]
    MethodNotAllowed(String),
    /// The request conflicts with the current state.
    #[error("{0}")]
    Conflict(String),
    /// The `Idempotency-Key` was used with another request.
    #[error(
        "this Idempotency-Key was already used with another body or route ({route}): use a new key for each thing to \
             create"
    )]
    KeyReused { route: String },
    /// The text was changed in the meantime.
    #[error(
        "the {what} was changed elsewhere in the meantime: compare both, then send your choice with \
             `expected_{what}` set to the current value"
    )]
    Changed { what: &'static str, current: String },
    /// The attempt is no longer the caller's.
    #[error("the attempt is no longer yours: its lease ran out or its job ended; drop the work")]
    LeaseLost,
    /// The body is larger than allowed.
    #[error("{0}")]
    TooLarge(String),
    /// The URL is too long.
    #[error(
        "the URL of a request must have at most {} bytes",
        protocol::limits::MAX_URI_BYTES
    )]
    UriTooLong,
    /// The headers are too large.
    #[error(
        "the headers of a request must have at most {} bytes",
        protocol::limits::MAX_HEADER_BYTES
    )]
    HeadersTooLarge,
    /// The body arrived too slowly.
    #[error("the body arrived too slowly: send it again over a better connection")]
    TooSlow,
    /// The body has an unsupported type.
    #[error("{0}")]
    UnsupportedMediaType(String),
    /// The requested range of bytes is outside the file.
    #[error("the file has {size} bytes; the requested range is outside")]
    RangeNotSatisfiable { size: u64 },
    /// The database or the object store fails temporarily; once the cause is gone, a retry works.
    #[error("{0}")]
    Storage(StorageFault, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// The disk guard rejects uploads because of low disk space.
    #[error("{0}")]
    NoRoom(String),
    /// An external service did not respond.
    #[error("{0}")]
    Unavailable(String),
    /// A picture that the request waited for could not be drawn.
    #[error("{0}")]
    PictureFailed(String),
    /// What the request waited for took too long.
    #[error("{0}")]
    TimedOut(String),
    /// The server is shutting down.
    #[error("the server is shutting down: try again in a moment")]
    ShuttingDown,
    /// Internal error; the client gets no details.
    #[error("internal error: see the server's log under the x-request-id of this response")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Kind of [`ApiError::PictureFailed`].
const PICTURE_FAILED: &str = "picture_failed";
/// Kind of [`ApiError::TimedOut`].
const TIMED_OUT: &str = "timed_out";

impl ApiError {
    /// An error in one field.
    pub(crate) fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::InvalidFields(InvalidFields(vec![FieldError::new(field, message)]))
    }

    /// A well-formed id without a record.
    pub(crate) fn not_found(what: &'static str, id: impl ToString) -> Self {
        Self::NotFound {
            what,
            id: id.to_string(),
        }
    }

    /// The session or token ended during the request.
    pub(crate) fn signed_out() -> Self {
        Self::Unauthorized("the session or token has ended: sign in again".into())
    }

    /// An internal error.
    pub(crate) fn internal(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(error.into())
    }

    /// A server file could not be read or written.
    pub(crate) fn file(error: std::io::Error) -> Self {
        Self::Storage(StorageFault::of_file(&error), error.into())
    }

    /// A failure of the store: a storage fault if there is one, otherwise an internal error.
    fn storage_or_internal(
        fault: Option<StorageFault>,
        error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        match fault {
            Some(fault) => Self::Storage(fault, error.into()),
            None => Self::internal(error),
        }
    }

    fn status_and_kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::InvalidFields(_) | Self::InvalidRequest(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::Unauthorized(_) => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::TooManyRefusals { .. } => (StatusCode::TOO_MANY_REQUESTS, "too_many_requests"),
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden"),
            Self::NotFound { .. } | Self::NoRoute(_) => (StatusCode::NOT_FOUND, "not_found"),
            Self::MethodNotAllowed(_) => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::Conflict(_) => (StatusCode::CONFLICT, "conflict"),
            Self::KeyReused { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused"),
            Self::Changed { .. } => (StatusCode::PRECONDITION_FAILED, "changed"),
            Self::LeaseLost => (StatusCode::CONFLICT, "lease_lost"),
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Self::UriTooLong => (StatusCode::URI_TOO_LONG, "too_large"),
            Self::HeadersTooLarge => (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "too_large"),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "too_slow"),
            Self::UnsupportedMediaType(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
            Self::RangeNotSatisfiable { .. } => (StatusCode::RANGE_NOT_SATISFIABLE, "range_not_satisfiable"),
            Self::Storage(fault, _) => of_fault(*fault),
            Self::NoRoom(_) => (StatusCode::INSUFFICIENT_STORAGE, "insufficient_storage"),
            Self::Unavailable(_) | Self::ShuttingDown => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Self::PictureFailed(_) => (StatusCode::INTERNAL_SERVER_ERROR, PICTURE_FAILED),
            Self::TimedOut(_) => (StatusCode::GATEWAY_TIMEOUT, TIMED_OUT),
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }

    /// Whether the same request would fail in the same way, although the status says that the server is at fault.
    pub(crate) fn is_final(kind: &str) -> bool {
        [PICTURE_FAILED, TIMED_OUT].contains(&kind)
    }

    /// The response body.
    pub(crate) fn problem(&self) -> Problem {
        let (status, kind) = self.status_and_kind();
        let errors = match self {
            Self::InvalidFields(fields) => fields.0.clone(),
            _ => Vec::new(),
        };
        let current = match self {
            Self::Changed { current, .. } => Some(current.clone()),
            _ => None,
        };
        Problem {
            kind: kind.to_owned(),
            title: self.to_string(),
            status: status.as_u16(),
            detail: None,
            errors,
            current,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match &self {
            Self::Internal(error)
            | Self::Storage(
                StorageFault::Full
                | StorageFault::ReadOnly
                | StorageFault::Failed
                | StorageFault::Astray
                | StorageFault::Replaced,
                error,
            ) => {
                tracing::error!(error = chain(error.as_ref()), "request failed");
            }
            Self::Storage(StorageFault::Busy | StorageFault::Away, error) => {
                tracing::warn!(error = chain(error.as_ref()), "request rejected for now");
            }
            _ => {}
        }
        let problem = self.problem();
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(&problem)).into_response();
        // For routes whose errors have another shape.
        response.extensions_mut().insert(problem);
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        match self {
            Self::Unauthorized(_) => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::Storage(fault, _) => {
                if let Some(seconds) = retry_after(fault) {
                    headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                }
            }
            Self::TooManyRefusals { wait } => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds(&wait)));
            }
            Self::RangeNotSatisfiable { size } => {
                if let Ok(range) = HeaderValue::from_str(&format!("bytes */{size}")) {
                    headers.insert(header::CONTENT_RANGE, range);
                }
            }
            _ => {}
        }
        response
    }
}

/// Status and kind of a failure of the storage.
fn of_fault(fault: StorageFault) -> (StatusCode, &'static str) {
    match fault {
        StorageFault::Full => (StatusCode::INSUFFICIENT_STORAGE, "insufficient_storage"),
        StorageFault::ReadOnly | StorageFault::Astray | StorageFault::Replaced => {
            (StatusCode::SERVICE_UNAVAILABLE, "read_only_storage")
        }
        StorageFault::Failed => (StatusCode::INTERNAL_SERVER_ERROR, "storage_failed"),
        StorageFault::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
        StorageFault::Away => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    }
}

/// Seconds after which a retry may work without intervention.
fn retry_after(fault: StorageFault) -> Option<u16> {
    match fault {
        StorageFault::Busy => Some(2),
        StorageFault::Away => Some(5),
        StorageFault::Full
        | StorageFault::ReadOnly
        | StorageFault::Failed
        | StorageFault::Astray
        | StorageFault::Replaced => None,
    }
}

/// Whole seconds, at least one.
fn seconds(wait: &Duration) -> u64 {
    wait.as_millis()
        .div_ceil(1000)
        .try_into()
        .unwrap_or(u64::MAX)
        .max(1)
}

impl From<ServiceError> for ApiError {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Invalid(fields) => Self::InvalidFields(fields),
            ServiceError::NotFound { what, id } => Self::NotFound { what, id },
            ServiceError::Conflict(message) => Self::Conflict(message),
            ServiceError::Unavailable(message) => Self::Unavailable(message),
            ServiceError::NoRoom(message) => Self::NoRoom(message),
            ServiceError::LeaseLost => Self::LeaseLost,
            ServiceError::TokenEnded => Self::Unauthorized(error.to_string().into()),
            ServiceError::Forbidden => Self::Forbidden("this token does not belong to this attempt"),
            ServiceError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound { what, id } => Self::NotFound { what, id },
            StoreError::Stale { .. } => Self::Conflict(format!("{error}: reload, then try again")),
            StoreError::Blob(error) => error.into(),
            StoreError::Storage { fault, .. } => Self::Storage(fault, error.into()),
            StoreError::Database { .. } | StoreError::Corrupt { .. } => Self::internal(error),
        }
    }
}

impl From<BlobError> for ApiError {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::NotFound { key } => Self::NotFound {
                what: "stored file",
                id: key.to_string(),
            },
            BlobError::HashMismatch { .. } | BlobError::SizeMismatch { .. } | BlobError::Broken(_) => {
                Self::InvalidRequest(error.to_string())
            }
            BlobError::TooLarge { .. } => Self::TooLarge(error.to_string()),
            BlobError::Full(_)
            | BlobError::Bucket(_)
            | BlobError::Foreign { .. }
            | BlobError::Unmarked { .. }
            | BlobError::NotKept { .. }
            | BlobError::List(_)
            | BlobError::Slot { .. }
            | BlobError::FullSlot { .. }
            | BlobError::Staged { .. }
            | BlobError::Store { .. } => Self::storage_or_internal(error.fault(), error),
        }
    }
}
