//! What an endpoint is asked, what is taken of its answers, and when it is asked again.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::{ChatError, Endpoint, Patience, Question};
use crate::{Client, FetchError, HubOptions, Ranges};

/// Gives prepared answers, one after another, and keeps heads and bodies of requests. After the last answer it accepts and
/// says nothing.
struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
    serving: JoinHandle<()>,
}

impl Server {
    async fn start(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<(String, Value)>>>::default();
        let kept = Arc::clone(&asked);
        let mut answers = VecDeque::from(answers);
        let serving = tokio::spawn(async move {
            let mut silent = Vec::new();
            while let Ok((mut connection, _)) = listener.accept().await {
                let request = request(&mut connection).await;
                kept.lock().unwrap().push(request);
                match answers.pop_front() {
                    // A client that has read enough closes its end.
                    Some(answer) => drop(connection.write_all(answer.as_bytes()).await),
                    None => silent.push(connection),
                }
            }
        });
        Self {
            address,
            asked,
            serving,
        }
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint {
            base_url: format!("http://{}/v1/", self.address),
            key: Some("secret".to_owned()),
            model: "llava".to_owned(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn request(connection: &mut TcpStream) -> (String, Value) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.unwrap().parse().unwrap()];
    connection.read_exact(&mut body).await.unwrap();
    (head, serde_json::from_slice(&body).unwrap())
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

fn said(text: &str) -> String {
    let body = serde_json::json!({ "choices": [{ "message": { "role": "assistant", "content": text } }] });
    answer("200 OK", "", &body.to_string())
}

fn client(ranges: &[&str]) -> Client {
    let ranges: Ranges = ranges.iter().map(|range| range.parse().unwrap()).collect();
    let hub = HubOptions {
        token: Some("hub-secret".to_owned()),
        ..HubOptions::default()
    };
    Client::new("test", hub, ranges).unwrap()
}

async fn ask(server: &Server, patience: Patience) -> Result<String, ChatError> {
    let question = Question {
        prompt: "What is it?",
        picture: b"\x89PNG",
        media_type: "image/png",
    };
    server
        .endpoint()
        .describe(&client(&["127.0.0.0/8"]), question, patience)
        .await
}

const QUICK: Patience = Patience {
    limit: Duration::from_secs(30),
    n_tries: 3,
    pause: Duration::ZERO,
};

#[tokio::test]
async fn a_picture_is_described() {
    let server = Server::start(vec![said("<think>hm</think>\n A woman in a hat. \n")]).await;
    assert_eq!(ask(&server, QUICK).await.unwrap(), "A woman in a hat.");
    let asked = server.asked.lock().unwrap();
    let (head, body) = &asked[0];
    assert!(head.starts_with("post /v1/chat/completions http/1.1"), "{head}");
    assert!(head.contains("authorization: bearer secret"), "{head}");
    assert_eq!(body["model"], "llava");
    let content = &body["messages"][0]["content"];
    assert_eq!(content[0]["text"], "What is it?");
    assert_eq!(content[1]["image_url"]["url"], "data:image/png;base64,iVBORw==");
}

#[tokio::test]
async fn a_busy_endpoint_is_asked_again() {
    let busy = answer("429 -", "retry-after: 0\r\n", "slow down");
    let server = Server::start(vec![busy, answer("503 -", "", ""), said("A hat.")]).await;
    assert_eq!(ask(&server, QUICK).await.unwrap(), "A hat.");
    assert_eq!(server.asked.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn no_part_of_a_key_that_an_endpoint_repeats_is_shown() {
    let long = format!("{} secret", "x".repeat(super::N_SHOWN - 4));
    let server = Server::start(vec![answer("401 -", "", &long)]).await;
    let err = ask(&server, QUICK).await.unwrap_err().to_string();
    assert!(err.ends_with("x …"), "{err}");
}

#[tokio::test]
async fn an_endpoint_that_stays_broken_is_given_up() {
    let server = Server::start(vec![answer("500 -", "", ""); 4]).await;
    let err = ask(&server, QUICK).await.unwrap_err();
    assert_eq!(err.to_string(), "the endpoint answered 500: no reason given");
    assert_eq!(server.asked.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_refusal_is_told_in_the_endpoints_words_and_not_repeated() {
    let body = r#"{"error": {"message": "model \"llava\" not found,\n try pulling it first"}}"#;
    let server = Server::start(vec![answer("404 -", "", body), said("never")]).await;
    let err = ask(&server, QUICK).await.unwrap_err().to_string();
    assert!(
        err.contains("404: model \"llava\" not found, try pulling"),
        "{err}"
    );
    assert_eq!(server.asked.lock().unwrap().len(), 1);
}

/// The key would go along to another host.
#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = Server::start(vec![said("never")]).await;
    let location = format!("location: http://{}/v1/chat/completions\r\n", other.address);
    let server = Server::start(vec![answer("307 -", &location, "")]).await;
    assert!(matches!(ask(&server, QUICK).await, Err(ChatError::Redirected)));
    assert!(other.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn private_addresses_have_to_be_allowed() {
    let server = Server::start(vec![said("never")]).await;
    let question = Question {
        prompt: "What is it?",
        picture: b"",
        media_type: "image/png",
    };
    for host in ["127.0.0.1", "localhost"] {
        let endpoint = Endpoint {
            base_url: format!("http://{host}:{}/v1", server.address.port()),
            ..server.endpoint()
        };
        let refused = endpoint.describe(&client(&[]), question, QUICK).await;
        assert!(
            matches!(refused, Err(ChatError::Fetch(FetchError::Private(_)))),
            "{refused:?}"
        );
    }
    assert!(server.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_endpoint_that_says_nothing_is_given_up_in_time() {
    let server = Server::start(Vec::new()).await;
    let patience = Patience {
        limit: Duration::from_millis(50),
        n_tries: 2,
        pause: Duration::ZERO,
    };
    let err = ask(&server, patience).await.unwrap_err();
    assert!(matches!(err, ChatError::Fetch(FetchError::Late(_))), "{err:?}");
    assert_eq!(server.asked.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn answers_of_something_else_are_refused_in_words() {
    for (body, expected) in [
        ("<html>", "not a chat completion"),
        (r#"{"choices": []}"#, "says nothing"),
        (r#"{"choices": [{"message": {"content": " "}}]}"#, "says nothing"),
        (r#"{"choices": [{"message": {"content": null}}]}"#, "says nothing"),
    ] {
        let server = Server::start(vec![answer("200 OK", "", body)]).await;
        let err = ask(&server, QUICK).await.unwrap_err().to_string();
        assert!(err.contains(expected), "{body}: {err}");
    }
    let parts = r#"{"choices": [{"message": {"content": [{"type": "text", "text": "A hat."}]}}]}"#;
    let server = Server::start(vec![answer("200 OK", "", parts)]).await;
    assert_eq!(ask(&server, QUICK).await.unwrap(), "A hat.");
    let endless = answer("200 OK", "", &"x".repeat(super::MAX_CHAT_ANSWER_BYTES + 1));
    let server = Server::start(vec![endless]).await;
    let err = ask(&server, QUICK).await.unwrap_err().to_string();
    assert!(err.contains("more than 1048576 bytes"), "{err}");
}

#[test]
fn some_failures_are_about_one_picture() {
    let refused = |status| ChatError::Refused {
        status,
        reason: String::new(),
    };
    for status in [400, 413, 415, 422, 500] {
        assert!(refused(status).is_about_picture(), "{status}");
    }
    for status in [401, 403, 404, 429, 503] {
        assert!(!refused(status).is_about_picture(), "{status}");
    }
    assert!(ChatError::Unreadable("it says nothing".to_owned()).is_about_picture());
    assert!(!ChatError::Redirected.is_about_picture());
}

#[test]
fn a_key_is_not_shown() {
    let endpoint = Endpoint {
        base_url: "http://user:password@host/v1".to_owned(),
        key: Some("secret".to_owned()),
        model: "llava".to_owned(),
    };
    let shown = format!("{endpoint:?}");
    assert!(
        !shown.contains("secret") && !shown.contains("password"),
        "{shown}"
    );
}
