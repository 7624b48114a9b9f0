//! Money and machines: budgets, the ledger, and providers.

use axum::{extract::State, http::StatusCode};
use protocol::{
    DrawingSessionId, JobId,
    job::Job,
    spend::{Budget, LedgerEntry, ProviderInfo, SetBudget, SetJobLimit, Spend},
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    auth::User,
    error::ApiResult,
    extract::{Json, Path, Query},
    state::AppState,
};

/// Filter for entries.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct LedgerQuery {
    /// Only those of this job.
    job: Option<JobId>,
    /// Only those of this drawing session.
    drawing_session: Option<DrawingSessionId>,
}

/// Show budgets and rented machines
#[utoipa::path(get, path = "/spend", tag = "spend", responses((status = 200, body = Spend)))]
pub(crate) async fn get_spend(State(state): State<AppState>, user: User) -> ApiResult<axum::Json<Spend>> {
    Ok(axum::Json(state.orchestrator.spend(user.owner).await?))
}

/// Set the limit of a project, of all spending, or of this month and later ones
#[utoipa::path(
    put,
    path = "/spend/budgets",
    tag = "spend",
    request_body = SetBudget,
    responses((status = 200, body = Budget))
)]
pub(crate) async fn set_budget(
    State(state): State<AppState>,
    user: User,
    Json(request): Json<SetBudget>,
) -> ApiResult<axum::Json<Budget>> {
    Ok(axum::Json(
        state.orchestrator.set_budget(user.owner, request).await?,
    ))
}

/// List ledger entries, newest first, at most 1000
#[utoipa::path(
    get,
    path = "/spend/ledger",
    tag = "spend",
    params(LedgerQuery),
    responses((status = 200, body = [LedgerEntry]))
)]
pub(crate) async fn list_ledger(
    State(state): State<AppState>,
    user: User,
    Query(query): Query<LedgerQuery>,
) -> ApiResult<axum::Json<Vec<LedgerEntry>>> {
    Ok(axum::Json(
        state
            .orchestrator
            .ledger(user.owner, query.job, query.drawing_session)
            .await?,
    ))
}

/// Set the cost limit of a job
///
/// A machine that is already running keeps its reservation; the new limit applies from the next one.
#[utoipa::path(
    put,
    path = "/jobs/{id}/limit",
    tag = "jobs",
    params(("id" = Uuid, Path, description = "The job")),
    request_body = SetJobLimit,
    responses((status = 200, body = Job))
)]
pub(crate) async fn set_job_limit(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<JobId>,
    Json(request): Json<SetJobLimit>,
) -> ApiResult<axum::Json<Job>> {
    let limit = request.limit_micro_usd;
    Ok(axum::Json(
        state.orchestrator.set_job_limit(user.owner, id, limit).await?,
    ))
}

/// List providers
#[utoipa::path(get, path = "/providers", tag = "spend", responses((status = 200, body = [ProviderInfo])))]
pub(crate) async fn list_providers(
    State(state): State<AppState>,
    user: User,
) -> ApiResult<axum::Json<Vec<ProviderInfo>>> {
    Ok(axum::Json(state.orchestrator.provider_infos(user.owner).await?))
}

/// Resume renting at a provider after a halt
#[utoipa::path(
    post,
    path = "/providers/{name}/resume",
    tag = "spend",
    params(("name" = String, Path, description = "The provider")),
    responses((status = 204))
)]
pub(crate) async fn resume_provider(
    State(state): State<AppState>,
    _user: User,
    Path(name): Path<String>,
) -> ApiResult<StatusCode> {
    state.orchestrator.unhalt(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}
