//! Sessions and API tokens.

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use protocol::{
    TokenId,
    api::{ApiToken, CreateToken, CreatedToken, Login, Session, TokenScope},
};
use serde::Deserialize;

use crate::{
    auth::{self, User},
    dashboard,
    error::{ApiError, ApiResult},
    extract::{Json, Path, Query},
    state::AppState,
};

/// The query of a login address.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct LoginQuery {
    token: Option<String>,
}

/// What a browser gets at the address that the server printed: a session, and the first page.
///
/// A token that is not taken leads to the page with the form, which says so.
pub(crate) async fn follow_login_address(
    State(state): State<AppState>,
    Query(query): Query<LoginQuery>,
) -> Response {
    let Some(token) = query.token else {
        return dashboard::index();
    };
    match auth::start_session(&state, &token).await {
        Ok(cookie) => ([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response(),
        Err(ApiError::Unauthorized(_)) => Redirect::to("/login?failed=true").into_response(),
        Err(error) => error.into_response(),
    }
}

/// Sign this browser in
///
/// Exchanges a token for a session cookie. Needs no other proof.
#[utoipa::path(
    post,
    path = "/login",
    tag = "access",
    request_body = Login,
    responses((status = 204, description = "Signed in; the answer sets the session cookie")),
    security(())
)]
pub(crate) async fn log_in(
    State(state): State<AppState>,
    Json(request): Json<Login>,
) -> ApiResult<impl IntoResponse> {
    let cookie = auth::start_session(&state, &request.token).await?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]))
}

/// Who is asking
#[utoipa::path(get, path = "/session", tag = "access", responses((status = 200, body = Session)))]
pub(crate) async fn session(user: User) -> axum::Json<Session> {
    axum::Json(Session {
        token_name: user.token_name,
        server_version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

/// Sign this browser out
#[utoipa::path(delete, path = "/session", tag = "access", responses((status = 204, description = "Signed out")))]
pub(crate) async fn sign_out(State(state): State<AppState>, user: User) -> ApiResult<impl IntoResponse> {
    // An API token that a program uses here stays: it is deleted by its id.
    if user.token_name == auth::SESSION_NAME {
        let tx = state.store().begin().await?;
        store::tokens::revoke(&tx, user.owner, user.token).await?;
        tx.commit().await?;
    }
    Ok((
        StatusCode::NO_CONTENT,
        [(header::SET_COOKIE, auth::forget_session(&state))],
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

/// Make an API token
#[utoipa::path(
    post,
    path = "/tokens",
    tag = "access",
    request_body = CreateToken,
    responses((status = 201, body = CreatedToken))
)]
pub(crate) async fn create_token(
    State(state): State<AppState>,
    user: User,
    Json(request): Json<CreateToken>,
) -> ApiResult<(StatusCode, axum::Json<CreatedToken>)> {
    let name = super::name(&request.name)?;
    if [auth::SESSION_NAME, auth::LOGIN_NAME].contains(&name) {
        return Err(ApiError::field(
            "name",
            format!("`{name}` is what the server calls its own tokens; choose another"),
        ));
    }
    let tx = state.store().begin().await?;
    let token = match request.scope {
        TokenScope::User => store::tokens::create_user(&tx, user.owner, name, None).await?,
        TokenScope::Agent => store::tokens::create_pool(&tx, user.owner, name).await?,
    };
    tx.commit().await?;
    Ok((StatusCode::CREATED, axum::Json(token)))
}

/// Delete an API token
///
/// Whoever uses it is refused from now on.
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
    store::tokens::revoke(&tx, user.owner, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
