//! Edits of many captions: shown, made, undone.

use protocol::{
    api::Page,
    caption_edit::{CaptionEdit, CaptionEditReport, UndoneCaptionEdit},
    dataset::{Dataset, Item},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{TestApp, problem, take};

async fn items(app: &TestApp, dataset: &Dataset) -> Vec<Item> {
    let page: Page<Item> = app.get(&format!("/api/v1/datasets/{}/items", dataset.id)).await;
    page.items
}

async fn captions(app: &TestApp, dataset: &Dataset) -> Vec<String> {
    let items = items(app, dataset).await;
    items.into_iter().map(|item| item.caption).collect()
}

fn path(dataset: &Dataset) -> String {
    format!("/api/v1/datasets/{}/caption-edits", dataset.id)
}

async fn edit(app: &TestApp, dataset: &Dataset, body: Value) -> CaptionEditReport {
    app.post(StatusCode::OK, &path(dataset), &body).await
}

fn hat() -> Value {
    json!({ "kind": "add_last", "text": "hat" })
}

#[tokio::test]
async fn an_edit_is_shown_made_and_undone() {
    let app = TestApp::start().await;
    let dataset = app.small_dataset().await;
    let before = captions(&app, &dataset).await;
    let shown = edit(&app, &dataset, json!({ "operation": hat(), "dry_run": true })).await;
    assert_eq!((shown.n_changed, &shown.edit), (3, &None));
    assert_eq!(shown.changes[0].before, "zora, picture 0");
    assert_eq!(shown.changes[0].after, "zora, picture 0, hat");
    assert_eq!(captions(&app, &dataset).await, before, "nothing was done");

    let made = edit(&app, &dataset, json!({ "operation": hat() })).await;
    assert_eq!(made.changes, shown.changes);
    let made = made.edit.unwrap();
    assert_eq!(made.description, "Put `hat` last");
    assert_eq!(captions(&app, &dataset).await[2], "zora, picture 2, hat");
    let listed: Vec<CaptionEdit> = app.get(&path(&dataset)).await;
    assert_eq!(listed, std::slice::from_ref(&made));
    let again = edit(&app, &dataset, json!({ "operation": hat() })).await;
    assert_eq!((again.n_changed, again.edit), (0, None), "it is there already");

    let undo = format!("{}/{}/undo", path(&dataset), made.id);
    let undone: UndoneCaptionEdit = app.post(StatusCode::OK, &undo, &json!({})).await;
    assert_eq!((undone.n_restored, undone.n_skipped), (3, 0));
    assert_eq!(captions(&app, &dataset).await, before);
    let twice = problem(
        StatusCode::CONFLICT,
        app.request(Method::POST, &undo).json(&json!({})),
    )
    .await;
    assert_eq!(twice.title, "this edit was undone already");
}

#[tokio::test]
async fn later_words_are_never_overwritten() {
    let app = TestApp::start().await;
    let dataset = app.small_dataset().await;
    let made = edit(&app, &dataset, json!({ "operation": hat() })).await;
    let undo = format!("{}/{}/undo", path(&dataset), made.edit.unwrap().id);
    let first = items(&app, &dataset).await[0].clone();
    let change = app
        .request(
            Method::PATCH,
            &format!("/api/v1/datasets/{}/items/{}", dataset.id, first.id),
        )
        .json(&json!({ "caption": "my own words" }));
    let _: Item = take(StatusCode::OK, change).await;
    let refused = problem(
        StatusCode::CONFLICT,
        app.request(Method::POST, &undo).json(&json!({})),
    )
    .await;
    assert_eq!(
        refused.title,
        "1 captions were changed since (`0.png`): undo the others with `skip_changed`, or edit them back by hand"
    );
    assert_eq!(
        captions(&app, &dataset).await[1],
        "zora, picture 1, hat",
        "all or nothing"
    );

    let others = json!({ "skip_changed": true });
    let undone: UndoneCaptionEdit = app.post(StatusCode::OK, &undo, &others).await;
    assert_eq!((undone.n_restored, undone.n_skipped), (2, 1));
    assert_eq!(
        captions(&app, &dataset).await,
        ["my own words", "zora, picture 1", "zora, picture 2"]
    );
}

#[tokio::test]
async fn an_edit_is_of_chosen_pictures_and_made_once() {
    let app = TestApp::start().await;
    let dataset = app.small_dataset().await;
    let chosen = items(&app, &dataset).await[1].id;
    let body = json!({
        "items": [chosen],
        "operation": { "kind": "replace_pattern", "pattern": r"picture (\d)", "replacement": "no. $1" },
    });
    let send = || {
        app.request(Method::POST, &path(&dataset))
            .header("Idempotency-Key", "once")
            .json(&body)
    };
    let made: CaptionEditReport = take(StatusCode::OK, send()).await;
    let again: CaptionEditReport = take(StatusCode::OK, send()).await;
    assert_eq!(made, again);
    assert_eq!(
        captions(&app, &dataset).await,
        ["zora, picture 0", "zora, no. 1", "zora, picture 2"]
    );

    let post = |body: Value| app.request(Method::POST, &path(&dataset)).json(&body);
    let wrong = json!({ "operation": { "kind": "replace_pattern", "pattern": "(", "replacement": "" } });
    let wrong = problem(StatusCode::BAD_REQUEST, post(wrong)).await;
    assert_eq!(
        wrong.errors[0].to_string(),
        "operation.pattern: is not a regular expression: unclosed group"
    );
    let stranger = protocol::ItemId::new();
    let missing = json!({ "operation": hat(), "items": [stranger] });
    assert_eq!(
        problem(StatusCode::NOT_FOUND, post(missing)).await.kind,
        "not_found"
    );
}
