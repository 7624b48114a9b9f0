//! Typed client of the server's agent routes, with retries while the server restarts.

mod claimed;
mod mailbox;

use std::{fmt, time::Duration};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use bytes::Bytes;
use protocol::{
    ArtifactId, AttemptId,
    address::{Masked, masked},
    agent::{
        ClaimRequest, Finish, Heartbeat, HeartbeatReply, Instead, NewArtifact, UnusableFile, UploadTicket,
        WorkKind,
    },
    machine::Machine,
    problem::Problem,
    spend::RentalTerms,
};
use rental::deadman::{Contact, Moment, Progress};
use reqwest::{StatusCode, Url};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::Instant;

pub(crate) use self::claimed::Claimed;
use self::mailbox::Mailbox;
pub use self::mailbox::{MailboxAddress, NotAMailbox};
use crate::link::Link;

/// How long a request is retried while the server is unavailable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patience(pub(crate) Duration);

impl Patience {
    /// While asking for work: long enough for a starting server, short enough for a mistyped URL.
    pub(crate) const WITHOUT_WORK: Self = Self(Duration::from_secs(10));
    /// During work: the server can be redeployed without ending it.
    pub(crate) const WORKING: Self = Self(Duration::from_secs(15 * 60));
    /// For pictures that show what a judgement says: nothing else waits for them for long.
    pub(crate) const FOR_EVIDENCE: Self = Self(Duration::from_secs(10));
}

/// User agent.
pub(crate) const USER_AGENT: &str = concat!("morpheus-agent/", env!("CARGO_PKG_VERSION"));

/// From one try of a request to the next.
const PAUSES: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(100))
    .with_max_delay(Duration::from_secs(5))
    .without_max_times();
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// A server may have to read a whole file back from its object store to confirm it.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// A transfer without progress for this long is restarted.
const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Errors of requests from an agent to its server.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No response within the retry time.
    #[error("cannot reach the server at `{}` (tried for {} s); is `morpheus serve` running there?", masked(.server.as_str()), .tried.as_secs())]
    Unreachable {
        /// The server's URL.
        server: Url,
        /// The retry time.
        tried: Duration,
        /// The last failure.
        #[source]
        err: Transient,
    },
    /// The fence is outdated: the attempt no longer belongs to this agent.
    #[error("the lease was lost: the server has given this work to somebody else")]
    LeaseLost,
    /// The server rejects the token.
    #[error(
        "the server at `{}` rejects the token; set a token from it with --token or MORPHEUS_TOKEN",
        masked(.server.as_str())
    )]
    Unauthorized {
        /// The server's URL.
        server: Url,
    },
    /// The server rejected the request.
    #[error("the server rejected {request}: {problem}")]
    Refused {
        /// Method and path.
        request: String,
        /// Status and explanation.
        problem: Refusal,
    },
    /// The answer is not what this version of the program expects; another try would bring the same.
    #[error("the server's answer to {request} cannot be read: bring agent and server to the same version")]
    Unreadable {
        /// Method and path.
        request: String,
        /// Why.
        #[source]
        err: serde_json::Error,
    },
    /// What a user named is not fetched.
    #[error("failed to fetch what the base model names ({request})")]
    Fetch {
        /// Method and path.
        request: String,
        /// Why.
        #[source]
        err: fetch::FetchError,
    },
    /// The request could not be sent.
    #[error("failed to send the request {request}")]
    Request {
        /// Method and path.
        request: String,
        /// Why.
        #[source]
        err: reqwest::Error,
    },
}

