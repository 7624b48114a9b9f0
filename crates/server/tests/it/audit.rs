//! The audit log: every route that changes something writes down who did it.

mod captioning;
mod exceptions;

use std::collections::BTreeSet;

use orchestrator::providers::Purpose;
use protocol::{
    agent::{ArtifactKind, WorkKind},
    api::Page,
    audit::{AuditAction, AuditEntry},
    job::Job,
};
use reqwest::{Method, RequestBuilder, StatusCode, multipart};
use serde_json::{Value, json};

use self::exceptions::{ELSEWHERE, EXEMPT};
use crate::{
    access::sign_in,
    agent::{trained, verdict},
    app::{TestApp, problem},
    pictures,
};

pub(crate) async fn log(app: &TestApp, query: &str) -> Vec<AuditEntry> {
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
    let app = TestApp::start_with(|config| {
        config.read_lora = Some(crate::imports::read);
        config.mail = Some(crate::app::mail());
    })
    .await;
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
    let name = json!({ "name": "demo" });
    changes
        .change(post.clone(), "/datasets/demo", "", name, DatasetMade)
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
            patch.clone(),
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
    captioning::describes_pictures(&mut changes, id, item).await;
    let path = format!("/api/v1/datasets/{id}/items/{item}");
    let remove = app.request(delete.clone(), &format!("{path}/mask"));
    changes
        .check(
            "DELETE /api/v1/datasets/{id}/items/{item_id}/mask",
            remove,
            MaskDeleted,
        )
        .await;
    let frame = json!({ "left": 0, "top": 0, "width": 64, "height": 128 });
    let split = app.request(post.clone(), &format!("{path}/panels"));
    changes
        .check(
            "POST /api/v1/datasets/{id}/items/{item_id}/panels",
            split.json(&json!({ "frames": [frame] })),
            PageSplit,
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
    let used: protocol::model::ModelVersion = app.get(&format!("/api/v1/model-versions/{version}")).await;
    let model = used.model_id.to_string();
    let usage = json!({ "weight": 0.8 });
    changes
        .change(
            put.clone(),
            "/model-versions/{id}/usage",
            &version,
            usage,
            UsageSet,
        )
        .await;
    let choices = json!({ "version_id": version });
    changes
        .change(put.clone(), "/models/{id}/choices", &model, choices, ModelChosen)
        .await;
    let name = json!({ "name": "Zora the second" });
    changes
        .change(patch.clone(), "/models/{id}", &model, name, ModelRenamed)
        .await;
    let label = app.request(patch, &format!("/api/v1/labels/model/{model}"));
    let label = label.json(&json!({ "starred": true }));
    changes
        .check("PATCH /api/v1/labels/{kind}/{id}", label, LabelChanged)
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
    let items = json!({ "items": [{ "kind": "model_version", "id": imported["id"] }] });
    changes
        .change(post.clone(), "/trash", "", items.clone(), Deleted)
        .await;
    changes
        .change(post.clone(), "/trash/restore", "", items, Restored)
        .await;
    let rules = json!({ "drafts_kept": 1 });
    changes
        .change(post.clone(), "/clean-up", "", rules, CleanedUp)
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

    // Webhooks.
    let webhook = json!({ "name": "a", "url": "https://a.invalid/?key=hidden", "events": ["job.failed"] });
    let webhook = changes
        .change(post.clone(), "/webhooks", "", webhook, WebhookMade)
        .await;
    let id = webhook["id"].as_str().unwrap();
    let test = changes
        .change(
            post.clone(),
            "/webhooks/{id}/tests",
            id,
            Value::Null,
            WebhookTested,
        )
        .await;
    let again = "/deliveries/{id}/send-again";
    let delivery = test["id"].as_str().unwrap();
    changes
        .change(post.clone(), again, delivery, Value::Null, DeliveryRepeated)
        .await;
    changes
        .change(delete.clone(), "/webhooks/{id}", id, Value::Null, WebhookDeleted)
        .await;

    changes
        .change(post.clone(), "/mail/tests", "", Value::Null, MailTested)
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
