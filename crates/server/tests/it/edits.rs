//! Files that are made out of others, over HTTP, with an agent that is played.

use orchestrator::providers::Purpose;
use protocol::{
    agent::{ArtifactKind, Assignment, Directive, EditResult, Finish, Report, Work, WorkKind},
    api::Page,
    edit::{Edit, EditPhase, LoraEdit, LoraNames, Merging},
    model::{Model, ModelVersion, Stage},
    phase::Outcome,
};
use reqwest::{Method, StatusCode, multipart::Form};
use serde_json::{Value, json};

use crate::{
    agent::FakeAgent,
    app::{TestApp, problem, take},
    imports::{file, read},
};

async fn app() -> TestApp {
    TestApp::start_with(|config| config.read_lora = Some(read)).await
}

async fn import(app: &TestApp, name: &str, salt: &str) -> ModelVersion {
    let form = Form::new()
        .text("base_model", "tiny-xl")
        .text("name", name.to_owned())
        .text("trigger_words", name.to_owned())
        .part("file", file(salt));
    let request = app.request(Method::POST, "/api/v1/models/import").multipart(form);
    take(StatusCode::CREATED, request).await
}

async fn ask(app: &TestApp, body: &Value) -> LoraEdit {
    app.post(StatusCode::ACCEPTED, "/api/v1/edits", body).await
}

async fn get(app: &TestApp, edit: &LoraEdit) -> LoraEdit {
    app.get(&format!("/api/v1/edits/{}", edit.id)).await
}

fn finish(assignment: &Assignment, outcome: Outcome, edited: Option<EditResult>) -> Finish {
    Finish {
        fence: assignment.fence,
        outcome,
        detail: None,
        result: None,
        picture: None,
        edited,
        disk_fault: false,
    }
}

/// Uploads bytes as the result of an assignment, and ends it.
async fn deliver(agent: &FakeAgent, assignment: &Assignment, name: &str, bytes: &[u8], summary: bool) {
    let artifact_id = agent.upload(assignment, ArtifactKind::Edited, name, bytes).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("result");
    std::fs::write(&path, bytes).unwrap();
    let summary = summary.then(|| read(&path, protocol::preset::BaseClass::Tiny).unwrap());
    let edited = EditResult {
        artifact_id,
        summary,
        done: "merged from ink × 1 + zora × 0.5 by concatenation".to_owned(),
        kept: Some(0.9),
        notes: vec!["1 of 2 modules are not in every file".to_owned()],
    };
    agent
        .finish(assignment, finish(assignment, Outcome::Completed, Some(edited)))
        .await;
}

#[tokio::test]
async fn a_merge_becomes_a_version_that_says_what_it_was_made_of() {
    let app = app().await;
    let (ink, zora) = (import(&app, "ink", "a").await, import(&app, "zora", "b").await);
    let request = json!({
        "kind": "merge", "name": "both",
        "loras": [{ "model_version_id": ink.id }, { "model_version_id": zora.id, "weight": 0.5 }],
    });
    let edit = ask(&app, &request).await;
    assert_eq!(edit.phase, EditPhase::Queued);
    let mut agent = app.launched(Purpose::Generate).await;
    let assignment = agent.claim(WorkKind::Edit).await;
    let Work::Edit(work) = &assignment.work else {
        panic!("{assignment:?}")
    };
    assert_eq!(work.edit_id, edit.id);
    assert_eq!(
        work.edit,
        Edit::Merge {
            merging: Merging::Concatenate,
            weights: vec![1.0, 0.5],
        }
    );
    let names: Vec<&str> = work.loras.iter().map(|lora| lora.name.as_str()).collect();
    assert_eq!((names, work.name.as_str()), (vec!["ink", "ink"], "both"));
    assert!(work.base.is_some());
    let stage = Report::Stage {
        name: "merging".to_owned(),
        done: 3,
        total: 10,
    };
    agent.report(&assignment, vec![stage]).await;
    let running = get(&app, &edit).await;
    assert_eq!(running.phase, EditPhase::Running);
    assert_eq!(running.progress.map(|progress| progress.done), Some(3));

    deliver(
        &agent,
        &assignment,
        "both.safetensors",
        &sim::files::lora(8, "c"),
        true,
    )
    .await;
    let done = get(&app, &edit).await;
    assert_eq!((done.phase, done.file_name), (EditPhase::Succeeded, None));
    let id = done.model_version_id.unwrap();
    let version: ModelVersion = app.get(&format!("/api/v1/model-versions/{id}")).await;
    assert_eq!((version.name.as_str(), version.version), ("both", 1));
    assert_eq!((version.stage, &version.verdict), (Stage::Draft, &None));
    assert_eq!(version.base_model, "tiny-xl");
    let imported = version.imported.unwrap();
    assert_eq!(imported.trigger_words, ["ink", "zora"]);
    let made = imported.made.unwrap();
    assert_eq!((made.edit_id, made.kept), (edit.id, Some(0.9)));
    let from: Vec<(&str, u32, f64)> = made
        .from
        .iter()
        .map(|from| (from.name.as_str(), from.version, from.weight))
        .collect();
    assert_eq!(from, [("ink", 1, 1.0), ("zora", 1, 0.5)]);
    let got = app.file(&format!("/api/v1/model-versions/{id}/download")).await;
    assert_eq!(got.bytes().await.unwrap(), sim::files::lora(8, "c"));
    let listed: Page<LoraEdit> = app.get("/api/v1/edits").await;
    assert_eq!(listed.items.len(), 1);

    // Without a name, it is a version of the model that it was made of.
    let resize = json!({ "kind": "resize", "rank": 2, "loras": [{ "model_version_id": ink.id }] });
    let edit = ask(&app, &resize).await;
    let assignment = agent.claim(WorkKind::Edit).await;
    deliver(
        &agent,
        &assignment,
        "ink.safetensors",
        &sim::files::lora(2, "d"),
        true,
    )
    .await;
    assert_eq!(get(&app, &edit).await.phase, EditPhase::Succeeded);
    let model: Model = app.get(&format!("/api/v1/models/{}", ink.model_id)).await;
    assert_eq!((model.versions.len(), model.versions[0].version), (2, 2));
}

