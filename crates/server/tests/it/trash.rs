//! Deleting, bringing back and cleaning up, over HTTP.

use protocol::{
    api::Page,
    job::Job,
    library::Label,
    model::{Model, ModelVersion},
    trash::{CleanUpResult, TrashKind, Trashed},
};
use reqwest::{Method, StatusCode, multipart::Form};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::{TestApp, empty, problem, take};

async fn app() -> TestApp {
    TestApp::start_with(|config| config.read_lora = Some(crate::imports::read)).await
}

async fn imported(app: &TestApp, salt: &str) -> ModelVersion {
    let form = Form::new()
        .part("file", crate::imports::file(salt))
        .text("base_model", "tiny-xl")
        .text("name", "Ink");
    let import = app.request(Method::POST, "/api/v1/models/import").multipart(form);
    take(StatusCode::CREATED, import).await
}

fn items(kind: &str, id: Uuid) -> Value {
    json!({ "items": [{ "kind": kind, "id": id }] })
}

async fn delete(app: &TestApp, kind: &str, id: Uuid) -> Vec<Trashed> {
    app.post(StatusCode::OK, "/api/v1/trash", &items(kind, id)).await
}

async fn restore(app: &TestApp, kind: &str, id: Uuid) {
    let request = app.request(Method::POST, "/api/v1/trash/restore");
    empty(StatusCode::NO_CONTENT, request.json(&items(kind, id))).await;
}

/// Why something is not deleted.
async fn refusal(app: &TestApp, kind: &str, id: Uuid) -> String {
    let body = items(kind, id);
    let refused = app.refused(StatusCode::CONFLICT, Method::POST, "/api/v1/trash", &body);
    let problem = refused.await;
    problem.detail.unwrap_or(problem.title)
}

#[tokio::test]
async fn a_deleted_version_is_gone_until_it_is_brought_back() {
    let app = app().await;
    let (first, second) = (imported(&app, "a").await, imported(&app, "b").await);
    let model = format!("/api/v1/models/{}", first.model_id);
    let version = format!("/api/v1/model-versions/{}", second.id);

    let trashed = delete(&app, "model_version", second.id.0).await;
    assert_eq!(
        (trashed[0].kind, trashed[0].name.as_str()),
        (TrashKind::ModelVersion, "Ink v2")
    );
    assert_eq!(
        trashed[0].restorable_until,
        trashed[0].deleted_at + protocol::limits::TRASH_LIFE
    );
    for path in [&version, &format!("{version}/download")] {
        problem(StatusCode::NOT_FOUND, app.request(Method::GET, path)).await;
    }
    let shown: Model = app.get(&model).await;
    assert_eq!(shown.versions.len(), 1);
    assert_eq!(shown.current_version_id, Some(first.id));
    assert_eq!(delete(&app, "model_version", second.id.0).await, trashed, "once");
    let listed: Vec<Trashed> = app.get("/api/v1/trash").await;
    assert_eq!(listed, trashed);

    restore(&app, "model_version", second.id.0).await;
    restore(&app, "model_version", second.id.0).await;
    let shown: Model = app.get(&model).await;
    assert_eq!(shown.versions.len(), 2);
    let listed: Vec<Trashed> = app.get("/api/v1/trash").await;
    assert_eq!(listed, []);
    let nothing = app.request(Method::POST, "/api/v1/trash");
    let nothing = nothing.json(&items("model_version", Uuid::now_v7()));
    problem(StatusCode::NOT_FOUND, nothing).await;
}

#[tokio::test]
async fn a_file_is_imported_again_after_its_model_was_deleted() {
    let app = app().await;
    let first = imported(&app, "a").await;
    delete(&app, "model", first.model_id.0).await;
    problem(
        StatusCode::NOT_FOUND,
        app.request(Method::GET, &format!("/api/v1/models/{}", first.model_id)),
    )
    .await;
    problem(
        StatusCode::NOT_FOUND,
        app.request(Method::GET, &format!("/api/v1/model-versions/{}", first.id)),
    )
    .await;
    let listed: Vec<Trashed> = app.get("/api/v1/trash").await;
    assert_eq!(listed.len(), 1, "its versions are part of it");
    assert_eq!(listed[0].kind, TrashKind::Model);

    let again = imported(&app, "a").await;
    assert_ne!(again.id, first.id);
    assert_eq!((again.model_id, again.version), (first.model_id, 2));
    let listed: Vec<Trashed> = app.get("/api/v1/trash").await;
    assert_eq!(
        listed[0].kind,
        TrashKind::ModelVersion,
        "the model is there again"
    );
    restore(&app, "model_version", first.id.0).await;
    let model: Model = app.get(&format!("/api/v1/models/{}", first.model_id)).await;
    assert_eq!(model.versions.len(), 2);

    // With its last version goes a model, whose name stays its own.
    for version in [first.id, again.id] {
        delete(&app, "model_version", version.0).await;
    }
    let models: Page<Model> = app.get("/api/v1/models").await;
    assert_eq!(models.items, []);
}

