//! Connections to SQLite.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use sea_orm::{ConnectOptions, DatabaseConnection};

use super::{
    Database,
    files::Files,
    guard::{Discards, guarded},
};
use crate::{OpenError, StorageFault};

/// How long a statement waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long what SQLite does not wait for by itself is put off.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// How long a transaction waits for the ones before it.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);

/// One writer, and readers that never wait for it.
pub(super) async fn open(path: &Path) -> Result<Database, OpenError> {
    let discards = Discards::default();
    let writer = connect(path, 1, "OFF", &discards).await?;
    // What is written goes through the writer, and nothing else.
    let readers = connect(path, 4, "ON", &discards).await?;
    let files = Files::of(path);
    Ok(Database::new(writer, readers, discards, Some(files)))
}

async fn connect(
    path: &Path,
    n_connections: u32,
    query_only: &'static str,
    discards: &Discards,
) -> Result<DatabaseConnection, OpenError> {
    let (file, discards) = (path.to_owned(), discards.clone());
    // The path is set below, as it is: in a URL, some of its characters would mean something.
    let mut options = ConnectOptions::new("sqlite://placeholder");
    options
        .max_connections(n_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .sqlx_logging(false)
        .map_sqlx_sqlite_pool_opts(move |pool| guarded(pool, &discards))
        .map_sqlx_sqlite_opts(move |options| {
            options
                .filename(&file)
                .create_if_missing(true)
                .foreign_keys(true)
                .busy_timeout(BUSY_TIMEOUT)
                .pragma("journal_mode", "WAL")
                // A committed row must survive a power cut: an instance may be started because of it.
                .pragma("synchronous", "FULL")
                .pragma("query_only", query_only)
        });
    let began = Instant::now();
    loop {
        // On the heap, since everything that opens a database would be as large as it is.
        match Box::pin(sea_orm::Database::connect(options.clone())).await {
            // Of those that turn a new file into a WAL database at once, SQLite refuses all but one without waiting.
            Err(err)
                if StorageFault::of_database(&err) == Some(StorageFault::Busy)
                    && began.elapsed() < BUSY_TIMEOUT =>
            {
                tokio::time::sleep(BUSY_PAUSE).await;
            }
            result => {
                return result.map_err(|source| OpenError::Connect {
                    url: format!("sqlite://{}", path.display()),
                    source,
                });
            }
        }
    }
}
