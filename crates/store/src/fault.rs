//! Temporary storage faults: a full, read-only or failing disk, or a lock held by another program.

use std::{error::Error, fmt, io};

use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr};
use sqlx::postgres::PgDatabaseError;

/// What the error of a database begins with whose files are no longer those that are open.
pub(crate) const REPLACED: &str = "the files of the database were removed or replaced";

/// Why the database or the object store fails temporarily. None of these needs a restart: once the
/// cause is gone, a retry works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageFault {
    /// No space is left, or a quota is used up.
    Full,
    /// The disk, the file, or the database server is read-only.
    ReadOnly,
    /// The disk failed to read or write.
    Failed,
    /// A lock was not released in time.
    Busy,
    /// The server does not respond, or closed the connection.
    Away,
    /// The object store is not the one that the files are in.
    Astray,
    /// The database's files were removed or replaced while they were open.
    Replaced,
}

impl StorageFault {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Full,
        Self::ReadOnly,
        Self::Failed,
        Self::Busy,
        Self::Away,
        Self::Astray,
        Self::Replaced,
    ];

    /// The storage fault behind a database error; `None` for errors that a retry does not fix.
    pub(crate) fn of_database(err: &DbErr) -> Option<Self> {
        match err {
            DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => Some(Self::Busy),
            DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed) => Some(Self::Away),
            DbErr::Custom(text) if text.starts_with(REPLACED) => Some(Self::Replaced),
            DbErr::Conn(RuntimeErr::SqlxError(err))
            | DbErr::Exec(RuntimeErr::SqlxError(err))
            | DbErr::Query(RuntimeErr::SqlxError(err)) => Self::of_sqlx(err),
            _ => None,
        }
    }

    fn of_sqlx(err: &sqlx::Error) -> Option<Self> {
        match err {
            sqlx::Error::Database(err) => {
                let code = err.code()?;
                match err.try_downcast_ref::<PgDatabaseError>() {
                    Some(_) => Self::of_postgres(&code),
                    None => Self::of_sqlite(code.parse().ok()?),
                }
            }
            sqlx::Error::PoolTimedOut => Some(Self::Busy),
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Some(Self::Away),
            _ => None,
        }
    }

    /// By a SQLSTATE: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
    fn of_postgres(code: &str) -> Option<Self> {
        Some(match code {
            // disk_full
            "53100" => Self::Full,
            // read_only_sql_transaction: also a server that was demoted, or whose disk is full on a hosted service.
            "25006" => Self::ReadOnly,
            // io_error, data_corrupted, index_corrupted
            "58030" | "XX001" | "XX002" => Self::Failed,
            // serialization_failure, deadlock_detected, lock_not_available, query_canceled, out_of_memory,
            // too_many_connections, configuration_limit_exceeded
            "40001" | "40P01" | "55P03" | "57014" | "53200" | "53300" | "53400" => Self::Busy,
            // admin_shutdown, crash_shutdown, cannot_connect_now, database_dropped, idle_session_timeout,
            // idle_in_transaction_session_timeout
            "57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "25P03" => Self::Away,
            // connection exceptions
            code if code.starts_with("08") => Self::Away,
            _ => return None,
        })
    }

    /// By an extended result code: <https://www.sqlite.org/rescode.html>.
    fn of_sqlite(code: i32) -> Option<Self> {
        /// The shared memory beside the database could not be made larger, as on a full disk.
        const IOERR_SHMSIZE: i32 = 10 | (19 << 8);
        if code == IOERR_SHMSIZE {
            return Some(Self::Full);
        }
        Some(match code & 0xff {
            // SQLITE_FULL
            13 => Self::Full,
            // SQLITE_READONLY
            8 => Self::ReadOnly,
            // SQLITE_IOERR, SQLITE_CANTOPEN
            10 | 14 => Self::Failed,
            // SQLITE_BUSY, SQLITE_LOCKED, SQLITE_NOMEM, SQLITE_INTERRUPT, SQLITE_PROTOCOL (locks of the WAL)
            5 | 6 | 7 | 9 | 15 => Self::Busy,
            _ => return None,
        })
    }

    /// What an error of a file says.
    pub fn of_file(err: &io::Error) -> Self {
        match err.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::Full
            }
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Self::ReadOnly,
            _ => Self::Failed,
        }
    }

    /// The storage fault behind an object store error; `None` for errors that a retry does not fix.
    pub(crate) fn of_objects(err: &object_store::Error) -> Option<Self> {
        if let Some(io) = cause::<io::Error>(err) {
            let fault = Self::of_file(io);
            // Over a network, what fails is the way to the store; a full folder of a server is still full.
            let is_folder = fault == Self::Full || is_folder(err);
            return Some(if is_folder { fault } else { Self::Away });
        }
        match err {
            object_store::Error::Generic { .. } if !is_folder(err) && !is_too_large(err) => Some(Self::Away),
            _ => None,
        }
    }
}

/// A message for the person who can fix it.
impl fmt::Display for StorageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "no space is left on the server: free some, or move the data folder to a larger disk",
            Self::ReadOnly => {
                "the server cannot write to its storage: make the disk or the database writable again, then try again"
            }
            Self::Failed => {
                "the server's disk failed to read or write: see its log; check the disk, then try again"
            }
            Self::Busy => "the server's storage is busy or locked by another program: try again in a moment",
            Self::Away => "the server's database or object store does not respond: try again in a moment",
            Self::Astray => {
                "the server's object store is not the one that its files are in, so nothing is written: mount or put \
                 back the right one (the server's log says which), then try again"
            }
            Self::Replaced => {
                "the files of the server's database were removed or replaced while it runs, so nothing is written: put \
                 them back, or restart the server, then try again"
            }
        })
    }
}

/// Whether the store says that an object is too large; `object_store` passes the server's words on in its message
/// only.
pub(crate) fn is_too_large(err: &object_store::Error) -> bool {
    let text = err.to_string();
    text.contains("<Code>EntityTooLarge</Code>") || text.contains("413 Payload Too Large")
}

fn is_folder(err: &object_store::Error) -> bool {
    matches!(
        err,
        object_store::Error::Generic {
            store: "LocalFileSystem",
            ..
        }
    ) || matches!(err, object_store::Error::PermissionDenied { source, .. } if source.is::<io::Error>())
}

/// The first of this type in the chain of causes.
fn cause<'a, T: Error + 'static>(err: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut cause = Some(err);
    while let Some(err) = cause {
        if let Some(found) = err.downcast_ref::<T>() {
            return Some(found);
        }
        cause = err.source();
    }
    None
}

#[cfg(test)]
mod tests;
