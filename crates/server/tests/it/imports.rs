//! LoRAs that were made elsewhere, over HTTP.

use std::path::Path;

use protocol::{
    lora::{KindCount, Leftover, LoraFormat, LoraKind, LoraSummary},
    model::{Model, ModelVersion, Stage},
    preset::BaseClass,
};
use reqwest::{
    Method, RequestBuilder, StatusCode,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use crate::app::{TestApp, problem, take};

/// Stands for the reader of the data plane.
pub(crate) fn read(path: &Path, _: BaseClass) -> Result<LoraSummary, String> {
    let text = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
    let leftovers = match text.contains("in-part") {
        true => vec![Leftover {
            name: "unet.weird.0".to_owned(),
            reason: "not known".to_owned(),
            needs_consent: true,
        }],
        false => Vec::new(),
    };
    Ok(LoraSummary {
        format: LoraFormat::Kohya,
        kinds: vec![KindCount {
            kind: LoraKind::Lora,
            n_modules: 1,
        }],
        n_modules: 1,
        rank_min: Some(4),
        rank_max: Some(4),
        leftovers,
        trained_on: None,
        trigger_words: Vec::new(),
    })
}

async fn app() -> TestApp {
    TestApp::start_with(|config| config.read_lora = Some(read)).await
}

pub(crate) fn file(salt: &str) -> Part {
    Part::bytes(sim::files::lora(4, salt)).file_name("C:\\loras\\ink.safetensors")
}

fn import(app: &TestApp, form: Form) -> RequestBuilder {
    app.request(Method::POST, "/api/v1/models/import").multipart(form)
}

#[tokio::test]
async fn a_file_becomes_a_version_and_comes_back() {
    let app = app().await;
    let form = || {
        Form::new()
            .part("file", file("a"))
            .text("base_model", "tiny-xl")
            .text("trigger_words", "ink, zora")
            .text("source", " https://example.com/ink ")
            .text("license", "")
    };
    let version: ModelVersion = take(StatusCode::CREATED, import(&app, form())).await;
    assert_eq!((version.name.as_str(), version.stage), ("ink", Stage::Draft));
    assert_eq!(version.file_name, "ink.safetensors");
    let imported = version.imported.clone().unwrap();
    assert_eq!(imported.trigger_words, ["ink", "zora"]);
    assert_eq!(imported.source.as_deref(), Some("https://example.com/ink"));
    assert_eq!(imported.license, None);
    let again: ModelVersion = take(StatusCode::OK, import(&app, form())).await;
    assert_eq!(again, version);
    let model: Model = app.get(&format!("/api/v1/models/{}", version.model_id)).await;
    assert_eq!(model.versions, std::slice::from_ref(&version));
    let got = app
        .file(&format!("/api/v1/model-versions/{}/download", version.id))
        .await;
    assert_eq!(got.bytes().await.unwrap(), sim::files::lora(4, "a"));

    let promote = format!("/api/v1/model-versions/{}/promote", version.id);
    let refused = problem(StatusCode::CONFLICT, app.request(Method::POST, &promote)).await;
    assert!(refused.title.contains("without_verdict"), "{}", refused.title);
    let approved: ModelVersion = app
        .post(StatusCode::OK, &promote, &json!({ "without_verdict": true }))
        .await;
    assert_eq!(approved.stage, Stage::Approved);
}

#[tokio::test]
async fn a_configuration_of_peft_goes_into_the_file() {
    let app = app().await;
    let config = |text: &str| Part::bytes(text.as_bytes().to_vec()).file_name("adapter_config.json");
    let form = |text: &str| {
        Form::new()
            .text("base_model", "tiny-xl")
            .text("name", "ink")
            .part("config", config(text))
            .part(
                "file",
                Part::bytes(sim::files::lora(4, "a")).file_name("adapter_model.safetensors"),
            )
    };
    let sent = form(r#"{"peft_type": "LORA", "r": 4, "lora_alpha": 8}"#);
    let version: ModelVersion = take(StatusCode::CREATED, import(&app, sent)).await;
    assert_eq!(version.metadata["salt"], "a");
    let said: Value = serde_json::from_str(&version.metadata["lora_adapter_metadata"]).unwrap();
    assert_eq!(
        (&said["unet.r"], &said["unet.lora_alpha"]),
        (&json!(4), &json!(8))
    );
    let refused = problem(StatusCode::BAD_REQUEST, import(&app, form("not JSON"))).await;
    assert_eq!(refused.errors[0].field, "config");
}

#[tokio::test]
async fn what_is_wrong_with_a_form_is_said_by_its_field() {
    let app = app().await;
    let base = || Form::new().text("base_model", "tiny-xl");
    for (form, field, said) in [
        (base(), "file", "must be a LoRA as a safetensors file"),
        (
            base().text("file", "ink"),
            "file",
            "must be a LoRA as a safetensors file",
        ),
        (
            base().part("file", file("a")).part("file", file("b")),
            "file",
            "must be one file",
        ),
        (
            Form::new().part("file", file("a")),
            "base_model",
            "must be one of `tiny-xl`",
        ),
        (
            base().part("file", file("a")).text("allow_partial", "yes"),
            "allow_partial",
            "must be `true` or `false`",
        ),
        (
            base().part("file", file("a")).text("owner", "x"),
            "owner",
            "is not a known part",
        ),
        (
            base().part("file", file("a")).text("name", "x".repeat(81)),
            "name",
            "must have 1 to 80 characters",
        ),
        (
            base().part("file", file("a")).text("license", "x".repeat(1001)),
            "license",
            "at most 1000 characters",
        ),
        (
            base().part("file", file("a")).text("source", "x".repeat(5000)),
            "source",
            "at most 4096 bytes",
        ),
        (
            base().part("file", file("in-part")),
            "allow_partial",
            "1 of 2 modules is not known and is left out: `unet.weird.0`",
        ),
        (
            base().part("file", Part::bytes(vec![7; 100]).file_name("a.safetensors")),
            "file",
            "is not a whole safetensors file",
        ),
    ] {
        let refused = problem(StatusCode::BAD_REQUEST, import(&app, form)).await;
        let error = &refused.errors[0];
        assert_eq!(error.field, field, "{}", error.message);
        assert!(error.message.contains(said), "{field}: {}", error.message);
    }
    let models: Value = app.get("/api/v1/models").await;
    assert_eq!(models["items"], json!([]), "nothing came of any");
    let form = base().part("file", file("in-part")).text("allow_partial", "true");
    let version: ModelVersion = take(StatusCode::CREATED, import(&app, form)).await;
    assert_eq!(version.imported.unwrap().left_out[0].n, 1);
}

#[tokio::test]
async fn a_server_without_a_reader_imports_nothing() {
    let app = TestApp::start().await;
    let form = Form::new().part("file", file("a")).text("base_model", "tiny-xl");
    let refused = problem(StatusCode::SERVICE_UNAVAILABLE, import(&app, form)).await;
    assert!(refused.title.contains("reads no LoRAs"), "{}", refused.title);
}
