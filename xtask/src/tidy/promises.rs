//! `docs/security.md`: every test that it names exists.

use super::{Finding, tree::TextFile};

const PROMISES: &str = "docs/security.md";

/// Every test that is named and missing.
pub(super) fn check(files: &[TextFile]) -> Vec<Finding> {
    let Some(promises) = files.iter().find(|file| file.name() == PROMISES) else {
        return vec![Finding::error(PROMISES, None, "is missing")];
    };
    let mut findings = Vec::new();
    for (line, text) in (1..).zip(promises.text.lines()) {
        for (path, test) in named(text) {
            let file = files.iter().find(|file| file.name() == path);
            if !file.is_some_and(|file| has_test(file, test)) {
                findings.push(Finding::error(
                    &promises.path,
                    Some(line),
                    format!("`{path}` has no test `{test}`"),
                ));
            }
        }
    }
    findings
}

/// The tests of a line: `path/to/file.rs::name`, in backticks.
fn named(line: &str) -> impl Iterator<Item = (&str, &str)> {
    line.split('`')
        .skip(1)
        .step_by(2)
        .filter_map(|code| code.split_once("::"))
        .filter(|(path, _)| path.contains('/'))
}

/// A function in Rust; in TypeScript the title of a test.
fn has_test(file: &TextFile, test: &str) -> bool {
    if file.name().ends_with(".rs") {
        file.text.contains(&format!("fn {test}("))
    } else {
        ['"', '`', '\'']
            .iter()
            .any(|quote| file.text.contains(&format!("{quote}{test}{quote}")))
    }
}

#[cfg(test)]
mod tests {
    use super::{TextFile, check};

    fn file(path: &str, text: &str) -> TextFile {
        TextFile {
            path: path.into(),
            text: text.into(),
        }
    }

    #[test]
    fn a_promise_without_its_test_is_found() {
        let files = [
            file("a/it.rs", "async fn holds() {}"),
            file("e2e/b.spec.ts", "test(\"keeps what was typed\", async () => {})"),
            file(
                "docs/security.md",
                "`a/it.rs::holds`\n`a/it.rs::gone`\n`e2e/b.spec.ts::keeps what was typed`\n`a/none.rs::holds`\n`b::c`\n",
            ),
        ];
        let found: Vec<_> = check(&files)
            .into_iter()
            .map(|finding| (finding.line, finding.message))
            .collect();
        assert_eq!(
            found,
            [
                (Some(2), "`a/it.rs` has no test `gone`".to_owned()),
                (Some(4), "`a/none.rs` has no test `holds`".to_owned()),
            ]
        );
    }
}
