//! Who may do what: tokens, sessions, other sites, other names.

use orchestrator::providers::Purpose;
use protocol::{
    JobId,
    agent::WorkKind,
    api::{ApiToken, CreatedToken, Page, Session},
    dataset::Item,
};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::app::{TestApp, empty, in_folder, problem, take};

/// The part of `Set-Cookie` that a browser sends back.
pub(crate) async fn sign_in(app: &TestApp) -> String {
    let url = app.login_url.as_ref().unwrap();
    let response = app.http.get(url).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(response.headers()["location"], "/");
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    assert!(
        cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Strict"),
        "{cookie}"
    );
    cookie.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn without_a_token_nothing_is_shown() {
    let app = TestApp::start().await;
    let job = JobId::new();
    for (method, path) in [
        (Method::GET, "/api/v1/datasets".to_owned()),
        (Method::GET, "/api/v1/base-models".to_owned()),
        (Method::GET, "/api/v1/presets?base_model=tiny-xl".to_owned()),
        (Method::POST, "/api/v1/jobs".to_owned()),
        (Method::GET, format!("/api/v1/jobs/{job}/events")),
        (Method::GET, "/api/v1/events".to_owned()),
        (Method::POST, "/api/v1/tokens".to_owned()),
        (Method::POST, "/api/v1/agent/claim".to_owned()),
        (Method::GET, "/metrics".to_owned()),
    ] {
        let refusal = problem(StatusCode::UNAUTHORIZED, app.anonymous(method, &path)).await;
        assert_eq!(refusal.kind, "unauthorized", "{path}");
    }
    for wrong in ["morpheus_wrong", "", "a b"] {
        let request = app.anonymous(Method::GET, "/api/v1/jobs").bearer_auth(wrong);
        problem(StatusCode::UNAUTHORIZED, request).await;
    }
}

#[tokio::test]
async fn the_login_address_signs_a_browser_in_and_out() {
    let app = TestApp::start().await;
    let cookie = sign_in(&app).await;
    let with_cookie = |method, path| app.anonymous(method, path).header("cookie", &cookie);
    let session: Session = take(StatusCode::OK, with_cookie(Method::GET, "/api/v1/session")).await;
    assert_eq!(session.token_name, "browser session");
    assert_eq!(session.signed_in_with.as_deref(), Some("login address"));
    empty(
        StatusCode::NO_CONTENT,
        with_cookie(Method::DELETE, "/api/v1/session"),
    )
    .await;
    problem(
        StatusCode::UNAUTHORIZED,
        with_cookie(Method::GET, "/api/v1/session"),
    )
    .await;
}

#[tokio::test]
async fn a_token_can_be_exchanged_for_a_session() {
    let app = TestApp::start().await;
    let request = app.anonymous(Method::POST, "/login");
    let wrong = request.json(&json!({"token": "guess"}));
    assert_eq!(
        problem(StatusCode::UNAUTHORIZED, wrong).await.kind,
        "unauthorized"
    );
    let wrong = app
        .anonymous(Method::GET, "/login?token=guess")
        .send()
        .await
        .unwrap();
    assert_eq!(wrong.headers()["location"], "/login?failed=unknown");
    let request = app.anonymous(Method::POST, "/login");
    let right = request.json(&json!({"token": app.token}));
    let answer = empty(StatusCode::NO_CONTENT, right).await;
    assert!(answer.headers().contains_key("set-cookie"));
}

#[tokio::test]
async fn other_sites_cannot_use_the_cookie() {
    let app = TestApp::start().await;
    let cookie = sign_in(&app).await;
    let post = || {
        app.anonymous(Method::POST, "/api/v1/datasets")
            .header("cookie", &cookie)
            .json(&json!({"name": "n"}))
    };
    let foreign = post().header("origin", "https://evil.example");
    assert_eq!(problem(StatusCode::FORBIDDEN, foreign).await.kind, "forbidden");
    let foreign = post().header("sec-fetch-site", "same-site");
    problem(StatusCode::FORBIDDEN, foreign).await;
    let own = post().header("origin", &app.url);
    empty(StatusCode::CREATED, own).await;
    let socket = app
        .anonymous(Method::GET, "/api/v1/events")
        .header("cookie", &cookie)
        .header("origin", "https://evil.example")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    problem(StatusCode::FORBIDDEN, socket).await;
}

#[tokio::test]
async fn a_server_for_this_machine_answers_to_its_own_names_only() {
    let app = TestApp::start().await;
    let port = app.url.rsplit_once(':').unwrap().1;
    let get = |host: String| app.anonymous(Method::GET, "/healthz").header("host", host);
    problem(StatusCode::FORBIDDEN, get("evil.example".into())).await;
    problem(
        StatusCode::FORBIDDEN,
        get(format!("localhost.evil.example:{port}")),
    )
    .await;
    empty(StatusCode::OK, get(format!("localhost:{port}"))).await;
    empty(StatusCode::OK, get(format!("[::1]:{port}"))).await;

    let app =
        TestApp::start_with(|config| config.public_url = Some("https://morpheus.example/".into())).await;
    let get = |host: &str| {
        app.anonymous(Method::GET, "/healthz")
            .header("host", host.to_owned())
    };
    empty(StatusCode::OK, get("morpheus.example")).await;
    problem(StatusCode::FORBIDDEN, get("evil.example")).await;
    assert!(
        app.login_url
            .unwrap()
            .starts_with("https://morpheus.example/login?token=")
    );
}

#[tokio::test]
async fn tokens_are_made_listed_and_deleted() {
    let app = TestApp::start().await;
    let made: CreatedToken = app
        .post(StatusCode::CREATED, "/api/v1/tokens", &json!({"name": " ci "}))
        .await;
    assert_eq!(made.token.name, "ci");
    let use_it = || {
        app.anonymous(Method::GET, "/api/v1/session")
            .bearer_auth(&made.secret)
    };
    let session: Session = take(StatusCode::OK, use_it()).await;
    assert_eq!(session.token_name, "ci");
    let listed: Vec<ApiToken> = app.get("/api/v1/tokens").await;
    let listed = listed.iter().find(|token| token.id == made.token.id).unwrap();
    assert!(listed.last_used_at.is_some());
    let path = format!("/api/v1/tokens/{}", made.token.id);
    empty(StatusCode::NO_CONTENT, app.request(Method::DELETE, &path)).await;
    problem(StatusCode::UNAUTHORIZED, use_it()).await;
    problem(StatusCode::NOT_FOUND, app.request(Method::DELETE, &path)).await;
    let listed: Vec<ApiToken> = app.get("/api/v1/tokens").await;
    assert!(listed.iter().all(|token| token.id != made.token.id));
}

#[tokio::test]
async fn an_agent_reaches_its_own_work_and_nothing_else() {
    let app = TestApp::start().await;
    let job = app.small_job().await;
    let agent = app.launched(Purpose::Train).await;
    let assignment = agent.claim(WorkKind::Train).await;
    let path = format!("/api/v1/jobs/{}", job.id);
    let as_user = app.anonymous(Method::GET, &path).bearer_auth(agent.token());
    assert_eq!(problem(StatusCode::FORBIDDEN, as_user).await.kind, "forbidden");
    let path = format!("/api/v1/agent/attempts/{}/heartbeat", assignment.attempt_id);
    let as_agent = app.request(Method::POST, &path);
    let as_agent = as_agent.json(&json!({"fence": assignment.fence, "events": []}));
    problem(StatusCode::FORBIDDEN, as_agent).await;

    app.small_job().await;
    let other = app.launched(Purpose::Train).await;
    let foreign = other
        .post(&format!("attempts/{}/heartbeat", assignment.attempt_id))
        .json(&json!({"fence": assignment.fence, "events": []}));
    problem(StatusCode::FORBIDDEN, foreign).await;
}

#[tokio::test]
async fn signed_addresses_grant_what_they_say() {
    let app = TestApp::start_with(in_folder).await;
    let dataset = app.small_dataset().await;
    let page: Page<Item> = app.get(&format!("/api/v1/datasets/{}/items", dataset.id)).await;
    let url = &page.items[0].url;
    empty(StatusCode::OK, app.anonymous(Method::GET, url)).await;
    empty(StatusCode::OK, app.anonymous(Method::HEAD, url)).await;
    problem(StatusCode::FORBIDDEN, app.anonymous(Method::PUT, url).body("x")).await;
    let changed = url.replace("image%2Fpng", "text%2Fhtml");
    assert_ne!(&changed, url);
    problem(StatusCode::FORBIDDEN, app.anonymous(Method::GET, &changed)).await;
    let unsigned = url.split('?').next().unwrap();
    problem(StatusCode::FORBIDDEN, app.anonymous(Method::GET, unsigned)).await;
    let outside = "/blob/..%2F..%2Fmorpheus.db?exp=99999999999&sig=x";
    problem(StatusCode::FORBIDDEN, app.anonymous(Method::GET, outside)).await;
}
