//! What can go wrong with objects.

use super::{BlobKey, BucketError};

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
    /// The store takes no object of this size.
    #[error(
        "the object store refuses `{key}` as too large: raise its limit for files (Supabase: Storage, Settings, \
         \"Upload file size limit\", and the bucket's own), or choose another with --objects"
    )]
    TooLarge {
        /// The blob.
        key: BlobKey,
        /// What the store said.
        #[source]
        source: object_store::Error,
    },
    /// The bucket did not do its part.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// The place is kept by another installation.
    #[error(
        "the objects at `{url}` belong to another installation of Morpheus ({other}): choose a folder or prefix of \
         your own with --objects; nothing was deleted"
    )]
    Foreign {
        /// The place.
        url: String,
        /// Whose they are.
        other: String,
    },
    /// The store could not be listed.
    #[error("failed to list the object store")]
    List(#[source] object_store::Error),
    /// An object of a mailbox could not be used.
    #[error("failed to {doing} `{path}` in the bucket")]
    Slot {
        /// The operation.
        doing: &'static str,
        /// The object.
        path: String,
        /// Why.
        #[source]
        source: object_store::Error,
    },
    /// An object of a mailbox is larger than anything that belongs there.
    #[error("`{path}` in the bucket has more than {most_bytes} bytes")]
    FullSlot {
        /// The object.
        path: String,
        /// The limit.
        most_bytes: u64,
    },
    /// A staged file could not be looked at or removed.
    #[error("failed to clean up `{path}`")]
    Staged {
        /// The file or folder.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
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

pub(super) fn failed(doing: &'static str, key: &BlobKey, source: object_store::Error) -> BlobError {
    if matches!(source, object_store::Error::NotFound { .. }) {
        return BlobError::NotFound { key: key.clone() };
    }
    if is_full(&source) {
        return BlobError::Full(source);
    }
    if is_too_large(&source) {
        return BlobError::TooLarge {
            key: key.clone(),
            source,
        };
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

/// `object_store` passes the server's words on in its message only.
fn is_too_large(err: &object_store::Error) -> bool {
    let text = err.to_string();
    text.contains("<Code>EntityTooLarge</Code>") || text.contains("413 Payload Too Large")
}
