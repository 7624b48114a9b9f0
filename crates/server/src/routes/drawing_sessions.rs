//! Drawing sessions: rented machines that draw pictures.

use axum::{extract::State, http::StatusCode};
use protocol::{
    DrawingSessionId,
    api::Page,
    drawing::{CreateDrawingSession, DrawingPrices, DrawingSession, PriceDrawingSession},
};

use super::{key::IdempotencyKey, page::PageQuery};
use crate::{
    auth::User,
    error::ApiResult,
    extract::{Json, Path, Query},
    state::AppState,
};

/// List drawing sessions
#[utoipa::path(
    get,
    path = "/drawing-sessions",
    tag = "generations",
    params(PageQuery),
    responses((status = 200, body = Page<DrawingSession>))
)]
pub(crate) async fn list_drawing_sessions(
    State(state): State<AppState>,
    user: User,
    Query(page): Query<PageQuery>,
) -> ApiResult<axum::Json<Page<DrawingSession>>> {
    let wanted = page.wanted()?;
    let found = state
        .orchestrator
        .drawing_sessions(user.owner, wanted.after, wanted.n_to_read())
        .await?;
    Ok(axum::Json(wanted.page(found, |session| session.id)))
}

/// Rent a machine for pictures
///
/// It costs money from the order until its termination is confirmed, and never more than the limit: the worst case is
/// reserved in every budget before it is ordered. Send pictures to it with `drawing_session_id`. It is terminated when
/// nobody has asked for a picture for `idle_minutes`, when the limit is near, or when the session is ended.
#[utoipa::path(
    post,
    path = "/drawing-sessions",
    tag = "generations",
    params(IdempotencyKey),
    request_body = CreateDrawingSession,
    responses((status = 202, body = DrawingSession))
)]
pub(crate) async fn create_drawing_session(
    State(state): State<AppState>,
    user: User,
    Json(request): Json<CreateDrawingSession>,
) -> ApiResult<(StatusCode, axum::Json<DrawingSession>)> {
    let session = state
        .orchestrator
        .create_drawing_session(user.owner, request)
        .await?;
    Ok((StatusCode::ACCEPTED, axum::Json(session)))
}

/// Price a machine for pictures
///
/// What such a machine would cost by the hour, and the smallest limit with which one could be rented.
#[utoipa::path(
    post,
    path = "/drawing-sessions/prices",
    tag = "generations",
    request_body = PriceDrawingSession,
    responses((status = 200, body = DrawingPrices))
)]
pub(crate) async fn price_drawing_session(
    State(state): State<AppState>,
    user: User,
    Json(request): Json<PriceDrawingSession>,
) -> ApiResult<axum::Json<DrawingPrices>> {
    Ok(axum::Json(
        state
            .orchestrator
            .price_drawing_session(user.owner, &request)
            .await?,
    ))
}

/// Get a drawing session
#[utoipa::path(
    get,
    path = "/drawing-sessions/{id}",
    tag = "generations",
    params(("id" = Uuid, Path, description = "The drawing session")),
    responses((status = 200, body = DrawingSession))
)]
pub(crate) async fn get_drawing_session(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<DrawingSessionId>,
) -> ApiResult<axum::Json<DrawingSession>> {
    Ok(axum::Json(
        state.orchestrator.drawing_session(user.owner, id).await?,
    ))
}

/// End a drawing session
///
/// Its machine is terminated, and pictures that are not drawn yet fail. One that has ended stays as it is.
#[utoipa::path(
    post,
    path = "/drawing-sessions/{id}/end",
    tag = "generations",
    params(("id" = Uuid, Path, description = "The drawing session")),
    responses((status = 200, body = DrawingSession))
)]
pub(crate) async fn end_drawing_session(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<DrawingSessionId>,
) -> ApiResult<axum::Json<DrawingSession>> {
    Ok(axum::Json(
        state.orchestrator.end_drawing_session(user.owner, id).await?,
    ))
}
