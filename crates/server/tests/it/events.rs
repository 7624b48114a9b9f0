//! The event streams: replay, resumption, all jobs, slow readers.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use orchestrator::providers::Purpose;
use protocol::{
    JobId,
    agent::{Report, WorkKind},
    event::{AnyJobEvent, Event, JobEvent, LogLevel},
    phase::Phase,
};
use reqwest::{Method, StatusCode};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest as _},
};

use crate::{
    agent::step,
    app::{DEADLINE, TestApp},
};

pub(crate) type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Opens a WebSocket with the app's token.
pub(crate) async fn open(app: &TestApp, path: &str) -> Stream {
    open_with(app, path, "authorization", &format!("Bearer {}", app.token)).await
}

/// Opens one with this header in place of the token.
pub(crate) async fn open_with(app: &TestApp, path: &str, header: &'static str, value: &str) -> Stream {
    let url = format!("{}{path}", app.url.replacen("http", "ws", 1));
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert(header, value.parse().unwrap());
    tokio_tungstenite::connect_async(request).await.unwrap().0
}

pub(crate) async fn follow_job(app: &TestApp, job: JobId, after: i64) -> Stream {
    open(app, &format!("/api/v1/jobs/{job}/events?after={after}")).await
}

/// The next message, or the code that the server closed with.
pub(crate) async fn next(socket: &mut Stream) -> Result<String, u16> {
    loop {
        let message = tokio::time::timeout(DEADLINE, socket.next()).await;
        match message
            .expect("no message came")
            .expect("the connection broke")
            .unwrap()
        {
            Message::Text(text) => return Ok(text.to_string()),
            Message::Close(frame) => return Err(frame.unwrap().code.into()),
            _ => {}
        }
    }
}

pub(crate) async fn next_event(socket: &mut Stream) -> JobEvent {
    serde_json::from_str(&next(socket).await.unwrap()).unwrap()
}

pub(crate) async fn close_code(socket: &mut Stream) -> u16 {
    loop {
        if let Err(code) = next(socket).await {
            return code;
        }
    }
}

#[tokio::test]
async fn an_unknown_job_closes_the_socket() {
    let app = TestApp::start().await;
    let mut socket = follow_job(&app, JobId::new(), 0).await;
    assert_eq!(close_code(&mut socket).await, 4404);
}

#[tokio::test]
async fn a_reader_resumes_where_it_was() {
    let app = TestApp::start().await;
    let job = app.small_job().await;
    let mut agent = app.launched(Purpose::Train).await;
    let assignment = agent.claim(WorkKind::Train).await;
    agent
        .report(&assignment, (1..=4).map(|n| step(n, 4)).collect())
        .await;
    let path = format!("/api/v1/jobs/{}/events", job.id);
    let all: Vec<JobEvent> = app.get(&path).await;
    let seen = all[all.len() - 3].seq;
    let mut socket = follow_job(&app, job.id, seen).await;
    assert_eq!(next_event(&mut socket).await, all[all.len() - 2]);
    assert_eq!(next_event(&mut socket).await, all[all.len() - 1]);
    let two: Vec<JobEvent> = app.get(&format!("{path}?after=1&limit=2")).await;
    assert_eq!(two, all[1..3]);
}

#[tokio::test]
async fn a_reader_of_words_is_sent_no_steps() {
    let app = TestApp::start().await;
    let job = app.small_job().await;
    let mut agent = app.launched(Purpose::Train).await;
    let assignment = agent.claim(WorkKind::Train).await;
    let line = |message: &str| Report::Log {
        level: LogLevel::Info,
        message: message.to_owned(),
    };
    let mut reports: Vec<Report> = (1..=3).map(|n| step(n, 4)).collect();
    reports.push(line("stored"));
    agent.report(&assignment, reports).await;
    let path = format!("/api/v1/jobs/{}/events?after=0&without=step,spend", job.id);
    let stored: Vec<JobEvent> = app.get(&path).await;
    let is_step = |event: &JobEvent| matches!(event.event, Event::Step(_));
    assert!(!stored.iter().any(is_step), "{stored:?}");
    let mut socket = open(&app, &path).await;
    for event in &stored {
        assert_eq!(next_event(&mut socket).await, *event);
    }
    // And so it is with what comes while it reads.
    agent.report(&assignment, vec![step(4, 4), line("live")]).await;
    let live = next_event(&mut socket).await;
    assert_eq!(
        live.event,
        Event::Log {
            level: LogLevel::Info,
            message: "live".to_owned(),
        }
    );
    assert_eq!(live.seq, stored.last().map_or(0, |event| event.seq) + 2);
    let refused: protocol::problem::Problem = crate::app::take(
        StatusCode::BAD_REQUEST,
        app.request(
            Method::GET,
            &format!("/api/v1/jobs/{}/events?without=steps", job.id),
        ),
    )
    .await;
    assert_eq!(refused.errors[0].field, "without");
    assert!(refused.errors[0].message.contains("`step`"), "{refused:?}");
}

