//! Copies of approved LoRAs for other programs, from wherever the server keeps its files.

use protocol::{
    copies::LoraCopies,
    model::{ModelVersion, Stage},
};
use reqwest::{Method, StatusCode, multipart::Form};
use serde_json::json;

use crate::app::{DEADLINE, TestApp, take};

async fn wait_for(app: &TestApp, is_right: impl Fn(&LoraCopies) -> bool) -> LoraCopies {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    loop {
        let copies: LoraCopies = app.get("/api/v1/lora-copies").await;
        if is_right(&copies) {
            return copies;
        }
        assert!(tokio::time::Instant::now() < deadline, "{copies:?}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_approved_version_is_copied_until_it_is_retired() {
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::start_with(|config| {
        config.read_lora = Some(crate::imports::read);
        config.lora_folder = Some(folder.path().to_owned());
    })
    .await;
    let form = Form::new()
        .part("file", crate::imports::file("a"))
        .text("base_model", "tiny-xl");
    let request = app.request(Method::POST, "/api/v1/models/import").multipart(form);
    let version: ModelVersion = take(StatusCode::CREATED, request).await;
    let none: LoraCopies = app.get("/api/v1/lora-copies").await;
    assert_eq!(none.folder, Some(folder.path().display().to_string()));
    assert_eq!(none.copies, []);

    let path = |verb: &str| format!("/api/v1/model-versions/{}/{verb}", version.id);
    let body = json!({ "without_verdict": true });
    let approved: ModelVersion = app.post(StatusCode::OK, &path("promote"), &body).await;
    assert_eq!(approved.stage, Stage::Approved);
    let copies = wait_for(&app, |copies| !copies.copies.is_empty()).await;
    assert_eq!(copies.copies[0].model_version_id, version.id);
    let copy = folder.path().join(&copies.copies[0].file_name);
    assert_eq!(std::fs::read(&copy).unwrap(), sim::files::lora(4, "a"));

    let _: ModelVersion = app.post(StatusCode::OK, &path("retire"), &()).await;
    wait_for(&app, |copies| copies.copies.is_empty()).await;
    assert!(!copy.exists());
}
