//! The event streams: one job's with replay, all jobs' live.

use axum::{
    extract::{
        State,
        ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use protocol::{JobId, event::JobEvent, limits::MAX_SOCKET_MESSAGE_BYTES};
use serde::Deserialize;
use tracing::{Instrument as _, Span};
use utoipa::IntoParams;

use super::page::within;
use crate::{
    auth::User,
    error::{ApiError, ApiResult},
    extract::{Path, Query},
    follow,
    state::AppState,
};

/// Which events are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventsQuery {
    /// Events after this number; 0 for all.
    #[param(minimum = 0, default = 0)]
    after: Option<u64>,
    /// Most events wanted, from 1 to 10000; a WebSocket has no limit.
    #[param(minimum = 1, maximum = 10_000, default = 1000)]
    limit: Option<u32>,
}

/// Get or follow a job's events
///
/// As a plain request, answers with the stored events after `after`. As a WebSocket, sends the same and goes
/// on with new ones as they happen: one `JobEvent` in each text message. Close codes: 4404 there is no such
/// job; 4008 the reader was too slow, connect again with the last `seq` as `after`; 4401 the session or token has
/// ended; 1001 the server ends.
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
    let after = i64::try_from(query.after.unwrap_or(0))
        .map_err(|_| ApiError::field("after", "must be the `seq` of an event"))?;
    if headers.contains_key(header::UPGRADE) {
        let upgrade = socket(upgrade)?;
        let span = Span::current();
        return Ok(upgrade
            .on_upgrade(move |socket| follow::one_job(state, socket, user, id, after).instrument(span)));
    }
    let limit = within("limit", query.limit, 1..=10_000, 1000)?;
    store::jobs::get(state.store(), user.owner, id).await?;
    let events = store::events::after(state.store(), id, after, u64::from(limit)).await?;
    Ok(axum::Json(events).into_response())
}

/// Follow all jobs' events
///
/// A WebSocket that sends what happens from now on: one `AnyJobEvent` in each text message.
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

/// A socket that takes next to nothing: clients only listen.
fn socket(upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>) -> ApiResult<WebSocketUpgrade> {
    let upgrade = upgrade.map_err(|rejection| {
        ApiError::InvalidRequest(format!("this route is a WebSocket: {}", rejection.body_text()))
    })?;
    Ok(upgrade
        .max_message_size(MAX_SOCKET_MESSAGE_BYTES)
        .max_frame_size(MAX_SOCKET_MESSAGE_BYTES))
}
