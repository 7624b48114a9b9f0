//! Which servers are asked, what they are told, and how much of an answer is taken.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
};

use super::{Client, FetchError, HubOptions, Ranges, SocketAddr, Wanted, permitted};
use crate::Post;

/// Answers everybody alike, and keeps what it was asked.
struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl Server {
    async fn start(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let kept = Arc::clone(&asked);
        let serving = tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    match connection.read_u8().await {
                        Ok(byte) => request.push(byte),
                        Err(_) => break,
                    }
                }
                let mut request = String::from_utf8(request).unwrap().to_ascii_lowercase();
                let body = request.split_once("content-length: ").and_then(|(_, rest)| {
                    let n_bytes = rest.lines().next()?.parse().ok()?;
                    Some(vec![0; n_bytes])
                });
                if let Some(mut body) = body {
                    connection.read_exact(&mut body).await.unwrap();
                    request.push_str(&String::from_utf8(body).unwrap());
                }
                let answer = answer(&request);
                kept.lock().unwrap().push(request);
                // A client that has read enough has closed its end.
                let _ = connection.write_all(&answer).await;
            }
        });
        Self {
            address,
            asked,
            serving,
        }
    }

    /// Passes everybody on.
    async fn redirect(to: String) -> Self {
        Self::start(move |_| {
            format!("HTTP/1.1 302 -\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                .into()
        })
        .await
    }

    fn url(&self, host: &str) -> String {
        format!("http://{host}:{}", self.address.port())
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn fine(_: &str) -> Vec<u8> {
    b"HTTP/1.1 200 -\r\ncontent-length: 4\r\nconnection: close\r\n\r\nfine".to_vec()
}

fn hub(endpoint: String) -> HubOptions {
    HubOptions {
        endpoint,
        token: Some("hub-secret".into()),
    }
}

fn client(ranges: &[&str], hub: HubOptions) -> Client {
    let ranges: Ranges = ranges.iter().map(|range| range.parse().unwrap()).collect();
    Client::new("test", hub, ranges).unwrap()
}

async fn get(client: &Client, url: &str) -> Result<String, FetchError> {
    let mut answer = client.get(url, &Wanted::default()).await?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
    }
    Ok(String::from_utf8(body).unwrap())
}

#[tokio::test]
async fn nothing_is_asked_of_this_machine_however_it_is_spelled() {
    let server = Server::start(fine).await;
    let strict = client(&[], HubOptions::default());
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0x7f.0.0.0x1",
        "①②⑦.0.0.1",
        "0.0.0.0",
        "0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[0:0:0:0:0:ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "localhost",
        "LOCALHOST.",
        "user:password@localhost",
    ] {
        let err = get(&strict, &server.url(host)).await.unwrap_err();
        assert!(matches!(err, FetchError::Private(_)), "{host}: {err}");
        assert!(!err.is_transient(), "{host} is asked for again");
        let text = err.to_string();
        assert!(
            text.contains("--allow-fetch-from") && !text.contains("password"),
            "{text}"
        );
    }
    assert_eq!(server.asked(), [""; 0]);

    let open = client(&["127.0.0.0/8"], HubOptions::default());
    for host in ["127.0.0.1", "localhost"] {
        assert_eq!(get(&open, &server.url(host)).await.unwrap(), "fine");
    }
}

#[tokio::test]
async fn an_open_port_and_a_closed_one_are_refused_alike() {
    let server = Server::start(fine).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let strict = client(&[], HubOptions::default());
    for host in ["127.0.0.1", "localhost"] {
        let open = get(&strict, &server.url(host)).await.unwrap_err().to_string();
        let shut = get(&strict, &format!("http://{host}:{port}")).await;
        assert_eq!(open, shut.unwrap_err().to_string());
    }
}

#[tokio::test]
async fn each_hop_is_checked() {
    let inside = Server::start(fine).await;
    for host in ["127.0.0.1", "localhost", "0x7f.1"] {
        // The hub may be anywhere, what it passes us on to may not.
        let mirror = Server::redirect(inside.url(host)).await;
        let strict = client(&[], hub(mirror.url("127.0.0.1")));
        let err = get(&strict, &mirror.url("127.0.0.1")).await.unwrap_err();
        assert!(matches!(err, FetchError::Private(_)), "{host}: {err}");
        assert_eq!(mirror.asked().len(), 1);
    }
    let mirror = Server::redirect("file:///etc/passwd".into()).await;
    let strict = client(&[], hub(mirror.url("127.0.0.1")));
    let err = get(&strict, &mirror.url("127.0.0.1")).await.unwrap_err();
    assert!(matches!(err, FetchError::Scheme(_)), "{err}");
    assert_eq!(inside.asked(), [""; 0]);

    let circle = Server::redirect("/again".into()).await;
    let strict = client(&[], hub(circle.url("127.0.0.1")));
    let err = get(&strict, &circle.url("127.0.0.1")).await.unwrap_err();
    assert!(matches!(err, FetchError::Redirects), "{err}");
    assert_eq!(circle.asked().len(), 11);
}

