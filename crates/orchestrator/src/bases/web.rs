//! Reading files on the web: their headers, and all of them, from where a connection broke.

use std::time::Duration;

use bytes::Bytes;
use fetch::{Answer, Client, FetchError, HubOptions, Ranges, Wanted};
use protocol::limits::{MAX_HUB_LIST_BYTES, MIN_FETCH_PACE_BYTES};
use reqwest::{StatusCode, header};
use serde::de::DeserializeOwned;

/// Tries in a row that bring next to nothing.
const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Asks for files; Hugging Face learns who asks, nobody else does.
#[derive(Debug, Clone)]
pub(super) struct Web(Client);

/// Why a file cannot be read. Addresses may hold secrets, so no message holds one.
#[derive(Debug, thiserror::Error)]
pub(super) enum WebError {
    /// The server says no; the second value is Hugging Face's word for it.
    #[error("the server responded with status {0}")]
    Status(StatusCode, Option<String>),
    /// The server does not answer, or may not be asked.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// What came is not what was asked for.
    #[error("{0}")]
    Unexpected(String),
}

impl WebError {
    /// Whether it may pass by itself.
    fn is_transient(&self) -> bool {
        match self {
            Self::Status(status, _) => {
                status.is_server_error()
                    || matches!(
                        *status,
                        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
                    )
            }
            Self::Fetch(err) => err.is_transient(),
            Self::Unexpected(_) => false,
        }
    }
}

impl Web {
    pub(super) fn new(hub: HubOptions, allowed: Ranges) -> Result<Self, WebError> {
        let agent = concat!("morpheus/", env!("CARGO_PKG_VERSION"));
        Ok(Self(Client::new(agent, hub, allowed)?))
    }

    pub(super) fn hub(&self) -> &HubOptions {
        self.0.hub()
    }

    /// A document.
    pub(super) async fn json<T: DeserializeOwned>(&self, url: &str) -> Result<T, WebError> {
        let mut answer = self.patiently(url, None).await?;
        let mut text = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if (text.len() + chunk.len()) as u64 > MAX_HUB_LIST_BYTES {
                return Err(WebError::Unexpected(format!(
                    "the response has more than {MAX_HUB_LIST_BYTES} bytes"
                )));
            }
            text.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&text)
            .map_err(|err| WebError::Unexpected(format!("the response is invalid ({err})")))
    }

    /// The first bytes of a file, and its size.
    pub(super) async fn head(&self, url: &str, n_bytes: u64) -> Result<(Vec<u8>, u64), WebError> {
        let range = format!("bytes=0-{}", n_bytes.saturating_sub(1));
        let mut answer = self.patiently(url, Some(range)).await?;
        let size = match content_range(&answer) {
            Some((0, size)) => size,
            _ if answer.status() == StatusCode::OK => answer.content_length().ok_or_else(|| {
                WebError::Unexpected("the server does not report the size of the file".into())
            })?,
            _ => {
                return Err(WebError::Unexpected(
                    "the server sent a different part than requested".into(),
                ));
            }
        };
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < n_bytes.min(size) {
            match answer.chunk().await? {
                Some(chunk) => bytes.extend_from_slice(&chunk),
                None => return Err(WebError::Unexpected("the file ends early".into())),
            }
        }
        bytes.truncate(usize::try_from(n_bytes.min(size)).unwrap_or(usize::MAX));
        Ok((bytes, size))
    }

    /// The whole file, piece by piece.
    pub(super) fn read(&self, url: &str) -> Reader {
        Reader {
            web: self.clone(),
            url: url.to_owned(),
            at: 0,
            etag: None,
            answer: None,
            n_failed: 0,
            failed_at: 0,
        }
    }

    async fn patiently(&self, url: &str, range: Option<String>) -> Result<Answer, WebError> {
        let wanted = Wanted {
            range,
            if_range: None,
        };
        let mut n_failed = 0;
        loop {
            match self.get(url, &wanted).await {
                Err(err) if err.is_transient() && n_failed + 1 < TRIES => {
                    pause(n_failed).await;
                    n_failed += 1;
                }
                answer => return answer,
            }
        }
    }

    async fn get(&self, url: &str, wanted: &Wanted) -> Result<Answer, WebError> {
        let answer = self.0.get(url, wanted).await?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let code = answer.headers().get("x-error-code");
        let code = code.and_then(|code| code.to_str().ok()).map(str::to_owned);
        Err(WebError::Status(answer.status(), code))
    }
}

/// Reads a file to its end.
pub(super) struct Reader {
    web: Web,
    url: String,
    at: u64,
    etag: Option<header::HeaderValue>,
    answer: Option<Answer>,
    n_failed: u32,
    /// Where it last failed: only from well beyond it is a failure the first again.
    failed_at: u64,
}

impl Reader {
    /// The next piece; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, WebError> {
        loop {
            match self.try_next().await {
                Ok(piece) => {
                    self.at += piece.as_ref().map_or(0, |piece| piece.len() as u64);
                    if self.at - self.failed_at >= MIN_FETCH_PACE_BYTES {
                        self.n_failed = 0;
                    }
                    return Ok(piece);
                }
                Err(err) if err.is_transient() && self.n_failed + 1 < TRIES => {
                    self.answer = None;
                    pause(self.n_failed).await;
                    self.n_failed += 1;
                    self.failed_at = self.at;
                }
                Err(err) => return Err(err),
            }
        }
    }

    async fn try_next(&mut self) -> Result<Option<Bytes>, WebError> {
        let mut answer = match self.answer.take() {
            Some(answer) => answer,
            None => self.open().await?,
        };
        let piece = answer.chunk().await?;
        self.answer = Some(answer);
        Ok(piece)
    }

    async fn open(&mut self) -> Result<Answer, WebError> {
        let wanted = Wanted {
            range: (self.at > 0).then(|| format!("bytes={}-", self.at)),
            if_range: self.etag.clone(),
        };
        let answer = self.web.get(&self.url, &wanted).await?;
        if self.at > 0 && content_range(&answer).map(|(first, _)| first) != Some(self.at) {
            return Err(WebError::Unexpected(
                "the connection broke, and the download cannot be resumed: the file has changed, or its server does \
                     not support range requests"
                    .into(),
            ));
        }
        let etag = answer.headers().get(header::ETAG);
        self.etag = etag.filter(|etag| etag.as_bytes().starts_with(b"\"")).cloned();
        Ok(answer)
    }
}

async fn pause(n_failed: u32) {
    tokio::time::sleep(FIRST_PAUSE * 2u32.pow(n_failed)).await;
}

/// First byte and size of the whole, of `bytes 6-10/11`.
fn content_range(answer: &Answer) -> Option<(u64, u64)> {
    let range = answer.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (part, size) = range.strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = part.split_once('-')?;
    Some((first.parse().ok()?, size.parse().ok()?))
}
