//! The files of a SQLite database that are open, and whether they are still the ones at its path.
//!
//! A file that is removed or replaced stays open: what is written into it is gone with the process. So each
//! transaction compares the files at the path with those that this process has open.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use sea_orm::DbErr;

use crate::{fault::REPLACED, file_id::FileId, log_once::LogOnce};

/// The files of a database. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Files(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    database: PathBuf,
    log: PathBuf,
    /// What was found when it was opened; the log, when it was last asked for.
    known: Mutex<Found>,
    refusing: LogOnce,
}

/// What lies at the paths now.
#[derive(Debug)]
struct Found {
    database: Option<FileId>,
    log: Option<FileId>,
}

impl Files {
    /// The files of a database that has just been opened.
    pub(super) fn of(database: &Path) -> Self {
        let mut log = database.as_os_str().to_owned();
        log.push("-wal");
        let (database, log) = (database.to_owned(), PathBuf::from(log));
        let known = Found {
            database: FileId::of(&database),
            log: FileId::of(&log),
        };
        Self(Arc::new(Inner {
            database,
            log,
            known: Mutex::new(known),
            refusing: LogOnce::default(),
        }))
    }

    /// Refuses when a file that is open lies no longer at its path. Asked within a transaction, when both are open.
    pub(super) fn check(&self) -> Result<(), DbErr> {
        let Inner {
            database,
            log,
            known,
            refusing,
        } = &*self.0;
        let found = Found {
            database: FileId::of(database),
            log: FileId::of(log),
        };
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        // The log is another one, too, when all connections were closed and others opened.
        if found.database != known.database || found.log != known.log && known.log.is_some_and(is_open) {
            return Err(refusal(database, refusing));
        }
        known.log = found.log;
        if refusing.end() {
            tracing::info!(path = %database.display(), "the files of the database are back: writes are accepted");
        }
        Ok(())
    }
}

fn refusal(database: &Path, refusing: &LogOnce) -> DbErr {
    let path = database.display();
    let problem = format!(
        "{REPLACED}: `{path}` or `{path}-wal` is no longer the file that this server has open; put it back, or restart \
             the server"
    );
    if refusing.begin() {
        tracing::error!(error = problem, "writes to the database are refused");
    }
    DbErr::Custom(problem)
}

/// Whether this process has a file open. If that cannot be found out, it has.
fn is_open(file: FileId) -> bool {
    let Ok(open) = fs::read_dir("/dev/fd") else {
        return true;
    };
    open.flatten()
        .any(|entry| FileId::of(&entry.path()) == Some(file))
}

#[cfg(test)]
mod tests;
