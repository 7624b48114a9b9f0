//! The pictures of a dataset, and their upload.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::IntoResponse,
};
use protocol::{
    DatasetId, ItemId,
    api::Page,
    audit::AuditAction,
    dataset::{Dataset, Item, Split, UpdateGroups, UpdateItem, UploadReport},
};
use store::audit::{self, named};
use utoipa::ToSchema;

use super::page::PageQuery;
use crate::{
    auth::User,
    error::{ApiError, ApiResult},
    extract::{Json, Path, Query},
    multipart::Multipart,
    state::AppState,
    upload,
};

/// The parts of an upload, any number in any order.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "describes a multipart form, whose parts are read as a stream"
)]
struct Upload {
    /// What the files after this part are used for. Pictures in a folder `held_out` are held out whatever it says.
    split: Option<Split>,
    /// Pictures (PNG, JPEG, WebP, BMP, GIF, TIFF), captions (`.txt`, `.caption` or `.json`, named like their picture, or of
    /// many pictures in a `.jsonl`, `.csv` or `.json`), loss masks
    /// (`NAME-masklabel.png`, or the picture's name in a folder `masks` or `conditioning_data` beside it) and `.zip`
    /// archives of all. The part's own name does not matter.
    #[schema(format = Binary, content_media_type = "application/octet-stream")]
    files: Vec<String>,
}

/// List a dataset's pictures, in upload order
#[utoipa::path(
    get,
    path = "/datasets/{id}/items",
    tag = "datasets",
    params(("id" = Uuid, Path, description = "The dataset"), PageQuery),
    responses((status = 200, body = Page<Item>))
)]
pub(crate) async fn list_items(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<DatasetId>,
    Query(page): Query<PageQuery>,
) -> ApiResult<axum::Json<Page<Item>>> {
    let wanted = page.wanted::<ItemId>()?;
    let items =
        store::datasets::items_after(state.store(), user.owner, id, wanted.after, wanted.n_to_read()).await?;
    Ok(axum::Json(wanted.page(items, |item| item.id)))
}

/// Upload pictures and captions
///
/// Each file is accepted or rejected individually; the response lists every rejected file with the reason.
#[utoipa::path(
    post,
    path = "/datasets/{id}/items",
    tag = "datasets",
    params(("id" = Uuid, Path, description = "The dataset")),
    request_body(content = Upload, content_type = "multipart/form-data"),
    responses((status = 200, body = UploadReport))
)]
pub(crate) async fn upload_items(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<DatasetId>,
    headers: HeaderMap,
    multipart: Multipart,
) -> ApiResult<axum::Json<UploadReport>> {
    let length = headers.get(header::CONTENT_LENGTH);
    let n_bytes = length.and_then(|length| length.to_str().ok()?.parse().ok());
    state.orchestrator.check_room(n_bytes.unwrap_or(0))?;
    Ok(axum::Json(
        upload::receive(&state, user.owner, id, multipart).await?,
    ))
}

/// Change how often all pictures of groups are shown, and as what
///
/// All changes are made together, or none.
#[utoipa::path(
    patch,
    path = "/datasets/{id}/groups",
    tag = "datasets",
    params(("id" = Uuid, Path, description = "The dataset")),
    request_body = UpdateGroups,
    responses((status = 200, body = Dataset))
)]
pub(crate) async fn update_groups(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<DatasetId>,
    Json(request): Json<UpdateGroups>,
) -> ApiResult<axum::Json<Dataset>> {
    request.validate()?;
    let tx = state.store().begin().await?;
    let dataset = store::datasets::get(&tx, user.owner, id).await?;
    let mut n_items = 0;
    for change in &request.groups {
        n_items += store::datasets::update_group(&tx, user.owner, id, change).await?;
    }
    let detail = format!("{} groups with {n_items} pictures", request.groups.len());
    audit::record(
        &tx,
        AuditAction::GroupsChanged,
        &named(&dataset.name, id),
        &detail,
    )
    .await?;
    tx.commit().await?;
    Ok(axum::Json(dataset))
}

