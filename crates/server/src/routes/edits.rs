//! Files that are made out of LoRAs of the library and base models.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use protocol::{
    EditId,
    api::Page,
    edit::{CreateEdit, LoraEdit},
};

use super::{key::IdempotencyKey, page::PageQuery};
use crate::{
    auth::User,
    error::ApiResult,
    extract::{Json, Path, Query},
    files,
    state::AppState,
};

/// List edits
#[utoipa::path(
    get,
    path = "/edits",
    tag = "models",
    params(PageQuery),
    responses((status = 200, body = Page<LoraEdit>))
)]
pub(crate) async fn list_edits(
    State(state): State<AppState>,
    user: User,
    Query(page): Query<PageQuery>,
) -> ApiResult<axum::Json<Page<LoraEdit>>> {
    let wanted = page.wanted()?;
    let found = store::edits::list(state.store(), user.owner, wanted.after, wanted.n_to_read()).await?;
    Ok(axum::Json(wanted.page(found, |edit| edit.id)))
}

/// Make a file out of LoRAs and base models
///
/// Merges, resizes, extracts or weighs into a new model version, which has no verdict; or converts a LoRA, or merges
/// LoRAs into a base model, into a file to download.
#[utoipa::path(
    post,
    path = "/edits",
    tag = "models",
    params(IdempotencyKey),
    request_body = CreateEdit,
    responses((status = 202, body = LoraEdit))
)]
pub(crate) async fn create_edit(
    State(state): State<AppState>,
    user: User,
    Json(request): Json<CreateEdit>,
) -> ApiResult<(StatusCode, axum::Json<LoraEdit>)> {
    let edit = state.orchestrator.create_edit(user.owner, request).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(edit)))
}

/// Get an edit
#[utoipa::path(
    get,
    path = "/edits/{id}",
    tag = "models",
    params(("id" = Uuid, Path, description = "The edit")),
    responses((status = 200, body = LoraEdit))
)]
pub(crate) async fn get_edit(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<EditId>,
) -> ApiResult<axum::Json<LoraEdit>> {
    Ok(axum::Json(
        store::edits::get(state.store(), user.owner, id).await?,
    ))
}

/// Cancel an edit
///
/// One that has ended stays as it is.
#[utoipa::path(
    post,
    path = "/edits/{id}/cancel",
    tag = "models",
    params(("id" = Uuid, Path, description = "The edit")),
    responses((status = 200, body = LoraEdit))
)]
pub(crate) async fn cancel_edit(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<EditId>,
) -> ApiResult<axum::Json<LoraEdit>> {
    Ok(axum::Json(state.orchestrator.cancel_edit(user.owner, id).await?))
}

/// Download the file of an edit
///
/// Such files are kept for a week. Supports `Range`. A server with its files in a bucket redirects to a URL there.
#[utoipa::path(
    get,
    path = "/edits/{id}/download",
    tag = "models",
    params(("id" = Uuid, Path, description = "The edit")),
    responses(
        (status = 200, content_type = "application/octet-stream", description = "The file"),
        (status = 206, content_type = "application/octet-stream", description = "The requested range"),
        (status = 307, description = "The file is at the signed URL in `Location`")
    )
)]
pub(crate) async fn download_edit(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<EditId>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let (key, name) = store::edits::file(state.store(), user.owner, id).await?;
    files::download(state.store().objects(), &key, &headers, name).await
}
