//! Downloads stored files, resuming after a broken connection.

use std::{
    fs::File,
    io::{self, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    time::SystemTime,
};

use fetch::Wanted;
use protocol::{agent::StoredFile, limits::MIN_FETCH_PACE_BYTES};
use reqwest::{
    StatusCode,
    header::{self, HeaderMap},
};
use sha2::{Digest as _, Sha256};
use tempfile::TempPath;
use tokio::sync::Mutex;
use trainer::tensor_file;

use super::{HashWriter, TransferError, display_name, hash_file, source::Source};
use crate::client::{Client, Failure, Patience, Transient};

/// Downloads a stored file to `path`, unless it already exists with the right content.
pub(crate) async fn download(
    client: &Client,
    file: &StoredFile,
    path: &Path,
    patience: Patience,
) -> Result<(), TransferError> {
    if path.exists() && hash_file(path).await?.sha256 == file.sha256 {
        // The next to be dropped is the one that was not used for longest; where that cannot be noted, it is dropped
        // sooner.
        let _ = File::open(path).and_then(|file| file.set_modified(SystemTime::now()));
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let disk = move |doing, err| TransferError::Disk {
        doing,
        path: path.to_owned(),
        err,
    };
    std::fs::create_dir_all(folder).map_err(|err| disk("make the folder of", err))?;
    let part = Part::temporary(folder).map_err(|err| disk("write", err))?;
    let part = complete(client, file, path, part, patience).await?;
    part.keep_as(path).map_err(|err| disk("write", err))
}

/// Where a large file goes, and who hears of it.
pub(crate) struct Kept<'a> {
    /// Where it is in the end.
    pub(crate) path: &'a Path,
    /// Where it arrives; what is there already is not fetched again.
    pub(crate) part: &'a Path,
    /// Fetches it if a user named its address, which may lead anywhere.
    pub(crate) web: Option<&'a fetch::Client>,
    /// Hears of the bytes that are there.
    pub(crate) progress: &'a (dyn Fn(u64) + Sync),
}

/// Downloads a large file; partial data is kept if the agent exits, and the next agent resumes from it.
pub(crate) async fn download_kept(
    client: &Client,
    file: &StoredFile,
    kept: Kept<'_>,
    patience: Patience,
) -> Result<(), TransferError> {
    let path = kept.path;
    let disk = move |doing, err| TransferError::Disk {
        doing,
        path: path.to_owned(),
        err,
    };
    let arriving = kept.part.to_owned();
    let opened = tokio::task::spawn_blocking(move || Part::kept(&arriving)).await;
    let part = opened
        .unwrap_or_else(|panic| Err(io::Error::other(panic)))
        .map_err(|err| disk("write", err))?;
    let part = Part {
        web: kept.web,
        progress: Some(kept.progress),
        ..part
    };
    let part = complete(client, file, path, part, patience).await?;
    part.keep_as(path).map_err(|err| disk("write", err))
}

/// Fetches until all is there, and is what was announced.
async fn complete<'a>(
    client: &Client,
    file: &StoredFile,
    path: &Path,
    part: Part<'a>,
    patience: Patience,
) -> Result<Part<'a>, TransferError> {
    let disk = move |doing, err| TransferError::Disk {
        doing,
        path: path.to_owned(),
        err,
    };
    let arriving = Mutex::new(part);
    let part = &arriving;
    loop {
        let fetched = client
            .retry(patience, move || async move {
                part.lock().await.fetch(client, file).await
            })
            .await
            .map_err(|err| TransferError::Exchange {
                file: display_name(path),
                wanted: Some(file.sha256.clone()),
                err: Box::new(err),
            })?
            .map_err(|err| disk("write", err))?;
        let mut part = part.lock().await;
        match fetched {
            // Interruptions with progress do not count; the retry limit is for no progress.
            Fetched::More => continue,
            Fetched::TooMuch => {
                return Err(TransferError::TooMuch {
                    file: display_name(path),
                    wanted: file.sha256.clone(),
                    size_bytes: file.size_bytes,
                });
            }
            Fetched::All if part.sha256() == file.sha256 => break,
            // Its pieces may be of different files, if the store ignores `If-Range`.
            Fetched::All if part.is_pieced => {
                part.restart().map_err(|err| disk("write", err))?;
                part.takes_pieces = false;
            }
            Fetched::All => {
                let got = part.sha256();
                // It must not be resumed.
                part.restart().map_err(|err| disk("write", err))?;
                return Err(TransferError::WrongContent {
                    file: display_name(path),
                    wanted: file.sha256.clone(),
                    got,
                });
            }
        }
    }
    Ok(arriving.into_inner())
}

/// What came of one request.
enum Fetched {
    /// The end of the file.
    All,
    /// More than there was before, until the connection broke.
    More,
    /// More than was announced.
    TooMuch,
}

