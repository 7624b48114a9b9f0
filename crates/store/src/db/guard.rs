//! Discards connections in an unknown state, and pools that enforce this.
//!
//! A transaction that ends badly leaves its connection in a state that nobody knows. SQLite ends a transaction by
//! itself when the disk is full; sqlx does not notice, takes the next `BEGIN` for a savepoint within it, and what is
//! committed from then on is kept nowhere. So a pool takes a connection back, and hands it out, only if it is outside
//! of any transaction and nothing has gone wrong since it was opened.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError, RwLock},
    task::{Context, Poll, ready},
    time::Instant,
};

use sqlx::{
    Connection as _, Database, PgConnection, Postgres, Row as _,
    pool::{PoolConnectionMetadata, PoolOptions},
};

/// Which connections of a database are not used again: those that were open at a certain moment. That may be more
/// than the one that failed; opening another costs a millisecond or two. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Discards(Arc<Marks>);

#[derive(Debug, Default)]
struct Marks {
    moment: Mutex<Option<Instant>>,
    /// Shared by commits while they are polled, and taken alone by whoever asks for the moment.
    commits: RwLock<()>,
}

impl Discards {
    /// No connection that is open now is used again, once its transaction is over.
    pub(crate) fn discard(&self) {
        *self.0.moment.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Carries a commit through, and discards the connections if it fails or is given up.
    ///
    /// In the poll in which it fails it hands its connection back to the pool, and only then it is known that it
    /// failed. Nobody decides about a connection during such a poll, which waits for nothing.
    pub(super) fn watching<F, T, E>(&self, commit: F) -> Watched<'_, F>
    where
        F: Future<Output = Result<T, E>>,
    {
        Watched {
            commit: Some(Box::pin(commit)),
            discards: self,
        }
    }

    fn contains(&self, opened_at: Instant) -> bool {
        let _between_polls = self.0.commits.write().unwrap_or_else(PoisonError::into_inner);
        let moment = *self.0.moment.lock().unwrap_or_else(PoisonError::into_inner);
        moment.is_some_and(|moment| opened_at <= moment)
    }
}

/// See [`Discards::watching`].
pub(super) struct Watched<'a, F> {
    commit: Option<Pin<Box<F>>>,
    discards: &'a Discards,
}

impl<F, T, E> Future for Watched<'_, F>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<T, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let discards = self.discards;
        let _nobody_asks = discards.0.commits.read().unwrap_or_else(PoisonError::into_inner);
        let Some(commit) = &mut self.commit else {
            return Poll::Pending;
        };
        let outcome = ready!(commit.as_mut().poll(context));
        self.commit = None;
        if outcome.is_err() {
            discards.discard();
        }
        Poll::Ready(outcome)
    }
}

impl<F> Drop for Watched<'_, F> {
    fn drop(&mut self) {
        if let Some(commit) = self.commit.take() {
            let _nobody_asks = self
                .discards
                .0
                .commits
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            drop(commit);
            self.discards.discard();
        }
    }
}

/// When a connection was opened.
fn opened_at(meta: &PoolConnectionMetadata) -> Instant {
    let now = Instant::now();
    now.checked_sub(meta.age).unwrap_or(now)
}

/// A pool whose connections are fit for a new transaction.
pub(super) fn guarded<D: Database>(pool: PoolOptions<D>, discards: &Discards) -> PoolOptions<D> {
    let (taken_back, handed_out) = (discards.clone(), discards.clone());
    pool.after_release(move |connection, meta| {
        let (discards, opened_at) = (taken_back.clone(), opened_at(&meta));
        Box::pin(async move {
            // A transaction that was dropped has queued its rollback, which comes before this.
            connection.ping().await?;
            Ok(!connection.is_in_transaction() && !discards.contains(opened_at))
        })
    })
    .before_acquire(move |connection, meta| {
        let is_fit = !connection.is_in_transaction() && !handed_out.contains(opened_at(&meta));
        Box::pin(async move { Ok(is_fit) })
    })
}

/// The same for PostgreSQL, where the server is asked, too: `BEGIN` within a transaction is a mere warning there.
pub(super) fn guarded_postgres(pool: PoolOptions<Postgres>, discards: &Discards) -> PoolOptions<Postgres> {
    let (taken_back, discards) = (discards.clone(), discards.clone());
    guarded(pool, &taken_back)
        // sqlx has counted a queued rollback already, and waits for it with a ping of its own.
        .after_release(move |connection, meta| {
            let is_fit = !connection.is_in_transaction() && !taken_back.contains(opened_at(&meta));
            Box::pin(async move { Ok(is_fit) })
        })
        // The question below is a test as well.
        .test_before_acquire(false)
        .before_acquire(move |connection, meta| {
            let is_fit = !connection.is_in_transaction() && !discards.contains(opened_at(&meta));
            Box::pin(async move { Ok(is_fit && is_outside(connection).await?) })
        })
}

/// Whether the server, too, has no transaction open. A statement outside of one is its own transaction, and begins
/// with it; this must be a simple query, whose parts have one time.
async fn is_outside(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let asked = sqlx::raw_sql("SELECT transaction_timestamp() = statement_timestamp()");
    asked.fetch_one(connection).await?.try_get(0)
}

#[cfg(test)]
mod tests;