#[tokio::test]
async fn a_conversion_is_a_file_to_download() {
    let app = app().await;
    let ink = import(&app, "ink", "a").await;
    let request = json!({ "kind": "convert", "to": "peft", "loras": [{ "model_version_id": ink.id }] });
    let edit = ask(&app, &request).await;
    let download = format!("/api/v1/edits/{}/download", edit.id);
    problem(StatusCode::NOT_FOUND, app.request(Method::GET, &download)).await;
    let agent = app.launched(Purpose::Generate).await;
    let assignment = agent.claim(WorkKind::Edit).await;
    assert!(
        matches!(&assignment.work, Work::Edit(work) if work.edit == Edit::Convert { to: LoraNames::Peft }),
        "{assignment:?}"
    );
    deliver(&agent, &assignment, "ink-peft.zip", b"PK, so to speak", false).await;
    let done = get(&app, &edit).await;
    assert_eq!(done.file_name.as_deref(), Some("ink-peft.zip"));
    assert_eq!((done.model_version_id, done.notes.len()), (None, 1));
    let got = app.file(&download).await;
    assert_eq!(got.bytes().await.unwrap(), &b"PK, so to speak"[..]);
}

#[tokio::test]
async fn an_edit_is_canceled_while_it_waits_and_while_it_runs() {
    let app = app().await;
    let ink = import(&app, "ink", "a").await;
    let request = json!({ "kind": "weigh", "blocks": "style", "loras": [{ "model_version_id": ink.id }] });
    let (first, second) = (ask(&app, &request).await, ask(&app, &request).await);
    let cancel = async |edit: &LoraEdit| -> LoraEdit {
        let path = format!("/api/v1/edits/{}/cancel", edit.id);
        app.post(StatusCode::OK, &path, &()).await
    };
    assert_eq!(cancel(&second).await.phase, EditPhase::Cancelled);
    let mut agent = app.launched(Purpose::Generate).await;
    let assignment = agent.claim(WorkKind::Edit).await;
    let asked = cancel(&first).await;
    assert!(
        asked.is_cancelling && asked.phase == EditPhase::Running,
        "{asked:?}"
    );
    let reply = agent.report(&assignment, Vec::new()).await;
    assert_eq!(reply.directives, [Directive::Cancel]);
    agent
        .finish(&assignment, finish(&assignment, Outcome::Cancelled, None))
        .await;
    assert_eq!(get(&app, &first).await.phase, EditPhase::Cancelled);
    assert_eq!(cancel(&first).await.phase, EditPhase::Cancelled, "it stays so");
}

#[tokio::test]
async fn what_is_wrong_is_said_by_its_field() {
    let app = app().await;
    let ink = import(&app, "ink", "a").await;
    let lora = json!({ "model_version_id": ink.id });
    let unknown = json!({ "model_version_id": "01890000-0000-7000-8000-000000000000" });
    for (body, field, said) in [
        (
            json!({ "kind": "merge", "loras": [lora] }),
            "loras",
            "must be 2 to 64, not 1",
        ),
        (
            json!({ "kind": "merge", "loras": [lora, unknown] }),
            "loras[1].model_version_id",
            "there is no model version",
        ),
        (
            json!({ "kind": "merge_into", "loras": [lora], "base_model": "nothing" }),
            "base_model",
            "must be one of `tiny-xl`",
        ),
        (json!({ "kind": "shrink", "loras": [lora] }), "kind", ""),
        (
            json!({ "kind": "resize", "loras": [lora], "rank": 4, "blocks": "style" }),
            "blocks",
            "must be left out: `resize` does not use it",
        ),
    ] {
        let refused = app
            .refused(StatusCode::BAD_REQUEST, Method::POST, "/api/v1/edits", &body)
            .await;
        let error = refused.errors.iter().find(|error| error.field == field);
        assert!(
            error.is_some_and(|error| error.message.contains(said)),
            "{body}: {refused:?}"
        );
    }
    // A result that is none.
    let edit = ask(&app, &json!({ "kind": "resize", "rank": 2, "loras": [lora] })).await;
    let agent = app.launched(Purpose::Generate).await;
    let assignment = agent.claim(WorkKind::Edit).await;
    let artifact_id = agent
        .upload(
            &assignment,
            ArtifactKind::Edited,
            "ink.safetensors",
            b"not a LoRA",
        )
        .await;
    let edited = EditResult {
        artifact_id,
        summary: None,
        done: String::new(),
        kept: None,
        notes: Vec::new(),
    };
    let end = finish(&assignment, Outcome::Completed, Some(edited));
    let path = format!("attempts/{}/finish", assignment.attempt_id);
    let refused = problem(StatusCode::BAD_REQUEST, agent.post(&path).json(&end)).await;
    assert!(refused.errors[0].message.contains("is not a LoRA"), "{refused:?}");
    let failed = Finish {
        outcome: Outcome::Failed,
        detail: Some("the module is a DoRA".to_owned()),
        ..finish(&assignment, Outcome::Failed, None)
    };
    agent.finish(&assignment, failed).await;
    let edit = get(&app, &edit).await;
    assert_eq!(
        (edit.phase, edit.error.as_deref()),
        (EditPhase::Failed, Some("the module is a DoRA"))
    );
}