/// A temporary failure.
#[derive(Debug, thiserror::Error)]
pub enum Transient {
    /// No connection, or it broke.
    #[error("the connection failed")]
    Connection(#[source] reqwest::Error),
    /// A host from a user-provided URL does not respond.
    #[error(transparent)]
    Fetch(fetch::FetchError),
    /// The server is temporarily unavailable.
    #[error("the server responded with status {0}")]
    Status(StatusCode),
    /// What came is no JSON: it was cut off, or somebody else has answered.
    #[error("the answer cannot be read")]
    Unreadable(#[source] serde_json::Error),
    /// No response through the mailbox in time.
    #[error("no response came through the mailbox")]
    NoAnswer,
}

/// A rejection by the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: StatusCode,
    /// Its message, if it sent one.
    pub problem: Option<Box<Problem>>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(problem) = &self.problem else {
            return write!(f, "{}", self.status);
        };
        write!(f, "{}", problem.title)?;
        if let Some(detail) = &problem.detail {
            write!(f, ": {detail}")?;
        }
        for error in &problem.errors {
            write!(f, "; {error}")?;
        }
        Ok(())
    }
}

/// Client of one server.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    server: Url,
    token: String,
    link: Link,
    /// Mailbox, for a server that cannot be reached.
    mailbox: Option<Mailbox>,
}

/// A response, with the time of its request.
struct Answered<T> {
    value: T,
    asked: Moment,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("server", &Masked(self.server.as_str()))
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client for the server at `server`, authenticated by `token`.
    pub(crate) fn new(server: Url, token: String) -> Result<Self, ClientError> {
        let http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(STALL_TIMEOUT)
            // Signed URLs are secrets and must not be sent to redirect targets.
            .referer(false)
            .build()
            .map_err(|err| ClientError::Request {
                request: format!("to {}", masked(server.as_str())),
                err,
            })?;
        Ok(Self {
            http,
            server,
            token,
            link: Link::none(),
            mailbox: None,
        })
    }

    /// The same, through a mailbox if there is one; `real` converts time of the provider's clock to ours.
    /// Call from within a Tokio runtime.
    pub(crate) fn by(self, mailbox: Option<MailboxAddress>, real: impl Fn(Duration) -> Duration) -> Self {
        let mailbox =
            mailbox.map(|address| Mailbox::open(self.http.clone(), address, self.token.clone(), real));
        Self { mailbox, ..self }
    }

    /// The same, with a supervisor that is told about responses of the server.
    pub(crate) fn linked(self, link: Link) -> Self {
        Self { link, ..self }
    }

    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Asks for work and waits up to `wait` for some.
    pub(crate) async fn claim(
        &self,
        kinds: &[WorkKind],
        machine: &Machine,
        wait: Duration,
        patience: Patience,
    ) -> Result<Claimed, ClientError> {
        let body = ClaimRequest {
            kinds: kinds.to_vec(),
            machine: Some(machine.clone()),
            wait_seconds: u32::try_from(wait.as_secs()).unwrap_or(60).min(60),
        };
        let answered: Answered<Claimed> = self
            .post("api/v1/agent/claim", &body, wait + ANSWER_TIMEOUT, patience)
            .await?;
        if let Some(lease) = &answered.value.drawing {
            self.link
                .claimed(&self.server, &self.token, lease.attempt_id, lease.fence);
            self.link
                .heard(answered.contact(lease.lease_seconds, Some(lease.terms)));
            // It waits for pictures, or goes on to the next one.
            self.link.progressed(Progress::Other);
        }
        if let Some(Ok(work)) = &answered.value.work {
            self.link
                .claimed(&self.server, &self.token, work.attempt_id, work.fence);
            self.link.heard(answered.contact(work.lease_seconds, work.terms));
        }
        Ok(answered.value)
    }

    /// Renews the lease and delivers events.
    pub(crate) async fn heartbeat(
        &self,
        attempt: AttemptId,
        body: &Heartbeat,
        patience: Patience,
    ) -> Result<HeartbeatReply, ClientError> {
        let path = attempt_path(attempt, "heartbeat");
        let answered: Answered<HeartbeatReply> = self.post(&path, body, ANSWER_TIMEOUT, patience).await?;
        let reply = &answered.value;
        self.link
            .heard(answered.contact(reply.lease_seconds, reply.terms));
        Ok(answered.value)
    }

