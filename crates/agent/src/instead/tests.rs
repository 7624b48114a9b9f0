use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::fake_server::FakeServer;

fn holder() -> Holder {
    Holder {
        attempt: AttemptId::new(),
        fence: 7,
    }
}

fn stored(bytes: &[u8]) -> StoredFile {
    StoredFile {
        url: "/blob/file".into(),
        sha256: hex::encode(Sha256::digest(bytes)),
        size_bytes: bytes.len() as u64,
    }
}

/// A server that has other bytes, or none, under every address, and says this of it.
async fn server(status: u16, says: serde_json::Value) -> FakeServer {
    FakeServer::start(move |_, request| {
        if request.line.starts_with("GET") {
            (status, b"other".to_vec())
        } else {
            (200, says.to_string().into_bytes())
        }
    })
    .await
}

async fn fetched(server: &FakeServer) -> Result<Fetched, Unfetched> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fetch(&server.client(), holder(), &stored(b"wanted"), &path).await
}

fn n_gets(server: &FakeServer) -> usize {
    let requests = server.requests();
    requests
        .iter()
        .filter(|request| request.line.starts_with("GET"))
        .count()
}

#[tokio::test]
async fn a_file_that_is_gone_or_damaged_is_reported_and_replaced() {
    for status in [404, 200] {
        let older = stored(b"older");
        let server = server(status, json!({ "do": "go_on", "resume_from": older })).await;
        assert_eq!(fetched(&server).await.unwrap(), Fetched::Instead(Some(older)));
        let requests = server.requests();
        let [_, told] = &requests[..] else {
            panic!("{requests:?}");
        };
        assert!(told.line.contains("/unusable "), "{}", told.line);
        assert_eq!(told.json()["sha256"], stored(b"wanted").sha256);
        assert_eq!(
            (&told.json()["fence"], &told.json()["arrived"]),
            (&json!(7), &json!(false))
        );
    }
}

#[tokio::test]
async fn a_checkpoint_with_more_bytes_than_were_stored_is_reported_and_replaced() {
    let older = stored(b"older");
    let says = json!({ "do": "go_on", "resume_from": older }).to_string();
    let server = FakeServer::start(move |_, request| {
        if request.line.starts_with("GET") {
            (200, vec![7; 100_000])
        } else {
            (200, says.clone().into_bytes())
        }
    })
    .await;
    assert_eq!(fetched(&server).await.unwrap(), Fetched::Instead(Some(older)));
    assert_eq!(n_gets(&server), 1);
    let told = server.requests()[1].json();
    assert_eq!(told["sha256"], stored(b"wanted").sha256);
    let problem = told["problem"].as_str().unwrap();
    assert!(problem.contains("more than the announced 6 bytes"), "{problem}");
}

#[tokio::test]
async fn what_the_server_calls_whole_is_fetched_again_but_not_for_ever() {
    let server = server(200, json!({ "do": "fetch_again" })).await;
    let err = fetched(&server).await.unwrap_err();
    assert!(
        matches!(err, Unfetched::Transfer(TransferError::WrongContent { .. })),
        "{err:?}"
    );
    assert_eq!(n_gets(&server), N_FETCHES as usize);
}

#[tokio::test]
async fn without_a_replacement_the_servers_words_count() {
    let server = server(404, json!({ "do": "give_up", "reason": "upload it again" })).await;
    let err = fetched(&server).await.unwrap_err();
    assert_eq!(err.into_detail(), "upload it again");
}

#[tokio::test]
async fn files_of_other_hosts_are_none_of_the_servers_business() {
    let server = FakeServer::start(|_, request| match request.line.starts_with("GET") {
        true => (404, Vec::new()),
        false => (
            422,
            json!({ "type": "invalid", "title": "no such file", "status": 422 })
                .to_string()
                .into_bytes(),
        ),
    })
    .await;
    let err = fetched(&server).await.unwrap_err();
    assert!(
        matches!(err, Unfetched::Transfer(TransferError::Exchange { .. })),
        "{err:?}"
    );
}
