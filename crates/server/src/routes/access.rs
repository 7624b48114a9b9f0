//! Sessions and API tokens.

use axum::{
    extract::State,
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use protocol::{
    TokenId,
    api::{ApiToken, BrowserSession, CreateToken, CreatedToken, Login, Session, SignedOut, TokenScope},
    audit::AuditAction,
};
use serde::Deserialize;
use store::{
    audit,
    tokens::{self, NewApiToken, Reach, TokenKind},
};

use super::key::IdempotencyKey;
use crate::{
    auth::{self, Peer, User},
    dashboard,
    error::{ApiError, ApiResult},
    extract::{Json, Path, Query},
    state::AppState,
};

/// Maximum lifetime of a token.
const MAX_TOKEN_DAYS: u32 = 3650;

/// Query of a login address.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct LoginQuery {
    token: Option<String>,
}

/// Handles the login address that the server printed: creates a session and redirects to the first page.
///
/// An invalid token redirects to the sign-in page, which shows the reason; a browser that is already signed in goes
/// to the first page anyway. Prefetching does not use up the address.
pub(crate) async fn follow_login_address(
    State(state): State<AppState>,
    method: Method,
    peer: Peer,
    headers: HeaderMap,
    Query(query): Query<LoginQuery>,
) -> Response {
    let (Some(token), false) = (query.token, only_looks(&method, &headers)) else {
        return dashboard::index();
    };
    let refusal = match auth::sign_in(&state, &token, peer.clone(), &headers).await {
        Ok(cookie) => return ([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response(),
        Err(refusal) => refusal,
    };
    match refusal.word {
        Some(_) if auth::is_signed_in(&state, &peer, &headers).await => Redirect::to("/").into_response(),
        Some(_) if matches!(refusal.error, ApiError::TooManyRefusals { .. }) => {
            Redirect::to("/login?failed=limited").into_response()
        }
        Some(word) => Redirect::to(&format!("/login?failed={word}")).into_response(),
        None => refusal.error.into_response(),
    }
}

/// Browsers prefetch pages, and chat programs fetch link previews.
fn only_looks(method: &Method, headers: &HeaderMap) -> bool {
    let says = |name: &str, word: &str| {
        headers
            .get(name)
            .is_some_and(|value| value.to_str().is_ok_and(|value| value.contains(word)))
    };
    *method == Method::HEAD || says("sec-purpose", "prefetch") || says("purpose", "prefetch")
}

/// Sign this browser in
///
/// Exchanges an API token, or the token of a login address, for a session cookie. Requires no other authentication. The
/// session ends with the token. A login address works once.
#[utoipa::path(
    post,
    path = "/login",
    tag = "access",
    request_body = Login,
    responses(
        (status = 204, description = "Signed in; the response sets the session cookie"),
        (status = 429, description = "Too many failed sign-ins from this address; `Retry-After` says how long to wait")
    ),
    security(())
)]
pub(crate) async fn log_in(
    State(state): State<AppState>,
    peer: Peer,
    headers: HeaderMap,
    Json(request): Json<Login>,
) -> ApiResult<impl IntoResponse> {
    let cookie = auth::sign_in(&state, &request.token, peer, &headers)
        .await
        .map_err(|refusal| refusal.error)?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]))
}

/// Get the current session
#[utoipa::path(get, path = "/session", tag = "access", responses((status = 200, body = Session)))]
pub(crate) async fn session(State(state): State<AppState>, user: User) -> ApiResult<axum::Json<Session>> {
    let signed_in_with = match (user.kind, user.made_by) {
        (TokenKind::Session, Some(maker)) => tokens::full_name(state.store(), maker).await?,
        _ => None,
    };
    Ok(axum::Json(Session {
        token_name: user.token_name,
        signed_in_with,
        server_version: env!("CARGO_PKG_VERSION").to_owned(),
    }))
}

/// Sign this browser out
#[utoipa::path(delete, path = "/session", tag = "access", responses((status = 204, description = "Signed out")))]
pub(crate) async fn sign_out(State(state): State<AppState>, user: User) -> ApiResult<impl IntoResponse> {
    // An API token that a program uses here stays: it is deleted by its id.
    if user.kind == TokenKind::Session {
        let tx = state.store().begin().await?;
        tokens::end_session(&tx, user.owner, user.token).await?;
        audit::record(&tx, AuditAction::SignedOut, "", "").await?;
        tx.commit().await?;
        state.access.changed();
    }
    Ok((
        StatusCode::NO_CONTENT,
        [(header::SET_COOKIE, auth::forget_session(&state))],
    ))
}

/// List the browsers that are signed in
#[utoipa::path(get, path = "/sessions", tag = "access", responses((status = 200, body = [BrowserSession])))]
pub(crate) async fn list_sessions(
    State(state): State<AppState>,
    user: User,
) -> ApiResult<axum::Json<Vec<BrowserSession>>> {
    let sessions = tokens::list_sessions(state.store(), user.owner, Some(user.token)).await?;
    Ok(axum::Json(sessions))
}

/// Sign one browser out
#[utoipa::path(
    delete,
    path = "/sessions/{id}",
    tag = "access",
    params(("id" = Uuid, Path, description = "The session")),
    responses((status = 204, description = "Signed out"))
)]
pub(crate) async fn end_session(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<TokenId>,
) -> ApiResult<StatusCode> {
    let tx = state.store().begin().await?;
    let name = tokens::full_name(&tx, id).await?;
    tokens::end_session(&tx, user.owner, id).await?;
    audit::record(&tx, AuditAction::SessionEnded, &name.unwrap_or_default(), "").await?;
    tx.commit().await?;
    state.access.changed();
    Ok(StatusCode::NO_CONTENT)
}

