//! The audit log: every route that changes something writes down who did it.

use std::collections::BTreeSet;

use orchestrator::providers::Purpose;
use protocol::{
    agent::{ArtifactKind, WorkKind},
    api::{CreatedToken, Page},
    audit::{AuditAction, AuditEntry},
    job::Job,
};
use reqwest::{Method, RequestBuilder, StatusCode, multipart};
use serde_json::{Value, json};

use crate::{
    access::sign_in,
    agent::{trained, verdict},
    app::{TestApp, empty, problem},
    pictures,
};

/// Routes that change something and write nothing, and why that is right.
const EXEMPT: &[(&str, &str)] = &[
    (
        "PATCH /api/v1/datasets/{id}/items/{item_id}",
        "captions are saved while they are typed",
    ),
    (
        "POST /api/v1/datasets/{id}/check",
        "keeps what it has measured, and changes nothing else",
    ),
    ("POST /api/v1/jobs/estimate", "changes nothing"),
    ("POST /api/v1/prompts/count", "changes nothing"),
    ("POST /api/v1/drawing-sessions/prices", "changes nothing"),
    ("POST /api/v1/recipes/import", "changes nothing"),
    (
        "POST /api/v1/agent/claim",
        "a machine's work; the job's events tell of it",
    ),
    (
        "POST /api/v1/agent/attempts/{id}/heartbeat",
        "a machine's work; the job's events tell of it",
    ),
    (
        "POST /api/v1/agent/attempts/{id}/artifacts",
        "a machine's work; the job's events tell of it",
    ),
    (
        "POST /api/v1/agent/attempts/{id}/artifacts/{artifact_id}/complete",
        "a machine's work; the job's events tell of it",
    ),
    (
        "POST /api/v1/agent/attempts/{id}/unusable",
        "a machine's work; the job's events tell of it",
    ),
    (
        "POST /api/v1/agent/attempts/{id}/finish",
        "a machine's work; the job's events tell of it",
    ),
];

/// Routes that need more of the world than this test has, and the test that looks at their entries.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "POST /api/v1/registered-base-models/{name}/copy",
        "the orchestrator's tests of base models",
    ),
    (
        "POST /api/v1/drawing-sessions",
        "the orchestrator's tests of drawing sessions",
    ),
    (
        "POST /api/v1/drawing-sessions/{id}/end",
        "the orchestrator's tests of drawing sessions",
    ),
    (
        "POST /api/v1/providers/{name}/resume",
        "the orchestrator's tests of rentals",
    ),
    (
        "POST /v1/images/generations",
        "the tests of routes in OpenAI's shape",
    ),
];

async fn log(app: &TestApp, query: &str) -> Vec<AuditEntry> {
    let page: Page<AuditEntry> = app.get(&format!("/api/v1/audit?limit=500{query}")).await;
    page.items
}

/// Does what routes do, one after the other, and looks at what each has written down.
struct Changes<'a> {
    app: &'a TestApp,
    done: BTreeSet<String>,
}

impl Changes<'_> {
    async fn check(&mut self, route: &str, request: RequestBuilder, action: AuditAction) -> Value {
        let before = log(self.app, "").await.len();
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{route}: {status} {text}");
        let entries = log(self.app, "").await;
        assert_eq!(entries.len(), before + 1, "{route} writes one entry");
        let entry = &entries[0];
        assert_eq!(entry.action, action, "{route}: {entry:?}");
        assert_eq!(entry.address.as_deref(), Some("127.0.0.1"), "{route}");
        assert!(
            entry.actor.starts_with("token ") || entry.actor.starts_with("browser session ("),
            "{entry:?}"
        );
        assert!(entry.token_id.is_some(), "{route}");
        self.done.insert(route.to_owned());
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// A route below `/api/v1`, as it stands in the OpenAPI document; `id` stands for what is in braces.
    async fn change(
        &mut self,
        method: Method,
        route: &str,
        id: &str,
        body: Value,
        action: AuditAction,
    ) -> Value {
        let path = match route.split_once('{') {
            Some((before, after)) => format!("{before}{id}{}", after.split_once('}').unwrap().1),
            None => route.to_owned(),
        };
        let request = self.app.request(method.clone(), &format!("/api/v1{path}"));
        let request = if body.is_null() {
            request
        } else {
            request.json(&body)
        };
        self.check(&format!("{method} /api/v1{route}"), request, action)
            .await
    }
}

