//! The audit log, read-only: entries are written together with the change they record.

use axum::extract::State;
use chrono::{DateTime, Utc};
use protocol::{
    AuditId,
    api::Page,
    audit::{AuditCategory, AuditEntry},
};
use serde::Deserialize;
use store::audit::{self, Filter};
use utoipa::IntoParams;

use super::page::PageQuery;
use crate::{
    auth::{self, User},
    error::ApiResult,
    extract::Query,
    state::AppState,
};

/// Filter for entries.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuery {
    /// Only those of this category.
    category: Option<AuditCategory>,
    /// Only those at or after this time.
    since: Option<DateTime<Utc>>,
    /// Only those before this time.
    until: Option<DateTime<Utc>>,
    /// `next` of the previous page.
    after: Option<String>,
    /// Number of entries, 1 to 500.
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: Option<u32>,
}

/// List audit log entries, newest first
///
/// Entries are kept for a year unless the server's settings say otherwise.
#[utoipa::path(
    get,
    path = "/audit",
    tag = "access",
    params(AuditQuery),
    responses((status = 200, body = Page<AuditEntry>))
)]
pub(crate) async fn list_audit(
    State(state): State<AppState>,
    user: User,
    Query(query): Query<AuditQuery>,
) -> ApiResult<axum::Json<Page<AuditEntry>>> {
    let page = PageQuery {
        after: query.after,
        limit: query.limit,
    };
    let wanted = page.wanted::<AuditId>()?;
    // The newest refusals are still in memory.
    auth::write_refused(&state).await;
    let filter = Filter {
        category: query.category,
        since: query.since,
        until: query.until,
        after: wanted.after,
    };
    let entries = audit::list(state.store(), user.owner, &filter, wanted.n_to_read()).await?;
    Ok(axum::Json(wanted.page(entries, |entry| entry.id)))
}
