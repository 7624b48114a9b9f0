//! Errors of the store.

mod fault;

use std::path::PathBuf;

use sea_orm::DbErr;

pub use self::fault::StorageFault;
pub(crate) use self::fault::{REPLACED, is_too_large};

/// Result of a store operation.
pub type Result<T> = std::result::Result<T, StoreError>;

/// A store operation that failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A temporary database failure: full disk, lock, …
    #[error("failed to {doing}: {fault}")]
    Storage {
        /// The operation: `read job`.
        doing: &'static str,
        /// Why.
        fault: StorageFault,
        /// The database error.
        #[source]
        source: DbErr,
    },
    /// The database rejected a statement: a constraint, or an invalid statement.
    #[error("failed to {doing}")]
    Database {
        /// The operation: `read job`.
        doing: &'static str,
        /// The database error.
        #[source]
        source: DbErr,
    },
    /// The row does not exist, or belongs to another owner.
    #[error("there is no {what} `{id}`")]
    NotFound {
        /// The noun.
        what: &'static str,
        /// The requested id.
        id: String,
    },
    /// The row is not in the expected state because it was changed concurrently.
    #[error("{what} `{id}` changed in the meantime")]
    Stale {
        /// The noun.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// A stored value that this version cannot read.
    #[error("{what} has a value that cannot be read: {detail}")]
    Corrupt {
        /// Table and column.
        what: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// The object store failed.
    #[error(transparent)]
    Blob(#[from] crate::objects::BlobError),
}

impl StoreError {
    /// The storage fault behind this error, if there is one.
    pub fn fault(&self) -> Option<StorageFault> {
        match self {
            Self::Storage { fault, .. } => Some(*fault),
            Self::Blob(err) => err.fault(),
            Self::Database { .. } | Self::NotFound { .. } | Self::Stale { .. } | Self::Corrupt { .. } => None,
        }
    }

    pub(crate) fn database(doing: &'static str, source: DbErr) -> Self {
        match StorageFault::of_database(&source) {
            Some(fault) => Self::Storage { doing, fault, source },
            None => Self::Database { doing, source },
        }
    }

    pub(crate) fn not_found(what: &'static str, id: impl ToString) -> Self {
        Self::NotFound {
            what,
            id: id.to_string(),
        }
    }

    pub(crate) fn stale(what: &'static str, id: impl ToString) -> Self {
        Self::Stale {
            what,
            id: id.to_string(),
        }
    }

    pub(crate) fn corrupt(what: &'static str, detail: impl ToString) -> Self {
        Self::Corrupt {
            what,
            detail: detail.to_string(),
        }
    }
}

/// Says which operation a database error belongs to.
pub(crate) trait Doing<T> {
    fn doing(self, doing: &'static str) -> Result<T>;
}

impl<T> Doing<T> for std::result::Result<T, DbErr> {
    fn doing(self, doing: &'static str) -> Result<T> {
        self.map_err(|source| StoreError::database(doing, source))
    }
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data folder could not be created or written.
    #[error("failed to create the data folder `{path}`")]
    DataFolder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A URL of a kind that is not supported.
    #[error("{setting}: `{url}` is not supported; use {supported}")]
    UnknownScheme {
        /// The setting that holds the URL.
        setting: &'static str,
        /// The URL, without any password.
        url: String,
        /// What is supported.
        supported: &'static str,
    },
    /// The database could not be opened.
    #[error("failed to open the database `{url}`")]
    Connect {
        /// Its URL.
        url: String,
        /// Why.
        #[source]
        source: DbErr,
    },
    /// PostgreSQL cannot be used with this URL.
    #[error("cannot use the database `{url}`: {problem}; {fix}")]
    Postgres {
        /// Its URL, without any password.
        url: String,
        /// What is wrong.
        problem: String,
        /// How to fix it, with the name of the setting.
        fix: String,
        /// What the server or the connection said.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The schema could not be migrated.
    #[error("failed to migrate the database `{url}`")]
    Migrate {
        /// Its URL.
        url: String,
        /// Why.
        #[source]
        source: DbErr,
    },
    /// The database was written by a newer Morpheus.
    #[error(
        "the database `{url}` has the newer schema `{found}`; this version of Morpheus knows up to `{known}`: \
         use the newer Morpheus, or set another database with --database or MORPHEUS_DATABASE"
    )]
    NewerSchema {
        /// Its URL.
        url: String,
        /// The newest migration in the database.
        found: String,
        /// The newest migration that this program has.
        known: String,
    },
    /// The queue rejects the connection, or its certificate is not trusted.
    #[error("queue: failed to use `{url}`; {}, or omit --queue", .source.fix())]
    Queue {
        /// Its URL, without any password.
        url: String,
        /// What it said.
        #[source]
        source: crate::signals::BusError,
    },
    /// The first rows (owner, settings) could not be read or written.
    #[error("failed to prepare the database")]
    Prepare(#[source] StoreError),
    /// The bucket cannot be used.
    #[error(transparent)]
    Bucket(#[from] crate::objects::BucketError),
    /// The object store could not be opened.
    #[error("failed to open the object store `{url}`")]
    Objects {
        /// Its URL.
        url: String,
        /// Why.
        #[source]
        source: object_store::Error,
    },
}
