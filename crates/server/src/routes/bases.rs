//! Base models: those available for use, and registered ones.

use axum::{extract::State, http::StatusCode};
use protocol::{
    base::{BaseSettings, RegisterBase, RegisteredBase},
    job::BaseModel,
};

use super::key::IdempotencyKey;
use crate::{
    auth::User,
    error::ApiResult,
    extract::{Json, Path},
    state::AppState,
};

/// List base models that jobs and generations can use
#[utoipa::path(get, path = "/base-models", tag = "models", responses((status = 200, body = [BaseModel])))]
pub(crate) async fn list_base_models(
    State(state): State<AppState>,
    _user: User,
) -> ApiResult<axum::Json<Vec<BaseModel>>> {
    Ok(axum::Json(state.orchestrator.base_models().await?))
}

/// List registered base models, including those still being checked
#[utoipa::path(
    get,
    path = "/registered-base-models",
    tag = "models",
    responses((status = 200, body = [RegisteredBase]))
)]
pub(crate) async fn list_registered_bases(
    State(state): State<AppState>,
    _user: User,
) -> ApiResult<axum::Json<Vec<RegisteredBase>>> {
    Ok(axum::Json(state.orchestrator.registered_bases().await?))
}

/// Register a base model
///
/// The source is a path on the server's machine, in a folder that its settings allow (`--base-folder`), a URL, an id
/// on Hugging Face, or an edit that has merged LoRAs into a base model (`edit:ID`), whose file is then kept. URLs in private networks are fetched only if the settings allow them (`--allow-fetch-from`). The
/// server checks that it is an SDXL
/// model and hashes it; of one on the web it reads only the header if the hash is known. Machines that train on it
/// download it from there. What its U-Net predicts is read from its files, unless it is said here; of a file on the
/// server's machine it is also measured, and a contradiction is among the notes.
#[utoipa::path(
    post,
    path = "/registered-base-models",
    tag = "models",
    params(IdempotencyKey),
    request_body = RegisterBase,
    responses((status = 202, body = RegisteredBase))
)]
pub(crate) async fn register_base(
    State(state): State<AppState>,
    user: User,
    Json(request): Json<RegisterBase>,
) -> ApiResult<(StatusCode, axum::Json<RegisteredBase>)> {
    let base = state.orchestrator.register_base(user.owner, request).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(base)))
}

/// Set what the U-Net of a registered base model predicts, and its VAE
///
/// What is left out is as its files say. The base model is checked again. One from the server's settings can only be
/// set there.
#[utoipa::path(
    put,
    path = "/registered-base-models/{name}/settings",
    tag = "models",
    params(("name" = String, Path, description = "Its name")),
    request_body = BaseSettings,
    responses((status = 202, body = RegisteredBase))
)]
pub(crate) async fn set_base(
    State(state): State<AppState>,
    user: User,
    Path(name): Path<String>,
    Json(settings): Json<BaseSettings>,
) -> ApiResult<(StatusCode, axum::Json<RegisteredBase>)> {
    let base = state.orchestrator.set_base(user.owner, &name, settings).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(base)))
}

/// Remove a registered base model
///
/// Trained models are kept. A base model from the server's settings can only be removed there.
#[utoipa::path(
    delete,
    path = "/registered-base-models/{name}",
    tag = "models",
    params(("name" = String, Path, description = "Its name")),
    responses((status = 204, description = "Removed"))
)]
pub(crate) async fn remove_base(
    State(state): State<AppState>,
    _user: User,
    Path(name): Path<String>,
) -> ApiResult<StatusCode> {
    state.orchestrator.remove_base(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Check a registered base model again
///
/// Use this after its file has changed or a problem was fixed.
#[utoipa::path(
    post,
    path = "/registered-base-models/{name}/check",
    tag = "models",
    params(("name" = String, Path, description = "Its name")),
    responses((status = 202, body = RegisteredBase))
)]
pub(crate) async fn check_base(
    State(state): State<AppState>,
    _user: User,
    Path(name): Path<String>,
) -> ApiResult<(StatusCode, axum::Json<RegisteredBase>)> {
    let base = state.orchestrator.check_base_again(&name).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(base)))
}

/// Copy a registered base model to the object store
///
/// Every machine can download it from there. Required to train on other machines with files of the server's machine,
/// and for URLs that only the server can read.
#[utoipa::path(
    post,
    path = "/registered-base-models/{name}/copy",
    tag = "models",
    params(("name" = String, Path, description = "Its name")),
    responses((status = 202, body = RegisteredBase))
)]
pub(crate) async fn copy_base(
    State(state): State<AppState>,
    _user: User,
    Path(name): Path<String>,
) -> ApiResult<(StatusCode, axum::Json<RegisteredBase>)> {
    let base = state.orchestrator.copy_base(&name).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(base)))
}
