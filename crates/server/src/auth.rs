//! Authentication: bearer tokens and session cookies.
//!
//! A browser exchanges a token or a login address for a session, kept in an `HttpOnly`, `SameSite=Strict` cookie.
//! The session ends with its token. Requests with the cookie must come from our own pages;
//! requests with a bearer token may come from anywhere, because browsers do not send one automatically. The secret in a
//! cookie is not valid as a bearer token, and vice versa.

mod peer;
mod sign_in;

use std::time::Instant;

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, Method, header, request::Parts},
    middleware::Next,
    response::Response,
};
use chrono::{DateTime, Utc};
use cookie::Cookie;
use protocol::{OwnerId, TokenId, problem::chain};
use store::{
    audit::{self, Actor},
    tokens::{self, AgentCredential, Ended, Principal, Standing, TokenKind},
};

pub(crate) use self::{
    peer::Peer,
    sign_in::{forget_session, is_signed_in, sign_in},
};
use crate::{
    error::{ApiError, ApiResult},
    guard::With,
    serve,
    state::AppState,
};

/// Name of the session cookie.
pub(crate) const SESSION_COOKIE: &str = "morpheus_session";

/// The cookie name over https: browsers do not let other hosts or plain HTTP set it.
const SECURE_SESSION_COOKIE: &str = "__Host-morpheus_session";

/// Lifetime of a login address, which works once.
pub(crate) const LOGIN_DAYS: i64 = 1;

const NOT_SIGNED_IN: &str = "send `Authorization: Bearer …` with an API token, or sign in with the login address \
    that the server printed";
const SESSION_ENDED: &str =
    "the session has ended: sign in again; `morpheus serve --new-login` prints a login address";

/// A signed-in user.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) owner: OwnerId,
    pub(crate) token: TokenId,
    pub(crate) token_name: String,
    pub(crate) kind: TokenKind,
    /// The token it was created with; for a session, the token it was signed in with.
    pub(crate) made_by: Option<TokenId>,
}

/// An agent.
pub(crate) struct Agent(pub(crate) AgentCredential);

