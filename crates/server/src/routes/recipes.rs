//! Recipes from and for other trainers, and users' own presets.

use axum::{extract::State, http::StatusCode};
use orchestrator::import_recipe;
use protocol::{
    JobId, PresetId,
    foreign::{Exported, Format, ImportRecipe, Imported},
    recipe::{CreateOwnPreset, OwnPreset},
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::key::IdempotencyKey;
use crate::{
    auth::User,
    error::ApiResult,
    extract::{Json, Path, Query},
    state::AppState,
};

/// Query of an export.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportQuery {
    /// What the recipe is written for.
    format: Format,
}

/// Read settings of another trainer
///
/// Takes the TOML or a command line of sd-scripts, the JSON of kohya_ss or OneTrainer, or the YAML of ai-toolkit. What has
/// no counterpart is listed with its value. Changes nothing.
#[utoipa::path(
    post,
    path = "/recipes/import",
    tag = "jobs",
    request_body = ImportRecipe,
    responses((status = 200, body = Imported))
)]
pub(crate) async fn read_recipe(
    _user: User,
    Json(request): Json<ImportRecipe>,
) -> ApiResult<axum::Json<Imported>> {
    Ok(axum::Json(import_recipe(&request.text)?))
}

/// Write the recipe of a job for another trainer
///
/// What that one has no counterpart for is listed with its value.
#[utoipa::path(
    get,
    path = "/jobs/{id}/recipe",
    tag = "jobs",
    params(("id" = Uuid, Path, description = "The job"), ExportQuery),
    responses((status = 200, body = Exported))
)]
pub(crate) async fn job_recipe(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<JobId>,
    Query(query): Query<ExportQuery>,
) -> ApiResult<axum::Json<Exported>> {
    let exported = state
        .orchestrator
        .export_recipe(user.owner, id, query.format)
        .await?;
    Ok(axum::Json(exported))
}

/// List your own presets
#[utoipa::path(get, path = "/own-presets", tag = "jobs", responses((status = 200, body = [OwnPreset])))]
pub(crate) async fn list_own_presets(
    State(state): State<AppState>,
    user: User,
) -> ApiResult<axum::Json<Vec<OwnPreset>>> {
    Ok(axum::Json(state.orchestrator.own_presets(user.owner).await?))
}

/// Save a preset
///
/// Of a job, it keeps what differs from the preset that the job started from. Without one, it is what the body says: so
/// the content of a file that somebody shares becomes a preset.
#[utoipa::path(
    post,
    path = "/own-presets",
    tag = "jobs",
    params(IdempotencyKey),
    request_body = CreateOwnPreset,
    responses((status = 201, body = OwnPreset))
)]
pub(crate) async fn create_own_preset(
    State(state): State<AppState>,
    user: User,
    Json(request): Json<CreateOwnPreset>,
) -> ApiResult<(StatusCode, axum::Json<OwnPreset>)> {
    let preset = state.orchestrator.save_preset(user.owner, request).await?;
    Ok((StatusCode::CREATED, axum::Json(preset)))
}

/// Delete a preset of your own
///
/// Jobs that were made with it stay as they are.
#[utoipa::path(
    delete,
    path = "/own-presets/{id}",
    tag = "jobs",
    params(("id" = Uuid, Path, description = "The preset")),
    responses((status = 204, description = "Deleted"))
)]
pub(crate) async fn delete_own_preset(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<PresetId>,
) -> ApiResult<StatusCode> {
    state.orchestrator.delete_preset(user.owner, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
