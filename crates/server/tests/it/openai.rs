//! Pictures in the shape of OpenAI's API.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use orchestrator::providers::Purpose;
use protocol::{
    agent::{ArtifactKind, Assignment, Finish, Heartbeat, Work, WorkKind},
    api::Page,
    audit::{AuditAction, AuditEntry},
    generation::{Generation, GenerationPhase},
    job::Job,
    openai::{ErrorResponse, ImagesResponse, ModelEntry, ModelsResponse},
    phase::Outcome,
};
use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::{
    agent::{FakeAgent, trained, verdict},
    app::{DEADLINE, TestApp, empty, problem, take},
    pictures,
};

const IMAGES: &str = "/v1/images/generations";

impl TestApp {
    fn images(&self, body: &Value) -> RequestBuilder {
        self.request(Method::POST, IMAGES).json(body)
    }

    /// A library with one approved model, `zora`.
    async fn approved(&self) -> Job {
        let job = self.small_job().await;
        let agent = self.launched(Purpose::Train).await;
        let assignment = agent.claim(WorkKind::Train).await;
        let kind = ArtifactKind::Lora { step: 4 };
        let lora = agent
            .upload(&assignment, kind, "zora.safetensors", &sim::files::lora(4, ""))
            .await;
        agent
            .finish(&assignment, trained(&assignment, lora, 4, verdict(true)))
            .await;
        let job: Job = self.get(&format!("/api/v1/jobs/{}", job.id)).await;
        let path = format!("/api/v1/model-versions/{}/promote", job.model_version_id.unwrap());
        let _: Value = take(StatusCode::OK, self.request(Method::POST, &path)).await;
        job
    }
}

/// Ends a generation with a picture, and returns the file.
async fn draw(worker: &FakeAgent, assignment: &Assignment, shade: u8) -> Vec<u8> {
    let picture = pictures::png(shade, 64, 64);
    let id = worker
        .upload(assignment, ArtifactKind::Picture, "picture.png", &picture)
        .await;
    worker
        .finish(
            assignment,
            Finish {
                picture: Some(id),
                ..ended(assignment, Outcome::Completed, None)
            },
        )
        .await;
    picture
}

fn ended(assignment: &Assignment, outcome: Outcome, detail: Option<&str>) -> Finish {
    Finish {
        fence: assignment.fence,
        outcome,
        detail: detail.map(str::to_owned),
        result: None,
        picture: None,
        edited: None,
        disk_fault: false,
    }
}

fn sent(request: RequestBuilder) -> JoinHandle<Response> {
    tokio::spawn(async move { request.send().await.unwrap() })
}

async fn refused(status: StatusCode, request: RequestBuilder) -> ErrorResponse {
    let response = request.send().await.unwrap();
    read_error(status, response).await
}

