//! From a token or a login address to a session, and out again.

use axum::http::{HeaderMap, Method};
use chrono::TimeDelta;
use cookie::{Cookie, SameSite, time};
use protocol::audit::AuditAction;
use store::{
    StoreError,
    audit::{self, Actor},
    tokens::{self, Ended, LOGIN_NAME, Principal, SESSION_NAME, Standing, TokenKind},
};

use super::{Peer, With, cookie_name, day, is_https, principal, refuse, session_cookie};
use crate::{error::ApiError, state::AppState};

/// A browser has to sign in again after this time.
const SESSION_DAYS: i64 = 30;

/// Why a sign-in failed.
pub(crate) struct Refusal {
    /// The error for API clients.
    pub(crate) error: ApiError,
    /// The reason as one word for the sign-in page; absent for server errors.
    pub(crate) word: Option<&'static str>,
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self {
            error: error.into(),
            word: None,
        }
    }
}

/// Exchanges a token, or the token of a login address, for a new session; returns the value of `Set-Cookie`. The
/// previous session of the browser ends.
pub(crate) async fn sign_in(
    state: &AppState,
    secret: &str,
    peer: Peer,
    headers: &HeaderMap,
) -> Result<String, Refusal> {
    let refused = |standing: &Standing| {
        let (word, text) = words(standing);
        Refusal {
            error: refuse(state, &peer, With::Login, text),
            word: Some(word),
        }
    };
    let secret = secret.trim();
    // Wrong secrets do not start a transaction, which would block others.
    let seen = tokens::look_up(state.store(), secret).await?;
    if !matches!(seen, Standing::Valid(_)) {
        return Err(refused(&seen));
    }
    let tx = state.store().begin().await?;
    let until = store::now() + TimeDelta::days(SESSION_DAYS);
    let session = match tokens::sign_in(&tx, secret, until, peer.clone().browser()).await? {
        Ok(session) => session,
        Err(standing) => return Err(refused(&standing)),
    };
    let before = match session_cookie(headers, is_https(state)) {
        Some(before) => tokens::look_up(&tx, before).await?,
        None => Standing::Unknown,
    };
    if let Standing::Valid(Principal::User {
        owner,
        token_id,
        kind: TokenKind::Session,
        ..
    }) = before
    {
        tokens::end_session(&tx, owner, token_id).await?;
    }
    let with = match session.signed_in_with.as_str() {
        LOGIN_NAME => LOGIN_NAME.to_owned(),
        name => format!("token {name}"),
    };
    let actor = Actor {
        owner: Some(session.owner),
        token: Some(session.id),
        address: peer.shown(),
        ..Actor::named(format!("{SESSION_NAME} ({})", session.signed_in_with))
    };
    let detail = peer.browser().user_agent.unwrap_or_default();
    audit::acting(
        actor,
        audit::record(&tx, AuditAction::SignedIn, &format!("with {with}"), &detail),
    )
    .await?;
    tx.commit().await?;
    state.access.changed();
    let seconds = (session.expires_at - store::now()).num_seconds().max(1);
    Ok(cookie(state, &session.secret, seconds))
}

/// Whether the browser is signed in already.
pub(crate) async fn is_signed_in(state: &AppState, peer: &Peer, headers: &HeaderMap) -> bool {
    let has_cookie = session_cookie(headers, is_https(state)).is_some();
    has_cookie && principal(state, &Method::GET, headers, peer).await.is_ok()
}

/// The value of `Set-Cookie` that makes a browser forget its session.
pub(crate) fn forget_session(state: &AppState) -> String {
    cookie(state, "", 0)
}

fn cookie(state: &AppState, value: &str, max_age_seconds: i64) -> String {
    let is_https = is_https(state);
    Cookie::build((cookie_name(is_https), value))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(is_https)
        .max_age(time::Duration::seconds(max_age_seconds))
        .to_string()
}

/// Why a secret is not valid for sign-in: a word for the page, and a message for API clients.
fn words(standing: &Standing) -> (&'static str, String) {
    const FRESH: &str = "`morpheus serve --new-login` prints a new one";
    match standing {
        Standing::Ended {
            kind: TokenKind::Login,
            why: Ended::Used,
        } => (
            "used",
            format!("this login address was already used, and works only once: {FRESH}"),
        ),
        Standing::Ended {
            kind: TokenKind::Login,
            why: Ended::Expired(_),
        } => (
            "expired",
            format!("this login address is more than a day old: {FRESH}"),
        ),
        Standing::Ended {
            kind: TokenKind::Login,
            ..
        } => (
            "ended",
            format!("this login address was revoked by signing out everywhere: {FRESH}"),
        ),
        Standing::Ended {
            why: Ended::Expired(at),
            ..
        } => (
            "expired_token",
            format!(
                "the token expired on {}: use another one, or a login address; {FRESH}",
                day(*at)
            ),
        ),
        Standing::Ended { .. } => (
            "deleted_token",
            format!("the token was deleted: use another one, or a login address; {FRESH}"),
        ),
        Standing::Valid(_) | Standing::Unknown => (
            "unknown",
            format!("the token is unknown: paste the whole login address or API token; {FRESH}"),
        ),
    }
}
