//! Requests that are sent twice with an `Idempotency-Key`.

use std::collections::BTreeSet;

use futures::future::join_all;
use orchestrator::providers::Purpose;
use protocol::{
    agent::{ArtifactKind, Finish, WorkKind},
    dataset::Item,
    job::Job,
    phase::Outcome,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    agent::step,
    app::{TestApp, problem, take},
};

const KEY: &str = "idempotency-key";
const REPLAYED: &str = "idempotency-replayed";

/// An answer, as far as it must be the same.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    is_replayed: bool,
    body: String,
}

impl TestApp {
    async fn keyed(&self, path: &str, key: &str, body: &Value) -> Answer {
        let request = self.request(Method::POST, path).header(KEY, key).json(body);
        let response = request.send().await.unwrap();
        Answer {
            status: response.status(),
            is_replayed: response.headers().contains_key(REPLAYED),
            body: response.text().await.unwrap(),
        }
    }

    async fn ids(&self, list: &str) -> BTreeSet<String> {
        let found: Value = self.get(list).await;
        let items = found.get("items").unwrap_or(&found).as_array().unwrap();
        let id = |item: &Value| item.get("id").unwrap_or(&item["name"]).to_string();
        items.iter().map(id).collect()
    }
}

/// A request that makes something, another one to the same route, and the list of what is made.
#[derive(Clone)]
struct Creating {
    route: &'static str,
    path: String,
    body: Value,
    other: Value,
    list: Option<&'static str>,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_creating_route_makes_one_thing_of_requests_with_one_key() {
    let app = TestApp::start_with(|config| config.mail = Some(crate::app::mail())).await;
    let dataset = app.small_dataset().await;
    let job = json!({
        "dataset_id": dataset.id, "base_model": "tiny-xl", "name": "zora",
        "parameters": {"n_steps": 4, "rank": 4},
    });
    let mut other_job = job.clone();
    other_job["name"] = json!("other");
    let creating = |route, body: Value, other: Value, list| Creating {
        route,
        path: route.to_owned(),
        body,
        other,
        list: Some(list),
    };
    let mut all = vec![
        creating(
            "/api/v1/datasets",
            json!({"name": "a"}),
            json!({"name": "b"}),
            "/api/v1/datasets",
        ),
        creating(
            "/api/v1/datasets/demo",
            json!({"name": "a"}),
            json!({"name": "b"}),
            "/api/v1/datasets",
        ),
        creating("/api/v1/jobs", job, other_job, "/api/v1/jobs"),
        creating(
            "/api/v1/tokens",
            json!({"name": "a"}),
            json!({"name": "b"}),
            "/api/v1/tokens",
        ),
        creating(
            "/api/v1/generations",
            json!({"base_model": "tiny-xl", "prompt": "zora"}),
            json!({"base_model": "tiny-xl", "prompt": "max"}),
            "/api/v1/generations",
        ),
        creating(
            "/api/v1/edits",
            json!({"kind": "extract", "base_model": "tiny-xl", "tuned_model": "tiny-xl", "rank": 4}),
            json!({"kind": "extract", "base_model": "tiny-xl", "tuned_model": "tiny-xl", "rank": 8}),
            "/api/v1/edits",
        ),
        creating(
            "/api/v1/registered-base-models",
            json!({"name": "sdxl", "source": "hf:owner/repository"}),
            json!({"name": "sdxl-2", "source": "hf:owner/repository"}),
            "/api/v1/registered-base-models",
        ),
        creating(
            "/api/v1/own-presets",
            json!({"name": "a", "parameters": {"rank": 8}}),
            json!({"name": "b", "parameters": {"rank": 8}}),
            "/api/v1/own-presets",
        ),
        creating(
            "/api/v1/webhooks",
            json!({"name": "a", "url": "https://a.invalid", "events": ["job.failed"]}),
            json!({"name": "b", "url": "https://a.invalid", "events": ["job.failed"]}),
            "/api/v1/webhooks",
        ),
        creating(
            "/api/v1/mail/tests",
            json!({}),
            json!({"a": 1}),
            "/api/v1/deliveries",
        ),
    ];
    for case in &all {
        check(&app, case).await;
    }

