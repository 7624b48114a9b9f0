use std::{env, fs, path::Path};

use crate::idempotency::takes_key;

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
    ("/api/v1/jobs/estimate", "makes nothing"),
    ("/api/v1/jobs/{id}/cancel", "a job ends once"),
    ("/api/v1/jobs/{id}/stop", "a job stops once"),
    (
        "/api/v1/model-versions/{id}/promote",
        "sets the stage to what it is",
    ),
    (
        "/api/v1/model-versions/{id}/retire",
        "sets the stage to what it is",
    ),
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
