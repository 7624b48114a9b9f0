//! Manifests: every dependency is named once, in the root, with the reason why it is there.

use super::{Finding, tree::TextFile};

/// Every manifest rule that is broken.
pub(super) fn check(files: &[TextFile]) -> Vec<Finding> {
    let crates: Vec<&TextFile> = files
        .iter()
        .filter(|file| file.name().ends_with("/Cargo.toml"))
        .collect();
    let mut findings: Vec<Finding> = crates.iter().flat_map(|file| check_crate(file)).collect();
    if let Some(root) = files.iter().find(|file| file.name() == "Cargo.toml") {
        findings.extend(check_root(root, &crates));
    }
    findings
}

fn check_root(root: &TextFile, crates: &[&TextFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut above = "";
    for (line, text) in section(root, "workspace.dependencies") {
        if let Some((name, _)) = text.split_once(" = ")
            && !text.starts_with('#')
        {
            let has_reason = above.starts_with('#') || text.contains(" # ");
            if !has_reason && !text.contains("path = ") {
                findings.push(Finding::error(
                    &root.path,
                    Some(line),
                    format!("{name} has no comment that says why it is there"),
                ));
            }
            let entry = format!("{name}.workspace = true");
            let detailed = format!("{name} = {{ workspace = true");
            if !crates.iter().any(|file| {
                file.text
                    .lines()
                    .any(|line| line.trim() == entry || line.trim().starts_with(&detailed))
            }) {
                findings.push(Finding::error(
                    &root.path,
                    Some(line),
                    format!("no crate uses {name}"),
                ));
            }
        }
        above = text;
    }
    findings
}

fn check_crate(manifest: &TextFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    let generated = manifest.name() == "crates/unified-features/Cargo.toml";
    if !section(manifest, "lints").any(|(_, text)| text == "workspace = true") {
        findings.push(Finding::error(
            &manifest.path,
            None,
            "has no `[lints]` section with `workspace = true`",
        ));
    }
    for name in ["dependencies", "dev-dependencies", "build-dependencies"] {
        for (line, text) in section(manifest, name) {
            let is_entry = text.contains('=') && !text.starts_with('#');
            if is_entry && !generated && !text.contains("workspace = true") {
                findings.push(Finding::error(
                    &manifest.path,
                    Some(line),
                    "name the version in the root Cargo.toml, and write `workspace = true` here",
                ));
            }
        }
    }
    findings
}

/// The lines of a section with their numbers from 1.
fn section<'a>(manifest: &'a TextFile, name: &str) -> impl Iterator<Item = (usize, &'a str)> {
    let header = format!("[{name}]");
    (1..)
        .zip(manifest.text.lines().map(str::trim))
        .skip_while(move |(_, text)| *text != header)
        .skip(1)
        .take_while(|(_, text)| !text.starts_with('['))
}

#[cfg(test)]
mod tests;
