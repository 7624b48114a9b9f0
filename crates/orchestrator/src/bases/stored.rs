//! Base models that were made here: their files are objects of the store. A diffusers folder comes as an archive, out of
//! which each file becomes an object of its own.

use std::{
    collections::HashSet,
    error::Error,
    io::{self, BufReader, Read, Seek, SeekFrom},
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use dataset::ingest::open_archive;
use futures::{StreamExt as _, stream, stream::BoxStream};
use protocol::{
    base::is_relative,
    limits::{MAX_BASE_TEXT_BYTES, MAX_TENSOR_HEADER_BYTES},
    problem::chain,
};
use sha2::{Digest as _, Sha256};
use store::{
    BlobKey,
    bases::File,
    objects::{BlobError, BlobStore},
};
use tokio::runtime::Handle;
use zip::CompressionMethod;

use super::{
    files::{self, Prefer},
    skeleton::{self, Skeleton},
};

/// How the names of archives end.
pub(crate) const ARCHIVE: &str = ".zip";
/// Bytes of an archive that are read at a time for its list of files.
const PIECE: usize = 64 << 10;

/// A base model that was made here.
#[derive(Debug)]
pub(crate) struct Made {
    objects: BlobStore,
    parts: Vec<Part>,
}

/// One of its files.
#[derive(Debug, Clone)]
struct Part {
    path: String,
    /// The object that it is in, and where in it.
    key: BlobKey,
    range: Range<u64>,
    /// Its hash, if it is all of that object.
    sha256: Option<String>,
}

impl Part {
    fn size_bytes(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// All of an object.
    fn whole(file: &File) -> Result<Self, String> {
        let sha256 = file.sha256.clone().unwrap_or_default();
        Ok(Self {
            path: file.path.clone(),
            key: BlobKey::from_sha256(&sha256).map_err(|err| chain(&err))?,
            range: 0..file.size_bytes,
            sha256: Some(sha256),
        })
    }

    fn unreadable(&self, err: &BlobError) -> String {
        format!("`{}` cannot be read: {}", self.path, chain(err))
    }
}

impl Made {
    /// Finds the files of a base model in its objects.
    pub(crate) async fn open(objects: &BlobStore, own: &[File]) -> Result<Self, String> {
        let parts = own.iter().map(Part::whole).collect::<Result<Vec<_>, _>>()?;
        let parts = match parts.as_slice() {
            [only] if only.path.ends_with(ARCHIVE) => {
                let (archive, reader) = (only.clone(), ObjectReader::new(objects, only));
                let listed = tokio::task::spawn_blocking(move || list(&archive, reader)).await;
                listed.map_err(|panic| format!("the archive broke the reader: {panic}"))??
            }
            _ => parts,
        };
        skeleton::check_number(parts.len())?;
        Ok(Self {
            objects: objects.clone(),
            parts,
        })
    }

    /// Puts what describes its files into a folder for the loader.
    pub(crate) async fn describe(&self, skeleton: &Skeleton) -> Result<(), String> {
        for part in &self.parts {
            let start = self.start(part).await?;
            skeleton.put(&part.path, &start, part.size_bytes())?;
        }
        Ok(())
    }

    /// Its only file, if it is not a folder.
    pub(crate) fn only(&self) -> Option<String> {
        match self.parts.as_slice() {
            [only] if only.sha256.is_some() => Some(only.path.clone()),
            _ => None,
        }
    }

    /// Bytes that [`keep`](Self::keep) writes at most.
    pub(crate) fn n_new_bytes(&self) -> u64 {
        let new = self.parts.iter().filter(|part| part.sha256.is_none());
        new.map(Part::size_bytes).sum()
    }

    /// Its files, each an object of its own from now on.
    pub(crate) async fn keep(&self, n_bytes: &AtomicU64) -> Result<Vec<File>, String> {
        let mut files = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let sha256 = match &part.sha256 {
                Some(sha256) => sha256.clone(),
                None => self.copy(part, n_bytes).await?,
            };
            files.push(File {
                path: part.path.clone(),
                url: None,
                size_bytes: part.size_bytes(),
                sha256: Some(sha256),
                is_vae: false,
                is_object: true,
            });
        }
        Ok(files)
    }

    /// Makes a file of an archive an object; its hash.
    async fn copy(&self, part: &Part, n_bytes: &AtomicU64) -> Result<String, String> {
        let unreadable = |err: BlobError| part.unreadable(&err);
        let mut hasher = Sha256::new();
        let range = part.range.clone();
        let mut stream = pieces(&self.objects, &part.key, range.clone())
            .await
            .map_err(unreadable)?;
        while let Some(piece) = stream.next().await {
            let piece = piece.map_err(unreadable)?;
            hasher.update(&piece);
            n_bytes.fetch_add(piece.len() as u64, Ordering::Relaxed);
            // Both ends may be so fast that other tasks would never run.
            tokio::task::consume_budget().await;
        }
        let sha256 = hex::encode(hasher.finalize());
        let key = BlobKey::from_sha256(&sha256).map_err(|err| chain(&err))?;
        let size_bytes = part.size_bytes();
        let is_there = self.objects.has_fresh(&key, size_bytes).await;
        if !is_there.map_err(unreadable)? {
            let stream = pieces(&self.objects, &part.key, range)
                .await
                .map_err(unreadable)?;
            let stored = self.objects.put_stream(&key, size_bytes, stream).await;
            stored.map_err(|err| format!("`{}` was not stored: {}", part.path, chain(&err)))?;
        }
        Ok(sha256)
    }

    /// What describes a file: its header, or all of a text.
    async fn start(&self, part: &Part) -> Result<Vec<u8>, String> {
        let size_bytes = part.size_bytes();
        if !part.path.ends_with(files::TENSORS) {
            if size_bytes > MAX_BASE_TEXT_BYTES {
                return Err(format!(
                    "`{}` has {size_bytes} bytes, too many for a text file",
                    part.path
                ));
            }
            return self.first(part, size_bytes).await;
        }
        let prefix = self.first(part, 8).await?;
        let length = prefix.as_slice().try_into().map(u64::from_le_bytes).ok();
        let length = length
            .filter(|length| *length <= MAX_TENSOR_HEADER_BYTES)
            .ok_or_else(|| format!("`{}` is not a safetensors file", part.path))?;
        self.first(part, 8 + length).await
    }

    /// The first bytes of a file; all of a shorter one.
    async fn first(&self, part: &Part, n_bytes: u64) -> Result<Vec<u8>, String> {
        let range = part.range.start..part.range.start + n_bytes.min(part.size_bytes());
        let bytes = read(&self.objects, &part.key, range).await;
        bytes.map_err(|err| part.unreadable(&err))
    }
}

/// The bytes of a part of an object.
async fn pieces(
    objects: &BlobStore,
    key: &BlobKey,
    range: Range<u64>,
) -> Result<BoxStream<'static, Result<Bytes, BlobError>>, BlobError> {
    if range.is_empty() {
        return Ok(stream::empty().boxed());
    }
    Ok(objects.read(key, Some(range)).await?.stream)
}

