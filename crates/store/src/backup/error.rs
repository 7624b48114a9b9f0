//! Errors of backups.

use std::{io, path::PathBuf};

use uuid::Uuid;

use crate::{OpenError, maintenance::TransferError, objects::BlobError};

/// Problems of a damaged backup that its message names.
const N_NAMED: usize = 5;

/// An error while making, reading or restoring a backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Database or object store could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Rows could not be read or written.
    #[error(transparent)]
    Rows(#[from] TransferError),
    /// The object store failed.
    #[error(transparent)]
    Objects(#[from] BlobError),
    /// The target already exists.
    #[error("`{path}` already exists: choose another file, or a folder, which can hold many backups")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The target has the wrong kind.
    #[error("`{path}` {problem}")]
    Kind {
        /// The target.
        path: PathBuf,
        /// What is wrong and what is valid.
        problem: &'static str,
    },
    /// Another backup is being written into the same folder.
    #[error("another backup is being written to `{path}`: wait until it ends, or choose another folder")]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// A file operation failed.
    #[error("failed to {doing} `{path}`")]
    Disk {
        /// The operation.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Not a backup.
    #[error("`{path}` is not a backup of Morpheus: {problem}")]
    NoBackup {
        /// The file or folder.
        path: PathBuf,
        /// The reason.
        problem: String,
    },
    /// It was written by a newer version.
    #[error(
        "the backup `{path}` was written by a newer Morpheus: {found}; restore it with that version or a newer one"
    )]
    Newer {
        /// The file or folder.
        path: PathBuf,
        /// What this version does not know.
        found: String,
    },
    /// The backup is damaged.
    #[error("the backup `{path}` is damaged: {}", named(.problems))]
    Damaged {
        /// The file or folder.
        path: PathBuf,
        /// All problems.
        problems: Vec<String>,
    },
    /// Objects are in an earlier backup that was not given.
    #[error(
        "the backup `{path}` lacks {n_objects} objects, which are in the earlier backup `{name}` ({id}): add that \
             one with --since"
    )]
    NeedsEarlier {
        /// The file.
        path: PathBuf,
        /// Number of objects that are only there.
        n_objects: usize,
        /// What the earlier one was called.
        name: String,
        /// Its id.
        id: Uuid,
    },
    /// The restored data differs from the backup.
    #[error("the restored installation is invalid, and its database was left empty: {problem}")]
    Wrong {
        /// What differs.
        problem: String,
    },
}

fn named(problems: &[String]) -> String {
    let mut text = problems[..problems.len().min(N_NAMED)].join("; ");
    if problems.len() > N_NAMED {
        text += &format!("; and {} more", problems.len() - N_NAMED);
    }
    text
}
