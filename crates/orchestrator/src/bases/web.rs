//! Reads files on the web: their headers, or all of them, continuing where a connection broke.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder, Retryable as _};
use bytes::Bytes;
use fetch::{Answer, Client, FetchError, HubOptions, Ranges, Wanted};
use protocol::limits::{MAX_HUB_LIST_BYTES, MIN_FETCH_PACE_BYTES};
use reqwest::{StatusCode, header};
use serde::de::DeserializeOwned;

/// Between tries in a row that bring next to nothing; there are five of them at most.
const PAUSES: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(500))
    .with_max_times(4);

/// Requests files; only Hugging Face gets the user's token.
#[derive(Debug, Clone)]
pub(crate) struct Web(Client);

/// Why a file cannot be read. Addresses may hold secrets, so no message holds one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebError {
    /// The server says no; the second value is Hugging Face's word for it.
    #[error("the server responded with status {0}")]
    Status(StatusCode, Option<String>),
    /// The server does not answer, or requests to it are not allowed.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The answer does not match the request.
    #[error("{0}")]
    Unexpected(String),
}

impl WebError {
    /// Whether a retry may succeed.
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
    pub(crate) fn new(hub: HubOptions, allowed: Ranges) -> Result<Self, WebError> {
        let agent = concat!("morpheus/", env!("CARGO_PKG_VERSION"));
        Ok(Self(Client::new(agent, hub, allowed)?))
    }

    pub(crate) fn hub(&self) -> &HubOptions {
        self.0.hub()
    }

    /// A document.
    pub(crate) async fn json<T: DeserializeOwned>(&self, url: &str) -> Result<T, WebError> {
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
    pub(crate) async fn head(&self, url: &str, n_bytes: u64) -> Result<(Vec<u8>, u64), WebError> {
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
    pub(crate) fn read(&self, url: &str) -> Reader {
        Reader {
            web: self.clone(),
            url: url.to_owned(),
            at: 0,
            etag: None,
            answer: None,
            pauses: PAUSES.build(),
            failed_at: 0,
        }
    }

    async fn patiently(&self, url: &str, range: Option<String>) -> Result<Answer, WebError> {
        let wanted = Wanted {
            range,
            if_range: None,
        };
        let get = || self.get(url, &wanted);
        get.retry(PAUSES).when(WebError::is_transient).await
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
pub(crate) struct Reader {
    web: Web,
    url: String,
    at: u64,
    etag: Option<header::HeaderValue>,
    answer: Option<Answer>,
    pauses: <ExponentialBuilder as BackoffBuilder>::Backoff,
    /// Where it last failed: only from well beyond it is a failure the first again.
    failed_at: u64,
}

impl Reader {
    /// The next piece; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, WebError> {
        loop {
            match self.try_next().await {
                Ok(piece) => {
                    self.at += piece.as_ref().map_or(0, |piece| piece.len() as u64);
                    if self.at - self.failed_at >= MIN_FETCH_PACE_BYTES {
                        self.pauses = PAUSES.build();
                    }
                    return Ok(piece);
                }
                Err(err) => {
                    let pause = self.pauses.next().filter(|_| err.is_transient());
                    let Some(pause) = pause else {
                        return Err(err);
                    };
                    self.answer = None;
                    tokio::time::sleep(pause).await;
                    self.failed_at = self.at;
                }
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

/// First byte and size of the whole, of `bytes 6-10/11`.
fn content_range(answer: &Answer) -> Option<(u64, u64)> {
    let range = answer.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (part, size) = range.strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = part.split_once('-')?;
    Some((first.parse().ok()?, size.parse().ok()?))
}
