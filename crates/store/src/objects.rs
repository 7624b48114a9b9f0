//! The object store: content-addressed blobs and signed URLs for them.
//!
//! A blob's key is made of the SHA-256 of its bytes (`sha256/ab/cdef…`), so that writing is idempotent and
//! never overwrites anything else; conditional writes, which not every S3 supports, are not needed. The writer
//! of bytes provides their hash; bytes that do not match never become visible under the key. Bytes that a client
//! uploads directly to a bucket wait in `incoming/` until they are confirmed.

mod error;
mod key;
mod listing;
mod mailbox;
pub(crate) mod mark;
mod s3;
mod signing;
mod thumbnails;

use std::{collections::BTreeMap, fmt, ops::Range, path::Path, sync::Arc};

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, TimeDelta, Utc};
use futures::{Stream, StreamExt, stream::BoxStream};
use object_store::{
    GetOptions, GetRange, ObjectStore, ObjectStoreExt, WriteMultipart, path::Path as ObjectPath,
};
use protocol::damage::Damage;
use sha2::{Digest, Sha256};

use error::failed;
pub use error::{BlobError, Result};
pub use key::{BlobKey, InvalidKey};
pub use listing::{Listed, Unfinished};
pub use mailbox::{MailboxUrls, Slot};
use s3::Bucket;
pub use s3::{BucketError, S3Settings};
pub use signing::{InvalidSignature, Method, SignedQuery, SigningKey, UrlOptions, attachment};

/// A blob that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBlob {
    /// Its key.
    pub key: BlobKey,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// Its size.
    pub size_bytes: u64,
}

impl StoredBlob {
    fn of(key: &BlobKey, size_bytes: u64) -> Self {
        Self {
            key: key.clone(),
            sha256: key.sha256(),
            size_bytes,
        }
    }
}

/// Metadata of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobMeta {
    /// Its size.
    pub size_bytes: u64,
    /// When its bytes were written.
    pub modified_at: DateTime<Utc>,
}

/// Upload URL for a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadAddress {
    /// The signed URL.
    pub url: String,
    /// Headers that are part of the signature and must be sent unchanged.
    pub headers: BTreeMap<String, String>,
}

/// A blob being read.
pub struct BlobReader {
    /// Size of the whole blob.
    pub size_bytes: u64,
    /// The part of it that the stream delivers.
    pub range: Range<u64>,
    /// Its bytes.
    pub stream: BoxStream<'static, Result<Bytes>>,
}

/// A store of blobs. Cheap to clone.
#[derive(Clone)]
pub struct BlobStore {
    backend: Arc<dyn ObjectStore>,
    url: Arc<str>,
    place: Place,
    /// Whose the objects must be to be written to; left out: anybody's.
    guard: Option<Arc<mark::Guard>>,
}

/// What differs between a folder and a bucket: who checks addresses, and where broken uploads lie.
#[derive(Clone)]
enum Place {
    /// A folder; this server signs addresses and checks them.
    Folder {
        folder: Arc<Path>,
        signing_key: SigningKey,
    },
    /// A bucket, whose server checks addresses.
    Bucket(Arc<Bucket>),
}

impl fmt::Debug for BlobStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobStore")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// Bytes are handed to the backend in parts of this size; S3 takes no smaller ones.
const PART_BYTES: usize = 5 * 1024 * 1024;

/// A blob that was written this recently is safe from being collected; an older one is written again when
/// somebody wants to rely on it. Half of the collector's period of grace.
const FRESH_FOR: TimeDelta = TimeDelta::hours(12);

/// No LoRA or checkpoint of SDXL comes near this.
const MAX_LOCAL_BYTES: u64 = 32 << 30;

impl BlobStore {
    /// A folder as the object store. Addresses of blobs are signed with `signing_key`.
    pub fn local(folder: &Path, signing_key: SigningKey) -> std::result::Result<Self, object_store::Error> {
        let backend = object_store::local::LocalFileSystem::new_with_prefix(folder)?
            .with_fsync(true)
            .with_automatic_cleanup(true);
        Ok(Self {
            backend: Arc::new(backend),
            url: format!("file://{}", folder.display())
                .trim_end_matches('/')
                .into(),
            place: Place::Folder {
                folder: folder.into(),
                signing_key,
            },
            guard: None,
        })
    }

    /// The bucket that `s3://BUCKET[/PREFIX]` names, once its server has answered.
    pub async fn s3(url: &str, settings: &S3Settings) -> std::result::Result<Self, BucketError> {
        let bucket = Bucket::open(url, settings)?;
        bucket.check().await?;
        let backend = bucket.backend().map_err(|source| BucketError::Unreadable {
            endpoint: url.to_owned(),
            source: Box::new(source),
        })?;
        Ok(Self {
            backend: Arc::new(backend),
            url: bucket.url().into(),
            place: Place::Bucket(Arc::new(bucket)),
            guard: None,
        })
    }

