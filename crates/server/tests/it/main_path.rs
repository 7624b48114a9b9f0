//! From an upload to a picture made with the trained LoRA.

use std::sync::LazyLock;

use orchestrator::providers::Purpose;
use protocol::{
    agent::{ArtifactKind, Finish, Report, Work, WorkKind},
    api::{Artifact, JobEstimate, Page, Sample},
    event::{Event, JobEvent},
    generation::{Generation, GenerationPhase},
    job::{Job, Metrics},
    model::{Model, ModelVersion, Stage},
    phase::{Outcome, Phase},
};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    agent::{sha256, step, trained, verdict},
    app::{TestApp, take},
    events::{close_code, follow_job, next_event},
    pictures,
};

static LORA: LazyLock<Vec<u8>> = LazyLock::new(|| sim::files::lora(4, ""));

#[tokio::test]
async fn from_upload_to_generation() {
    let app = TestApp::start().await;
    let job = app.small_job().await;
    assert_eq!(job.phase, Phase::Queued);

    // The agent is started, claims the job and finds the pictures.
    let mut agent = app.launched(Purpose::Train).await;
    let assignment = agent.claim(WorkKind::Train).await;
    let Work::Train(work) = &assignment.work else {
        panic!("not a training: {:?}", assignment.work);
    };
    assert_eq!(work.job_id, job.id);
    assert_eq!(work.recipe, job.recipe);
    assert_eq!(work.manifest.items.len(), 3);
    for item in &work.manifest.items {
        let url = agent.absolute(&work.picture_urls[&item.sha256]);
        let picture = app.http.get(url).send().await.unwrap();
        assert_eq!(picture.status(), StatusCode::OK);
        assert_eq!(sha256(&picture.bytes().await.unwrap()), item.sha256);
    }

    // Steps are stored, and a reader that comes late gets them first.
    agent.report(&assignment, vec![step(1, 4), step(2, 4)]).await;
    let mut socket = follow_job(&app, job.id, 0).await;
    let mut events = Vec::new();
    while !matches!(events.last(), Some(JobEvent { event: Event::Step(metrics), .. }) if metrics.step == 2) {
        events.push(next_event(&mut socket).await);
    }
    let numbers: Vec<i64> = events.iter().map(|event| event.seq).collect();
    assert_eq!(numbers, (1..=numbers.len() as i64).collect::<Vec<_>>());

    // What comes now arrives live.
    agent.report(&assignment, vec![step(3, 4), step(4, 4)]).await;
    let live = [next_event(&mut socket).await, next_event(&mut socket).await];
    assert!(matches!(&live[1].event, Event::Step(metrics) if metrics.step == 4));
    assert_eq!(live[1].seq, numbers.len() as i64 + 2);

    let metrics: Metrics = app.get(&format!("/api/v1/jobs/{}/metrics", job.id)).await;
    assert_eq!(metrics.step, [1, 2, 3, 4]);
    assert_eq!(metrics.loss[1], 0.25);
    assert_eq!(metrics.last_seq, live[1].seq);

    // Files.
    let sample = ArtifactKind::Sample {
        step: 4,
        prompt_index: 0,
        prompt: "zora".into(),
        seed: 7,
    };
    let picture = pictures::png(200, 64, 64);
    agent.upload(&assignment, sample, "sample.png", &picture).await;
    let lora = agent
        .upload(
            &assignment,
            ArtifactKind::Lora { step: 4 },
            "zora.safetensors",
            &LORA,
        )
        .await;
    let samples: Vec<Sample> = app.get(&format!("/api/v1/jobs/{}/samples", job.id)).await;
    assert_eq!((samples[0].step, samples[0].seed), (4, 7));
    let shown = app.anonymous(Method::GET, &samples[0].url).send().await.unwrap();
    assert_eq!(shown.headers()["content-type"], "image/png");
    assert_eq!(shown.bytes().await.unwrap(), picture);
    let evidence = ArtifactKind::Evidence {
        step: 4,
        name: "plain-7".into(),
    };
    agent.upload(&assignment, evidence, "plain-7.png", &picture).await;
    let artifacts: Vec<Artifact> = app.get(&format!("/api/v1/jobs/{}/artifacts", job.id)).await;
    assert_eq!(artifacts.len(), 2, "evidence is with the judgements");
    assert_eq!(artifacts[1].sha256, sha256(&LORA));

    // The end: a model version with everything that belongs to it.
    agent.report(&assignment, vec![Report::Finalizing]).await;
    agent
        .finish(&assignment, trained(&assignment, lora, 4, verdict(true)))
        .await;
    let mut last = next_event(&mut socket).await;
    while !matches!(
        &last.event,
        Event::PhaseChanged {
            phase: Phase::Succeeded,
            ..
        }
    ) {
        last = next_event(&mut socket).await;
    }
    let job: Job = app.get(&format!("/api/v1/jobs/{}", job.id)).await;
    assert_eq!((job.phase, job.last_seq), (Phase::Succeeded, last.seq));
    assert_eq!(job.progress.unwrap().step, 4);
    let id = job.model_version_id.unwrap();
    let models: Page<Model> = app.get("/api/v1/models").await;
    let version = &models.items[0].versions[0];
    assert_eq!(
        (version.id, version.version, version.stage),
        (id, 1, Stage::Draft)
    );
    assert_eq!(version.metadata["ss_network_dim"], "4");
    let model: Model = app.get(&format!("/api/v1/models/{}", version.model_id)).await;
    assert_eq!(model, models.items[0]);
    let approved: ModelVersion = app
        .post(
            StatusCode::OK,
            &format!("/api/v1/model-versions/{id}/promote"),
            &(),
        )
        .await;
    assert_eq!(approved.stage, Stage::Approved);

    download(&app, &format!("/api/v1/model-versions/{id}/download")).await;
    generate(&app, &job).await;

    // The next estimate knows how long this one took.
    let request = json!({
        "dataset_id": job.dataset_id,
        "base_model": "tiny-xl",
        "name": "again",
        "parameters": {"n_steps": 8, "rank": 4},
    });
    let estimate: JobEstimate = app.post(StatusCode::OK, "/api/v1/jobs/estimate", &request).await;
    assert_eq!(
        (
            estimate.n_train_items,
            estimate.n_steps_per_epoch,
            estimate.n_epochs
        ),
        (3, 1, 8)
    );
    assert!(estimate.seconds.unwrap() > 0.0);
}

