//! Faults of the storage that pass: a full disk, one that takes no writes, one that fails, a lock of somebody else.

use std::{error::Error, fmt, io};

use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr};
use sqlx::postgres::PgDatabaseError;

/// Why the database or the object store does not do something for now. None of these needs a restart: once the
/// cause is gone, the next try works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageFault {
    /// No space is left, or a quota is used up.
    Full,
    /// The disk, the file, or the database server takes no writes.
    ReadOnly,
    /// The disk failed to read or write.
    Failed,
    /// Others hold what is needed, for longer than is waited for.
    Busy,
    /// The server does not answer, or closed the connection.
    Away,
}

impl StorageFault {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Full, Self::ReadOnly, Self::Failed, Self::Busy, Self::Away];

    /// What a database error says about the database's storage; `None` for one that a repetition would meet again.
    pub(crate) fn of_database(err: &DbErr) -> Option<Self> {
        match err {
            DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => Some(Self::Busy),
            DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed) => Some(Self::Away),
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

    /// What an error of the object store says; `None` for one that a repetition would meet again.
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

/// A sentence for the person who has to do something about it.
impl fmt::Display for StorageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "no space is left for this on the server: free some, or move the data folder to a larger disk",
            Self::ReadOnly => {
                "the server cannot write to its storage: make the disk or the database writable again, then repeat"
            }
            Self::Failed => {
                "the server's disk failed to read or write: its log says where; check the disk, then repeat"
            }
            Self::Busy => "the server's storage is busy, or held by another program: try again in a moment",
            Self::Away => "the server's database or object store does not answer: try again in a moment",
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
