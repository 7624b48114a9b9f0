//! What can go wrong with a backup.

use std::{io, path::PathBuf};

use uuid::Uuid;

use crate::{OpenError, maintenance::TransferError, objects::BlobError};

/// Problems of a damaged backup that its message names.
const N_NAMED: usize = 5;

/// A backup that was not made, not read or not restored.
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
    /// There is something of that name already.
    #[error("`{path}` exists already: name another file, or a folder, which may hold many backups")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A folder was named as an archive, or the reverse.
    #[error("`{path}` {problem}")]
    Kind {
        /// What was named.
        path: PathBuf,
        /// What is wrong with it, and what would be right.
        problem: &'static str,
    },
    /// Another backup is being written into the same folder.
    #[error("another backup is being written into `{path}`: wait for it to end, or name another folder")]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The disk refused.
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
    /// It is no backup.
    #[error("`{path}` is not a backup of Morpheus: {problem}")]
    NoBackup {
        /// The file or folder.
        path: PathBuf,
        /// How that was seen.
        problem: String,
    },
    /// It was written by a newer version.
    #[error(
        "the backup `{path}` was written by a newer Morpheus: {found}; restore it with that one, or a newer one"
    )]
    Newer {
        /// The file or folder.
        path: PathBuf,
        /// What this version does not know.
        found: String,
    },
    /// Something in it is not what it was when it was made.
    #[error("the backup `{path}` is damaged: {}", named(.problems))]
    Damaged {
        /// The file or folder.
        path: PathBuf,
        /// Everything that is wrong.
        problems: Vec<String>,
    },
    /// Objects are in an earlier backup that was not named.
    #[error(
        "the backup `{path}` lacks {n_objects} objects, which are in the earlier backup `{name}` ({id}): name that one \
         too, with --since"
    )]
    NeedsEarlier {
        /// The file.
        path: PathBuf,
        /// Objects that are nowhere else.
        n_objects: usize,
        /// What the earlier one was called.
        name: String,
        /// Its id.
        id: Uuid,
    },
    /// What was restored is not what the backup holds.
    #[error("the restored installation is not right, and its database was left empty: {problem}")]
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
