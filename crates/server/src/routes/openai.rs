//! Pictures in the shape of OpenAI's API.

use std::time::Duration;

use axum::{Extension, extract::State};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use protocol::{
    GenerationId, OwnerId, TokenId,
    generation::{Generation, GenerationPhase},
    openai::{ImageData, ImageFormat, ImagesRequest, ImagesResponse, ModelEntry, ModelsResponse},
    problem::chain,
};
use tokio::time::Instant;

use super::key::IdempotencyKey;
use crate::{
    auth::User,
    error::{ApiError, ApiResult},
    extract::{Json, Path},
    follow::generation_changed,
    state::AppState,
};

/// A request that carries an `Idempotency-Key`: its pictures go on when its client is gone, which may ask again.
#[derive(Debug, Clone)]
pub(crate) struct Keyed {
    /// What an earlier request with the same key began.
    pub(crate) begun: Option<Vec<GenerationId>>,
}

/// Draw pictures, in the shape of OpenAI's API
///
/// Waits until all of them are drawn, for at most an hour. They are canceled if the client closes the connection before;
/// with an `Idempotency-Key` they go on, and the repeated request gets them. What OpenAI's API has and this one has no
/// use for is accepted (`quality`, `style`, `moderation`, `user`) or refused with the reason. Errors have OpenAI's shape.
#[utoipa::path(
    post,
    path = "/images/generations",
    tag = "openai",
    params(IdempotencyKey),
    request_body = ImagesRequest,
    responses((status = 200, body = ImagesResponse))
)]
pub(crate) async fn create_images(
    State(state): State<AppState>,
    user: User,
    keyed: Option<Extension<Keyed>>,
    Json(request): Json<ImagesRequest>,
) -> ApiResult<axum::Json<ImagesResponse>> {
    let keyed = keyed.map(|Extension(keyed)| keyed);
    let mut waiting = Waiting {
        state: state.clone(),
        user,
        deadline: Instant::now() + state.timing.images_time,
        outlives_client: keyed.is_some(),
        left: Vec::new(),
    };
    waiting.left = match keyed.and_then(|keyed| keyed.begun) {
        Some(begun) => begun,
        None => {
            let owner = waiting.user.owner;
            let made = state.orchestrator.create_images(owner, &request).await?;
            made.iter().map(|generation| generation.id).collect()
        }
    };
    let mut data = Vec::with_capacity(waiting.left.len());
    let mut created = i64::MAX;
    while let Some(id) = waiting.left.first().copied() {
        let generation = waiting.end_of(id).await?;
        created = created.min(generation.created_at.timestamp());
        data.push(shown(&state, waiting.user.owner, &request, generation).await?);
        waiting.left.remove(0);
    }
    Ok(axum::Json(ImagesResponse {
        created,
        data,
        output_format: "png".to_owned(),
    }))
}

/// List what pictures can be drawn with, in the shape of OpenAI's API
#[utoipa::path(get, path = "/models", tag = "openai", responses((status = 200, body = ModelsResponse)))]
pub(crate) async fn list_image_models(
    State(state): State<AppState>,
    user: User,
) -> ApiResult<axum::Json<ModelsResponse>> {
    Ok(axum::Json(ModelsResponse {
        object: "list".to_owned(),
        data: state.orchestrator.image_models(user.owner).await?,
    }))
}

/// Get something that pictures can be drawn with, in the shape of OpenAI's API
#[utoipa::path(
    get,
    path = "/models/{name}",
    tag = "openai",
    params(("name" = String, Path, description = "A base model, or a model of the library")),
    responses((status = 200, body = ModelEntry))
)]
pub(crate) async fn get_image_model(
    State(state): State<AppState>,
    user: User,
    Path(name): Path<String>,
) -> ApiResult<axum::Json<ModelEntry>> {
    Ok(axum::Json(
        state.orchestrator.image_model(user.owner, &name).await?,
    ))
}

/// The pictures that a request waits for. Those that are left when it is dropped, as it is when the client is gone, are
/// canceled.
struct Waiting {
    state: AppState,
    user: User,
    deadline: Instant,
    outlives_client: bool,
    left: Vec<GenerationId>,
}

impl Waiting {
    /// Waits until a generation has ended.
    async fn end_of(&self, id: GenerationId) -> ApiResult<Generation> {
        let Self {
            state,
            user,
            deadline,
            ..
        } = self;
        // Subscribed before the read, so that no change is missed.
        let mut changes = state.store().signals().subscribe_all();
        loop {
            let generation = store::generations::get(state.store(), user.owner, id).await?;
            if generation.phase.is_ended() {
                return Ok(generation);
            }
            tokio::select! {
                () = generation_changed(&mut changes, id) => {}
                () = tokio::time::sleep_until(*deadline) => {
                    return Err(ApiError::TimedOut(too_late(state.timing.images_time)));
                }
                () = signed_out(state, user.token) => return Err(ApiError::signed_out()),
                () = state.shutdown.cancelled() => return Err(ApiError::ShuttingDown),
            }
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let is_late = Instant::now() >= self.deadline;
        if self.left.is_empty() || (self.outlives_client && !is_late) {
            return;
        }
        let (state, left) = (self.state.clone(), std::mem::take(&mut self.left));
        let reason = if is_late {
            too_late(state.timing.images_time)
        } else {
            "the client that asked for this picture waits no longer".to_owned()
        };
        self.state.sockets.spawn(async move {
            for id in left {
                if let Err(error) = state.orchestrator.abandon_generation(id, &reason).await {
                    tracing::warn!(generation.id = %id, error = chain(&error), "a picture is drawn although nobody waits for it");
                }
            }
        });
    }
}

async fn signed_out(state: &AppState, token: TokenId) {
    state.access.ended(state.store(), token).await;
}

fn too_late(limit: Duration) -> String {
    format!(
        "the picture was not finished after {} seconds: ask for fewer pictures or steps, or use POST /api/v1/generations, \
         which does not wait",
        limit.as_secs_f64()
    )
}

/// A finished picture as its request wants it.
async fn shown(
    state: &AppState,
    owner: OwnerId,
    request: &ImagesRequest,
    generation: Generation,
) -> ApiResult<ImageData> {
    if generation.phase != GenerationPhase::Succeeded {
        let error = generation
            .error
            .unwrap_or_else(|| "no reason was given".to_owned());
        return Err(ApiError::PictureFailed(error));
    }
    let mut image = ImageData {
        b64_json: None,
        url: None,
        revised_prompt: Some(generation.request.prompt).filter(|drawn| *drawn != request.prompt),
        seed: generation.request.seed,
    };
    match request.response_format.unwrap_or_default() {
        ImageFormat::Url => {
            // Where files are in a folder, it is a path on this server.
            image.url = generation.image_url.map(|url| match url.strip_prefix('/') {
                Some(path) => format!("{}/{path}", state.public_url.to_string().trim_end_matches('/')),
                None => url,
            });
        }
        ImageFormat::B64Json => {
            let key = store::generations::picture(state.store(), owner, generation.id).await?;
            let bytes = state.store().objects().get(&key).await?;
            image.b64_json = Some(STANDARD.encode(&bytes));
        }
    }
    Ok(image)
}
