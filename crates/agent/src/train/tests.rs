//! What ends a training before its time.

use protocol::{
    AttemptId, DatasetVersionId, JobId,
    agent::{BaseLocation, KnownOfBase, Work},
    dataset::Manifest,
    preset::BaseClass,
    recipe::{Recipe, RecipeRequest},
};
use serde_json::json;

use super::*;
use crate::fake_server::FakeServer;

fn assignment() -> (Assignment, TrainWork) {
    let request = RecipeRequest {
        base_model: "tiny-xl".to_owned(),
        name: "zora".to_owned(),
        sample_prompts: vec!["zora".into()],
        ..RecipeRequest::default()
    };
    let work = TrainWork {
        job_id: JobId::new(),
        recipe: Recipe::resolve(request, BaseClass::Tiny).unwrap(),
        base: BaseLocation::BuiltIn {
            name: "tiny-xl".to_owned(),
        },
        base_known: KnownOfBase::default(),
        manifest: Manifest {
            id: DatasetVersionId::new(),
            items: Vec::new(),
        },
        picture_urls: [].into(),
        resume_from: None,
        start_from: None,
        finish: false,
    };
    let assignment = Assignment {
        attempt_id: AttemptId::new(),
        fence: 7,
        lease_seconds: 20,
        work: Work::Train(Box::new(work.clone())),
        terms: None,
    };
    (assignment, work)
}

/// An engine that has a checkpoint to hand in, and stops when it is told to.
fn stops(job: &engine::Job, tell: engine::Tell<'_>, next: engine::Next<'_>) -> Result<Ended, EngineError> {
    loop {
        match next() {
            Some(Directive::Stop) => {
                let path = job.folder.join("checkpoint-000010.safetensors");
                std::fs::write(&path, "state").unwrap();
                let kind = ArtifactKind::Checkpoint { step: 10 };
                tell(TrainEvent::Wrote { kind, path });
                return Ok(Ended::Stopped);
            }
            Some(order) => return Err(format!("was told {order:?}").into()),
            None => std::thread::yield_now(),
        }
    }
}

/// Takes everything; how the attempt ended, and whether a checkpoint was brought before.
fn ending(server: &FakeServer) -> (serde_json::Value, bool) {
    let requests = server.requests();
    let at = |part: &str| requests.iter().position(|request| request.line.contains(part));
    let finish = at("/finish ").expect("it was finished");
    let brought = at("/complete ").is_some_and(|complete| complete < finish);
    (requests[finish].json(), brought)
}

/// A server that takes whatever an attempt has to say.
async fn server() -> FakeServer {
    FakeServer::start(|_, request| {
        let answer = if request.line.contains("/heartbeat ") {
            let events = request.json()["events"].as_array().cloned().unwrap_or_default();
            let acknowledged = events.last().map_or(json!(0), |event| event["n"].clone());
            json!({ "lease_seconds": 20, "acknowledged": acknowledged, "directives": [] })
        } else if request.line.contains("/artifacts ") {
            json!({ "artifact_id": protocol::ArtifactId::new(), "upload_url": "/blobs/x" })
        } else {
            json!({})
        };
        (200, answer.to_string().into_bytes())
    })
    .await
}

/// An engine whose disk fills up after its first checkpoint, before anybody looks at it.
fn runs_out_of_room(
    job: &engine::Job,
    tell: engine::Tell<'_>,
    _: engine::Next<'_>,
) -> Result<Ended, EngineError> {
    let path = job.folder.join("checkpoint-000010.safetensors");
    std::fs::write(&path, "state").unwrap();
    let kind = ArtifactKind::Checkpoint { step: 10 };
    tell(TrainEvent::Wrote { kind, path });
    Err(EngineError::Disk(
        "failed to write `checkpoint-000020.safetensors`: No space left on device".into(),
    ))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_before_anybody_looks_is_no_fault_of_the_training() {
    let server = server().await;
    let folder = tempfile::tempdir().unwrap();
    let work_dir = WorkDir::measured(folder.path(), |_| Some((50 << 30, 100 << 30)));
    let (assignment, work) = assignment();
    let shutdown = CancellationToken::new();
    let client = server.client();
    let training = run(
        &client,
        &work_dir,
        &assignment,
        &work,
        runs_out_of_room,
        None,
        &shutdown,
    );
    tokio::time::timeout(Duration::from_secs(60), Box::pin(training))
        .await
        .expect("it ends")
        .unwrap();
    let (finish, brought) = ending(&server);
    assert_eq!(
        (&finish["outcome"], &finish["no_room"]),
        (&json!("lost"), &json!(true)),
        "{finish}"
    );
    assert!(
        finish["detail"].as_str().unwrap().contains("No space left"),
        "{finish}"
    );
    assert!(brought, "what it had done is kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_training_stops_with_a_checkpoint_when_the_disk_is_nearly_full() {
    let server = server().await;
    let folder = tempfile::tempdir().unwrap();
    let work_dir = WorkDir::measured(folder.path(), |_| Some((1 << 30, 100 << 30))).guarded(true);
    let (assignment, work) = assignment();
    let shutdown = CancellationToken::new();
    let client = server.client();
    let training = run(&client, &work_dir, &assignment, &work, stops, None, &shutdown);
    tokio::time::timeout(Duration::from_secs(60), Box::pin(training))
        .await
        .expect("the disk stops it")
        .unwrap();
    let (finish, brought) = ending(&server);
    assert_eq!(finish["outcome"], "lost", "another attempt goes on: {finish}");
    let detail = finish["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("the disk of the agent's machine is nearly full"),
        "{detail}"
    );
    assert_eq!(finish["no_room"], true, "{finish}");
    assert!(brought, "what it had done is kept");
}
