//! The dashboard: static files, embedded in release builds and read from `dashboard/dist` in others.

use axum::{
    extract::Request,
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::error::ApiError;

#[derive(RustEmbed)]
#[folder = "../../dashboard/dist"]
#[allow_missing = true]
struct Files;

/// Vite puts files whose names hold a hash of their content here.
const HASHED: &str = "assets/";

const NOT_BUILT: &str = include_str!("dashboard/not_built.html");

/// Fallback route: files of the dashboard, its views, or an error below `/api`.
pub(crate) async fn serve(request: Request) -> Response {
    let path = request.uri().path();
    if is_api(path) {
        return ApiError::NoRoute(protocol::text::shown(path, 80)).into_response();
    }
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return ApiError::MethodNotAllowed(request.method().to_string()).into_response();
    }
    let path = path.trim_start_matches('/');
    if let Some(file) = Files::get(path) {
        return answer(path, file, request.headers().get(header::IF_NONE_MATCH));
    }
    if path.starts_with(HASHED) {
        // A page from before an update requests a file that no longer exists; do not return a page for it.
        return (StatusCode::NOT_FOUND, "there is no such file").into_response();
    }
    index()
}

/// The page that all views of the dashboard start from.
pub(crate) fn index() -> Response {
    match Files::get("index.html") {
        Some(file) => answer("index.html", file, None),
        None => ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], NOT_BUILT).into_response(),
    }
}

fn is_api(path: &str) -> bool {
    ["/api", "/v1", "/blob"].iter().any(|prefix| {
        path.strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

fn answer(path: &str, file: EmbeddedFile, known: Option<&HeaderValue>) -> Response {
    let hash: String = file.metadata.sha256_hash()[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let etag = format!("\"{hash}\"");
    let caching = if path.starts_with(HASHED) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    if known.is_some_and(|known| known.as_bytes() == etag.as_bytes()) {
        return (
            StatusCode::NOT_MODIFIED,
            [(header::ETAG, etag.as_str()), (header::CACHE_CONTROL, caching)],
        )
            .into_response();
    }
    let content_type = mime_guess::from_path(path).first_or_octet_stream();
    let content_type = match content_type.type_() {
        mime_guess::mime::TEXT => format!("{content_type}; charset=utf-8"),
        _ => content_type.to_string(),
    };
    (
        [
            (header::CONTENT_TYPE, content_type.as_str()),
            (header::ETAG, etag.as_str()),
            (header::CACHE_CONTROL, caching),
        ],
        file.data,
    )
        .into_response()
}
