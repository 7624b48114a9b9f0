//! Loss masks of an upload: kept with their pictures, and never pictures of their own.

use dataset::picture::{mask_in, without_mask};
use protocol::{
    api::Page,
    dataset::{Dataset, Item, Split, UploadReport},
};
use reqwest::{
    Method, StatusCode,
    multipart::{Form, Part},
};

use crate::{
    app::{TestApp, problem, take},
    pictures::{png, zip},
};

async fn items(app: &TestApp, dataset: &Dataset) -> Vec<Item> {
    let page: Page<Item> = app.get(&format!("/api/v1/datasets/{}/items", dataset.id)).await;
    page.items
}

async fn file(app: &TestApp, item: &Item) -> Vec<u8> {
    let response = app.anonymous(Method::GET, &item.url).send().await.unwrap();
    response.bytes().await.unwrap().to_vec()
}

#[tokio::test]
async fn a_mask_is_stored_with_its_picture() {
    let app = TestApp::start().await;
    let dataset = app.dataset("zora").await;
    let form = Form::new()
        .text("split", "held_out")
        .part("files", Part::bytes(png(1, 128, 128)).file_name("a.png"))
        .text("split", "train")
        .part(
            "files",
            Part::bytes(png(2, 128, 128)).file_name("a-masklabel.png"),
        );
    let path = format!("/api/v1/datasets/{}/items", dataset.id);
    let report: UploadReport = take(StatusCode::OK, app.request(Method::POST, &path).multipart(form)).await;
    assert_eq!(report.refused, []);
    let [item] = report.accepted.as_slice() else {
        panic!("a mask is no picture of its own: {:?}", report.accepted);
    };
    assert_eq!(
        (item.file_name.as_str(), item.split, report.dataset.n_items),
        ("a.png", Split::HeldOut, 1)
    );
    let stored = file(&app, item).await;
    assert_eq!(stored.len() as u64, item.size_bytes);
    assert_eq!(without_mask(&stored), png(1, 128, 128));
    assert_eq!(mask_in(&stored), Some(&png(2, 128, 128)[..]));

    // The pair again is the same picture, and so is the picture alone.
    let pair = vec![("a-masklabel.png", png(2, 128, 128)), ("a.png", png(1, 128, 128))];
    for files in [pair, vec![("a.png", png(1, 128, 128))]] {
        let report = app.upload(&dataset, files).await;
        assert_eq!(report.accepted, []);
        assert_eq!(items(&app, &dataset).await.len(), 1);
    }
}

#[tokio::test]
async fn a_mask_that_comes_later_joins_the_picture_of_the_dataset() {
    let app = TestApp::start().await;
    let dataset = app.small_dataset().await;
    let before = items(&app, &dataset).await;
    let report = app
        .upload(
            &dataset,
            vec![
                ("1-masklabel.png", png(9, 128, 128)),
                ("1.txt", b"zora, later\nwith a hat".to_vec()),
                ("7-masklabel.png", png(8, 128, 128)),
            ],
        )
        .await;
    assert_eq!(report.refused.len(), 1);
    assert_eq!(report.refused[0].file_name, "7-masklabel.png");
    let [item] = report.accepted.as_slice() else {
        panic!("one picture has changed: {:?}", report.accepted);
    };
    assert_eq!(
        (item.id, item.caption.as_str()),
        (before[1].id, "zora, later\nwith a hat")
    );
    assert_ne!(item.sha256, before[1].sha256);
    assert_eq!(
        item.notes,
        [
            "has a loss mask, which counts where masked_loss is on",
            "its caption has several lines, which are read as one text, or with wildcards one of them each time; \
             sd-scripts by itself would read only the first"
        ]
    );
    let stored = file(&app, item).await;
    assert_eq!(without_mask(&stored), png(1, 128, 128));
    assert_eq!(mask_in(&stored), Some(&png(9, 128, 128)[..]));

    // Another one takes its place.
    let report = app
        .upload(&dataset, vec![("1-masklabel.png", png(5, 128, 128))])
        .await;
    let [item] = report.accepted.as_slice() else {
        panic!("one picture has changed: {:?}", report.accepted);
    };
    assert_eq!(item.notes.len(), 1);
    let stored = file(&app, item).await;
    assert_eq!(mask_in(&stored), Some(&png(5, 128, 128)[..]));
    assert_eq!(items(&app, &dataset).await.len(), 3);
}

