//! Stars, tags and notes; what owners choose of their models; how a version is used.

use axum::extract::State;
use protocol::{
    ModelId, ModelVersionId,
    api::Page,
    library::{HowToUse, Label, Labeled, ModelChoices, RenameModel, UpdateLabel},
    model::{Model, ModelVersion},
};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::page::PageQuery;
use crate::{
    auth::User,
    error::ApiResult,
    extract::{Json, Path, Query},
    state::AppState,
};

/// Query of labels.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LabelsQuery {
    /// What the labels are on.
    kind: Labeled,
    /// `next` of the previous page.
    after: Option<String>,
    /// Number of entries, 1 to 500.
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: Option<u32>,
}

/// List the stars, tags and notes of jobs, models or generations
#[utoipa::path(
    get,
    path = "/labels",
    tag = "models",
    params(LabelsQuery),
    responses((status = 200, body = Page<Label>))
)]
pub(crate) async fn list_labels(
    State(state): State<AppState>,
    user: User,
    Query(query): Query<LabelsQuery>,
) -> ApiResult<axum::Json<Page<Label>>> {
    let page = PageQuery {
        after: query.after,
        limit: query.limit,
    };
    let wanted = page.wanted()?;
    let (after, n) = (wanted.after, wanted.n_to_read());
    let found = store::labels::list(state.store(), user.owner, query.kind, after, n).await?;
    Ok(axum::Json(wanted.page(found, |label| label.id)))
}

/// Change the star, tags or note of a job, a model or a generation
#[utoipa::path(
    patch,
    path = "/labels/{kind}/{id}",
    tag = "models",
    params(
        ("kind" = Labeled, Path, description = "What it is"),
        ("id" = Uuid, Path, description = "The job, model or generation")
    ),
    request_body = UpdateLabel,
    responses((status = 200, body = Label))
)]
pub(crate) async fn update_label(
    State(state): State<AppState>,
    user: User,
    Path((kind, id)): Path<(Labeled, Uuid)>,
    Json(request): Json<UpdateLabel>,
) -> ApiResult<axum::Json<Label>> {
    let label = state
        .orchestrator
        .update_label(user.owner, kind, id, request)
        .await?;
    Ok(axum::Json(label))
}

/// Rename a model
#[utoipa::path(
    patch,
    path = "/models/{id}",
    tag = "models",
    params(("id" = Uuid, Path, description = "The model")),
    request_body = RenameModel,
    responses((status = 200, body = Model))
)]
pub(crate) async fn rename_model(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<ModelId>,
    Json(request): Json<RenameModel>,
) -> ApiResult<axum::Json<Model>> {
    let name = super::name(&request.name)?;
    let model = state.orchestrator.rename_model(user.owner, id, name).await?;
    Ok(axum::Json(model))
}

/// Choose the cover of a model and the version that it is used by
///
/// Replaces what was chosen before.
#[utoipa::path(
    put,
    path = "/models/{id}/choices",
    tag = "models",
    params(("id" = Uuid, Path, description = "The model")),
    request_body = ModelChoices,
    responses((status = 200, body = Model))
)]
pub(crate) async fn choose_of_model(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<ModelId>,
    Json(request): Json<ModelChoices>,
) -> ApiResult<axum::Json<Model>> {
    let model = state
        .orchestrator
        .choose_of_model(user.owner, id, request)
        .await?;
    Ok(axum::Json(model))
}

/// Say how a model version is used
///
/// Replaces what was said before. The playground offers it, and the metadata of downloads can carry it.
#[utoipa::path(
    put,
    path = "/model-versions/{id}/usage",
    tag = "models",
    params(("id" = Uuid, Path, description = "The model version")),
    request_body = HowToUse,
    responses((status = 200, body = ModelVersion))
)]
pub(crate) async fn set_usage(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<ModelVersionId>,
    Json(request): Json<HowToUse>,
) -> ApiResult<axum::Json<ModelVersion>> {
    let version = state.orchestrator.set_usage(user.owner, id, request).await?;
    Ok(axum::Json(version))
}
