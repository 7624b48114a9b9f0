//! The real client and a bucket whose other side answers as a test wants.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use protocol::{
    AttemptId,
    agent::{Heartbeat, WorkKind},
    mailbox::{Answer, Answers, Request, Requests},
    spend::env,
};
use serde_json::{Value, json};

use super::MailboxAddress;
use crate::{
    client::{Client, ClientError, Patience},
    fake_server::FakeServer,
    machine::describe,
};

const PATIENCE: Patience = Patience(Duration::from_secs(60));

/// A bucket, and the requests objects that were written into it.
struct Bucket {
    server: FakeServer,
    written: Arc<Mutex<Vec<Requests>>>,
}

impl Bucket {
    /// Each request that lies there is answered as `answer` says, if it does. `fail` gets the number of the exchange,
    /// from 0, and may answer in place of the bucket.
    async fn start(
        answer: impl Fn(&Request) -> Option<(u16, Value)> + Send + Sync + 'static,
        fail: impl Fn(usize, bool) -> Option<(u16, Vec<u8>)> + Send + Sync + 'static,
    ) -> Self {
        let written: Arc<Mutex<Vec<Requests>>> = Arc::default();
        let lying = Arc::clone(&written);
        let server = FakeServer::start(move |n, request| {
            let is_put = request.line.starts_with("PUT /requests?sig=a ");
            assert!(is_put || request.line.starts_with("GET /answers?sig=b "));
            if let Some(failure) = fail(n, is_put) {
                return failure;
            }
            let mut lying = lying.lock().unwrap();
            if is_put {
                lying.push(serde_json::from_slice(&request.body).unwrap());
                return (200, Vec::new());
            }
            let requests = &lying.last().unwrap().requests;
            let answers = requests.iter().filter_map(|request| {
                let (status, body) = answer(request)?;
                let id = request.id;
                Some(Answer { id, status, body })
            });
            let answers = Answers {
                answers: answers.collect(),
            };
            (200, serde_json::to_vec(&answers).unwrap())
        })
        .await;
        Self { server, written }
    }

    /// A client whose server nobody can reach.
    fn client(&self) -> Client {
        let url = self.server.url.as_str().trim_end_matches('/');
        let address = address(url).unwrap();
        Client::new("http://192.0.2.1:9".parse().unwrap(), "secret".into())
            .unwrap()
            .by(address, |_| Duration::ZERO)
    }

    fn written(&self) -> Vec<Requests> {
        self.written.lock().unwrap().clone()
    }
}

fn address(url: &str) -> Result<Option<MailboxAddress>, super::NotAMailbox> {
    MailboxAddress::read(|name| {
        Some(match name {
            env::MAILBOX_REQUESTS => format!("{url}/requests?sig=a"),
            env::MAILBOX_ANSWERS => format!("{url}/answers?sig=b"),
            _ => return None,
        })
    })
}

fn beat() -> Heartbeat {
    Heartbeat {
        fence: 1,
        events: Vec::new(),
    }
}

fn renewed() -> (u16, Value) {
    (
        200,
        json!({ "lease_seconds": 20, "acknowledged": 0, "directives": [] }),
    )
}

#[tokio::test]
async fn a_request_that_waits_holds_no_other_up() {
    let n_beats = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&n_beats);
    let bucket = Bucket::start(
        // The claim is answered only when two heartbeats were, which came after it.
        move |request| match request.path.as_str() {
            "api/v1/agent/claim" => {
                (*counted.lock().unwrap() == 2).then(|| (200, json!({ "assignment": null })))
            }
            _ => Some(renewed()),
        },
        |_, _| None,
    )
    .await;
    let client = bucket.client();
    let attempt = AttemptId::new();
    let machine = describe(None, Vec::new(), false, false);
    let claiming = client.claim(&[WorkKind::Train], &machine, Duration::ZERO, PATIENCE);
    let beating = async {
        for _ in 0..2 {
            client.heartbeat(attempt, &beat(), PATIENCE).await.unwrap();
            *n_beats.lock().unwrap() += 1;
        }
    };
    let (claimed, ()) = tokio::join!(claiming, beating);
    assert!(claimed.unwrap().work.is_none());
    let written = bucket.written();
    assert!(written.iter().all(|requests| requests.token == "secret"));
    assert!(
        written.iter().any(|requests| requests.requests.len() == 2),
        "never did two wait at once"
    );
}

