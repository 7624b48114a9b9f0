//! How the server itself is.

use axum::extract::State;
use protocol::system::SystemStatus;

use crate::{auth::User, state::AppState};

/// Get how the server is
///
/// Says whether its disk has too little room, so that uploads are refused and jobs wait.
#[utoipa::path(
    get,
    path = "/system",
    tag = "system",
    responses((status = 200, body = SystemStatus))
)]
pub(crate) async fn get_system(State(state): State<AppState>, _user: User) -> axum::Json<SystemStatus> {
    axum::Json(state.orchestrator.system_status())
}
