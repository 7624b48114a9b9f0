//! Whether a token is good, what it is good for, and why it is so no longer.

use chrono::{DateTime, Utc};
use protocol::{AttemptId, OwnerId, TokenId};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::{AgentCredential, AgentWork, Principal, TokenKind, USER, api_token, by_id, hash};
use crate::{
    Read, Result, Tx,
    db::entities::attempt,
    error::Doing,
    now,
    words::{unword, word},
};

/// What is known of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is good.
    Valid(Principal),
    /// It was, and is no longer.
    Ended {
        /// What it was.
        kind: TokenKind,
        /// Why it is not any more.
        why: Ended,
    },
    /// Nobody ever had it, or it was for work that is over.
    Unknown,
}

/// Why a token is no longer good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Its time was over then.
    Expired(DateTime<Utc>),
    /// A login address that has signed somebody in.
    Used,
    /// It was deleted, or signed out.
    Revoked,
}

/// For how long what a token makes may be good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// As long as anybody likes.
    Unlimited,
    /// No longer than itself.
    Until(DateTime<Utc>),
    /// It is not good any more.
    Ended,
}

/// For how long what this token, or session, makes may be good: a session of a token as long as the token, one of a
/// login address as long as its owner likes. The token stays good until the transaction ends.
pub async fn reach(tx: &Tx, id: TokenId) -> Result<Reach> {
    let row = tx
        .hold(api_token::Entity::find_by_id(id.0))
        .one(tx.connection())
        .await
        .doing("look up a token")?;
    let Some(row) = row else { return Ok(Reach::Ended) };
    let (kind, maker, end) = (row.kind.clone(), row.made_by, row.expires_at);
    if !matches!(standing(row)?, Standing::Valid(_)) {
        return Ok(Reach::Ended);
    }
    let end = match maker {
        Some(maker) if kind == word(&TokenKind::Session) => by_id(tx, maker)
            .await?
            .filter(|maker| maker.kind == word(&TokenKind::Token))
            .and_then(|maker| maker.expires_at),
        _ => end,
    };
    Ok(end.map_or(Reach::Unlimited, Reach::Until))
}

/// Who a token speaks for; `None` when it is unknown, expired or revoked.
///
/// The token of an attempt that is over is still known, so that its agent hears that it lost the lease.
pub async fn authenticate(db: &impl Read, secret: &str) -> Result<Option<Principal>> {
    Ok(match look_up(db, secret).await? {
        Standing::Valid(principal) => Some(principal),
        Standing::Ended { .. } | Standing::Unknown => None,
    })
}

/// The same, and of a token that is good no longer, why. In a transaction, it stays as it is until that ends.
pub async fn look_up(db: &impl Read, secret: &str) -> Result<Standing> {
    let hash = hash(secret);
    let query = api_token::Entity::find().filter(api_token::Column::TokenHash.eq(&hash));
    let token = db
        .hold(query)
        .one(db.connection())
        .await
        .doing("look up a token")?;
    if let Some(token) = token {
        return standing(token);
    }
    let attempt = attempt::Entity::find()
        .filter(attempt::Column::TokenHash.eq(&hash))
        // What a worker is handed has attempts with its token: of a drawing session's agent, the one that is left is the
        // session's.
        .filter(attempt::Column::GenerationId.is_null())
        .filter(attempt::Column::EditId.is_null())
        .one(db.connection())
        .await
        .doing("look up a token")?;
    Ok(attempt.map_or(Standing::Unknown, |attempt| {
        Standing::Valid(Principal::Agent(AgentCredential {
            token_hash: hash,
            work: AgentWork::Attempt(AttemptId(attempt.id)),
        }))
    }))
}

fn standing(token: api_token::Model) -> Result<Standing> {
    let kind: TokenKind = unword("api_tokens.kind", &token.kind)?;
    let why = match (token.revoked_at, token.expires_at) {
        (Some(_), _) if kind == TokenKind::Login && token.last_used_at.is_some() => Some(Ended::Used),
        (Some(_), _) => Some(Ended::Revoked),
        (None, Some(end)) if end < now() => Some(Ended::Expired(end)),
        _ => None,
    };
    if let Some(why) = why {
        return Ok(Standing::Ended { kind, why });
    }
    let (owner, token_id) = (OwnerId(token.owner_id), TokenId(token.id));
    Ok(Standing::Valid(if token.scope == USER {
        Principal::User {
            owner,
            token_id,
            name: token.name,
            kind,
            expires_at: token.expires_at,
            made_by: token.made_by.map(TokenId),
        }
    } else {
        Principal::Agent(AgentCredential {
            token_hash: token.token_hash,
            work: if token.is_of_pool {
                AgentWork::Pool {
                    owner,
                    token: token_id,
                }
            } else {
                AgentWork::Generations
            },
        })
    }))
}

/// Whether a token is still good. In a transaction, it stays so until that ends.
pub async fn is_valid(db: &impl Read, id: TokenId) -> Result<bool> {
    let row = db
        .hold(api_token::Entity::find_by_id(id.0))
        .one(db.connection())
        .await
        .doing("look up a token")?;
    Ok(match row.map(standing).transpose()? {
        Some(Standing::Valid(_)) => true,
        Some(Standing::Ended { .. } | Standing::Unknown) | None => false,
    })
}
