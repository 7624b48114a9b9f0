//! Work of a server of another version.

use std::time::Duration;

use protocol::agent::{Finish, WorkKind};

use super::Claimed;
use crate::{
    client::{ClientError, Patience},
    fake_server::FakeServer,
    machine::describe,
};

/// Assignments that this version cannot read, and what it says of them.
const UNREADABLE: [(&str, &str); 3] = [
    (
        include_str!("recorded/unknown_work.json"),
        "work.kind: `merge` is not a kind of work that it knows",
    ),
    (
        include_str!("recorded/unknown_engine.json"),
        "work.recipe.engine: unknown variant `diffusers`",
    ),
    (
        include_str!("recorded/unknown_base.json"),
        "work.base.at: unknown variant `torrent`",
    ),
];

async fn claim(server: &FakeServer) -> Result<Claimed, ClientError> {
    let machine = describe(None, Vec::new(), false, false);
    let patience = Patience(Duration::from_secs(20));
    let client = server.client();
    client
        .claim(&[WorkKind::Train], &machine, Duration::ZERO, patience)
        .await
}

#[tokio::test]
async fn work_that_cannot_be_read_is_refused_by_name_and_asked_for_once() {
    for (answer, problem) in UNREADABLE {
        let server = FakeServer::start(move |n, _| match n {
            0 => (200, answer.as_bytes().to_vec()),
            _ => (204, Vec::new()),
        })
        .await;
        let claimed = claim(&server).await.unwrap();
        assert!(claimed.stay);
        let unreadable = claimed.work.unwrap().unwrap_err();
        unreadable.refuse(&server.client()).await.unwrap();
        let requests = server.requests();
        assert_eq!(requests.len(), 2, "it is not asked for again");
        let (attempt, fence) = ("0193e7a0-0000-7000-8000-000000000001", 3);
        assert!(requests[1].line.contains(&format!("/attempts/{attempt}/finish")));
        let finish: Finish = serde_json::from_slice(&requests[1].body).unwrap();
        assert_eq!(
            (finish.fence, finish.outcome),
            (fence, protocol::phase::Outcome::Failed)
        );
        let detail = finish.detail.unwrap();
        assert!(detail.contains(problem), "{detail}");
    }
}

#[tokio::test]
async fn an_answer_that_says_something_else_is_final() {
    let server = FakeServer::start(|_, _| (200, br#"{"assignment": {"fence": 1}}"#.to_vec())).await;
    let refused = claim(&server).await.unwrap_err();
    assert!(matches!(refused, ClientError::Unreadable { .. }), "{refused}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn an_answer_that_was_cut_off_is_asked_for_again() {
    let server = FakeServer::start(|n, _| match n {
        0 => (200, br#"{"assignment": nu"#.to_vec()),
        _ => (200, br#"{"assignment": null}"#.to_vec()),
    })
    .await;
    assert!(claim(&server).await.unwrap().work.is_none());
    assert_eq!(server.requests().len(), 2);
}
