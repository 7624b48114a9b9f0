//! Routes for agents: claim, heartbeat, artifacts, finish. `protocol::agent` explains the messages.

use axum::{extract::State, http::StatusCode};
use protocol::{
    ArtifactId, AttemptId,
    agent::{
        ClaimReply, ClaimRequest, Finish, Heartbeat, HeartbeatReply, Instead, NewArtifact, UnusableFile,
        UploadTicket,
    },
    limits::MAX_PROBLEM_CHARS,
};

use crate::{
    auth::Agent,
    error::{ApiError, ApiResult},
    extract::{AgentJson, Path},
    state::AppState,
};

/// Claim work, waiting until there is some
#[utoipa::path(
    post,
    path = "/agent/claim",
    tag = "agent",
    request_body = ClaimRequest,
    responses((status = 200, body = ClaimReply)),
    security(("token" = []))
)]
pub(crate) async fn claim(
    State(state): State<AppState>,
    Agent(agent): Agent,
    AgentJson(request): AgentJson<ClaimRequest>,
) -> ApiResult<axum::Json<ClaimReply>> {
    if request.wait_seconds > 60 {
        return Err(ApiError::field(
            "wait_seconds",
            format!("must be at most 60, not {}", request.wait_seconds),
        ));
    }
    tokio::select! {
        reply = state.orchestrator.claim(&agent, request) => Ok(axum::Json(reply?)),
        () = state.shutdown.cancelled() => Err(ApiError::ShuttingDown),
    }
}

/// Renew the lease, deliver events, receive orders
#[utoipa::path(
    post,
    path = "/agent/attempts/{id}/heartbeat",
    tag = "agent",
    params(("id" = Uuid, Path, description = "The attempt")),
    request_body = Heartbeat,
    responses((status = 200, body = HeartbeatReply)),
    security(("token" = []))
)]
pub(crate) async fn heartbeat(
    State(state): State<AppState>,
    Agent(agent): Agent,
    Path(id): Path<AttemptId>,
    AgentJson(request): AgentJson<Heartbeat>,
) -> ApiResult<axum::Json<HeartbeatReply>> {
    Ok(axum::Json(
        state.orchestrator.heartbeat(&agent, id, request).await?,
    ))
}

/// Report a file of the assignment as lost, damaged or unusable
///
/// The server checks the file itself and replies what to do without it.
#[utoipa::path(
    post,
    path = "/agent/attempts/{id}/unusable",
    tag = "agent",
    params(("id" = Uuid, Path, description = "The attempt")),
    request_body = UnusableFile,
    responses((status = 200, body = Instead)),
    security(("token" = []))
)]
pub(crate) async fn report_unusable(
    State(state): State<AppState>,
    Agent(agent): Agent,
    Path(id): Path<AttemptId>,
    AgentJson(request): AgentJson<UnusableFile>,
) -> ApiResult<axum::Json<Instead>> {
    if request.problem.chars().count() > MAX_PROBLEM_CHARS {
        let message = format!("must have at most {MAX_PROBLEM_CHARS} characters");
        return Err(ApiError::field("problem", message));
    }
    Ok(axum::Json(
        state.orchestrator.report_unusable(&agent, id, request).await?,
    ))
}

/// Announce a file to upload
#[utoipa::path(
    post,
    path = "/agent/attempts/{id}/artifacts",
    tag = "agent",
    params(("id" = Uuid, Path, description = "The attempt")),
    request_body = NewArtifact,
    responses((status = 200, body = UploadTicket)),
    security(("token" = []))
)]
pub(crate) async fn create_artifact(
    State(state): State<AppState>,
    Agent(agent): Agent,
    Path(id): Path<AttemptId>,
    AgentJson(request): AgentJson<NewArtifact>,
) -> ApiResult<axum::Json<UploadTicket>> {
    Ok(axum::Json(
        state.orchestrator.announce_artifact(&agent, id, request).await?,
    ))
}

/// Confirm that a file is uploaded
#[utoipa::path(
    post,
    path = "/agent/attempts/{id}/artifacts/{artifact_id}/complete",
    tag = "agent",
    params(
        ("id" = Uuid, Path, description = "The attempt"),
        ("artifact_id" = Uuid, Path, description = "The file")
    ),
    responses((status = 204, description = "The file is complete")),
    security(("token" = []))
)]
pub(crate) async fn complete_artifact(
    State(state): State<AppState>,
    Agent(agent): Agent,
    Path((id, artifact_id)): Path<(AttemptId, ArtifactId)>,
) -> ApiResult<StatusCode> {
    state
        .orchestrator
        .complete_artifact(&agent, id, artifact_id)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End an attempt
#[utoipa::path(
    post,
    path = "/agent/attempts/{id}/finish",
    tag = "agent",
    params(("id" = Uuid, Path, description = "The attempt")),
    request_body = Finish,
    responses((status = 204, description = "Ended")),
    security(("token" = []))
)]
pub(crate) async fn finish(
    State(state): State<AppState>,
    Agent(agent): Agent,
    Path(id): Path<AttemptId>,
    AgentJson(request): AgentJson<Finish>,
) -> ApiResult<StatusCode> {
    state.orchestrator.finish(&agent, id, request).await?;
    Ok(StatusCode::NO_CONTENT)
}
