//! Files arrive whole or not at all.

use std::time::Duration;

use protocol::{
    ArtifactId, AttemptId,
    agent::{ArtifactKind, StoredFile},
};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{TransferError, Upload, download, upload};
use crate::{
    client::Patience,
    fake_server::{FakeServer, Request},
};

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
    let server = FakeServer::start(|_, _| (200, b"another".to_vec())).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    let err = download(&server.client(), &stored(b"picture"), &path, PATIENCE)
        .await
        .unwrap_err();
    assert!(matches!(err, TransferError::WrongContent { .. }), "{err}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Sends `bytes` of a file from the wanted one on, at most `n` of them, and then cuts the connection.
fn cut_off(file: &[u8], request: &Request, n: usize) -> Vec<u8> {
    let wanted = header(request, "range").map(|range| {
        let first = range.trim_start_matches("bytes=").trim_end_matches('-');
        first.parse::<usize>().unwrap()
    });
    let (first, total) = (wanted.unwrap_or(0), file.len());
    let mut answer = match wanted {
        Some(first) => format!(
            "HTTP/1.1 206 -\r\ncontent-range: bytes {first}-{}/{total}\r\n",
            total - 1
        ),
        None => "HTTP/1.1 200 -\r\n".to_owned(),
    }
    .into_bytes();
    answer.extend(format!("etag: \"e\"\r\ncontent-length: {}\r\n\r\n", total - first).bytes());
    answer.extend(&file[first..(first + n).min(total)]);
    answer
}

fn header(request: &Request, name: &str) -> Option<String> {
    let lines = request.headers.iter().filter_map(|line| line.split_once(": "));
    let mut found = lines.filter(|(found, _)| found.eq_ignore_ascii_case(name));
    found.next().map(|(_, value)| value.to_owned())
}

fn ranges(server: &FakeServer) -> Vec<Option<String>> {
    let requests = server.requests();
    requests.iter().map(|request| header(request, "range")).collect()
}

/// A file that is large enough for answers in many pieces.
fn large_file() -> Vec<u8> {
    (0..1_000_000_u32).map(|n| (n % 251) as u8).collect()
}

#[tokio::test]
async fn a_download_that_is_cut_off_goes_on_where_it_was() {
    const N: usize = 300_000;
    let file = large_file();
    let wanted = stored(&file);
    let sent = file.clone();
    let server = FakeServer::start_raw(move |_, request| cut_off(&sent, request, N)).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    // Each try comes further, so that none has to be waited for.
    let patience = Patience(Duration::ZERO);
    download(&server.client(), &wanted, &path, patience)
        .await
        .unwrap();
    assert!(std::fs::read(&path).unwrap() == file);
    let range = |n: usize| Some(format!("bytes={n}-"));
    assert_eq!(ranges(&server), [None, range(N), range(2 * N), range(3 * N)]);
    let requests = server.requests();
    let conditions: Vec<_> = requests
        .iter()
        .map(|request| header(request, "if-range"))
        .collect();
    assert_eq!(conditions[1..], vec![Some("\"e\"".to_owned()); 3]);
}

#[tokio::test]
async fn a_server_that_is_busy_in_between_loses_nothing() {
    let file = large_file();
    let (wanted, sent) = (stored(&file), file.clone());
    let server = FakeServer::start_raw(move |n, request| match n {
        1 => b"HTTP/1.1 503 -\r\ncontent-length: 0\r\n\r\n".to_vec(),
        _ => cut_off(&sent, request, 600_000),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    download(&server.client(), &wanted, &path, PATIENCE)
        .await
        .unwrap();
    assert!(std::fs::read(&path).unwrap() == file);
    let rest = Some("bytes=600000-".to_owned());
    assert_eq!(ranges(&server), [None, rest.clone(), rest]);
}

#[tokio::test]
async fn a_server_without_ranges_is_asked_for_everything_again() {
    let file = large_file();
    let (wanted, sent) = (stored(&file), file.clone());
    let server = FakeServer::start_raw(move |n, _| {
        let mut answer = format!("HTTP/1.1 200 -\r\ncontent-length: {}\r\n\r\n", sent.len()).into_bytes();
        answer.extend(&sent[..if n == 0 { 10_000 } else { sent.len() }]);
        answer
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    download(&server.client(), &wanted, &path, PATIENCE)
        .await
        .unwrap();
    assert!(std::fs::read(&path).unwrap() == file);
    assert_eq!(ranges(&server), [None, Some("bytes=10000-".to_owned())]);
}

/// A store that ignores `If-Range` may continue with another file than it began with.
#[tokio::test]
async fn pieces_of_two_files_are_fetched_again_as_one() {
    let (file, other) = (large_file(), vec![7; 1_000_000]);
    let (wanted, sent) = (stored(&file), file.clone());
    let server = FakeServer::start_raw(move |n, request| match n {
        0 => cut_off(&other, request, 400_000),
        _ => cut_off(&sent, request, usize::MAX / 2),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    download(&server.client(), &wanted, &path, PATIENCE)
        .await
        .unwrap();
    assert!(std::fs::read(&path).unwrap() == file);
    assert_eq!(ranges(&server), [None, Some("bytes=400000-".to_owned()), None]);
}

#[tokio::test]
async fn a_server_that_never_comes_further_is_given_up() {
    let file = large_file();
    let wanted = stored(&file);
    let server = FakeServer::start_raw(move |_, _| {
        let mut answer = b"HTTP/1.1 200 -\r\ncontent-length: 1000000\r\n\r\n".to_vec();
        answer.extend(&file[..10_000]);
        answer
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let patience = Patience(Duration::from_millis(500));
    let err = download(&server.client(), &wanted, &path, patience)
        .await
        .unwrap_err();
    assert!(matches!(err, TransferError::Exchange { .. }), "{err}");
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

/// A store that sends on and on would fill the disk before the hash is wrong.
#[tokio::test]
async fn a_file_that_is_longer_than_announced_is_not_taken() {
    let file = large_file();
    let announced = StoredFile {
        size_bytes: 600_000,
        ..stored(&file)
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    // As a whole, and in pieces that each come further.
    for n in [usize::MAX / 2, 300_000] {
        let sent = file.clone();
        let server = FakeServer::start_raw(move |_, request| cut_off(&sent, request, n)).await;
        let err = download(&server.client(), &announced, &path, PATIENCE)
            .await
            .unwrap_err();
        assert!(
            matches!(
                err,
                TransferError::TooMuch {
                    size_bytes: 600_000,
                    ..
                }
            ),
            "{err}"
        );
        assert_eq!(
            err.lost(),
            Some(announced.sha256.as_str()),
            "it is not what was stored"
        );
        assert!(
            err.to_string().contains("more than the announced 600000 bytes"),
            "{err}"
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
