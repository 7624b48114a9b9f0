//! Captions that a model writes: its endpoints, runs over pictures of a dataset, and what they propose.

use axum::{extract::State, http::StatusCode};
use protocol::{
    CaptionEndpointId, CaptionProposalId, CaptionRunId, DatasetId,
    api::Page,
    captioning::{
        AcceptedProposals, CaptionEndpoint, CaptionProposal, CaptionRun, CaptionTrial, ChooseProposals,
        CreateCaptionEndpoint, CreateCaptionRun, DismissedProposals, TryCaptionEndpoint,
    },
};

use super::{key::IdempotencyKey, page::PageQuery};
use crate::{
    auth::User,
    error::ApiResult,
    extract::{Json, Path, Query},
    state::AppState,
};

/// List endpoints that describe pictures
#[utoipa::path(
    get,
    path = "/caption-endpoints",
    tag = "datasets",
    responses((status = 200, body = [CaptionEndpoint]))
)]
pub(crate) async fn list_caption_endpoints(
    State(state): State<AppState>,
    user: User,
) -> ApiResult<axum::Json<Vec<CaptionEndpoint>>> {
    let found = store::caption_endpoints::list(state.store(), user.owner).await?;
    Ok(axum::Json(found))
}

/// Add an endpoint that describes pictures
///
/// An OpenAI-compatible API with a model that accepts pictures, such as Ollama, vLLM, llama.cpp or a service. Its URL and key
/// are never returned. Private addresses need `--allow-fetch-from`.
#[utoipa::path(
    post,
    path = "/caption-endpoints",
    tag = "datasets",
    params(IdempotencyKey),
    request_body = CreateCaptionEndpoint,
    responses((status = 201, body = CaptionEndpoint))
)]
pub(crate) async fn create_caption_endpoint(
    State(state): State<AppState>,
    user: User,
    Json(request): Json<CreateCaptionEndpoint>,
) -> ApiResult<(StatusCode, axum::Json<CaptionEndpoint>)> {
    let made = state
        .orchestrator
        .create_caption_endpoint(user.owner, request)
        .await?;
    Ok((StatusCode::CREATED, axum::Json(made)))
}

/// Delete an endpoint that describes pictures
///
/// Runs that need it still fail. Their proposals stay.
#[utoipa::path(
    delete,
    path = "/caption-endpoints/{id}",
    tag = "datasets",
    params(("id" = Uuid, Path, description = "The endpoint")),
    responses((status = 204, description = "Deleted"))
)]
pub(crate) async fn delete_caption_endpoint(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<CaptionEndpointId>,
) -> ApiResult<StatusCode> {
    state.orchestrator.delete_caption_endpoint(user.owner, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Try an endpoint on one picture
///
/// Changes nothing. The response has what the model says, or why it did not answer.
#[utoipa::path(
    post,
    path = "/caption-endpoints/{id}/tests",
    tag = "datasets",
    params(("id" = Uuid, Path, description = "The endpoint"), IdempotencyKey),
    request_body = TryCaptionEndpoint,
    responses((status = 200, body = CaptionTrial))
)]
pub(crate) async fn try_caption_endpoint(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<CaptionEndpointId>,
    Json(request): Json<TryCaptionEndpoint>,
) -> ApiResult<axum::Json<CaptionTrial>> {
    let trial = state
        .orchestrator
        .try_caption_endpoint(user.owner, id, request)
        .await?;
    Ok(axum::Json(trial))
}

/// List runs that describe pictures
///
/// The newest first. The last 20 are kept.
#[utoipa::path(
    get,
    path = "/datasets/{id}/caption-runs",
    tag = "datasets",
    params(("id" = Uuid, Path, description = "The dataset")),
    responses((status = 200, body = [CaptionRun]))
)]
pub(crate) async fn list_caption_runs(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<DatasetId>,
) -> ApiResult<axum::Json<Vec<CaptionRun>>> {
    let found = store::datasets::list_caption_runs(state.store(), user.owner, id).await?;
    Ok(axum::Json(found))
}

/// Describe pictures
///
/// A model is asked about each picture, and its answers are kept as proposals: no caption changes until somebody accepts
/// them. One run at a time for each dataset.
#[utoipa::path(
    post,
    path = "/datasets/{id}/caption-runs",
    tag = "datasets",
    params(("id" = Uuid, Path, description = "The dataset"), IdempotencyKey),
    request_body = CreateCaptionRun,
    responses((status = 201, body = CaptionRun))
)]
pub(crate) async fn create_caption_run(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<DatasetId>,
    Json(request): Json<CreateCaptionRun>,
) -> ApiResult<(StatusCode, axum::Json<CaptionRun>)> {
    let run = state
        .orchestrator
        .create_caption_run(user.owner, id, request)
        .await?;
    Ok((StatusCode::CREATED, axum::Json(run)))
}