    // A webhook that a request with a key has made.
    let webhooks: Value = app.get("/api/v1/webhooks").await;
    all.push(Creating {
        route: "/api/v1/webhooks/{id}/tests",
        path: format!("/api/v1/webhooks/{}/tests", webhooks[0]["id"].as_str().unwrap()),
        body: json!({}),
        other: json!({"a": 1}),
        list: Some("/api/v1/deliveries"),
    });
    check(&app, &all[all.len() - 1]).await;

    // Edits of the same captions.
    let edits = format!("/api/v1/datasets/{}/caption-edits", dataset.id);
    let add = |text: &str| json!({"operation": {"kind": "add_first", "text": text}});
    all.push(Creating {
        route: "/api/v1/datasets/{id}/caption-edits",
        path: edits.clone(),
        body: add("hat"),
        other: add("cap"),
        list: None,
    });
    check(&app, &all[all.len() - 1]).await;
    let made = app.ids(&edits).await;
    assert_eq!(made.len(), 1, "one edit");
    let edit = made.first().unwrap().trim_matches('"');
    all.push(Creating {
        route: "/api/v1/datasets/{id}/caption-edits/{edit_id}/undo",
        path: format!("{edits}/{edit}/undo"),
        body: json!({}),
        other: json!({"skip_changed": true}),
        list: None,
    });
    check(&app, &all[all.len() - 1]).await;

    // Panels of a picture.
    let items = format!("/api/v1/datasets/{}/items", dataset.id);
    let pictures: Value = app.get(&items).await;
    let frame = |width: u32| json!({"left": 0, "top": 0, "width": width, "height": 128});
    all.push(Creating {
        route: "/api/v1/datasets/{id}/items/{item_id}/panels",
        path: format!("{items}/{}/panels", pictures["items"][0]["id"].as_str().unwrap()),
        body: json!({"frames": [frame(64)]}),
        other: json!({"frames": [frame(80)]}),
        list: None,
    });
    check(&app, &all[all.len() - 1]).await;
    let now: Value = app.get(&items).await;
    assert_eq!(now["items"].as_array().unwrap().len(), 4, "one panel");
    describe_pictures(&app, &dataset.id.to_string(), &mut all).await;

    // One of the job that a request with a key has made.
    let made: Job =
        serde_json::from_value(app.get::<Value>("/api/v1/jobs").await["items"][0].take()).unwrap();
    let steer = |verb| Creating {
        route: match verb {
            "resume" => "/api/v1/jobs/{id}/resume",
            "sample" => "/api/v1/jobs/{id}/sample",
            _ => "/api/v1/jobs/{id}/checkpoint",
        },
        path: format!("/api/v1/jobs/{}/{verb}", made.id),
        body: json!({}),
        other: json!({"provider": "local"}),
        list: None,
    };
    let mut agent = app.launched(Purpose::Train).await;
    let assignment = agent.claim(WorkKind::Train).await;
    agent.report(&assignment, vec![step(1, 4)]).await;
    for verb in ["checkpoint", "sample"] {
        all.push(steer(verb));
        check(&app, &all[all.len() - 1]).await;
    }
    for (step, bytes) in [(1, b"one".as_slice()), (2, b"two".as_slice())] {
        let kind = ArtifactKind::Checkpoint { step };
        agent
            .upload(&assignment, kind, "checkpoint.safetensors", bytes)
            .await;
    }
    all.push(Creating {
        route: "/api/v1/jobs/{id}/versions",
        path: format!("/api/v1/jobs/{}/versions", made.id),
        body: json!({"step": 1}),
        other: json!({"step": 2}),
        list: Some("/api/v1/jobs"),
    });
    check(&app, &all[all.len() - 1]).await;
    let _: Job = app
        .post(StatusCode::OK, &format!("/api/v1/jobs/{}/stop", made.id), &())
        .await;
    let finish = Finish {
        fence: assignment.fence,
        outcome: Outcome::Stopped,
        detail: None,
        result: None,
        picture: None,
        edited: None,
        disk_fault: false,
    };
    agent.finish(&assignment, finish).await;
    all.push(steer("resume"));
    check(&app, &all[all.len() - 1]).await;

