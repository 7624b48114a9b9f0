//! Transfers files between this machine and the object store, verified by SHA-256 and atomic.

mod download;
mod source;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use protocol::{
    ArtifactId, AttemptId,
    agent::{ArtifactKind, NewArtifact, UploadTicket},
    problem::Problem,
};
use reqwest::{StatusCode, header};
use sha2::{Digest, Sha256};

pub(crate) use self::download::{Kept, download, download_kept};
use crate::client::{Client, ClientError, Failure, Patience, Refusal, Transient};

/// A failed transfer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransferError {
    /// The server or the store failed.
    #[error("failed to transfer `{file}`")]
    Exchange {
        /// The file.
        file: String,
        /// SHA-256 of the file, if it was to be fetched.
        wanted: Option<String>,
        /// The error.
        #[source]
        err: Box<ClientError>,
    },
    /// More data arrived than announced.
    #[error("`{file}` has more than the announced {size_bytes} bytes")]
    TooMuch {
        /// The file.
        file: String,
        /// The SHA-256 that was announced.
        wanted: String,
        /// The size that was announced.
        size_bytes: u64,
    },
    /// The received data differs from the announced hash.
    #[error("`{file}` arrived with SHA-256 {got}, but {wanted} was announced")]
    WrongContent {
        /// The file.
        file: String,
        /// The announced hash.
        wanted: String,
        /// The received hash.
        got: String,
    },
    /// A local file operation failed.
    #[error("failed to {doing} `{path}`")]
    Disk {
        /// Verb.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        err: io::Error,
    },
}

impl TransferError {
    /// SHA-256 of a file that is not there any more where it was stored, or has other bytes there.
    pub(crate) fn lost(&self) -> Option<&str> {
        match self {
            Self::Exchange { wanted, err, .. } => match &**err {
                ClientError::Refused { problem, .. }
                    if [StatusCode::NOT_FOUND, StatusCode::GONE].contains(&problem.status) =>
                {
                    wanted.as_deref()
                }
                _ => None,
            },
            Self::WrongContent { wanted, .. } | Self::TooMuch { wanted, .. } => Some(wanted),
            Self::Disk { .. } => None,
        }
    }

    /// The error itself if the work as a whole ends by it: the lease is lost, or the server is gone.
    pub(crate) fn into_final(self) -> Result<ClientError, Self> {
        match self {
            Self::Exchange { err, .. }
                if !matches!(*err, ClientError::Refused { .. } | ClientError::Fetch { .. }) =>
            {
                Ok(*err)
            }
            err => Err(err),
        }
    }
}

/// A file that an attempt uploads.
pub(crate) struct Upload<'a> {
    pub(crate) attempt: AttemptId,
    pub(crate) fence: i64,
    pub(crate) kind: ArtifactKind,
    pub(crate) path: &'a Path,
    /// File name for downloads.
    pub(crate) file_name: String,
}

/// Announces a file, uploads it, and confirms the upload.
///
/// All three steps are repeated if the signed URL has expired in the meantime.
pub(crate) async fn upload(
    client: &Client,
    upload: Upload<'_>,
    patience: Patience,
) -> Result<ArtifactId, TransferError> {
    let Upload {
        attempt,
        fence,
        kind,
        path,
        file_name,
    } = upload;
    let content = hash_file(path).await?;
    let exchange = |err| TransferError::Exchange {
        file: file_name.clone(),
        wanted: None,
        err: Box::new(err),
    };
    let announcement = NewArtifact {
        fence,
        kind,
        file_name: file_name.clone(),
        size_bytes: content.size_bytes,
        sha256: content.sha256,
    };
    let announcement = &announcement;
    let artifact = client
        .retry(patience, move || async move {
            let ticket = client
                .announce(attempt, announcement, patience)
                .await
                .map_err(Failure::Final)?;
            if ticket.upload_url.is_some() {
                match put(client, &ticket, path, content.size_bytes).await {
                    Ok(()) => {}
                    Err(Put::Disk(err)) => return Ok(Err(err)),
                    Err(Put::Exchange(failure)) => return Err(failure),
                }
            }
            Ok(Ok(ticket.artifact_id))
        })
        .await
        .map_err(exchange)??;
    client
        .complete(attempt, artifact, patience)
        .await
        .map_err(exchange)?;
    Ok(artifact)
}

enum Put {
    Disk(TransferError),
    Exchange(Failure),
}

/// Uploads a file to the URL of its ticket: to the server, or directly to its object store.
async fn put(client: &Client, ticket: &UploadTicket, path: &Path, size_bytes: u64) -> Result<(), Put> {
    let url = ticket.upload_url.as_deref().unwrap_or_default();
    let url = client.resolve(url).map_err(Put::Exchange)?;
    let request = format!("PUT {}", url.path());
    let file = tokio::fs::File::open(path).await.map_err(|err| {
        Put::Disk(TransferError::Disk {
            doing: "read",
            path: path.to_owned(),
            err,
        })
    })?;
    let mut sending = client.http().put(url).header(header::CONTENT_LENGTH, size_bytes);
    for (name, value) in &ticket.upload_headers {
        if !name.eq_ignore_ascii_case(header::CONTENT_LENGTH.as_str()) {
            sending = sending.header(name, value);
        }
    }
    let answer = sending
        .body(file)
        .send()
        .await
        .map_err(|err| Put::Exchange(client.failed(&request, err)))?;
    // An expired signature is mended by announcing the file again.
    if answer.status() == StatusCode::FORBIDDEN {
        return Err(Put::Exchange(Failure::Transient(Transient::Status(
            answer.status(),
        ))));
    }
    if answer.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Err(Put::Exchange(Failure::Final(too_large(request, size_bytes))));
    }
    client
        .accepted(&request, answer)
        .await
        .map(drop)
        .map_err(Put::Exchange)
}

/// Object stores have limits of their own, which their answers do not name.
fn too_large(request: String, size_bytes: u64) -> ClientError {
    let status = StatusCode::PAYLOAD_TOO_LARGE;
    let title = format!(
        "the object store does not accept a file of {size_bytes} bytes; raise its limit (Supabase: Storage, Settings, \
         \"Upload file size limit\", and the bucket's own), or give the server another with --objects"
    );
    let problem = Problem {
        kind: "too_large".into(),
        title,
        status: status.as_u16(),
        detail: None,
        errors: Vec::new(),
        current: None,
    };
    ClientError::Refused {
        request,
        problem: Refusal {
            status,
            problem: Some(Box::new(problem)),
        },
    }
}

/// What a file holds.
pub(crate) struct Content {
    pub(crate) sha256: String,
    pub(crate) size_bytes: u64,
}

/// Hashes a file without holding up the other tasks.
pub(crate) async fn hash_file(path: &Path) -> Result<Content, TransferError> {
    let owned = path.to_owned();
    let hashed = tokio::task::spawn_blocking(move || {
        let mut hasher = Sha256::new();
        let size_bytes = io::copy(&mut std::fs::File::open(&owned)?, &mut HashWriter(&mut hasher))?;
        Ok(Content {
            sha256: hex::encode(hasher.finalize()),
            size_bytes,
        })
    })
    .await
    .unwrap_or_else(|panic| Err(io::Error::other(panic)));
    hashed.map_err(|err| TransferError::Disk {
        doing: "read",
        path: path.to_owned(),
        err,
    })
}

struct HashWriter<'a>(&'a mut Sha256);

impl Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn display_name(path: &Path) -> String {
    path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}

#[cfg(test)]
mod tests;
