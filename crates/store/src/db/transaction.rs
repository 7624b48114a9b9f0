//! A transaction: the one way by which anything is written, with the rules for one that goes wrong.
//!
//! 1. A transaction in which a statement failed, or was abandoned half-way, can do nothing more and is never
//!    committed. SQLite may have rolled it back by itself, so that the next statement would be kept alone; PostgreSQL
//!    answers the `COMMIT` of a failed transaction with a `ROLLBACK` that is no error.
//! 2. After a failed commit, and after a failure that may have ended the transaction, its connection is not used
//!    again ([`Discards`]). The pool closes it, and with it whatever is left of the transaction.
//! 3. Dropped without a commit, it is rolled back; if that fails, the pool closes the connection as well.

use std::sync::atomic::{AtomicU32, Ordering};

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement};

use super::{guard::Discards, inject::Injector};
use crate::StorageFault;

/// An open transaction.
#[derive(Debug)]
pub struct Transaction {
    inner: DatabaseTransaction,
    /// Statements that began and have not succeeded (yet).
    n_open: AtomicU32,
    discards: Discards,
    injector: Injector,
}

impl Transaction {
    pub(super) async fn new(
        inner: DatabaseTransaction,
        discards: &Discards,
        injector: &Injector,
    ) -> Result<Self, DbErr> {
        injector.begun(&inner).await?;
        Ok(Self {
            inner,
            n_open: AtomicU32::new(0),
            discards: discards.clone(),
            injector: injector.clone(),
        })
    }

    /// Makes the changes last. They do only if this returns `Ok`; after an error that says nothing about them, as
    /// that of a connection that broke just then, they may or may not.
    pub(crate) async fn commit(self) -> Result<(), DbErr> {
        let Self {
            inner,
            n_open,
            discards,
            injector,
        } = self;
        if n_open.into_inner() > 0 {
            return Err(DbErr::Custom(
                "a statement of the transaction failed: it was rolled back".to_owned(),
            ));
        }
        // The transaction counts as failed until the database confirms success, even if the future is dropped.
        let unsure = Unsure(&discards);
        injector.before_commit(&inner).await?;
        discards.watching(inner.commit()).await?;
        injector.after_commit()?;
        std::mem::forget(unsure);
        Ok(())
    }

    /// For what takes nothing but sea-orm's own transactions: its migrations.
    pub(super) fn inner(&self) -> &DatabaseTransaction {
        &self.inner
    }

    async fn run<T>(&self, statement: impl Future<Output = Result<T, DbErr>> + Send) -> Result<T, DbErr> {
        if self.n_open.fetch_add(1, Ordering::AcqRel) > 0 {
            return Err(DbErr::Custom(
                "an earlier statement of the transaction failed".to_owned(),
            ));
        }
        let outcome = match self.injector.before_statement(&self.inner).await {
            Ok(()) => statement.await,
            Err(err) => Err(err),
        };
        match &outcome {
            Ok(_) => {
                self.n_open.fetch_sub(1, Ordering::AcqRel);
            }
            Err(err) => match StorageFault::of_database(err) {
                // A rule of the schema was broken, or somebody else was in the way: the connection is well if its
                // rollback succeeds.
                None | Some(StorageFault::Busy) => {}
                Some(_) => self.discards.discard(),
            },
        }
        outcome
    }
}

/// Discards the connections when it is dropped.
struct Unsure<'a>(&'a Discards);

impl Drop for Unsure<'_> {
    fn drop(&mut self) {
        self.0.discard();
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.run(self.inner.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.run(self.inner.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.run(self.inner.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.run(self.inner.query_all_raw(statement)).await
    }
}
