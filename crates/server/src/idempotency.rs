//! Idempotent requests: those that create something accept an `Idempotency-Key`.
//!
//! Operations that accept one have `routes::key::IdempotencyKey` among their documented parameters.
//! The response is stored by the transaction that creates (`Tx::commit_with`), so that a crash cannot separate them.
//! Errors are not stored: the same key can be used again with a corrected request.

use std::{collections::HashMap, sync::LazyLock};

use axum::{
    body::Body,
    extract::{MatchedPath, OriginalUri, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use protocol::limits::MAX_IDEMPOTENCY_KEY_CHARS;
use store::{
    idempotency::{self, Answer, Kept},
    tokens::Principal,
};
use utoipa::openapi::{
    RefOr,
    path::{Operation, ParameterIn},
};

use crate::{
    error::{ApiError, ApiResult},
    extract, openapi,
    routes::key::KEY,
    state::AppState,
};

/// Marks the response as that of an earlier request.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Whether an operation takes a key.
pub(crate) fn takes_key(operation: &Operation) -> bool {
    let mut parameters = operation.parameters.iter().flatten();
    parameters.any(|parameter| match parameter {
        RefOr::T(parameter) => parameter.name == KEY && parameter.parameter_in == ParameterIn::Header,
        RefOr::Ref(_) => false,
    })
}

/// Status of the answer of each operation that takes a key.
static TAKE_KEY: LazyLock<HashMap<(Method, String), u16>> = LazyLock::new(|| {
    let mut found = HashMap::new();
    for (path, item) in openapi::document().paths.paths {
        for (method, operation) in [
            (Method::POST, item.post),
            (Method::PUT, item.put),
            (Method::PATCH, item.patch),
        ] {
            let Some(operation) = operation.filter(takes_key) else {
                continue;
            };
            let mut statuses = operation.responses.responses.keys();
            let status =
                statuses.find_map(|status| status.parse().ok().filter(|code| (200..300).contains(code)));
            found.insert((method, path.clone()), status.unwrap_or(200));
        }
    }
    found
});

/// Returns the stored response to a repeated request.
pub(crate) async fn answer_once(
    State(state): State<AppState>,
    request: Request,
    next: Next,
) -> ApiResult<Response> {
    let Identified { wanted, request } = identify(request).await?;
    let Some(wanted) = wanted else {
        return Ok(next.run(request).await);
    };
    if let Some(kept) = idempotency::find(state.store(), wanted.owner, &wanted.key).await? {
        return answer_again(&wanted, kept);
    }
    let response = idempotency::scope(wanted.clone(), next.run(request)).await;
    if response.status().is_success() {
        return Ok(response);
    }
    // The same request may have finished first on another connection, so this one conflicts with its result.
    match idempotency::find(state.store(), wanted.owner, &wanted.key).await {
        Ok(Some(kept)) => answer_again(&wanted, kept),
        Ok(None) | Err(_) => Ok(response),
    }
}

/// A request, and the key that it carries.
pub(crate) struct Identified {
    /// `None` if the request has no key, or its response is not stored.
    pub(crate) wanted: Option<idempotency::Request>,
    pub(crate) request: Request,
}

/// Reads the key of a request.
pub(crate) async fn identify(request: Request) -> ApiResult<Identified> {
    let plain = |request| {
        Ok(Identified {
            wanted: None,
            request,
        })
    };
    let extensions = request.extensions();
    let (Some(key), Some(path), Some(Principal::User { owner, .. })) = (
        request.headers().get(KEY),
        extensions.get::<MatchedPath>(),
        extensions.get::<Principal>(),
    ) else {
        return plain(request);
    };
    let operation = (request.method().clone(), path.as_str().to_owned());
    let Some(&status) = TAKE_KEY.get(&operation) else {
        return plain(request);
    };
    let (key, owner) = (parse(key)?, *owner);
    let uri = extensions
        .get::<OriginalUri>()
        .map_or(request.uri(), |uri| &uri.0);
    let route = format!("{} {}", request.method(), uri.path());
    let (parts, body) = request.into_parts();
    let body = extract::read(body).await?;
    let wanted = idempotency::Request {
        owner,
        key,
        route,
        body_sha256: idempotency::hash(&body),
        status,
    };
    Ok(Identified {
        wanted: Some(wanted),
        request: Request::from_parts(parts, Body::from(body)),
    })
}

fn parse(key: &HeaderValue) -> ApiResult<String> {
    let text = key.to_str().ok().map(str::trim);
    match text {
        Some(text) if (1..=MAX_IDEMPOTENCY_KEY_CHARS).contains(&text.len()) => Ok(text.to_owned()),
        _ => Err(ApiError::field(
            KEY,
            format!("must have 1 to {MAX_IDEMPOTENCY_KEY_CHARS} visible ASCII characters, such as a UUID"),
        )),
    }
}

/// The stored body, if it is that of the same request and holds no secret.
pub(crate) fn same(wanted: &idempotency::Request, kept: Kept) -> ApiResult<String> {
    if (&kept.route, &kept.body_sha256) != (&wanted.route, &wanted.body_sha256) {
        return Err(ApiError::KeyReused { route: kept.route });
    }
    match kept.answer {
        Answer::Json(body) => Ok(body),
        Answer::Secret(refusal) => Err(ApiError::Conflict(refusal)),
    }
}

fn answer_again(wanted: &idempotency::Request, kept: Kept) -> ApiResult<Response> {
    let status = StatusCode::from_u16(kept.status).map_err(ApiError::internal)?;
    let body = same(wanted, kept)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (REPLAYED, HeaderValue::from_static("true")),
    ];
    Ok((status, headers, body).into_response())
}
