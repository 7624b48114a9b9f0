//! Extractors whose refusals are problems: they name the field at fault and say what would be right.

use std::error::Error as _;

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, FromRequestParts, OriginalUri, Request},
    http::{header, request::Parts},
};
use protocol::limits::MAX_JSON_BYTES;
use serde::de::DeserializeOwned;

use crate::error::{ApiError, ApiResult};

mod describe;

/// A JSON body.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> ApiResult<Self> {
        let content_type = request.headers().get(header::CONTENT_TYPE);
        let is_json = content_type.is_some_and(|value| {
            let value = value.to_str().unwrap_or_default();
            let essence = value.split(';').next().unwrap_or_default().trim();
            essence.eq_ignore_ascii_case("application/json")
        });
        if !is_json {
            return Err(ApiError::UnsupportedMediaType(
                "the body must be JSON, sent with `content-type: application/json`".into(),
            ));
        }
        let bytes = read(request.into_body()).await?;
        parse(&bytes).map(Self)
    }
}

/// A JSON body that may be left out; its default is meant then.
pub(crate) struct MaybeJson<T>(pub(crate) T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for MaybeJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> ApiResult<Self> {
        let (parts, body) = request.into_parts();
        let bytes = read(body).await?;
        if matches!(bytes.trim_ascii(), b"" | b"null") {
            return Ok(Self(T::default()));
        }
        let request = Request::from_parts(parts, bytes.into());
        let Json(value) = Json::from_request(request, state).await?;
        Ok(Self(value))
    }
}

async fn read(body: Body) -> ApiResult<Bytes> {
    axum::body::to_bytes(body, MAX_JSON_BYTES).await.map_err(|_| {
        ApiError::TooLarge(format!(
            "a JSON body must have at most {} MiB",
            MAX_JSON_BYTES >> 20
        ))
    })
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> ApiResult<T> {
    match bytes.trim_ascii().first() {
        Some(b'{') => {}
        None => {
            return Err(ApiError::InvalidRequest(
                "the body is empty; it must be a JSON object".into(),
            ));
        }
        // serde would take a list of values for an object with fields in this order.
        Some(_) => return Err(ApiError::InvalidRequest("the body must be a JSON object".into())),
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        describe::json(&path, error.inner())
    })?;
    deserializer
        .end()
        .map_err(|_| ApiError::InvalidRequest("the body holds more than one JSON value".into()))?;
    Ok(value)
}

/// The ids in a path. What cannot be an id names nothing: 404.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> ApiResult<Self> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(path) => Ok(Self(path.0)),
            Err(_) => {
                // Within a nested router the URI lacks the beginning of the path.
                let uri = parts
                    .extensions
                    .get::<OriginalUri>()
                    .map_or(&parts.uri, |uri| &uri.0);
                Err(ApiError::NoRoute(uri.path().to_owned()))
            }
        }
    }
}

/// The query of a URL.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> ApiResult<Self> {
        match axum::extract::Query::<T>::try_from_uri(&parts.uri) {
            Ok(query) => Ok(Self(query.0)),
            // Its source is the error with the parameter's name in front: `width: invalid digit …`.
            Err(rejection) => Err(describe::query(
                &rejection
                    .source()
                    .map_or_else(|| rejection.to_string(), ToString::to_string),
            )),
        }
    }
}

#[cfg(test)]
mod tests;
