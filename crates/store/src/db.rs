//! The database: connections, entities and migrations.

pub(crate) mod copy;
pub(crate) mod entities;
mod files;
mod guard;
pub(crate) mod identity;
mod inject;
pub(crate) mod migrations;
mod place;
mod postgres;
mod recipe_columns;
pub(crate) mod setting;
mod sqlite;
pub(crate) mod tables;
mod transaction;

use sea_orm::{
    AccessMode, ActiveModelTrait, ActiveValue, ConnectionTrait, DatabaseConnection, DbBackend, DbErr,
    EntityTrait, IntoActiveModel, IsolationLevel, Iterable, ModelTrait, SqliteTransactionMode, Statement,
    TransactionOptions, TransactionTrait, Value,
};

use self::{files::Files, guard::Discards};
pub(crate) use self::{
    identity::{first_owner, identity},
    place::{Place, absolute, local_path},
};
pub use self::{
    inject::{Injector, Strike},
    transaction::Transaction,
};
use crate::{OpenError, Result, StorageFault, error::Doing, words::clean};

/// Connections for transactions and for reading. SQLite has one writer, and readers that never wait for it.
#[derive(Debug)]
pub(crate) struct Database {
    writer: DatabaseConnection,
    pub(crate) readers: DatabaseConnection,
    discards: Discards,
    injector: Injector,
    /// Those of SQLite.
    files: Option<Files>,
}

impl Database {
    /// Connects without changing the schema.
    pub(crate) async fn connect(place: &Place) -> std::result::Result<Self, OpenError> {
        match place {
            Place::Sqlite(path) => sqlite::open(path).await,
            Place::Postgres(place) => postgres::open(place).await,
        }
    }

    /// Connects and migrates the schema.
    pub(crate) async fn open(place: &Place) -> std::result::Result<Self, OpenError> {
        let database = Self::connect(place).await?;
        migrations::migrate(&database, place).await?;
        Ok(database)
    }

    fn new(
        writer: DatabaseConnection,
        readers: DatabaseConnection,
        discards: Discards,
        files: Option<Files>,
    ) -> Self {
        Self {
            writer,
            readers,
            injector: Injector::new(discards.clone()),
            discards,
            files,
        }
    }

    /// Starts a transaction that may write.
    pub(crate) async fn begin(&self) -> std::result::Result<Transaction, DbErr> {
        let begun = match self.begin_once().await {
            Err(err) => {
                // What is wrong with files that are gone is that they are.
                self.check_files()?;
                if self.is_worth_another(&err) {
                    self.begin_once().await
                } else {
                    Err(err)
                }
            }
            begun => begun,
        };
        let begun = begun?;
        self.check_files()?;
        Transaction::new(begun, &self.discards, &self.injector).await
    }

    fn check_files(&self) -> std::result::Result<(), DbErr> {
        self.files.as_ref().map_or(Ok(()), Files::check)
    }

    async fn begin_once(&self) -> std::result::Result<sea_orm::DatabaseTransaction, DbErr> {
        let options = TransactionOptions {
            // A deferred transaction that reads first fails when another process has written meanwhile.
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        self.writer.begin_with_options(options).await
    }

    /// Whether another connection may begin what this one refused to: it is within a transaction, was cut off, or
    /// was opened while the disk took no writes. It is not used again.
    fn is_worth_another(&self, err: &DbErr) -> bool {
        let fault = StorageFault::of_database(err);
        if fault == Some(StorageFault::Busy) || matches!(err, DbErr::ConnectionAcquire(_)) {
            return false;
        }
        self.discards.discard();
        true
    }

    /// Starts a transaction that is exclusive across servers: for migrations and the first rows.
    pub(crate) async fn begin_alone(&self) -> std::result::Result<Transaction, DbErr> {
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

    /// Starts a transaction that reads, and sees everything as it is now.
    pub(crate) async fn snapshot(&self) -> std::result::Result<Transaction, DbErr> {
        // SQLite has no other isolation, and no word for it.
        let isolation = IsolationLevel::RepeatableRead;
        let begun = match self.readers.get_database_backend() {
            DbBackend::Postgres => {
                let access = AccessMode::ReadOnly;
                self.readers
                    .begin_with_config(Some(isolation), Some(access))
                    .await
            }
            _ => self.readers.begin().await,
        };
        // Faults are for what is written.
        let injector = Injector::new(self.discards.clone());
        Transaction::new(begun?, &self.discards, &injector).await
    }

    /// Puts faults between transactions and the database.
    pub(crate) fn injector(&self) -> &Injector {
        &self.injector
    }
}

/// The key of our advisory lock: `morpheus` in ASCII.
const ALONE: i64 = 0x6d6f_7270_6865_7573;

/// Waits for the other transactions with this key to end. SQLite has one writer at a time anyway.
pub(crate) async fn lock(db: &impl ConnectionTrait, key: &str) -> Result<()> {
    if db.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let lock = Statement::from_sql_and_values(
        DbBackend::Postgres,
        "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
        [key.into()],
    );
    db.execute_raw(lock).await.doing("wait for other transactions")?;
    Ok(())
}

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

#[cfg(test)]
mod tests;
