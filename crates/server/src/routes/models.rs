//! Presets, and models with their versions.

use axum::{extract::State, http::HeaderMap, response::Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use dataset::picture::thumbnail_type;
use protocol::{
    ModelId, ModelVersionId,
    api::Page,
    copies::LoraCopies,
    library::file_stem,
    limits::MAX_METADATA_THUMBNAIL_BYTES,
    model::{Model, ModelVersion, Promote},
    preset::{Family, Preset},
    recipe::PresetInfo,
};
use serde::Deserialize;
use store::BlobKey;
use utoipa::IntoParams;

use super::{page::PageQuery, thumbnails};
use crate::{
    auth::User,
    error::ApiResult,
    extract::{MaybeJson, Path, Query},
    files,
    state::AppState,
};

/// Query of presets.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PresetsQuery {
    /// Name of the base model.
    base_model: String,
    /// The family of base models; absent for the one that the base was recognized as.
    family: Option<Family>,
}

/// List presets with their parameters for a base model
#[utoipa::path(
    get,
    path = "/presets",
    tag = "jobs",
    params(PresetsQuery),
    responses((status = 200, body = [PresetInfo]))
)]
pub(crate) async fn list_presets(
    State(state): State<AppState>,
    _user: User,
    Query(query): Query<PresetsQuery>,
) -> ApiResult<axum::Json<Vec<PresetInfo>>> {
    let base = state.orchestrator.base_model(&query.base_model).await?;
    let family = query.family.unwrap_or(base.family);
    let presets = Preset::ALL.iter().map(|preset| PresetInfo::of(*preset, family));
    Ok(axum::Json(presets.collect()))
}

/// Get the folder into which approved versions are copied, and the copies
///
/// The folder is that of the setting `--lora-folder`, on the machine of the server that answers.
#[utoipa::path(get, path = "/lora-copies", tag = "models", responses((status = 200, body = LoraCopies)))]
pub(crate) async fn list_lora_copies(State(state): State<AppState>, _user: User) -> axum::Json<LoraCopies> {
    axum::Json(state.orchestrator.lora_copies())
}

/// List models with their versions
#[utoipa::path(
    get,
    path = "/models",
    tag = "models",
    params(PageQuery),
    responses((status = 200, body = Page<Model>))
)]
pub(crate) async fn list_models(
    State(state): State<AppState>,
    user: User,
    Query(page): Query<PageQuery>,
) -> ApiResult<axum::Json<Page<Model>>> {
    let wanted = page.wanted()?;
    let found = store::models::list(state.store(), user.owner, wanted.after, wanted.n_to_read()).await?;
    Ok(axum::Json(wanted.page(found, |model| model.id)))
}

/// Get a model with its versions
#[utoipa::path(
    get,
    path = "/models/{id}",
    tag = "models",
    params(("id" = Uuid, Path, description = "The model")),
    responses((status = 200, body = Model))
)]
pub(crate) async fn get_model(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<ModelId>,
) -> ApiResult<axum::Json<Model>> {
    Ok(axum::Json(
        store::models::get(state.store(), user.owner, id).await?,
    ))
}

/// Get a model version
#[utoipa::path(
    get,
    path = "/model-versions/{id}",
    tag = "models",
    params(("id" = Uuid, Path, description = "The model version")),
    responses((status = 200, body = ModelVersion))
)]
pub(crate) async fn get_model_version(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<ModelVersionId>,
) -> ApiResult<axum::Json<ModelVersion>> {
    Ok(axum::Json(
        store::models::version(state.store(), user.owner, id).await?,
    ))
}

/// Query of a download.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct DownloadQuery {
    /// Adds to the metadata of the file how it is used, and a preview: the tensors are the stored ones, the hash of the file
    /// is another, and `Range` is not supported.
    described: bool,
}

/// Download the LoRA file
///
/// Its name is that of the model with the number of the version. Supports `Range`. A server with its files in a bucket
/// redirects to a URL there.
#[utoipa::path(
    get,
    path = "/model-versions/{id}/download",
    tag = "models",
    params(("id" = Uuid, Path, description = "The model version"), DownloadQuery),
    responses(
        (status = 200, content_type = "application/octet-stream", description = "The `.safetensors` file"),
        (status = 206, content_type = "application/octet-stream", description = "The requested range"),
        (status = 307, description = "The file is at the signed URL in `Location`")
    )
)]
pub(crate) async fn download_model_version(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<ModelVersionId>,
    Query(query): Query<DownloadQuery>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let file = store::models::file(state.store(), user.owner, id).await?;
    let version = store::models::version(state.store(), user.owner, id).await?;
    let name = format!("{}.safetensors", file_stem(&version.name, version.version));
    if !query.described {
        return files::download(state.store().objects(), &file.key, &headers, name).await;
    }
    let cover = store::models::cover(state.store(), user.owner, id).await?;
    let preview = match cover {
        Some(cover) => preview(&state, cover).await,
        None => None,
    };
    let texts = version.described(preview);
    files::described(state.store().objects(), &file, &texts, &name).await
}

/// The thumbnail of a picture as a data URL; `None` if there is none, or it is too large. A download goes on without it.
async fn preview(state: &AppState, picture: BlobKey) -> Option<String> {
    let thumbnail = match thumbnails::of(state, picture).await {
        Ok(thumbnail) => thumbnail,
        Err(err) => {
            tracing::warn!(
                error = protocol::problem::chain(&err),
                "a download goes without its preview"
            );
            return None;
        }
    };
    let media_type = thumbnail_type(&thumbnail)?;
    let encoded = STANDARD.encode(&thumbnail);
    (encoded.len() <= MAX_METADATA_THUMBNAIL_BYTES).then(|| format!("data:{media_type};base64,{encoded}"))
}

/// Approve a model version for use
///
/// Requires a passed verdict. An imported version has none, and requires `without_verdict`.
#[utoipa::path(
    post,
    path = "/model-versions/{id}/promote",
    tag = "models",
    params(("id" = Uuid, Path, description = "The model version")),
    request_body = Option<Promote>,
    responses((status = 200, body = ModelVersion))
)]
pub(crate) async fn promote_model_version(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<ModelVersionId>,
    MaybeJson(request): MaybeJson<Promote>,
) -> ApiResult<axum::Json<ModelVersion>> {
    let version = state.orchestrator.promote(user.owner, id, request).await?;
    Ok(axum::Json(version))
}

/// Retire a model version
///
/// It is no longer offered in the playground.
#[utoipa::path(
    post,
    path = "/model-versions/{id}/retire",
    tag = "models",
    params(("id" = Uuid, Path, description = "The model version")),
    responses((status = 200, body = ModelVersion))
)]
pub(crate) async fn retire_model_version(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<ModelVersionId>,
) -> ApiResult<axum::Json<ModelVersion>> {
    Ok(axum::Json(state.orchestrator.retire(user.owner, id).await?))
}
