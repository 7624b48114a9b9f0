//! Hugging Face, as far as base models are fetched from it: repositories with files, what they hash to, and the bytes,
//! from another path, as the real one sends them from another host.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context as _;
use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use futures::stream;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

/// The commit of every repository.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A hub on a free port, until it is dropped.
pub struct Hub {
    /// Its address.
    pub url: String,
    world: Arc<World>,
    serving: JoinHandle<()>,
}

/// What can go wrong.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// Each answer with bytes breaks off after so many.
    pub cut_after: Option<usize>,
    /// Repositories open to this token only.
    pub token: Option<String>,
}

/// A request for bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Which file.
    pub path: String,
    /// Which part of it.
    pub range: Option<String>,
}

#[derive(Default)]
struct World {
    /// By repository and path.
    files: Mutex<BTreeMap<(String, String), Bytes>>,
    faults: Mutex<Faults>,
    asked: Mutex<Vec<Asked>>,
}

impl Hub {
    /// Starts an empty one.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("no port is free")?;
        let url = format!("http://{}", listener.local_addr()?);
        let world = Arc::<World>::default();
        let app = Router::new()
            .route("/api/models/{owner}/{name}/revision/{revision}", get(revision))
            .route("/{owner}/{name}/resolve/{revision}/{*path}", get(resolve))
            .route("/cdn/{owner}/{name}/{*path}", get(bytes))
            .with_state(Arc::clone(&world));
        let serving = tokio::spawn(async move {
            // It ends with its task.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { url, world, serving })
    }

    /// Puts a file into a repository `owner/name`.
    pub fn put(&self, repository: &str, path: &str, content: impl Into<Bytes>) {
        let key = (repository.to_owned(), path.to_owned());
        locked(&self.world.files).insert(key, content.into());
    }

    /// Changes what goes wrong.
    pub fn set_faults(&self, faults: Faults) {
        *locked(&self.world.faults) = faults;
    }

    /// Which bytes were asked for since the last call.
    pub fn take_asked(&self) -> Vec<Asked> {
        std::mem::take(&mut locked(&self.world.asked))
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refused(status: StatusCode, code: &'static str) -> Response {
    (status, [("x-error-code", code)], "no").into_response()
}

impl World {
    /// What the real one says to somebody who may not look, or `None`.
    fn refuses(&self, headers: &HeaderMap) -> Option<Response> {
        let wanted = locked(&self.faults).token.clone()?;
        let given = headers.get(header::AUTHORIZATION);
        let is_given = given.is_some_and(|given| given.as_bytes() == format!("Bearer {wanted}").as_bytes());
        (!is_given).then(|| refused(StatusCode::UNAUTHORIZED, "GatedRepo"))
    }
}

async fn revision(
    State(world): State<Arc<World>>,
    Path((owner, name, revision)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = world.refuses(&headers) {
        return refusal;
    }
    let repository = format!("{owner}/{name}");
    let files = locked(&world.files);
    let siblings: Vec<Value> = files
        .iter()
        .filter(|((of, _), _)| *of == repository)
        .map(|((_, path), content)| sibling(path, content))
        .collect();
    if siblings.is_empty() {
        // Whoever may not know is told the same as of one that is not there.
        return refused(StatusCode::UNAUTHORIZED, "RepoNotFound");
    }
    if !["main", COMMIT].contains(&revision.as_str()) {
        return refused(StatusCode::NOT_FOUND, "RevisionNotFound");
    }
    Json(json!({ "id": repository, "sha": COMMIT, "siblings": siblings })).into_response()
}

/// Large files are in LFS, the others in the repository itself.
fn sibling(path: &str, content: &Bytes) -> Value {
    let size = content.len();
    if path.ends_with(".safetensors") {
        let sha256 = crate::hub::sha256(content);
        json!({ "rfilename": path, "size": size, "lfs": { "sha256": sha256, "size": size, "pointerSize": 135 } })
    } else {
        json!({ "rfilename": path, "size": size })
    }
}

/// SHA-256 in hexadecimal.
pub fn sha256(content: &[u8]) -> String {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(content);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn resolve(
    State(world): State<Arc<World>>,
    Path((owner, name, _, path)): Path<(String, String, String, String)>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = world.refuses(&headers) {
        return refusal;
    }
    Redirect::temporary(&format!("/cdn/{owner}/{name}/{path}")).into_response()
}

async fn bytes(
    State(world): State<Arc<World>>,
    Path((owner, name, path)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Response {
    let found = locked(&world.files)
        .get(&(format!("{owner}/{name}"), path.clone()))
        .cloned();
    let Some(content) = found else {
        return refused(StatusCode::NOT_FOUND, "EntryNotFound");
    };
    let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    locked(&world.asked).push(Asked {
        path,
        range: range.map(str::to_owned),
    });
    let total = content.len();
    let (status, first, last) = match range.and_then(|range| parse(range, total)) {
        Some((first, last)) => (StatusCode::PARTIAL_CONTENT, first, last),
        None => (StatusCode::OK, 0, total),
    };
    let part = content.slice(first..last);
    let head = [
        (header::CONTENT_LENGTH, part.len().to_string()),
        (
            header::CONTENT_RANGE,
            format!("bytes {first}-{}/{total}", last.max(1) - 1),
        ),
        (header::ETAG, format!("\"{}\"", sha256(&content))),
    ];
    let cut = locked(&world.faults).cut_after.filter(|cut| *cut < part.len());
    let body = match cut {
        Some(cut) => {
            let broken = Err(std::io::Error::other("cut off"));
            Body::from_stream(stream::iter([Ok(part.slice(..cut)), broken]))
        }
        None => Body::from(part),
    };
    (status, head, body).into_response()
}

/// First byte, and the one after the last, of `bytes=1-5` or `bytes=1-`.
fn parse(range: &str, total: usize) -> Option<(usize, usize)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let last = match last {
        "" => total,
        last => last.parse::<usize>().ok()?.saturating_add(1).min(total),
    };
    let first = first.parse().ok()?;
    (first < last).then_some((first, last))
}