async fn read_error(status: StatusCode, response: Response) -> ErrorResponse {
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
    let found = response.status();
    let text = response.text().await.unwrap();
    assert_eq!(found, status, "{text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

async fn wait_for_end(app: &TestApp) -> Generation {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    loop {
        let all: Page<Generation> = app.get("/api/v1/generations").await;
        if let Some(ended) = all
            .items
            .into_iter()
            .find(|generation| generation.phase.is_ended())
        {
            return ended;
        }
        assert!(tokio::time::Instant::now() < deadline, "no generation has ended");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_come_as_addresses_and_as_bytes() {
    let app = TestApp::start().await;
    let job = app.approved().await;
    let request = json!({
        "model": "zora", "prompt": "zora <lora:zora:0.5> on the moon", "n": 2, "seed": 7, "size": "64x64", "steps": 3,
        "guidance": 2.5, "sampler": "ddim", "negative_prompt": "blurry", "quality": "hd", "user": "me",
    });
    let waiting = sent(app.images(&request));
    let worker = app.launched(Purpose::Generate).await;
    let mut files = Vec::new();
    for shade in [10, 20] {
        let assignment = worker.claim(WorkKind::Generate).await;
        let Work::Generate(work) = &assignment.work else {
            panic!("not a generation: {:?}", assignment.work);
        };
        let drawn = &work.request;
        assert_eq!(
            (drawn.base_model.as_str(), drawn.prompt.as_str()),
            ("tiny-xl", "zora  on the moon")
        );
        assert_eq!((drawn.n_steps, drawn.guidance, drawn.width), (3, 2.5, 64));
        assert_eq!(Some(drawn.loras[0].model_version_id), job.model_version_id);
        // The model itself, and the tag.
        assert_eq!((drawn.loras.len(), drawn.loras[0].weight), (1, 1.5));
        files.push((drawn.seed, draw(&worker, &assignment, shade).await));
    }
    files.sort_by_key(|(seed, _)| *seed);
    let answer: ImagesResponse = waiting.await.unwrap().json().await.unwrap();
    assert_eq!(answer.data.len(), 2);
    for (image, (seed, file)) in answer.data.iter().zip(&files) {
        assert_eq!(image.seed, Some(*seed));
        assert_eq!(image.revised_prompt.as_deref(), Some("zora  on the moon"));
        let url = image.url.as_deref().unwrap();
        assert!(url.starts_with("http"), "{url}");
        let shown = app.http.get(url).send().await.unwrap();
        assert_eq!(shown.bytes().await.unwrap(), *file);
    }
    assert_eq!(files.iter().map(|(seed, _)| *seed).collect::<Vec<_>>(), [7, 8]);

    let plain = json!({ "model": "tiny-xl", "prompt": "max", "response_format": "b64_json" });
    let waiting = sent(app.images(&plain));
    let assignment = worker.claim(WorkKind::Generate).await;
    let file = draw(&worker, &assignment, 30).await;
    let answer: Value = waiting.await.unwrap().json().await.unwrap();
    let image = &answer["data"][0];
    assert_eq!(
        STANDARD.decode(image["b64_json"].as_str().unwrap()).unwrap(),
        file
    );
    assert!(
        image.get("url").is_none() && image.get("revised_prompt").is_none(),
        "{image}"
    );

    let log: Page<AuditEntry> = app.get("/api/v1/audit?category=work").await;
    let n = log
        .items
        .iter()
        .filter(|entry| entry.action == AuditAction::GenerationMade);
    assert_eq!(n.count(), 3, "each picture is written down");
}

#[tokio::test]
async fn models_are_base_models_and_what_is_approved() {
    let app = TestApp::start().await;
    let names = |models: &ModelsResponse| -> Vec<String> {
        models.data.iter().map(|model| model.id.clone()).collect()
    };
    let before: ModelsResponse = app.get("/v1/models").await;
    assert_eq!(names(&before), ["tiny-xl"]);
    app.approved().await;
    let after: ModelsResponse = app.get("/v1/models").await;
    assert_eq!(names(&after), ["tiny-xl", "zora"]);
    let one: ModelEntry = app.get("/v1/models/zora").await;
    assert_eq!(
        (one.base_model.as_deref(), one.trigger_word.as_deref()),
        (Some("tiny-xl"), Some("zora"))
    );
    let none = refused(
        StatusCode::NOT_FOUND,
        app.request(Method::GET, "/v1/models/nobody"),
    )
    .await;
    assert_eq!(none.error.code.as_deref(), Some("model_not_found"));
}

#[tokio::test]
async fn every_refusal_has_their_shape() {
    let app = TestApp::start().await;
    let good = json!({ "model": "tiny-xl", "prompt": "zora" });
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        app.images(&body)
    };
    for (request, param, words) in [
        (
            with("model", json!("dall-e-3")),
            Some("model"),
            "must be one of `tiny-xl`, not `dall-e-3`",
        ),
        (with("n", json!(99)), Some("n"), "must be from 1 to 10"),
        (with("n", json!("two")), Some("n"), "n"),
        (with("size", json!("64x63")), Some("size"), "multiple of 8"),
        (with("stream", json!(true)), Some("stream"), "must be `false`"),
        (with("mask", json!("x")), Some("mask"), "mask"),
        (
            with("prompt", json!("<lora:nobody:1>")),
            Some("prompt"),
            "no model of that name",
        ),
        (with("prompt", json!("a\u{0}")), Some("prompt"), "prompt"),
        (
            app.request(Method::POST, IMAGES).body("{}"),
            None,
            "application/json",
        ),
    ] {
        let response = request.send().await.unwrap();
        let status = response.status();
        assert!(status.is_client_error(), "{words}: {status}");
        let error = read_error(status, response).await.error;
        assert!(error.message.contains(words), "{words}: {}", error.message);
        assert_eq!(error.param.as_deref(), param, "{}", error.message);
        assert_eq!(error.kind, "invalid_request_error");
    }
    let wrong = app
        .anonymous(Method::POST, IMAGES)
        .bearer_auth("sk-guess")
        .json(&good);
    let error = refused(StatusCode::UNAUTHORIZED, wrong).await.error;
    assert_eq!(error.code.as_deref(), Some("invalid_api_key"));
    let other = app.request(Method::POST, "/v1/chat/completions").json(&good);
    let error = refused(StatusCode::NOT_FOUND, other).await.error;
    assert!(
        error.message.contains("/v1/chat/completions"),
        "{}",
        error.message
    );
    refused(
        StatusCode::METHOD_NOT_ALLOWED,
        app.request(Method::DELETE, IMAGES),
    )
    .await;
    for n in 0.. {
        assert!(n < 100, "guesses are not slowed down");
        let guess = app.anonymous(Method::GET, "/v1/models").bearer_auth("sk-guess");
        let response = guess.send().await.unwrap();
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            assert!(response.headers().contains_key(header::RETRY_AFTER));
            let error = read_error(StatusCode::TOO_MANY_REQUESTS, response).await.error;
            assert_eq!(error.kind, "rate_limit_error");
            break;
        }
    }
    // Elsewhere errors are what they were.
    problem(StatusCode::NOT_FOUND, app.request(Method::GET, "/api/v1/nothing")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_cannot_be_drawn_is_not_asked_for_again() {
    let app = TestApp::start().await;
    let waiting = sent(app.images(&json!({ "model": "tiny-xl", "prompt": "zora" })));
    let worker = app.launched(Purpose::Generate).await;
    let assignment = worker.claim(WorkKind::Generate).await;
    let failed = ended(&assignment, Outcome::Failed, Some("out of memory at 64 px"));
    worker.finish(&assignment, failed).await;
    let response = waiting.await.unwrap();
    assert_eq!(response.headers()["x-should-retry"], "false");
    let error = read_error(StatusCode::INTERNAL_SERVER_ERROR, response)
        .await
        .error;
    assert!(
        error.message.contains("out of memory at 64 px"),
        "{}",
        error.message
    );
    assert_eq!(
        (error.kind.as_str(), error.code.as_deref()),
        ("server_error", Some("picture_failed"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_cancels_its_pictures() {
    let app = TestApp::start().await;
    let request = app.images(&json!({ "model": "tiny-xl", "prompt": "zora", "n": 2 }));
    let waiting = sent(request);
    let worker = app.launched(Purpose::Generate).await;
    let assignment = worker.claim(WorkKind::Generate).await;
    waiting.abort();
    let ended = wait_for_end(&app).await;
    assert_eq!(ended.phase, GenerationPhase::Failed);
    assert!(ended.error.unwrap().contains("waits no longer"));
    // The agent that draws hears that its attempt is over.
    let heartbeat = Heartbeat {
        fence: assignment.fence,
        events: Vec::new(),
    };
    let deadline = tokio::time::Instant::now() + DEADLINE;
    loop {
        let beat = worker.heartbeat_request(assignment.attempt_id, &heartbeat);
        let status = beat.send().await.unwrap().status();
        if status == StatusCode::CONFLICT {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_that_take_too_long_are_cancelled() {
    let app = TestApp::start_with(|config| config.timing.images_time = Duration::from_millis(300)).await;
    let response = app
        .images(&json!({ "model": "tiny-xl", "prompt": "zora" }))
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers()["x-should-retry"], "false");
    let error = read_error(StatusCode::GATEWAY_TIMEOUT, response).await.error;
    assert!(error.message.contains("0.3 seconds"), "{}", error.message);
    assert_eq!(wait_for_end(&app).await.phase, GenerationPhase::Failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_gets_the_pictures_of_the_first() {
    let app = TestApp::start().await;
    let body = json!({ "model": "tiny-xl", "prompt": "zora" });
    let keyed = |body: &Value| app.images(body).header("idempotency-key", "once");
    let gone = sent(keyed(&body));
    let worker = app.launched(Purpose::Generate).await;
    let assignment = worker.claim(WorkKind::Generate).await;
    // Its client is gone, and the picture goes on.
    gone.abort();
    let _ = gone.await;
    let again = sent(keyed(&body));
    draw(&worker, &assignment, 40).await;
    let response = again.await.unwrap();
    assert_eq!(response.headers()["idempotency-replayed"], "true");
    let answer: ImagesResponse = response.json().await.unwrap();
    assert_eq!(answer.data.len(), 1);
    let all: Page<Generation> = app.get("/api/v1/generations").await;
    assert_eq!(all.items.len(), 1, "one picture for both");
    let other = keyed(&json!({ "model": "tiny-xl", "prompt": "max" }));
    let error = refused(StatusCode::UNPROCESSABLE_ENTITY, other).await.error;
    assert_eq!(error.code.as_deref(), Some("idempotency_key_reused"));
    empty(StatusCode::OK, app.request(Method::GET, "/v1/models")).await;
}