/// Sign out everywhere
///
/// Ends all sessions, including the one of this request, and revokes unused login addresses. API tokens remain valid.
#[utoipa::path(delete, path = "/sessions", tag = "access", responses((status = 200, body = SignedOut)))]
pub(crate) async fn sign_out_everywhere(
    State(state): State<AppState>,
    user: User,
) -> ApiResult<impl IntoResponse> {
    let tx = state.store().begin().await?;
    let ended = tokens::sign_out_everywhere(&tx, user.owner).await?;
    let subject = format!(
        "{} sessions, {} login addresses",
        ended.n_sessions, ended.n_login_addresses
    );
    audit::record(&tx, AuditAction::SignedOutEverywhere, &subject, "").await?;
    tx.commit().await?;
    state.access.changed();
    Ok((
        [(header::SET_COOKIE, auth::forget_session(&state))],
        axum::Json(ended),
    ))
}

/// List API tokens
#[utoipa::path(get, path = "/tokens", tag = "access", responses((status = 200, body = [ApiToken])))]
pub(crate) async fn list_tokens(
    State(state): State<AppState>,
    user: User,
) -> ApiResult<axum::Json<Vec<ApiToken>>> {
    Ok(axum::Json(store::tokens::list(state.store(), user.owner).await?))
}

/// Create an API token
#[utoipa::path(
    post,
    path = "/tokens",
    tag = "access",
    params(IdempotencyKey),
    request_body = CreateToken,
    responses((status = 201, body = CreatedToken))
)]
pub(crate) async fn create_token(
    State(state): State<AppState>,
    user: User,
    Json(request): Json<CreateToken>,
) -> ApiResult<(StatusCode, axum::Json<CreatedToken>)> {
    let name = super::name(&request.name)?;
    if [tokens::SESSION_NAME, tokens::LOGIN_NAME].contains(&name) {
        return Err(ApiError::field(
            "name",
            format!("`{name}` is reserved for the server's own tokens; choose another name"),
        ));
    }
    let expires_at = end(request.expires_in_days)?;
    let tx = state.store().begin().await?;
    check_reach(tokens::reach(&tx, user.token).await?, expires_at)?;
    let new = NewApiToken {
        owner: user.owner,
        name,
        scope: request.scope,
        expires_at,
        made_by: Some(user.token),
    };
    let mut token = tokens::create_token(&tx, new).await?;
    token.token.made_by = tokens::full_name(&tx, user.token).await?;
    let detail = match (request.scope, expires_at) {
        (TokenScope::User, None) => "full access, until it is deleted".to_owned(),
        (TokenScope::Agent, None) => "for machines, until it is deleted".to_owned(),
        (TokenScope::User, Some(end)) => format!("full access, until {}", end.format("%Y-%m-%d")),
        (TokenScope::Agent, Some(end)) => format!("for machines, until {}", end.format("%Y-%m-%d")),
    };
    audit::record(&tx, AuditAction::TokenMade, name, &detail).await?;
    let refusal = format!(
        "the token `{name}` was made by the first request with this Idempotency-Key, and its secret is shown once only: \
         delete it, and make another with a new key"
    );
    let token = tx.commit_with_secret(token, refusal).await?;
    Ok((StatusCode::CREATED, axum::Json(token)))
}

/// Expiry of a token that is valid for this many days.
fn end(days: Option<u32>) -> ApiResult<Option<DateTime<Utc>>> {
    match days {
        None => Ok(None),
        Some(days @ 1..=MAX_TOKEN_DAYS) => Ok(Some(store::now() + TimeDelta::days(i64::from(days)))),
        Some(days) => Err(ApiError::field(
            "expires_in_days",
            format!(
                "must be from 1 to {MAX_TOKEN_DAYS}, not {days}; omit it for a token that does not expire"
            ),
        )),
    }
}

/// A token cannot create one that outlives it.
fn check_reach(reach: Reach, expires_at: Option<DateTime<Utc>>) -> ApiResult<()> {
    match reach {
        Reach::Unlimited => Ok(()),
        Reach::Until(limit) if expires_at.is_some_and(|end| end <= limit) => Ok(()),
        Reach::Until(limit) => Err(ApiError::field(
            "expires_in_days",
            format!(
                "must expire no later than the token you are signed in with, on {}",
                limit.format("%Y-%m-%d at %H:%M UTC")
            ),
        )),
        Reach::Ended => Err(ApiError::signed_out()),
    }
}

/// Delete an API token
///
/// Everything that uses it stops working, and browsers signed in with it are signed out. Tokens that it created stay
/// valid; the list shows which they are.
#[utoipa::path(
    delete,
    path = "/tokens/{id}",
    tag = "access",
    params(("id" = Uuid, Path, description = "The token")),
    responses((status = 204, description = "Deleted"))
)]
pub(crate) async fn delete_token(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<TokenId>,
) -> ApiResult<StatusCode> {
    let tx = state.store().begin().await?;
    let revoked = tokens::revoke(&tx, user.owner, id).await?;
    let detail = match revoked.n_sessions {
        0 => String::new(),
        n => format!("and ended {n} sessions created with it"),
    };
    audit::record(&tx, AuditAction::TokenDeleted, &revoked.name, &detail).await?;
    tx.commit().await?;
    state.access.changed();
    Ok(StatusCode::NO_CONTENT)
}
