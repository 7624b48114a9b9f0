//! Thumbnails of pictures: those of datasets, and generated ones.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use dataset::picture::{THUMBNAIL_SIDE, thumbnail_type};
use protocol::{DatasetId, GenerationId, ItemId};
use serde::Deserialize;
use store::BlobKey;
use tokio::runtime::Handle;
use utoipa::IntoParams;

use crate::{
    auth::User,
    error::{ApiError, ApiResult},
    extract::{Path, Query},
    state::AppState,
};

/// Which file of a picture is shown.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ThumbnailQuery {
    /// The `sha256` of the picture. If it is the current one, the answer may be kept for good.
    of: Option<String>,
}

/// Get a picture's thumbnail
///
/// Its longest side has at most 384 pixels. It is a JPEG, or a WebP for a picture with transparent areas. It never changes
/// for the same file of the picture.
#[utoipa::path(
    get,
    path = "/datasets/{id}/items/{item_id}/thumbnail",
    tag = "datasets",
    params(
        ("id" = Uuid, Path, description = "The dataset"),
        ("item_id" = Uuid, Path, description = "The picture"),
        ThumbnailQuery
    ),
    responses(
        (
            status = 200,
            content(("image/jpeg"), ("image/webp")),
            description = "The thumbnail, a `.jpg` or `.webp` file"
        ),
        (status = 304, description = "The thumbnail is the one that `If-None-Match` names")
    )
)]
pub(crate) async fn get_thumbnail(
    State(state): State<AppState>,
    user: User,
    Path((id, item_id)): Path<(DatasetId, ItemId)>,
    Query(query): Query<ThumbnailQuery>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let item = store::datasets::item(state.store(), user.owner, id, item_id).await?;
    let key = BlobKey::from_sha256(&item.sha256).map_err(ApiError::internal)?;
    // With a mask, or without it, the picture has another file at the same address.
    let is_kept = query.of.is_some_and(|of| of == item.sha256);
    show(&state, key, is_kept, &headers).await
}

/// Get the thumbnail of a generated picture
///
/// Its longest side has at most 384 pixels. It is a JPEG, or a WebP for a picture with transparent areas. It never changes.
#[utoipa::path(
    get,
    path = "/generations/{id}/thumbnail",
    tag = "generations",
    params(("id" = Uuid, Path, description = "The generation")),
    responses(
        (
            status = 200,
            content(("image/jpeg"), ("image/webp")),
            description = "The thumbnail, a `.jpg` or `.webp` file"
        ),
        (status = 304, description = "The thumbnail is the one that `If-None-Match` names")
    )
)]
pub(crate) async fn get_picture_thumbnail(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<GenerationId>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let key = store::generations::picture(state.store(), user.owner, id).await?;
    show(&state, key, true, &headers).await
}

/// Answers with the thumbnail of a picture. It `is_kept` for good where the address is that of one file only.
async fn show(state: &AppState, key: BlobKey, is_kept: bool, headers: &HeaderMap) -> ApiResult<Response> {
    let etag = format!("\"{}-{THUMBNAIL_SIDE}\"", key.sha256());
    let wanted = headers.get(header::IF_NONE_MATCH);
    let kept_for = match is_kept {
        true => "private, max-age=31536000, immutable",
        false => "private, no-cache",
    };
    let keeping = [
        (header::ETAG, etag.clone()),
        (header::CACHE_CONTROL, kept_for.to_owned()),
    ];
    if wanted.is_some_and(|wanted| wanted.as_bytes() == etag.as_bytes()) {
        return Ok((StatusCode::NOT_MODIFIED, keeping).into_response());
    }
    let thumbnail = of(state, key).await?;
    let media_type = thumbnail_type(&thumbnail).unwrap_or("application/octet-stream");
    let showing = [
        (header::CONTENT_TYPE, media_type),
        // Whatever the bytes are, browsers show them as a picture, but never execute them.
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
    ];
    Ok((keeping, showing, thumbnail).into_response())
}

/// The thumbnail of a stored picture, which is made if there is none.
pub(crate) async fn of(state: &AppState, key: BlobKey) -> ApiResult<Bytes> {
    match state.store().objects().thumbnail(&key).await? {
        Some(thumbnail) => Ok(thumbnail),
        None => made(state, key).await,
    }
}

/// Makes the thumbnail of a picture that an older version took, that was generated, or whose thumbnail was lost, and keeps
/// it if there is room.
async fn made(state: &AppState, key: BlobKey) -> ApiResult<Bytes> {
    let turn = Arc::clone(&state.thumbnails).acquire_owned().await;
    let turn = turn.map_err(ApiError::internal)?;
    let (orchestrator, decoder, runtime) = (
        state.orchestrator.clone(),
        state.decoder.clone(),
        Handle::current(),
    );
    // Goes on when nobody waits for the answer any more: the next one finds it.
    let making = tokio::task::spawn_blocking(move || -> ApiResult<Bytes> {
        let _turn = turn;
        // Somebody else may have wanted the same one, and had a turn earlier.
        let kept = orchestrator.store().objects().thumbnail(&key);
        if let Some(thumbnail) = runtime.block_on(kept)? {
            return Ok(thumbnail);
        }
        let file = runtime.block_on(orchestrator.whole_picture(&key.sha256()))?;
        let file = file.ok_or_else(|| ApiError::not_found("stored file", &key))?;
        let picture = decoder.normalize(&file).map_err(ApiError::internal)?;
        let thumbnail = picture
            .thumbnail
            .ok_or_else(|| ApiError::internal("a decoder made no thumbnail"))?;
        if orchestrator.check_room(thumbnail.len() as u64).is_ok() {
            runtime.block_on(orchestrator.keep_thumbnail(&key, &thumbnail));
        }
        Ok(thumbnail)
    });
    making.await.map_err(ApiError::internal)?
}
