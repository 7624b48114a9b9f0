//! `/blob/{key}`: files of the local object store. A signed URL grants access to one file.

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use futures::TryStreamExt;
use store::{
    BlobKey,
    objects::{InvalidSignature, Method, SignedQuery},
};

use crate::{
    error::{ApiError, ApiResult},
    extract::{Path, Query},
    files::{self, Presentation},
    serve::Peer,
    state::AppState,
};

/// Reads a file.
pub(crate) async fn get_blob(
    State(state): State<AppState>,
    Path(key): Path<String>,
    Query(query): Query<SignedQuery>,
    peer: Option<Extension<Arc<Peer>>>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let key = verify(&state, Method::Get, &key, &query)?;
    prove(peer);
    let presentation = Presentation {
        content_type: query.content_type,
        download_name: query.name,
    };
    files::serve(state.store().objects(), &key, &headers, presentation).await
}

/// Accepts exactly the bytes that the URL was signed for; discards anything else.
pub(crate) async fn put_blob(
    State(state): State<AppState>,
    Path(key): Path<String>,
    Query(query): Query<SignedQuery>,
    peer: Option<Extension<Arc<Peer>>>,
    headers: HeaderMap,
    body: Body,
) -> ApiResult<StatusCode> {
    let key = verify(&state, Method::Put, &key, &query)?;
    prove(peer);
    let size = query.size.ok_or(ApiError::Forbidden(MISMATCH))?;
    let announced = headers.get(header::CONTENT_LENGTH);
    let announced: Option<u64> = announced.and_then(|value| value.to_str().ok()?.parse().ok());
    if let Some(announced) = announced.filter(|announced| *announced != size) {
        return Err(ApiError::InvalidRequest(format!(
            "the upload has {announced} bytes, not {size}: send the file that was announced"
        )));
    }
    let objects = state.store().objects();
    let stream = body.into_data_stream().map_err(std::io::Error::other);
    objects.put_stream(&key, size, stream).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A signed URL authenticates like a token.
fn prove(peer: Option<Extension<Arc<Peer>>>) {
    if let Some(Extension(peer)) = peer {
        peer.prove();
    }
}

const MISMATCH: &str = "the signature does not match the URL: use it unchanged, or request a new one";

fn verify(state: &AppState, method: Method, key: &str, query: &SignedQuery) -> ApiResult<BlobKey> {
    let key: BlobKey = key.parse().map_err(|_| ApiError::Forbidden(MISMATCH))?;
    match state.store().objects().verify(method, &key, query) {
        Ok(()) => Ok(key),
        Err(InvalidSignature::Mismatch) => Err(ApiError::Forbidden(MISMATCH)),
        Err(InvalidSignature::Expired) => Err(ApiError::Forbidden("the URL has expired: request a new one")),
    }
}
