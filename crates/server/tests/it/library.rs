//! Stars, tags and notes, and what owners say of their models, over HTTP.

use protocol::{
    api::Page,
    job::Job,
    library::Label,
    model::{Model, ModelVersion},
    safetensors::{Header, header_range},
};
use reqwest::{Method, StatusCode, multipart::Form};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::{TestApp, problem, take};

async fn imported(app: &TestApp, salt: &str) -> ModelVersion {
    let form = Form::new()
        .part("file", crate::imports::file(salt))
        .text("base_model", "tiny-xl")
        .text("name", "Ink & Zora")
        .text("trigger_words", "ink");
    let import = app.request(Method::POST, "/api/v1/models/import").multipart(form);
    take(StatusCode::CREATED, import).await
}

async fn put<T: serde::de::DeserializeOwned>(app: &TestApp, path: &str, body: &Value) -> T {
    take(StatusCode::OK, app.request(Method::PUT, path).json(body)).await
}

#[tokio::test]
async fn a_download_says_how_the_lora_is_used() {
    let app = TestApp::start_with(|config| config.read_lora = Some(crate::imports::read)).await;
    let version = imported(&app, "a").await;
    let usage = format!("/api/v1/model-versions/{}/usage", version.id);
    let wrong = app.request(Method::PUT, &usage).json(&json!({ "weight": 9 }));
    assert_eq!(
        problem(StatusCode::BAD_REQUEST, wrong).await.errors[0].field,
        "weight"
    );
    let said =
        json!({ "trigger_words": ["ink", " inked "], "weight": 0.8, "n_steps": 28, "prompt": "ink, a city" });
    let version: ModelVersion = put(&app, &usage, &said).await;
    assert_eq!(version.words(), ["ink", "inked"]);

    let path = format!("/api/v1/model-versions/{}/download", version.id);
    let stored = app.file(&path).await;
    let disposition = stored.headers()["content-disposition"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        disposition.contains("\"ink-zora-v1.safetensors\""),
        "{disposition}"
    );
    let stored = stored.bytes().await.unwrap();
    assert_eq!(stored, sim::files::lora(4, "a"), "the stored bytes");

    let described = app.file(&format!("{path}?described=true")).await;
    assert_eq!(described.headers()["content-disposition"], disposition.as_str());
    let described = described.bytes().await.unwrap();
    let read = |file: &[u8]| {
        let range = header_range(&file[..8], file.len() as u64).unwrap();
        let header = &file[range.start as usize..range.end as usize];
        let header = Header::parse(header, file.len() as u64).unwrap();
        (header, range.end as usize)
    };
    let ((before, first), (after, start)) = (read(&stored), read(&described));
    assert_eq!(described[start..], stored[first..], "the same tensors");
    assert_eq!(after.metadata["salt"], "a", "what the file said before stays");
    assert_eq!(after.metadata["modelspec.title"], "Ink & Zora v1");
    assert_eq!(after.metadata["modelspec.trigger_phrase"], "ink, inked");
    assert_eq!(
        after.metadata["modelspec.usage_hint"],
        "Weight 0.8, 28 steps, for example: ink, a city"
    );
    assert!(before.tensors.keys().eq(after.tensors.keys()));
}

#[tokio::test]
async fn a_model_has_the_name_and_the_version_that_its_owner_chose() {
    let app = TestApp::start_with(|config| config.read_lora = Some(crate::imports::read)).await;
    let (first, second) = (imported(&app, "a").await, imported(&app, "b").await);
    assert_eq!(first.model_id, second.model_id);
    let path = format!("/api/v1/models/{}", first.model_id);
    let choices = format!("{path}/choices");
    let model: Model = app.get(&path).await;
    assert_eq!(
        (model.current_version_id, model.is_pinned),
        (Some(second.id), false)
    );
    let model: Model = put(&app, &choices, &json!({ "version_id": first.id })).await;
    assert_eq!(
        (model.current_version_id, model.is_pinned),
        (Some(first.id), true)
    );
    let refused = [
        ("version_id", json!({ "version_id": Uuid::now_v7() })),
        (
            "cover_artifact_id",
            json!({ "cover_artifact_id": Uuid::now_v7() }),
        ),
        (
            "cover_generation_id",
            json!({ "cover_generation_id": Uuid::now_v7() }),
        ),
        (
            "cover_artifact_id",
            json!({ "cover_artifact_id": Uuid::now_v7(), "cover_generation_id": Uuid::now_v7() }),
        ),
    ];
    for (field, body) in refused {
        let problem = problem(
            StatusCode::BAD_REQUEST,
            app.request(Method::PUT, &choices).json(&body),
        );
        assert_eq!(problem.await.errors[0].field, field);
    }
    // One that is retired is chosen no longer.
    let retire = format!("/api/v1/model-versions/{}/retire", first.id);
    let _: ModelVersion = app.post(StatusCode::OK, &retire, &()).await;
    let model: Model = app.get(&path).await;
    assert_eq!(
        (model.current_version_id, model.is_pinned),
        (Some(second.id), false)
    );
    let model: Model = put(&app, &choices, &json!({})).await;
    assert!(!model.is_pinned);

    let rename = |name: &str| app.request(Method::PATCH, &path).json(&json!({ "name": name }));
    let model: Model = take(StatusCode::OK, rename(" Pen ")).await;
    assert_eq!(
        (model.name.as_str(), model.versions[0].name.as_str()),
        ("Pen", "Pen")
    );
    imported(&app, "c").await;
    let taken = problem(StatusCode::BAD_REQUEST, rename("Ink & Zora")).await;
    assert_eq!(taken.errors[0].field, "name");
}

#[tokio::test]
async fn things_have_stars_tags_and_notes() {
    let app = TestApp::start().await;
    let job = app.small_job().await;
    let path = format!("/api/v1/labels/job/{}", job.id);
    let change = |body: Value| app.request(Method::PATCH, &path).json(&body);
    let said = json!({ "starred": true, "tags": ["ink", "Ink", " city"], "note": "more steps" });
    let label: Label = take(StatusCode::OK, change(said)).await;
    assert!(label.starred);
    assert_eq!(label.tags, ["ink", "city"]);
    let label: Label = take(StatusCode::OK, change(json!({ "starred": false }))).await;
    assert_eq!((label.starred, label.tags.len()), (false, 2));
    let job: Job = app.get(&format!("/api/v1/jobs/{}", job.id)).await;
    assert_eq!(job.note.as_deref(), Some("more steps"));
    let all: Page<Label> = app.get("/api/v1/labels?kind=job").await;
    assert_eq!(all.items, [label]);
    let none: Page<Label> = app.get("/api/v1/labels?kind=generation").await;
    assert_eq!(none.items, []);
    let long = change(json!({ "tags": ["a".repeat(41)] }));
    assert_eq!(
        problem(StatusCode::BAD_REQUEST, long).await.errors[0].field,
        "tags[0]"
    );
    let nothing = format!("/api/v1/labels/model/{}", job.id);
    let nothing = app
        .request(Method::PATCH, &nothing)
        .json(&json!({ "starred": true }));
    problem(StatusCode::NOT_FOUND, nothing).await;
}
