//! Sign-ins that are refused, and where requests come from, in the audit log.

use protocol::{api::CreatedToken, audit::AuditAction};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    app::{TestApp, empty, problem},
    audit::log,
};

#[tokio::test]
async fn refused_sign_ins_are_slowed_down_and_written_down() {
    let app = TestApp::start().await;
    let gone: CreatedToken = app
        .post(StatusCode::CREATED, "/api/v1/tokens", &json!({ "name": "gone" }))
        .await;
    let path = format!("/api/v1/tokens/{}", gone.token.id);
    empty(StatusCode::NO_CONTENT, app.request(Method::DELETE, &path)).await;
    let login = |token: &str| {
        app.anonymous(Method::POST, "/login")
            .json(&json!({ "token": token }))
    };
    for n in 0..10 {
        problem(StatusCode::UNAUTHORIZED, login(&format!("morpheus_guess{n}"))).await;
        let request = app
            .anonymous(Method::GET, "/api/v1/jobs")
            .bearer_auth(&gone.secret);
        problem(StatusCode::UNAUTHORIZED, request).await;
    }
    for request in [
        login("guess"),
        app.anonymous(Method::GET, "/api/v1/jobs").bearer_auth("guess"),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
        let seconds: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=3).contains(&seconds), "{seconds}");
    }
    let limited = app
        .anonymous(Method::GET, "/login?token=guess")
        .send()
        .await
        .unwrap();
    assert_eq!(limited.headers()["location"], "/login?failed=limited");
    // Nobody is locked out: who has the right token may be at the same address, behind one proxy.
    empty(StatusCode::NO_CONTENT, login(&app.token)).await;
    empty(StatusCode::OK, app.request(Method::GET, "/api/v1/jobs")).await;

    let access = log(&app, "&category=access").await;
    let refused: Vec<_> = access
        .iter()
        .filter(|entry| entry.action == AuditAction::SignInFailed)
        .collect();
    assert_eq!(refused.iter().map(|entry| entry.n).sum::<u32>(), 23);
    assert_eq!(refused.len(), 2, "one for each way, however many there were");
    assert!(
        refused
            .iter()
            .all(|entry| entry.actor == "nobody" && entry.address.as_deref() == Some("127.0.0.1"))
    );
}

#[tokio::test]
async fn only_a_trusted_proxy_says_where_a_request_comes_from() {
    async fn seen(app: &TestApp) -> Option<String> {
        let request = app
            .request(Method::POST, "/api/v1/datasets")
            .json(&json!({ "name": "n" }));
        empty(
            StatusCode::CREATED,
            request.header("x-forwarded-for", "203.0.113.7"),
        )
        .await;
        log(app, "&category=data").await[0].address.clone()
    }
    let app = TestApp::start().await;
    assert_eq!(seen(&app).await.as_deref(), Some("127.0.0.1"));
    let app =
        TestApp::start_with(|config| config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()]).await;
    assert_eq!(seen(&app).await.as_deref(), Some("203.0.113.7"));
}