    let document: Value = app.get("/api/openapi.json").await;
    let documented = document["paths"].as_object().unwrap().iter().filter(|(_, item)| {
        let parameters = item["post"]["parameters"].as_array();
        parameters.is_some_and(|all| all.iter().any(|one| one["name"] == "Idempotency-Key"))
    });
    let documented: BTreeSet<&str> = documented.map(|(path, _)| path.as_str()).collect();
    let mut tested: BTreeSet<&str> = all.iter().map(|case| case.route).collect();
    // It is answered when its pictures are drawn; `openai.rs` has an agent that does.
    tested.insert("/v1/images/generations");
    // It rents a machine: `morpheus`'s tests of rented machines have a provider.
    tested.insert("/api/v1/drawing-sessions");
    assert_eq!(documented, tested, "a route that takes a key must be tested here");
}

/// Endpoints that describe pictures, and runs with one of them. Nothing answers at the address.
async fn describe_pictures(app: &TestApp, dataset: &str, all: &mut Vec<Creating>) {
    let endpoint = |name: &str| json!({"name": name, "url": "https://a.invalid/v1", "model": "m"});
    let mut checked = |case: Creating| {
        all.push(case.clone());
        case
    };
    let endpoints = "/api/v1/caption-endpoints";
    let case = checked(Creating {
        route: endpoints,
        path: endpoints.to_owned(),
        body: endpoint("a"),
        other: endpoint("b"),
        list: Some(endpoints),
    });
    check(app, &case).await;
    let made: Value = app.get(endpoints).await;
    let endpoint = made[0]["id"].as_str().unwrap();
    let items: Value = app.get(&format!("/api/v1/datasets/{dataset}/items")).await;
    let item = &items["items"][0]["id"];
    let ask = |prompt: &str| json!({"dataset_id": dataset, "item_id": item, "prompt": prompt});
    let case = checked(Creating {
        route: "/api/v1/caption-endpoints/{id}/tests",
        path: format!("{endpoints}/{endpoint}/tests"),
        body: ask("Describe it."),
        other: ask("Describe her."),
        list: None,
    });
    check(app, &case).await;
    let runs = format!("/api/v1/datasets/{dataset}/caption-runs");
    let run = |policy: &str| json!({"endpoint_id": endpoint, "prompt": "Describe it.", "policy": policy});
    let case = checked(Creating {
        route: "/api/v1/datasets/{id}/caption-runs",
        path: runs.clone(),
        body: run("replace"),
        other: run("add"),
        list: None,
    });
    check(app, &case).await;
    let made = app.ids(&runs).await;
    assert_eq!(made.len(), 1, "one run");
    let run = made.first().unwrap().trim_matches('"');
    let case = checked(Creating {
        route: "/api/v1/datasets/{id}/caption-runs/{run_id}/accept",
        path: format!("{runs}/{run}/accept"),
        body: json!({}),
        other: json!({"proposals": [run]}),
        list: None,
    });
    check(app, &case).await;
}

async fn check(app: &TestApp, case: &Creating) {
    let Creating {
        route,
        path,
        body,
        other,
        list,
    } = case;
    let key = route.replace('/', ".");
    let holds_secret = ["/api/v1/tokens", "/api/v1/webhooks"].contains(route);
    let before = match list {
        Some(list) => app.ids(list).await,
        None => BTreeSet::new(),
    };
    // A double click, and a browser that tries again.
    let mut answers = join_all((0..3).map(|_| app.keyed(path, &key, body))).await;
    answers.push(app.keyed(path, &key, body).await);
    let is_first = |answer: &Answer| !answer.is_replayed && answer.status.is_success();
    let Some(first) = answers.iter().position(is_first) else {
        panic!("{route}: {answers:?}");
    };
    let first = answers.swap_remove(first);
    for again in &answers {
        if holds_secret {
            assert_eq!(again.status, StatusCode::CONFLICT, "{route}");
            assert!(again.body.contains("delete it"), "{route}: {}", again.body);
        } else {
            assert_eq!(
                (again.status, &again.body),
                (first.status, &first.body),
                "{route}"
            );
            assert!(again.is_replayed, "{route}");
        }
    }
    if let Some(list) = list {
        assert_eq!(app.ids(list).await.difference(&before).count(), 1, "{route}");
    }

    let request = app.request(Method::POST, path).header(KEY, &key).json(other);
    let refused = problem(StatusCode::UNPROCESSABLE_ENTITY, request).await;
    assert_eq!(refused.kind, "idempotency_key_reused", "{route}");
    let request = app
        .request(Method::POST, path)
        .header(KEY, "x".repeat(256))
        .json(body);
    let refused = problem(StatusCode::BAD_REQUEST, request).await;
    assert_eq!(refused.errors[0].field, "Idempotency-Key", "{route}");
}

