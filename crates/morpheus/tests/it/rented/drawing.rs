//! Drawing sessions: a real agent on a simulated machine draws pictures, and whatever ends the session leaves nothing
//! running and the books right.

use serde_json::{Value, json};
use sim::runpod::{Fault, What};

use super::{USD, books_balance, provider, settings};
use crate::{api::Api, support::Server};

fn request(limit: i64, idle_minutes: u32) -> Value {
    json!({
        "name": "Covers",
        "provider": "runpod",
        "limit_micro_usd": limit,
        "idle_minutes": idle_minutes,
    })
}

fn id(session: &Value) -> String {
    session["id"].as_str().unwrap().to_owned()
}

/// Waits until the session is in one of these phases.
async fn in_phase(api: &Api, id: &str, phases: &[&str]) -> Value {
    let is_there = |session: &Value| phases.contains(&session["phase"].as_str().unwrap());
    api.wait_for(&format!("/api/v1/drawing-sessions/{id}"), is_there)
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rented_machine_draws_until_nobody_asks_any_more() {
    let (data, sim) = (tempfile::tempdir().unwrap(), provider().await);
    let server = Server::start_with(data.path(), "127.0.0.1:0", &settings(&sim));
    let api = Api::of(&server);
    // Asked for twice with one key, as by a double click: one machine.
    let ask = async || {
        let url = server.url.join("/api/v1/drawing-sessions").unwrap();
        let request = reqwest::Client::new()
            .post(url)
            .bearer_auth(api.token())
            .header("Idempotency-Key", "covers")
            .json(&request(5 * USD, 10));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), reqwest::StatusCode::ACCEPTED);
        answer.json::<Value>().await.unwrap()
    };
    let session = id(&ask().await);
    assert_eq!(id(&ask().await), session);
    let ready = in_phase(&api, &session, &["ready", "ended"]).await;
    assert_eq!(ready["phase"], "ready", "{ready}");
    for seed in 0..2 {
        api.generated(json!({
            "base_model": "tiny-xl", "prompt": "zora waves", "n_steps": 2, "seed": seed,
            "drawing_session_id": session,
        }))
        .await;
    }
    let ended = in_phase(&api, &session, &["ended"]).await;
    let reason = ended["reason"].as_str().unwrap();
    assert!(reason.contains("no picture was asked for"), "{ended}");
    let bill = books_balance(&api, &sim, 5 * USD).await;
    assert!(bill > 0, "{bill}");
    let instances = api.get("/api/v1/spend").await["instances"].take();
    assert_eq!(instances.as_array().map(Vec::len), Some(1), "{instances}");
}

/// The server dies at this step, by itself; started again, it ends the session and makes everything good.
async fn dies_at(place: &str, fault: Option<Fault>) {
    let (data, sim) = (tempfile::tempdir().unwrap(), provider().await);
    if let Some(fault) = fault {
        sim.fault(fault);
    }
    let mut dying = settings(&sim);
    dying.push(("MORPHEUS_DIE_AT", place.to_owned()));
    let server = Server::start_with(data.path(), "127.0.0.1:0", &dying);
    let api = Api::of(&server);
    let session = id(&api.post("/api/v1/drawing-sessions", request(5 * USD, 2)).await);
    let listen = server.url.authority().to_owned();
    server.wait_until_dead();
    let server = Server::start_with(data.path(), &listen, &settings(&sim));
    let api = api.at(&server);
    let ended = in_phase(&api, &session, &["ended"]).await;
    assert!(ended["reason"].is_string(), "{place}: {ended}");
    books_balance(&api, &sim, 5 * USD).await;
}

at_each_failpoint!(dies_at);