/// Change a picture's caption or use
#[utoipa::path(
    patch,
    path = "/datasets/{id}/items/{item_id}",
    tag = "datasets",
    params(
        ("id" = Uuid, Path, description = "The dataset"),
        ("item_id" = Uuid, Path, description = "The picture")
    ),
    request_body = UpdateItem,
    responses((status = 200, body = Item))
)]
pub(crate) async fn update_item(
    State(state): State<AppState>,
    user: User,
    Path((id, item_id)): Path<(DatasetId, ItemId)>,
    Json(mut request): Json<UpdateItem>,
) -> ApiResult<axum::Json<Item>> {
    if let Some(caption) = &mut request.caption {
        // The same limit as for a caption file.
        if caption.len() as u64 > dataset::caption::MAX_BYTES {
            return Err(ApiError::field(
                "caption",
                format!(
                    "must have at most {} bytes, not {}",
                    dataset::caption::MAX_BYTES,
                    caption.len()
                ),
            ));
        }
        // And the same text as from a file.
        *caption = dataset::caption::cleaned(caption);
    }
    request.validate()?;
    let tx = state.store().begin().await?;
    let before = store::datasets::item(&tx, user.owner, id, item_id).await?;
    // A page knows the caption as it was typed, and here it was cleaned.
    if let Some(expected) = &mut request.expected_caption
        && dataset::caption::cleaned(expected) == before.caption
    {
        expected.clone_from(&before.caption);
    }
    if request.conflicts_with(&before.caption) {
        return Err(ApiError::Changed {
            what: "caption",
            current: before.caption,
        });
    }
    let item = store::datasets::update_item(&tx, user.owner, id, item_id, request).await?;
    tx.commit().await?;
    Ok(axum::Json(item))
}

/// Delete a picture
#[utoipa::path(
    delete,
    path = "/datasets/{id}/items/{item_id}",
    tag = "datasets",
    params(
        ("id" = Uuid, Path, description = "The dataset"),
        ("item_id" = Uuid, Path, description = "The picture")
    ),
    responses((status = 204, description = "Deleted"))
)]
pub(crate) async fn delete_item(
    State(state): State<AppState>,
    user: User,
    Path((id, item_id)): Path<(DatasetId, ItemId)>,
) -> ApiResult<StatusCode> {
    let tx = state.store().begin().await?;
    let dataset = store::datasets::get(&tx, user.owner, id).await?;
    store::datasets::delete_item(&tx, user.owner, id, item_id).await?;
    let detail = format!("of {}", named(&dataset.name, id));
    audit::record(&tx, AuditAction::PictureDeleted, &item_id.to_string(), &detail).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The loss mask of a picture
///
/// White where the picture is learned, black where it is not. Only a mask picture is one; a picture's own alpha is not.
#[utoipa::path(
    get,
    path = "/datasets/{id}/items/{item_id}/mask",
    tag = "datasets",
    params(
        ("id" = Uuid, Path, description = "The dataset"),
        ("item_id" = Uuid, Path, description = "The picture")
    ),
    responses((status = 200, content_type = "application/octet-stream", description = "The mask, a `.png` file"))
)]
pub(crate) async fn get_mask(
    State(state): State<AppState>,
    user: User,
    Path((id, item_id)): Path<(DatasetId, ItemId)>,
) -> ApiResult<impl IntoResponse> {
    let mask = state.orchestrator.mask(user.owner, id, item_id).await?;
    Ok(([(header::CONTENT_TYPE, "image/png")], mask))
}

/// Delete the loss mask of a picture
///
/// The picture stays. Versions that jobs have frozen keep the mask.
#[utoipa::path(
    delete,
    path = "/datasets/{id}/items/{item_id}/mask",
    tag = "datasets",
    params(
        ("id" = Uuid, Path, description = "The dataset"),
        ("item_id" = Uuid, Path, description = "The picture")
    ),
    responses((status = 200, body = Item))
)]
pub(crate) async fn delete_mask(
    State(state): State<AppState>,
    user: User,
    Path((id, item_id)): Path<(DatasetId, ItemId)>,
) -> ApiResult<axum::Json<Item>> {
    Ok(axum::Json(
        state.orchestrator.remove_mask(user.owner, id, item_id).await?,
    ))
}
