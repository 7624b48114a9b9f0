//! Browsers that are signed in: by what, for how long, and how that ends.

use protocol::api::{ApiToken, BrowserSession, CreatedToken, SignedOut};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::json;

use crate::{
    access::sign_in,
    app::{TestApp, empty, problem, take},
    events,
};

/// Signs in with a token; what the browser sends from then on.
async fn sign_in_with(app: &TestApp, token: &str) -> String {
    let request = app
        .anonymous(Method::POST, "/login")
        .json(&json!({ "token": token }));
    let answer = empty(StatusCode::NO_CONTENT, request).await;
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

async fn make_token(app: &TestApp, name: &str) -> CreatedToken {
    app.post(StatusCode::CREATED, "/api/v1/tokens", &json!({ "name": name }))
        .await
}

fn session(app: &TestApp, cookie: &str) -> RequestBuilder {
    app.anonymous(Method::GET, "/api/v1/session")
        .header("cookie", cookie)
}

fn secret_of(app: &TestApp) -> &str {
    app.login_url.as_ref().unwrap().split_once("token=").unwrap().1
}

/// Where opening the login address leads.
async fn follow(app: &TestApp, change: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Option<String> {
    let request = app.anonymous(Method::GET, &format!("/login?token={}", secret_of(app)));
    let answer = change(request).send().await.unwrap();
    let location = answer.headers().get("location")?;
    Some(location.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_login_address_works_once() {
    let app = TestApp::start().await;
    // What only looks ahead does not use it up.
    let path = format!("/login?token={}", secret_of(&app));
    empty(StatusCode::OK, app.anonymous(Method::HEAD, &path)).await;
    assert_eq!(
        follow(&app, |get| get.header("sec-purpose", "prefetch;prerender")).await,
        None
    );
    let as_token = app
        .anonymous(Method::GET, "/api/v1/jobs")
        .bearer_auth(secret_of(&app));
    problem(StatusCode::UNAUTHORIZED, as_token).await;

    let cookie = sign_in(&app).await;
    empty(StatusCode::OK, session(&app, &cookie)).await;
    assert_eq!(follow(&app, |get| get).await.unwrap(), "/login?failed=used");
    // Whoever is signed in just goes on.
    assert_eq!(
        follow(&app, |get| get.header("cookie", &cookie)).await.unwrap(),
        "/"
    );
    empty(StatusCode::OK, session(&app, &cookie)).await;
    let again = app.anonymous(Method::POST, "/login");
    let refused = problem(
        StatusCode::UNAUTHORIZED,
        again.json(&json!({ "token": secret_of(&app) })),
    )
    .await;
    assert!(
        refused.title.contains("already used") && refused.title.contains("--new-login"),
        "{}",
        refused.title
    );
}

#[tokio::test]
async fn a_session_ends_with_its_token() {
    let app = TestApp::start().await;
    let token = make_token(&app, "laptop").await;
    let cookie = sign_in_with(&app, &token.secret).await;
    empty(StatusCode::OK, session(&app, &cookie)).await;
    let mut socket = events::open_with(&app, "/api/v1/events", "cookie", &cookie).await;
    let mut by_token = events::open_with(
        &app,
        "/api/v1/events",
        "authorization",
        &format!("Bearer {}", token.secret),
    )
    .await;
    // What is in a cookie is good for nothing else.
    let secret = cookie.split_once('=').unwrap().1;
    let as_token = app.anonymous(Method::GET, "/api/v1/jobs").bearer_auth(secret);
    problem(StatusCode::UNAUTHORIZED, as_token).await;
    let as_login = app
        .anonymous(Method::POST, "/login")
        .json(&json!({ "token": secret }));
    problem(StatusCode::UNAUTHORIZED, as_login).await;
    let as_cookie = session(&app, &format!("morpheus_session={}", token.secret));
    problem(StatusCode::UNAUTHORIZED, as_cookie).await;

    let path = format!("/api/v1/tokens/{}", token.token.id);
    empty(StatusCode::NO_CONTENT, app.request(Method::DELETE, &path)).await;
    problem(StatusCode::UNAUTHORIZED, session(&app, &cookie)).await;
    assert_eq!(events::next(&mut socket).await, Err(4401));
    assert_eq!(events::next(&mut by_token).await, Err(4401));
    let again = app
        .anonymous(Method::POST, "/login")
        .json(&json!({ "token": token.secret }));
    let refused = problem(StatusCode::UNAUTHORIZED, again).await;
    assert!(refused.title.contains("deleted"), "{}", refused.title);
}

#[tokio::test]
async fn all_browsers_are_signed_out_together() {
    let app = TestApp::start().await;
    let token = make_token(&app, "laptop").await;
    let (one, other) = (
        sign_in_with(&app, &token.secret).await,
        sign_in_with(&app, &token.secret).await,
    );
    let list = app
        .anonymous(Method::GET, "/api/v1/sessions")
        .header("cookie", &one);
    let sessions: Vec<BrowserSession> = take(
        StatusCode::OK,
        list.header("user-agent", "Mozilla/5.0 (X11; Linux) Firefox/1"),
    )
    .await;
    assert_eq!(sessions.len(), 2);
    let current = &sessions[0];
    assert!(current.is_current && !sessions[1].is_current);
    assert_eq!(current.signed_in_with, "laptop");
    assert_eq!(current.address.as_deref(), Some("127.0.0.1"));
    assert!(current.expires_at.is_some());

    // A token that was made in a browser says so, and stays.
    let make = app
        .anonymous(Method::POST, "/api/v1/tokens")
        .header("cookie", &one);
    let made: CreatedToken = take(StatusCode::CREATED, make.json(&json!({ "name": "script" }))).await;
    let listed: Vec<ApiToken> = app.get("/api/v1/tokens").await;
    let listed = listed.iter().find(|token| token.id == made.token.id).unwrap();
    assert_eq!(listed.made_by.as_deref(), Some("browser session (laptop)"));

    // One at a time, or all of them.
    let path = format!("/api/v1/sessions/{}", sessions[1].id);
    empty(StatusCode::NO_CONTENT, app.request(Method::DELETE, &path)).await;
    problem(StatusCode::UNAUTHORIZED, session(&app, &other)).await;
    problem(StatusCode::NOT_FOUND, app.request(Method::DELETE, &path)).await;
    let everywhere = app
        .anonymous(Method::DELETE, "/api/v1/sessions")
        .header("cookie", &one);
    let ended: SignedOut = take(StatusCode::OK, everywhere).await;
    assert_eq!((ended.n_sessions, ended.n_login_addresses), (1, 1));
    problem(StatusCode::UNAUTHORIZED, session(&app, &one)).await;
    assert_eq!(follow(&app, |get| get).await.unwrap(), "/login?failed=ended");
    let as_token = app
        .anonymous(Method::GET, "/api/v1/jobs")
        .bearer_auth(&made.secret);
    empty(StatusCode::OK, as_token).await;
}

#[tokio::test]
async fn what_ends_makes_nothing_that_lasts_longer() {
    let app = TestApp::start().await;
    let make = |days: u32| json!({ "name": "week", "expires_in_days": days });
    for wrong in [0, 3651] {
        let body = make(wrong);
        let refused = app.refused(StatusCode::BAD_REQUEST, Method::POST, "/api/v1/tokens", &body);
        assert_eq!(refused.await.errors[0].field, "expires_in_days");
    }
    let week: CreatedToken = app.post(StatusCode::CREATED, "/api/v1/tokens", &make(7)).await;
    let end = week.token.expires_at.unwrap();
    let minutes = (end - week.token.created_at).num_minutes();
    assert!((7 * 24 * 60 - 1..=7 * 24 * 60).contains(&minutes), "{minutes}");
    let request = app
        .anonymous(Method::POST, "/login")
        .json(&json!({ "token": week.secret }));
    let answer = empty(StatusCode::NO_CONTENT, request).await;
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    let age: i64 = cookie.split_once("Max-Age=").unwrap().1.parse().unwrap();
    assert!((7 * 86400 - 60..=7 * 86400).contains(&age), "{age}");

    let cookie = cookie.split(';').next().unwrap();
    let by_session = |body| {
        let post = app.anonymous(Method::POST, "/api/v1/tokens");
        post.header("cookie", cookie).json(&body)
    };
    let by_token = |body| {
        let post = app.anonymous(Method::POST, "/api/v1/tokens");
        post.bearer_auth(&week.secret).json(&body)
    };
    for longer in [json!({ "name": "for ever" }), make(8)] {
        problem(StatusCode::BAD_REQUEST, by_session(longer.clone())).await;
        problem(StatusCode::BAD_REQUEST, by_token(longer)).await;
    }
    empty(StatusCode::CREATED, by_session(make(6))).await;
    empty(StatusCode::CREATED, by_token(make(6))).await;
    // Whoever has a login address owns the installation.
    let owner = sign_in(&app).await;
    let post = app
        .anonymous(Method::POST, "/api/v1/tokens")
        .header("cookie", owner);
    empty(StatusCode::CREATED, post.json(&json!({ "name": "for ever" }))).await;
}

#[tokio::test]
async fn a_browser_that_signs_in_again_has_one_session() {
    let app = TestApp::start().await;
    let before = sign_in_with(&app, &app.token).await;
    let request = app
        .anonymous(Method::POST, "/login")
        .json(&json!({ "token": app.token }));
    let answer = empty(StatusCode::NO_CONTENT, request.header("cookie", &before)).await;
    let after = answer.headers()["set-cookie"]
        .to_str()
        .unwrap()
        .split(';')
        .next()
        .unwrap();
    assert_ne!(before, after, "a session that somebody planted is not taken over");
    problem(StatusCode::UNAUTHORIZED, session(&app, &before)).await;
    empty(StatusCode::OK, session(&app, after)).await;
}

#[tokio::test]
async fn cookies_are_bound_to_the_host_where_it_is_reached_by_https() {
    let app = TestApp::start_with(|config| config.public_url = Some("https://morpheus.example".into())).await;
    let request = app
        .anonymous(Method::POST, "/login")
        .json(&json!({ "token": app.token }));
    let answer = empty(StatusCode::NO_CONTENT, request).await;
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-morpheus_session="), "{cookie}");
    for flag in ["; Path=/;", "; HttpOnly", "; SameSite=Strict", "; Secure"] {
        assert!(cookie.contains(flag), "{cookie}");
    }
    let name_and_value = cookie.split(';').next().unwrap();
    empty(StatusCode::OK, session(&app, name_and_value)).await;
}

#[tokio::test]
async fn a_machine_whose_token_is_deleted_gets_no_more_work() {
    let app = TestApp::start().await;
    let body = json!({ "name": "workshop", "scope": "agent" });
    let made: CreatedToken = app.post(StatusCode::CREATED, "/api/v1/tokens", &body).await;
    let claim = json!({
        "kinds": ["train"], "wait_seconds": 60,
        "machine": { "name": "m", "labels": [], "gpu": null, "engines": ["native"] },
    });
    let request = app
        .anonymous(Method::POST, "/api/v1/agent/claim")
        .bearer_auth(&made.secret);
    let waiting = tokio::spawn(request.json(&claim).send());
    wait_until_seen(&app).await;
    let path = format!("/api/v1/tokens/{}", made.token.id);
    empty(StatusCode::NO_CONTENT, app.request(Method::DELETE, &path)).await;
    assert_eq!(waiting.await.unwrap().unwrap().status(), StatusCode::UNAUTHORIZED);
}

/// Until the machine `m` has asked for work.
async fn wait_until_seen(app: &TestApp) {
    let is_seen = async || {
        let providers: serde_json::Value = app.get("/api/v1/providers").await;
        providers.to_string().contains("\"name\":\"m\"")
    };
    while !is_seen().await {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
