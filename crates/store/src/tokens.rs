//! API tokens: random, shown once, kept as hashes.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use protocol::{
    AttemptId, OwnerId, TokenId,
    api::{ApiToken, CreatedToken, TokenScope},
};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait},
};
use sha2::{Digest, Sha256};

use crate::{
    Read, Result, StoreError, Tx,
    db::{
        entities::{api_token, attempt},
        insert,
    },
    error::Doing,
    now,
};

/// Who a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// A person or their program.
    User {
        /// Whose things it sees.
        owner: OwnerId,
        /// The token, to revoke it.
        token_id: TokenId,
        /// What the token is for.
        name: String,
    },
    /// An agent.
    Agent(AgentCredential),
}

/// What an agent may touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentCredential {
    /// The hash of its token: it may work on attempts that carry the same one.
    pub(crate) token_hash: String,
    /// What it may claim.
    pub work: AgentWork,
}

/// What an agent may claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentWork {
    /// The attempt that it was started for.
    Attempt(AttemptId),
    /// Generations.
    Generations,
    /// Jobs of this owner that wait for a machine of the pool.
    Pool {
        /// Whose jobs.
        owner: OwnerId,
        /// The pool's token.
        token: TokenId,
    },
}

/// A fresh token of an attempt.
#[derive(Clone)]
pub struct NewToken {
    /// The token itself; kept nowhere.
    pub secret: String,
    /// Its hash, to keep.
    pub(crate) hash: String,
}

impl std::fmt::Debug for NewToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewToken(…)")
    }
}

impl NewToken {
    /// 256 random bits.
    pub fn random() -> Self {
        let bits: [u8; 32] = rand::random();
        let secret = format!("morpheus_{}", BASE64_URL_SAFE_NO_PAD.encode(bits));
        let hash = hash(&secret);
        Self { secret, hash }
    }
}

/// A token has 256 random bits, so that a plain hash cannot be reversed by guessing.
fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret))
}

const USER: &str = "user";
const WORKER: &str = "worker";

/// Makes a token for a user.
pub async fn create_user(
    tx: &Tx,
    owner: OwnerId,
    name: &str,
    expires_at: Option<DateTime<Utc>>,
) -> Result<CreatedToken> {
    create(tx, owner, name, TokenScope::User, USER, expires_at).await
}

/// Makes a token for machines of the pool, valid until it is revoked.
pub async fn create_pool(tx: &Tx, owner: OwnerId, name: &str) -> Result<CreatedToken> {
    create(tx, owner, name, TokenScope::Agent, WORKER, None).await
}

/// Makes a token for a worker that claims generations, valid for as long as one may live.
pub async fn create_worker(tx: &Tx, owner: OwnerId, name: &str, expires_at: DateTime<Utc>) -> Result<String> {
    let token = create(tx, owner, name, TokenScope::User, WORKER, Some(expires_at)).await?;
    Ok(token.secret)
}

async fn create(
    tx: &Tx,
    owner: OwnerId,
    name: &str,
    shown: TokenScope,
    scope: &str,
    expires_at: Option<DateTime<Utc>>,
) -> Result<CreatedToken> {
    let token = NewToken::random();
    let (id, created_at) = (TokenId::new(), now());
    let row = api_token::Model {
        id: id.0,
        owner_id: owner.0,
        name: name.to_owned(),
        scope: scope.to_owned(),
        token_hash: token.hash,
        created_at,
        last_used_at: None,
        expires_at,
        revoked_at: None,
        is_of_pool: shown == TokenScope::Agent,
    };
    insert(tx.connection(), row, "store a token").await?;
    Ok(CreatedToken {
        token: ApiToken {
            id,
            name: name.to_owned(),
            scope: shown,
            created_at,
            last_used_at: None,
        },
        secret: token.secret,
    })
}

