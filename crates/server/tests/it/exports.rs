//! Exports of datasets, and uploads of them.

use std::{io::Cursor, io::Read as _};

use protocol::{
    api::Page,
    dataset::{Dataset, ExportFormat, Item, UploadReport},
    job::Job,
};
use reqwest::{
    Method, StatusCode, header,
    multipart::{Form, Part},
};
use serde_json::json;

use crate::{
    app::{TestApp, empty, in_folder, problem, take},
    pictures::{png, zip},
};

async fn items(app: &TestApp, dataset: &Dataset) -> Vec<Item> {
    let page: Page<Item> = app.get(&format!("/api/v1/datasets/{}/items", dataset.id)).await;
    page.items
}

fn path(dataset: &Dataset, format: &str) -> String {
    format!("/api/v1/datasets/{}/export?format={format}", dataset.id)
}

async fn export(app: &TestApp, path: &str) -> Vec<u8> {
    let answer = empty(StatusCode::OK, app.request(Method::GET, path)).await;
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/zip");
    answer.bytes().await.unwrap().to_vec()
}

/// Everything of a picture that an export keeps.
fn kept(item: &Item) -> impl PartialEq + std::fmt::Debug + use<> {
    (
        item.sha256.clone(),
        item.caption.clone(),
        item.split,
        item.group.clone(),
        item.repeats,
        item.regularization,
        item.has_mask,
    )
}

fn names(zip: &[u8]) -> Vec<String> {
    let archive = zip::ZipArchive::new(Cursor::new(zip.to_vec())).unwrap();
    let mut names: Vec<String> = archive
        .file_names()
        .map(|name| name.unwrap().into_owned())
        .collect();
    names.sort();
    names
}

/// A dataset with groups, masks, regularization and held-out pictures.
async fn varied(app: &TestApp) -> Dataset {
    let dataset = app.dataset("Zora: 漫画").await;
    let archive = zip(&[
        ("10_outfit/a.png", png(1, 128, 128)),
        ("10_outfit/a.txt", b"zora, hat".to_vec()),
        ("10_outfit/a-masklabel.png", png(2, 128, 128)),
        ("reg/woman/b.png", png(3, 128, 96)),
        ("reg/woman/b.txt", b"a woman".to_vec()),
        ("CON.png", png(4, 128, 128)),
    ]);
    app.upload(&dataset, vec![("a.zip", archive)]).await;
    let form = Form::new()
        .text("split", "held_out")
        .part("files", Part::bytes(png(5, 128, 128)).file_name("漫画.png"))
        .part(
            "files",
            Part::bytes(b"zora, held out".to_vec()).file_name("漫画.txt"),
        );
    let items = format!("/api/v1/datasets/{}/items", dataset.id);
    let report: UploadReport = take(StatusCode::OK, app.request(Method::POST, &items).multipart(form)).await;
    assert_eq!(report.dataset.n_items, 4, "{:?}", report.refused);
    report.dataset
}

#[tokio::test]
async fn an_export_that_is_uploaded_is_the_same_dataset() {
    let app = TestApp::start().await;
    let dataset = varied(&app).await;
    let before = items(&app, &dataset).await;
    for format in ExportFormat::ALL {
        let zip = export(&app, &path(&dataset, format.name())).await;
        let again = app.dataset(format.name()).await;
        let report = app.upload(&again, vec![("export.zip", zip)]).await;
        assert_eq!(report.refused, [], "{format:?}");
        let after = items(&app, &again).await;
        assert_eq!(after.len(), before.len());
        for (before, after) in before.iter().zip(&after) {
            assert_eq!(kept(before), kept(after), "{format:?}: {}", after.file_name);
        }
    }
}