impl<S: Send + Sync> FromRequestParts<S> for User {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> ApiResult<Self> {
        match parts.extensions.get::<Principal>() {
            Some(Principal::User {
                owner,
                token_id,
                name,
                kind,
                made_by,
                ..
            }) => Ok(Self {
                owner: *owner,
                token: *token_id,
                token_name: name.clone(),
                kind: *kind,
                made_by: *made_by,
            }),
            Some(Principal::Agent(_)) => Err(ApiError::Forbidden(
                "this route is for users; an agent's token has no access",
            )),
            None => Err(ApiError::Unauthorized(NOT_SIGNED_IN.into())),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Agent {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> ApiResult<Self> {
        match parts.extensions.get::<Principal>() {
            Some(Principal::Agent(credential)) => Ok(Self(credential.clone())),
            Some(Principal::User { .. }) => Err(ApiError::Forbidden(
                "this route is for agents; use an agent's token",
            )),
            None => Err(ApiError::Unauthorized(NOT_SIGNED_IN.into())),
        }
    }
}

/// Rejects requests without a valid token or session. Audit entries of the handler name the caller as actor.
pub(crate) async fn require(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let peer = Peer::of(&state, request.extensions(), request.headers());
    let principal = principal(&state, request.method(), request.headers(), &peer).await?;
    let actor = match &principal {
        Principal::User { owner, token_id, .. } => {
            state.note_use(*token_id).await;
            // Read-only requests leave no audit entry.
            let is_safe = request.method().is_safe();
            let name = if is_safe {
                None
            } else {
                tokens::full_name(state.store(), *token_id).await?
            };
            Actor {
                owner: Some(*owner),
                token: Some(*token_id),
                address: peer.shown(),
                ..Actor::named(name.unwrap_or_default())
            }
        }
        Principal::Agent(_) => Actor {
            address: peer.shown(),
            ..Actor::named("agent")
        },
    };
    if let Some(connection) = request.extensions().get::<Arc<serve::Peer>>() {
        connection.prove();
    }
    request.extensions_mut().insert(principal);
    Ok(audit::acting(actor, next.run(request)).await)
}

async fn principal(
    state: &AppState,
    method: &Method,
    headers: &HeaderMap,
    peer: &Peer,
) -> ApiResult<Principal> {
    let store = state.store();
    if let Some(token) = bearer(headers) {
        let standing = tokens::look_up(store, token).await?;
        return match standing {
            Standing::Valid(Principal::User { kind, .. }) if kind != TokenKind::Token => {
                Err(refuse(state, peer, With::Token, NO_API_TOKEN.into()))
            }
            Standing::Valid(principal) => Ok(principal),
            Standing::Ended { why, .. } => Err(refuse(state, peer, With::Token, ended_token(why))),
            Standing::Unknown => Err(refuse(state, peer, With::Token, UNKNOWN_TOKEN.into())),
        };
    }
    let Some(secret) = session_cookie(headers, is_https(state)) else {
        return Err(ApiError::Unauthorized(NOT_SIGNED_IN.into()));
    };
    check_origin(method, headers)?;
    match tokens::look_up(store, secret).await? {
        Standing::Valid(
            principal @ Principal::User {
                kind: TokenKind::Session,
                ..
            },
        ) => Ok(principal),
        // A browser that was signed out elsewhere did not guess a secret.
        Standing::Ended {
            kind: TokenKind::Session,
            ..
        } => Err(ApiError::Unauthorized(SESSION_ENDED.into())),
        _ => Err(refuse(state, peer, With::Session, SESSION_ENDED.into())),
    }
}

const UNKNOWN_TOKEN: &str = "the token is unknown: copy it again, or create a new one under Settings";
const NO_API_TOKEN: &str = "this is a login or session secret, not an API token: create one under Settings, or with POST \
    /api/v1/tokens";

fn ended_token(why: Ended) -> String {
    match why {
        Ended::Expired(at) => format!(
            "the token expired on {}: create a new one under Settings, or with POST /api/v1/tokens",
            day(at)
        ),
        Ended::Revoked | Ended::Used => {
            "the token was deleted: create a new one under Settings, or with POST /api/v1/tokens".to_owned()
        }
    }
}

fn day(time: DateTime<Utc>) -> impl std::fmt::Display {
    time.format("%Y-%m-%d at %H:%M UTC")
}

/// Counts a failed sign-in and creates the response to it.
fn refuse(state: &AppState, peer: &Peer, with: With, words: String) -> ApiError {
    let verdict = state.guard.refused(peer.address, with, Instant::now());
    if verdict.is_first {
        tracing::warn!(client.address = peer.shown(), ?with, "a sign-in failed");
    }
    match verdict.wait {
        Some(wait) => ApiError::TooManyRefusals { wait },
        None => ApiError::Unauthorized(words.into()),
    }
}

/// Writes failed sign-ins to the audit log: one entry per address.
pub(crate) async fn write_refused(state: &AppState) {
    let refused = state.guard.drain(Instant::now());
    if refused.is_empty() {
        return;
    }
    for one in refused.iter().filter(|one| one.n > 1) {
        tracing::warn!(
            client.address = one.address,
            with = one.with,
            n = one.n,
            "sign-ins failed within a minute"
        );
    }
    let writing = async {
        let tx = state.store().begin().await?;
        audit::record_refused(&tx, &refused).await?;
        tx.commit().await
    };
    if let Err(error) = writing.await {
        tracing::warn!(error = chain(&error), "failed sign-ins could not be recorded");
    }
}

fn is_https(state: &AppState) -> bool {
    state.public_url.scheme_str() == Some("https")
}

fn cookie_name(is_https: bool) -> &'static str {
    if is_https {
        SECURE_SESSION_COOKIE
    } else {
        SESSION_COOKIE
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn session_cookie(headers: &HeaderMap, is_https: bool) -> Option<&str> {
    let wanted = cookie_name(is_https);
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(Cookie::split_parse)
        .flatten()
        .find(|cookie| cookie.name() == wanted)?
        .value_raw()
}

/// Rejects requests that another site made a browser send with our cookie (CSRF).
///
/// The rules are those of Go's `http.CrossOriginProtection`: browsers state the origin of a request in
/// `Sec-Fetch-Site`, older ones in `Origin`; a client that sends neither is not a browser. A WebSocket is opened by a
/// GET request that has side effects and is not protected by CORS, so it is checked too.
fn check_origin(method: &Method, headers: &HeaderMap) -> ApiResult<()> {
    let is_safe = method.is_safe() && !headers.contains_key(header::UPGRADE);
    if is_safe {
        return Ok(());
    }
    const FOREIGN: ApiError = ApiError::Forbidden(
        "the request comes from another site; use Morpheus' own pages, or send an API token as `Authorization: \
             Bearer …`",
    );
    let text = |name: &str| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or("unreadable"))
    };
    match (text("sec-fetch-site"), text("origin"), text("host")) {
        (Some("same-origin" | "none"), _, _) | (None, None, _) => Ok(()),
        (None, Some(origin), Some(host))
            if origin.split_once("://").is_some_and(|(_, origin)| origin == host) =>
        {
            Ok(())
        }
        _ => Err(FOREIGN),
    }
}

#[cfg(test)]
mod tests;