    /// Tries the bucket as a job would: writes, reads, signs and deletes a small object.
    pub async fn probe_s3(url: &str, settings: &S3Settings) -> std::result::Result<(), BucketError> {
        let bucket = Bucket::open(url, settings)?;
        bucket.check().await?;
        bucket.probe().await
    }

    pub(crate) fn backend(&self) -> &dyn ObjectStore {
        self.backend.as_ref()
    }

    /// Stores bytes under their own hash.
    pub async fn put(&self, bytes: Bytes) -> Result<StoredBlob> {
        let sha256 = hex::encode(Sha256::digest(&bytes));
        let blob = StoredBlob {
            key: BlobKey::from_sha256(&sha256).expect("a digest is a valid hash"),
            sha256,
            size_bytes: bytes.len() as u64,
        };
        // What was written lately may have been lost or damaged since.
        if !self.has_fresh(&blob.key, blob.size_bytes).await? || self.inspect(&blob.key).await?.is_some() {
            self.put_at(&blob.key.path(), &blob.key, bytes).await?;
        }
        Ok(blob)
    }

    /// Reads all of a blob and returns the damage found, if any. An error says nothing about the blob: the
    /// store did not respond.
    pub async fn inspect(&self, key: &BlobKey) -> Result<Option<Damage>> {
        if self.is_no_file(key).await {
            return Ok(Some(Damage::Damaged));
        }
        let reader = match self.read(key, None).await {
            Ok(reader) => reader,
            Err(BlobError::NotFound { .. }) => return Ok(Some(Damage::Missing)),
            Err(err) => return Err(err),
        };
        let mut stream = reader.stream;
        let mut hash = Sha256::new();
        while let Some(part) = stream.next().await {
            hash.update(&part?);
        }
        let is_whole = hex::encode(hash.finalize()) == key.sha256();
        Ok((!is_whole).then_some(Damage::Damaged))
    }

    async fn put_at(&self, path: &ObjectPath, key: &BlobKey, bytes: Bytes) -> Result<()> {
        self.refuse_astray().await?;
        let put = self.backend.put(path, bytes.into()).await;
        put.map(drop).map_err(|err| failed("store", key, err))
    }

