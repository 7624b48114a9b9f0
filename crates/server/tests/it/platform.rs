//! What is around the API: health, documents, the dashboard, headers.

use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::app::{TestApp, empty, problem, take};

#[tokio::test]
async fn machines_can_watch_the_server() {
    let app = TestApp::start().await;
    empty(StatusCode::OK, app.anonymous(Method::GET, "/healthz")).await;
    empty(StatusCode::OK, app.anonymous(Method::GET, "/readyz")).await;
    app.small_job().await;
    let metrics = app.request(Method::GET, "/metrics").send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    for line in [
        "morpheus_jobs{phase=\"succeeded\"} 0",
        "morpheus_drawing_sessions{phase=\"ready\"} 0",
        "morpheus_deliveries{state=\"waiting\"} 0",
        "morpheus_http_answers_total{status=\"2xx\"}",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    let line = metrics
        .lines()
        .find(|line| line.starts_with("morpheus_process_resident_memory_bytes "));
    let n_bytes: u64 = line.unwrap().rsplit_once(' ').unwrap().1.parse().unwrap();
    assert!(n_bytes > 1 << 20, "{n_bytes}");
}

#[tokio::test]
async fn the_document_names_every_route() {
    let app = TestApp::start().await;
    let request = app.anonymous(Method::GET, "/api/openapi.json");
    let document: Value = take(StatusCode::OK, request).await;
    for path in ["/api/v1/jobs/{id}/events", "/api/v1/agent/claim", "/login"] {
        assert!(document["paths"][path].is_object(), "{path}");
    }
    let compressed = app
        .anonymous(Method::GET, "/api/openapi.json")
        .header("accept-encoding", "gzip");
    let compressed = compressed.send().await.unwrap();
    assert_eq!(compressed.headers()["content-encoding"], "gzip");
}

#[tokio::test]
async fn pages_come_with_safe_headers() {
    let app = TestApp::start().await;
    for path in ["/", "/jobs/42?tab=samples", "/login"] {
        let page = app.anonymous(Method::GET, path).send().await.unwrap();
        assert_eq!(page.status(), StatusCode::OK, "{path}");
        let headers = page.headers().clone();
        assert!(
            headers["content-type"].to_str().unwrap().starts_with("text/html"),
            "{path}"
        );
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.contains("script-src 'self';") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert!(headers.contains_key("x-request-id"));
        assert!(page.text().await.unwrap().contains("Morpheus"), "{path}");
    }
    empty(
        StatusCode::NOT_FOUND,
        app.anonymous(Method::GET, "/assets/gone.js"),
    )
    .await;
    problem(
        StatusCode::METHOD_NOT_ALLOWED,
        app.anonymous(Method::POST, "/jobs"),
    )
    .await;
    problem(
        StatusCode::NOT_FOUND,
        app.anonymous(Method::GET, "/api/v1/nothing"),
    )
    .await;
}

#[tokio::test]
async fn a_data_folder_has_one_server() {
    let app = TestApp::start().await;
    let mut config = server::Config::new(app.data().to_owned(), Vec::new());
    config.listen = "127.0.0.1:0".parse().unwrap();
    let error = server::bind(config).await.unwrap_err().to_string();
    assert!(error.contains("is in use by another Morpheus server"), "{error}");
}

#[tokio::test]
async fn a_port_has_one_server() {
    let app = TestApp::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = server::Config::new(folder.path().to_owned(), Vec::new());
    config.listen = app.url.strip_prefix("http://").unwrap().parse().unwrap();
    let error = server::bind(config).await.unwrap_err().to_string();
    assert_eq!(
        error,
        format!("failed to listen on {}", app.url.strip_prefix("http://").unwrap())
    );
}
