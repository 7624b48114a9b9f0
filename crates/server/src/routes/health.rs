//! For monitoring: health, readiness and metrics.

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};

use crate::{
    auth::User,
    error::{ApiError, ApiResult},
    state::AppState,
    telemetry,
};

/// Liveness: the process responds.
pub(crate) async fn alive() -> &'static str {
    "alive\n"
}

/// Readiness: the database and the object store accept writes.
pub(crate) async fn ready(State(state): State<AppState>) -> impl IntoResponse {
    let problems = state.readiness.problems(state.store()).await;
    if problems.is_empty() {
        return (StatusCode::OK, "ready\n".to_owned());
    }
    let text = format!("not ready\n{}\n", problems.join("\n"));
    (StatusCode::SERVICE_UNAVAILABLE, text)
}

/// Metrics for Prometheus.
pub(crate) async fn metrics(State(state): State<AppState>, user: User) -> ApiResult<impl IntoResponse> {
    let jobs = store::jobs::tally(state.store(), user.owner).await?;
    let drawing = store::drawing::tally(state.store(), user.owner).await?;
    let deliveries = store::outbox::tally(state.store(), user.owner).await?;
    let disk = state.orchestrator.system_status().disk;
    let text = telemetry::prometheus(&state.counters, &jobs, &drawing, &deliveries, &disk)
        .map_err(ApiError::internal)?;
    Ok(([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text))
}