    /// Stores a stream under `key`. Nothing is kept unless size and hash turn out as announced.
    pub async fn put_stream<E>(
        &self,
        key: &BlobKey,
        size_bytes: u64,
        stream: impl Stream<Item = std::result::Result<Bytes, E>> + Send,
    ) -> Result<StoredBlob>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if size_bytes <= PART_BYTES as u64 {
            let mut whole = Vec::new();
            copy(key, size_bytes, stream, &mut whole).await?;
            self.put_at(&key.path(), key, whole.into()).await?;
            return Ok(StoredBlob::of(key, size_bytes));
        }
        self.refuse_astray().await?;
        let upload = self
            .backend
            .put_multipart(&key.path())
            .await
            .map_err(|err| failed("store", key, err))?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
        match copy(key, size_bytes, stream, &mut writer).await {
            Ok(()) => {
                writer.finish().await.map_err(|err| failed("store", key, err))?;
                Ok(StoredBlob::of(key, size_bytes))
            }
            Err(err) => {
                if let Err(abort) = writer.abort().await {
                    tracing::warn!(%key, error = %abort, "a broken upload could not be removed");
                }
                Err(err)
            }
        }
    }

    /// All bytes of a blob.
    pub async fn get(&self, key: &BlobKey) -> Result<Bytes> {
        let mut reader = self.read(key, None).await?;
        let mut bytes = BytesMut::with_capacity(usize::try_from(reader.size_bytes).unwrap_or(0));
        while let Some(part) = reader.stream.next().await {
            bytes.extend_from_slice(&part?);
        }
        Ok(bytes.freeze())
    }

    /// Whether something else than a file lies in a blob's place in the folder. It is never opened: what opens a pipe
    /// waits for somebody to write into it.
    async fn is_no_file(&self, key: &BlobKey) -> bool {
        let Place::Folder { folder, .. } = &self.place else {
            return false;
        };
        let path = folder.join(key.as_str());
        let shown = path.display().to_string();
        let looking = tokio::task::spawn_blocking(move || std::fs::metadata(path));
        // What is missing or cannot be looked at is found out by whoever opens it.
        let Ok(Ok(found)) = looking.await else {
            return false;
        };
        if found.is_file() {
            return false;
        }
        tracing::warn!(path = shown, "in the place of a stored file is none: remove it");
        true
    }

    /// A blob, or a part of it, as a stream.
    pub async fn read(&self, key: &BlobKey, range: Option<Range<u64>>) -> Result<BlobReader> {
        if self.is_no_file(key).await {
            return Err(BlobError::NotFound { key: key.clone() });
        }
        let options = GetOptions {
            range: range.map(GetRange::Bounded),
            ..GetOptions::default()
        };
        let found = self
            .backend
            .get_opts(&key.path(), options)
            .await
            .map_err(|err| failed("read", key, err))?;
        let (size_bytes, range, reading) = (found.meta.size, found.range.clone(), key.clone());
        let stream = found
            .into_stream()
            .map(move |part| part.map_err(|err| failed("read", &reading, err)))
            .boxed();
        Ok(BlobReader {
            size_bytes,
            range,
            stream,
        })
    }

    /// What the store says of a blob; `None` when there is no such blob.
    pub async fn meta(&self, key: &BlobKey) -> Result<Option<BlobMeta>> {
        self.meta_at(&key.path(), key).await
    }

    async fn meta_at(&self, path: &ObjectPath, key: &BlobKey) -> Result<Option<BlobMeta>> {
        if self.is_no_file(key).await {
            return Ok(None);
        }
        match self.backend.head(path).await {
            Ok(meta) => Ok(Some(BlobMeta {
                size_bytes: meta.size,
                modified_at: meta.last_modified,
            })),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(err) => Err(failed("look up", key, err)),
        }
    }

    /// Size of a blob; `None` when there is no such blob.
    pub async fn size(&self, key: &BlobKey) -> Result<Option<u64>> {
        Ok(self.meta(key).await?.map(|meta| meta.size_bytes))
    }

    /// Whether the blob exists and was written so recently that it will not be deleted soon.
    pub async fn has_fresh(&self, key: &BlobKey, size_bytes: u64) -> Result<bool> {
        let meta = self.meta(key).await?;
        Ok(meta.is_some_and(|meta| {
            meta.size_bytes == size_bytes && crate::time::now() - meta.modified_at < FRESH_FOR
        }))
    }

    /// Whether there is such a blob.
    pub async fn exists(&self, key: &BlobKey) -> Result<bool> {
        Ok(self.size(key).await?.is_some())
    }

    /// Deletes a blob; succeeds if it does not exist.
    pub async fn delete(&self, key: &BlobKey) -> Result<()> {
        self.delete_at(&key.path(), key).await
    }

    async fn delete_at(&self, path: &ObjectPath, key: &BlobKey) -> Result<()> {
        match self.backend.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(err) => Err(failed("delete", key, err)),
        }
    }

    /// The blob's place for a person who reads the database: `file:///data/objects/sha256/ab/cdef…`.
    pub fn location(&self, key: &BlobKey) -> String {
        format!("{}/{key}", self.url)
    }

    /// Where the objects are: `file:///data/objects`, `s3://bucket/prefix`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Reads a blob and compares its bytes with its key, and with its size.
    pub(crate) async fn look_at(&self, key: &BlobKey, size_bytes: u64) -> Result<()> {
        let reader = self.read(key, None).await?;
        let mut failure = None;
        // The store's own errors stay what they are, instead of becoming those of a sender that broke off.
        let stream = reader.stream.map(|part| {
            part.map_err(|err| {
                failure = Some(err);
                std::io::Error::other("the object store failed")
            })
        });
        let looked = copy(key, size_bytes, stream, &mut Nowhere).await;
        match failure {
            Some(err) => Err(err),
            None => looked,
        }
    }

    /// A signed URL to `GET` a blob from.
    ///
    /// For a folder it is a path on this server, `/blob/{key}?…`; a client resolves it against the server's
    /// base URL. For a bucket it is an absolute URL.
    pub fn get_url(&self, key: &BlobKey, options: &UrlOptions) -> String {
        match &self.place {
            Place::Folder { signing_key, .. } => signing_key.sign(Method::Get, key, options),
            Place::Bucket(bucket) => bucket.get_url(key, options, crate::time::now()),
        }
    }

    /// A signed URL to `PUT` exactly the blob's bytes to. They are [`confirm`](Self::confirm)ed afterwards.
    pub fn put_url(&self, key: &BlobKey, size_bytes: u64) -> UploadAddress {
        match &self.place {
            Place::Folder { signing_key, .. } => UploadAddress {
                url: signing_key.sign(Method::Put, key, &UrlOptions::put(size_bytes)),
                headers: BTreeMap::new(),
            },
            Place::Bucket(bucket) => bucket.put_url(incoming(key).as_ref(), &key.sha256(), size_bytes),
        }
    }

    /// Size limit of an upload URL.
    pub fn max_put_bytes(&self) -> u64 {
        match &self.place {
            Place::Folder { .. } => MAX_LOCAL_BYTES,
            Place::Bucket(_) => s3::MAX_PUT_BYTES,
        }
    }

    /// Verifies an uploaded blob; only then it gets its key.
    pub async fn confirm(&self, key: &BlobKey, size_bytes: u64) -> Result<bool> {
        if let Place::Bucket(bucket) = &self.place {
            let path = incoming(key);
            if let Some(meta) = self.meta_at(&path, key).await? {
                let checked = self.check(bucket, &path, key, size_bytes, meta.size_bytes).await;
                if checked.is_ok() {
                    self.refuse_astray().await?;
                    let copied = self.backend.copy(&path, &key.path()).await;
                    copied.map_err(|err| failed("confirm", key, err))?;
                }
                self.delete_at(&path, key).await?;
                checked?;
            }
        }
        Ok(self.size(key).await? == Some(size_bytes))
    }

    /// Checks bytes that this server did not see; where the store has hashed them, they need not be read.
    async fn check(
        &self,
        bucket: &Bucket,
        path: &ObjectPath,
        key: &BlobKey,
        expected: u64,
        found: u64,
    ) -> Result<()> {
        if found != expected {
            return Err(BlobError::SizeMismatch { expected, found });
        }
        if bucket.checksum(path.as_ref()).await?.as_deref() == Some(key.sha256().as_str()) {
            return Ok(());
        }
        let found = self.backend.get(path).await;
        let stream = found.map_err(|err| failed("read", key, err))?.into_stream();
        copy(key, expected, stream, &mut Nowhere).await
    }

    /// The folder of the objects, when they are on this machine.
    pub fn folder(&self) -> Option<&Path> {
        match &self.place {
            Place::Folder { folder, .. } => Some(folder),
            Place::Bucket(_) => None,
        }
    }

    /// Origin at which agents and browsers access the objects, if not this server: `https://host[:port]`.
    pub fn public_origin(&self) -> Option<String> {
        match &self.place {
            Place::Folder { .. } => None,
            Place::Bucket(bucket) => Some(bucket.public_origin()),
        }
    }

    /// Checks a request for `/blob/{key}`; addresses of a bucket are none of ours.
    pub fn verify(
        &self,
        method: Method,
        key: &BlobKey,
        query: &SignedQuery,
    ) -> std::result::Result<(), InvalidSignature> {
        match &self.place {
            Place::Folder { signing_key, .. } => signing_key.verify(method, key, query, crate::time::now()),
            Place::Bucket(_) => Err(InvalidSignature::Mismatch),
        }
    }
}

