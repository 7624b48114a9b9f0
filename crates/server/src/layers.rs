//! Middleware for every request: id and log line, limits, host check, security headers, and a
//! response even if a handler panics.

use std::{any::Any, time::Instant};

use axum::{
    body::Body,
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Uri, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use protocol::limits::{MAX_HEADER_BYTES, MAX_URI_BYTES};
use tracing::Instrument;
use uuid::Uuid;

use crate::{error::ApiError, serve::PacedBody, state::AppState};

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

/// Responds for a handler that panicked. The panic is in the log, with the id of its request.
pub(crate) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no text".to_owned());
    ApiError::internal(format!("a handler panicked: {text}")).into_response()
}

/// Rejects requests with a head that is too large.
pub(crate) async fn limit_head(request: Request, next: Next) -> Response {
    let n_uri = request.uri().path_and_query().map_or(0, |uri| uri.as_str().len());
    if n_uri > MAX_URI_BYTES {
        return ApiError::UriTooLong.into_response();
    }
    let headers = request.headers().iter();
    let n_headers: usize = headers
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if n_headers > MAX_HEADER_BYTES {
        return ApiError::HeadersTooLarge.into_response();
    }
    next.run(request).await
}

/// Aborts bodies that arrive too slowly, and closes their connection.
pub(crate) async fn pace(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let (body, slowness) = PacedBody::new(body, state.timing.body_time);
    let response = next.run(Request::from_parts(parts, Body::new(body))).await;
    if !slowness.was_seen() {
        return response;
    }
    let mut response = ApiError::TooSlow.into_response();
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

/// Rejects requests for another host name, as they come from a page whose name was re-bound to this
/// machine (DNS rebinding). Only for servers that listen on loopback: others have names that they do not know.
///
/// A request with two of them is no HTTP: a proxy might have looked at the other one.
pub(crate) async fn check_host(State(state): State<AppState>, request: Request, next: Next) -> Response {
    if request.headers().get_all(header::HOST).iter().count() > 1 {
        return ApiError::InvalidRequest("the request has more than one `Host` header: send one".into())
            .into_response();
    }
    if !state.is_loopback {
        return next.run(request).await;
    }
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .or_else(|| request.uri().authority().map(Authority::as_str));
    if host.is_some_and(|host| is_ours(host, &state.public_url)) {
        next.run(request).await
    } else {
        ApiError::Forbidden(
            "this server accepts the host names `localhost` and `127.0.0.1` only; start it with `--public-url` to \
                 set another one",
        )
        .into_response()
    }
}

/// Whether a `Host` is a name of this machine. Upper and lower case, and a dot at the end, make no difference.
fn is_ours(host: &str, public_url: &Uri) -> bool {
    let Ok(host) = host.parse::<Authority>() else {
        return false;
    };
    let plain = |name: &str| name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let name = plain(host.host());
    ["localhost", "127.0.0.1", "[::1]"].contains(&name.as_str())
        || public_url.host().is_some_and(|ours| plain(ours) == name)
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

/// Adds security headers; headers set by a handler are kept.
pub(crate) async fn safe_headers(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert_with(|| state.content_security_policy.clone());
    set_default(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set_default(headers, header::X_FRAME_OPTIONS, "DENY");
    // Login addresses and signed URLs must not travel to other sites.
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

#[cfg(test)]
mod tests {
    use super::is_ours;

    #[test]
    fn a_host_is_ours_however_it_is_spelled() {
        let public = "https://Morpheus.Example".parse().unwrap();
        for host in [
            "localhost",
            "LOCALHOST",
            "LocalHost:7860",
            "localhost.",
            "localhost.:7860",
            "127.0.0.1:7860",
            "[::1]:7860",
            "morpheus.example",
            "MORPHEUS.example.:443",
        ] {
            assert!(is_ours(host, &public), "{host}");
        }
        for host in [
            "",
            ".",
            "localhost..",
            "localhost.evil.example",
            "evil.example",
            "127.0.0.1.nip.example",
            "localhost/evil",
            "[::2]",
            "morpheus.example.evil",
        ] {
            assert!(!is_ours(host, &public), "{host}");
        }
    }
}
