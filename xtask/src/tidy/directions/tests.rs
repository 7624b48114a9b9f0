//! Broken directions are found, in the form in which `cargo metadata` tells them.

use std::path::Path;

use serde_json::{Value, json};

use super::{Metadata, check};

/// A workspace of `server` and another crate; `named` is what `server` names, with the kind of dependency.
fn findings(named: &[(&str, Value)], below_other: &[&str]) -> Vec<String> {
    let package = |name: &str, ours: bool, dependencies: Value| {
        let scheme = if ours { "path" } else { "registry" };
        json!({
            "id": format!("{scheme}+{name}"), "name": name, "manifest_path": format!("/r/crates/{name}/Cargo.toml"),
            "source": if ours { Value::Null } else { "registry".into() }, "dependencies": dependencies,
        })
    };
    let names: Vec<Value> = named
        .iter()
        .map(|(name, kind)| json!({"name": name, "kind": kind}))
        .collect();
    let ours = |name: &str| matches!(name, "trainer" | "store" | "dataset" | "sim");
    let id = |name: &str| format!("{}+{name}", if ours(name) { "path" } else { "registry" });
    let mut packages = vec![package("server", true, json!(names))];
    let mut nodes = vec![json!({
        "id": "path+server",
        "deps": named.iter().map(|(name, kind)| json!({"pkg": id(name), "dep_kinds": [{"kind": kind}]})).collect::<Vec<_>>(),
    })];
    for (name, _) in named {
        packages.push(package(name, ours(name), json!([])));
        let deps: Vec<Value> = below_other
            .iter()
            .map(|library| json!({"pkg": id(library), "dep_kinds": [{"kind": null}]}))
            .collect();
        nodes.push(json!({"id": id(name), "deps": deps}));
    }
    for library in below_other {
        packages.push(package(library, false, json!([])));
        nodes.push(json!({"id": id(library), "deps": []}));
    }
    let metadata: Metadata =
        serde_json::from_value(json!({"packages": packages, "resolve": {"nodes": nodes}}))
            .expect("has the form of cargo metadata");
    check(&metadata.into_workspace(Path::new("/r")))
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn a_crate_of_the_same_plane_is_fine() {
    assert_eq!(findings(&[("store", Value::Null)], &["sea-orm"]), [""; 0]);
}

#[test]
fn the_planes_do_not_meet() {
    assert_eq!(
        findings(&[("trainer", Value::Null)], &[]),
        [
            "error: crates/server/Cargo.toml: server must not depend on trainer: see the directions in ARCHITECTURE.md"
        ]
    );
}

#[test]
fn a_library_has_one_owner_even_in_tests() {
    assert_eq!(
        findings(&[("sea-orm", "dev".into())], &[]),
        ["error: crates/server/Cargo.toml: only store may name sea-orm, server must not"]
    );
}

#[test]
fn tensors_do_not_come_in_through_others() {
    assert_eq!(
        findings(&[("dataset", Value::Null)], &["candle-core"]),
        [
            "error: crates/server/Cargo.toml: server must build without candle-core, which comes in by server → dataset → candle-core"
        ]
    );
}

#[test]
fn tests_may_use_what_the_build_must_not() {
    assert_eq!(findings(&[("dataset", "dev".into())], &["candle-core"]), [""; 0]);
}

#[test]
fn tests_keep_to_the_directions_and_may_use_the_outside_world() {
    assert_eq!(findings(&[("sim", "dev".into())], &[]), [""; 0]);
    assert_eq!(
        findings(&[("trainer", "dev".into())], &[]),
        [
            "error: crates/server/Cargo.toml: server must not depend on trainer for its tests: see the directions in ARCHITECTURE.md"
        ]
    );
}