#[tokio::test]
async fn repeated_events_are_taken_once() {
    let app = TestApp::start().await;
    let job = app.small_job().await;
    let mut agent = app.launched(Purpose::Train).await;
    let assignment = agent.claim(WorkKind::Train).await;
    agent.report(&assignment, vec![step(1, 4)]).await;
    agent.repeat_all();
    agent.report(&assignment, vec![step(1, 4), step(2, 4)]).await;
    let events: Vec<JobEvent> = app.get(&format!("/api/v1/jobs/{}/events", job.id)).await;
    let n_steps = events
        .iter()
        .filter(|event| matches!(event.event, Event::Step(_)))
        .count();
    assert_eq!(n_steps, 2);
}

#[tokio::test]
async fn one_socket_carries_all_jobs_from_now_on() {
    let app = TestApp::start().await;
    let old = app.small_job().await;
    let mut agent = app.launched(Purpose::Train).await;
    let assignment = agent.claim(WorkKind::Train).await;
    agent.report(&assignment, vec![step(1, 4)]).await;
    let mut socket = open(&app, "/api/v1/events").await;
    // The server has subscribed once it answers a ping.
    socket.send(Message::Ping(Vec::new().into())).await.unwrap();
    let pong = tokio::time::timeout(DEADLINE, socket.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert!(matches!(pong, Message::Pong(_)));
    agent.report(&assignment, vec![step(2, 4)]).await;
    let event: AnyJobEvent = serde_json::from_str(&next(&mut socket).await.unwrap()).unwrap();
    assert_eq!(event.job_id, old.id);
    assert!(matches!(event.event.event, Event::Step(metrics) if metrics.step == 2));
    let new = app.small_job().await;
    let event: AnyJobEvent = serde_json::from_str(&next(&mut socket).await.unwrap()).unwrap();
    assert_eq!((event.job_id, event.event.seq), (new.id, 1));
    assert!(matches!(
        event.event.event,
        Event::PhaseChanged {
            phase: Phase::Queued,
            ..
        }
    ));
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_dropped_and_may_come_back() {
    let app = TestApp::start_with(|config| config.timing.send_timeout = Duration::from_millis(200)).await;
    let job = app.small_job().await;
    let mut agent = app.launched(Purpose::Train).await;
    let assignment = agent.claim(WorkKind::Train).await;
    let mut socket = follow_job(&app, job.id, 0).await;
    // More than the socket buffers of both sides hold together.
    for _ in 0..6 {
        let line = Report::Log {
            level: LogLevel::Info,
            message: "long ".repeat(1600),
        };
        agent.report(&assignment, vec![line; 450]).await;
    }
    let deadline = tokio::time::Instant::now() + DEADLINE;
    while !metrics(&app).await.contains("morpheus_slow_readers_total 1") {
        assert!(
            tokio::time::Instant::now() < deadline,
            "the reader was not found slow"
        );
    }
    let mut last_seen = 0;
    let code = loop {
        match next(&mut socket).await {
            Ok(text) => last_seen = serde_json::from_str::<JobEvent>(&text).unwrap().seq,
            Err(code) => break code,
        }
    };
    assert_eq!(code, 4008);
    let mut socket = follow_job(&app, job.id, last_seen).await;
    assert_eq!(next_event(&mut socket).await.seq, last_seen + 1);
}

async fn metrics(app: &TestApp) -> String {
    let response = app.request(Method::GET, "/metrics").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    response.text().await.unwrap()
}

#[tokio::test]
async fn a_plain_request_for_the_stream_of_all_jobs_is_told_what_to_do() {
    let app = TestApp::start().await;
    let request = app.request(Method::GET, "/api/v1/events");
    let problem = crate::app::problem(StatusCode::BAD_REQUEST, request).await;
    assert!(
        problem.title.starts_with("this route is a WebSocket"),
        "{}",
        problem.title
    );
}
