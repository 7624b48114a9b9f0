//! The modules of a crate form no circle: none may need, directly or through others, a module that needs it.
//!
//! A module here is what lies directly below `src`: `auth.rs` with everything in `auth/`. Dependencies within a folder
//! are not checked. Read is what a file names by `crate::…` and `super::…`, in its imports and elsewhere. Tests are left
//! out, and a name that the root of the crate re-exports counts for the module that it comes from.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Finding, tree::TextFile};

/// Reports every circle.
pub(super) fn check(files: &[TextFile]) -> Vec<Finding> {
    let mut crates: BTreeMap<&str, Vec<&TextFile>> = BTreeMap::new();
    for file in files.iter().filter(|file| file.name().ends_with(".rs")) {
        if let Some((krate, _)) = file.name().split_once("/src/") {
            crates.entry(krate).or_default().push(file);
        }
    }
    let checked = crates.into_iter();
    checked
        .flat_map(|(krate, files)| check_crate(krate, &files))
        .collect()
}

fn check_crate(krate: &str, files: &[&TextFile]) -> Vec<Finding> {
    let arrows = Arrows::read(files);
    let mut findings = Vec::new();
    let mut reported: BTreeSet<String> = BTreeSet::new();
    for module in arrows.modules() {
        if reported.contains(module) {
            continue;
        }
        let Some(circle) = arrows.circle(module) else {
            continue;
        };
        reported.extend(circle.iter().map(|step| step.from.clone()));
        let steps: Vec<String> = circle
            .iter()
            .map(|step| format!("{} needs {} ({})", step.from, step.to, step.witness))
            .collect();
        let message = format!("a circle of modules: {}", steps.join("; "));
        findings.push(Finding::error(format!("{krate}/src"), None, message));
    }
    findings
}

/// One module needs another, as a file of it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    from: String,
    to: String,
    /// The file, and the name that it uses.
    witness: String,
}

/// Which module of a crate needs which.
#[derive(Debug, Default)]
struct Arrows(BTreeMap<String, BTreeMap<String, String>>);

impl Arrows {
    fn read(files: &[&TextFile]) -> Self {
        let sources: Vec<Source> = files.iter().filter_map(|file| Source::of(file)).collect();
        let modules: BTreeSet<&str> = sources
            .iter()
            .filter_map(|source| source.path.first())
            .copied()
            .collect();
        let mut passed_on: BTreeMap<String, String> = BTreeMap::new();
        for root in sources.iter().filter(|source| source.path.is_empty()) {
            for path in names(&root.text, &["use"]) {
                let own = path
                    .iter()
                    .find(|part| !matches!(part.as_str(), "crate" | "self"));
                if let (Some(module), Some(name)) = (own, path.last())
                    && modules.contains(module.as_str())
                {
                    passed_on.insert(name.clone(), module.clone());
                }
            }
        }
        let mut arrows = Self::default();
        for source in sources.iter().filter(|source| !source.path.is_empty()) {
            let from = source.path[0];
            for path in names(&source.text, &["crate", "super"]) {
                let Some(name) = source.resolve(&path) else {
                    continue;
                };
                let to = if modules.contains(name.as_str()) {
                    Some(&name)
                } else {
                    passed_on.get(&name)
                };
                if let Some(to) = to.filter(|to| *to != from) {
                    let witness = format!("{} names {}", source.file, path.join("::"));
                    let needed = arrows.0.entry(from.to_owned()).or_default();
                    needed.entry(to.clone()).or_insert(witness);
                }
            }
        }
        arrows
    }

    fn modules(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The shortest way from a module back to itself.
    fn circle(&self, start: &str) -> Option<Vec<Step>> {
        let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(from) = queue.pop_front() {
            for to in self.0.get(from).into_iter().flat_map(BTreeMap::keys) {
                if to == start {
                    let mut steps = vec![self.step(from, to)];
                    while let Some(before) = came_from.get(steps[0].from.as_str()) {
                        let step = self.step(before, &steps[0].from);
                        steps.insert(0, step);
                    }
                    return Some(steps);
                }
                if !came_from.contains_key(to.as_str()) {
                    came_from.insert(to, from);
                    queue.push_back(to);
                }
            }
        }
        None
    }

    fn step(&self, from: &str, to: &str) -> Step {
        Step {
            from: from.to_owned(),
            to: to.to_owned(),
            witness: self.0[from][to].clone(),
        }
    }
}

/// A file of a crate, without its comments and its tests.
struct Source<'a> {
    file: &'a str,
    /// Its module path; empty for the root.
    path: Vec<&'a str>,
    text: String,
}

impl<'a> Source<'a> {
    /// `None` for tests, and for programs beside the crate.
    fn of(file: &'a TextFile) -> Option<Self> {
        let (_, within) = file.name().split_once("/src/")?;
        let mut path: Vec<&str> = within.strip_suffix(".rs")?.split('/').collect();
        if path.last() == Some(&"tests") || path.first() == Some(&"bin") {
            return None;
        }
        if matches!(path[..], ["lib" | "main"]) || path.last() == Some(&"mod") {
            path.pop();
        }
        let text = file
            .text
            .split("#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or_default();
        let lines = text
            .lines()
            .map(|line| line.split("//").next().unwrap_or_default());
        Some(Self {
            file: file.name(),
            path,
            text: lines.collect::<Vec<_>>().join("\n"),
        })
    }

    /// The first name below the root of the crate that a path leads to.
    fn resolve(&self, path: &[String]) -> Option<String> {
        let mut found: Vec<&str> = self.path.clone();
        for part in path {
            match part.as_str() {
                "crate" => found.clear(),
                "super" => {
                    found.pop();
                }
                "self" => {}
                name => found.push(name),
            }
        }
        found.first().map(|name| (*name).to_owned())
    }
}

/// Every path that begins with one of these words; of a tree, each of its leaves.
fn names(text: &str, words: &[&str]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let tokens = tokens(text);
    let mut at = 0;
    while at < tokens.len() {
        let is_begun = words.contains(&tokens[at])
            && (at == 0 || tokens[at - 1] != "::")
            && (tokens[at] == "use" || tokens.get(at + 1) == Some(&"::"));
        if !is_begun {
            at += 1;
        } else if tokens[at] == "use" {
            at = tree(&tokens, at + 1, &mut Vec::new(), &mut found);
        } else {
            at = tree(&tokens, at, &mut Vec::new(), &mut found);
        }
    }
    found
}

/// Reads a path or a tree of paths; where it ends.
fn tree(tokens: &[&str], mut at: usize, prefix: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> usize {
    let length = prefix.len();
    loop {
        match tokens.get(at) {
            Some(&"{") => {
                at += 1;
                while at < tokens.len() && tokens[at] != "}" {
                    let before = at;
                    at = tree(tokens, at, prefix, found);
                    if tokens.get(at) == Some(&",") || at == before {
                        at += 1;
                    }
                }
                at += 1;
                break;
            }
            Some(name) if is_name(name) => {
                prefix.push((*name).to_owned());
                at += 1;
                if tokens.get(at) == Some(&"as") {
                    at += 2;
                }
                if tokens.get(at) != Some(&"::") {
                    found.push(prefix.clone());
                    break;
                }
                at += 1;
            }
            _ => {
                found.push(prefix.clone());
                break;
            }
        }
    }
    prefix.truncate(length);
    at
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Names, `::`, and every other character but spaces.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let n_bytes = if is_name(rest) {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let (token, after) = rest.split_at(n_bytes);
        if !token.trim().is_empty() {
            tokens.push(token);
        }
        rest = after;
    }
    tokens
}

#[cfg(test)]
mod tests;
