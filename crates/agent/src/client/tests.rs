//! Patience, and the errors that no patience mends.

use std::time::Duration;

use protocol::{
    AttemptId,
    agent::{Heartbeat, WorkKind},
};
use serde_json::json;

use super::{Client, ClientError, Patience};
use crate::{fake_server::FakeServer, machine::describe};

fn reply() -> Vec<u8> {
    json!({ "lease_seconds": 20, "acknowledged": 0, "directives": [] })
        .to_string()
        .into()
}

async fn beat(client: &Client) -> Result<(), ClientError> {
    let body = Heartbeat {
        fence: 1,
        events: Vec::new(),
    };
    let patience = Patience(Duration::from_secs(20));
    client
        .heartbeat(AttemptId::new(), &body, patience)
        .await
        .map(drop)
}

#[tokio::test]
async fn a_server_that_is_down_for_a_moment_is_asked_again() {
    let server = FakeServer::start(|n, _| if n < 3 { (503, Vec::new()) } else { (200, reply()) }).await;
    beat(&server.client()).await.unwrap();
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn a_lost_lease_is_final() {
    let problem = json!({ "type": "lease_lost", "title": "somebody else owns it", "status": 409 });
    let server = FakeServer::start(move |_, _| (409, problem.to_string().into())).await;
    assert!(matches!(
        beat(&server.client()).await,
        Err(ClientError::LeaseLost)
    ));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_refusal_says_which_field() {
    let problem = json!({
        "type": "invalid_request", "title": "the request is not right", "status": 422,
        "errors": [{ "field": "fence", "message": "must be a number" }],
    });
    let server = FakeServer::start(move |_, _| (422, problem.to_string().into())).await;
    let err = beat(&server.client()).await.unwrap_err().to_string();
    assert!(
        err.contains("heartbeat") && err.contains("fence: must be a number"),
        "{err}"
    );
}

#[tokio::test]
async fn an_unreachable_server_is_named() {
    // A port that was free a moment ago, and that nobody listens on.
    let url = FakeServer::start(|_, _| (200, Vec::new())).await.url.clone();
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut url = url;
    url.set_port(Some(port)).unwrap();
    let client = Client::new(url.clone(), "token".into()).unwrap();
    let patience = Patience(Duration::from_millis(300));
    let err = client
        .claim(
            &[WorkKind::Train],
            &describe(None, Vec::new(), false, false),
            Duration::ZERO,
            patience,
        )
        .await
        .unwrap_err();
    assert!(err.to_string().contains(url.as_str()), "{err}");
}

#[test]
fn signed_addresses_may_be_relative() {
    let client = Client::new("http://localhost:7860".parse().unwrap(), "token".into()).unwrap();
    let resolve = |url| client.resolve(url).ok().map(String::from);
    assert_eq!(
        resolve("/blobs/a?sig=b").as_deref(),
        Some("http://localhost:7860/blobs/a?sig=b")
    );
    assert_eq!(resolve("https://s3.test/a").as_deref(), Some("https://s3.test/a"));
}
