//! State of the server itself.

use axum::extract::State;
use protocol::system::SystemStatus;

use crate::{auth::User, state::AppState};

/// Get the state of the server
///
/// Shows whether its disk is low on space, so that uploads are rejected and jobs wait.
#[utoipa::path(
    get,
    path = "/system",
    tag = "system",
    responses((status = 200, body = SystemStatus))
)]
pub(crate) async fn get_system(State(state): State<AppState>, _user: User) -> axum::Json<SystemStatus> {
    axum::Json(state.orchestrator.system_status())
}