#[tokio::test]
async fn masks_of_one_name_in_two_archives_are_one_change_of_their_picture() {
    let app = TestApp::start().await;
    let dataset = app.small_dataset().await;
    let archive = |n| zip(&[("1-masklabel.png", png(n, 128, 128))]);
    let report = app
        .upload(&dataset, vec![("a.zip", archive(8)), ("b.zip", archive(9))])
        .await;
    assert_eq!(report.refused, []);
    let [item] = report.accepted.as_slice() else {
        panic!("one picture has changed: {:?}", report.accepted);
    };
    assert_eq!(mask_in(&file(&app, item).await), Some(&png(9, 128, 128)[..]));

    let report = app
        .upload(&dataset, vec![("a.zip", archive(5)), ("b.zip", archive(5))])
        .await;
    assert_eq!(report.accepted.len(), 1);
    let refused: Vec<_> = report.refused.iter().map(|file| file.reason.as_str()).collect();
    assert_eq!(refused, ["is the loss mask that its picture has already"]);
}

#[tokio::test]
async fn a_mask_can_be_seen_and_taken_away_without_its_picture() {
    let app = TestApp::start().await;
    let dataset = app.dataset("zora").await;
    let files = vec![
        ("a.png", png(1, 128, 128)),
        ("a-masklabel.png", png(2, 128, 128)),
        ("b.png", png(3, 128, 128)),
    ];
    let report = app.upload(&dataset, files).await;
    let [masked, plain] = report.accepted.as_slice() else {
        panic!("two pictures: {:?}", report.accepted);
    };
    assert!(masked.has_mask && !plain.has_mask);
    let path = |item: &Item| format!("/api/v1/datasets/{}/items/{}/mask", dataset.id, item.id);
    let seen = app.request(Method::GET, &path(masked)).send().await.unwrap();
    assert_eq!(seen.headers()["content-type"], "image/png");
    assert_eq!(seen.bytes().await.unwrap(), png(2, 128, 128));
    for method in [Method::GET, Method::DELETE] {
        problem(StatusCode::NOT_FOUND, app.request(method, &path(plain))).await;
    }

    let bare: Item = take(StatusCode::OK, app.request(Method::DELETE, &path(masked))).await;
    assert_eq!((bare.id, bare.has_mask), (masked.id, false));
    assert_eq!(bare.notes, [""; 0]);
    assert_eq!(file(&app, &bare).await, png(1, 128, 128));
    assert_eq!(items(&app, &dataset).await.len(), 2);
    problem(StatusCode::NOT_FOUND, app.request(Method::DELETE, &path(masked))).await;

    // The file with the mask is still there for who has frozen it.
    let response = app.anonymous(Method::GET, &masked.url).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

/// Two pictures of one dataset never have the same pixels.
#[tokio::test]
async fn a_masked_picture_is_recognized_by_its_pixels() {
    let app = TestApp::start().await;
    let dataset = app.dataset("zora").await;
    let pair = vec![("a.png", png(1, 128, 128)), ("a-masklabel.png", png(2, 128, 128))];
    let accepted = app.upload(&dataset, pair).await.accepted;
    assert_eq!(accepted.len(), 1);
    let report = app
        .upload(&dataset, vec![("another-name.png", png(1, 128, 128))])
        .await;
    assert_eq!(report.accepted, []);
    assert_eq!(
        report.refused[0].reason,
        "shows the same pixels as `a.png`: a picture counts once"
    );
    // With another mask it is the mask that is new.
    let pair = vec![("b.png", png(1, 128, 128)), ("b-masklabel.png", png(5, 128, 128))];
    let report = app.upload(&dataset, pair).await;
    assert_eq!(report.accepted.len(), 1);
    assert_eq!(report.accepted[0].id, accepted[0].id);
    let stored = file(&app, &report.accepted[0]).await;
    assert_eq!(mask_in(&stored), Some(&png(5, 128, 128)[..]));
}