/// Who a token speaks for; `None` when it is unknown, expired or revoked.
///
/// The token of an attempt that is over is still known, so that its agent hears that it lost the lease.
pub async fn authenticate(db: &impl Read, secret: &str) -> Result<Option<Principal>> {
    let hash = hash(secret);
    let token = api_token::Entity::find()
        .filter(api_token::Column::TokenHash.eq(&hash))
        .one(db.connection())
        .await
        .doing("look up a token")?;
    if let Some(token) = token {
        if token.revoked_at.is_some() || token.expires_at.is_some_and(|end| end < now()) {
            return Ok(None);
        }
        return Ok(Some(match token.scope.as_str() {
            USER => Principal::User {
                owner: OwnerId(token.owner_id),
                token_id: TokenId(token.id),
                name: token.name,
            },
            _ => Principal::Agent(AgentCredential {
                token_hash: hash,
                work: if token.is_of_pool {
                    AgentWork::Pool {
                        owner: OwnerId(token.owner_id),
                        token: TokenId(token.id),
                    }
                } else {
                    AgentWork::Generations
                },
            }),
        }));
    }
    let attempt = attempt::Entity::find()
        .filter(attempt::Column::TokenHash.eq(&hash))
        .one(db.connection())
        .await
        .doing("look up a token")?;
    Ok(attempt.map(|attempt| {
        Principal::Agent(AgentCredential {
            token_hash: hash,
            work: AgentWork::Attempt(AttemptId(attempt.id)),
        })
    }))
}

/// Notes that a token was used; written at most once a minute.
pub async fn touch(tx: &Tx, id: TokenId) -> Result<()> {
    let minute = now().trunc_subsecs(0);
    api_token::Entity::update_many()
        .col_expr(api_token::Column::LastUsedAt, Expr::value(minute))
        .filter(api_token::Column::Id.eq(id.0))
        .filter(
            api_token::Column::LastUsedAt
                .is_null()
                .or(api_token::Column::LastUsedAt.lt(minute - TimeDelta::minutes(1))),
        )
        .exec(tx.connection())
        .await
        .doing("note the use of a token")?;
    Ok(())
}

/// Whether any user token was ever made: if not, this is the first start.
pub async fn any_user(db: &impl Read) -> Result<bool> {
    let any = api_token::Entity::find()
        .filter(api_token::Column::Scope.eq(USER))
        .limit(1)
        .one(db.connection())
        .await
        .doing("look for tokens")?;
    Ok(any.is_some())
}

/// Workers that were started lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerStarts {
    /// How many.
    pub n: u64,
    /// The newest one.
    pub newest: Option<WorkerStart>,
}

/// A worker that was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerStart {
    /// The name of its token.
    pub name: String,
    /// When its token was made.
    pub created_at: DateTime<Utc>,
}

/// Workers whose tokens were made at or after `since`, with names that begin like this.
pub async fn worker_starts_since(db: &impl Read, prefix: &str, since: DateTime<Utc>) -> Result<WorkerStarts> {
    let rows = api_token::Entity::find()
        .filter(api_token::Column::Scope.eq(WORKER))
        .filter(api_token::Column::IsOfPool.eq(false))
        .filter(api_token::Column::CreatedAt.gte(since))
        .filter(api_token::Column::Name.starts_with(prefix))
        .order_by_desc(api_token::Column::Id)
        .all(db.connection())
        .await
        .doing("count workers")?;
    Ok(WorkerStarts {
        n: rows.len() as u64,
        newest: rows.into_iter().next().map(|row| WorkerStart {
            name: row.name,
            created_at: row.created_at,
        }),
    })
}

/// An owner's valid tokens, the newest first.
pub async fn list(db: &impl Read, owner: OwnerId) -> Result<Vec<ApiToken>> {
    let rows = api_token::Entity::find()
        .filter(api_token::Column::OwnerId.eq(owner.0))
        .filter(
            api_token::Column::Scope
                .eq(USER)
                .or(api_token::Column::IsOfPool.eq(true)),
        )
        .filter(api_token::Column::RevokedAt.is_null())
        .order_by_desc(api_token::Column::Id)
        .all(db.connection())
        .await
        .doing("list tokens")?;
    Ok(rows
        .into_iter()
        .filter(|row| row.expires_at.is_none_or(|end| end >= now()))
        .map(|row| ApiToken {
            id: TokenId(row.id),
            name: row.name,
            scope: if row.is_of_pool {
                TokenScope::Agent
            } else {
                TokenScope::User
            },
            created_at: row.created_at,
            last_used_at: row.last_used_at,
        })
        .collect())
}

/// Makes a token useless.
pub async fn revoke(tx: &Tx, owner: OwnerId, id: TokenId) -> Result<()> {
    let done = api_token::Entity::update_many()
        .col_expr(api_token::Column::RevokedAt, Expr::value(now()))
        .filter(api_token::Column::Id.eq(id.0))
        .filter(api_token::Column::OwnerId.eq(owner.0))
        .filter(api_token::Column::RevokedAt.is_null())
        .exec(tx.connection())
        .await
        .doing("revoke a token")?;
    if done.rows_affected == 0 {
        return Err(StoreError::not_found("token", id));
    }
    Ok(())
}
