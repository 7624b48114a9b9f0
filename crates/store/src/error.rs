//! Errors of the store.

use sea_orm::DbErr;

use crate::fault::StorageFault;

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
