//! Stored files that are lost or damaged later, over HTTP.

use std::path::PathBuf;

use orchestrator::providers::Purpose;
use protocol::{
    agent::{ArtifactKind, Instead, UnusableFile, WorkKind},
    api::Page,
    dataset::{Dataset, Item, UploadReport},
    job::Job,
    model::ModelVersion,
    phase::Phase,
};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    agent::{trained, verdict},
    app::{TestApp, empty, in_folder, take},
    pictures,
};

/// Where the object with these bytes lies.
fn object(app: &TestApp, sha256: &str) -> PathBuf {
    let (folder, rest) = sha256.split_at(2);
    app.data().join("objects/sha256").join(folder).join(rest)
}

fn flip(path: &PathBuf) {
    let mut bytes = std::fs::read(path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(path, bytes).unwrap();
}

async fn items(app: &TestApp, dataset: &Dataset) -> Vec<Item> {
    let page: Page<Item> = app.get(&format!("/api/v1/datasets/{}/items", dataset.id)).await;
    page.items
}

#[tokio::test]
async fn uploading_a_lost_picture_again_restores_it() {
    let app = TestApp::start_with(in_folder).await;
    let dataset = app.small_dataset().await;
    let pictures: Vec<Vec<u8>> = (0..3).map(|n| pictures::png(n, 128, 128)).collect();
    let known = items(&app, &dataset).await;
    std::fs::remove_file(object(&app, &known[0].sha256)).unwrap();
    flip(&object(&app, &known[1].sha256));

    let report = app
        .upload(
            &dataset,
            vec![
                ("lost.png", pictures[0].clone()),
                ("damaged.png", pictures[1].clone()),
                ("whole.png", pictures[2].clone()),
            ],
        )
        .await;
    let restored: Vec<&str> = report
        .restored
        .iter()
        .map(|item| item.file_name.as_str())
        .collect();
    assert_eq!(restored, ["0.png", "1.png"]);
    assert_eq!(report.accepted, []);
    assert_eq!(report.refused.len(), 1);
    assert_eq!(
        report.refused[0].reason,
        "shows the same pixels as `2.png`: a picture counts once"
    );
    assert_eq!(report.dataset.n_items, 3);
    for (item, picture) in known.iter().zip(pictures) {
        let shown = app.anonymous(Method::GET, &item.url).send().await.unwrap();
        assert_eq!(shown.bytes().await.unwrap(), picture, "{}", item.file_name);
    }
}

#[tokio::test]
async fn a_job_that_lost_a_picture_goes_on_when_it_is_uploaded_again() {
    let app = TestApp::start_with(in_folder).await;
    let job = app.small_job().await;
    let agent = app.launched(Purpose::Train).await;
    let assignment = agent.claim(WorkKind::Train).await;
    let dataset: Dataset = app.get(&format!("/api/v1/datasets/{}", job.dataset_id)).await;
    let lost = items(&app, &dataset).await.swap_remove(1);
    std::fs::remove_file(object(&app, &lost.sha256)).unwrap();

    let unusable = UnusableFile {
        fence: assignment.fence,
        sha256: lost.sha256.clone(),
        arrived: false,
        problem: "404 Not Found".to_owned(),
    };
    let path = format!("attempts/{}/unusable", assignment.attempt_id);
    let instead: Instead = take(StatusCode::OK, agent.post(&path).json(&unusable)).await;
    let Instead::GiveUp { reason } = instead else {
        panic!("{instead:?}");
    };
    assert!(
        reason.contains("`1.png` of the dataset `zora` is missing"),
        "{reason}"
    );
    let finish = json!({"fence": assignment.fence, "outcome": "failed", "detail": reason});
    agent
        .finish(&assignment, serde_json::from_value(finish).unwrap())
        .await;
    let failed: Job = app.get(&format!("/api/v1/jobs/{}", job.id)).await;
    assert_eq!(
        (failed.phase, failed.reason),
        (Phase::Failed, Some(reason.clone()))
    );
    let dataset: Dataset = app.get(&format!("/api/v1/datasets/{}", dataset.id)).await;
    assert_eq!(dataset.n_damaged, 1);

    let resume = format!("/api/v1/jobs/{}/resume", job.id);
    let refused = app
        .refused(StatusCode::CONFLICT, Method::POST, &resume, &json!({}))
        .await;
    assert_eq!(refused.title, reason);
    let report = app
        .upload(&dataset, vec![("again.png", pictures::png(1, 128, 128))])
        .await;
    assert_eq!((report.restored.len(), report.dataset.n_damaged), (1, 0));
    let resumed: Job = app.post(StatusCode::OK, &resume, &json!({})).await;
    assert_eq!(resumed.phase, Phase::Queued);
}

#[tokio::test]
async fn a_version_without_its_file_cannot_be_promoted() {
    let app = TestApp::start_with(in_folder).await;
    let job = app.small_job().await;
    let agent = app.launched(Purpose::Train).await;
    let assignment = agent.claim(WorkKind::Train).await;
    let lora = sim::files::lora(4, "");
    let file = agent
        .upload(
            &assignment,
            ArtifactKind::Lora { step: 4 },
            "zora.safetensors",
            &lora,
        )
        .await;
    agent
        .finish(&assignment, trained(&assignment, file, 4, verdict(true)))
        .await;
    let job: Job = app.get(&format!("/api/v1/jobs/{}", job.id)).await;
    let path = format!("/api/v1/model-versions/{}", job.model_version_id.unwrap());
    let version: ModelVersion = app.get(&path).await;
    flip(&object(&app, &version.sha256));
    let promote = format!("{path}/promote");
    let problem = app
        .refused(StatusCode::CONFLICT, Method::POST, &promote, &json!(null))
        .await;
    assert!(
        problem
            .title
            .contains("version 1 of `zora` is damaged in the object store"),
        "{problem:?}"
    );
    let version: ModelVersion = app.get(&path).await;
    assert!(version.damage.is_some());
}

/// An upload over a connection by hand: the parts before, something in between, and the part after.
async fn upload_around(
    app: &TestApp,
    dataset: &Dataset,
    before: &[(&str, &[u8])],
    between: impl Future<Output = ()>,
    after: &[(&str, &[u8])],
) -> UploadReport {
    let part = |(name, bytes): &(&str, &[u8])| {
        let head =
            format!("--limit\r\ncontent-disposition: form-data; name=\"files\"; filename=\"{name}\"\r\n\r\n");
        [head.as_bytes(), bytes, b"\r\n"].concat()
    };
    let before: Vec<u8> = before.iter().flat_map(part).collect();
    let mut after: Vec<u8> = after.iter().flat_map(part).collect();
    after.extend_from_slice(b"--limit--\r\n");
    let address = app.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /api/v1/datasets/{}/items HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\
         content-type: multipart/form-data; boundary=limit\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        dataset.id,
        app.token,
        before.len() + after.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&before).await.unwrap();
    between.await;
    stream.write_all(&after).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
    serde_json::from_str(body).unwrap()
}

