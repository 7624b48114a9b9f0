//! What is different below `/v1`, where programs ask that are written for OpenAI's API: the shape of errors, and what a
//! repeated request gets.

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::Response,
};
use protocol::{generation::Generation, openai::ErrorResponse, problem::Problem};
use store::idempotency as kept;

use crate::{
    error::{ApiError, ApiResult},
    idempotency::{self, Identified},
    routes::{self, openai::Keyed},
    state::AppState,
};

/// Each model has a path of its own below this one.
const MODELS: &str = "/v1/models/";

/// Tells OpenAI's clients whether to send the request again.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// Gives every error below `/v1` the shape that OpenAI's clients read, whatever refused the request.
pub(crate) async fn shape_errors(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let (is_theirs, is_model) = (routes::is_openai_shaped(path), path.starts_with(MODELS));
    let response = next.run(request).await;
    match response.extensions().get::<Problem>() {
        Some(problem) if is_theirs => {
            let mut answer = ErrorResponse::from(problem);
            if is_model && problem.status == StatusCode::NOT_FOUND.as_u16() {
                answer.error.code = Some("model_not_found".to_owned());
            }
            let is_final = ApiError::is_final(&problem.kind);
            in_their_shape(response, &answer, is_final)
        }
        _ => response,
    }
}

fn in_their_shape(response: Response, answer: &ErrorResponse, is_final: bool) -> Response {
    let Ok(body) = serde_json::to_vec(answer) else {
        return response;
    };
    let (mut parts, _) = response.into_parts();
    for name in [
        header::CONTENT_LENGTH,
        header::CONTENT_ENCODING,
        header::TRANSFER_ENCODING,
    ] {
        parts.headers.remove(name);
    }
    let json = HeaderValue::from_static("application/json");
    parts.headers.insert(header::CONTENT_TYPE, json);
    if is_final {
        let never = HeaderValue::from_static("false");
        parts.headers.insert(SHOULD_RETRY, never);
    }
    Response::from_parts(parts, Body::from(body))
}

/// A repeated request gets the pictures of the first one, finished or not: the response itself, which may have megabytes,
/// is not stored.
pub(crate) async fn answer_once(
    State(state): State<AppState>,
    request: Request,
    next: Next,
) -> ApiResult<Response> {
    let Identified { wanted, mut request } = idempotency::identify(request).await?;
    let Some(wanted) = wanted else {
        return Ok(next.run(request).await);
    };
    let Some(found) = kept::find(state.store(), wanted.owner, &wanted.key).await? else {
        request.extensions_mut().insert(Keyed { begun: None });
        return Ok(kept::scope(wanted, next.run(request)).await);
    };
    let body = idempotency::same(&wanted, found)?;
    let begun: Vec<Generation> = serde_json::from_str(&body).map_err(ApiError::internal)?;
    let begun = begun.into_iter().map(|generation| generation.id).collect();
    request.extensions_mut().insert(Keyed { begun: Some(begun) });
    let mut response = next.run(request).await;
    let replayed = HeaderValue::from_static("true");
    response.headers_mut().insert(idempotency::REPLAYED, replayed);
    Ok(response)
}
