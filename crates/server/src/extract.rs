//! Extractors with API errors: they name the invalid field and say what is valid.
//!
//! They allow no text with invalid characters (`protocol::text`): input from people is rejected; in input from agents
//! such characters are replaced, because an agent cannot correct its report and it would be lost.

use std::error::Error as _;

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, OriginalUri, RawPathParams, Request},
    http::{HeaderMap, Uri, header, request::Parts},
};
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use protocol::{
    limits::MAX_JSON_BYTES,
    problem::{FieldError, InvalidFields},
    text,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{ApiError, ApiResult};

mod describe;
pub(crate) mod walk;

/// A JSON body.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> ApiResult<Self> {
        require_json(request.headers())?;
        let bytes = read(request.into_body()).await?;
        let findings = check(&bytes)?;
        if !findings.is_empty() {
            return Err(InvalidFields(findings).into());
        }
        parse(&bytes).map(Self)
    }
}

/// A JSON body of an agent.
pub(crate) struct AgentJson<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for AgentJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> ApiResult<Self> {
        require_json(request.headers())?;
        let bytes = read(request.into_body()).await?;
        if check(&bytes)?.is_empty() {
            return parse(&bytes).map(Self);
        }
        let mut value: Value = parse(&bytes)?;
        clean(&mut value);
        parse(value.to_string().as_bytes()).map(Self)
    }
}

/// An optional JSON body; the default is used if it is absent.
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

fn require_json(headers: &HeaderMap) -> ApiResult<()> {
    let content_type = headers.get(header::CONTENT_TYPE);
    let is_json = content_type.is_some_and(|value| {
        let value = value.to_str().unwrap_or_default();
        let essence = value.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/json")
    });
    if is_json {
        return Ok(());
    }
    Err(ApiError::UnsupportedMediaType(
        "the body must be JSON, sent with `content-type: application/json`".into(),
    ))
}

/// A whole JSON body.
pub(crate) async fn read(body: Body) -> ApiResult<Bytes> {
    let mut parts = body.into_data_stream();
    let mut bytes = BytesMut::new();
    while let Some(part) = parts.next().await {
        let part =
            part.map_err(|_| ApiError::InvalidRequest("the body ended early: send it again".into()))?;
        if bytes.len() + part.len() > MAX_JSON_BYTES {
            return Err(ApiError::TooLarge(format!(
                "a JSON body must have at most {} MiB",
                MAX_JSON_BYTES >> 20
            )));
        }
        bytes.extend_from_slice(&part);
    }
    Ok(bytes.freeze())
}

/// Fields with invalid characters.
fn check(bytes: &[u8]) -> ApiResult<Vec<FieldError>> {
    if bytes.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    walk::walk(bytes).map_err(|error| describe::json(".", &error))
}

fn clean(value: &mut Value) {
    match value {
        Value::String(text) => *text = text::cleaned(text).into_owned(),
        Value::Array(values) => values.iter_mut().for_each(clean),
        Value::Object(fields) => {
            let found = std::mem::take(fields).into_iter();
            *fields = found
                .map(|(name, value)| (text::cleaned(&name).into_owned(), value))
                .collect();
            fields.values_mut().for_each(clean);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> ApiResult<T> {
    match bytes.trim_ascii().first() {
        Some(b'{') => {}
        None => {
            return Err(ApiError::InvalidRequest(
                "the body is empty; it must be a JSON object".into(),
            ));
        }
        // serde would accept a list of values as an object with fields in this order.
        Some(_) => return Err(ApiError::InvalidRequest("the body must be a JSON object".into())),
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        if !error.inner().is_data()
            && path != "."
            && let Ok(body) = serde_json::from_slice::<Value>(bytes)
            && let Some(found) = describe::at(&body, error.path())
        {
            return describe::no_word(&path, found);
        }
        describe::json(&path, error.inner())
    })?;
    deserializer
        .end()
        .map_err(|_| ApiError::InvalidRequest("the body contains more than one JSON value".into()))?;
    Ok(value)
}

/// The ids in a path. A malformed id gives 404.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> ApiResult<Self> {
        if let Ok(params) = RawPathParams::from_request_parts(parts, state).await {
            fit(params.iter(), text::check_line)?;
        }
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(path) => Ok(Self(path.0)),
            Err(_) => {
                // Within a nested router the URI lacks the beginning of the path.
                let uri = parts
                    .extensions
                    .get::<OriginalUri>()
                    .map_or(&parts.uri, |uri| &uri.0);
                Err(ApiError::NoRoute(text::shown(uri.path(), describe::SHOWN_CHARS)))
            }
        }
    }
}

/// The query of a URL.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> ApiResult<Self> {
        check_query(&parts.uri)?;
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

fn check_query(uri: &Uri) -> ApiResult<()> {
    let Ok(pairs) = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri) else {
        return Ok(());
    };
    for (name, _) in &pairs.0 {
        text::check_line(name).map_err(|unfit| {
            ApiError::field(
                text::shown(name, describe::SHOWN_CHARS),
                format!("its name {unfit}"),
            )
        })?;
    }
    // A signed URL may hold the name of a file, as it was uploaded long ago.
    let pairs = pairs
        .0
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    fit(pairs, text::check_text)
}

/// Rejects fields that fail a check.
fn fit<'a>(
    fields: impl Iterator<Item = (&'a str, &'a str)>,
    check: impl Fn(&str) -> Result<(), text::Unfit>,
) -> ApiResult<()> {
    let findings: Vec<FieldError> = fields
        .filter_map(|(name, value)| {
            let unfit = check(value).err()?;
            Some(FieldError::new(name, unfit.to_string()))
        })
        .collect();
    if findings.is_empty() {
        Ok(())
    } else {
        Err(InvalidFields(findings).into())
    }
}

#[cfg(test)]
mod tests;
