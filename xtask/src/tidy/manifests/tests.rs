//! Broken manifests are found.

use super::{TextFile, check};

fn findings(root: &str, krate: &str) -> Vec<String> {
    let file = |path: &str, text: &str| TextFile {
        path: path.into(),
        text: text.into(),
    };
    check(&[file("Cargo.toml", root), file("crates/a/Cargo.toml", krate)])
        .iter()
        .map(ToString::to_string)
        .collect()
}

const LINTS: &str = "[lints]\nworkspace = true\n";

#[test]
fn a_reason_stands_beside_or_above() {
    let root = "[workspace.dependencies]\nb = \"1\" # because\n# because\nc = \"1\"\n\n[other]\nd = \"1\"\n";
    let krate =
        format!("{LINTS}[dependencies]\nb.workspace = true\nc = {{ workspace = true, features = [] }}\n");
    assert_eq!(findings(root, &krate), [""; 0]);
}

#[test]
fn a_dependency_needs_a_reason_and_a_user() {
    assert_eq!(
        findings("[workspace.dependencies]\nb = \"1\"\n", LINTS),
        [
            "error: Cargo.toml:2: b has no comment that says why it is there",
            "error: Cargo.toml:2: no crate uses b"
        ]
    );
}

#[test]
fn a_crate_names_no_version_and_takes_the_lints() {
    assert_eq!(
        findings("", "[dependencies]\nb = \"1\"\n"),
        [
            "error: crates/a/Cargo.toml: has no `[lints]` section with `workspace = true`",
            "error: crates/a/Cargo.toml:2: name the version in the root Cargo.toml, and write `workspace = true` here"
        ]
    );
}
