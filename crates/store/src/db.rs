//! The database: connections, entities and migrations.

pub(crate) mod copy;
pub(crate) mod entities;
pub(crate) mod migrations;
mod place;
mod postgres;
mod sqlite;
pub(crate) mod tables;

use sea_orm::{
    ActiveModelTrait, ActiveValue, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend,
    DbErr, EntityTrait, IntoActiveModel, Iterable, ModelTrait, SqliteTransactionMode, TransactionOptions,
    TransactionTrait, Value,
};

pub(crate) use self::place::Place;
use crate::{OpenError, Result, error::Doing, words::clean};

/// Connections for transactions and for reading. SQLite has one writer, and readers that never wait for it.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) writer: DatabaseConnection,
    pub(crate) readers: DatabaseConnection,
}

impl Database {
    /// Connects, and leaves the schema as it is.
    pub(crate) async fn connect(place: &Place) -> std::result::Result<Self, OpenError> {
        match place {
            Place::Sqlite(path) => sqlite::open(path).await,
            Place::Postgres(place) => postgres::open(place).await,
        }
    }

    /// Connects and brings the schema up to date.
    pub(crate) async fn open(place: &Place) -> std::result::Result<Self, OpenError> {
        let database = Self::connect(place).await?;
        migrations::migrate(&database, place).await?;
        Ok(database)
    }

    /// Starts a transaction that may write.
    pub(crate) async fn begin(&self) -> std::result::Result<DatabaseTransaction, DbErr> {
        let options = TransactionOptions {
            // A deferred transaction that reads first fails when another process has written meanwhile.
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        self.writer.begin_with_options(options).await
    }

    /// Starts a transaction that no other server's of its kind runs beside: to migrate, to write the first rows.
    pub(crate) async fn begin_alone(&self) -> std::result::Result<DatabaseTransaction, DbErr> {
        let tx = self.begin().await?;
        // On SQLite, no other transaction that writes is open.
        if tx.get_database_backend() == DbBackend::Postgres {
            // That a table is there already, or a policy is not, is no news either.
            let sql =
                format!("SET LOCAL client_min_messages = warning; SELECT pg_advisory_xact_lock({ALONE})");
            tx.execute_unprepared(&sql).await?;
        }
        Ok(tx)
    }
}

/// The key of our advisory lock: `morpheus` in ASCII.
const ALONE: i64 = 0x6d6f_7270_6865_7573;

/// Inserts a complete row.
pub(crate) async fn insert<M>(db: &impl ConnectionTrait, row: M, doing: &'static str) -> Result<()>
where
    M: ModelTrait + IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel>,
    <M::Entity as EntityTrait>::ActiveModel: Send,
{
    let mut row = row.into_active_model();
    for column in <M::Entity as EntityTrait>::Column::iter() {
        if let ActiveValue::Set(value) | ActiveValue::Unchanged(value) = row.get(column)
            && let Value::String(Some(text)) = value
            && text.contains('\0')
        {
            row.set(column, clean(&text).into());
        }
    }
    M::Entity::insert(row)
        .exec_without_returning(db)
        .await
        .doing(doing)?;
    Ok(())
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
