//! Connections of somebody without a token: how long they may do nothing, how many there may be, and what of the
//! server's end they cannot delay.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures::StreamExt as _;
use orchestrator::providers::{Instance, LaunchRequest, Provider, ProviderError};
use protocol::limits::{MAX_UNPROVEN_CONNECTIONS, MIN_BODY_BYTES};
use reqwest::{Method, StatusCode, header};
use server::{Config, Timing};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::mpsc,
    time::{Instant, timeout},
};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _};
use uuid::Uuid;

use crate::app::{DEADLINE, TestApp, empty, problem};

const QUICK: Timing = Timing {
    ping_every: Duration::from_millis(50),
    send_timeout: Duration::from_secs(10),
    close_timeout: Duration::from_secs(5),
    shutdown_grace: Duration::from_millis(300),
    header_time: Duration::from_millis(300),
    idle_time: Duration::from_millis(700),
    body_time: Duration::from_millis(300),
    write_time: Duration::from_millis(500),
    images_time: Duration::from_millis(500),
};

fn quick(config: &mut Config) {
    config.timing = QUICK;
}

async fn connect(app: &TestApp) -> TcpStream {
    TcpStream::connect(app.url.strip_prefix("http://").unwrap())
        .await
        .unwrap()
}

/// Everything that the server sends until it closes the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A connection that is cut with bytes on their way is reset.
    let _ = timeout(DEADLINE, stream.read_to_end(&mut bytes))
        .await
        .expect("the connection stays open");
    String::from_utf8_lossy(&bytes).into_owned()
}

const PROBE: &str = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";

async fn probe(stream: &mut TcpStream) {
    stream.write_all(PROBE.as_bytes()).await.unwrap();
    let mut head = [0; 15];
    timeout(DEADLINE, stream.read_exact(&mut head))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
}

#[tokio::test]
async fn who_says_nothing_is_cut_off() {
    let app = TestApp::start_with(quick).await;
    let mut silent = connect(&app).await;
    let mut half_head = connect(&app).await;
    half_head
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: loc")
        .await
        .unwrap();
    let mut idle = connect(&app).await;
    probe(&mut idle).await;
    let mut second_half = connect(&app).await;
    probe(&mut second_half).await;
    second_half.write_all(b"GET /hea").await.unwrap();
    assert_eq!(rest(&mut silent).await, "");
    assert_eq!(rest(&mut half_head).await, "");
    for mut stream in [idle, second_half] {
        let answer = rest(&mut stream).await;
        assert!(answer.ends_with("alive\n"), "{answer}");
        assert!(
            !answer.contains("HTTP/1.1"),
            "only one request was whole: {answer}"
        );
    }
}

#[tokio::test]
async fn half_a_body_is_answered_with_words() {
    let app = TestApp::start_with(quick).await;
    let mut stream = connect(&app).await;
    let head = "POST /login HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    for part in [
        "application/problem+json",
        "too slowly",
        "x-request-id",
        "connection: close",
    ] {
        assert!(answer.contains(part), "`{part}` is not in {answer}");
    }
}

#[tokio::test]
async fn a_slow_body_that_keeps_coming_is_taken() {
    let app = TestApp::start_with(quick).await;
    let n_parts = 12;
    let parts = futures::stream::unfold(0, move |n| async move {
        if n == n_parts {
            return None;
        }
        if n > 0 {
            wait_a_part().await;
        }
        let mut part = vec![b' '; MIN_BODY_BYTES];
        if n == 0 {
            part[..2].copy_from_slice(b"{}");
        }
        Some((Ok::<_, std::io::Error>(part), n + 1))
    });
    let started = Instant::now();
    let request = app
        .request(Method::POST, "/api/v1/datasets")
        .header(header::CONTENT_TYPE, "application/json")
        .body(reqwest::Body::wrap_stream(parts));
    let problem = problem(StatusCode::BAD_REQUEST, request).await;
    assert_eq!(problem.errors[0].field, "name");
    assert!(started.elapsed() > QUICK.body_time);
}

/// As long as a slow line takes for a part.
async fn wait_a_part() {
    tokio::time::sleep(QUICK.body_time / 6).await;
}

#[tokio::test]
async fn a_websocket_outlives_the_time_limits_of_requests() {
    let app = TestApp::start_with(quick).await;
    let url = format!("{}/api/v1/events", app.url.replace("http", "ws"));
    let mut request = url.into_client_request().unwrap();
    let bearer = format!("Bearer {}", app.token).parse().unwrap();
    request.headers_mut().insert(header::AUTHORIZATION, bearer);
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    let opened = Instant::now();
    let listening = async {
        while opened.elapsed() < QUICK.idle_time + QUICK.header_time {
            let message = socket.next().await.expect("the socket stays open").unwrap();
            assert!(matches!(message, Message::Ping(_)), "{message:?}");
        }
    };
    timeout(DEADLINE, listening).await.unwrap();
    // A client has nothing to say that is as long as this.
    use futures::SinkExt as _;
    socket.send(Message::text("x".repeat(1 << 20))).await.ok();
    let ended = async { while let Some(Ok(_)) = socket.next().await {} };
    timeout(DEADLINE, ended)
        .await
        .expect("a long message ends the socket");
}

