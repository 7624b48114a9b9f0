//! Pictures for OpenAI's own client, the package `openai` for Python.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::Server;

/// What `scripts/setup.sh openai` installs it into, and the Python of the machine, which may have it as well.
const PYTHONS: [&str; 2] = [
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tools/python/bin/python"),
    "python3",
];
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/openai_client.py");

/// A Python that has the package.
fn python() -> &'static str {
    let has_package = |python: &&str| {
        let mut asked = Command::new(python);
        asked
            .args(["-c", "import openai"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        asked.status().is_ok_and(|status| status.success())
    };
    PYTHONS
        .into_iter()
        .find(has_package)
        .expect("no Python here has the package `openai`: run scripts/setup.sh openai")
}

#[test]
fn openai_s_client_gets_its_pictures() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let output = Command::new(python())
        .arg(SCRIPT)
        .arg(server.url.as_str().trim_end_matches('/'))
        .arg(&server.token)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(seen["models"], json!(["tiny-xl"]));
    assert_eq!(seen["model"], "tiny-xl");
    assert_eq!(seen["are_png"], json!([true, true]));
    assert_eq!(seen["seeds"], json!([7, 8]));
    assert_eq!(seen["is_same_again"], true, "a seed means one picture");
    assert_eq!(seen["is_other_with_another_seed"], true);
    assert!(seen["created"].as_i64().unwrap() > 1_700_000_000, "{seen}");
    for (what, class, param, words) in [
        (
            "wrong_model",
            "BadRequestError",
            json!("model"),
            "must be one of `tiny-xl`",
        ),
        ("wrong_size", "BadRequestError", json!("size"), "multiple of 8"),
        (
            "wrong_token",
            "AuthenticationError",
            json!(null),
            "token is unknown",
        ),
        (
            "no_model",
            "NotFoundError",
            json!(null),
            "there is no model `nobody`",
        ),
        ("no_route", "NotFoundError", json!(null), "/v1/images/edits"),
    ] {
        let error = &seen[what];
        assert_eq!(error["class"], class, "{what}: {error}");
        assert_eq!(error["param"], param, "{what}: {error}");
        assert!(
            error["message"].as_str().unwrap().contains(words),
            "{what}: {error}"
        );
    }
}
