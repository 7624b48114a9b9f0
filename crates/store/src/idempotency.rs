//! Idempotent requests: the response to a creating request is stored with what it creates.
//!
//! The server runs a request that carries an `Idempotency-Key` within [`scope`]. A transaction of it that ends with
//! [`Tx::commit_with`] stores the response with its changes: both exist, or neither. A repeated request
//! gets the response from [`find`]. Of two concurrent requests, the second waits for the first and then fails on
//! the unique key; its changes are rolled back.

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

/// An idempotent request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its owner. Keys of different owners are independent.
    pub owner: OwnerId,
    /// The key.
    pub key: String,
    /// Method and path: `POST /api/v1/jobs`.
    pub route: String,
    /// SHA-256 of its body, in hexadecimal.
    pub body_sha256: String,
    /// Status of its response on success.
    pub status: u16,
}

/// Stored response to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// See [`Request::route`].
    pub route: String,
    /// See [`Request::body_sha256`].
    pub body_sha256: String,
    /// Status of the response.
    pub status: u16,
    /// Its body.
    pub answer: Answer,
}

/// The stored body of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// JSON, as it was sent.
    Json(String),
    /// It contained a secret and was not stored; this text says what to do instead.
    Secret(String),
}

/// Tells bodies of requests apart: their SHA-256, in hexadecimal.
pub fn hash(body: &[u8]) -> String {
    hex::encode(Sha256::digest(body))
}

/// Runs a request with its key: a response that it commits is stored.
pub async fn scope<F: Future>(request: Request, running: F) -> F::Output {
    REQUEST.scope(Arc::new(request), running).await
}

/// The stored response to an owner's request with this key.
pub async fn find(db: &impl Read, owner: OwnerId, key: &str) -> Result<Option<Kept>> {
    let row = idempotency_key::Entity::find_by_id((owner.0, key.to_owned()))
        .one(db.connection())
        .await
        .doing("look for an idempotency key")?;
    row.map(kept).transpose()
}

/// Deletes responses older than this time; returns how many.
pub async fn forget(tx: &Tx, before: DateTime<Utc>) -> Result<u64> {
    let done = idempotency_key::Entity::delete_many()
        .filter(idempotency_key::Column::CreatedAt.lt(before))
        .exec(tx.connection())
        .await
        .doing("forget idempotency keys")?;
    Ok(done.rows_affected)
}

impl Tx {
    /// Commits the changes together with the response, and returns it.
    ///
    /// [`StoreError::Stale`] if a concurrent request with the same key was faster; nothing is changed then.
    pub async fn commit_with<T: Serialize>(self, answer: T) -> Result<T> {
        let json = || serde_json::to_string(&answer).expect("answers have string keys and finite depth");
        keep(&self, || Answer::Json(json())).await?;
        self.commit().await?;
        Ok(answer)
    }

    /// The same for a response with a secret, which is not stored. A repeated request gets `refusal`.
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