#[tokio::test]
async fn a_flood_of_connections_leaves_room_for_others() {
    let app = TestApp::start().await;
    let mut signed_in = connect(&app).await;
    let request = format!(
        "GET /api/v1/session HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\r\n",
        app.token
    );
    signed_in.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 15];
    signed_in.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    let mut flood = Vec::new();
    for _ in 0..MAX_UNPROVEN_CONNECTIONS + 50 {
        let mut stream = connect(&app).await;
        stream.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
        flood.push(stream);
    }
    let mut prober = connect(&app).await;
    probe(&mut prober).await;
    // The oldest of the flood had to go, those with a token did not.
    assert_eq!(rest(&mut flood[0]).await, "");
    signed_in.write_all(PROBE.as_bytes()).await.unwrap();
    let mut answers = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&answers).contains("alive\n") {
            assert_ne!(
                signed_in.read_buf(&mut answers).await.unwrap(),
                0,
                "it was closed"
            );
        }
    };
    timeout(DEADLINE, reading).await.unwrap();
}

#[tokio::test]
async fn heads_have_limits() {
    let app = TestApp::start().await;
    let long = format!("/api/v1/datasets?after={}", "x".repeat(10_000));
    let refused = problem(StatusCode::URI_TOO_LONG, app.request(Method::GET, &long)).await;
    assert_eq!(refused.kind, "too_large");
    let large = app
        .request(Method::GET, "/api/v1/datasets")
        .header("x-large", "x".repeat(40_000));
    problem(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, large).await;
    let many = (0..150).fold(app.request(Method::GET, "/healthz"), |request, n| {
        request.header(format!("x-{n}"), "x")
    });
    let many = many.send().await.unwrap().status();
    assert_eq!(many, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    empty(StatusCode::OK, app.anonymous(Method::GET, "/healthz")).await;
}

#[tokio::test]
async fn a_host_is_known_in_any_case() {
    let app = TestApp::start().await;
    for host in ["LOCALHOST", "localhost.", "LocalHost:80"] {
        let request = app.anonymous(Method::GET, "/healthz").header(header::HOST, host);
        empty(StatusCode::OK, request).await;
    }
    let request = app
        .anonymous(Method::GET, "/healthz")
        .header(header::HOST, "evil.example");
    problem(StatusCode::FORBIDDEN, request).await;
}

#[tokio::test]
async fn a_request_has_one_host() {
    let app = TestApp::start().await;
    let request = app
        .anonymous(Method::GET, "/healthz")
        .header(header::HOST, "localhost")
        .header(header::HOST, "evil.example");
    let refused = problem(StatusCode::BAD_REQUEST, request).await;
    assert!(
        refused.title.contains("more than one `Host`"),
        "{}",
        refused.title
    );
}

/// A provider that panics where handlers ask it, and at its first look; then it says that it looked, and hangs.
#[derive(Debug)]
struct Broken {
    has_panicked: AtomicBool,
    looked: mpsc::UnboundedSender<()>,
}

#[async_trait]
impl Provider for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn capacity(&self) -> usize {
        panic!("nobody knows")
    }

    async fn launch(&self, _: &LaunchRequest) -> Result<Instance, ProviderError> {
        std::future::pending().await
    }

    async fn list(&self) -> Result<Vec<Instance>, ProviderError> {
        assert!(
            self.has_panicked.swap(true, Ordering::Relaxed),
            "the first look fails"
        );
        let _ = self.looked.send(());
        std::future::pending().await
    }

    async fn terminate(&self, _: &Instance) -> Result<(), ProviderError> {
        std::future::pending().await
    }

    async fn last_words(&self, _: Uuid) -> Option<String> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn what_panics_is_answered_and_what_hangs_does_not_keep_the_server() {
    let (looked, mut looks) = mpsc::unbounded_channel();
    let mut app = TestApp::start_with(|config| {
        config.timing.shutdown_grace = QUICK.shutdown_grace;
        config.providers.push(Arc::new(Broken {
            has_panicked: AtomicBool::new(false),
            looked,
        }));
    })
    .await;
    let request = app.request(Method::GET, "/api/v1/providers");
    let response = request.send().await.expect("an answer, not a closed connection");
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert!(response.headers().contains_key("x-request-id"));
    let text = response.text().await.unwrap();
    assert!(
        !text.contains("nobody knows"),
        "clients learn nothing of the inside: {text}"
    );
    empty(StatusCode::OK, app.anonymous(Method::GET, "/healthz")).await;
    // The reconciler goes on after its panic, and hangs.
    timeout(DEADLINE, looks.recv()).await.expect("no second look");
    let began = Instant::now();
    let mut ending = pin!(app.end());
    timeout(DEADLINE / 2, &mut ending)
        .await
        .expect("the server does not end");
    assert!(began.elapsed() < DEADLINE / 2);
}