async fn download(app: &TestApp, path: &str) {
    let whole = app.file(path).await;
    assert_eq!(whole.status(), StatusCode::OK);
    assert_eq!(
        whole.headers()["content-disposition"],
        "attachment; filename=\"zora-v1.safetensors\"; filename*=UTF-8''zora-v1.safetensors"
    );
    assert_eq!(whole.bytes().await.unwrap(), *LORA);
    let part = app.part(path, Some("bytes=6-10")).await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(
        part.headers()["content-range"],
        format!("bytes 6-10/{}", LORA.len()).as_str()
    );
    assert_eq!(part.bytes().await.unwrap(), &LORA[6..=10]);
    let outside = app.part(path, Some("bytes=1000-")).await;
    assert_eq!(outside.status(), StatusCode::RANGE_NOT_SATISFIABLE);
}

async fn generate(app: &TestApp, job: &Job) {
    let request = json!({
        "base_model": "tiny-xl",
        "prompt": "zora on the moon",
        "loras": [{"model_version_id": job.model_version_id, "weight": 0.8}],
    });
    let queued: Generation = app
        .post(StatusCode::ACCEPTED, "/api/v1/generations", &request)
        .await;
    assert_eq!(queued.phase, GenerationPhase::Queued);
    let worker = app.launched(Purpose::Generate).await;
    let assignment = worker.claim(WorkKind::Generate).await;
    let Work::Generate(work) = &assignment.work else {
        panic!("not a generation: {:?}", assignment.work);
    };
    assert_eq!(work.generation_id, queued.id);
    assert_eq!(Some(work.request.seed), queued.request.seed);
    assert_eq!(work.lora_files[0].sha256, sha256(&LORA));
    let file = app
        .http
        .get(worker.absolute(&work.lora_files[0].url))
        .send()
        .await
        .unwrap();
    assert_eq!(file.bytes().await.unwrap(), *LORA);

    // Whoever waits is answered when it is done.
    let waiting = {
        let path = format!("/api/v1/generations/{}?wait_seconds=20", queued.id);
        let request = app.request(Method::GET, &path);
        tokio::spawn(take::<Generation>(StatusCode::OK, request))
    };
    let picture = pictures::png(77, 64, 64);
    let id = worker
        .upload(&assignment, ArtifactKind::Picture, "picture.png", &picture)
        .await;
    let finish = Finish {
        fence: assignment.fence,
        outcome: Outcome::Completed,
        detail: None,
        result: None,
        picture: Some(id),
        edited: None,
        disk_fault: false,
    };
    worker.finish(&assignment, finish).await;
    let done = waiting.await.unwrap();
    assert_eq!(done.phase, GenerationPhase::Succeeded);
    let shown = app
        .anonymous(Method::GET, &done.image_url.unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(shown.bytes().await.unwrap(), picture);
    let saved = app
        .file(&format!("/api/v1/generations/{}/download", done.id))
        .await;
    let end = done.id.0.simple().to_string();
    let seed = done.request.seed.unwrap();
    let name = format!("attachment; filename=\"zora-v1-seed{seed}-{}.png\"", &end[24..]);
    let disposition = saved.headers()["content-disposition"].to_str().unwrap();
    assert!(disposition.starts_with(&name), "{disposition}");
    assert_eq!(saved.bytes().await.unwrap(), picture);
    let small = app
        .file(&format!("/api/v1/generations/{}/thumbnail", done.id))
        .await;
    assert_eq!(small.headers()["content-type"], "image/jpeg");
    let all: Page<Generation> = app.get("/api/v1/generations").await;
    assert_eq!(all.items.len(), 1);
}

#[tokio::test]
async fn a_version_that_failed_its_checks_cannot_be_promoted() {
    let app = TestApp::start().await;
    let job = app.small_job().await;
    let agent = app.launched(Purpose::Train).await;
    let assignment = agent.claim(WorkKind::Train).await;
    let lora = agent
        .upload(
            &assignment,
            ArtifactKind::Lora { step: 4 },
            "zora.safetensors",
            &LORA,
        )
        .await;
    agent
        .finish(&assignment, trained(&assignment, lora, 4, verdict(false)))
        .await;
    let job: Job = app.get(&format!("/api/v1/jobs/{}", job.id)).await;
    let path = format!("/api/v1/model-versions/{}/promote", job.model_version_id.unwrap());
    let problem = app
        .refused(StatusCode::CONFLICT, Method::POST, &path, &json!(null))
        .await;
    assert_eq!(problem.kind, "conflict");
}

#[tokio::test]
async fn what_was_made_is_there_after_a_restart() {
    let app = TestApp::start().await;
    let job = app.small_job().await;
    let (first_login, data) = (app.login_url.clone(), app.data().to_owned());
    let app = app.restart().await;
    assert!(first_login.is_some() && app.login_url.is_none());
    assert_eq!(app.data(), data);
    let jobs: Page<Job> = app.get("/api/v1/jobs").await;
    assert_eq!(jobs.items.iter().map(|job| job.id).collect::<Vec<_>>(), [job.id]);
}

#[tokio::test]
async fn a_stream_ends_when_the_server_does() {
    let mut app = TestApp::start().await;
    let job = app.small_job().await;
    let mut socket = follow_job(&app, job.id, 0).await;
    next_event(&mut socket).await;
    app.end().await;
    assert_eq!(close_code(&mut socket).await, 1001);
}
