//! Groups of pictures, and what a job makes of them; previews with settings of their own.

use protocol::{
    api::{JobEstimate, Page},
    dataset::{Dataset, Item},
    job::Job,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    app::{TestApp, problem, take},
    pictures,
};

/// A zip archive with a folder of sd-scripts, one without repeats, and one for regularization.
async fn grouped(app: &TestApp) -> Dataset {
    let dataset = app.dataset("zora").await;
    let names = [
        "10_hat/0.png",
        "armor/1.png",
        "armor/2.png",
        "reg/2_1girl/3.png",
        "4.png",
    ];
    let entries: Vec<_> = names
        .iter()
        .zip(0..)
        .map(|(name, seed)| (*name, pictures::png(seed, 128, 128)))
        .collect();
    let report = app
        .upload(&dataset, vec![("all.zip", pictures::zip(&entries))])
        .await;
    assert_eq!(report.refused, []);
    report.dataset
}

async fn items(app: &TestApp, dataset: &Dataset) -> Vec<(String, u32, bool)> {
    let page: Page<Item> = app.get(&format!("/api/v1/datasets/{}/items", dataset.id)).await;
    let facts = |item: Item| (item.group, item.repeats, item.regularization);
    page.items.into_iter().map(facts).collect()
}

#[tokio::test]
async fn folders_are_groups_that_can_be_changed() {
    let app = TestApp::start().await;
    let dataset = grouped(&app).await;
    let of = |group: &str, repeats, regularization| (group.to_owned(), repeats, regularization);
    assert_eq!(
        items(&app, &dataset).await,
        [
            of("hat", 10, false),
            of("armor", 1, false),
            of("armor", 1, false),
            of("1girl", 2, true),
            of("", 1, false),
        ]
    );
    let path = format!("/api/v1/datasets/{}/groups", dataset.id);
    let change = |body: Value| app.request(Method::PATCH, &path).json(&body);
    let both = json!({ "groups": [{ "group": "armor", "repeats": 5 }, { "group": "1girl", "regularization": false }] });
    let _: Dataset = take(StatusCode::OK, change(both)).await;
    let now = items(&app, &dataset).await;
    assert_eq!(
        [&now[1], &now[3]],
        [&of("armor", 5, false), &of("1girl", 2, false)]
    );

    // All changes or none.
    let wrong = json!({ "groups": [{ "group": "armor", "repeats": 7 }, { "group": "cape", "repeats": 2 }] });
    assert_eq!(
        problem(StatusCode::NOT_FOUND, change(wrong)).await.kind,
        "not_found"
    );
    assert_eq!(items(&app, &dataset).await, now);
    let wrong = json!({ "groups": [{ "group": "armor", "repeats": 0 }] });
    let problem = problem(StatusCode::BAD_REQUEST, change(wrong)).await;
    let errors: Vec<_> = problem.errors.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(errors, ["groups[0].repeats"]);
}

#[tokio::test]
async fn an_epoch_is_as_long_as_its_repeats() {
    let app = TestApp::start().await;
    let dataset = grouped(&app).await;
    let request = json!({
        "dataset_id": dataset.id, "base_model": "tiny-xl", "name": "zora", "trigger_word": "zora",
        "parameters": { "n_steps": 26, "batch_size": 1 },
    });
    let estimate: JobEstimate = app.post(StatusCode::OK, "/api/v1/jobs/estimate", &request).await;
    // 10 + 1 + 1 + 1 views, and as many of the regularization picture.
    assert_eq!((estimate.n_steps_per_epoch, estimate.n_epochs), (26, 1));
    assert_eq!(estimate.n_train_items, 5);
}

#[tokio::test]
async fn a_preview_keeps_its_settings() {
    let app = TestApp::start().await;
    let dataset = app.small_dataset().await;
    let samples = json!(["zora", {
        "prompt": "zora, wide", "negative_prompt": "blurry", "width": 128, "height": 64, "seed": "18446744073709551615",
        "n_steps": 5, "guidance": 3.5, "sampler": "ddim", "lora_weight": 0.5,
    }]);
    let mut request = json!({
        "dataset_id": dataset.id, "base_model": "tiny-xl", "name": "zora", "parameters": { "n_steps": 4, "rank": 4 },
        "sample_prompts": samples,
    });
    let job: Job = app.post(StatusCode::CREATED, "/api/v1/jobs", &request).await;
    let shown: Value = app.get(&format!("/api/v1/jobs/{}", job.id)).await;
    assert_eq!(shown["recipe"]["sample_prompts"], samples);

    let wrong = [
        (
            json!({ "prompt": "zora", "width": 100 }),
            "sample_prompts[0].width",
        ),
        (
            json!({ "prompt": "<lora:zora>", "width": 128 }),
            "sample_prompts[0].prompt",
        ),
        (
            json!({ "prompt": "zora", "colour": 1 }),
            "sample_prompts[0].colour",
        ),
        (json!(7), "sample_prompts[0]"),
    ];
    for (sample, field) in wrong {
        request["sample_prompts"] = json!([sample]);
        let refused = app.request(Method::POST, "/api/v1/jobs").json(&request);
        let problem = problem(StatusCode::BAD_REQUEST, refused).await;
        let fields: Vec<_> = problem.errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, [field]);
    }
}
