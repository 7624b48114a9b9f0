//! For monitoring: health, readiness, metrics, and the OpenAPI document.

use std::sync::LazyLock;

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};

use crate::{auth::User, error::ApiResult, openapi::document, state::AppState, telemetry};

static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    document()
        .to_json()
        .expect("the document is made of strings and numbers")
});

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
    let jobs = store::jobs::list(state.store(), user.owner, None, u64::from(u32::MAX)).await?;
    let text = telemetry::prometheus(&state.counters, &jobs, &state.orchestrator.system_status().disk);
    Ok((
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        text,
    ))
}

/// The OpenAPI document.
pub(crate) async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str())
}
