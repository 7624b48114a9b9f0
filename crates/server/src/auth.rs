//! Who is asking: bearer tokens and session cookies.
//!
//! A session is a user's token with an end, kept in an `HttpOnly`, `SameSite=Strict` cookie. Requests that
//! come with the cookie must come from our own pages; requests with a bearer token may come from anywhere,
//! since no browser sends one by itself.

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, Method, header, request::Parts},
    middleware::Next,
    response::Response,
};
use chrono::TimeDelta;
use protocol::{OwnerId, TokenId};
use store::tokens::{AgentCredential, Principal};

use crate::{
    error::{ApiError, ApiResult},
    state::AppState,
};

/// Name of the session cookie.
pub(crate) const SESSION_COOKIE: &str = "morpheus_session";

/// A browser has to sign in again after this time.
pub(crate) const SESSION_DAYS: i64 = 30;

/// Name of the tokens behind session cookies.
pub(crate) const SESSION_NAME: &str = "browser session";

/// Name of the tokens in login addresses.
pub(crate) const LOGIN_NAME: &str = "login address";

/// A printed login address works for this long.
pub(crate) const LOGIN_DAYS: i64 = 1;

const NOT_SIGNED_IN: &str = "send `Authorization: Bearer …` with an API token, or sign in with the login address \
    that the server printed";

/// A signed-in user.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) owner: OwnerId,
    pub(crate) token: TokenId,
    pub(crate) token_name: String,
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
            }) => Ok(Self {
                owner: *owner,
                token: *token_id,
                token_name: name.clone(),
            }),
            Some(Principal::Agent(_)) => Err(ApiError::Forbidden(
                "this route is for users; an agent's token is not enough",
            )),
            None => Err(ApiError::Unauthorized(NOT_SIGNED_IN)),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Agent {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> ApiResult<Self> {
        match parts.extensions.get::<Principal>() {
            Some(Principal::Agent(credential)) => Ok(Self(credential.clone())),
            Some(Principal::User { .. }) => Err(ApiError::Forbidden(
                "this route is for agents; it needs an agent's token",
            )),
            None => Err(ApiError::Unauthorized(NOT_SIGNED_IN)),
        }
    }
}

/// Lets nobody pass whom it does not know.
pub(crate) async fn require(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let headers = request.headers();
    let principal = if let Some(token) = bearer(headers) {
        let principal = store::tokens::authenticate(state.store(), token).await?;
        principal.ok_or(ApiError::Unauthorized(
            "the token is unknown, expired or deleted: make a new one under Settings, or with POST /api/v1/tokens",
        ))?
    } else if let Some(token) = session_cookie(headers) {
        check_origin(request.method(), headers)?;
        let principal = store::tokens::authenticate(state.store(), token).await?;
        principal.ok_or(ApiError::Unauthorized(
            "the session has ended: sign in again with the login address that the server printed",
        ))?
    } else {
        return Err(ApiError::Unauthorized(NOT_SIGNED_IN));
    };
    if let Principal::User { token_id, .. } = &principal {
        state.note_use(*token_id).await;
    }
    request.extensions_mut().insert(principal);
    Ok(next.run(request).await)
}

/// Exchanges a token for a new session; the answer is the value of `Set-Cookie`.
pub(crate) async fn start_session(state: &AppState, token: &str) -> ApiResult<String> {
    let principal = store::tokens::authenticate(state.store(), token.trim()).await?;
    let Some(Principal::User { owner, .. }) = principal else {
        return Err(ApiError::Unauthorized(
            "the token is unknown, expired or deleted: start the server again to get a new login address, or use an \
             API token",
        ));
    };
    let lifetime = TimeDelta::days(SESSION_DAYS);
    let tx = state.store().begin().await?;
    let expires_at = store::now() + lifetime;
    let session = store::tokens::create_user(&tx, owner, SESSION_NAME, Some(expires_at)).await?;
    tx.commit().await?;
    Ok(cookie(state, &session.secret, lifetime.num_seconds()))
}

/// The value of `Set-Cookie` that makes a browser forget its session.
pub(crate) fn forget_session(state: &AppState) -> String {
    cookie(state, "", 0)
}

fn cookie(state: &AppState, value: &str, max_age_seconds: i64) -> String {
    let secure = if state.public_url.scheme_str() == Some("https") {
        "; Secure"
    } else {
        ""
    };
    format!("{SESSION_COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={max_age_seconds}{secure}")
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == SESSION_COOKIE).then_some(value))
}

/// Refuses what another site made a browser send with our cookie.
///
/// The rules are those of Go's `http.CrossOriginProtection`: browsers say where a request comes from in
/// `Sec-Fetch-Site`, older ones in `Origin`; what sends neither is no browser. A WebSocket is opened by a
/// GET that does more than read, and is not protected by CORS, so it is checked too.
fn check_origin(method: &Method, headers: &HeaderMap) -> ApiResult<()> {
    let is_safe = method.is_safe() && !headers.contains_key(header::UPGRADE);
    if is_safe {
        return Ok(());
    }
    const FOREIGN: ApiError = ApiError::Forbidden(
        "the request comes from another site; use Morpheus' own pages, or an API token as `Authorization: Bearer …`",
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