    /// Reports a file as unusable; returns what to do without it.
    pub(crate) async fn unusable(
        &self,
        attempt: AttemptId,
        body: &UnusableFile,
        patience: Patience,
    ) -> Result<Instead, ClientError> {
        let path = attempt_path(attempt, "unusable");
        let answered = self.post(&path, body, CONFIRM_TIMEOUT, patience).await?;
        Ok(answered.value)
    }

    /// Announces a file; returns where to upload it.
    pub(crate) async fn announce(
        &self,
        attempt: AttemptId,
        body: &NewArtifact,
        patience: Patience,
    ) -> Result<UploadTicket, ClientError> {
        let path = attempt_path(attempt, "artifacts");
        let answered = self.post(&path, body, ANSWER_TIMEOUT, patience).await?;
        Ok(answered.value)
    }

    /// Confirms the upload of an announced file.
    pub(crate) async fn complete(
        &self,
        attempt: AttemptId,
        artifact: ArtifactId,
        patience: Patience,
    ) -> Result<(), ClientError> {
        let path = attempt_path(attempt, &format!("artifacts/{artifact}/complete"));
        self.post_unanswered(&path, &serde_json::json!({}), CONFIRM_TIMEOUT, patience)
            .await
    }

    /// Ends an attempt.
    pub(crate) async fn finish(
        &self,
        attempt: AttemptId,
        body: &Finish,
        patience: Patience,
    ) -> Result<(), ClientError> {
        // The server reads a trained file before it responds.
        self.post_unanswered(&attempt_path(attempt, "finish"), body, CONFIRM_TIMEOUT, patience)
            .await
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
        timeout: Duration,
        patience: Patience,
    ) -> Result<Answered<T>, ClientError> {
        self.retry(patience, move || async move {
            let asked = Moment::now();
            let answer = self.send(path, body, timeout).await?;
            let value = serde_json::from_slice(&answer).map_err(|err| unreadable(path, err))?;
            Ok(Answered { value, asked })
        })
        .await
    }

    async fn post_unanswered(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
        timeout: Duration,
        patience: Patience,
    ) -> Result<(), ClientError> {
        self.retry(patience, move || async move {
            self.send(path, body, timeout).await.map(drop)
        })
        .await
    }

    /// The body of a successful response.
    async fn send(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
        timeout: Duration,
    ) -> Result<Bytes, Failure> {
        let request = format!("POST /{path}");
        if let Some(mailbox) = &self.mailbox {
            let body =
                serde_json::to_value(body).map_err(|err| Failure::Transient(Transient::Unreadable(err)))?;
            let asked = mailbox.ask(path, body, timeout).await;
            let (status, answer) = asked.map_err(Failure::Transient)?;
            if status.is_success() {
                return Ok(answer);
            }
            let problem = serde_json::from_slice(&answer).ok();
            return Err(self.refused(&request, status, problem));
        }
        let url = self.resolve(path)?;
        let answer = self
            .http
            .post(url)
            .bearer_auth(&self.token)
            .timeout(timeout)
            .json(body)
            .send()
            .await
            .map_err(|err| self.failed(path, err))?;
        let answer = self.accepted(&request, answer).await?;
        answer.bytes().await.map_err(|err| self.failed(path, err))
    }

    /// Retries `request` on temporary failures, with growing pauses.
    pub(crate) async fn retry<T, Answer>(
        &self,
        patience: Patience,
        request: impl Fn() -> Answer,
    ) -> Result<T, ClientError>
    where
        Answer: Future<Output = Result<T, Failure>>,
    {
        let start = Instant::now();
        let mut pauses = PAUSES.build();
        loop {
            let err = match request().await {
                Ok(value) => return Ok(value),
                Err(Failure::Final(err)) => return Err(err),
                Err(Failure::Transient(err)) => err,
            };
            let tried = start.elapsed();
            let pause = pauses.next().expect("the pauses do not end");
            if tried + pause > patience.0 {
                return Err(ClientError::Unreachable {
                    server: self.server.clone(),
                    tried,
                    err,
                });
            }
            tracing::debug!(error = %err, pause_ms = pause.as_millis() as u64, "server did not respond, trying again");
            tokio::time::sleep(pause).await;
        }
    }

