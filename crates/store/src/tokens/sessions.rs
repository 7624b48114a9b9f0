//! Browsers that are signed in, and the addresses that sign one in.
//!
//! A session belongs to the token that it was signed in with: it ends no later, and with it. One that was signed in
//! with a login address belongs to the owner. Signing in and signing out everywhere wait for each other, so that
//! nobody slips in between.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use protocol::{
    OwnerId, TokenId,
    api::{BrowserSession, CreatedToken, SignedOut, TokenScope},
};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder,
    sea_query::{Expr, ExprTrait},
};
use uuid::Uuid;

use super::{NewApiToken, Principal, Standing, TokenKind, USER, api_token, called, create, hash, look_up};
use crate::{Read, Result, StoreError, Tx, db::entities::owner, error::Doing, now, words::word};

/// What sessions are called.
pub const SESSION_NAME: &str = "browser session";

/// What login addresses are called.
pub const LOGIN_NAME: &str = "login address";

/// What is known of a browser.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Browser {
    /// Its address.
    pub address: Option<String>,
    /// What it calls itself, in short.
    pub user_agent: Option<String>,
}

/// A session that was made.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Its id.
    pub id: TokenId,
    /// What goes into the cookie.
    pub secret: String,
    /// Whose it is.
    pub owner: OwnerId,
    /// What it was signed in with.
    pub signed_in_with: String,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
}

/// Makes a token for an address that signs in once.
pub async fn create_login(tx: &Tx, owner: OwnerId, expires_at: DateTime<Utc>) -> Result<CreatedToken> {
    let new = NewApiToken::plain(owner, LOGIN_NAME, TokenScope::User, Some(expires_at));
    create(tx, new, USER, TokenKind::Login, None).await
}

/// Exchanges a token, or the one of a login address, for a session that ends at `until`, or with the token. A login
/// address is used up. `Err` says what is wrong with the secret.
pub async fn sign_in(
    tx: &Tx,
    secret: &str,
    until: DateTime<Utc>,
    browser: Browser,
) -> Result<std::result::Result<NewSession, Standing>> {
    // Sign-in, sign-out and deleting a token lock the owner first, to avoid deadlocks.
    if let Some(owner) = owner_of(tx, secret).await? {
        hold_owner(tx, owner).await?;
    }
    let (owner, token_id, name, kind, expires_at) = match look_up(tx, secret).await? {
        // A session cannot create another one, or it would never end.
        Standing::Valid(
            Principal::User {
                kind: TokenKind::Session,
                ..
            }
            | Principal::Agent(_),
        ) => return Ok(Err(Standing::Unknown)),
        Standing::Valid(Principal::User {
            owner,
            token_id,
            name,
            kind,
            expires_at,
            ..
        }) => (owner, token_id, name, kind, expires_at),
        other => return Ok(Err(other)),
    };
    let mut until = until;
    if kind == TokenKind::Login {
        use_up(tx, token_id).await?;
    } else if let Some(end) = expires_at {
        until = Ord::min(until, end);
    }
    let new = NewApiToken {
        made_by: Some(token_id),
        ..NewApiToken::plain(owner, SESSION_NAME, TokenScope::User, Some(until))
    };
    let made = create(tx, new, USER, TokenKind::Session, Some(browser)).await?;
    Ok(Ok(NewSession {
        id: made.token.id,
        secret: made.secret,
        owner,
        signed_in_with: name,
        expires_at: until,
    }))
}

/// Whose a token is, without holding it.
async fn owner_of(tx: &Tx, secret: &str) -> Result<Option<OwnerId>> {
    let row = api_token::Entity::find()
        .filter(api_token::Column::TokenHash.eq(hash(secret)))
        .one(tx.connection())
        .await
        .doing("look up a token")?;
    Ok(row.map(|row| OwnerId(row.owner_id)))
}

/// Others that change an owner's access wait until this transaction ends.
pub(super) async fn hold_owner(tx: &Tx, id: OwnerId) -> Result<()> {
    tx.hold(owner::Entity::find_by_id(id.0))
        .one(tx.connection())
        .await
        .doing("hold an owner")?;
    Ok(())
}

async fn use_up(tx: &Tx, id: TokenId) -> Result<()> {
    api_token::Entity::update_many()
        .col_expr(api_token::Column::LastUsedAt, Expr::value(now()))
        .col_expr(api_token::Column::RevokedAt, Expr::value(now()))
        .filter(api_token::Column::Id.eq(id.0))
        .exec(tx.connection())
        .await
        .doing("use a login address up")?;
    Ok(())
}

