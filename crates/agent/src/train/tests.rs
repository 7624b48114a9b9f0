//! What ends a training before its time, and what does not.

use protocol::{
    AttemptId, DatasetVersionId, JobId,
    agent::{BaseLocation, KnownOfBase, Work},
    dataset::Manifest,
    model::Verdict,
    preset::BaseClass,
    recipe::{Recipe, RecipeRequest},
};
use serde_json::json;

use super::*;
use crate::{engine::EngineError, fake_server::FakeServer};

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
        is_start_drawn: false,
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

/// Writes a checkpoint, and judges it.
fn judge_one(job: &engine::Job, tell: engine::Tell<'_>) {
    let write = |name: &str, kind| {
        let path = job.folder.join(name);
        std::fs::write(&path, name).unwrap();
        tell(TrainEvent::Wrote { kind, path });
    };
    write(
        "checkpoint-000010.safetensors",
        ArtifactKind::Checkpoint { step: 10 },
    );
    for name in ["base-7", "plain-7"] {
        let file = format!("evidence-000010-{name}.png");
        let name = name.to_owned();
        write(&file, ArtifactKind::Evidence { step: 10, name });
    }
    let judgement = serde_json::from_value(json!({
        "stamp": "good", "sentence": "It shows zora.", "advice": "use", "score": 0.5, "score_low": 0.4,
        "score_high": 0.6, "measures": [], "evidence": [], "seconds": 1.5,
    }));
    tell(TrainEvent::Report(Report::Judged {
        step: 10,
        judgement: judgement.unwrap(),
    }));
}

/// An engine that judges its checkpoint, and ends with a result.
fn judges(job: &engine::Job, tell: engine::Tell<'_>, _: engine::Next<'_>) -> Result<Ended, EngineError> {
    judge_one(job, tell);
    let lora = job.folder.join("zora.safetensors");
    std::fs::write(&lora, "lora").unwrap();
    Ok(Ended::Completed(Box::new(Trained {
        lora,
        n_steps: 12,
        verdict: Verdict {
            passed: true,
            checks: Vec::new(),
            validation: None,
            picture_change: None,
            module_norms: Vec::new(),
        },
        metadata: [].into(),
        before: None,
        after: None,
        judgement: None,
    })))
}

/// An engine that judges its checkpoint, and stops.
fn judges_and_stops(
    job: &engine::Job,
    tell: engine::Tell<'_>,
    _: engine::Next<'_>,
) -> Result<Ended, EngineError> {
    judge_one(job, tell);
    Ok(Ended::Stopped)
}

/// How a server answers the announcement of a picture of a judgement, by its file name; with nothing, it takes it.
type Refuses = fn(&str) -> Option<(u16, &'static str)>;

/// The files that were announced, the report and the end, in their order.
async fn judging(engine: engine::Train, refuses: Refuses) -> Vec<String> {
    let server = FakeServer::start(move |_, request| {
        let answer = if request.line.contains("/heartbeat ") {
            let events = request.json()["events"].as_array().cloned().unwrap_or_default();
            let acknowledged = events.last().map_or(json!(0), |event| event["n"].clone());
            json!({ "lease_seconds": 20, "acknowledged": acknowledged, "directives": [] })
        } else if request.line.contains("/artifacts ") {
            let file = request.json();
            if file["kind"] == "evidence"
                && let Some((status, kind)) = refuses(file["file_name"].as_str().unwrap())
            {
                let title = if kind == "invalid_request" {
                    "the body is invalid: unknown variant `evidence`, expected `lora`"
                } else {
                    "this is not taken"
                };
                let problem = json!({ "type": kind, "title": title, "status": status });
                return (status, problem.to_string().into_bytes());
            }
            json!({ "artifact_id": protocol::ArtifactId::new() })
        } else {
            json!({})
        };
        (200, answer.to_string().into_bytes())
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let work_dir = WorkDir::measured(folder.path(), |_| Some((50 << 30, 100 << 30)));
    let (assignment, work) = assignment();
    let shutdown = CancellationToken::new();
    let client = server.client();
    let training = run(&client, &work_dir, &assignment, &work, engine, None, &shutdown);
    tokio::time::timeout(Duration::from_secs(60), Box::pin(training))
        .await
        .expect("it ends")
        .unwrap();
    let mut said = Vec::new();
    for request in server.requests() {
        if request.line.contains("/artifacts ") {
            let file = request.json();
            said.push(file["file_name"].as_str().unwrap().to_owned());
        } else if request.line.contains("/heartbeat ") {
            let told = request.json()["events"].as_array().cloned().unwrap_or_default();
            if told.iter().any(|event| event["report"]["type"] == "judged") {
                said.push("judged".to_owned());
            }
        } else if request.line.contains("/finish ") {
            said.push(request.json()["outcome"].as_str().unwrap().to_owned());
        }
    }
    said.dedup();
    said
}

const CHECKPOINT: &str = "zora-checkpoint-000010.safetensors";
const EVIDENCE: [&str; 2] = [
    "zora-evidence-000010-base-7.png",
    "zora-evidence-000010-plain-7.png",
];
const LORA: &str = "zora.safetensors";

/// What was said, but for the LoRA, which is handed in meanwhile.
fn beside_the_lora(said: Vec<String>) -> Vec<String> {
    assert!(said.iter().any(|one| one == LORA), "{said:?}");
    said.into_iter().filter(|one| one != LORA).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_judgement_is_told_after_its_checkpoint_and_its_pictures_are_stored() {
    let said = judging(judges, |_| None).await;
    assert_eq!(
        beside_the_lora(said),
        [CHECKPOINT, EVIDENCE[0], EVIDENCE[1], "judged", "completed"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_knows_no_evidence_is_offered_one_picture() {
    let said = judging(judges, |_| Some((400, "invalid_request"))).await;
    assert_eq!(
        beside_the_lora(said),
        [CHECKPOINT, EVIDENCE[0], "judged", "completed"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_that_is_refused_for_itself_says_nothing_of_the_next_one() {
    let said = judging(judges, |name| name.contains("base").then_some((413, "too_large"))).await;
    assert_eq!(
        beside_the_lora(said),
        [CHECKPOINT, EVIDENCE[0], EVIDENCE[1], "judged", "completed"]
    );
}

/// Nor does the result wait for the pictures.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_fails_to_take_evidence_costs_no_result() {
    let said = judging(judges, |_| Some((500, "internal"))).await;
    let at = |wanted: &str| said.iter().position(|one| one == wanted);
    let last_try = said.iter().rposition(|one| one == EVIDENCE[0]);
    assert!(
        at(LORA).is_some() && at(LORA) < last_try,
        "the LoRA comes while a picture is tried again: {said:?}"
    );
    assert_eq!(
        said[said.len() - 2..],
        ["judged", "completed"],
        "told without its pictures: {said:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_training_that_stops_does_not_wait_for_evidence() {
    let said = judging(judges_and_stops, |_| Some((500, "internal"))).await;
    assert!(!said.iter().any(|one| one == EVIDENCE[1]), "{said:?}");
    assert_eq!(said[said.len() - 2..], ["judged", "stopped"], "{said:?}");
    assert_eq!(said[0], CHECKPOINT, "{said:?}");
}
