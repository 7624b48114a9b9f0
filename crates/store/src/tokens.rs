//! API tokens: random, shown once, kept as hashes. Browser sessions and login addresses are kept beside them.

mod sessions;
mod standing;

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
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    Read, Result, StoreError, Tx,
    db::{entities::api_token, insert},
    error::Doing,
    now,
    words::{unword, word},
};

pub use sessions::{
    Browser, LOGIN_NAME, NewSession, SESSION_NAME, create_login, end_session, list_sessions, sign_in,
    sign_out_everywhere,
};
pub use standing::{Ended, Reach, Standing, authenticate, is_valid, look_up, reach};

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// For a program, or a machine.
    Token,
    /// A browser that is signed in; it comes in a cookie.
    Session,
    /// An address that signs a browser in, once.
    Login,
}

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
        /// Whether it is a program's or a browser's.
        kind: TokenKind,
        /// When it ends by itself.
        expires_at: Option<DateTime<Utc>>,
        /// What it was made with.
        made_by: Option<TokenId>,
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

/// A token that is to be made.
#[derive(Debug, Clone, Copy)]
pub struct NewApiToken<'a> {
    /// Whose.
    pub owner: OwnerId,
    /// What it is for.
    pub name: &'a str,
    /// Who uses it.
    pub scope: TokenScope,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
    /// The token or session that makes it.
    pub made_by: Option<TokenId>,
}

/// Makes a token for a person's program, or for machines of the pool.
pub async fn create_token(tx: &Tx, new: NewApiToken<'_>) -> Result<CreatedToken> {
    let scope = match new.scope {
        TokenScope::User => USER,
        TokenScope::Agent => WORKER,
    };
    create(tx, new, scope, TokenKind::Token, None).await
}

/// Makes a token for a user.
pub async fn create_user(
    tx: &Tx,
    owner: OwnerId,
    name: &str,
    expires_at: Option<DateTime<Utc>>,
) -> Result<CreatedToken> {
    create_token(tx, NewApiToken::plain(owner, name, TokenScope::User, expires_at)).await
}

/// Makes a token for machines of the pool, valid until it is revoked.
pub async fn create_pool(tx: &Tx, owner: OwnerId, name: &str) -> Result<CreatedToken> {
    create_token(tx, NewApiToken::plain(owner, name, TokenScope::Agent, None)).await
}

/// Makes a token for a worker that claims generations, valid for as long as one may live.
pub async fn create_worker(tx: &Tx, owner: OwnerId, name: &str, expires_at: DateTime<Utc>) -> Result<String> {
    let new = NewApiToken::plain(owner, name, TokenScope::User, Some(expires_at));
    let token = create(tx, new, WORKER, TokenKind::Token, None).await?;
    Ok(token.secret)
}

impl<'a> NewApiToken<'a> {
    fn plain(owner: OwnerId, name: &'a str, scope: TokenScope, expires_at: Option<DateTime<Utc>>) -> Self {
        Self {
            owner,
            name,
            scope,
            expires_at,
            made_by: None,
        }
    }
}

async fn create(
    tx: &Tx,
    new: NewApiToken<'_>,
    scope: &str,
    kind: TokenKind,
    browser: Option<Browser>,
) -> Result<CreatedToken> {
    let token = NewToken::random();
    let (id, created_at) = (TokenId::new(), now());
    let browser = browser.unwrap_or_default();
    let row = api_token::Model {
        id: id.0,
        owner_id: new.owner.0,
        name: new.name.to_owned(),
        scope: scope.to_owned(),
        token_hash: token.hash,
        created_at,
        last_used_at: None,
        expires_at: new.expires_at,
        revoked_at: None,
        is_of_pool: new.scope == TokenScope::Agent,
        kind: word(&kind),
        made_by: new.made_by.map(|maker| maker.0),
        client_address: browser.address,
        user_agent: browser.user_agent,
    };
    insert(tx.connection(), row, "store a token").await?;
    Ok(CreatedToken {
        token: ApiToken {
            id,
            name: new.name.to_owned(),
            scope: new.scope,
            created_at,
            last_used_at: None,
            expires_at: new.expires_at,
            made_by: None,
        },
        secret: token.secret,
    })
}

