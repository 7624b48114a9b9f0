//! The repository itself keeps the rules.

use super::{Severity, findings};

#[test]
fn the_repository_is_tidy() {
    let errors: Vec<String> = findings(&crate::root())
        .expect("the repository can be read")
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(ToString::to_string)
        .collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}
