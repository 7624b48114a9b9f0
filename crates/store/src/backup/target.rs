//! Where a backup is written to: an archive or a folder.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use futures::{StreamExt as _, stream::BoxStream};
use sha2::{Digest, Sha256};

use super::{
    BackupError, archive, folder,
    manifest::{MANIFEST, Manifest, OBJECTS, ROWS, Rows, SUM},
};
use crate::{
    BlobKey,
    maintenance::TableStatus,
    objects::{BlobError, Result as BlobResult},
};

pub(super) enum Target {
    Archive(archive::Writer),
    Folder(folder::Writer),
}

/// An object on its way.
pub(super) struct Incoming {
    pub(super) size_bytes: u64,
    pub(super) stream: BoxStream<'static, BlobResult<Bytes>>,
}

/// Why an object was not copied.
pub(super) enum PutError {
    /// It is not what it should be, or cannot be read.
    Source(BlobError),
    /// The backup cannot be written.
    Target(BackupError),
}

/// A backup that is complete and has no name yet.
pub(super) enum Finished {
    Archive(archive::Finished),
    Folder(folder::Writer),
}

impl Target {
    /// A name that ends with `.tar` is a file's, any other a folder's.
    pub(super) fn create(path: &Path) -> Result<Self, BackupError> {
        if is_archive(path) {
            return Ok(Self::Archive(archive::Writer::create(path)?));
        }
        if path.is_file() {
            return Err(BackupError::Kind {
                path: path.to_owned(),
                problem: "is a file: choose a folder, or a new file ending in `.tar`",
            });
        }
        Ok(Self::Folder(folder::Writer::create(path)?))
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Archive(archive) => archive.path(),
            Self::Folder(folder) => folder.path(),
        }
    }

    /// Throws away what a backup into the same folder that broke off left of objects.
    pub(super) async fn tidy(&self) -> Result<(), BackupError> {
        if let Self::Folder(folder) = self {
            for remains in folder.objects.unfinished().await? {
                folder.objects.discard(&remains).await?;
            }
        }
        Ok(())
    }

    /// The size of an object that is there already.
    pub(super) async fn size_of(&self, key: &BlobKey) -> Result<Option<u64>, BackupError> {
        match self {
            Self::Archive(archive) => Ok(archive.size_of(key)),
            Self::Folder(folder) => Ok(folder.objects.size(key).await?),
        }
    }

    /// Takes an object in. Nothing is kept of one whose bytes do not have the hash that its key is made of.
    pub(super) async fn put(&mut self, key: &BlobKey, incoming: Incoming) -> Result<u64, PutError> {
        match self {
            Self::Archive(archive) => append(archive, key, incoming).await,
            Self::Folder(folder) => {
                let Incoming { size_bytes, stream } = incoming;
                let put = folder.objects.put_stream(key, size_bytes, stream).await;
                put.map(|blob| blob.size_bytes).map_err(|err| match err {
                    BlobError::HashMismatch { .. }
                    | BlobError::SizeMismatch { .. }
                    | BlobError::Broken(_) => PutError::Source(err),
                    err => PutError::Target(err.into()),
                })
            }
        }
    }

    /// Throws an object away that turned out damaged.
    pub(super) async fn remove(&self, key: &BlobKey) -> Result<(), BackupError> {
        if let Self::Folder(folder) = self {
            folder.objects.delete(key).await?;
        }
        Ok(())
    }

    pub(super) fn begin_rows(&mut self) -> Result<RowsOut<'_>, BackupError> {
        let path = self.path().to_owned();
        match self {
            Self::Archive(archive) => {
                let entry = archive.begin(ROWS).map_err(|source| disk(&path, source))?;
                Ok(RowsOut::new(archive, Some(entry)))
            }
            Self::Folder(folder) => Ok(RowsOut::new(folder.begin_rows()?, None)),
        }
    }

    pub(super) fn end_rows(
        &mut self,
        written: Written,
        tables: Vec<TableStatus>,
    ) -> Result<Rows, BackupError> {
        let path = self.path().to_owned();
        match (self, written.entry) {
            (Self::Archive(archive), Some(entry)) => {
                archive.end(entry).map_err(|source| disk(&path, source))?;
            }
            (Self::Folder(folder), _) => folder.end_rows()?,
            (Self::Archive(_), None) => unreachable!("rows of an archive are an entry"),
        }
        Ok(Rows {
            sha256: written.sha256,
            size_bytes: written.size_bytes,
            tables,
        })
    }

    /// Writes the manifest, which ends the backup.
    pub(super) fn finish(self, manifest: &Manifest) -> Result<Finished, BackupError> {
        let path = self.path().to_owned();
        let mut bytes = serde_json::to_vec(manifest).map_err(|err| disk(&path, err.into()))?;
        bytes.push(b'\n');
        let sum = format!("{}  {MANIFEST}\n", hex::encode(Sha256::digest(&bytes)));
        match self {
            Self::Archive(mut archive) => {
                let written = archive
                    .append(MANIFEST, &bytes)
                    .and_then(|()| archive.append(SUM, sum.as_bytes()));
                written.map_err(|source| disk(&path, source))?;
                Ok(Finished::Archive(archive.finish()?))
            }
            Self::Folder(folder) => {
                folder.write_manifest(&bytes, &sum)?;
                Ok(Finished::Folder(folder))
            }
        }
    }
}

