//! What can go wrong with a call, told apart by what has to be done about it.

use std::{fmt, time::Duration};

use reqwest::StatusCode;
use serde::Deserialize;

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

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The key is wrong. (401)
    #[error("RunPod does not know this key: {0}")]
    Unauthorized(Problem),
    /// The key has no right to do this, or the account no access to this pool. (403)
    #[error("RunPod forbids this: {0}")]
    Forbidden(Problem),
    /// The account is empty. (402)
    #[error("RunPod's account has too little money: {0}")]
    NoFunds(Problem),
    /// There is no such thing, or not yet. (404)
    #[error("RunPod has no such thing: {0}")]
    NotFound(Problem),
    /// The pod's status does not allow this. (409)
    #[error("RunPod cannot do this now: {0}")]
    Conflict(Problem),
    /// There is no such machine free. (400 with such words)
    #[error("RunPod has no such machine free: {0}")]
    NoCapacity(Problem),
    /// The request is wrong, and stays so. (other 4xx)
    #[error("RunPod refuses the request: {0}")]
    Invalid(Problem),
    /// Too many requests; nothing may be sent before this time has passed. (429)
    #[error("RunPod wants no more requests for {retry_after:?}")]
    RateLimited {
        /// As the provider says.
        retry_after: Duration,
    },
    /// The provider could not be reached: nothing was sent.
    #[error("failed to reach RunPod")]
    Unreachable(#[source] reqwest::Error),
    /// No answer, or none that says whether it was done. (5xx, timeouts, broken connections, unreadable answers)
    #[error("RunPod gave no clear answer to {what}")]
    Unclear {
        /// The call.
        what: &'static str,
        /// What came instead.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The client itself cannot be made or asked to do this.
    #[error("the request for {what} cannot be made")]
    Impossible {
        /// The call.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Why there is no new pod, or why nobody knows whether there is one.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// There is no such machine free.
    #[error("RunPod has no such machine free: {0}")]
    NoCapacity(Problem),
    /// The request is wrong for every candidate.
    #[error("RunPod refuses the request: {0}")]
    Invalid(Problem),
    /// The account is empty.
    #[error("RunPod's account has too little money: {0}")]
    NoFunds(Problem),
    /// No access to this pool; or, with 401, no access at all.
    #[error("RunPod forbids this: {0}")]
    Forbidden(Problem),
    /// Nothing was created, and nothing may be sent for a while.
    #[error("RunPod wants no more requests for {retry_after:?}")]
    RateLimited {
        /// As the provider says.
        retry_after: Duration,
    },
    /// Nothing was sent, so nothing was created.
    #[error("failed to reach RunPod")]
    NotSent(#[source] Box<CallError>),
    /// A pod may exist: look for it by its name before anything else.
    #[error("nobody knows whether RunPod has created the pod")]
    Ambiguous(#[source] Box<CallError>),
}

/// What to do about a creation that gave no pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextStep {
    /// Ask for the next candidate, under a new name.
    NextCandidate,
    /// Ask again for the same one, under a new name, after this time.
    Wait(Duration),
    /// The job cannot be launched as it is.
    Fail,
    /// Launch nothing with this account until somebody has looked at it.
    StopAccount,
    /// Look for the pod by its name.
    Resolve,
}

/// An unreachable provider is asked again after this time.
const UNREACHABLE_PAUSE: Duration = Duration::from_secs(10);

impl CreateError {
    /// What follows from it (the table of the launch protocol).
    pub fn next_step(&self) -> NextStep {
        match self {
            Self::NoCapacity(_) => NextStep::NextCandidate,
            // 401 is the key, and no other candidate helps; 403 is the pool.
            Self::Forbidden(problem) if problem.status == 401 => NextStep::StopAccount,
            Self::Forbidden(_) => NextStep::NextCandidate,
            Self::Invalid(_) => NextStep::Fail,
            Self::NoFunds(_) => NextStep::StopAccount,
            Self::RateLimited { retry_after } => NextStep::Wait(*retry_after),
            Self::NotSent(_) => NextStep::Wait(UNREACHABLE_PAUSE),
            Self::Ambiguous(_) => NextStep::Resolve,
        }
    }
}

impl From<CallError> for CreateError {
    fn from(err: CallError) -> Self {
        match err {
            CallError::NoCapacity(problem) => Self::NoCapacity(problem),
            CallError::NoFunds(problem) => Self::NoFunds(problem),
            CallError::Unauthorized(problem) | CallError::Forbidden(problem) => Self::Forbidden(problem),
            CallError::RateLimited { retry_after } => Self::RateLimited { retry_after },
            // A template, a volume or the path does not exist: wrong for every candidate.
            CallError::NotFound(problem) | CallError::Conflict(problem) | CallError::Invalid(problem) => {
                Self::Invalid(problem)
            }
            err @ (CallError::Unreachable(_) | CallError::Impossible { .. }) => Self::NotSent(Box::new(err)),
            err @ CallError::Unclear { .. } => Self::Ambiguous(Box::new(err)),
        }
    }
}

/// What a status other than 2xx means.
pub(super) fn refusal(
    what: &'static str,
    status: StatusCode,
    retry_after: Duration,
    problem: Problem,
) -> CallError {
    match status {
        StatusCode::UNAUTHORIZED => CallError::Unauthorized(problem),
        StatusCode::PAYMENT_REQUIRED => CallError::NoFunds(problem),
        StatusCode::FORBIDDEN => CallError::Forbidden(problem),
        StatusCode::NOT_FOUND => CallError::NotFound(problem),
        StatusCode::CONFLICT => CallError::Conflict(problem),
        StatusCode::TOO_MANY_REQUESTS => CallError::RateLimited { retry_after },
        StatusCode::BAD_REQUEST if is_about_capacity(&problem.detail) => CallError::NoCapacity(problem),
        // 408 comes from something between us and the provider: what it did is unknown.
        status if status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT => {
            CallError::Invalid(problem)
        }
        _ => CallError::Unclear {
            what,
            source: problem.to_string().into(),
        },
    }
}

fn is_about_capacity(detail: &str) -> bool {
    let detail = detail.to_lowercase();
    NO_CAPACITY.iter().any(|words| detail.contains(words))
}
