//! WebSockets for events: first stored events, then new ones; and for a picture that is being rendered.
//!
//! A socket pulls: it takes a page of events, sends it, and takes the next; when there is none it waits for a
//! signal. So a slow reader uses no memory, and one that reads nothing is disconnected. Sockets that follow the same
//! job share its reads (see [`crate::feed`]).

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use orchestrator::Newest;
use protocol::{
    GenerationId, JobId, OwnerId, TokenId,
    event::{AnyJobEvent, EventKind, JobEvent},
    generation::{GenerationNews, Preview},
    problem::chain,
};
use serde::Serialize;
use store::{
    StoreError,
    signals::{Change, Follower},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{auth::User, feed::Line, state::AppState, telemetry::OpenSocket};

/// Events that are read from the database at once.
const PAGE: u64 = 500;

/// Why a socket is closed, with its close code.
#[derive(Debug)]
enum End {
    /// The client disconnected.
    Gone,
    ServerEnds,
    /// The session or token that it was opened with has ended.
    SignedOut,
    NoSuchJob,
    NoSuchGeneration,
    /// Nothing follows.
    Over,
    SlowReader,
    Failed(StoreError),
}

impl End {
    fn close_frame(&self) -> Option<CloseFrame> {
        let (code, reason) = match self {
            Self::Gone => return None,
            Self::ServerEnds => (
                1001,
                "the server is shutting down; reconnect with the last seq as after",
            ),
            Self::SignedOut => (4401, "signed out; sign in again"),
            Self::NoSuchJob => (4404, "there is no such job"),
            Self::NoSuchGeneration => (4404, "there is no such generation"),
            Self::Over => (1000, "the generation has ended"),
            Self::SlowReader => (4008, "too slow; reconnect with the last seq as after"),
            Self::Failed(_) => (1011, "the server failed; reconnect with the last seq as after"),
        };
        Some(CloseFrame {
            code,
            reason: reason.into(),
        })
    }
}

impl From<StoreError> for End {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound { .. } => Self::NoSuchJob,
            error => Self::Failed(error),
        }
    }
}

/// Which events of a job a socket carries.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// Those with higher numbers.
    pub(crate) after: i64,
    /// None of these kinds.
    pub(crate) without: Vec<EventKind>,
}

/// Sends a job's events after a number, then new ones as they come.
pub(crate) async fn one_job(state: AppState, socket: WebSocket, user: User, job: JobId, wanted: Wanted) {
    let mut connection = Connection::new(&state, socket, user.token);
    let end = follow_one(&state, &mut connection, user.owner, job, wanted).await;
    connection.end(end).await;
}

async fn follow_one(
    state: &AppState,
    connection: &mut Connection<'_>,
    owner: OwnerId,
    job: JobId,
    wanted: Wanted,
) -> End {
    let Wanted { mut after, without } = wanted;
    let feed = state.feeds.follow(state.store(), job);
    // Subscribed before the first read, so that no event is missed.
    let mut news = feed.news();
    if let Err(error) = store::jobs::get(state.store(), owner, job).await {
        return error.into();
    }
    loop {
        let batch = match feed.after(after, &without).await {
            Ok(batch) => batch,
            Err(error) => return error.into(),
        };
        let result = if batch.reached > after {
            after = batch.reached;
            connection.send_lines(batch.lines).await
        } else {
            // The feed outlives its sockets, so that this cannot fail.
            connection.wait_for(news.changed()).await.map(|_| ())
        };
        if let Err(end) = result {
            return end;
        }
    }
}

/// Sends new events of all of an owner's jobs.
pub(crate) async fn all_jobs(state: AppState, socket: WebSocket, user: User) {
    let mut connection = Connection::new(&state, socket, user.token);
    let end = match follow_all(&state, &mut connection, user.owner).await {
        Ok(never) => match never {},
        Err(end) => end,
    };
    connection.end(end).await;
}

