//! Text to image.

use std::time::Duration;

use axum::{
    extract::{
        State,
        ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::{HeaderMap, StatusCode},
    response::Response,
};
use protocol::{
    GenerationId,
    api::Page,
    generation::{CreateGeneration, Generation, GenerationNews},
};
use serde::Deserialize;
use tokio::time::Instant;
use tracing::{Instrument as _, Span};
use utoipa::IntoParams;

use super::{
    job_events::socket,
    key::IdempotencyKey,
    page::{PageQuery, within},
};
use crate::{
    auth::User,
    error::{ApiError, ApiResult},
    extract::{Json, Path, Query},
    files, follow,
    state::AppState,
};

/// Query of a generation.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct WaitQuery {
    /// Seconds to wait for the generation to end, at most 60; the response has its state at that time.
    #[param(minimum = 0, maximum = 60, default = 0)]
    wait_seconds: Option<u32>,
}

/// List generations
#[utoipa::path(
    get,
    path = "/generations",
    tag = "generations",
    params(PageQuery),
    responses((status = 200, body = Page<Generation>))
)]
pub(crate) async fn list_generations(
    State(state): State<AppState>,
    user: User,
    Query(page): Query<PageQuery>,
) -> ApiResult<axum::Json<Page<Generation>>> {
    let wanted = page.wanted()?;
    let found = store::generations::list(state.store(), user.owner, wanted.after, wanted.n_to_read()).await?;
    Ok(axum::Json(wanted.page(found, |generation| generation.id)))
}

/// Generate a picture
#[utoipa::path(
    post,
    path = "/generations",
    tag = "generations",
    params(IdempotencyKey),
    request_body = CreateGeneration,
    responses((status = 202, body = Generation))
)]
pub(crate) async fn create_generation(
    State(state): State<AppState>,
    user: User,
    Json(request): Json<CreateGeneration>,
) -> ApiResult<(StatusCode, axum::Json<Generation>)> {
    request.validate()?;
    let generation = state.orchestrator.create_generation(user.owner, request).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(generation)))
}

/// Get a generation, or wait for its end
#[utoipa::path(
    get,
    path = "/generations/{id}",
    tag = "generations",
    params(("id" = Uuid, Path, description = "The generation"), WaitQuery),
    responses((status = 200, body = Generation))
)]
pub(crate) async fn get_generation(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<GenerationId>,
    Query(query): Query<WaitQuery>,
) -> ApiResult<axum::Json<Generation>> {
    let wait = within("wait_seconds", query.wait_seconds, 0..=60, 0)?;
    let deadline = Instant::now() + Duration::from_secs(u64::from(wait));
    // Subscribed before the read, so that no change is missed.
    let mut changes = state.store().signals().subscribe_all();
    loop {
        let generation = store::generations::get(state.store(), user.owner, id).await?;
        if generation.phase.is_ended() || wait == 0 {
            return Ok(axum::Json(generation));
        }
        tokio::select! {
            () = follow::generation_changed(&mut changes, id) => {}
            () = tokio::time::sleep_until(deadline) => return Ok(axum::Json(generation)),
            () = state.access.ended(state.store(), user.token) => return Err(ApiError::signed_out()),
            () = state.shutdown.cancelled() => return Ok(axum::Json(generation)),
        }
    }
}

/// Follow a generation
///
/// A WebSocket that sends how the generation stands, previews of its picture, and how it has ended: one
/// `GenerationNews` in each text message. Close codes: 1000 it has ended; 4404 there is no such generation; 4401 the
/// session or token has ended; 1001 the server shuts down. Previews come from the server that the agent speaks with.
#[utoipa::path(
    get,
    path = "/generations/{id}/live",
    tag = "generations",
    params(("id" = Uuid, Path, description = "The generation")),
    responses((status = 101, body = GenerationNews, description = "A WebSocket that carries GenerationNews messages"))
)]
pub(crate) async fn follow_generation(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<GenerationId>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> ApiResult<Response> {
    let upgrade = socket(upgrade)?;
    let span = Span::current();
    Ok(upgrade.on_upgrade(move |socket| follow::one_generation(state, socket, user, id).instrument(span)))
}

/// Download the picture
///
/// Its name tells LoRAs and seed; the file has all settings in its metadata. Supports `Range`. A server with its files in a bucket redirects to a URL there.
#[utoipa::path(
    get,
    path = "/generations/{id}/download",
    tag = "generations",
    params(("id" = Uuid, Path, description = "The generation")),
    responses(
        (status = 200, content_type = "application/octet-stream", description = "The `.png` file"),
        (status = 206, content_type = "application/octet-stream", description = "The requested range"),
        (status = 307, description = "The file is at the signed URL in `Location`")
    )
)]
pub(crate) async fn download_generation(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<GenerationId>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let key = store::generations::picture(state.store(), user.owner, id).await?;
    let name = state.orchestrator.picture_file_name(user.owner, id).await?;
    files::download(state.store().objects(), &key, &headers, name).await
}
