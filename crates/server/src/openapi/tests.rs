use std::{collections::BTreeSet, env, fs, path::Path};

use serde_json::Value;

use crate::{extract::walk::TEXTS, idempotency::takes_key};

/// The dashboard's types are generated from the committed file, so it has to be what the handlers say.
#[test]
fn committed_document_is_up_to_date() {
    let mut wanted = serde_json::to_string_pretty(&super::document()).unwrap();
    wanted.push('\n');
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, &wanted).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "crates/server/openapi.json is stale; run `UPDATE=1 cargo test -p server openapi`, then `npm run generate` \
         in dashboard/"
    );
}

/// What may be sent twice without a key, and why.
const HARMLESS_TWICE: &[(&str, &str)] = &[
    (
        "/login",
        "makes a session, whose secret is kept nowhere; one more does no harm",
    ),
    (
        "/api/v1/datasets/{id}/items",
        "a picture counts once, by its pixels, and a caption is set to what it is",
    ),
    (
        "/api/v1/models/import",
        "a model has one version of a file, by its bytes, until that is retired",
    ),
    (
        "/api/v1/datasets/{id}/check",
        "makes nothing; pictures are measured once",
    ),
    (
        "/api/v1/datasets/{id}/acknowledgements",
        "a finding is acknowledged once for what it is about",
    ),
    (
        "/api/v1/datasets/{id}/caption-runs/{run_id}/stop",
        "a run stops once",
    ),
    (
        "/api/v1/datasets/{id}/caption-runs/{run_id}/dismiss",
        "a proposal is dismissed once",
    ),
    ("/api/v1/jobs/estimate", "makes nothing"),
    ("/api/v1/prompts/count", "makes nothing"),
    ("/api/v1/recipes/import", "makes nothing"),
    ("/api/v1/drawing-sessions/prices", "makes nothing"),
    ("/api/v1/drawing-sessions/{id}/end", "a drawing session ends once"),
    ("/api/v1/edits/{id}/cancel", "an edit ends once"),
    ("/api/v1/jobs/{id}/cancel", "a job ends once"),
    ("/api/v1/jobs/{id}/stop", "a job stops once"),
    ("/api/v1/jobs/{id}/finish", "a job is finished once"),
    (
        "/api/v1/model-versions/{id}/promote",
        "sets the stage to what it is",
    ),
    (
        "/api/v1/model-versions/{id}/retire",
        "sets the stage to what it is",
    ),
    (
        "/api/v1/deliveries/{id}/send-again",
        "a notice has one id, by which receivers know it",
    ),
    ("/api/v1/trash", "what was deleted stays deleted"),
    ("/api/v1/trash/restore", "what is there stays there"),
    ("/api/v1/clean-up/preview", "makes nothing"),
    ("/api/v1/clean-up", "what was deleted stays deleted"),
    ("/api/v1/providers/{name}/resume", "what goes on, goes on"),
    (
        "/api/v1/registered-base-models/{name}/check",
        "a check that runs is not started again",
    ),
    (
        "/api/v1/registered-base-models/{name}/copy",
        "a copy that is there is not made again",
    ),
];

#[test]
fn every_creating_route_takes_an_idempotency_key() {
    let document = super::document();
    let harmless = |path: &str| {
        let of_agents = path.starts_with("/api/v1/agent/");
        // What an agent sends has its fence and numbers of its own.
        of_agents || HARMLESS_TWICE.iter().any(|(known, _)| *known == path)
    };
    for (path, item) in &document.paths.paths {
        let Some(operation) = &item.post else { continue };
        assert!(
            takes_key(operation) != harmless(path),
            "POST {path} needs `IdempotencyKey` among its parameters and a commit with the answer, or a line in \
             HARMLESS_TWICE, and not both"
        );
    }
    for (path, _) in HARMLESS_TWICE {
        assert!(
            document.paths.paths.contains_key(*path),
            "there is no route {path}"
        );
    }
}