#[tokio::test]
async fn every_change_is_written_down() {
    use AuditAction::*;
    let app = TestApp::start_with(|config| config.read_lora = Some(crate::imports::read)).await;
    let mut changes = Changes {
        app: &app,
        done: BTreeSet::new(),
    };
    let (post, put, patch, delete) = (Method::POST, Method::PUT, Method::PATCH, Method::DELETE);

    // Access.
    let login = app
        .anonymous(post.clone(), "/login")
        .json(&json!({ "token": app.token }));
    changes.check("POST /login", login, SignedIn).await;
    let cookie = sign_in(&app).await;
    let out = app
        .anonymous(delete.clone(), "/api/v1/session")
        .header("cookie", cookie);
    changes.check("DELETE /api/v1/session", out, SignedOut).await;
    let made = changes
        .change(post.clone(), "/tokens", "", json!({ "name": "ci" }), TokenMade)
        .await;
    let id = made["id"].as_str().unwrap();
    changes
        .change(delete.clone(), "/tokens/{id}", id, Value::Null, TokenDeleted)
        .await;
    let sessions: Value = app.get("/api/v1/sessions").await;
    let id = sessions[0]["id"].as_str().unwrap();
    changes
        .change(delete.clone(), "/sessions/{id}", id, Value::Null, SessionEnded)
        .await;
    changes
        .change(delete.clone(), "/sessions", "", Value::Null, SignedOutEverywhere)
        .await;

    // Data.
    let dataset = changes
        .change(post.clone(), "/datasets", "", json!({ "name": "a" }), DatasetMade)
        .await;
    let id = dataset["id"].as_str().unwrap();
    changes
        .change(
            patch.clone(),
            "/datasets/{id}",
            id,
            json!({ "name": "b" }),
            DatasetRenamed,
        )
        .await;
    let part = |n, name: &'static str| multipart::Part::bytes(pictures::png(n, 128, 128)).file_name(name);
    let upload = app.request(post.clone(), &format!("/api/v1/datasets/{id}/items"));
    let form = multipart::Form::new().part("files", part(1, "0.png"));
    let upload = upload.multipart(form.part("files", part(2, "0-masklabel.png")));
    let report = changes
        .check("POST /api/v1/datasets/{id}/items", upload, PicturesUploaded)
        .await;
    changes
        .change(
            patch,
            "/datasets/{id}/groups",
            id,
            json!({ "groups": [{ "group": "", "repeats": 3 }] }),
            GroupsChanged,
        )
        .await;
    let finding = json!({ "code": "no_caption", "content": "0".repeat(64) });
    changes
        .change(
            post.clone(),
            "/datasets/{id}/acknowledgements",
            id,
            json!({ "findings": [finding] }),
            FindingsAcknowledged,
        )
        .await;
    let edited = changes
        .change(
            post.clone(),
            "/datasets/{id}/caption-edits",
            id,
            json!({ "operation": { "kind": "add_first", "text": "hat" } }),
            CaptionsEdited,
        )
        .await;
    let edit = edited["edit"]["id"].as_str().unwrap();
    let undo = app.request(
        post.clone(),
        &format!("/api/v1/datasets/{id}/caption-edits/{edit}/undo"),
    );
    changes
        .check(
            "POST /api/v1/datasets/{id}/caption-edits/{edit_id}/undo",
            undo.json(&json!({})),
            CaptionsRestored,
        )
        .await;
    let item = report["accepted"][0]["id"].as_str().unwrap();
    let path = format!("/api/v1/datasets/{id}/items/{item}");
    let remove = app.request(delete.clone(), &format!("{path}/mask"));
    changes
        .check(
            "DELETE /api/v1/datasets/{id}/items/{item_id}/mask",
            remove,
            MaskDeleted,
        )
        .await;
    let remove = app.request(delete.clone(), &path);
    changes
        .check(
            "DELETE /api/v1/datasets/{id}/items/{item_id}",
            remove,
            PictureDeleted,
        )
        .await;
    changes
        .change(delete.clone(), "/datasets/{id}", id, Value::Null, DatasetDeleted)
        .await;

    // Jobs, and what they cost.
    let dataset = app.small_dataset().await;
    let job = json!({
        "dataset_id": dataset.id, "base_model": "tiny-xl", "name": "zora", "parameters": { "n_steps": 4, "rank": 4 },
    });
    let made = changes.change(post.clone(), "/jobs", "", job, JobMade).await;
    let id = made["id"].as_str().unwrap().to_owned();
    let agent = app.launched(Purpose::Train).await;
    let assignment = agent.claim(WorkKind::Train).await;
    changes
        .change(
            post.clone(),
            "/jobs/{id}/checkpoint",
            &id,
            Value::Null,
            CheckpointAsked,
        )
        .await;
    changes
        .change(post.clone(), "/jobs/{id}/sample", &id, Value::Null, SamplesAsked)
        .await;
    let kind = ArtifactKind::Checkpoint { step: 2 };
    agent
        .upload(&assignment, kind, "checkpoint.safetensors", b"state")
        .await;
    let of_step = json!({ "step": 2 });
    let version = changes
        .change(post.clone(), "/jobs/{id}/versions", &id, of_step, VersionAsked)
        .await;
    // It would be the next to be launched.
    let cancel = format!("/api/v1/jobs/{}/cancel", version["id"].as_str().expect("an id"));
    let _: Job = app.post(StatusCode::OK, &cancel, &()).await;
    changes
        .change(post.clone(), "/jobs/{id}/finish", &id, Value::Null, JobFinished)
        .await;
    let limit = json!({ "limit_micro_usd": 5_000_000 });
    changes
        .change(put.clone(), "/jobs/{id}/limit", &id, limit, JobLimitSet)
        .await;
    let budget = json!({ "scope": "user", "limit_micro_usd": 50_000_000 });
    changes
        .change(put.clone(), "/spend/budgets", "", budget, BudgetSet)
        .await;
    let kind = ArtifactKind::Lora { step: 4 };
    let lora = agent
        .upload(&assignment, kind, "zora.safetensors", &sim::files::lora(4, ""))
        .await;
    agent
        .finish(&assignment, trained(&assignment, lora, 4, verdict(true)))
        .await;
    let job: Job = app.get(&format!("/api/v1/jobs/{id}")).await;
    let version = job.model_version_id.unwrap().to_string();
    changes
        .change(
            post.clone(),
            "/model-versions/{id}/promote",
            &version,
            Value::Null,
            VersionApproved,
        )
        .await;
    changes
        .change(
            post.clone(),
            "/model-versions/{id}/retire",
            &version,
            Value::Null,
            VersionRetired,
        )
        .await;
    let form = multipart::Form::new()
        .part("file", crate::imports::file("a"))
        .text("base_model", "tiny-xl");
    let request = app.request(post.clone(), "/api/v1/models/import").multipart(form);
    let imported = changes
        .check("POST /api/v1/models/import", request, LoraImported)
        .await;
    let edit = json!({ "kind": "resize", "loras": [{ "model_version_id": imported["id"] }], "rank": 2 });
    let edit = changes.change(post.clone(), "/edits", "", edit, EditMade).await;
    let edit = edit["id"].as_str().unwrap();
    changes
        .change(
            post.clone(),
            "/edits/{id}/cancel",
            edit,
            Value::Null,
            EditCancelled,
        )
        .await;
    let other = app.small_job().await.id.to_string();
    changes
        .change(post.clone(), "/jobs/{id}/stop", &other, Value::Null, JobStopped)
        .await;
    wait_for_phase(&app, &other, "stopped").await;
    changes
        .change(post.clone(), "/jobs/{id}/resume", &other, Value::Null, JobResumed)
        .await;
    changes
        .change(
            post.clone(),
            "/jobs/{id}/cancel",
            &other,
            Value::Null,
            JobCancelled,
        )
        .await;
    let picture = json!({ "base_model": "tiny-xl", "prompt": "a secret wish" });
    changes
        .change(post.clone(), "/generations", "", picture, GenerationMade)
        .await;

    // Presets.
    let preset = json!({ "name": "mine", "preset": "style", "parameters": { "rank": 8 } });
    changes
        .change(post.clone(), "/own-presets", "", preset, PresetSaved)
        .await;
    let kept: Value = app.get("/api/v1/own-presets").await;
    let kept = kept[0]["id"].as_str().unwrap().to_owned();
    changes
        .change(
            delete.clone(),
            "/own-presets/{id}",
            &kept,
            Value::Null,
            PresetDeleted,
        )
        .await;

    // Base models.
    let base = json!({ "name": "big", "source": "https://example.com/big.safetensors?key=hidden" });
    changes
        .change(post.clone(), "/registered-base-models", "", base, BaseRegistered)
        .await;
    let route = "/registered-base-models/{name}/check";
    changes.change(post, route, "big", Value::Null, BaseChecked).await;
    let route = "/registered-base-models/{name}/settings";
    let settings = json!({ "prediction": "v", "vae": "https://example.com/vae.safetensors?key=hidden" });
    changes.change(put, route, "big", settings, BaseSet).await;
    changes
        .change(
            delete,
            "/registered-base-models/{name}",
            "big",
            Value::Null,
            BaseRemoved,
        )
        .await;

    let document: Value = app.get("/api/openapi.json").await;
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let route = format!("{method} {path}");
            let is_known = [EXEMPT, ELSEWHERE]
                .concat()
                .iter()
                .any(|(known, _)| *known == route);
            if item.get(method.to_lowercase()).is_some() && !is_known {
                assert!(
                    changes.done.contains(&route),
                    "`{route}` changes something: have it call `store::audit::record` in its transaction, and do it here; \
                     or say in EXEMPT why nobody needs to know of it"
                );
            }
        }
    }
    let whole = serde_json::to_string(&log(&app, "").await).unwrap();
    for secret in [app.token.as_str(), "a secret wish", "hidden", "morpheus_session"] {
        assert!(!whole.contains(secret), "{secret}: {whole}");
    }
}

