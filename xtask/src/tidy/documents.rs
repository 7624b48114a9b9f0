//! The documents for newcomers: every file that they name exists, and the map has a line for every crate.

use super::{Finding, tree::TextFile};

/// Where the map is.
const MAP: &str = "ARCHITECTURE.md";
/// What is checked, all of it in the root folder. Decisions tell of what was; they may name what is gone.
const DOCUMENTS: [&str; 3] = [MAP, "CONTRIBUTING.md", "README.md"];
/// How our own sources end. What ends otherwise may be a file of a user, such as `recipe.toml`.
const ENDINGS: [&str; 6] = [".css", ".md", ".py", ".rs", ".ts", ".tsx"];
/// [`tree`](super::tree) leaves it out.
const UNREAD: &str = "assets/";

/// Every file or folder that is named and missing, and every crate that the map lacks.
pub(super) fn check(files: &[TextFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for document in files.iter().filter(|file| DOCUMENTS.contains(&file.name())) {
        for (line, text) in (1..).zip(document.text.lines()) {
            let paths = paths(text, files).filter(|path| !exists(path, files));
            let links = links(text).filter(|link| !is_at_root(link, files));
            findings.extend(
                paths
                    .chain(links)
                    .map(|path| Finding::error(&document.path, Some(line), format!("there is no `{path}`"))),
            );
        }
    }
    let map = files.iter().find(|file| file.name() == MAP);
    findings.extend(map.into_iter().flat_map(|map| check_map(map, files)));
    findings
}

fn check_map(map: &TextFile, files: &[TextFile]) -> Vec<Finding> {
    let block = map.text.split("```").nth(1).unwrap_or_default();
    let named: Vec<&str> = block
        .lines()
        .filter_map(|line| Some(line.strip_prefix("  ")?.split_once('/')?.0))
        .filter(|name| is_plain(name))
        .collect();
    let crates: Vec<&str> = files
        .iter()
        .filter_map(|file| file.name().strip_prefix("crates/")?.strip_suffix("/Cargo.toml"))
        .collect();
    let lacks = crates.iter().filter(|name| !named.contains(name));
    let lacks = lacks.map(|name| format!("the map has no line for `crates/{name}`"));
    let gone = named.iter().filter(|name| !crates.contains(name));
    let gone = gone.map(|name| format!("the map has a line for `crates/{name}`, which is not there"));
    lacks
        .chain(gone)
        .map(|message| Finding::error(&map.path, None, message))
        .collect()
}

/// The paths of a line, in backticks: what ends as our sources do, or begins with a folder in the root.
fn paths<'a>(line: &'a str, files: &'a [TextFile]) -> impl Iterator<Item = &'a str> {
    let codes = line.split('`').skip(1).step_by(2);
    codes.filter(|code| is_plain(code)).filter(move |code| {
        code.split_once('/').is_some_and(|(first, _)| {
            ENDINGS.iter().any(|ending| code.ends_with(ending)) || is_at_root(first, files)
        })
    })
}

/// The files and folders of the repository that a line links to. Pictures are no text, and are not looked for.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let links = line.split("](").skip(1);
    links
        .filter_map(|rest| rest.split([')', '#']).next())
        .filter(|link| !link.is_empty() && !link.contains(':'))
        .filter(|link| link.ends_with(".md") || !link.contains('.'))
}

fn is_plain(code: &str) -> bool {
    code.chars()
        .all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c))
}

/// Whether some file or folder has this path, or one that ends with it. What follows a placeholder is not looked for.
fn exists(path: &str, files: &[TextFile]) -> bool {
    let known = path.split("/NAME").next().unwrap_or(path);
    let within = format!("/{}", known.trim_end_matches('/'));
    is_at_root(known, files)
        || files.iter().any(|file| {
            let name = file.name();
            name.ends_with(&within) || name.contains(&format!("{within}/"))
        })
}

fn is_at_root(path: &str, files: &[TextFile]) -> bool {
    let path = path.trim_end_matches('/');
    let folder = format!("{path}/");
    path.starts_with(UNREAD)
        || files
            .iter()
            .any(|file| file.name() == path || file.name().starts_with(&folder))
}

#[cfg(test)]
mod tests {
    use super::{MAP, TextFile, check};

    fn file(path: &str, text: &str) -> TextFile {
        TextFile {
            path: path.into(),
            text: text.into(),
        }
    }

    fn found(document: &str, text: &str) -> Vec<(Option<usize>, String)> {
        let files = [
            file("crates/store/Cargo.toml", ""),
            file("crates/store/src/db/tables.rs", ""),
            file("docs/security.md", ""),
            file(document, text),
        ];
        let findings = check(&files).into_iter();
        findings.map(|finding| (finding.line, finding.message)).collect()
    }

    #[test]
    fn files_that_are_named_exist() {
        let text = "`db/tables.rs`, `crates/store/src`, `crates/store/src/NAME.rs`\n\
                    `db/table.rs`, [more](docs/secrets.md#why)\n\
                    `crates/shop` in `docs/`\n\
                    `recipe.toml`, `out/zora.safetensors`, `GET /api/v1/jobs`, [a site](https://example.org/x.md)\n\
                    [security](docs/security.md), [folder](docs), ![picture](docs/images/a.png), [data](assets/A.md)\n";
        let missing = |line: usize, path: &str| (Some(line), format!("there is no `{path}`"));
        let expected = [
            missing(2, "db/table.rs"),
            missing(2, "docs/secrets.md"),
            missing(3, "crates/shop"),
        ];
        assert_eq!(found("README.md", text), expected);
        assert!(found("docs/decisions/0001-old.md", text).is_empty());
    }

    #[test]
    fn the_map_has_a_line_for_every_crate_and_no_other() {
        let map = "```\ncrates/\n  store/  rows/objects\n```\n";
        assert!(found(MAP, map).is_empty());
        let map = "```\ncrates/\n  shop/   what is sold\n          and/or given away\n```\n";
        let expected = [
            "the map has no line for `crates/store`",
            "the map has a line for `crates/shop`, which is not there",
        ];
        assert_eq!(
            found(MAP, map),
            expected.map(|message| (None::<usize>, message.to_owned()))
        );
    }
}
