//! Requests that may be sent twice: the answer to one that creates something is kept with what it creates.
//!
//! The server runs a request that carries an `Idempotency-Key` within [`scope`]. A transaction of it that ends with
//! [`Tx::commit_with`] stores the answer beside its changes: both are there, or neither. Whoever repeats the request
//! gets the answer of [`find`]. Of two that run at the same time, the second waits for the first and then fails by
//! the key, which is unique; what it did is rolled back.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use protocol::OwnerId;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, SqlErr};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{
    Read, Result, StoreError, Tx,
    db::{entities::idempotency_key, insert},
    error::Doing,
    now,
};

tokio::task_local! {
    static REQUEST: Arc<Request>;
}

/// A request that may be sent twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Whose it is. Keys of different owners have nothing to do with each other.
    pub owner: OwnerId,
    /// What its sender calls it.
    pub key: String,
    /// Method and path: `POST /api/v1/jobs`.
    pub route: String,
    /// SHA-256 of its body, in hexadecimal.
    pub body_sha256: String,
    /// Status of its answer when it succeeds.
    pub status: u16,
}

/// What is kept of a request that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// See [`Request::route`].
    pub route: String,
    /// See [`Request::body_sha256`].
    pub body_sha256: String,
    /// Status of the answer.
    pub status: u16,
    /// Its body.
    pub answer: Answer,
}

/// The body of an answer that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// JSON, as it was sent.
    Json(String),
    /// It held a secret and was not kept; these words say what to do instead.
    Secret(String),
}

/// Tells bodies of requests apart: their SHA-256, in hexadecimal.
pub fn hash(body: &[u8]) -> String {
    hex::encode(Sha256::digest(body))
}

/// Runs a request: what it commits with an answer is kept for its key.
pub async fn scope<F: Future>(request: Request, running: F) -> F::Output {
    REQUEST.scope(Arc::new(request), running).await
}

/// What an owner's request with this key was answered.
pub async fn find(db: &impl Read, owner: OwnerId, key: &str) -> Result<Option<Kept>> {
    let row = idempotency_key::Entity::find_by_id((owner.0, key.to_owned()))
        .one(db.connection())
        .await
        .doing("look for an idempotency key")?;
    row.map(kept).transpose()
}

/// Forgets what was answered before this time; returns how many answers those were.
pub async fn forget(tx: &Tx, before: DateTime<Utc>) -> Result<u64> {
    let done = idempotency_key::Entity::delete_many()
        .filter(idempotency_key::Column::CreatedAt.lt(before))
        .exec(tx.connection())
        .await
        .doing("forget idempotency keys")?;
    Ok(done.rows_affected)
}

impl Tx {
    /// Makes the changes last together with the answer that the request gets for them, and returns it.
    ///
    /// [`StoreError::Stale`] if a request with the same key was quicker; nothing is changed then.
    pub async fn commit_with<T: Serialize>(self, answer: T) -> Result<T> {
        let json = || serde_json::to_string(&answer).expect("answers have string keys and finite depth");
        keep(&self, || Answer::Json(json())).await?;
        self.commit().await?;
        Ok(answer)
    }

    /// The same for an answer with a secret: it is kept nowhere. Whoever repeats the request reads `refusal`.
    pub async fn commit_with_secret<T>(self, answer: T, refusal: String) -> Result<T> {
        keep(&self, || Answer::Secret(refusal)).await?;
        self.commit().await?;
        Ok(answer)
    }
}

async fn keep(tx: &Tx, answer: impl FnOnce() -> Answer) -> Result<()> {
    let Ok(request) = REQUEST.try_with(Arc::clone) else {
        return Ok(());
    };
    let (answer, refusal) = match answer() {
        Answer::Json(text) => (Some(text), None),
        Answer::Secret(refusal) => (None, Some(refusal)),
    };
    let row = idempotency_key::Model {
        owner_id: request.owner.0,
        key: request.key.clone(),
        route: request.route.clone(),
        body_sha256: request.body_sha256.clone(),
        status: i32::from(request.status),
        answer,
        refusal,
        created_at: now(),
    };
    match insert(tx.connection(), row, "keep an answer").await {
        Err(StoreError::Database { source, .. })
            if matches!(source.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) =>
        {
            Err(StoreError::stale("idempotency key", &request.key))
        }
        done => done,
    }
}

fn kept(row: idempotency_key::Model) -> Result<Kept> {
    let answer = match (row.answer, row.refusal) {
        (Some(text), None) => Answer::Json(text),
        (None, Some(refusal)) => Answer::Secret(refusal),
        _ => {
            return Err(StoreError::corrupt(
                "idempotency_keys",
                "must hold an answer or a refusal",
            ));
        }
    };
    Ok(Kept {
        route: row.route,
        body_sha256: row.body_sha256,
        status: u16::try_from(row.status)
            .map_err(|err| StoreError::corrupt("idempotency_keys.status", err))?,
        answer,
    })
}
