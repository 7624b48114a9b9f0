//! How prompts are read.

use axum::extract::State;
use protocol::prompt::{CountPrompts, PromptCounts};

use crate::{auth::User, error::ApiResult, extract::Json, state::AppState};

/// Count the tokens of prompts
///
/// Says how prompts are read: tokens, chunks of 75 and where they end, the LoRAs that are named, and warnings. Changes
/// nothing.
#[utoipa::path(
    post,
    path = "/prompts/count",
    tag = "generations",
    request_body = CountPrompts,
    responses((status = 200, body = PromptCounts))
)]
pub(crate) async fn count_prompts(
    State(state): State<AppState>,
    user: User,
    Json(request): Json<CountPrompts>,
) -> ApiResult<axum::Json<PromptCounts>> {
    let counts = state.orchestrator.count_prompts(user.owner, request).await?;
    Ok(axum::Json(counts))
}
