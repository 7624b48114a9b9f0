//! Events arrive once and in order, orders are handed on once.

use std::time::Duration;

use protocol::{
    agent::{Directive, Report},
    event::LogLevel,
};
use serde_json::{Value, json};

use super::Lease;
use crate::{
    client::ClientError,
    fake_server::{FakeServer, Request, assignment},
};

const DEADLINE: Duration = Duration::from_secs(20);

fn numbers(request: &Request) -> Vec<u64> {
    let body = request.json();
    let events = body["events"].as_array().unwrap().iter();
    events.map(|event| event["n"].as_u64().unwrap()).collect()
}

fn reply(acknowledged: u64, directives: Value) -> (u16, Vec<u8>) {
    let body = json!({ "lease_seconds": 20, "acknowledged": acknowledged, "directives": directives });
    (200, body.to_string().into())
}

#[tokio::test]
async fn events_are_sent_until_they_are_acknowledged() {
    // The second request is not answered as a server would that has stored the events.
    let server = FakeServer::start(|n, request| match n {
        0 => (503, Vec::new()),
        1 => reply(1, json!([])),
        _ => reply(numbers(request).last().copied().unwrap_or(0), json!([])),
    })
    .await;
    let (lease, _orders) = Lease::hold(server.client(), &assignment());
    for index in 0..3 {
        lease.reporter().log(LogLevel::Info, format!("line {index}"));
    }
    tokio::time::timeout(DEADLINE, lease.close())
        .await
        .unwrap()
        .unwrap();
    let requests = server.requests();
    assert_eq!(numbers(&requests[0]), [1, 2, 3]);
    assert_eq!(numbers(&requests[1]), [1, 2, 3]);
    assert_eq!(numbers(&requests[2]), [2, 3]);
    assert_eq!(requests[0].json()["fence"], 7);
}

#[tokio::test]
async fn a_repeated_order_is_handed_on_once_until_it_is_carried_out() {
    let server = FakeServer::start(|_, request| {
        reply(
            numbers(request).last().copied().unwrap_or(0),
            json!(["checkpoint"]),
        )
    })
    .await;
    let (lease, mut orders) = Lease::hold(server.client(), &assignment());
    let first = tokio::time::timeout(DEADLINE, orders.recv()).await.unwrap();
    assert_eq!(first, Some(Directive::Checkpoint));
    // Every event brings a reply that repeats the order.
    while server.requests().len() < 3 {
        lease.reporter().report(Report::Finalizing);
        tokio::task::yield_now().await;
    }
    assert!(orders.try_recv().is_err());
    lease.carried_out(Directive::Checkpoint);
    let second = tokio::time::timeout(DEADLINE, orders.recv()).await.unwrap();
    assert_eq!(second, Some(Directive::Checkpoint));
}

#[tokio::test]
async fn a_lost_lease_is_told() {
    let problem = json!({ "type": "lease_lost", "title": "gone", "status": 409 });
    let server = FakeServer::start(move |_, _| (409, problem.to_string().into())).await;
    let (lease, _orders) = Lease::hold(server.client(), &assignment());
    tokio::time::timeout(DEADLINE, lease.lost().cancelled())
        .await
        .unwrap();
    assert!(matches!(lease.close().await, Err(ClientError::LeaseLost)));
}

#[tokio::test]
async fn an_outage_gathers_no_previews() {
    // The first two requests are lost.
    let server = FakeServer::start(|n, request| match n {
        0 | 1 => (503, Vec::new()),
        _ => reply(numbers(request).last().copied().unwrap_or(0), json!([])),
    })
    .await;
    let (lease, _orders) = Lease::hold(server.client(), &assignment());
    for step in 1..=60 {
        let preview = protocol::generation::Preview {
            step,
            n_steps: 60,
            png: "iVBORw0KGgo".to_owned(),
        };
        lease.reporter().report(Report::Preview { preview });
    }
    tokio::time::timeout(DEADLINE, lease.close())
        .await
        .unwrap()
        .unwrap();
    let requests = server.requests();
    let mut shown = Vec::new();
    for request in &requests {
        let body = request.json();
        let events = body["events"].as_array().unwrap();
        let is_preview = |event: &&Value| event["report"]["type"] == "preview";
        let previews: Vec<&Value> = events.iter().filter(is_preview).collect();
        assert!(previews.len() <= 1, "{previews:?}");
        shown.extend(
            previews
                .iter()
                .map(|event| event["report"]["preview"]["step"].clone()),
        );
    }
    assert_eq!(shown.last(), Some(&json!(60)));
    let n_events: u64 = requests
        .iter()
        .filter_map(|request| numbers(request).last().copied())
        .max()
        .unwrap();
    assert_eq!(n_events, 60, "each is numbered, and acknowledged");
}
