//! Edits of many captions of a dataset.

use axum::extract::State;
use protocol::{
    CaptionEditId, DatasetId,
    caption_edit::{CaptionEdit, CaptionEditReport, EditCaptions, UndoCaptionEdit, UndoneCaptionEdit},
};

use super::key::IdempotencyKey;
use crate::{
    auth::User,
    error::ApiResult,
    extract::{Json, Path},
    state::AppState,
};

/// List edits of captions
///
/// The newest first; the last 50 are kept.
#[utoipa::path(
    get,
    path = "/datasets/{id}/caption-edits",
    tag = "datasets",
    params(("id" = Uuid, Path, description = "The dataset")),
    responses((status = 200, body = [CaptionEdit]))
)]
pub(crate) async fn list_caption_edits(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<DatasetId>,
) -> ApiResult<axum::Json<Vec<CaptionEdit>>> {
    Ok(axum::Json(
        state.orchestrator.caption_edits(user.owner, id).await?,
    ))
}

/// Edit many captions
///
/// All captions are changed together, or none. With `dry_run`, the response says what would change, and nothing does.
#[utoipa::path(
    post,
    path = "/datasets/{id}/caption-edits",
    tag = "datasets",
    params(("id" = Uuid, Path, description = "The dataset"), IdempotencyKey),
    request_body = EditCaptions,
    responses((status = 200, body = CaptionEditReport))
)]
pub(crate) async fn edit_captions(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<DatasetId>,
    Json(request): Json<EditCaptions>,
) -> ApiResult<axum::Json<CaptionEditReport>> {
    let report = state.orchestrator.edit_captions(user.owner, id, request).await?;
    Ok(axum::Json(report))
}

/// Undo an edit of captions
///
/// Each caption becomes what it was before. A caption that was changed since is never overwritten: it is a conflict (409),
/// or is left as it is with `skip_changed`.
#[utoipa::path(
    post,
    path = "/datasets/{id}/caption-edits/{edit_id}/undo",
    tag = "datasets",
    params(
        ("id" = Uuid, Path, description = "The dataset"),
        ("edit_id" = Uuid, Path, description = "The edit"),
        IdempotencyKey
    ),
    request_body = UndoCaptionEdit,
    responses((status = 200, body = UndoneCaptionEdit))
)]
pub(crate) async fn undo_caption_edit(
    State(state): State<AppState>,
    user: User,
    Path((id, edit_id)): Path<(DatasetId, CaptionEditId)>,
    Json(request): Json<UndoCaptionEdit>,
) -> ApiResult<axum::Json<UndoneCaptionEdit>> {
    let undone = state
        .orchestrator
        .undo_caption_edit(user.owner, id, edit_id, request)
        .await?;
    Ok(axum::Json(undone))
}
