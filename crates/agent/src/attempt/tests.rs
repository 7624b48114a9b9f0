//! What ends an attempt, and what its server hears of it.

use std::{
    sync::{atomic::Ordering, mpsc},
    time::Duration,
};

use serde_json::{Value, json};

use super::*;
use crate::fake_server::{FakeServer, assignment};

const DEADLINE: Duration = Duration::from_secs(20);

/// A server that answers heartbeats with this status and this body, and takes everything else.
async fn server(status: u16, heartbeat: Value) -> FakeServer {
    FakeServer::start(move |_, request| {
        if request.line.contains("/heartbeat ") {
            (status, heartbeat.to_string().into_bytes())
        } else {
            (200, b"{}".to_vec())
        }
    })
    .await
}

fn orders(directives: Value) -> Value {
    json!({ "lease_seconds": 20, "acknowledged": 0, "directives": directives })
}

/// Runs an attempt with this work: how it ended here, and what the server was told.
async fn run(
    server: &FakeServer,
    work: impl Future<Output = Result<Made, String>>,
) -> (Result<(), ClientError>, Option<Value>) {
    let folder = tempfile::tempdir().unwrap();
    let work_dir = WorkDir::measured(folder.path(), |_| None);
    let client = server.client();
    let (attempt, interruptions) = Attempt::hold(&client, &work_dir, &assignment());
    let ended = async {
        let end = interruptions.limit(work).await;
        attempt.finish(end).await
    };
    let ended = tokio::time::timeout(DEADLINE, Box::pin(ended))
        .await
        .expect("it ends");
    let requests = server.requests();
    let told = requests.iter().find(|request| request.line.contains("/finish "));
    (ended, told.map(|request| request.json()))
}

#[tokio::test]
async fn what_was_made_and_what_failed_is_reported() {
    let server = server(200, orders(json!([]))).await;
    let picture = ArtifactId::new();
    let (ended, told) = run(&server, async { Ok(Made::Picture(picture)) }).await;
    assert!(ended.is_ok());
    let made = json!({ "fence": 7, "outcome": "completed", "picture": picture });
    assert_eq!(told, Some(made));

    let server = self::server(200, orders(json!([]))).await;
    let (ended, told) = run(&server, async { Err("no such LoRA".to_owned()) }).await;
    assert!(ended.is_ok());
    let failed = json!({ "fence": 7, "outcome": "failed", "detail": "no such LoRA" });
    assert_eq!(told, Some(failed));
}

#[tokio::test]
async fn an_order_to_end_breaks_off_what_is_computed() {
    for order in ["cancel", "stop"] {
        let server = server(200, orders(json!([order]))).await;
        let (say, said) = mpsc::channel();
        let work = compute(move |is_dropped| {
            while !is_dropped.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            let _ = say.send(());
            Ok(Made::Picture(ArtifactId::new()))
        });
        let (ended, told) = run(&server, work).await;
        assert!(ended.is_ok());
        assert_eq!(told, Some(json!({ "fence": 7, "outcome": "cancelled" })));
        said.recv_timeout(DEADLINE).expect("the thread breaks off");
    }
}

#[tokio::test]
async fn nothing_is_reported_of_an_attempt_that_belongs_to_another() {
    let lost = json!({ "type": "lease_lost", "title": "", "status": 409 });
    let server = server(409, lost).await;
    let (ended, told) = run(&server, std::future::pending()).await;
    assert!(matches!(ended, Err(ClientError::LeaseLost)), "{ended:?}");
    assert_eq!(told, None);
}

#[tokio::test]
async fn a_panic_of_the_engine_is_a_failure() {
    let server = server(200, orders(json!([]))).await;
    let work = compute(|_| -> Result<Made, String> { panic!("out of range") });
    let (ended, told) = run(&server, work).await;
    assert!(ended.is_ok());
    let detail = told.unwrap()["detail"].as_str().unwrap().to_owned();
    assert!(detail.starts_with("the engine panicked: "), "{detail}");
}
