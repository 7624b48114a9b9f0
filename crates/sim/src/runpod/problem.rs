//! Refusals as the provider words them: `application/problem+json`.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
    errors: Vec<String>,
    retry_after_s: Option<u64>,
}

pub(super) type Answer<T> = Result<T, Problem>;

/// The only sign of missing capacity that the provider gives.
const NO_CAPACITY: &str = "There are no longer any instances available with the requested specifications. Please refresh and try again.";

impl Problem {
    /// The usual words for a status.
    pub(super) fn of(status: StatusCode) -> Self {
        let detail = match status {
            StatusCode::BAD_REQUEST => "request could not be processed",
            StatusCode::UNAUTHORIZED => "missing bearer token",
            StatusCode::PAYMENT_REQUIRED => "insufficient balance",
            StatusCode::FORBIDDEN => "access denied",
            StatusCode::NOT_FOUND => "resource not found",
            StatusCode::METHOD_NOT_ALLOWED => "The requested method is not allowed for this path.",
            StatusCode::GONE => "This API has been retired. Use https://api.runpod.io/v2.",
            StatusCode::TOO_MANY_REQUESTS => "rate limit exceeded for the minute window",
            StatusCode::UNPROCESSABLE_ENTITY => "Request validation failed.",
            _ => "something went wrong",
        };
        Self {
            status,
            detail: detail.to_owned(),
            errors: Vec::new(),
            retry_after_s: None,
        }
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self {
            detail: detail.into(),
            ..Self::of(StatusCode::BAD_REQUEST)
        }
    }

    pub(super) fn no_capacity() -> Self {
        Self::bad_request(NO_CAPACITY)
    }

    pub(super) fn not_found() -> Self {
        Self::of(StatusCode::NOT_FOUND)
    }

    pub(super) fn conflict(detail: impl Into<String>) -> Self {
        Self {
            detail: detail.into(),
            ..Self::of(StatusCode::CONFLICT)
        }
    }

    /// The body, or a part of it, breaks the contract.
    pub(super) fn invalid(errors: Vec<String>) -> Self {
        Self {
            errors,
            ..Self::of(StatusCode::UNPROCESSABLE_ENTITY)
        }
    }

    pub(super) fn rate_limited(window: &str, retry_after_s: u64) -> Self {
        Self {
            detail: format!("rate limit exceeded for the {window} window"),
            retry_after_s: Some(retry_after_s),
            ..Self::of(StatusCode::TOO_MANY_REQUESTS)
        }
    }

    pub(super) fn retry_after(mut self, seconds: Option<u64>) -> Self {
        self.retry_after_s = seconds;
        self
    }
}

#[derive(Serialize)]
struct Body<'a> {
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    errors: &'a [String],
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Body {
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            errors: &self.errors,
        };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