async fn wait_for_phase(app: &TestApp, job: &str, phase: &str) {
    let deadline = tokio::time::Instant::now() + crate::app::DEADLINE;
    loop {
        let state: Value = app.get(&format!("/api/v1/jobs/{job}")).await;
        if state["phase"] == phase {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{state}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_log_is_read_page_by_page_and_by_what_it_is_about() {
    let app = TestApp::start().await;
    for n in 0..5 {
        app.dataset(&format!("d{n}")).await;
    }
    let data = log(&app, "&category=data").await;
    assert_eq!(data.len(), 5);
    assert!(
        data[0].subject.as_deref().unwrap().starts_with("d4 ("),
        "the newest comes first"
    );
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let page: Page<AuditEntry> = app
            .get(&format!("/api/v1/audit?category=data&limit=2{after}"))
            .await;
        seen.extend(page.items);
        let Some(next) = page.next else { break };
        after = format!("&after={next}");
    }
    assert_eq!(seen, data);
    let since = data[1].at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    assert_eq!(log(&app, &format!("&category=data&since={since}")).await.len(), 2);
    assert_eq!(log(&app, &format!("&category=data&until={since}")).await.len(), 3);
    let started = log(&app, "&category=installation").await;
    assert_eq!(
        (started[0].action, started[0].actor.as_str()),
        (AuditAction::ServerStarted, "server")
    );
    // What did not happen is not written down, and nothing takes an entry away.
    let body = json!({ "name": "" });
    app.refused(StatusCode::BAD_REQUEST, Method::POST, "/api/v1/datasets", &body)
        .await;
    assert_eq!(log(&app, "&category=data").await, data);
    let path = format!("/api/v1/audit/{}", data[0].id);
    problem(StatusCode::NOT_FOUND, app.request(Method::DELETE, &path)).await;
    problem(
        StatusCode::METHOD_NOT_ALLOWED,
        app.request(Method::DELETE, "/api/v1/audit"),
    )
    .await;
}

#[tokio::test]
async fn refused_sign_ins_are_slowed_down_and_written_down() {
    let app = TestApp::start().await;
    let gone: CreatedToken = app
        .post(StatusCode::CREATED, "/api/v1/tokens", &json!({ "name": "gone" }))
        .await;
    let path = format!("/api/v1/tokens/{}", gone.token.id);
    empty(StatusCode::NO_CONTENT, app.request(Method::DELETE, &path)).await;
    let login = |token: &str| {
        app.anonymous(Method::POST, "/login")
            .json(&json!({ "token": token }))
    };
    for n in 0..10 {
        problem(StatusCode::UNAUTHORIZED, login(&format!("morpheus_guess{n}"))).await;
        let request = app
            .anonymous(Method::GET, "/api/v1/jobs")
            .bearer_auth(&gone.secret);
        problem(StatusCode::UNAUTHORIZED, request).await;
    }
    for request in [
        login("guess"),
        app.anonymous(Method::GET, "/api/v1/jobs").bearer_auth("guess"),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
        let seconds: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=3).contains(&seconds), "{seconds}");
    }
    let limited = app
        .anonymous(Method::GET, "/login?token=guess")
        .send()
        .await
        .unwrap();
    assert_eq!(limited.headers()["location"], "/login?failed=limited");
    // Nobody is locked out: who has the right token may be at the same address, behind one proxy.
    empty(StatusCode::NO_CONTENT, login(&app.token)).await;
    empty(StatusCode::OK, app.request(Method::GET, "/api/v1/jobs")).await;

    let access = log(&app, "&category=access").await;
    let refused: Vec<_> = access
        .iter()
        .filter(|entry| entry.action == AuditAction::SignInFailed)
        .collect();
    assert_eq!(refused.iter().map(|entry| entry.n).sum::<u32>(), 23);
    assert_eq!(refused.len(), 2, "one for each way, however many there were");
    assert!(
        refused
            .iter()
            .all(|entry| entry.actor == "nobody" && entry.address.as_deref() == Some("127.0.0.1"))
    );
}

#[tokio::test]
async fn only_a_trusted_proxy_says_where_a_request_comes_from() {
    async fn seen(app: &TestApp) -> Option<String> {
        let request = app
            .request(Method::POST, "/api/v1/datasets")
            .json(&json!({ "name": "n" }));
        empty(
            StatusCode::CREATED,
            request.header("x-forwarded-for", "203.0.113.7"),
        )
        .await;
        log(app, "&category=data").await[0].address.clone()
    }
    let app = TestApp::start().await;
    assert_eq!(seen(&app).await.as_deref(), Some("127.0.0.1"));
    let app =
        TestApp::start_with(|config| config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()]).await;
    assert_eq!(seen(&app).await.as_deref(), Some("203.0.113.7"));
}
