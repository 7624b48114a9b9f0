//! What can go wrong with objects.

use super::{BlobKey, BucketError};
use crate::error::{StorageFault, is_too_large};

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
    /// An object that is no blob could not be used: one of a mailbox, a probe.
    #[error("failed to {doing} `{path}` in the object store")]
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
    /// What was written is not what is read.
    #[error("`{path}` was written to the object store, and is not there")]
    NotKept {
        /// The object.
        path: String,
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

impl BlobError {
    /// What is wrong with the object store, when that is what it is.
    pub fn fault(&self) -> Option<StorageFault> {
        match self {
            Self::Full(_) => Some(StorageFault::Full),
            Self::List(source) | Self::Slot { source, .. } | Self::Store { source, .. } => {
                StorageFault::of_objects(source)
            }
            Self::Staged { source, .. } => Some(StorageFault::of_file(source)),
            Self::Bucket(
                BucketError::Unreachable { .. }
                | BucketError::PublicUnreachable { .. }
                | BucketError::Refused { status: 500.., .. },
            ) => Some(StorageFault::Away),
            Self::Bucket(_) => None,
            Self::NotFound { .. }
            | Self::HashMismatch { .. }
            | Self::SizeMismatch { .. }
            | Self::Broken(_)
            | Self::TooLarge { .. }
            | Self::Foreign { .. }
            | Self::FullSlot { .. }
            | Self::NotKept { .. } => None,
        }
    }
}

pub(super) fn failed(doing: &'static str, key: &BlobKey, source: object_store::Error) -> BlobError {
    if matches!(source, object_store::Error::NotFound { .. }) {
        return BlobError::NotFound { key: key.clone() };
    }
    if StorageFault::of_objects(&source) == Some(StorageFault::Full) {
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
