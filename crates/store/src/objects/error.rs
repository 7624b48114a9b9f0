//! Errors of the object store.

use super::{BlobKey, BucketError};
use crate::fault::{StorageFault, is_too_large};

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
    /// The bytes differ from the announced ones.
    #[error("the uploaded bytes have the SHA-256 {found}, not {expected}: send the file again")]
    HashMismatch {
        /// Announced.
        expected: String,
        /// Received.
        found: String,
    },
    /// The size differs from the announced one.
    #[error("the upload has {found} bytes, not {expected}: send the file again")]
    SizeMismatch {
        /// Announced.
        expected: u64,
        /// Received; counting ends at the first byte too many.
        found: u64,
    },
    /// The upload was interrupted.
    #[error("the upload ended early")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No space is left.
    #[error("no space is left in the object store: free some, or move the data folder to a larger disk")]
    Full(#[source] object_store::Error),
    /// The object is too large for the store.
    #[error(
        "the object store rejects `{key}` as too large: raise its file size limit (Supabase: Storage, Settings, \
         \"Upload file size limit\", and the bucket's own), or choose another with --objects"
    )]
    TooLarge {
        /// The blob.
        key: BlobKey,
        /// What the store said.
        #[source]
        source: object_store::Error,
    },
    /// The bucket failed.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// The location belongs to another installation.
    #[error(
        "the objects at `{url}` belong to another installation of Morpheus ({other}), which may be one that was \
             restored from a backup: stop one of them, or choose another folder or prefix with --objects; nothing \
             was written or deleted"
    )]
    Foreign {
        /// The place.
        url: String,
        /// Whose they are.
        other: String,
    },
    /// The mark is gone: what is there now is not where our objects are.
    #[error(
        "the objects at `{url}` lack the file `deployment` that this installation wrote there, so they are not its own: \
             mount or put back the right folder, and it goes on by itself; if they were moved there or lost for good, \
             write `{mark}` into that file"
    )]
    Unmarked {
        /// The place.
        url: String,
        /// What the file must contain.
        mark: String,
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
    /// A written object was not found afterwards.
    #[error("`{path}` was written to the object store but is not there")]
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
            Self::Foreign { .. } | Self::Unmarked { .. } => Some(StorageFault::Astray),
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
