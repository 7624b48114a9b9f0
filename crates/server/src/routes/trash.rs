//! What was deleted and can be brought back, and cleaning up by rules.

use axum::{extract::State, http::StatusCode};
use protocol::trash::{CleanUp, CleanUpResult, TrashItems, Trashed};

use crate::{auth::User, error::ApiResult, extract::Json, state::AppState};

/// List what was deleted and can be brought back, newest first
///
/// At most 500 things. Each can be brought back for seven days; then its rows and files are deleted for good.
#[utoipa::path(
    get,
    path = "/trash",
    tag = "models",
    responses((status = 200, body = [Trashed]))
)]
pub(crate) async fn list_trash(
    State(state): State<AppState>,
    user: User,
) -> ApiResult<axum::Json<Vec<Trashed>>> {
    Ok(axum::Json(store::trash::list(state.store(), user.owner).await?))
}

/// Delete jobs, models, model versions and generations
///
/// All of them or none. They can be brought back for seven days. Refused with 409: a job, a generation or an edit under way,
/// what one of these uses, a job whose model version exists, an approved version, and the cover of a model. What was
/// deleted before stays deleted.
#[utoipa::path(
    post,
    path = "/trash",
    tag = "models",
    request_body = TrashItems,
    responses((status = 200, body = [Trashed]))
)]
pub(crate) async fn move_to_trash(
    State(state): State<AppState>,
    user: User,
    Json(request): Json<TrashItems>,
) -> ApiResult<axum::Json<Vec<Trashed>>> {
    let trashed = state.orchestrator.move_to_trash(user.owner, request).await?;
    Ok(axum::Json(trashed))
}

/// Bring back what was deleted
///
/// All of it or nothing. A model comes back with the versions that were deleted with it, and a version with its model and
/// its job. What was not deleted stays as it is.
#[utoipa::path(
    post,
    path = "/trash/restore",
    tag = "models",
    request_body = TrashItems,
    responses((status = 204, description = "They are there again"))
)]
pub(crate) async fn restore_from_trash(
    State(state): State<AppState>,
    user: User,
    Json(request): Json<TrashItems>,
) -> ApiResult<StatusCode> {
    state.orchestrator.restore_from_trash(user.owner, request).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Show what a clean-up would delete
#[utoipa::path(
    post,
    path = "/clean-up/preview",
    tag = "models",
    request_body = CleanUp,
    responses((status = 200, body = CleanUpResult))
)]
pub(crate) async fn preview_clean_up(
    State(state): State<AppState>,
    user: User,
    Json(request): Json<CleanUp>,
) -> ApiResult<axum::Json<CleanUpResult>> {
    let found = state.orchestrator.preview_clean_up(user.owner, request).await?;
    Ok(axum::Json(found))
}

/// Clean up by rules
///
/// What the rules name is deleted as `POST /trash` does, and can be brought back.
#[utoipa::path(
    post,
    path = "/clean-up",
    tag = "models",
    request_body = CleanUp,
    responses((status = 200, body = CleanUpResult))
)]
pub(crate) async fn clean_up(
    State(state): State<AppState>,
    user: User,
    Json(request): Json<CleanUp>,
) -> ApiResult<axum::Json<CleanUpResult>> {
    let found = state.orchestrator.clean_up(user.owner, request).await?;
    Ok(axum::Json(found))
}