/// What has arrived of a file.
struct Part<'a> {
    file: File,
    /// Its place; removed when the value is dropped, unless it is to be kept.
    place: Place,
    /// Fetches it if it is neither the server's nor its store's.
    web: Option<&'a fetch::Client>,
    /// Hears of the bytes that are there.
    progress: Option<&'a (dyn Fn(u64) + Sync)>,
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

/// Where a file arrives.
enum Place {
    Temporary(TempPath),
    Kept(PathBuf),
}

impl Part<'_> {
    fn temporary(folder: &Path) -> io::Result<Self> {
        let (file, path) = tensor_file::temporary_in(folder)?.into_parts();
        Ok(Self::empty(file, Place::Temporary(path)))
    }

    /// Goes on from what is there.
    fn kept(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)?;
        let mut part = Self::empty(file, Place::Kept(path.to_owned()));
        part.n_bytes = io::copy(&mut part.file, &mut HashWriter(&mut part.hasher))?;
        part.furthest = part.n_bytes;
        part.is_pieced = part.n_bytes > 0;
        Ok(part)
    }

    fn empty(file: File, place: Place) -> Self {
        Self {
            file,
            place,
            web: None,
            progress: None,
            hasher: Sha256::new(),
            n_bytes: 0,
            furthest: 0,
            etag: None,
            is_pieced: false,
            takes_pieces: true,
        }
    }

    /// Gives it its name, once it is safe on disk.
    fn keep_as(self, path: &Path) -> io::Result<()> {
        match self.place {
            Place::Temporary(temporary) => temporary.persist(path).map_err(|err| err.error),
            Place::Kept(part) => {
                self.file.sync_all()?;
                std::fs::rename(part, path)
            }
        }
    }

    /// Asks for what is missing and keeps what comes. The inner error is this machine's disk.
    async fn fetch(&mut self, client: &Client, file: &StoredFile) -> Result<io::Result<Fetched>, Failure> {
        let source = Source::new(client, self.web, &file.url)?;
        let wanted = self.wanted();
        let mut answer = source.ask(&wanted).await?;
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
        answer = source.accepted(answer).await?;
        if begins_at(answer.status(), answer.headers(), self.n_bytes) {
            self.is_pieced = true;
        } else if let Err(err) = self.restart() {
            return Ok(Err(err));
        }
        self.etag = strong_etag(answer.headers());
        loop {
            match source.chunk(&mut answer).await {
                Ok(Some(chunk)) => {
                    // It may have no end, and the disk has one.
                    if self.n_bytes + chunk.len() as u64 > file.size_bytes {
                        return match self.restart() {
                            Ok(()) => Ok(Ok(Fetched::TooMuch)),
                            Err(err) => Ok(Err(err)),
                        };
                    }
                    if let Err(err) = self.take(&chunk) {
                        return Ok(Err(err));
                    }
                }
                Ok(None) => return Ok(Ok(Fetched::All)),
                // Very little data is not progress: a server that sends one byte each time would be retried forever.
                Err(Failure::Transient(err)) if self.n_bytes >= self.furthest + MIN_FETCH_PACE_BYTES => {
                    self.furthest = self.n_bytes;
                    tracing::debug!(
                        n_bytes = self.n_bytes,
                        error = protocol::problem::chain(&err),
                        "a download was interrupted, resuming"
                    );
                    return Ok(Ok(Fetched::More));
                }
                Err(err) => return Err(err),
            }
        }
    }

    fn wanted(&self) -> Wanted {
        if self.n_bytes == 0 || !self.takes_pieces {
            return Wanted::default();
        }
        Wanted {
            range: Some(format!("bytes={}-", self.n_bytes)),
            if_range: self.etag.clone(),
        }
    }

    fn take(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.file.write_all(chunk)?;
        self.hasher.update(chunk);
        self.n_bytes += chunk.len() as u64;
        if let Some(progress) = self.progress {
            progress(self.n_bytes);
        }
        Ok(())
    }

    fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
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
fn begins_at(status: StatusCode, headers: &HeaderMap, n_bytes: u64) -> bool {
    let range = headers.get(header::CONTENT_RANGE);
    let first = range.and_then(|range| {
        let (first, _) = range.to_str().ok()?.strip_prefix("bytes ")?.split_once('-')?;
        first.parse().ok()
    });
    status == StatusCode::PARTIAL_CONTENT && first == Some(n_bytes)
}

/// Only a strong one may stand in `If-Range`.
fn strong_etag(headers: &HeaderMap) -> Option<header::HeaderValue> {
    let etag = headers.get(header::ETAG)?;
    etag.as_bytes().starts_with(b"\"").then(|| etag.clone())
}