#[tokio::test]
async fn what_is_torn_or_refused_is_looked_at_again() {
    let bucket = Bucket::start(
        |_| Some(renewed()),
        |n, is_put| match (n, is_put) {
            (0, true) => Some((503, b"<Error><Code>SlowDown</Code></Error>".to_vec())),
            (2, false) => Some((200, br#"{"answers":[{"id":"0193"#.to_vec())),
            (3, false) => Some((404, b"<Error><Code>NoSuchKey</Code></Error>".to_vec())),
            _ => None,
        },
    )
    .await;
    let answered = bucket
        .client()
        .heartbeat(AttemptId::new(), &beat(), PATIENCE)
        .await;
    assert_eq!(answered.unwrap().lease_seconds, 20);
    assert!(bucket.server.requests().len() >= 5);
    let ids: Vec<_> = bucket
        .written()
        .iter()
        .map(|requests| requests.requests[0].id)
        .collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "it became another request");
}

#[tokio::test]
async fn errors_are_those_of_http() {
    let problem = json!({ "type": "lease_lost", "title": "somebody else owns it", "status": 409 });
    let bucket = Bucket::start(move |_| Some((409, problem.clone())), |_, _| None).await;
    let lost = bucket
        .client()
        .heartbeat(AttemptId::new(), &beat(), PATIENCE)
        .await;
    assert!(matches!(lost, Err(ClientError::LeaseLost)));

    let bucket = Bucket::start(|_| Some((401, Value::Null)), |_, _| None).await;
    let refused = bucket
        .client()
        .heartbeat(AttemptId::new(), &beat(), PATIENCE)
        .await;
    assert!(matches!(refused, Err(ClientError::Unauthorized { .. })));

    let asked = Mutex::new(0);
    let bucket = Bucket::start(
        move |_| {
            *asked.lock().unwrap() += 1;
            Some(if *asked.lock().unwrap() == 1 {
                (503, Value::Null)
            } else {
                renewed()
            })
        },
        |_, _| None,
    )
    .await;
    let again = bucket
        .client()
        .heartbeat(AttemptId::new(), &beat(), PATIENCE)
        .await;
    assert_eq!(again.unwrap().lease_seconds, 20);
}

/// Whoever has given up is not carried any longer, and the next try is a request of its own.
#[tokio::test]
async fn a_request_that_was_given_up_leaves_the_mailbox() {
    let bucket = Bucket::start(
        |request| (request.body == json!("second")).then(|| (200, json!("done"))),
        |_, _| None,
    )
    .await;
    let client = bucket.client();
    let mailbox = client.mailbox.as_ref().unwrap();
    let short = Duration::from_millis(300);
    let first = mailbox.ask("api/v1/agent/claim", json!("first"), short).await;
    assert!(matches!(first, Err(super::Transient::NoAnswer)));
    let second = mailbox
        .ask("api/v1/agent/claim", json!("second"), PATIENCE.0)
        .await;
    assert_eq!(&second.unwrap().1[..], br#""done""#);
    let written = bucket.written();
    assert_eq!(written[0].requests[0].body, "first");
    let last = &written.last().unwrap().requests;
    assert!(last.len() == 1 && last[0].body == "second", "{last:?}");
}

#[test]
fn half_a_mailbox_is_none() {
    assert_eq!(MailboxAddress::read(|_| None), Ok(None));
    assert!(address("https://s3.example/bucket").unwrap().is_some());
    assert!(address("nowhere").is_err());
    let half = MailboxAddress::read(|name| {
        (name == env::MAILBOX_REQUESTS).then(|| "https://s3.example/a?X-Amz-Signature=1".to_owned())
    });
    let err = half.unwrap_err().to_string();
    assert!(err.starts_with(env::MAILBOX_ANSWERS), "{err}");
    let shown = format!("{:?}", address("https://s3.example/secret").unwrap());
    assert!(!shown.contains("secret"), "{shown}");
}
