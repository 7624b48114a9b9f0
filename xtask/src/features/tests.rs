//! Features are read, shortened and written; and those of the repository are unified.

use std::collections::{BTreeMap, BTreeSet};

use super::{Entries, Features, Side, differing, manifest, read_tree, shortest};

fn set(features: &str) -> Features {
    features.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn each_crate_compiles_what_the_workspace_compiles() {
    let differing = differing(&crate::root()).expect("cargo lists the features");
    assert!(
        differing.is_empty(),
        "the tests of some crate compile these with other features than the workspace; run `cargo xtask features`: \
         {differing:#?}"
    );
}

#[test]
fn our_own_crates_and_repetitions_are_left_out() {
    let printed = "store v0.1.0 (/r/crates/store)|\nserde v1.0.2|default,derive\nserde v1.0.2|default,derive (*)\n\n\
        serde_derive v1.0.2 (proc-macro)|\n";
    let expected = [("serde", "default derive"), ("serde_derive", "")]
        .map(|(name, features)| ((name.to_owned(), "1.0.2".to_owned()), set(features)));
    assert_eq!(read_tree(printed).unwrap(), BTreeSet::from(expected));
    assert!(read_tree("serde|default").is_err());
}

#[test]
fn what_others_switch_on_is_left_out() {
    let implied = |pairs: &[(&str, &str)]| -> BTreeMap<String, Vec<String>> {
        let pairs = pairs.iter();
        pairs
            .map(|(name, others)| {
                (
                    name.to_string(),
                    others.split_whitespace().map(str::to_owned).collect(),
                )
            })
            .collect()
    };
    let tls = implied(&[
        ("rustls", "__rustls dep:rustls"),
        ("__rustls", "__tls"),
        ("__tls", ""),
        ("json", ""),
    ]);
    assert_eq!(
        shortest(&set("rustls __rustls __tls json"), &tls),
        set("rustls json")
    );
    let circle = implied(&[("a", "_b"), ("_b", "a")]);
    assert_eq!(shortest(&set("a _b"), &circle), set("a"));
}

#[test]
fn two_versions_get_names_of_their_own() {
    let entries: Entries = [
        (Side::Target, "log", "0.4.1", "std"),
        (Side::Target, "serde", "1.0.2+old", "default rc"),
        (Side::Host, "syn", "2.0.1", "default"),
        (Side::Host, "syn", "3.1.0", "default full"),
    ]
    .map(|(side, name, version, features)| ((side, (name.to_owned(), version.to_owned())), set(features)))
    .into();
    let written = manifest(&entries, &BTreeMap::new());
    let (_, sections) = written.split_once("\n[dependencies]\n").unwrap();
    assert_eq!(
        sections,
        r#"log = { version = "0.4.1", default-features = false, features = ["std"] }
serde = { version = "1.0.2", features = ["rc"] }

[build-dependencies]
syn-2 = { package = "syn", version = "2.0.1" }
syn-3 = { package = "syn", version = "3.1.0", features = ["full"] }
"#
    );
}