async fn follow_all(
    state: &AppState,
    connection: &mut Connection<'_>,
    owner: OwnerId,
) -> Result<std::convert::Infallible, End> {
    let mut changes = state.store().signals().subscribe_all();
    let mut seen: HashMap<JobId, i64> = last_events(state, owner).await?.collect();
    loop {
        let changed: Vec<JobId> = match connection.wait_for(changes.next()).await? {
            Some(Change::Job { id, .. }) => vec![id],
            Some(Change::Generation(_)) => continue,
            // Some changes were missed: every job may have new events.
            None => {
                let newest = last_events(state, owner).await?;
                newest
                    .filter(|(id, seq)| seen.get(id) != Some(seq))
                    .map(|(id, _)| id)
                    .collect()
            }
        };
        for id in changed {
            let after = match seen.get(&id) {
                Some(after) => *after,
                None if is_owned(state, owner, id).await? => 0,
                None => continue,
            };
            let wrap = |event| AnyJobEvent { job_id: id, event };
            seen.insert(id, connection.send_events(id, after, wrap).await?);
        }
    }
}

/// Sends how a generation stands until it has ended, and previews of its picture.
pub(crate) async fn one_generation(state: AppState, socket: WebSocket, user: User, id: GenerationId) {
    let mut connection = Connection::new(&state, socket, user.token);
    let end = match follow_generation(&state, &mut connection, user.owner, id).await {
        Ok(()) => End::Over,
        Err(end) => end,
    };
    connection.end(end).await;
}

async fn follow_generation(
    state: &AppState,
    connection: &mut Connection<'_>,
    owner: OwnerId,
    id: GenerationId,
) -> Result<(), End> {
    // Subscribed before the first read, so that no change is missed.
    let mut changes = state.store().signals().subscribe_all();
    let mut newest = state.orchestrator.previews(id);
    loop {
        let found = store::generations::get(state.store(), owner, id).await;
        let generation = found.map_err(|error| match error {
            StoreError::NotFound { .. } => End::NoSuchGeneration,
            error => End::Failed(error),
        })?;
        let has_ended = generation.phase.is_ended();
        let generation = Box::new(generation);
        connection
            .send_news(&GenerationNews::State { generation })
            .await?;
        if has_ended {
            return Ok(());
        }
        loop {
            let next = async {
                tokio::select! {
                    () = generation_changed(&mut changes, id) => None,
                    preview = next_preview(&mut newest) => Some(preview),
                }
            };
            let Some(preview) = connection.wait_for(next).await? else {
                break;
            };
            let preview = Preview::clone(&preview);
            connection.send_news(&GenerationNews::Preview { preview }).await?;
        }
    }
}

/// Waits until a generation may have changed.
pub(crate) async fn generation_changed(changes: &mut Follower, id: GenerationId) {
    while let Some(change) = changes.next().await {
        if change == Change::Generation(id) {
            return;
        }
    }
}

async fn next_preview(newest: &mut Newest) -> Arc<Preview> {
    loop {
        if newest.changed().await.is_err() {
            // The server ends.
            std::future::pending::<()>().await;
        }
        let preview = newest.borrow_and_update().clone();
        if let Some(preview) = preview {
            return preview;
        }
    }
}

/// The number of the newest event of each job.
async fn last_events(
    state: &AppState,
    owner: OwnerId,
) -> Result<impl Iterator<Item = (JobId, i64)> + use<>, StoreError> {
    let newest = store::jobs::newest_events(state.store(), owner).await?;
    Ok(newest.into_iter())
}

async fn is_owned(state: &AppState, owner: OwnerId, id: JobId) -> Result<bool, StoreError> {
    match store::jobs::get(state.store(), owner, id).await {
        Ok(_) => Ok(true),
        Err(StoreError::NotFound { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Does a part of sending, for as long as the reader takes something and neither the server nor the session ends.
async fn within(
    limit: Duration,
    sending: impl Future<Output = Result<(), axum::Error>>,
    ending: &Ending,
) -> Result<(), End> {
    tokio::select! {
        // A reader that always takes something does not outlive its session either.
        biased;
        end = ending.wait() => Err(end),
        sent = tokio::time::timeout(limit, sending) => match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::SlowReader),
        },
    }
}

/// Tells a socket that the server ends, or the session that it was opened with.
struct Ending {
    server: CancellationToken,
    session: CancellationToken,
    /// Ends the task that watches the session.
    _watching: DropGuard,
}

impl Ending {
    fn watch(state: &AppState, token: TokenId) -> Self {
        let session = CancellationToken::new();
        let (state, ended) = (state.clone(), session.clone());
        let server = state.shutdown.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = ended.cancelled() => {}
                () = state.access.ended(state.store(), token) => ended.cancel(),
            }
        });
        Self {
            server,
            _watching: session.clone().drop_guard(),
            session,
        }
    }

    async fn wait(&self) -> End {
        tokio::select! {
            () = self.server.cancelled() => End::ServerEnds,
            () = self.session.cancelled() => End::SignedOut,
        }
    }
}

