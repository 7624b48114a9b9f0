//! Serves agents that cannot reach this server: their requests are in the bucket, and go to the same routes as those
//! over HTTP.
//!
//! Each machine's mailbox has its own task. A request is processed once: its response is kept as long as the
//! request exists, also in the bucket, where a restarted server finds it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request as HttpRequest, StatusCode, header},
};
use protocol::{
    limits::{MAX_MAILBOX_ANSWER_BYTES, MAX_MAILBOX_REQUEST_BYTES, MAX_MAILBOX_REQUESTS},
    mailbox::{Answer, Answers, PATHS, Request, Requests},
    problem::chain,
};
use serde_json::Value;
use store::objects::{BlobStore, Result, Slot};
use tokio::{
    task::{AbortHandle, JoinHandle, JoinSet},
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use uuid::Uuid;

use crate::state::AppState;

/// Polling interval of a mailbox, by the provider's clock.
const LOOK: Duration = Duration::from_secs(1);
const SHORTEST_LOOK: Duration = Duration::from_millis(50);

/// Runs until the server stops.
pub(crate) async fn run(state: AppState, app: Router) {
    let Some(look) = state.orchestrator.mailbox_pace(LOOK) else {
        return;
    };
    let look = look.max(SHORTEST_LOOK);
    let mut timer = tokio::time::interval(look);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut attended: BTreeMap<String, Attended> = BTreeMap::new();
    loop {
        tokio::select! {
            () = state.shutdown.cancelled() => break,
            _ = timer.tick() => {}
        }
        let living = match state.orchestrator.living_mailboxes().await {
            Ok(living) => living,
            Err(err) => {
                tracing::error!(error = chain(&err), "failed to look for machines with mailboxes");
                continue;
            }
        };
        let gone: Vec<String> = attended
            .keys()
            .filter(|machine| !living.contains(*machine))
            .cloned()
            .collect();
        for machine in gone {
            if let Some(attended) = attended.remove(&machine) {
                attended.end().await;
            }
            // The collector removes what is left.
            if let Err(err) = state.store().objects().remove_mailbox(&machine).await {
                tracing::warn!(name = machine, error = chain(&err), "a mailbox was not removed");
            }
        }
        for machine in living {
            attended.entry(machine).or_insert_with_key(|machine| {
                let mailbox = Mailbox {
                    machine: machine.clone(),
                    objects: state.store().objects().clone(),
                    app: app.clone(),
                    answered: BTreeMap::new(),
                    carried: BTreeMap::new(),
                    carrying: JoinSet::new(),
                };
                Attended::start(mailbox, look)
            });
        }
    }
    for attended in attended.into_values() {
        attended.end().await;
    }
}

/// A mailbox and its task.
struct Attended {
    ending: CancellationToken,
    task: JoinHandle<()>,
}

impl Attended {
    fn start(mailbox: Mailbox, look: Duration) -> Self {
        let ending = CancellationToken::new();
        let task = tokio::spawn(mailbox.attend(look, ending.clone()));
        Self { ending, task }
    }

    async fn end(self) {
        self.ending.cancel();
        if let Err(panic) = self.task.await {
            tracing::error!(error = %panic, "a mailbox failed");
        }
    }
}

struct Mailbox {
    machine: String,
    objects: BlobStore,
    app: Router,
    /// Responses to requests that still exist.
    answered: BTreeMap<Uuid, Answer>,
    /// Requests in progress.
    carried: BTreeMap<Uuid, AbortHandle>,
    carrying: JoinSet<Answer>,
}

impl Mailbox {
    async fn attend(mut self, look: Duration, ending: CancellationToken) {
        let mut timer = tokio::time::interval(look);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_read = false;
        let mut is_written = true;
        loop {
            tokio::select! {
                () = ending.cancelled() => return,
                Some(done) = self.carrying.join_next(), if !self.carrying.is_empty() => {
                    self.take(done);
                    while let Some(done) = self.carrying.try_join_next() {
                        self.take(done);
                    }
                    is_written = false;
                }
                _ = timer.tick() => {
                    // A request already answered by an earlier server is not processed again.
                    if !is_read {
                        is_read = self.note("read the answers", Self::read_answers).await;
                    }
                    if is_read {
                        self.note("read the requests", Self::read_requests).await;
                    }
                }
            }
            if !is_written {
                is_written = self.note("write the answers", Self::write_answers).await;
            }
        }
    }

    /// Returns whether it succeeded. Failures are retried at the next poll.
    async fn note(&mut self, doing: &str, work: impl AsyncFnOnce(&mut Self) -> Result<()>) -> bool {
        let outcome = work(self).await;
        if let Err(err) = &outcome {
            tracing::warn!(name = self.machine, doing, error = chain(err), "a mailbox failed");
        }
        outcome.is_ok()
    }

    fn take(&mut self, done: std::result::Result<Answer, tokio::task::JoinError>) {
        // An abandoned or panicked request has no response, and its sender retries.
        if let Ok(answer) = done
            && self.carried.remove(&answer.id).is_some()
        {
            self.answered.insert(answer.id, answer);
        }
    }

    async fn read_answers(&mut self) -> Result<()> {
        let found = self
            .objects
            .read_slot(&self.machine, Slot::Answers, MAX_MAILBOX_ANSWER_BYTES)
            .await?;
        let answers = found.and_then(|bytes| serde_json::from_slice::<Answers>(&bytes).ok());
        let answers = answers.unwrap_or_default().answers;
        self.answered
            .extend(answers.into_iter().map(|answer| (answer.id, answer)));
        Ok(())
    }

    async fn read_requests(&mut self) -> Result<()> {
        let found = self
            .objects
            .read_slot(&self.machine, Slot::Requests, MAX_MAILBOX_REQUEST_BYTES)
            .await?;
        let Some(bytes) = found else { return Ok(()) };
        let Ok(requests) = serde_json::from_slice::<Requests>(&bytes) else {
            tracing::warn!(name = self.machine, "a mailbox contains invalid requests");
            return Ok(());
        };
        let token = requests.token;
        let requests: Vec<Request> = requests.requests.into_iter().take(MAX_MAILBOX_REQUESTS).collect();
        let ids: BTreeSet<Uuid> = requests.iter().map(|request| request.id).collect();
        self.answered.retain(|id, _| ids.contains(id));
        self.carried.retain(|id, carrying| {
            let is_wanted = ids.contains(id);
            if !is_wanted {
                // As over HTTP when the connection ends: a claim that nobody waits for must not take work.
                carrying.abort();
            }
            is_wanted
        });
        for request in requests {
            if self.answered.contains_key(&request.id) || self.carried.contains_key(&request.id) {
                continue;
            }
            let id = request.id;
            let carrying = carry_out(self.app.clone(), token.clone(), request);
            self.carried.insert(id, self.carrying.spawn(carrying));
        }
        Ok(())
    }

    async fn write_answers(&mut self) -> Result<()> {
        let answers = Answers {
            answers: self.answered.values().cloned().collect(),
        };
        let bytes = serde_json::to_vec(&answers).unwrap_or_default();
        self.objects
            .write_slot(&self.machine, Slot::Answers, bytes.into())
            .await
    }
}

/// Dispatches a request as HTTP would.
async fn carry_out(app: Router, token: String, request: Request) -> Answer {
    let id = request.id;
    let refused = |status: StatusCode| Answer {
        id,
        status: status.as_u16(),
        body: Value::Null,
    };
    if !is_carried(&request.path) {
        return refused(StatusCode::NOT_FOUND);
    }
    let asked = HttpRequest::builder()
        .method(Method::POST)
        .uri(format!("/{}", request.path))
        // The local host name.
        .header(header::HOST, "localhost")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .body(Body::from(request.body.to_string()));
    let Ok(asked) = asked else {
        return refused(StatusCode::BAD_REQUEST);
    };
    let answer = match app.oneshot(asked).await {
        Ok(answer) => answer,
        Err(never) => match never {},
    };
    let status = answer.status();
    let limit = usize::try_from(MAX_MAILBOX_ANSWER_BYTES / 2).unwrap_or(usize::MAX);
    let Ok(body) = to_bytes(answer.into_body(), limit).await else {
        return refused(StatusCode::INTERNAL_SERVER_ERROR);
    };
    Answer {
        id,
        status: status.as_u16(),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    }
}

/// Whether a path is one of the agents' and nothing else.
fn is_carried(path: &str) -> bool {
    path.starts_with(PATHS)
        && path
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "/-_".contains(c))
}

#[cfg(test)]
mod tests {
    use super::is_carried;

    #[test]
    fn only_the_paths_of_agents_are_carried() {
        assert!(is_carried("api/v1/agent/claim"));
        assert!(is_carried(
            "api/v1/agent/attempts/0193-ab/artifacts/0193-cd/complete"
        ));
        for path in [
            "",
            "/api/v1/agent/claim",
            "api/v1/jobs",
            "api/v1/agent",
            "api/v1/agent/../jobs",
            "api/v1/agent/%2e%2e/jobs",
            "api/v1/agent/claim?a=b",
            "blob/x",
        ] {
            assert!(!is_carried(path), "{path}");
        }
    }
}
