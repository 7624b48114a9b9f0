//! What RunPod's refusals mean, in the words of the seam.

use std::{fmt, time::Duration};

use reqwest::StatusCode;
use serde::Deserialize;

use crate::CallFault;

/// Words by which the provider says that it has no machine; there is no code for it. Collected from what other
/// clients have met, in lower case.
const NO_CAPACITY: [&str; 10] = [
    "no longer any instances available",
    "no instances currently available",
    "please refresh and try again",
    "does not have the resources",
    "try a different machine",
    "insufficient capacity",
    "out of stock",
    "sold out",
    "not enough free gpus on the host machine",
    "instances available with enough disk space",
];

/// What the provider says about a refusal (`application/problem+json`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// HTTP status.
    pub status: u16,
    /// What is wrong, in its words.
    pub detail: String,
    /// Each violation of the contract.
    pub errors: Vec<String>,
    /// By which its support finds the request.
    pub request_id: Option<String>,
}

impl Default for Problem {
    fn default() -> Self {
        Self {
            status: 0,
            detail: "it gave no reason".to_owned(),
            errors: Vec::new(),
            request_id: None,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.detail)?;
        for error in &self.errors {
            write!(f, "; {error}")?;
        }
        write!(f, " (status {}", self.status)?;
        if let Some(id) = &self.request_id {
            write!(f, ", request {id}")?;
        }
        f.write_str(")")
    }
}

/// What a status other than 2xx means.
pub(super) fn refusal(
    what: &'static str,
    status: StatusCode,
    retry_after: Duration,
    problem: &Problem,
) -> CallFault {
    let said = problem.to_string();
    match status {
        StatusCode::UNAUTHORIZED => CallFault::Unauthorized(said),
        StatusCode::PAYMENT_REQUIRED => CallFault::NoFunds(said),
        StatusCode::FORBIDDEN => CallFault::Forbidden(said),
        StatusCode::NOT_FOUND => CallFault::NotFound(said),
        StatusCode::CONFLICT => CallFault::Conflict(said),
        StatusCode::TOO_MANY_REQUESTS => CallFault::RateLimited { retry_after },
        StatusCode::BAD_REQUEST if is_about_capacity(&problem.detail) => CallFault::NoCapacity(said),
        // 408 comes from something between us and the provider: what it did is unknown.
        status if status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT => {
            CallFault::Invalid(said)
        }
        _ => CallFault::unclear(what, said),
    }
}

fn is_about_capacity(detail: &str) -> bool {
    let detail = detail.to_lowercase();
    NO_CAPACITY.iter().any(|words| detail.contains(words))
}
