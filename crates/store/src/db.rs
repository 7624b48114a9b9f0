//! The database: connections, entities and migrations.

pub(crate) mod entities;
mod migrations;

use std::{path::Path, time::Duration};

use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, EntityTrait, IntoActiveModel, ModelTrait,
};

use crate::{OpenError, Result, error::Doing};

/// How long a statement waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a transaction waits for the ones before it.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);

/// Connections: SQLite has one writer, and readers that never wait for it.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) writer: DatabaseConnection,
    pub(crate) readers: DatabaseConnection,
}

impl Database {
    pub(crate) async fn open_sqlite(path: &Path) -> std::result::Result<Self, OpenError> {
        let url = format!("sqlite://{}", path.display());
        let writer = connect(&url, path, 1).await?;
        let readers = connect(&url, path, 4).await?;
        let database = Self { writer, readers };
        migrations::migrate(&database, &url).await?;
        Ok(database)
    }
}

/// Inserts a complete row.
pub(crate) async fn insert<M>(db: &impl ConnectionTrait, row: M, doing: &'static str) -> Result<()>
where
    M: ModelTrait + IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel>,
{
    M::Entity::insert(row.into_active_model())
        .exec_without_returning(db)
        .await
        .doing(doing)?;
    Ok(())
}

async fn connect(
    url: &str,
    path: &Path,
    n_connections: u32,
) -> std::result::Result<DatabaseConnection, OpenError> {
    let path = path.to_owned();
    // The path is set below, as it is: in a URL, some of its characters would mean something.
    let mut options = ConnectOptions::new("sqlite://placeholder");
    options
        .max_connections(n_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |options| {
            options
                .filename(&path)
                .create_if_missing(true)
                .foreign_keys(true)
                .busy_timeout(BUSY_TIMEOUT)
                .pragma("journal_mode", "WAL")
                // A committed row must survive a power cut: an instance may be started because of it.
                .pragma("synchronous", "FULL")
        });
    sea_orm::Database::connect(options)
        .await
        .map_err(|source| OpenError::Connect {
            url: url.to_owned(),
            source,
        })
}

/// A URL that can be shown: `postgres://user:…@host/db`.
pub(crate) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    match rest.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}:…@{host}")
        }
        None => url.to_owned(),
    }
}
