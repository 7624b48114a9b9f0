//! Fetches stored files. A connection that breaks is taken up where it broke.

use std::{
    io::{self, Seek as _, SeekFrom, Write as _},
    path::Path,
};

use protocol::agent::StoredFile;
use reqwest::{Response, StatusCode, header};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use tokio::sync::Mutex;
use trainer::tensor_file;

use super::{TransferError, display_name, hash_file};
use crate::client::{Client, Failure, Patience, Transient};

/// Fetches a stored file to `path`, unless it is there already with the right content.
pub(crate) async fn download(
    client: &Client,
    file: &StoredFile,
    path: &Path,
    patience: Patience,
) -> Result<(), TransferError> {
    if path.exists() && hash_file(path).await?.sha256 == file.sha256 {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let disk = move |doing, err| TransferError::Disk {
        doing,
        path: path.to_owned(),
        err,
    };
    std::fs::create_dir_all(folder).map_err(|err| disk("make the folder of", err))?;
    let arriving = Mutex::new(Part::new(folder).map_err(|err| disk("write", err))?);
    let part = &arriving;
    loop {
        let fetched = client
            .retry(patience, move || async move {
                part.lock().await.fetch(client, file).await
            })
            .await
            .map_err(|err| TransferError::Exchange {
                file: display_name(path),
                err: Box::new(err),
            })?
            .map_err(|err| disk("write", err))?;
        let mut part = part.lock().await;
        match fetched {
            // Whoever comes further may be cut off again; the patience is for standing still.
            Fetched::More => continue,
            Fetched::All if part.sha256() == file.sha256 => break,
            // Its pieces may be of different files, if the store ignores `If-Range`.
            Fetched::All if part.is_pieced => {
                part.restart().map_err(|err| disk("write", err))?;
                part.takes_pieces = false;
            }
            Fetched::All => {
                return Err(TransferError::WrongContent {
                    file: display_name(path),
                    wanted: file.sha256.clone(),
                    got: part.sha256(),
                });
            }
        }
    }
    let temporary = arriving.into_inner().temporary;
    temporary.persist(path).map_err(|err| disk("write", err.error))?;
    Ok(())
}

/// What came of one request.
enum Fetched {
    /// The end of the file.
    All,
    /// More than there was before, until the connection broke.
    More,
}

/// What has arrived of a file.
struct Part {
    temporary: NamedTempFile,
    hasher: Sha256,
    n_bytes: u64,
    /// The most that had arrived before any connection broke.
    furthest: u64,
    /// Tells whether the file that the store has is still the one that this is a part of.
    etag: Option<header::HeaderValue>,
    /// It came in more than one answer.
    is_pieced: bool,
    /// Whether a broken connection is taken up where it broke.
    takes_pieces: bool,
}

impl Part {
    fn new(folder: &Path) -> io::Result<Self> {
        Ok(Self {
            temporary: tensor_file::temporary_in(folder)?,
            hasher: Sha256::new(),
            n_bytes: 0,
            furthest: 0,
            etag: None,
            is_pieced: false,
            takes_pieces: true,
        })
    }

    /// Asks for what is missing and keeps what comes. The inner error is this machine's disk.
    async fn fetch(&mut self, client: &Client, file: &StoredFile) -> Result<io::Result<Fetched>, Failure> {
        let url = client.resolve(&file.url)?;
        let request = format!("GET {}", url.path());
        let mut asking = client.http().get(url);
        if self.n_bytes > 0 && self.takes_pieces {
            asking = asking.header(header::RANGE, format!("bytes={}-", self.n_bytes));
            if let Some(etag) = &self.etag {
                asking = asking.header(header::IF_RANGE, etag);
            }
        }
        let answer = asking.send().await.map_err(|err| client.failed(&request, err))?;
        if answer.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            // The connection can break after the last byte.
            if self.sha256() == file.sha256 {
                return Ok(Ok(Fetched::All));
            }
            return match self.restart() {
                Ok(()) => Err(Failure::Transient(Transient::Status(answer.status()))),
                Err(err) => Ok(Err(err)),
            };
        }
        let mut answer = client.accepted(&request, answer).await?;
        if begins_at(&answer, self.n_bytes) {
            self.is_pieced = true;
        } else if let Err(err) = self.restart() {
            return Ok(Err(err));
        }
        self.etag = strong_etag(&answer);
        loop {
            match answer.chunk().await {
                Ok(Some(chunk)) => {
                    if let Err(err) = self.take(&chunk) {
                        return Ok(Err(err));
                    }
                }
                Ok(None) => return Ok(Ok(Fetched::All)),
                Err(err) if self.n_bytes > self.furthest => {
                    self.furthest = self.n_bytes;
                    tracing::debug!(n_bytes = self.n_bytes, error = %err.without_url(), "a download was cut off, going on");
                    return Ok(Ok(Fetched::More));
                }
                Err(err) => return Err(client.failed(&request, err)),
            }
        }
    }

    fn take(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.temporary.write_all(chunk)?;
        self.hasher.update(chunk);
        self.n_bytes += chunk.len() as u64;
        Ok(())
    }

    fn restart(&mut self) -> io::Result<()> {
        let file = self.temporary.as_file_mut();
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        self.hasher = Sha256::new();
        self.n_bytes = 0;
        self.is_pieced = false;
        Ok(())
    }

    /// Of what is there so far.
    fn sha256(&self) -> String {
        hex::encode(self.hasher.clone().finalize())
    }
}

/// Whether the answer is the rest of the file from this byte on: `Content-Range: bytes 6-10/11`.
fn begins_at(answer: &Response, n_bytes: u64) -> bool {
    let range = answer.headers().get(header::CONTENT_RANGE);
    let first = range.and_then(|range| {
        let (first, _) = range.to_str().ok()?.strip_prefix("bytes ")?.split_once('-')?;
        first.parse().ok()
    });
    answer.status() == StatusCode::PARTIAL_CONTENT && first == Some(n_bytes)
}

/// Only a strong one may stand in `If-Range`.
fn strong_etag(answer: &Response) -> Option<header::HeaderValue> {
    let etag = answer.headers().get(header::ETAG)?;
    etag.as_bytes().starts_with(b"\"").then(|| etag.clone())
}
