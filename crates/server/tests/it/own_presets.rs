//! Users' own presets, and recipes from and for other trainers.

use protocol::{
    foreign::{Exported, Imported},
    recipe::OwnPreset,
};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::app::{TestApp, empty};

#[tokio::test]
async fn a_preset_is_saved_from_a_job_and_shared_as_a_file() {
    let app = TestApp::start().await;
    let job = app.small_job().await;
    let saved: OwnPreset = app
        .post(
            StatusCode::CREATED,
            "/api/v1/own-presets",
            &json!({ "name": "Zora", "job_id": job.id }),
        )
        .await;
    assert_eq!(
        saved.parameters.rank,
        Some(i64::from(job.recipe.parameters().rank))
    );
    // What the preset says anyway is not kept, and the length is in views.
    assert_eq!(saved.parameters.lr_schedule, None);
    assert_eq!(saved.parameters.n_steps, None);
    assert!(saved.parameters.n_views.is_some());

    // As somebody else would bring it in.
    let file = json!({
        "name": "Zora again", "preset": saved.preset, "family": saved.family, "parameters": saved.parameters,
    });
    let again: OwnPreset = app.post(StatusCode::CREATED, "/api/v1/own-presets", &file).await;
    assert_eq!(again.parameters, saved.parameters);
    let twice = app
        .refused(
            StatusCode::BAD_REQUEST,
            Method::POST,
            "/api/v1/own-presets",
            &file,
        )
        .await;
    assert_eq!(twice.errors[0].field, "name");
    let wrong = json!({ "name": "wrong", "parameters": { "rank": 0 } });
    let refused = app
        .refused(
            StatusCode::BAD_REQUEST,
            Method::POST,
            "/api/v1/own-presets",
            &wrong,
        )
        .await;
    assert_eq!(refused.errors[0].field, "parameters.rank");

    let path = format!("/api/v1/own-presets/{}", saved.id);
    empty(StatusCode::NO_CONTENT, app.request(Method::DELETE, &path)).await;
    let left: Vec<OwnPreset> = app.get("/api/v1/own-presets").await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].name, "Zora again");
}

#[tokio::test]
async fn recipes_come_from_other_trainers_and_go_to_them() {
    let app = TestApp::start().await;
    let job = app.small_job().await;
    let path = format!("/api/v1/jobs/{}/recipe?format=sd-scripts", job.id);
    let exported: Exported = app.get(&path).await;
    let request = json!({ "text": exported.text });
    let imported: Imported = app.post(StatusCode::OK, "/api/v1/recipes/import", &request).await;
    let p = job.recipe.parameters();
    assert_eq!(imported.parameters.rank, Some(i64::from(p.rank)));
    assert_eq!(imported.parameters.n_steps, Some(i64::from(p.n_steps)));
    let refused = app
        .refused(
            StatusCode::BAD_REQUEST,
            Method::POST,
            "/api/v1/recipes/import",
            &json!({ "text": "hello there" }),
        )
        .await;
    assert_eq!(refused.errors[0].field, "text");
}
