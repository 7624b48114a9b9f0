//! The dataset with which somebody who has no pictures begins.

use protocol::{
    api::Page,
    dataset::{Dataset, Item, Split},
};
use reqwest::StatusCode;
use serde_json::json;

use crate::app::TestApp;

#[tokio::test]
async fn the_demo_dataset_can_be_trained_on_at_once() {
    let app = TestApp::start().await;
    let body = json!({ "name": "Zora" });
    let dataset: Dataset = app
        .post(StatusCode::CREATED, "/api/v1/datasets/demo", &body)
        .await;
    assert_eq!((dataset.name.as_str(), dataset.n_items), ("Zora", 32));
    assert_eq!(dataset.n_captioned, 32);
    let path = format!("/api/v1/datasets/{}/items?limit=100", dataset.id);
    let items: Page<Item> = app.get(&path).await;
    let held_out = items.items.iter().filter(|item| item.split == Split::HeldOut);
    assert_eq!(held_out.count(), 16);
    assert!(items.items.iter().all(|item| item.caption.contains("zora")));
    let job =
        json!({ "dataset_id": dataset.id, "base_model": "tiny-xl", "name": "zora", "trigger_word": "zora" });
    let estimate: serde_json::Value = app.post(StatusCode::OK, "/api/v1/jobs/estimate", &job).await;
    assert_eq!(estimate["n_train_items"], 16);
    let findings = estimate["findings"].as_array().cloned().unwrap_or_default();
    assert!(
        findings.iter().all(|finding| finding["severity"] != "error"),
        "{findings:?}"
    );

    // The name is the user's, and so are its rules; what is refused leaves nothing.
    let path = "/api/v1/datasets/demo";
    app.refused(
        StatusCode::BAD_REQUEST,
        reqwest::Method::POST,
        path,
        &json!({ "name": "" }),
    )
    .await;
    let all: Page<Dataset> = app.get("/api/v1/datasets").await;
    assert_eq!(all.items.len(), 1);
}