/// More than the buffers of a connection hold: once it is sent, the server has begun with the upload.
const MUCH: usize = 48 << 20;

#[tokio::test]
async fn a_picture_that_is_deleted_while_it_is_uploaded_again_is_not_called_there() {
    let app = TestApp::start_with(in_folder).await;
    let dataset = app.small_dataset().await;
    let known = items(&app, &dataset).await;
    // One is whole, and the file of another is lost.
    std::fs::remove_file(object(&app, &known[1].sha256)).unwrap();
    let deleting = async {
        for item in &known[..2] {
            let path = format!("/api/v1/datasets/{}/items/{}", dataset.id, item.id);
            empty(StatusCode::NO_CONTENT, app.request(Method::DELETE, &path)).await;
        }
    };
    let (whole, lost, other) = (
        pictures::png(0, 128, 128),
        pictures::png(1, 128, 128),
        pictures::png(2, 128, 128),
    );
    let report = upload_around(
        &app,
        &dataset,
        &[("much.bin", &vec![7; MUCH])],
        deleting,
        &[("whole.png", &whole), ("lost.png", &lost), ("other.png", &other)],
    )
    .await;
    let reason = |name: &str| {
        let refused = report.refused.iter().find(|file| file.file_name == name);
        refused.map(|file| file.reason.as_str()).unwrap_or_default()
    };
    for name in ["whole.png", "lost.png"] {
        assert_eq!(
            reason(name),
            "was deleted from the dataset meanwhile: upload it again",
            "{name}"
        );
    }
    assert!(
        reason("other.png").contains("the same"),
        "{}",
        reason("other.png")
    );
    assert_eq!((report.accepted.len(), report.restored.len()), (0, 0));
    // As it says.
    let report = app
        .upload(&dataset, vec![("whole.png", whole), ("lost.png", lost)])
        .await;
    assert_eq!(report.accepted.len(), 2, "{report:?}");
}