/// Texts of requests that stay on one line. Those with more are in `TEXTS`.
const LINES: &[(&str, &str)] = &[
    ("background", "a word"),
    ("base_model", "a name"),
    ("block_learning_rates", "blocks with factors"),
    ("block_ranks", "blocks with ranks"),
    ("blocks", "numbers, or names of blocks with numbers"),
    ("caption_prefix", "the beginning of a line"),
    ("caption_suffix", "the end of a line"),
    ("content", "a hash"),
    ("data_centers", "names of the provider's"),
    ("estimate_hash", "as the server gave it out"),
    ("find", "a part of a caption on one line"),
    ("gpus", "names of the provider's"),
    ("group", "a name"),
    ("keep_tokens_separator", "characters between tags"),
    (
        "key",
        "what a budget is for, a name; or the secret of an endpoint",
    ),
    ("labels", "names"),
    ("model", "a name"),
    ("moderation", "a word"),
    ("name", "a name"),
    ("new_tag", "a tag"),
    ("note", "why a job is run"),
    ("optimizer_arguments", "names with numbers"),
    ("output_format", "a word"),
    ("pattern", "a regular expression"),
    ("prior_prompt", "a caption on one line"),
    ("project", "a name"),
    ("provider", "a name"),
    ("quality", "a word"),
    ("replacement", "a part of a caption on one line"),
    ("secondary_separator", "characters between tags"),
    ("seed", "digits"),
    ("size", "a word or two numbers"),
    ("source", "an address or a path"),
    ("style", "a word"),
    ("tag", "a tag"),
    ("tag_separator", "characters between tags"),
    ("tags", "tags"),
    ("token", "a secret"),
    ("trained_blocks", "names of blocks"),
    ("trigger_word", "a word"),
    ("trigger_words", "words"),
    ("tuned_model", "a name"),
    ("url", "an address"),
    ("user", "a name"),
    ("vae", "an address or a path"),
];

/// Adds the names of free texts, at any depth: no ids, times or choices, which are types of their own.
fn texts(
    document: &Value,
    schema: &Value,
    field: &str,
    seen: &mut BTreeSet<String>,
    found: &mut BTreeSet<String>,
) {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        if seen.insert(format!("{name} {field}")) {
            texts(
                document,
                &document["components"]["schemas"][name],
                field,
                seen,
                found,
            );
        }
        return;
    }
    let is_string = schema["type"] == "string"
        || schema["type"]
            .as_array()
            .is_some_and(|types| types.contains(&"string".into()));
    if is_string && schema["enum"].is_null() && schema["const"].is_null() && schema["format"].is_null() {
        found.insert(field.to_owned());
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        texts(document, property, name, seen, found);
    }
    let parts = ["oneOf", "anyOf", "allOf"]
        .into_iter()
        .flat_map(|kind| schema[kind].as_array().into_iter().flatten());
    for part in parts.chain([&schema["items"], &schema["additionalProperties"]]) {
        if part.is_object() {
            texts(document, part, field, seen, found);
        }
    }
}

/// A caption that may not have lines is refused, and a name that may have them breaks lists.
#[test]
fn every_text_of_a_request_is_known_to_have_lines_or_not() {
    let document = serde_json::to_value(super::document()).unwrap();
    let mut found = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        // What agents send is mended, not refused.
        if path.starts_with("/api/v1/agent/") {
            continue;
        }
        for operation in item.as_object().unwrap().values() {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            texts(&document, schema, "", &mut BTreeSet::new(), &mut found);
        }
    }
    let known = LINES.iter().map(|(name, _)| *name).chain(TEXTS);
    let known: BTreeSet<String> = known.map(str::to_owned).collect();
    assert_eq!(known.len(), LINES.len() + TEXTS.len(), "none is in both");
    assert_eq!(
        found, known,
        "a text belongs into TEXTS of `extract::walk` if it may have several lines, else into LINES"
    );
}
