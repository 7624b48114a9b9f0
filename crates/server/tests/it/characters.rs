//! Characters that no field may hold, wherever they come from: refused by the field's name, on every database.

use protocol::{
    agent::{Report, WorkKind},
    event::{Event, JobEvent, LogLevel},
    problem::Problem,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{TestApp, problem};
use orchestrator::providers::Purpose;

#[track_caller]
fn fields(problem: &Problem) -> Vec<&str> {
    problem.errors.iter().map(|error| error.field.as_str()).collect()
}

#[tokio::test]
async fn bodies_are_refused_by_the_field() {
    let app = TestApp::start().await;
    let dataset = app.dataset("letters").await;
    let dataset = format!("/api/v1/datasets/{}", dataset.id);
    let job = json!({
        "dataset_id": "01890000-0000-7000-8000-000000000000", "base_model": "tiny\u{0}", "name": "a\u{202e}b",
        "sample_prompts": ["fine\nwith lines", "not\u{0}fine"], "rental": {"gpus": ["a\u{1b}[2J"]},
        "parameters": {"ra\u{0}nk": 1}, "trigger_word": "a\u{fffe}",
    });
    let cases: [(Method, &str, Value, &[&str]); 6] = [
        (
            Method::PUT,
            "/api/v1/spend/budgets",
            json!({"scope": "project", "key": "a\u{0}b", "limit_micro_usd": 1}),
            &["key"],
        ),
        (Method::PATCH, &dataset, json!({"name": "a\u{2066}b"}), &["name"]),
        (
            Method::POST,
            "/api/v1/tokens",
            json!({"name": "a\u{7f}"}),
            &["name"],
        ),
        (
            Method::POST,
            "/api/v1/jobs",
            job,
            &[
                "base_model",
                "name",
                "parameters.ra\\u{0}nk",
                "rental.gpus[0]",
                "sample_prompts[1]",
                "trigger_word",
            ],
        ),
        (
            Method::POST,
            "/api/v1/generations",
            json!({"base_model": "tiny-xl", "prompt": "two\nlines\u{0}"}),
            &["prompt"],
        ),
        (Method::POST, "/login", json!({"token": "a\u{0}"}), &["token"]),
    ];
    for (method, path, body, wanted) in cases {
        let refused = app.refused(StatusCode::BAD_REQUEST, method, path, &body).await;
        let mut found = fields(&refused);
        found.sort_unstable();
        assert_eq!(found, wanted, "{path}");
    }
    // What UTF-16 has and Unicode does not is no JSON.
    let request = app
        .request(Method::POST, "/api/v1/datasets")
        .header("content-type", "application/json")
        .body(r#"{"name": "\ud800"}"#);
    let refused = problem(StatusCode::BAD_REQUEST, request).await;
    assert!(
        refused.title.starts_with("the body is not JSON"),
        "{}",
        refused.title
    );
}

#[tokio::test]
async fn paths_and_queries_are_refused_by_the_field() {
    let app = TestApp::start().await;
    for (method, path, field) in [
        (Method::GET, "/api/v1/presets?base_model=a%00b", "base_model"),
        (Method::GET, "/api/v1/jobs?after=%00", "after"),
        (Method::GET, "/api/v1/jobs?%00=1", "\\u{0}"),
        (Method::GET, "/api/v1/spend/ledger?job=%1b", "job"),
        (Method::POST, "/api/v1/providers/a%00b/resume", "name"),
        (Method::DELETE, "/api/v1/registered-base-models/a%00b", "name"),
        (
            Method::POST,
            "/api/v1/registered-base-models/%E2%80%AEb/check",
            "name",
        ),
        (Method::GET, "/login?token=%00", "token"),
    ] {
        let refused = problem(StatusCode::BAD_REQUEST, app.request(method, path)).await;
        assert_eq!(fields(&refused), [field], "{path}");
    }
}

#[tokio::test]
async fn bodies_are_not_deep_and_refusals_are_short() {
    let app = TestApp::start().await;
    let deep = format!("{}{}", r#"{"a":"#.repeat(60), "}".repeat(60));
    for body in [
        deep,
        "[".repeat(100_000),
        format!("{{\"a\":{}", "[".repeat(100_000)),
    ] {
        let request = app
            .request(Method::POST, "/api/v1/datasets")
            .header("content-type", "application/json")
            .body(body);
        problem(StatusCode::BAD_REQUEST, request).await;
    }
    let long = "x".repeat(1 << 20);
    for body in [
        json!({ "name": "n", "scope": long }),
        json!({ "name": "n", long.as_str(): 1 }),
        json!({ "name": [long] }),
    ] {
        let refused = app
            .refused(StatusCode::BAD_REQUEST, Method::POST, "/api/v1/tokens", &body)
            .await;
        let text = serde_json::to_string(&refused).unwrap();
        assert!(text.len() < 2000, "{} bytes are echoed", text.len());
    }
}

#[tokio::test]
async fn what_agents_report_is_kept_within_bounds() {
    let app = TestApp::start().await;
    let job = app.small_job().await;
    let mut agent = app.launched(Purpose::Train).await;
    let assignment = agent.claim(WorkKind::Train).await;
    let line = |message: String| Report::Log {
        level: LogLevel::Info,
        message,
    };
    let long = "é".repeat(1_400_000);
    agent
        .report(&assignment, vec![line("a\u{0}b\u{1b}".into()), line(long)])
        .await;
    let path = format!("/api/v1/jobs/{}/events", job.id);
    let events: Vec<JobEvent> = app.get(&path).await;
    let lines: Vec<&str> = events
        .iter()
        .filter_map(|event| match &event.event {
            Event::Log { message, .. } => Some(message.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(lines[0], "a\u{fffd}b\u{fffd}");
    assert!(lines[1].len() <= protocol::limits::MAX_LOG_BYTES);
    assert!(lines[1].ends_with("[shortened, 2800000 bytes in all]"));
    // A time that cannot be is moved to where it may have been.
    let heartbeat = |n: u64, at: &str, step: u32| {
        json!({"fence": assignment.fence, "events": [{
            "n": n, "at": at, "report": {
                "type": "step", "step": step, "n_steps": 4, "epoch": 1, "n_epochs": 1, "loss": 0.5,
                "average_loss": 0.5, "learning_rate": 1e-3, "gradient_norm": 0.1, "step_ms": 1.0, "eta_seconds": 1e300,
            },
        }]})
    };
    let beat = |body: Value| {
        agent
            .post(&format!("attempts/{}/heartbeat", assignment.attempt_id))
            .json(&body)
    };
    let refused = problem(
        StatusCode::BAD_REQUEST,
        beat(heartbeat(3, "2026-01-01T00:00:00Z", u32::MAX)),
    )
    .await;
    assert_eq!(fields(&refused), ["events[0].report.step"]);
    for (n, at) in [(3, "-9999-01-01T00:00:00Z"), (4, "+262142-01-01T00:00:00Z")] {
        let status = beat(heartbeat(n, at, 1)).send().await.unwrap().status();
        assert_eq!(status, StatusCode::OK, "{at}");
    }
    let events: Vec<JobEvent> = app.get(&path).await;
    for event in events {
        assert!(
            event.at >= job.created_at && event.at <= chrono::Utc::now(),
            "{event:?}"
        );
    }
}
