//! What happens around every request: its id and log line, the check of the host, headers for safety.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tracing::Instrument;
use uuid::Uuid;

use crate::{error::ApiError, state::AppState};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives the request an id and logs its end. Neither the query (it may hold a token or a signature) nor a
/// body or header is logged.
pub(crate) async fn trace(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let id = Uuid::now_v7().to_string();
    // Paths of unknown routes are the client's invention; those of files are keys of no interest.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unmatched", MatchedPath::as_str)
        .to_owned();
    let span = tracing::info_span!("request", request_id = %id, method = %request.method(), route);
    async move {
        let started = Instant::now();
        let mut response = next.run(request).await;
        let status = response.status().as_u16();
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        state.counters.answered(status);
        tracing::debug!(status, duration_ms, "answered");
        if let Ok(id) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response
    }
    .instrument(span)
    .await
}

/// Refuses requests for a name that is not ours, as they come from a page whose name was re-bound to this
/// machine (DNS rebinding). A server that listens on more than this machine has names that it does not know.
pub(crate) async fn check_host(State(state): State<AppState>, request: Request, next: Next) -> Response {
    if !state.is_loopback {
        return next.run(request).await;
    }
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .or_else(|| request.uri().authority().map(Authority::as_str));
    let is_ours = host
        .and_then(|host| host.parse::<Authority>().ok())
        .is_some_and(|host| {
            let name = host.host();
            ["localhost", "127.0.0.1", "[::1]"].contains(&name) || state.public_url.host() == Some(name)
        });
    if is_ours {
        next.run(request).await
    } else {
        ApiError::Forbidden(
            "this server answers to `localhost` and `127.0.0.1` only; start it with `--public-url` to give it another \
             name",
        )
        .into_response()
    }
}

/// Scripts come from our own files only; styles may be inline, since components set them. Pictures and files
/// come from the bucket at `objects` where there is one.
pub(crate) fn content_security_policy(objects: Option<&str>) -> String {
    let ours = match objects {
        Some(origin) => format!("'self' {origin}"),
        None => "'self'".to_owned(),
    };
    format!(
        "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src {ours} blob: data:; \
         font-src 'self' data:; connect-src {ours}; object-src 'none'; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'"
    )
}

/// Adds the headers that keep browsers from doing harm; what a handler set itself stays.
pub(crate) async fn safe_headers(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert_with(|| state.content_security_policy.clone());
    set_default(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set_default(headers, header::X_FRAME_OPTIONS, "DENY");
    // Login addresses and signed addresses must not travel to other sites.
    set_default(headers, header::REFERRER_POLICY, "no-referrer");
    set_default(headers, header::CACHE_CONTROL, "no-store");
    set_default(
        headers,
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    );
    response
}

fn set_default(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.entry(name).or_insert(HeaderValue::from_static(value));
}
