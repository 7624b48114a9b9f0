//! A picture that comes into being: previews, what is waited for, notes, and the end.

use orchestrator::providers::Purpose;
use protocol::{
    GenerationId,
    agent::{Finish, Report, WorkKind},
    event::LogLevel,
    generation::{Generation, GenerationNews, GenerationPhase, Preview},
    limits::MAX_PREVIEW_BYTES,
    phase::Outcome,
};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    app::{TestApp, problem},
    events::{Stream, close_code, next, open},
};

/// The beginning of a PNG file, in base64.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUg==";

async fn follow(app: &TestApp, id: GenerationId) -> Stream {
    open(app, &format!("/api/v1/generations/{id}/live")).await
}

async fn next_news(socket: &mut Stream) -> GenerationNews {
    serde_json::from_str(&next(socket).await.unwrap()).unwrap()
}

/// The next news of how it stands that is as expected.
async fn state(socket: &mut Stream, is_expected: impl Fn(&Generation) -> bool) -> Generation {
    loop {
        if let GenerationNews::State { generation } = next_news(socket).await
            && is_expected(&generation)
        {
            return *generation;
        }
    }
}

async fn next_preview(socket: &mut Stream) -> Preview {
    loop {
        if let GenerationNews::Preview { preview } = next_news(socket).await {
            return preview;
        }
    }
}

fn preview(step: u32, png: &str) -> Report {
    Report::Preview {
        preview: Preview {
            step,
            n_steps: 25,
            png: png.to_owned(),
        },
    }
}

fn stage(name: &str) -> Report {
    Report::Stage {
        name: name.to_owned(),
        done: 0,
        total: 0,
    }
}

#[tokio::test]
async fn a_generation_is_followed_from_the_queue_to_its_end() {
    let app = TestApp::start().await;
    let request = json!({ "base_model": "tiny-xl", "prompt": "zora" });
    let queued: Generation = app
        .post(StatusCode::ACCEPTED, "/api/v1/generations", &request)
        .await;
    let mut socket = follow(&app, queued.id).await;
    let is_in = |phase| move |generation: &Generation| generation.phase == phase;
    state(&mut socket, is_in(GenerationPhase::Queued)).await;

    let mut agent = app.launched(Purpose::Generate).await;
    let assignment = agent.claim(WorkKind::Generate).await;
    state(&mut socket, is_in(GenerationPhase::Running)).await;

    let waits = "waiting for the training on this machine's GPU to end, which goes first";
    agent.report(&assignment, vec![stage(waits)]).await;
    let is_waiting = |generation: &Generation| generation.stage.as_deref() == Some(waits);
    state(&mut socket, is_waiting).await;

    // Of several previews the newest is shown, and one that a browser cannot show is left out.
    let too_large = PNG.repeat(MAX_PREVIEW_BYTES / PNG.len() + 1);
    let previews = vec![
        preview(1, PNG),
        preview(2, PNG),
        preview(3, "PHN2Zz4="),
        preview(4, &too_large),
    ];
    agent.report(&assignment, previews).await;
    let shown = next_preview(&mut socket).await;
    assert_eq!((shown.step, shown.n_steps, shown.png.as_str()), (2, 25, PNG));

    // Who comes later sees the newest at once.
    let mut second = follow(&app, queued.id).await;
    state(&mut second, is_waiting).await;
    assert_eq!(next_preview(&mut second).await.step, 2);

    let note = "the GPU's memory was too small; going on with attention in slices";
    let (level, message) = (LogLevel::Warning, note.to_owned());
    agent
        .report(&assignment, vec![Report::Log { level, message }])
        .await;
    state(&mut socket, |generation| generation.notes == [note]).await;

    let detail = "the GPU's memory is too small for this picture: draw a smaller picture";
    let finish = Finish {
        fence: assignment.fence,
        outcome: Outcome::Failed,
        detail: Some(detail.to_owned()),
        result: None,
        picture: None,
        edited: None,
        disk_fault: false,
    };
    agent.finish(&assignment, finish).await;
    let ended = state(&mut socket, is_in(GenerationPhase::Failed)).await;
    assert_eq!(ended.error.as_deref(), Some(detail));
    assert_eq!(
        (ended.stage, ended.notes.as_slice()),
        (None, &[note.to_owned()][..])
    );
    assert_eq!(close_code(&mut socket).await, 1000);
    let kept: Generation = app.get(&format!("/api/v1/generations/{}", queued.id)).await;
    assert_eq!(kept.notes, [note]);
}

#[tokio::test]
async fn only_a_socket_follows_a_generation_that_there_is() {
    let app = TestApp::start().await;
    let mut socket = follow(&app, GenerationId::new()).await;
    assert_eq!(close_code(&mut socket).await, 4404);
    let path = format!("/api/v1/generations/{}/live", GenerationId::new());
    let plain = app.request(Method::GET, &path);
    let refusal = problem(StatusCode::BAD_REQUEST, plain).await;
    assert!(refusal.title.starts_with("this route is a WebSocket"));
}
