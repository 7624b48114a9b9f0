//! The event streams: one job's with replay, all jobs' live.

use axum::{
    extract::{
        State,
        ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use protocol::{
    JobId,
    event::{EventKind, JobEvent},
    limits::MAX_SOCKET_MESSAGE_BYTES,
};
use serde::{
    Deserialize,
    de::{IntoDeserializer as _, value},
};
use tracing::{Instrument as _, Span};
use utoipa::IntoParams;

use super::page::within;
use crate::{
    auth::User,
    error::{ApiError, ApiResult},
    extract::{Path, Query},
    follow::{self, Wanted},
    state::AppState,
};

/// Filter for events.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventsQuery {
    /// Events after this number; 0 for all.
    #[param(minimum = 0, default = 0)]
    after: Option<u64>,
    /// Maximum number of events, 1 to 10000; a WebSocket has no limit.
    #[param(minimum = 1, maximum = 10_000, default = 1000)]
    limit: Option<u32>,
    /// Kinds of events that are left out, separated by commas: `step,spend` leaves the words. Kinds that this version
    /// does not know yet are never left out.
    #[param(value_type = Option<Vec<EventKind>>, style = Form, explode = false)]
    without: Option<String>,
}

impl EventsQuery {
    fn wanted(&self) -> ApiResult<Wanted> {
        let after = i64::try_from(self.after.unwrap_or(0))
            .map_err(|_| ApiError::field("after", "must be the `seq` of an event"))?;
        let kinds = self.without.iter().flat_map(|kinds| kinds.split(','));
        let without = kinds
            .filter(|kind| !kind.is_empty())
            .map(|kind| {
                EventKind::deserialize(kind.into_deserializer())
                    .map_err(|err: value::Error| ApiError::field("without", err.to_string()))
            })
            .collect::<ApiResult<Vec<EventKind>>>()?;
        Ok(Wanted { after, without })
    }
}

/// Get or follow a job's events
///
/// A plain request returns the stored events after `after`. A WebSocket sends the same and continues
/// with new ones as they happen: one `JobEvent` in each text message. Close codes: 4404 there is no such
/// job; 4008 the reader was too slow, reconnect with the last `seq` as `after`; 4401 the session or token has
/// ended; 1001 the server shuts down.
#[utoipa::path(
    get,
    path = "/jobs/{id}/events",
    tag = "jobs",
    params(("id" = Uuid, Path, description = "The job"), EventsQuery),
    responses(
        (status = 200, body = [JobEvent]),
        (status = 101, description = "A WebSocket that carries JobEvent messages")
    )
)]
pub(crate) async fn job_events(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<JobId>,
    Query(query): Query<EventsQuery>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let wanted = query.wanted()?;
    if headers.contains_key(header::UPGRADE) {
        let upgrade = socket(upgrade)?;
        let span = Span::current();
        return Ok(upgrade
            .on_upgrade(move |socket| follow::one_job(state, socket, user, id, wanted).instrument(span)));
    }
    let limit = within("limit", query.limit, 1..=10_000, 1000)?;
    store::jobs::get(state.store(), user.owner, id).await?;
    let wanted = store::events::Wanted {
        after: wanted.after,
        up_to: i64::MAX,
        without: &wanted.without,
        limit: u64::from(limit),
    };
    let events = store::events::some(state.store(), id, wanted).await?;
    Ok(axum::Json(events).into_response())
}

/// Follow all jobs' events
///
/// A WebSocket that sends events from now on: one `AnyJobEvent` in each text message.
#[utoipa::path(
    get,
    path = "/events",
    tag = "jobs",
    responses((status = 101, description = "A WebSocket that carries AnyJobEvent messages"))
)]
pub(crate) async fn all_events(
    State(state): State<AppState>,
    user: User,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> ApiResult<Response> {
    let upgrade = socket(upgrade)?;
    let span = Span::current();
    Ok(upgrade.on_upgrade(move |socket| follow::all_jobs(state, socket, user).instrument(span)))
}

/// Accepts only tiny messages: clients only listen.
pub(super) fn socket(
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> ApiResult<WebSocketUpgrade> {
    let upgrade = upgrade.map_err(|rejection| {
        ApiError::InvalidRequest(format!("this route is a WebSocket: {}", rejection.body_text()))
    })?;
    Ok(upgrade
        .max_message_size(MAX_SOCKET_MESSAGE_BYTES)
        .max_frame_size(MAX_SOCKET_MESSAGE_BYTES))
}
