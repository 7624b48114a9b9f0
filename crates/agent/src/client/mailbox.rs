//! Communication with a server that cannot be reached: requests and responses are objects in its bucket.
//!
//! One task keeps all pending requests, writes them whenever there is a new one, and polls for responses.

use std::{fmt, time::Duration};

use bytes::{Bytes, BytesMut};
use protocol::{
    limits::{MAX_MAILBOX_ANSWER_BYTES, MAX_MAILBOX_REQUEST_BYTES, MAX_MAILBOX_REQUESTS},
    mailbox::{Answer, Answers, Request, Requests},
    spend::env,
};
use reqwest::{StatusCode, Url};
use serde_json::Value;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, timeout},
};
use uuid::Uuid;

use super::Transient;

/// Polling interval for responses, by the provider's clock.
const LOOK: Duration = Duration::from_secs(1);
const SHORTEST_LOOK: Duration = Duration::from_millis(50);
/// Timeout of the bucket.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(30);
/// Size of the envelope of a request and of the whole object.
const ROOM_BYTES: u64 = 1024;
/// Requests are rewritten after this many polls: a late write of a dead process may have replaced them.
const LOOKS_PER_WRITE: u32 = 5;

/// The two signed URLs of a mailbox; each is a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct MailboxAddress {
    requests: Url,
    answers: Url,
}

/// A variable of the mailbox is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} must be a signed URL; a mailbox needs two of them")]
pub struct NotAMailbox {
    /// Its name.
    name: &'static str,
}

impl fmt::Debug for MailboxAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MailboxAddress(…)")
    }
}

impl MailboxAddress {
    /// Reads the variables through `lookup`, such as [`std::env::var`]; `None` if no mailbox is used.
    ///
    /// # Errors
    /// If one is missing or is not a valid URL.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, NotAMailbox> {
        let url = |name| {
            let value = lookup(name).ok_or(NotAMailbox { name })?;
            value.parse().map_err(|_| NotAMailbox { name })
        };
        if lookup(env::MAILBOX_REQUESTS).is_none() && lookup(env::MAILBOX_ANSWERS).is_none() {
            return Ok(None);
        }
        Ok(Some(Self {
            requests: url(env::MAILBOX_REQUESTS)?,
            answers: url(env::MAILBOX_ANSWERS)?,
        }))
    }
}

/// A mailbox in use. Cheap to clone; its task ends with the last clone.
#[derive(Clone)]
pub(super) struct Mailbox(mpsc::UnboundedSender<Waiting>);

struct Waiting {
    request: Request,
    answer: oneshot::Sender<Answer>,
}

impl Mailbox {
    /// Starts its task; `real` converts time of the provider's clock to ours.
    pub(super) fn open(
        http: reqwest::Client,
        address: MailboxAddress,
        token: String,
        real: impl Fn(Duration) -> Duration,
    ) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let carrier = Carrier {
            http,
            address,
            token,
            look: real(LOOK).clamp(SHORTEST_LOOK, LOOK),
            waiting: Vec::new(),
        };
        tokio::spawn(carrier.run(receiver));
        Self(sender)
    }

    /// Status and body of the response.
    pub(super) async fn ask(
        &self,
        path: &str,
        body: Value,
        patience: Duration,
    ) -> Result<(StatusCode, Bytes), Transient> {
        let (answer, answered) = oneshot::channel();
        let request = Request {
            id: Uuid::now_v7(),
            path: path.to_owned(),
            body,
        };
        let _ = self.0.send(Waiting { request, answer });
        let Ok(Ok(answer)) = timeout(patience, answered).await else {
            return Err(Transient::NoAnswer);
        };
        let status = StatusCode::from_u16(answer.status).map_err(|_| Transient::NoAnswer)?;
        let body = match answer.body {
            Value::Null => Bytes::new(),
            body => body.to_string().into(),
        };
        Ok((status, body))
    }
}

struct Carrier {
    http: reqwest::Client,
    address: MailboxAddress,
    token: String,
    look: Duration,
    waiting: Vec<Waiting>,
}

impl Carrier {
    async fn run(mut self, mut new: mpsc::UnboundedReceiver<Waiting>) {
        let mut written: Option<Instant> = None;
        loop {
            let came = if self.waiting.is_empty() {
                match new.recv().await {
                    Some(request) => Some(request),
                    None => return,
                }
            } else {
                tokio::select! {
                    request = new.recv() => request,
                    () = sleep(self.look) => None,
                }
            };
            let is_new = came.is_some();
            self.waiting.extend(came);
            while let Ok(request) = new.try_recv() {
                self.waiting.push(request);
            }
            // The caller has given up or retries.
            self.waiting.retain(|waiting| !waiting.answer.is_closed());
            if self.waiting.is_empty() {
                continue;
            }
            let is_old = written.is_none_or(|at| at.elapsed() >= self.look * LOOKS_PER_WRITE);
            if is_new || is_old {
                written = match self.write().await {
                    Ok(()) => Some(Instant::now()),
                    // Written again after the next look.
                    Err(error) => {
                        tracing::debug!(%error, "failed to write the requests");
                        None
                    }
                };
                continue;
            }
            match self.read().await {
                Ok(answers) => self.deliver(answers),
                Err(error) => tracing::debug!(%error, "failed to read the responses"),
            }
        }
    }

    async fn write(&self) -> Result<(), String> {
        let mut n_bytes = 0;
        let fitting = self
            .waiting
            .iter()
            .take(MAX_MAILBOX_REQUESTS)
            .take_while(|waiting| {
                let is_first = n_bytes == 0;
                n_bytes += waiting.request.body.to_string().len() as u64 + ROOM_BYTES;
                // A request that is too large on its own never fits: it fails.
                is_first || n_bytes + ROOM_BYTES <= MAX_MAILBOX_REQUEST_BYTES
            });
        let requests = Requests {
            token: self.token.clone(),
            requests: fitting.map(|waiting| waiting.request.clone()).collect(),
        };
        let body = serde_json::to_vec(&requests).map_err(|err| err.to_string())?;
        let answer = self
            .http
            .put(self.address.requests.clone())
            .timeout(EXCHANGE_TIMEOUT)
            .body(body)
            .send()
            .await
            .map_err(without_address)?;
        answer.error_for_status().map(drop).map_err(without_address)
    }

    async fn read(&self) -> Result<Answers, String> {
        let answer = self
            .http
            .get(self.address.answers.clone())
            .timeout(EXCHANGE_TIMEOUT)
            .send()
            .await
            .map_err(without_address)?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(Answers::default());
        }
        let mut answer = answer.error_for_status().map_err(without_address)?;
        let mut body = BytesMut::new();
        while let Some(part) = answer.chunk().await.map_err(without_address)? {
            if (body.len() + part.len()) as u64 > MAX_MAILBOX_ANSWER_BYTES {
                return Err("the responses are too large".to_owned());
            }
            body.extend_from_slice(&part);
        }
        serde_json::from_slice(&body).map_err(|err| err.to_string())
    }

    fn deliver(&mut self, answers: Answers) {
        for answer in answers.answers {
            let asked = self
                .waiting
                .iter()
                .position(|waiting| waiting.request.id == answer.id);
            if let Some(at) = asked {
                // A caller that has given up in the meantime retries.
                let _ = self.waiting.remove(at).answer.send(answer);
            }
        }
    }
}

/// Signed URLs must not appear in logs.
fn without_address(err: reqwest::Error) -> String {
    protocol::problem::chain(&err.without_url())
}

#[cfg(test)]
mod tests;
