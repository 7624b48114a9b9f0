//! API tokens: random, shown once, kept as hashes.

use chrono::{DateTime, Utc};
use protocol::{AttemptId, OwnerId};
use uuid::Uuid;

use crate::{Read, Result, Tx};

/// Who a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// A person or their program.
    User {
        /// Whose things it sees.
        owner: OwnerId,
        /// The token, to revoke it.
        token_id: Uuid,
    },
    /// An agent.
    Agent(AgentCredential),
}

/// What an agent may touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentCredential {
    /// The hash of its token: it may work on attempts that carry the same one.
    pub(crate) token_hash: String,
    /// The only attempt it may claim; `None` for a worker that claims generations.
    pub attempt: Option<AttemptId>,
}

/// A fresh token.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// The token itself; kept nowhere.
    pub secret: String,
    /// Its hash, to keep.
    pub(crate) hash: String,
}

/// Makes a token for a user.
pub async fn create_user(
    tx: &Tx,
    owner: OwnerId,
    name: &str,
    expires_at: Option<DateTime<Utc>>,
) -> Result<String> {
    let _ = (tx, owner, name, expires_at);
    todo!()
}

/// Makes a token for a worker that claims generations.
pub async fn create_worker(tx: &Tx, name: &str, expires_at: DateTime<Utc>) -> Result<String> {
    let _ = (tx, name, expires_at);
    todo!()
}

/// Who a token speaks for; `None` when it is unknown, expired or revoked.
pub async fn authenticate(db: &impl Read, token: &str) -> Result<Option<Principal>> {
    let _ = (db, token);
    todo!()
}

/// Whether any user token was ever made: if not, this is the first start.
pub async fn any_user(db: &impl Read) -> Result<bool> {
    let _ = db;
    todo!()
}

/// Makes a token useless.
pub async fn revoke(tx: &Tx, token_id: Uuid) -> Result<()> {
    let _ = (tx, token_id);
    todo!()
}
