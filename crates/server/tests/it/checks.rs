//! The checks of a dataset, and what is acknowledged of them.

use image::{Rgb, RgbImage, imageops};
use protocol::{
    api::{JobEstimate, Page},
    dataset::{Dataset, Item},
    finding::{DatasetFindings, Finding, FindingCode},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{TestApp, empty, problem, take};

fn encoded(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A drawing that is unlike itself in every direction.
fn drawing() -> RgbImage {
    RgbImage::from_fn(256, 192, |x, y| match (x, y) {
        (20..90, 30..150) => Rgb([200, 40, 60]),
        (150..240, 15..50) => Rgb([250, 240, 30]),
        (170..200, 110..180) => Rgb([0; 3]),
        _ => Rgb([(90 + x / 4) as u8, (60 + y / 2) as u8, 120]),
    })
}

async fn check(app: &TestApp, dataset: &Dataset, purpose: Value) -> DatasetFindings {
    let path = format!("/api/v1/datasets/{}/check", dataset.id);
    app.post(StatusCode::OK, &path, &purpose).await
}

fn found(findings: &[Finding], code: FindingCode) -> &Finding {
    findings
        .iter()
        .find(|finding| finding.code == code)
        .unwrap_or_else(|| panic!("{code:?} should be among {findings:#?}"))
}

fn names(finding: &Finding) -> Vec<&str> {
    finding
        .pictures
        .iter()
        .map(|picture| picture.file_name.as_str())
        .collect()
}

async fn uneven(app: &TestApp) -> Dataset {
    let dataset = app.dataset("zora").await;
    let drawing = drawing();
    let dark = RgbImage::from_fn(256, 192, |x, y| {
        Rgb(drawing.get_pixel(x, y).0.map(|value| value / 8))
    });
    let report = app
        .upload(
            &dataset,
            vec![
                ("a.png", encoded(&drawing)),
                ("a.txt", b"zora, a portrait".to_vec()),
                ("b.png", encoded(&imageops::flip_horizontal(&drawing))),
                ("dark.png", encoded(&dark)),
                ("dark.txt", "word ".repeat(90).into_bytes()),
            ],
        )
        .await;
    assert_eq!(report.refused, []);
    report.dataset
}

#[tokio::test]
async fn a_dataset_is_checked_as_its_job_would_be() {
    let app = TestApp::start().await;
    let dataset = uneven(&app).await;
    let purpose = json!({ "resolution": 128, "bucket_step": 32, "trigger_word": "zora" });
    let checked = check(&app, &dataset, purpose).await;
    assert_eq!(checked.n_unmeasured, 0, "pictures are measured at upload");
    let findings = &checked.findings;
    assert_eq!(names(found(findings, FindingCode::NoCaption)), ["b.png"]);
    assert_eq!(names(found(findings, FindingCode::TooDark)), ["dark.png"]);
    let duplicate = found(findings, FindingCode::NearDuplicate);
    assert_eq!(duplicate.pictures[0].file_name, "b.png");
    assert_eq!(duplicate.pictures[0].detail, "looks like `a.png`");
    let long = found(findings, FindingCode::CaptionTooLong);
    assert!(
        long.pictures[0]
            .detail
            .starts_with("its caption has 93 tokens, and after 75 `word word"),
        "{long:?}"
    );
    assert_eq!(names(found(findings, FindingCode::TriggerMissing)), ["dark.png"]);

    // The estimate of a job says the same.
    let request = json!({
        "dataset_id": dataset.id,
        "base_model": "tiny-xl",
        "name": "zora",
        "trigger_word": "zora",
        "parameters": { "max_tokens": 75, "batch_size": 1 },
    });
    let estimate: JobEstimate = app.post(StatusCode::OK, "/api/v1/jobs/estimate", &request).await;
    let said = |findings: &[Finding]| -> Vec<(FindingCode, String)> {
        let said = findings
            .iter()
            .map(|finding| (finding.code, finding.message.clone()));
        said.collect()
    };
    assert_eq!(said(&estimate.findings), said(findings));

    let wrong = app
        .request(Method::POST, &format!("/api/v1/datasets/{}/check", dataset.id))
        .json(&json!({ "resolution": 5000, "max_tokens": 77 }));
    let problem = problem(StatusCode::BAD_REQUEST, wrong).await;
    let errors: Vec<String> = problem.errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        errors,
        [
            "resolution: must be from 64 to 2048, not 5000",
            "max_tokens: must be 75, 150 or 225, not 77"
        ]
    );
}

#[tokio::test]
async fn a_finding_is_acknowledged_for_what_it_is_about() {
    let app = TestApp::start().await;
    let dataset = uneven(&app).await;
    let missing = |findings: &DatasetFindings| found(&findings.findings, FindingCode::NoCaption).clone();
    let before = missing(&check(&app, &dataset, json!({})).await);
    assert!(!before.acknowledged);
    let path = format!("/api/v1/datasets/{}/acknowledgements", dataset.id);
    let acknowledge = |code: &str, content: &str| {
        let body = json!({ "findings": [{ "code": code, "content": content }] });
        app.request(Method::POST, &path).json(&body)
    };
    empty(StatusCode::NO_CONTENT, acknowledge("no_caption", &before.content)).await;
    let after = missing(&check(&app, &dataset, json!({})).await);
    assert_eq!(after.content, before.content);
    assert!(after.acknowledged);

    // Another caption is missing now: that is another finding.
    let list = format!("/api/v1/datasets/{}/items", dataset.id);
    let items: Page<Item> = app.get(&list).await;
    let change = app
        .request(Method::PATCH, &format!("{list}/{}", items.items[0].id))
        .json(&json!({ "caption": " , " }));
    let item: Item = take(StatusCode::OK, change).await;
    assert_eq!(item.caption, "", "nothing but commas is no caption");
    let later = missing(&check(&app, &dataset, json!({})).await);
    assert_eq!(
        (names(&later), later.acknowledged),
        (vec!["a.png", "b.png"], false)
    );

    let refused = problem(StatusCode::BAD_REQUEST, acknowledge("cannot_train", "abc")).await;
    let fields: Vec<&str> = refused.errors.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(fields, ["findings[0].content", "findings[0].code"]);
}