impl Finished {
    /// Gives the backup its name; also the snapshot's, in a folder.
    pub(super) fn publish(self, manifest: &Manifest) -> Result<(PathBuf, Option<String>), BackupError> {
        match self {
            Self::Archive(archive) => Ok((archive.publish()?, None)),
            Self::Folder(folder) => {
                let name = folder.publish(manifest.created_at)?;
                Ok((folder.path().to_owned(), Some(name)))
            }
        }
    }
}

/// Whether a name is one of an archive.
pub(super) fn is_archive(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "tar")
}

/// Takes rows, counts and hashes them.
pub(super) struct RowsOut<'a> {
    out: &'a mut (dyn Write + Send),
    entry: Option<archive::Entry>,
    hash: Sha256,
    size_bytes: u64,
}

/// Rows that were written.
pub(super) struct Written {
    entry: Option<archive::Entry>,
    sha256: String,
    size_bytes: u64,
}

impl<'a> RowsOut<'a> {
    fn new(out: &'a mut (dyn Write + Send), entry: Option<archive::Entry>) -> Self {
        Self {
            out,
            entry,
            hash: Sha256::new(),
            size_bytes: 0,
        }
    }

    pub(super) fn end(self) -> Written {
        Written {
            entry: self.entry,
            sha256: hex::encode(self.hash.finalize()),
            size_bytes: self.size_bytes,
        }
    }
}

impl Write for RowsOut<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.out.write(bytes)?;
        self.hash.update(&bytes[..n]);
        self.size_bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

async fn append(archive: &mut archive::Writer, key: &BlobKey, incoming: Incoming) -> Result<u64, PutError> {
    let path = archive.path().to_owned();
    let failed = |source| PutError::Target(disk(&path, source));
    let entry = archive.begin(&format!("{OBJECTS}/{key}")).map_err(failed)?;
    match fill(archive, key, incoming).await {
        Ok(size_bytes) => {
            archive.end(entry).map_err(failed)?;
            Ok(size_bytes)
        }
        Err(PutError::Source(err)) => {
            archive.abandon(entry).map_err(failed)?;
            Err(PutError::Source(err))
        }
        Err(err) => Err(err),
    }
}

async fn fill(archive: &mut archive::Writer, key: &BlobKey, mut incoming: Incoming) -> Result<u64, PutError> {
    let mut hash = Sha256::new();
    let mut size_bytes = 0;
    while let Some(part) = incoming.stream.next().await {
        let part = part.map_err(PutError::Source)?;
        hash.update(&part);
        size_bytes += part.len() as u64;
        let written = archive.write_all(&part);
        written.map_err(|source| PutError::Target(disk(archive.path(), source)))?;
    }
    let (expected, found) = (key.sha256(), hex::encode(hash.finalize()));
    if expected != found {
        return Err(PutError::Source(BlobError::HashMismatch { expected, found }));
    }
    Ok(size_bytes)
}

fn disk(path: &Path, source: io::Error) -> BackupError {
    BackupError::Disk {
        doing: "write",
        path: path.to_owned(),
        source,
    }
}