/// An owner's sessions that are good, the one used last first. `current` is the one that asks.
pub async fn list_sessions(
    db: &impl Read,
    owner: OwnerId,
    current: Option<TokenId>,
) -> Result<Vec<BrowserSession>> {
    let rows = api_token::Entity::find()
        .filter(api_token::Column::OwnerId.eq(owner.0))
        .filter(api_token::Column::Kind.eq(word(&TokenKind::Session)))
        .filter(api_token::Column::RevokedAt.is_null())
        .filter(
            api_token::Column::ExpiresAt
                .is_null()
                .or(api_token::Column::ExpiresAt.gte(now())),
        )
        .order_by_desc(api_token::Column::Id)
        .all(db.connection())
        .await
        .doing("list sessions")?;
    let makers = makers(db, &rows).await?;
    let mut sessions: Vec<BrowserSession> = rows
        .into_iter()
        .map(|row| BrowserSession {
            id: TokenId(row.id),
            is_current: current == Some(TokenId(row.id)),
            signed_in_with: makers.name(row.made_by),
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            expires_at: row.expires_at,
            address: row.client_address,
            user_agent: row.user_agent,
        })
        .collect();
    sessions.sort_by_key(|session| {
        (
            !session.is_current,
            std::cmp::Reverse(session.last_used_at.unwrap_or(session.created_at)),
        )
    });
    Ok(sessions)
}

/// Ends a session.
pub async fn end_session(tx: &Tx, owner: OwnerId, id: TokenId) -> Result<()> {
    let done = api_token::Entity::update_many()
        .col_expr(api_token::Column::RevokedAt, Expr::value(now()))
        .filter(api_token::Column::Id.eq(id.0))
        .filter(api_token::Column::OwnerId.eq(owner.0))
        .filter(api_token::Column::Kind.eq(word(&TokenKind::Session)))
        .filter(api_token::Column::RevokedAt.is_null())
        .exec(tx.connection())
        .await
        .doing("end a session")?;
    if done.rows_affected == 0 {
        return Err(StoreError::not_found("session", id));
    }
    Ok(())
}

/// Ends all of an owner's sessions, and login addresses that were not used yet.
pub async fn sign_out_everywhere(tx: &Tx, owner: OwnerId) -> Result<SignedOut> {
    hold_owner(tx, owner).await?;
    let end = |kind: TokenKind| {
        api_token::Entity::update_many()
            .col_expr(api_token::Column::RevokedAt, Expr::value(now()))
            .filter(api_token::Column::OwnerId.eq(owner.0))
            .filter(api_token::Column::Kind.eq(word(&kind)))
            .filter(api_token::Column::RevokedAt.is_null())
            .filter(
                api_token::Column::ExpiresAt
                    .is_null()
                    .or(api_token::Column::ExpiresAt.gte(now())),
            )
            .exec(tx.connection())
    };
    let sessions = end(TokenKind::Session).await.doing("end all sessions")?;
    let logins = end(TokenKind::Login).await.doing("end all login addresses")?;
    Ok(SignedOut {
        n_sessions: sessions.rows_affected,
        n_login_addresses: logins.rows_affected,
    })
}

/// What tokens were made with, and with what that was.
pub(super) struct Makers(HashMap<Uuid, api_token::Model>);

/// Reads them for some tokens.
pub(super) async fn makers(db: &impl Read, rows: &[api_token::Model]) -> Result<Makers> {
    let mut found = HashMap::new();
    let mut wanted: Vec<Uuid> = rows.iter().filter_map(|row| row.made_by).collect();
    // A token, a session, and what that was signed in with.
    for _ in 0..2 {
        wanted.sort_unstable();
        wanted.dedup();
        wanted.retain(|id| !found.contains_key(id));
        if wanted.is_empty() {
            break;
        }
        let rows = api_token::Entity::find()
            .filter(api_token::Column::Id.is_in(wanted))
            .all(db.connection())
            .await
            .doing("look up what tokens were made with")?;
        wanted = rows.iter().filter_map(|row| row.made_by).collect();
        found.extend(rows.into_iter().map(|row| (row.id, row)));
    }
    Ok(Makers(found))
}

impl Makers {
    /// `browser session (login address)`, `token ci`.
    pub(super) fn called(&self, id: Uuid) -> Result<Option<String>> {
        let Some(row) = self.0.get(&id) else {
            return Ok(None);
        };
        let maker = row.made_by.and_then(|maker| self.0.get(&maker));
        called(row, maker).map(Some)
    }

    fn name(&self, id: Option<Uuid>) -> String {
        let maker = id.and_then(|id| self.0.get(&id));
        maker.map_or_else(|| "unknown".to_owned(), |maker| maker.name.clone())
    }
}
