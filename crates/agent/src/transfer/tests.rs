//! Files arrive whole or not at all.

use std::time::Duration;

use protocol::{
    ArtifactId, AttemptId,
    agent::{ArtifactKind, StoredFile},
};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{TransferError, Upload, download, upload};
use crate::{client::Patience, fake_server::FakeServer};

const PATIENCE: Patience = Patience(Duration::from_secs(20));

fn stored(bytes: &[u8]) -> StoredFile {
    StoredFile {
        url: "/blobs/x?signature=y".into(),
        sha256: hex::encode(Sha256::digest(bytes)),
        size_bytes: bytes.len() as u64,
    }
}

#[tokio::test]
async fn a_file_is_fetched_once() {
    let server = FakeServer::start(|_, _| (200, b"picture".to_vec())).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pictures/a.png");
    for _ in 0..2 {
        download(&server.client(), &stored(b"picture"), &path, PATIENCE)
            .await
            .unwrap();
    }
    assert_eq!(std::fs::read(&path).unwrap(), b"picture");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn other_content_than_announced_leaves_no_file() {
    let server = FakeServer::start(|_, _| (200, b"something else".to_vec())).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    let err = download(&server.client(), &stored(b"picture"), &path, PATIENCE)
        .await
        .unwrap_err();
    assert!(matches!(err, TransferError::WrongContent { .. }), "{err}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn an_expired_address_is_asked_for_again() {
    let artifact = ArtifactId::new();
    let ticket = json!({ "artifact_id": artifact, "upload_url": "/blobs/x?signature=y" }).to_string();
    let server = FakeServer::start(move |n, request| {
        if request.line.contains("/artifacts HTTP") {
            (200, ticket.clone().into())
        } else if request.line.starts_with("PUT") && n == 1 {
            (403, Vec::new())
        } else {
            (200, Vec::new())
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lora.safetensors");
    std::fs::write(&path, "weights").unwrap();
    assert_eq!(
        upload(&server.client(), lora(&path), PATIENCE).await.unwrap(),
        artifact
    );
    let requests = server.requests();
    let methods: Vec<_> = requests
        .iter()
        .map(|request| request.line.split(' ').next().unwrap())
        .collect();
    assert_eq!(methods, ["POST", "PUT", "POST", "PUT", "POST"]);
    let announced = requests[0].json();
    assert_eq!(announced["sha256"], stored(b"weights").sha256);
    assert_eq!(announced["kind"], "lora");
    assert_eq!(requests[3].body, b"weights");
    assert!(requests[4].line.contains("/complete"), "{}", requests[4].line);
}

fn lora(path: &std::path::Path) -> Upload<'_> {
    Upload {
        attempt: AttemptId::new(),
        fence: 3,
        kind: ArtifactKind::Lora { step: 10 },
        path,
        file_name: "zora.safetensors".into(),
    }
}

#[tokio::test]
async fn an_object_store_gets_the_headers_that_were_signed() {
    let ticket = json!({
        "artifact_id": ArtifactId::new(),
        "upload_url": "/incoming/x?X-Amz-Signature=y",
        "upload_headers": { "content-length": "7", "x-amz-checksum-sha256": "q83v" },
    })
    .to_string();
    let server =
        FakeServer::start(move |n, _| (200, if n == 0 { ticket.clone().into() } else { Vec::new() })).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lora.safetensors");
    std::fs::write(&path, "weights").unwrap();
    upload(&server.client(), lora(&path), PATIENCE).await.unwrap();
    let put = &server.requests()[1];
    assert!(put.line.starts_with("PUT /incoming/x"), "{}", put.line);
    let given = |name: &str| {
        let lines = put
            .headers
            .iter()
            .filter(|line| line.to_ascii_lowercase().starts_with(name));
        lines.cloned().collect::<Vec<_>>()
    };
    assert_eq!(given("x-amz-checksum-sha256"), ["x-amz-checksum-sha256: q83v"]);
    assert_eq!(given("content-length").len(), 1);
    assert!(
        given("authorization").is_empty(),
        "the token is for the server alone"
    );
}

#[tokio::test]
async fn a_file_above_the_stores_limit_is_named() {
    let ticket = json!({ "artifact_id": ArtifactId::new(), "upload_url": "/incoming/x" }).to_string();
    let server = FakeServer::start(move |n, _| match n {
        0 => (200, ticket.clone().into()),
        _ => (413, b"<Error><Code>EntityTooLarge</Code></Error>".to_vec()),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lora.safetensors");
    std::fs::write(&path, "weights").unwrap();
    let err = upload(&server.client(), lora(&path), PATIENCE).await.unwrap_err();
    let text = protocol::problem::chain(&err);
    for part in [
        "zora.safetensors",
        "7 bytes",
        "Upload file size limit",
        "--objects",
    ] {
        assert!(text.contains(part), "no `{part}` in {text}");
    }
    assert_eq!(server.requests().len(), 2, "it is not tried again");
}
