//! Thumbnails: made at upload, made again where they are missing, and never in place of a picture.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use image::{ImageFormat, Rgba, RgbaImage};
use orchestrator::disk::{Gauge, Space};
use protocol::{
    api::Page,
    dataset::{Dataset, Item, thumbnail_path},
};
use reqwest::{Method, Response, StatusCode, header};

use crate::{
    app::{TestApp, empty, in_folder, problem},
    pictures::png,
};

async fn items(app: &TestApp, dataset: &Dataset) -> Vec<Item> {
    let page: Page<Item> = app.get(&format!("/api/v1/datasets/{}/items", dataset.id)).await;
    page.items
}

fn path(dataset: &Dataset, item: &Item) -> String {
    thumbnail_path(dataset.id, item.id, &item.sha256)
}

/// Where something about the picture lies: its `sha256` file, or its `thumbnails` file.
fn object(app: &TestApp, kind: &str, item: &Item) -> PathBuf {
    let (folder, rest) = item.sha256.split_at(2);
    app.data().join("objects").join(kind).join(folder).join(rest)
}

async fn fetch(app: &TestApp, dataset: &Dataset, item: &Item) -> Response {
    empty(StatusCode::OK, app.request(Method::GET, &path(dataset, item))).await
}

#[tokio::test]
async fn a_picture_has_a_thumbnail_from_its_upload_on() {
    let app = TestApp::start_with(in_folder).await;
    let dataset = app.dataset("zora").await;
    let report = app.upload(&dataset, vec![("a.png", png(1, 900, 600))]).await;
    let [item] = report.accepted.as_slice() else {
        panic!("one picture: {:?}", report.refused);
    };
    assert!(object(&app, "thumbnails", item).exists());
    assert_eq!(report.dataset.preview_urls, [path(&dataset, item)]);

    let shown = fetch(&app, &dataset, item).await;
    let header = |name: header::HeaderName| shown.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header(header::CONTENT_TYPE), "image/jpeg");
    assert!(header(header::CACHE_CONTROL).contains("immutable"));
    let etag = header(header::ETAG);
    let bytes = shown.bytes().await.unwrap();
    let small = image::load_from_memory(&bytes).unwrap();
    assert_eq!((small.width(), small.height()), (384, 256));

    let known = app.request(Method::GET, &path(&dataset, item));
    let known = known.header(header::IF_NONE_MATCH, &etag);
    let answer = empty(StatusCode::NOT_MODIFIED, known).await;
    assert_eq!(answer.bytes().await.unwrap().len(), 0);

    // Another address may have another file later.
    let plain = format!("/api/v1/datasets/{}/items/{}/thumbnail", dataset.id, item.id);
    for address in [plain.clone(), format!("{plain}?of={}", "0".repeat(64))] {
        let shown = empty(StatusCode::OK, app.request(Method::GET, &address)).await;
        assert_eq!(shown.headers()[header::CACHE_CONTROL], "private, no-cache");
        assert_eq!(shown.headers()[header::ETAG].to_str().unwrap(), etag);
    }

    let stranger = app.anonymous(Method::GET, &path(&dataset, item));
    problem(StatusCode::UNAUTHORIZED, stranger).await;
    let other = app.dataset("other").await;
    let elsewhere = app.request(Method::GET, &path(&other, item));
    problem(StatusCode::NOT_FOUND, elsewhere).await;
    let deleted = format!("/api/v1/datasets/{}/items/{}", dataset.id, item.id);
    empty(StatusCode::NO_CONTENT, app.request(Method::DELETE, &deleted)).await;
    problem(
        StatusCode::NOT_FOUND,
        app.request(Method::GET, &path(&dataset, item)),
    )
    .await;
}