/// Where bytes that a client put wait to be confirmed.
fn incoming(key: &BlobKey) -> ObjectPath {
    ObjectPath::from(format!("{INCOMING}/{}", key.sha256()))
}

const INCOMING: &str = "incoming";

/// Takes a blob's bytes as they come.
trait Sink {
    async fn take(&mut self, part: Bytes) -> std::result::Result<(), object_store::Error>;
}

impl Sink for WriteMultipart {
    async fn take(&mut self, part: Bytes) -> std::result::Result<(), object_store::Error> {
        // At most two parts wait in memory for a slow store.
        self.wait_for_capacity(2).await?;
        self.put(part);
        Ok(())
    }
}

impl Sink for Vec<u8> {
    async fn take(&mut self, part: Bytes) -> std::result::Result<(), object_store::Error> {
        self.extend_from_slice(&part);
        Ok(())
    }
}

/// The bytes are looked at only.
struct Nowhere;

impl Sink for Nowhere {
    async fn take(&mut self, _part: Bytes) -> std::result::Result<(), object_store::Error> {
        Ok(())
    }
}

async fn copy<E>(
    key: &BlobKey,
    size_bytes: u64,
    stream: impl Stream<Item = std::result::Result<Bytes, E>> + Send,
    sink: &mut impl Sink,
) -> Result<()>
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut stream = std::pin::pin!(stream);
    let mut hash = Sha256::new();
    let mut found = 0;
    while let Some(part) = stream.next().await {
        let part = part.map_err(|err| BlobError::Broken(err.into()))?;
        found += part.len() as u64;
        if found > size_bytes {
            break;
        }
        hash.update(&part);
        sink.take(part).await.map_err(|err| failed("store", key, err))?;
    }
    if found != size_bytes {
        return Err(BlobError::SizeMismatch {
            expected: size_bytes,
            found,
        });
    }
    let (expected, found) = (key.sha256(), hex::encode(hash.finalize()));
    if expected != found {
        return Err(BlobError::HashMismatch { expected, found });
    }
    Ok(())
}
