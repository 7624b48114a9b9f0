//! Responds with stored files: complete, or the requested range of bytes.

use std::{collections::BTreeMap, ops::Range};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt, future, stream};
use protocol::safetensors::{PREFIX_BYTES, header_range, with_metadata};
use store::{
    BlobKey, BlobStore,
    models::VersionFile,
    objects::{UrlOptions, attachment},
};

use crate::error::{ApiError, ApiResult};

/// How a file is presented.
pub(crate) struct Presentation {
    /// Its type; unknown bytes if absent.
    pub(crate) content_type: Option<String>,
    /// A browser saves it under this name; shown in place if absent.
    pub(crate) download_name: Option<String>,
}

/// Answers with a file that is saved under this name: with its bytes, or with its address in the bucket.
pub(crate) async fn download(
    objects: &BlobStore,
    key: &BlobKey,
    headers: &HeaderMap,
    name: String,
) -> ApiResult<Response> {
    if objects.public_origin().is_some() {
        let address = objects.get_url(key, &UrlOptions::download(name));
        return Ok(Redirect::temporary(&address).into_response());
    }
    let presentation = Presentation {
        content_type: None,
        download_name: Some(name),
    };
    serve(objects, key, headers, presentation).await
}

/// Answers with a file. Its bytes never change, since its key is their hash.
pub(crate) async fn serve(
    objects: &BlobStore,
    key: &BlobKey,
    headers: &HeaderMap,
    presentation: Presentation,
) -> ApiResult<Response> {
    let etag = format!("\"{}\"", key.sha256());
    let matches = |name| {
        headers
            .get(name)
            .is_some_and(|value: &HeaderValue| value.as_bytes() == etag.as_bytes())
    };
    if matches(header::IF_NONE_MATCH) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
    }
    let size = objects.size(key).await?;
    let size = size.ok_or_else(|| ApiError::not_found("stored file", key))?;
    let wanted = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let is_current = !headers.contains_key(header::IF_RANGE) || matches(header::IF_RANGE);
    let range = match wanted
        .filter(|_| is_current)
        .map(|wanted| parse_range(wanted, size))
    {
        None | Some(WantedRange::Whole) => None,
        Some(WantedRange::Part(range)) => Some(range),
        Some(WantedRange::Outside) => return Err(ApiError::RangeNotSatisfiable { size }),
    };
    let reader = objects.read(key, range.clone()).await?;
    let n_bytes = reader.range.end - reader.range.start;
    let mut response = Body::from_stream(reader.stream.inspect_err(|error| {
        tracing::error!(
            error = protocol::problem::chain(error),
            "a stored file could not be read to its end"
        );
    }))
    .into_response();
    let answer = response.headers_mut();
    let mut set = |name, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            answer.insert(name, value);
        }
    };
    let content_type = presentation.content_type;
    set(
        header::CONTENT_TYPE,
        content_type.unwrap_or_else(|| "application/octet-stream".into()),
    );
    set(header::CONTENT_LENGTH, n_bytes.to_string());
    set(header::ETAG, etag);
    set(header::ACCEPT_RANGES, "bytes".into());
    set(header::CACHE_CONTROL, "private, max-age=3600, immutable".into());
    // Whatever the bytes are, browsers show them as a picture or save them, but never execute them.
    set(
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; sandbox".into(),
    );
    if let Some(name) = presentation.download_name {
        set(header::CONTENT_DISPOSITION, attachment(&name));
    }
    if let Some(range) = range {
        set(
            header::CONTENT_RANGE,
            format!("bytes {}-{}/{size}", range.start, range.end - 1),
        );
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// Answers with a LoRA that has these texts among its metadata. Its tensors are the stored ones.
pub(crate) async fn described(
    objects: &BlobStore,
    file: &VersionFile,
    texts: &BTreeMap<String, String>,
    name: &str,
) -> ApiResult<Response> {
    let size = objects.size(&file.key).await?;
    let size = size.ok_or_else(|| ApiError::not_found("stored file", &file.key))?;
    let prefix = bytes(objects, &file.key, 0..PREFIX_BYTES.min(size)).await?;
    let range = header_range(&prefix, size).map_err(ApiError::internal)?;
    let tensors = range.end..size;
    let header = bytes(objects, &file.key, range).await?;
    let header = with_metadata(&header, texts).map_err(ApiError::internal)?;
    let n_bytes = header.len() as u64 + tensors.end - tensors.start;
    let rest = if tensors.is_empty() {
        None
    } else {
        Some(objects.read(&file.key, Some(tensors)).await?.stream)
    };
    let first = stream::once(future::ready(Ok(Bytes::from(header))));
    let rest = stream::iter(rest).flatten().inspect_err(|error| {
        tracing::error!(
            error = protocol::problem::chain(error),
            "a stored file could not be read to its end"
        );
    });
    let fields = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, n_bytes.to_string()),
        (header::CACHE_CONTROL, "private, no-cache".to_owned()),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; sandbox".to_owned(),
        ),
        (header::CONTENT_DISPOSITION, attachment(name)),
    ];
    Ok((fields, Body::from_stream(first.chain(rest))).into_response())
}

/// A part of a stored file.
async fn bytes(objects: &BlobStore, key: &BlobKey, range: Range<u64>) -> ApiResult<Vec<u8>> {
    if range.is_empty() {
        return Ok(Vec::new());
    }
    let reader = objects.read(key, Some(range)).await?;
    let parts: Vec<Bytes> = reader.stream.try_collect().await?;
    Ok(parts.concat())
}

#[derive(Debug, PartialEq, Eq)]
enum WantedRange {
    /// An unsupported range: RFC 9110 allows responding with the whole file.
    Whole,
    Part(Range<u64>),
    Outside,
}

fn parse_range(value: &str, size: u64) -> WantedRange {
    let Some((first, last)) = value
        .strip_prefix("bytes=")
        .filter(|ranges| !ranges.contains(','))
        .and_then(|range| range.split_once('-'))
    else {
        return WantedRange::Whole;
    };
    let (first, last) = (first.trim(), last.trim());
    let range = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(size),
        (Ok(first), _) if last.is_empty() => first..size,
        (_, Ok(n_last)) if first.is_empty() => size.saturating_sub(n_last)..size,
        _ => return WantedRange::Whole,
    };
    if range.is_empty() {
        WantedRange::Outside
    } else {
        WantedRange::Part(range)
    }
}

#[cfg(test)]
mod tests;