/// What a token is called, to say what was done with it: `browser session (login address)`.
pub async fn full_name(db: &impl Read, id: TokenId) -> Result<Option<String>> {
    let Some(row) = by_id(db, id.0).await? else {
        return Ok(None);
    };
    let maker = match row.made_by {
        Some(maker) if row.kind == word(&TokenKind::Session) => by_id(db, maker).await?,
        _ => None,
    };
    Ok(Some(called(&row, maker.as_ref())?))
}

async fn by_id(db: &impl Read, id: uuid::Uuid) -> Result<Option<api_token::Model>> {
    api_token::Entity::find_by_id(id)
        .one(db.connection())
        .await
        .doing("look up a token")
}

fn called(row: &api_token::Model, maker: Option<&api_token::Model>) -> Result<String> {
    Ok(match (unword("api_tokens.kind", &row.kind)?, maker) {
        (TokenKind::Token, _) => format!("token {}", row.name),
        (TokenKind::Session, Some(maker)) => format!("{SESSION_NAME} ({})", maker.name),
        (TokenKind::Session | TokenKind::Login, _) => row.name.clone(),
    })
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

/// An owner's tokens that were not deleted, also those whose time is over, the newest first.
pub async fn list(db: &impl Read, owner: OwnerId) -> Result<Vec<ApiToken>> {
    let rows = api_token::Entity::find()
        .filter(api_token::Column::OwnerId.eq(owner.0))
        .filter(api_token::Column::Kind.eq(word(&TokenKind::Token)))
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
    let makers = sessions::makers(db, &rows).await?;
    rows.into_iter()
        .map(|row| {
            let made_by = match row.made_by {
                Some(maker) => makers.called(maker)?,
                None => None,
            };
            Ok(ApiToken {
                id: TokenId(row.id),
                name: row.name,
                scope: if row.is_of_pool {
                    TokenScope::Agent
                } else {
                    TokenScope::User
                },
                created_at: row.created_at,
                last_used_at: row.last_used_at,
                expires_at: row.expires_at,
                made_by,
            })
        })
        .collect()
}

/// A token that was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// What it was for.
    pub name: String,
    /// Browsers that were signed in with it, and are no longer.
    pub n_sessions: u64,
}

/// Makes a token useless, and ends the sessions that were signed in with it.
pub async fn revoke(tx: &Tx, owner: OwnerId, id: TokenId) -> Result<Revoked> {
    sessions::hold_owner(tx, owner).await?;
    let found = tx
        .hold(api_token::Entity::find_by_id(id.0))
        .filter(api_token::Column::OwnerId.eq(owner.0))
        .filter(api_token::Column::Kind.eq(word(&TokenKind::Token)))
        .filter(api_token::Column::RevokedAt.is_null())
        .one(tx.connection())
        .await
        .doing("revoke a token")?
        .ok_or_else(|| StoreError::not_found("token", id))?;
    let end = |query: sea_orm::UpdateMany<api_token::Entity>| {
        query
            .col_expr(api_token::Column::RevokedAt, Expr::value(now()))
            .filter(api_token::Column::RevokedAt.is_null())
            .exec(tx.connection())
    };
    let itself = api_token::Entity::update_many().filter(api_token::Column::Id.eq(id.0));
    end(itself).await.doing("revoke a token")?;
    let sessions = api_token::Entity::update_many()
        .filter(api_token::Column::MadeBy.eq(id.0))
        .filter(api_token::Column::Kind.eq(word(&TokenKind::Session)));
    let done = end(sessions).await.doing("end the sessions of a token")?;
    Ok(Revoked {
        name: found.name,
        n_sessions: done.rows_affected,
    })
}