#[tokio::test]
async fn an_export_has_the_folders_of_its_format_and_the_name_of_its_dataset() {
    let app = TestApp::start().await;
    let dataset = varied(&app).await;
    let answer = empty(StatusCode::OK, app.request(Method::GET, &path(&dataset, "kohya"))).await;
    let name = answer.headers()[header::CONTENT_DISPOSITION].to_str().unwrap();
    assert!(name.starts_with("attachment"), "{name}");
    assert!(
        name.contains("filename*=UTF-8''Zora_%20%E6%BC%AB%E7%94%BB-kohya.zip"),
        "{name}"
    );
    assert_eq!(
        names(&answer.bytes().await.unwrap()),
        [
            "held_out/1_/漫画.png",
            "held_out/1_/漫画.txt",
            "img/10_outfit/a.png",
            "img/10_outfit/a.txt",
            "img/10_outfit/conditioning_data/a.png",
            "img/1_/_CON.png",
            "reg/1_woman/b.png",
            "reg/1_woman/b.txt",
        ]
    );
    let zip = export(&app, &path(&dataset, "diffusers")).await;
    assert_eq!(
        names(&zip),
        [
            "held_out/1_/漫画.png",
            "held_out/metadata.jsonl",
            "reg/1_woman/b.png",
            "reg/metadata.jsonl",
            "train/10_outfit/a.png",
            "train/1_/_CON.png",
            "train/metadata.jsonl",
        ]
    );
    let mut archive = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
    let mut list = String::new();
    archive
        .by_name("train/metadata.jsonl")
        .unwrap()
        .read_to_string(&mut list)
        .unwrap();
    assert_eq!(
        list,
        "{\"file_name\":\"10_outfit/a.png\",\"text\":\"zora, hat\"}\n{\"file_name\":\"1_/_CON.png\",\"text\":\"\"}\n"
    );
}

#[tokio::test]
async fn a_frozen_version_is_exported_as_the_job_saw_it() {
    let app = TestApp::start().await;
    let job: Job = app.small_job().await;
    let dataset: Dataset = app.get(&format!("/api/v1/datasets/{}", job.dataset_id)).await;
    let before = items(&app, &dataset).await;
    let first = format!("/api/v1/datasets/{}/items/{}", dataset.id, before[0].id);
    empty(StatusCode::NO_CONTENT, app.request(Method::DELETE, &first)).await;
    let second = format!("/api/v1/datasets/{}/items/{}", dataset.id, before[1].id);
    let change = app
        .request(Method::PATCH, &second)
        .json(&json!({"caption": "changed"}));
    let _: Item = take(StatusCode::OK, change).await;

    let version = format!(
        "{}&version={}",
        path(&dataset, "onetrainer"),
        job.dataset_version_id
    );
    let zip = export(&app, &version).await;
    let again = app.dataset("again").await;
    app.upload(&again, vec![("export.zip", zip)]).await;
    let mut captions: Vec<(String, String)> = Vec::new();
    for item in items(&app, &again).await {
        captions.push((item.sha256, item.caption));
    }
    let mut expected: Vec<(String, String)> = Vec::new();
    for item in &before {
        expected.push((item.sha256.clone(), item.caption.clone()));
    }
    captions.sort();
    expected.sort();
    assert_eq!(captions, expected);

    let other = app.dataset("other").await;
    let stranger = format!("{}&version={}", path(&other, "kohya"), job.dataset_version_id);
    problem(StatusCode::NOT_FOUND, app.request(Method::GET, &stranger)).await;
}

#[tokio::test]
async fn what_cannot_be_exported_is_said_before_the_download() {
    let app = TestApp::start_with(in_folder).await;
    let dataset = app.dataset("empty").await;
    let nothing = problem(
        StatusCode::CONFLICT,
        app.request(Method::GET, &path(&dataset, "kohya")),
    )
    .await;
    assert!(nothing.title.contains("has no pictures"), "{}", nothing.title);
    let format = app.request(Method::GET, &path(&dataset, "zip"));
    let wrong = problem(StatusCode::BAD_REQUEST, format).await;
    assert_eq!(wrong.errors[0].field, "format");
    let anonymous = app.anonymous(Method::GET, &path(&dataset, "kohya"));
    problem(StatusCode::UNAUTHORIZED, anonymous).await;
}

#[tokio::test]
async fn a_download_breaks_off_at_a_picture_that_is_lost() {
    let app = TestApp::start_with(in_folder).await;
    let dataset = app.small_dataset().await;
    let lost = items(&app, &dataset).await.swap_remove(2);
    let (folder, rest) = lost.sha256.split_at(2);
    let file = app.data().join("objects/sha256").join(folder).join(rest);
    std::fs::write(&file, b"not what it was").unwrap();
    let answer = empty(StatusCode::OK, app.request(Method::GET, &path(&dataset, "kohya"))).await;
    answer
        .bytes()
        .await
        .expect_err("the connection ends before the archive does");
}