#[tokio::test]
async fn another_host_hears_of_no_secret() {
    let other = Server::start(fine).await;
    let mirror = Server::redirect(other.url("localhost")).await;
    let open = client(&["127.0.0.0/8", "::1"], hub(mirror.url("127.0.0.1")));
    let secret = mirror.url("user:password@127.0.0.1");
    assert_eq!(
        get(&open, &format!("{secret}/a?token=in-query")).await.unwrap(),
        "fine"
    );
    let to_hub = &mirror.asked()[0];
    assert!(to_hub.contains("authorization: bearer hub-secret"), "{to_hub}");
    let to_other = &other.asked()[0];
    for word in ["secret", "authorization", "referer", "in-query", "password"] {
        assert!(!to_other.contains(word), "{to_other}");
    }
}

#[tokio::test]
async fn no_message_tells_the_address() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let open = client(&["127.0.0.0/8"], HubOptions::default());
    for url in [
        format!("http://user:password@127.0.0.1:{port}/a?token=in-query"),
        "http://user:password@name.invalid/a?token=in-query".to_owned(),
        "http://user:password@/a?token=in-query".to_owned(),
        "gopher://user:password@host/a?token=in-query".to_owned(),
    ] {
        let err = get(&open, &url).await.unwrap_err();
        for text in [protocol::problem::chain(&err), format!("{err:?}")] {
            assert!(!text.contains("password") && !text.contains("in-query"), "{text}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_compressed_or_has_endless_headers_is_not_taken() {
    let server = Server::start(|request| {
        let mut answer = b"HTTP/1.1 200 -\r\nconnection: close\r\n".to_vec();
        if request.contains("/gzip") {
            answer.extend_from_slice(b"content-encoding: gzip\r\ncontent-length: 4\r\n\r\nfine");
        } else if request.contains("/many") {
            answer.extend((0..10_000).flat_map(|n| format!("x-{n}: y\r\n").into_bytes()));
            answer.extend_from_slice(b"\r\n");
        } else {
            answer.extend_from_slice(b"x: ");
            answer.resize(8 << 20, b'y');
            answer.extend_from_slice(b"\r\n\r\n");
        }
        answer
    })
    .await;
    let open = client(&["any"], HubOptions::default());
    let url = server.url("127.0.0.1");
    let err = get(&open, &format!("{url}/gzip")).await.unwrap_err();
    assert!(matches!(err, FetchError::Encoded), "{err}");
    for path in ["many", "long"] {
        let err = get(&open, &format!("{url}/{path}")).await.unwrap_err();
        assert!(matches!(err, FetchError::Connection { .. }), "{path}: {err}");
    }
}

fn message() -> Post {
    Post {
        headers: vec![("webhook-id", "msg-1".to_owned())],
        body: "{\"a\":1}".into(),
        limit: Duration::from_secs(10),
    }
}

#[tokio::test]
async fn a_message_goes_to_public_addresses_only() {
    let server = Server::start(fine).await;
    // The hub may be downloaded from, wherever it is; messages are not for it.
    let strict = client(&[], hub(server.url("127.0.0.1")));
    for host in ["127.0.0.1", "0x7f.1", "localhost", "[::ffff:127.0.0.1]"] {
        let err = strict.post(&server.url(host), message()).await.unwrap_err();
        assert!(matches!(err, FetchError::Private(_)), "{host}: {err}");
    }
    assert!(strict.check(&server.url("127.0.0.1")).is_err());
    assert!(strict.check("ftp://example.org").is_err());
    assert!(strict.check("https://example.org/hook").is_ok());
    assert_eq!(server.asked(), [""; 0]);

    let open = client(&["127.0.0.0/8"], hub(server.url("127.0.0.1")));
    let url = format!("{}/hook", server.url("127.0.0.1"));
    assert_eq!(open.post(&url, message()).await.unwrap(), 200);
    let asked = &server.asked()[0];
    for part in [
        "post /hook ",
        "webhook-id: msg-1",
        "content-type: application/json",
        "{\"a\":1}",
    ] {
        assert!(asked.contains(part), "{asked}");
    }
    assert!(!asked.contains("hub-secret"), "{asked}");
}

#[tokio::test]
async fn a_message_follows_no_redirect() {
    let inside = Server::start(fine).await;
    let outside = Server::redirect(inside.url("127.0.0.1")).await;
    let open = client(&["127.0.0.0/8"], HubOptions::default());
    assert_eq!(
        open.post(&outside.url("127.0.0.1"), message()).await.unwrap(),
        302
    );
    assert_eq!(inside.asked(), [""; 0]);
}

#[test]
fn of_a_name_that_stands_for_several_addresses_only_the_public_ones_are_connected_to() {
    let found =
        ["10.0.0.1:0", "1.1.1.1:0", "[::1]:0", "[::ffff:127.0.0.1]:0"].map(|text| text.parse().unwrap());
    let kept = permitted(found.into_iter(), &Ranges::default());
    assert_eq!(kept, ["1.1.1.1:0".parse::<SocketAddr>().unwrap()]);
}
