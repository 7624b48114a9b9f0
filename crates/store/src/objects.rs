//! The object store: content-addressed blobs and signed addresses for them.
//!
//! A blob's key is made of the SHA-256 of its bytes (`sha256/ab/cdef…`), so that writing is idempotent and
//! never overwrites anything else; conditional writes, which not every S3 has, are not needed. Whoever puts
//! bytes says what they must hash to; what does not match is never visible under the key.

mod key;
mod signing;

use std::{fmt, ops::Range, path::Path, sync::Arc};

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt, stream::BoxStream};
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, WriteMultipart};
use sha2::{Digest, Sha256};

pub use key::{BlobKey, InvalidKey};
pub use signing::{InvalidSignature, Method, SignedQuery, SigningKey, UrlOptions};

/// Result of an operation on objects.
pub type Result<T> = std::result::Result<T, BlobError>;

/// An operation on objects that failed.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// There is no such blob.
    #[error("there is no stored file `{key}`")]
    NotFound {
        /// Its key.
        key: BlobKey,
    },
    /// The bytes are not the ones that were announced.
    #[error("the uploaded bytes have the SHA-256 {found}, not {expected}: send the file again")]
    HashMismatch {
        /// Announced.
        expected: String,
        /// Received.
        found: String,
    },
    /// The number of bytes is not the one that was announced.
    #[error("the upload has {found} bytes, not {expected}: send the file again")]
    SizeMismatch {
        /// Announced.
        expected: u64,
        /// Received; counting ends at the first byte too many.
        found: u64,
    },
    /// The sender broke off.
    #[error("the upload ended early")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No space is left.
    #[error("no space is left in the object store: free some, or move the data folder to a larger disk")]
    Full(#[source] object_store::Error),
    /// The store failed.
    #[error("failed to {doing} `{key}`")]
    Store {
        /// The operation.
        doing: &'static str,
        /// The blob.
        key: BlobKey,
        /// Why.
        #[source]
        source: object_store::Error,
    },
}

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

/// A blob being read.
pub struct BlobReader {
    /// Size of the whole blob.
    pub size_bytes: u64,
    /// The part of it that the stream delivers.
    pub range: Range<u64>,
    /// Its bytes.
    pub stream: BoxStream<'static, Result<Bytes>>,
}

/// Where blobs live. Cheap to clone.
#[derive(Clone)]
pub struct BlobStore {
    backend: Arc<dyn ObjectStore>,
    url: Arc<str>,
    signing_key: SigningKey,
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

impl BlobStore {
    /// A folder as the object store. Addresses of blobs are signed with `signing_key`.
    pub fn local(folder: &Path, signing_key: SigningKey) -> std::result::Result<Self, object_store::Error> {
        let backend = object_store::local::LocalFileSystem::new_with_prefix(folder)?
            .with_fsync(true)
            .with_automatic_cleanup(true);
        let url = format!("file://{}", folder.display());
        Ok(Self::new(Arc::new(backend), url, signing_key))
    }

    pub(crate) fn new(backend: Arc<dyn ObjectStore>, url: String, signing_key: SigningKey) -> Self {
        Self {
            backend,
            url: url.trim_end_matches('/').into(),
            signing_key,
        }
    }

    /// Stores bytes under their own hash.
    pub async fn put(&self, bytes: Bytes) -> Result<StoredBlob> {
        let sha256 = hex::encode(Sha256::digest(&bytes));
        let blob = StoredBlob {
            key: BlobKey::from_sha256(&sha256).expect("a digest is a valid hash"),
            sha256,
            size_bytes: bytes.len() as u64,
        };
        if !self.exists(&blob.key).await? {
            self.backend
                .put(&blob.key.path(), bytes.into())
                .await
                .map_err(|err| failed("store", &blob.key, err))?;
        }
        Ok(blob)
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
        let upload = self
            .backend
            .put_multipart(&key.path())
            .await
            .map_err(|err| failed("store", key, err))?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
        match copy(key, size_bytes, stream, &mut writer).await {
            Ok(()) => {
                writer.finish().await.map_err(|err| failed("store", key, err))?;
                Ok(StoredBlob {
                    key: key.clone(),
                    sha256: key.sha256(),
                    size_bytes,
                })
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

    /// A blob, or a part of it, as a stream.
    pub async fn read(&self, key: &BlobKey, range: Option<Range<u64>>) -> Result<BlobReader> {
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

    /// Size of a blob; `None` when there is no such blob.
    pub async fn size(&self, key: &BlobKey) -> Result<Option<u64>> {
        match self.backend.head(&key.path()).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(err) => Err(failed("look up", key, err)),
        }
    }

    /// Whether there is such a blob.
    pub async fn exists(&self, key: &BlobKey) -> Result<bool> {
        Ok(self.size(key).await?.is_some())
    }

    /// Deletes a blob; deleting one that is not there is fine.
    pub async fn delete(&self, key: &BlobKey) -> Result<()> {
        match self.backend.delete(&key.path()).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(err) => Err(failed("delete", key, err)),
        }
    }

    /// The blob's place for a person who reads the database: `file:///data/objects/sha256/ab/cdef…`.
    pub fn location(&self, key: &BlobKey) -> String {
        format!("{}/{key}", self.url)
    }

    /// A signed address to `GET` a blob from.
    ///
    /// For the local backend it is a path on this server, `/blob/{key}?…`; a client resolves it against the
    /// server's own address.
    pub fn get_url(&self, key: &BlobKey, options: &UrlOptions) -> String {
        self.signing_key.sign(Method::Get, key, options)
    }

    /// A signed address to `PUT` exactly the blob's bytes to.
    pub fn put_url(&self, key: &BlobKey, size_bytes: u64) -> String {
        self.signing_key
            .sign(Method::Put, key, &UrlOptions::put(size_bytes))
    }

    /// Checks a request for `/blob/{key}`.
    pub fn verify(
        &self,
        method: Method,
        key: &BlobKey,
        query: &SignedQuery,
    ) -> std::result::Result<(), InvalidSignature> {
        self.signing_key.verify(method, key, query, crate::now())
    }
}

async fn copy<E>(
    key: &BlobKey,
    size_bytes: u64,
    stream: impl Stream<Item = std::result::Result<Bytes, E>> + Send,
    writer: &mut WriteMultipart,
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
        // At most two parts wait in memory for a slow disk.
        writer
            .wait_for_capacity(2)
            .await
            .map_err(|err| failed("store", key, err))?;
        writer.put(part);
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

fn failed(doing: &'static str, key: &BlobKey, source: object_store::Error) -> BlobError {
    if matches!(source, object_store::Error::NotFound { .. }) {
        return BlobError::NotFound { key: key.clone() };
    }
    if is_full(&source) {
        return BlobError::Full(source);
    }
    BlobError::Store {
        doing,
        key: key.clone(),
        source,
    }
}

/// Looks for a full disk (or quota) anywhere in the chain of causes.
fn is_full(err: &object_store::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(err);
    while let Some(err) = cause {
        if let Some(io) = err.downcast_ref::<std::io::Error>()
            && matches!(
                io.kind(),
                std::io::ErrorKind::StorageFull
                    | std::io::ErrorKind::QuotaExceeded
                    | std::io::ErrorKind::FileTooLarge
            )
        {
            return true;
        }
        cause = err.source();
    }
    false
}
