//! Faults that tests put between a transaction and its database.
//!
//! A fault is SQL: it runs on the transaction's own connection, and what the database says of it is what the caller
//! sees. So a full disk is SQLite's own error with all that SQLite does about it, and a connection that breaks is
//! broken. Outside of tests nothing is ever armed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, RuntimeErr};

use super::guard::Discards;

/// Where a fault strikes, counted from when it was armed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strike {
    /// In place of the nth statement, counted from 1 over all transactions.
    Statement(u32),
    /// In place of the nth commit.
    Commit(u32),
    /// Just before the nth commit, which is what fails by it.
    AtCommit(u32),
    /// After the nth commit: it has happened, and nobody hears of it.
    Answer(u32),
}

/// What a test has armed for the transactions of a store. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Injector {
    state: Arc<Mutex<State>>,
    discards: Discards,
}

#[derive(Debug, Default)]
struct State {
    armed: Option<(Strike, String)>,
    /// What each transaction runs first.
    first: Option<String>,
    n_statements: u32,
    n_commits: u32,
}

impl Injector {
    pub(super) fn new(discards: Discards) -> Self {
        Self {
            state: Arc::default(),
            discards,
        }
    }

    /// Lets one fault strike; counting begins.
    pub fn arm(&self, strike: Strike, sql: impl Into<String>) {
        *self.state() = State {
            armed: Some((strike, sql.into())),
            ..State::default()
        };
    }

    /// Takes back what was armed; whether it has struck.
    pub fn disarm(&self) -> bool {
        self.state().armed.take().is_none()
    }

    /// How many transactions were committed since the last fault was armed.
    pub fn n_commits(&self) -> u32 {
        self.state().n_commits
    }

    /// Lets every transaction run this first: a state of the disk that lasts until it is taken back with `None`.
    pub fn run_first(&self, sql: Option<&str>) {
        self.state().first = sql.map(str::to_owned);
        // What it has set may live as long as the connection.
        self.discards.discard();
    }

    pub(super) async fn begun(&self, tx: &DatabaseTransaction) -> Result<(), DbErr> {
        let first = self.state().first.clone();
        match first {
            Some(sql) => tx.execute_unprepared(&sql).await.map(drop),
            None => Ok(()),
        }
    }

    pub(super) async fn before_statement(&self, tx: &DatabaseTransaction) -> Result<(), DbErr> {
        let strikes = {
            let mut state = self.state();
            state.n_statements += 1;
            let here = Strike::Statement(state.n_statements);
            state.take(here)
        };
        strike(tx, strikes).await
    }

    pub(super) async fn before_commit(&self, tx: &DatabaseTransaction) -> Result<(), DbErr> {
        let (at, strikes) = {
            let mut state = self.state();
            let n = state.n_commits + 1;
            (state.take(Strike::AtCommit(n)), state.take(Strike::Commit(n)))
        };
        if let Some(sql) = at {
            tx.execute_unprepared(&sql).await?;
        }
        strike(tx, strikes).await
    }

    pub(super) fn after_commit(&self) -> Result<(), DbErr> {
        let mut state = self.state();
        state.n_commits += 1;
        let here = Strike::Answer(state.n_commits);
        match state.take(here) {
            Some(_) => Err(DbErr::Conn(RuntimeErr::SqlxError(
                sqlx::Error::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset)).into(),
            ))),
            None => Ok(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, here: Strike) -> Option<String> {
        self.armed
            .take_if(|(strike, _)| *strike == here)
            .map(|(_, sql)| sql)
    }
}

async fn strike(tx: &DatabaseTransaction, sql: Option<String>) -> Result<(), DbErr> {
    match sql {
        Some(sql) => {
            tx.execute_unprepared(&sql).await?;
            Err(DbErr::Custom(format!("the injected `{sql}` did not fail")))
        }
        None => Ok(()),
    }
}
