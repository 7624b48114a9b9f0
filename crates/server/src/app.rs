//! The HTTP application: routes, access control, and the layers around them.

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use protocol::text;
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::{
        CompressionLayer,
        predicate::{DefaultPredicate, NotForContentType, Predicate},
    },
};
use utoipa_axum::router::OpenApiRouter;

use crate::{
    auth, dashboard,
    error::ApiError,
    idempotency, layers, openai, openapi,
    routes::{self, access, blobs, health},
    state::AppState,
};

/// Builds the application.
pub(crate) fn app(state: AppState) -> Router {
    let (open, _) = routes::open().split_for_parts();
    let (protected, _) = OpenApiRouter::new()
        .nest("/api/v1", routes::protected())
        .split_for_parts();
    let protected = protected
        .route("/metrics", get(health::metrics))
        .route_layer(from_fn_with_state(state.clone(), idempotency::answer_once))
        .route_layer(from_fn_with_state(state.clone(), auth::require))
        // Bodies are limited where they are read: JSON by its extractor, uploads file by file.
        .layer(DefaultBodyLimit::disable());
    let (openai_shaped, _) = OpenApiRouter::new()
        .nest("/v1", routes::openai_shaped())
        .split_for_parts();
    let openai_shaped = openai_shaped
        .route_layer(from_fn_with_state(state.clone(), openai::answer_once))
        .route_layer(from_fn_with_state(state.clone(), auth::require))
        .layer(DefaultBodyLimit::disable());
    Router::new()
        .merge(open)
        .merge(protected)
        .merge(openai_shaped)
        .route("/login", get(access::follow_login_address))
        .route("/blob/{*key}", get(blobs::get_blob).put(blobs::put_blob))
        .route("/api/openapi.json", get(openapi::serve))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .fallback(dashboard::serve)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(compression())
        .layer(from_fn_with_state(state.clone(), layers::pace))
        .layer(from_fn_with_state(state.clone(), layers::check_host))
        .layer(from_fn(layers::limit_head))
        .layer(CatchPanicLayer::custom(layers::panicked))
        .layer(from_fn(openai::shape_errors))
        .layer(from_fn_with_state(state.clone(), layers::safe_headers))
        .layer(from_fn_with_state(state.clone(), layers::trace))
        .with_state(state)
}

async fn method_not_allowed(request: Request) -> Response {
    ApiError::MethodNotAllowed(text::shown(request.method().as_str(), 20)).into_response()
}

/// Pictures, archives of them and weights are not compressible.
fn compression() -> CompressionLayer<impl Predicate> {
    let predicate = DefaultPredicate::new()
        .and(NotForContentType::const_new("application/octet-stream"))
        .and(NotForContentType::const_new("application/zip"));
    CompressionLayer::new().compress_when(predicate)
}
