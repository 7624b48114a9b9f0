//! A disk that becomes short, over HTTP.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use orchestrator::disk::{Gauge, Space};
use protocol::{dataset::UploadReport, system::SystemStatus};
use reqwest::{
    Method, StatusCode,
    multipart::{Form, Part},
};

use crate::{
    app::{TestApp, in_folder, problem, take},
    pictures,
};

const GIB: u64 = 1 << 30;

#[tokio::test]
async fn uploads_are_refused_with_figures_until_there_is_room() {
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
    let dataset = app.dataset("zora").await;
    let upload = || {
        let part = Part::bytes(pictures::png(1, 64, 64)).file_name("1.png");
        let path = format!("/api/v1/datasets/{}/items", dataset.id);
        app.request(Method::POST, &path)
            .multipart(Form::new().part("files", part))
    };
    free.store(GIB, Ordering::Relaxed);
    let refused = problem(StatusCode::INSUFFICIENT_STORAGE, upload()).await;
    assert_eq!(refused.kind, "insufficient_storage");
    assert!(
        refused.title.contains("has 1.0 GiB free, and 2.5 GiB are needed"),
        "{refused:?}"
    );
    let status: SystemStatus = app.get("/api/v1/system").await;
    assert!(status.disk.is_short);
    let names: Vec<&str> = status
        .disk
        .folders
        .iter()
        .map(|folder| folder.name.as_str())
        .collect();
    assert_eq!(names, ["data", "objects"]);
    let metrics = app.request(Method::GET, "/metrics").send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    for line in [
        "morpheus_disk_free_bytes{folder=\"data\"} 1073741824",
        "morpheus_disk_min_free_bytes{folder=\"data\"} 2147483648",
        "morpheus_disk_short{folder=\"objects\"} 1",
    ] {
        assert!(metrics.contains(line), "no {line} in {metrics}");
    }

    free.store(3 * GIB, Ordering::Relaxed);
    let report: UploadReport = take(StatusCode::OK, upload()).await;
    assert_eq!(report.accepted.len(), 1);
    let status: SystemStatus = app.get("/api/v1/system").await;
    assert!(!status.disk.is_short);
}