/// Get a run that describes pictures
#[utoipa::path(
    get,
    path = "/datasets/{id}/caption-runs/{run_id}",
    tag = "datasets",
    params(
        ("id" = Uuid, Path, description = "The dataset"),
        ("run_id" = Uuid, Path, description = "The run")
    ),
    responses((status = 200, body = CaptionRun))
)]
pub(crate) async fn get_caption_run(
    State(state): State<AppState>,
    user: User,
    Path((id, run_id)): Path<(DatasetId, CaptionRunId)>,
) -> ApiResult<axum::Json<CaptionRun>> {
    let run = store::datasets::find_caption_run(state.store(), user.owner, id, run_id).await?;
    Ok(axum::Json(run))
}

/// Stop a run that describes pictures
///
/// Its proposals stay.
#[utoipa::path(
    post,
    path = "/datasets/{id}/caption-runs/{run_id}/stop",
    tag = "datasets",
    params(
        ("id" = Uuid, Path, description = "The dataset"),
        ("run_id" = Uuid, Path, description = "The run")
    ),
    responses((status = 200, body = CaptionRun))
)]
pub(crate) async fn stop_caption_run(
    State(state): State<AppState>,
    user: User,
    Path((id, run_id)): Path<(DatasetId, CaptionRunId)>,
) -> ApiResult<axum::Json<CaptionRun>> {
    let run = state
        .orchestrator
        .stop_caption_run(user.owner, id, run_id)
        .await?;
    Ok(axum::Json(run))
}

/// List proposed captions
///
/// In the order of the pictures, with those that were accepted, dismissed or failed.
#[utoipa::path(
    get,
    path = "/datasets/{id}/caption-runs/{run_id}/proposals",
    tag = "datasets",
    params(
        ("id" = Uuid, Path, description = "The dataset"),
        ("run_id" = Uuid, Path, description = "The run"),
        PageQuery
    ),
    responses((status = 200, body = Page<CaptionProposal>))
)]
pub(crate) async fn list_caption_proposals(
    State(state): State<AppState>,
    user: User,
    Path((id, run_id)): Path<(DatasetId, CaptionRunId)>,
    Query(page): Query<PageQuery>,
) -> ApiResult<axum::Json<Page<CaptionProposal>>> {
    let wanted = page.wanted::<CaptionProposalId>()?;
    store::datasets::find_caption_run(state.store(), user.owner, id, run_id).await?;
    let found =
        store::datasets::caption_proposals(state.store(), run_id, wanted.after, wanted.n_to_read()).await?;
    Ok(axum::Json(wanted.page(found, |proposal| proposal.id)))
}

/// Accept proposed captions
///
/// Each becomes the caption of its picture, if the picture still has the caption beside which it was proposed; others stay
/// open. The captions that were changed are one edit, which can be undone.
#[utoipa::path(
    post,
    path = "/datasets/{id}/caption-runs/{run_id}/accept",
    tag = "datasets",
    params(
        ("id" = Uuid, Path, description = "The dataset"),
        ("run_id" = Uuid, Path, description = "The run"),
        IdempotencyKey
    ),
    request_body = ChooseProposals,
    responses((status = 200, body = AcceptedProposals))
)]
pub(crate) async fn accept_captions(
    State(state): State<AppState>,
    user: User,
    Path((id, run_id)): Path<(DatasetId, CaptionRunId)>,
    Json(request): Json<ChooseProposals>,
) -> ApiResult<axum::Json<AcceptedProposals>> {
    let accepted = state
        .orchestrator
        .accept_captions(user.owner, id, run_id, request)
        .await?;
    Ok(axum::Json(accepted))
}

/// Dismiss proposed captions
#[utoipa::path(
    post,
    path = "/datasets/{id}/caption-runs/{run_id}/dismiss",
    tag = "datasets",
    params(
        ("id" = Uuid, Path, description = "The dataset"),
        ("run_id" = Uuid, Path, description = "The run")
    ),
    request_body = ChooseProposals,
    responses((status = 200, body = DismissedProposals))
)]
pub(crate) async fn dismiss_captions(
    State(state): State<AppState>,
    user: User,
    Path((id, run_id)): Path<(DatasetId, CaptionRunId)>,
    Json(request): Json<ChooseProposals>,
) -> ApiResult<axum::Json<DismissedProposals>> {
    let dismissed = state
        .orchestrator
        .dismiss_captions(user.owner, id, run_id, request)
        .await?;
    Ok(axum::Json(dismissed))
}