/// A socket with its time limits.
struct Connection<'a> {
    state: &'a AppState,
    sender: SplitSink<WebSocket, Message>,
    receiver: SplitStream<WebSocket>,
    ending: Ending,
    _counted: OpenSocket<'a>,
    _tracked: tokio_util::task::task_tracker::TaskTrackerToken,
}

impl<'a> Connection<'a> {
    fn new(state: &'a AppState, socket: WebSocket, token: TokenId) -> Self {
        let (sender, receiver) = socket.split();
        Self {
            state,
            sender,
            receiver,
            ending: Ending::watch(state, token),
            _counted: state.counters.socket(),
            _tracked: state.sockets.token(),
        }
    }

    /// Sends all stored events of a job after number `after`; returns the number of the last one.
    async fn send_events<T: Serialize>(
        &mut self,
        job: JobId,
        mut after: i64,
        wrap: impl Fn(JobEvent) -> T,
    ) -> Result<i64, End> {
        loop {
            let events = store::events::after(self.state.store(), job, after, PAGE).await?;
            if events.is_empty() {
                return Ok(after);
            }
            for event in events {
                after = event.seq;
                let text = serde_json::to_string(&wrap(event)).expect("events are plain data");
                self.send(Message::text(text), self.state.timing.send_timeout)
                    .await?;
            }
        }
    }

    /// Sends messages, the last of which leaves with all before it.
    async fn send_lines(&mut self, lines: Vec<Line>) -> Result<(), End> {
        let limit = self.state.timing.send_timeout;
        for line in lines {
            let fed = self.sender.feed(Message::Text(line.text));
            within(limit, fed, &self.ending).await?;
        }
        within(limit, self.sender.flush(), &self.ending).await
    }

    async fn send_news(&mut self, news: &GenerationNews) -> Result<(), End> {
        let text = serde_json::to_string(news).expect("news are plain data");
        self.send(Message::text(text), self.state.timing.send_timeout)
            .await
    }

    async fn send(&mut self, message: Message, limit: Duration) -> Result<(), End> {
        within(limit, self.sender.send(message), &self.ending).await
    }

    /// Waits for `what`, and meanwhile keeps the connection alive and listens for its end.
    async fn wait_for<T>(&mut self, what: impl Future<Output = T>) -> Result<T, End> {
        let mut what = std::pin::pin!(what);
        let timing = self.state.timing;
        loop {
            tokio::select! {
                result = &mut what => return Ok(result),
                end = self.ending.wait() => return Err(end),
                // Messages are ignored; reading them answers pings and detects the end.
                message = self.receiver.next() => match message {
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::Gone),
                    Some(Ok(_)) => {}
                },
                () = tokio::time::sleep(timing.ping_every) => {
                    self.send(Message::Ping(Vec::new().into()), timing.send_timeout).await?;
                }
            }
        }
    }

    async fn end(mut self, end: End) {
        match &end {
            End::SlowReader => {
                self.state.counters.slow_reader();
                tracing::info!("a reader of events was too slow");
            }
            End::Failed(error) => tracing::error!(error = chain(error), "events could not be read"),
            End::Gone
            | End::ServerEnds
            | End::SignedOut
            | End::NoSuchJob
            | End::NoSuchGeneration
            | End::Over => {}
        }
        let Some(frame) = end.close_frame() else { return };
        // Tells the client why and waits for its reply; drops clients that do not respond in time.
        let goodbye = async {
            if self.sender.send(Message::Close(Some(frame))).await.is_ok() {
                while let Some(Ok(_)) = self.receiver.next().await {}
            }
        };
        let _ = tokio::time::timeout(self.state.timing.close_timeout, goodbye).await;
    }
}
