//! What agents may not do, and how jobs are steered.

use orchestrator::providers::Purpose;
use protocol::{
    agent::{ArtifactKind, Directive, Finish, Heartbeat, WorkKind},
    job::Job,
    phase::{Outcome, Phase},
};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    agent::step,
    app::{TestApp, empty, in_folder, problem},
};

#[tokio::test]
async fn a_stale_fence_loses_the_lease() {
    let app = TestApp::start().await;
    app.small_job().await;
    let agent = app.launched(Purpose::Train).await;
    let assignment = agent.claim(WorkKind::Train).await;
    let attempt = assignment.attempt_id;
    let stale = assignment.fence - 1;
    let heartbeat = Heartbeat {
        fence: stale,
        events: Vec::new(),
    };
    let request = agent.heartbeat_request(attempt, &heartbeat);
    assert_eq!(problem(StatusCode::CONFLICT, request).await.kind, "lease_lost");
    let finish = Finish {
        fence: stale,
        outcome: Outcome::Failed,
        detail: None,
        result: None,
        picture: None,
        edited: None,
        disk_fault: false,
    };
    let request = agent.post(&format!("attempts/{attempt}/finish")).json(&finish);
    assert_eq!(problem(StatusCode::CONFLICT, request).await.kind, "lease_lost");
    let artifact = json!({
        "fence": stale, "kind": "lora", "step": 4, "file_name": "a.safetensors", "size_bytes": 1,
        "sha256": "0".repeat(64),
    });
    let request = agent
        .post(&format!("attempts/{attempt}/artifacts"))
        .json(&artifact);
    assert_eq!(problem(StatusCode::CONFLICT, request).await.kind, "lease_lost");
}

#[tokio::test]
async fn only_the_announced_bytes_are_stored() {
    let app = TestApp::start().await;
    app.small_job().await;
    let agent = app.launched(Purpose::Train).await;
    let assignment = agent.claim(WorkKind::Train).await;
    let kind = ArtifactKind::Checkpoint { step: 2 };
    let ticket = agent
        .announce(&assignment, kind, "checkpoint.safetensors", b"right")
        .await;
    for wrong in [b"wrong".as_slice(), b"too long", b"few"] {
        let status = agent.put(&ticket, wrong).await;
        // A bucket's server refuses another length as another signature.
        let refusals = [StatusCode::BAD_REQUEST, StatusCode::FORBIDDEN];
        assert!(refusals.contains(&status), "{status}");
    }
    let complete = format!(
        "attempts/{}/artifacts/{}/complete",
        assignment.attempt_id, ticket.artifact_id
    );
    // The S3 server of the tests keeps wrong bytes that it refused; then they are looked at, and refused here.
    let early = agent.post(&complete).send().await.unwrap().status();
    assert!(
        [StatusCode::CONFLICT, StatusCode::BAD_REQUEST].contains(&early),
        "{early}"
    );
    assert!(agent.put(&ticket, b"right").await.is_success());
    empty(StatusCode::NO_CONTENT, agent.post(&complete)).await;
}

#[tokio::test]
async fn a_server_that_starts_again_throws_broken_uploads_away() {
    let app = TestApp::start_with(in_folder).await;
    let folder = app.data().join("objects/sha256/ab");
    std::fs::create_dir_all(&folder).unwrap();
    let (staged, stored) = (folder.join("cd#1"), folder.join("c".repeat(62)));
    std::fs::write(&staged, "half").unwrap();
    std::fs::write(&stored, "whole").unwrap();
    let app = app.restart_with(in_folder).await;
    assert!(!staged.exists());
    assert!(stored.exists());
    drop(app);
}

#[tokio::test]
async fn a_job_is_stopped_and_resumed() {
    let app = TestApp::start().await;
    let job = app.small_job().await;
    let path = |verb: &str| format!("/api/v1/jobs/{}/{verb}", job.id);
    let mut agent = app.launched(Purpose::Train).await;
    let assignment = agent.claim(WorkKind::Train).await;
    agent.report(&assignment, vec![step(1, 4)]).await;
    let _: Job = app.post(StatusCode::OK, &path("checkpoint"), &()).await;
    let _: Job = app.post(StatusCode::OK, &path("sample"), &()).await;
    let stopping: Job = app.post(StatusCode::OK, &path("stop"), &()).await;
    assert_eq!(stopping.phase, Phase::Stopping);
    let reply = agent.report(&assignment, Vec::new()).await;
    assert!(
        reply.directives.contains(&Directive::Stop),
        "{:?}",
        reply.directives
    );
    let checkpoint = ArtifactKind::Checkpoint { step: 1 };
    agent
        .upload(&assignment, checkpoint, "checkpoint.safetensors", b"state")
        .await;
    let finish = Finish {
        fence: assignment.fence,
        outcome: Outcome::Stopped,
        detail: None,
        result: None,
        picture: None,
        edited: None,
        disk_fault: false,
    };
    agent.finish(&assignment, finish).await;
    let stopped: Job = app.get(&format!("/api/v1/jobs/{}", job.id)).await;
    assert_eq!(
        (stopped.phase, stopped.checkpoint_step),
        (Phase::Stopped, Some(1))
    );
    let resumed: Job = app.post(StatusCode::OK, &path("resume"), &()).await;
    assert_eq!(resumed.phase, Phase::Queued);
    let agent = app.launched(Purpose::Train).await;
    let assignment = agent.claim(WorkKind::Train).await;
    let protocol::agent::Work::Train(work) = assignment.work else {
        panic!("not a training");
    };
    assert_eq!(work.resume_from.unwrap().size_bytes, 5);
}

#[tokio::test]
async fn a_cancelled_job_cannot_be_resumed() {
    let app = TestApp::start().await;
    let job = app.small_job().await;
    let path = |verb: &str| format!("/api/v1/jobs/{}/{verb}", job.id);
    let cancelled: Job = app.post(StatusCode::OK, &path("cancel"), &()).await;
    assert!(matches!(cancelled.phase, Phase::Cancelled | Phase::Cancelling));
    let problem = app
        .refused(StatusCode::CONFLICT, Method::POST, &path("resume"), &json!(null))
        .await;
    assert_eq!(problem.kind, "conflict");
}
