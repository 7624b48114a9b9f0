//! Circles are found however a file names what it needs.

use super::check;
use crate::tidy::tree::TextFile;

fn findings(files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<TextFile> = files
        .iter()
        .map(|(name, text)| TextFile {
            path: format!("crates/shop/src/{name}").into(),
            text: (*text).to_owned(),
        })
        .collect();
    check(&files).iter().map(ToString::to_string).collect()
}

const ROOT: (&str, &str) = (
    "lib.rs",
    "mod counter;\nmod shelf;\npub use crate::{counter::Counter, shelf::Shelf};\n",
);

#[test]
fn one_direction_is_fine() {
    let counter = ("counter.rs", "use crate::shelf::{Shelf, label};\n");
    let shelf = (
        "shelf/board.rs",
        "use super::Shelf;\nuse super::super::shelf;\nuse std::super_;\n",
    );
    assert_eq!(findings(&[ROOT, counter, shelf]), [""; 0]);
}

#[test]
fn a_circle_says_who_needs_whom_by_what() {
    let counter = (
        "counter/bell.rs",
        "use crate::{\n    shelf::{self, board::Board as Plank},\n};\n",
    );
    let shelf = ("shelf.rs", "fn ring() {\n    crate::counter::ring();\n}\n");
    assert_eq!(
        findings(&[ROOT, counter, shelf]),
        [
            "error: crates/shop/src: a circle of modules: counter needs shelf (crates/shop/src/counter/bell.rs names \
          crate::shelf::self); shelf needs counter (crates/shop/src/shelf.rs names crate::counter::ring)"
        ]
    );
}

#[test]
fn what_the_root_passes_on_counts_for_where_it_comes_from() {
    let counter = ("counter.rs", "use crate::Shelf;\n");
    for back in ["use crate::Counter;\n", "use super::super::counter::Counter;\n"] {
        let found = findings(&[ROOT, counter, ("shelf/board.rs", back)]);
        assert_eq!(found.len(), 1, "{back}");
    }
}

#[test]
fn a_way_over_others_is_a_circle_too() {
    let files = [
        ("lib.rs", ""),
        ("a.rs", "use crate::b::B;\n"),
        ("b.rs", "use crate::c::C;\n"),
        ("c.rs", "use crate::a::A;\n"),
        ("d.rs", "use crate::a::A;\n"),
    ];
    let found = findings(&files);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].contains("a needs b") && found[0].contains("c needs a"),
        "{found:?}"
    );
}

#[test]
fn comments_and_tests_may_name_what_they_like() {
    let counter = ("counter.rs", "use crate::shelf::Shelf;\n");
    for text in [
        "//! See [`crate::counter`].\n",
        "#[cfg(test)]\nmod tests {\n    use crate::counter::Counter;\n}\n",
    ] {
        assert_eq!(findings(&[ROOT, counter, ("shelf.rs", text)]), [""; 0], "{text}");
    }
    let tests = ("shelf/tests.rs", "use crate::counter::Counter;\n");
    assert_eq!(findings(&[ROOT, counter, tests]), [""; 0]);
}
