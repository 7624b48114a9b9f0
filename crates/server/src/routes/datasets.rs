//! Datasets.

use axum::{extract::State, http::StatusCode};
use protocol::{
    DatasetId,
    api::{Page, UpdateDataset},
    audit::AuditAction,
    dataset::{CreateDataset, Dataset},
};
use store::audit::{self, named};

use super::{key::IdempotencyKey, page::PageQuery};
use crate::{
    auth::User,
    error::ApiResult,
    extract::{Json, Path, Query},
    state::AppState,
    upload,
};

/// List datasets
#[utoipa::path(
    get,
    path = "/datasets",
    tag = "datasets",
    params(PageQuery),
    responses((status = 200, body = Page<Dataset>))
)]
pub(crate) async fn list_datasets(
    State(state): State<AppState>,
    user: User,
    Query(page): Query<PageQuery>,
) -> ApiResult<axum::Json<Page<Dataset>>> {
    let wanted = page.wanted()?;
    let found = store::datasets::list(state.store(), user.owner, wanted.after, wanted.n_to_read()).await?;
    Ok(axum::Json(wanted.page(found, |dataset| dataset.id)))
}

/// Create an empty dataset
#[utoipa::path(
    post,
    path = "/datasets",
    tag = "datasets",
    params(IdempotencyKey),
    request_body = CreateDataset,
    responses((status = 201, body = Dataset))
)]
pub(crate) async fn create_dataset(
    State(state): State<AppState>,
    user: User,
    Json(request): Json<CreateDataset>,
) -> ApiResult<(StatusCode, axum::Json<Dataset>)> {
    let name = super::name(&request.name)?;
    let tx = state.store().begin().await?;
    let dataset = store::datasets::create(&tx, user.owner, name).await?;
    audit::record(&tx, AuditAction::DatasetMade, &named(name, dataset.id), "").await?;
    let dataset = tx.commit_with(dataset).await?;
    Ok((StatusCode::CREATED, axum::Json(dataset)))
}

/// Create a dataset with the demo's pictures
///
/// Sixteen pictures of a drawn character with captions, and sixteen more that are held out: enough to try everything
/// before uploading pictures of one's own.
#[utoipa::path(
    post,
    path = "/datasets/demo",
    tag = "datasets",
    params(IdempotencyKey),
    request_body = CreateDataset,
    responses((status = 201, body = Dataset))
)]
pub(crate) async fn create_demo_dataset(
    State(state): State<AppState>,
    user: User,
    Json(request): Json<CreateDataset>,
) -> ApiResult<(StatusCode, axum::Json<Dataset>)> {
    let name = super::name(&request.name)?;
    let taken = upload::demo(&state).await?;
    let dataset = state
        .orchestrator
        .create_demo_dataset(user.owner, name, taken)
        .await?;
    Ok((StatusCode::CREATED, axum::Json(dataset)))
}

/// Get a dataset
#[utoipa::path(
    get,
    path = "/datasets/{id}",
    tag = "datasets",
    params(("id" = Uuid, Path, description = "The dataset")),
    responses((status = 200, body = Dataset))
)]
pub(crate) async fn get_dataset(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<DatasetId>,
) -> ApiResult<axum::Json<Dataset>> {
    Ok(axum::Json(
        store::datasets::get(state.store(), user.owner, id).await?,
    ))
}

/// Rename a dataset
#[utoipa::path(
    patch,
    path = "/datasets/{id}",
    tag = "datasets",
    params(("id" = Uuid, Path, description = "The dataset")),
    request_body = UpdateDataset,
    responses((status = 200, body = Dataset))
)]
pub(crate) async fn update_dataset(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<DatasetId>,
    Json(request): Json<UpdateDataset>,
) -> ApiResult<axum::Json<Dataset>> {
    let tx = state.store().begin().await?;
    let dataset = match &request.name {
        Some(name) => {
            let before = store::datasets::get(&tx, user.owner, id).await?;
            let dataset = store::datasets::rename(&tx, user.owner, id, super::name(name)?).await?;
            let detail = format!("was {}", before.name);
            audit::record(
                &tx,
                AuditAction::DatasetRenamed,
                &named(&dataset.name, id),
                &detail,
            )
            .await?;
            dataset
        }
        None => store::datasets::get(&tx, user.owner, id).await?,
    };
    tx.commit().await?;
    Ok(axum::Json(dataset))
}

/// Delete a dataset
///
/// Existing jobs keep their frozen copy.
#[utoipa::path(
    delete,
    path = "/datasets/{id}",
    tag = "datasets",
    params(("id" = Uuid, Path, description = "The dataset")),
    responses((status = 204, description = "Deleted"))
)]
pub(crate) async fn delete_dataset(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<DatasetId>,
) -> ApiResult<StatusCode> {
    let tx = state.store().begin().await?;
    let dataset = store::datasets::get(&tx, user.owner, id).await?;
    store::datasets::delete(&tx, user.owner, id).await?;
    let detail = format!("{} pictures", dataset.n_items);
    audit::record(
        &tx,
        AuditAction::DatasetDeleted,
        &named(&dataset.name, id),
        &detail,
    )
    .await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