async fn read(objects: &BlobStore, key: &BlobKey, range: Range<u64>) -> Result<Vec<u8>, BlobError> {
    let mut read = Vec::new();
    let mut stream = pieces(objects, key, range).await?;
    while let Some(piece) = stream.next().await {
        read.extend_from_slice(&piece?);
    }
    Ok(read)
}

/// Reads an object from a thread that may block.
struct ObjectReader {
    objects: BlobStore,
    key: BlobKey,
    size_bytes: u64,
    at: u64,
    runtime: Handle,
}

impl ObjectReader {
    fn new(objects: &BlobStore, part: &Part) -> Self {
        Self {
            objects: objects.clone(),
            key: part.key.clone(),
            size_bytes: part.size_bytes(),
            at: 0,
            runtime: Handle::current(),
        }
    }
}

impl Read for ObjectReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let end = self.at.saturating_add(buffer.len() as u64).min(self.size_bytes);
        if end <= self.at {
            return Ok(0);
        }
        let bytes = self
            .runtime
            .block_on(read(&self.objects, &self.key, self.at..end));
        let bytes = bytes.map_err(io::Error::other)?;
        let n = bytes.len().min(buffer.len());
        buffer[..n].copy_from_slice(&bytes[..n]);
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for ObjectReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(offset) => self.size_bytes.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

/// The files of a diffusers folder in an archive. Agents write it without compression, since weights do not shrink.
fn list(archive: &Part, reader: ObjectReader) -> Result<Vec<Part>, String> {
    let unreadable =
        |err: &dyn Error| format!("the merged archive cannot be read: merge again ({})", chain(err));
    let opened = open_archive(BufReader::with_capacity(PIECE, reader));
    let mut opened = opened.map_err(|err| unreadable(&err))?;
    let mut parts = Vec::new();
    for index in 0..opened.len() {
        let entry = opened.by_index_raw(index).map_err(|err| unreadable(&err))?;
        let path = entry.name().map_err(|err| unreadable(&err))?.into_owned();
        if entry.is_dir() || !is_relative(&path) {
            continue;
        }
        let is_stored = entry.compression() == CompressionMethod::Stored;
        let range = entry
            .data_start()
            .and_then(|start| Some(start..start.checked_add(entry.size())?));
        let Some(range) = range.filter(|range| is_stored && range.end <= archive.range.end) else {
            return Err(format!(
                "`{path}` in the merged archive cannot be read: merge again"
            ));
        };
        parts.push(Part {
            path,
            key: archive.key.clone(),
            range,
            sha256: None,
        });
    }
    let present = files::present(parts.iter().map(|part| part.path.as_str()), Prefer::Full);
    let wanted: HashSet<String> = present.into_iter().map(str::to_owned).collect();
    parts.retain(|part| wanted.contains(&part.path));
    Ok(parts)
}