#[tokio::test]
async fn a_key_outlives_a_restart_and_a_refusal_does_not_use_it_up() {
    let app = TestApp::start().await;
    let path = "/api/v1/datasets";
    let refused = app.keyed(path, "form", &json!({"name": ""})).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let made = app.keyed(path, "form", &json!({"name": "zora"})).await;
    assert_eq!((made.status, made.is_replayed), (StatusCode::CREATED, false));
    let app = app.restart().await;
    let again = app.keyed(path, "form", &json!({"name": "zora"})).await;
    assert_eq!((again.status, again.is_replayed), (StatusCode::CREATED, true));
    assert_eq!(again.body, made.body);
    // Without a key, two requests make two.
    for _ in 0..2 {
        app.dataset("zora").await;
    }
    assert_eq!(app.ids(path).await.len(), 3);
}

/// Captions have lines, and so has what one is compared with.
#[tokio::test]
async fn a_caption_of_several_lines_can_be_expected() {
    let app = TestApp::start().await;
    let dataset = app.small_dataset().await;
    let list = format!("/api/v1/datasets/{}/items", dataset.id);
    let items: Value = app.get(&list).await;
    let path = format!("{list}/{}", items["items"][0]["id"].as_str().unwrap());
    let patch = |body: Value| app.request(Method::PATCH, &path).json(&body);
    let lines = "zora\n\tsmiling\r\nat noon";
    let item: Item = take(StatusCode::OK, patch(json!({ "caption": lines }))).await;
    // As from a file, white space at the ends of lines is not kept.
    let lines = "zora\nsmiling\nat noon";
    assert_eq!(item.caption, lines);
    // The page that sent the caption may still expect it as it was typed.
    let typed = json!({ "caption": lines, "expected_caption": "zora\n\tsmiling\r\nat noon" });
    let _: Item = take(StatusCode::OK, patch(typed)).await;
    let change = |expected: &str| json!({ "caption": "zora,\nat night", "expected_caption": expected });
    let refused = problem(StatusCode::PRECONDITION_FAILED, patch(change("zora\nsmiling"))).await;
    assert_eq!(refused.current.as_deref(), Some(lines));
    let item: Item = take(StatusCode::OK, patch(change(lines))).await;
    assert_eq!(item.caption, "zora,\nat night");
    let refused = problem(StatusCode::BAD_REQUEST, patch(change("zora\u{0}"))).await;
    assert_eq!(refused.errors[0].field, "expected_caption");
    // What an earlier version took from a file can still be named, to be replaced.
    let other = json!({ "caption": "zora at noon", "expected_caption": "zora\u{85}" });
    let refused = problem(StatusCode::PRECONDITION_FAILED, patch(other)).await;
    assert_eq!(refused.current.as_deref(), Some("zora,\nat night"));
}

#[tokio::test]
async fn a_caption_that_was_changed_elsewhere_is_not_overwritten() {
    let app = TestApp::start().await;
    let dataset = app.small_dataset().await;
    let list = format!("/api/v1/datasets/{}/items", dataset.id);
    let items: Value = app.get(&list).await;
    let item: Item = serde_json::from_value(items["items"][0].clone()).unwrap();
    let path = format!("{list}/{}", item.id);
    let patch = |body: Value| app.request(Method::PATCH, &path).json(&body);
    let first = json!({"caption": "from one tab", "expected_caption": item.caption});
    let _: Item = take(StatusCode::OK, patch(first.clone())).await;
    // The answer was lost, and it is sent again.
    let _: Item = take(StatusCode::OK, patch(first)).await;

    let second = json!({"caption": "from another tab", "expected_caption": item.caption});
    let refused = problem(StatusCode::PRECONDITION_FAILED, patch(second)).await;
    assert_eq!(refused.kind, "changed");
    assert_eq!(refused.current.as_deref(), Some("from one tab"));
    let items: Value = app.get(&list).await;
    assert_eq!(items["items"][0]["caption"], "from one tab");

    let chosen = json!({"caption": "from another tab", "expected_caption": "from one tab"});
    let item: Item = take(StatusCode::OK, patch(chosen)).await;
    assert_eq!(item.caption, "from another tab");
    // Whoever expects nothing overwrites, as before.
    let _: Item = take(StatusCode::OK, patch(json!({"caption": ""}))).await;
}