#[tokio::test]
async fn transparent_areas_stay_transparent() {
    let app = TestApp::start().await;
    let dataset = app.dataset("zora").await;
    let picture = RgbaImage::from_fn(500, 500, |x, _| match x < 250 {
        true => Rgba([200, 40, 30, 255]),
        false => Rgba([0, 0, 0, 0]),
    });
    let mut file = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut file, ImageFormat::Png).unwrap();
    let report = app.upload(&dataset, vec![("a.png", file.into_inner())]).await;
    let shown = fetch(&app, &dataset, &report.accepted[0]).await;
    assert_eq!(shown.headers()[header::CONTENT_TYPE], "image/webp");
    let small = image::load_from_memory(&shown.bytes().await.unwrap())
        .unwrap()
        .into_rgba8();
    assert_eq!(small.dimensions(), (384, 384));
    assert_eq!(small.get_pixel(50, 50).0[3], 255);
    assert_eq!(small.get_pixel(334, 50).0[3], 0);
}

#[tokio::test]
async fn a_thumbnail_that_is_missing_or_damaged_is_made_again() {
    let app = TestApp::start_with(in_folder).await;
    let dataset = app.small_dataset().await;
    let items = items(&app, &dataset).await;
    let mut first = Vec::new();
    for item in &items {
        first.push(fetch(&app, &dataset, item).await.bytes().await.unwrap());
    }
    let files: Vec<PathBuf> = items
        .iter()
        .map(|item| object(&app, "thumbnails", item))
        .collect();
    std::fs::remove_file(&files[0]).unwrap();
    let mut damaged = std::fs::read(&files[1]).unwrap();
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(&files[1], damaged).unwrap();
    std::fs::write(&files[2], b"").unwrap();
    for (item, first) in items.iter().zip(&first) {
        let again = fetch(&app, &dataset, item).await.bytes().await.unwrap();
        assert_eq!(&again, first, "{}", item.file_name);
    }
    for (file, first) in files.iter().zip(&first) {
        assert!(std::fs::read(file).unwrap().ends_with(first), "it is kept again");
    }
}

#[tokio::test]
async fn a_thumbnail_is_shown_but_not_kept_on_a_nearly_full_disk() {
    const GIB: u64 = 1 << 30;
    let free = Arc::new(AtomicU64::new(50 * GIB));
    let seen = Arc::clone(&free);
    let app = TestApp::start_with(|config| {
        in_folder(config);
        config.gauge = Gauge::new(move |_| {
            Ok(Space {
                free_bytes: seen.load(Ordering::Relaxed),
                total_bytes: 100 * GIB,
                ..Space::default()
            })
        });
    })
    .await;
    let dataset = app.small_dataset().await;
    let item = items(&app, &dataset).await.swap_remove(0);
    let file = object(&app, "thumbnails", &item);
    std::fs::remove_file(&file).unwrap();
    for (n_free, is_kept) in [(GIB, false), (50 * GIB, true)] {
        free.store(n_free, Ordering::Relaxed);
        fetch(&app, &dataset, &item).await;
        assert_eq!(file.exists(), is_kept, "with {n_free} bytes free");
    }
}

#[tokio::test]
async fn a_lost_picture_without_a_thumbnail_is_lost_here_too() {
    let app = TestApp::start_with(in_folder).await;
    let dataset = app.small_dataset().await;
    let items = items(&app, &dataset).await;
    std::fs::remove_file(object(&app, "sha256", &items[0])).unwrap();
    // As long as the thumbnail is there, it shows what to look for.
    fetch(&app, &dataset, &items[0]).await;
    std::fs::remove_file(object(&app, "thumbnails", &items[0])).unwrap();
    let small = app.request(Method::GET, &path(&dataset, &items[0]));
    let small = problem(StatusCode::NOT_FOUND, small).await;
    let picture = problem(StatusCode::NOT_FOUND, app.anonymous(Method::GET, &items[0].url)).await;
    assert_eq!((small.kind, small.title), (picture.kind, picture.title));

    // Uploaded again, it has both.
    let report = app.upload(&dataset, vec![("again.png", png(0, 128, 128))]).await;
    assert_eq!(report.restored.len(), 1, "{:?}", report.refused);
    assert!(object(&app, "thumbnails", &items[0]).exists());
}