    /// Resolves a signed URL, which may be relative, against the server's.
    pub(crate) fn resolve(&self, url: &str) -> Result<Url, Failure> {
        let base = self.server.as_str();
        let joined = if url.contains("://") {
            Url::parse(url)
        } else {
            Url::parse(&format!(
                "{}/{}",
                base.trim_end_matches('/'),
                url.trim_start_matches('/')
            ))
        };
        joined.map_err(|err| {
            Failure::Final(ClientError::Refused {
                request: format!("address `{}`", masked(url)),
                problem: Refusal {
                    status: StatusCode::BAD_GATEWAY,
                    problem: Some(Box::new(Problem {
                        kind: "invalid_address".into(),
                        title: format!("the server sent an invalid URL ({err})"),
                        status: StatusCode::BAD_GATEWAY.as_u16(),
                        detail: None,
                        errors: Vec::new(),
                        current: None,
                    })),
                },
            })
        })
    }

    /// Classifies a failed exchange as temporary or permanent.
    pub(crate) fn failed(&self, request: &str, err: reqwest::Error) -> Failure {
        if err.is_builder() {
            return Failure::Final(ClientError::Request {
                request: request.to_owned(),
                err: err.without_url(),
            });
        }
        // Signed URLs carry their signature in the URL; it must not reach a log.
        Failure::Transient(Transient::Connection(err.without_url()))
    }

    /// Returns a successful response, and turns any other into its error.
    pub(crate) async fn accepted(
        &self,
        request: &str,
        answer: reqwest::Response,
    ) -> Result<reqwest::Response, Failure> {
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let problem = if status.is_client_error() {
            answer.json().await.ok()
        } else {
            None
        };
        Err(self.refused(request, status, problem))
    }

    /// The error for an unsuccessful response.
    pub(crate) fn refused(
        &self,
        request: &str,
        status: StatusCode,
        problem: Option<Box<Problem>>,
    ) -> Failure {
        if status.is_server_error()
            || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(&status)
        {
            return Failure::Transient(Transient::Status(status));
        }
        if status == StatusCode::UNAUTHORIZED {
            return Failure::Final(ClientError::Unauthorized {
                server: self.server.clone(),
            });
        }
        if status == StatusCode::CONFLICT
            && problem
                .as_ref()
                .is_some_and(|problem| problem.kind == "lease_lost")
        {
            return Failure::Final(ClientError::LeaseLost);
        }
        Failure::Final(ClientError::Refused {
            request: request.to_owned(),
            problem: Refusal { status, problem },
        })
    }
}

impl<T> Answered<T> {
    fn contact(&self, lease_seconds: u32, terms: Option<RentalTerms>) -> Contact {
        Contact {
            asked: self.asked,
            lease_seconds,
            terms,
        }
    }
}

/// The failure of one try.
pub(crate) enum Failure {
    Transient(Transient),
    Final(ClientError),
}

/// What is no JSON may be another time; JSON that says something else will not.
fn unreadable(path: &str, err: serde_json::Error) -> Failure {
    if err.is_data() {
        Failure::Final(ClientError::Unreadable {
            request: format!("POST /{path}"),
            err,
        })
    } else {
        Failure::Transient(Transient::Unreadable(err))
    }
}

fn attempt_path(attempt: AttemptId, rest: &str) -> String {
    format!("api/v1/agent/attempts/{attempt}/{rest}")
}

#[cfg(test)]
mod tests;