#[tokio::test]
async fn what_is_in_use_is_not_deleted() {
    let app = app().await;
    let version = imported(&app, "a").await;
    let edit = json!({ "kind": "resize", "loras": [{ "model_version_id": version.id }], "rank": 2 });
    let edit = app.request(Method::POST, "/api/v1/edits").json(&edit);
    let edit: Value = take(StatusCode::ACCEPTED, edit).await;
    let edit = edit["id"].as_str().unwrap().to_owned();
    for (kind, id) in [("model_version", version.id.0), ("model", version.model_id.0)] {
        let refused = refusal(&app, kind, id).await;
        assert!(refused.contains(&edit), "{refused}");
    }
    let cancel = app.request(Method::POST, &format!("/api/v1/edits/{edit}/cancel"));
    let _: Value = take(StatusCode::OK, cancel).await;
    let promote = format!("/api/v1/model-versions/{}/promote", version.id);
    let body = json!({ "without_verdict": true });
    let _: ModelVersion = app.post(StatusCode::OK, &promote, &body).await;
    let refused = refusal(&app, "model_version", version.id.0).await;
    assert!(refused.contains("approved: retire it first"), "{refused}");
    let retire = format!("/api/v1/model-versions/{}/retire", version.id);
    let _: ModelVersion = app.post(StatusCode::OK, &retire, &()).await;
    delete(&app, "model_version", version.id.0).await;

    let job = app.small_job().await;
    let refused = refusal(&app, "job", job.id.0).await;
    assert!(refused.contains("has not ended"), "{refused}");
    // Nothing is deleted if a part is refused.
    let other = imported(&app, "b").await;
    let both = json!({ "items": [
        { "kind": "model_version", "id": other.id },
        { "kind": "job", "id": job.id },
    ] });
    app.refused(StatusCode::CONFLICT, Method::POST, "/api/v1/trash", &both)
        .await;
    let _: ModelVersion = app.get(&format!("/api/v1/model-versions/{}", other.id)).await;
}

#[tokio::test]
async fn labels_go_and_come_with_what_they_are_on() {
    let app = app().await;
    let version = imported(&app, "a").await;
    let label = format!("/api/v1/labels/model/{}", version.model_id);
    let star = || {
        app.request(Method::PATCH, &label)
            .json(&json!({ "starred": true }))
    };
    let label: Label = take(StatusCode::OK, star()).await;
    delete(&app, "model", version.model_id.0).await;
    let none: Page<Label> = app.get("/api/v1/labels?kind=model").await;
    assert_eq!(none.items, []);
    problem(StatusCode::NOT_FOUND, star()).await;
    restore(&app, "model", version.model_id.0).await;
    let all: Page<Label> = app.get("/api/v1/labels?kind=model").await;
    assert_eq!(all.items, [label]);
}

#[tokio::test]
async fn rules_name_old_drafts_and_what_they_name_can_be_brought_back() {
    let app = app().await;
    let mut versions = Vec::new();
    for salt in ["a", "b", "c"] {
        versions.push(imported(&app, salt).await);
    }
    let rules = json!({ "drafts_kept": 1 });
    let named: CleanUpResult = app.post(StatusCode::OK, "/api/v1/clean-up/preview", &rules).await;
    let names: Vec<&str> = named.items.iter().map(|item| item.name.as_str()).collect();
    assert_eq!(names, ["Ink v2", "Ink v1"]);
    assert_eq!(
        (named.total_bytes, named.has_more),
        (versions[0].size_bytes + versions[1].size_bytes, false)
    );
    let model = format!("/api/v1/models/{}", versions[0].model_id);
    let before: Model = app.get(&model).await;
    assert_eq!(before.versions.len(), 3, "a preview deletes nothing");
    let done: CleanUpResult = app.post(StatusCode::OK, "/api/v1/clean-up", &rules).await;
    assert_eq!(done, named);
    let after: Model = app.get(&model).await;
    assert_eq!(after.versions.len(), 1);
    restore(&app, "model_version", versions[0].id.0).await;
    let after: Model = app.get(&model).await;
    assert_eq!(after.versions.len(), 2);

    let old = json!({ "drafts_days": 1, "pictures_days": 1, "jobs_days": 1 });
    let none: CleanUpResult = app.post(StatusCode::OK, "/api/v1/clean-up/preview", &old).await;
    assert_eq!(none.items, [], "nothing is a day old");
    let body = json!({ "jobs_days": 0 });
    let wrong = app.refused(StatusCode::BAD_REQUEST, Method::POST, "/api/v1/clean-up", &body);
    assert_eq!(wrong.await.errors[0].field, "jobs_days");
}

#[tokio::test]
async fn a_job_that_has_ended_is_deleted_and_brought_back() {
    let app = app().await;
    let job = app.small_job().await;
    let path = format!("/api/v1/jobs/{}", job.id);
    let _: Job = app.post(StatusCode::OK, &format!("{path}/cancel"), &()).await;
    let deadline = tokio::time::Instant::now() + crate::app::DEADLINE;
    wait_until_ended(&app, &path, deadline).await;
    delete(&app, "job", job.id.0).await;
    for path in [&path, &format!("{path}/artifacts"), &format!("{path}/metrics")] {
        problem(StatusCode::NOT_FOUND, app.request(Method::GET, path)).await;
    }
    let jobs: Page<Job> = app.get("/api/v1/jobs").await;
    assert_eq!(jobs.items, []);
    restore(&app, "job", job.id.0).await;
    let jobs: Page<Job> = app.get("/api/v1/jobs").await;
    assert_eq!(jobs.items.len(), 1);
}

async fn wait_until_ended(app: &TestApp, path: &str, deadline: tokio::time::Instant) {
    loop {
        let job: Job = app.get(path).await;
        if job.phase.is_ended() {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{job:?}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
