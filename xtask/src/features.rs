//! The manifest of `crates/unified-features`, which makes `-p CRATE` and `--workspace` compile the same dependencies.
//!
//! Cargo compiles a dependency with the features that the selected crates ask for, so the tests of one crate would
//! compile many of them once more. Each crate has `unified-features` among its development dependencies, and that asks
//! for what the whole workspace asks for. Cargo's own `resolver.feature-unification` is not stable yet.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::cargo;

const MANIFEST: &str = "crates/unified-features/Cargo.toml";
const HEAD: &str = r#"# Written by `cargo xtask features`; `xtask/src/features.rs` says what it is for.

[package]
name = "unified-features"
description = "The features of dependencies that the tests of every crate share"
version.workspace = true
edition.workspace = true
rust-version.workspace = true
license.workspace = true
publish.workspace = true

[lints]
workspace = true
"#;

/// Entries bring in dependencies of their own, whose features may differ in turn.
const MAX_ROUNDS: usize = 8;

/// What a dependency is compiled for: our programs, or the build scripts and macros that run while they are compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Target,
    Host,
}

/// A version of a package: its name and version.
type Package = (String, String);
type Features = BTreeSet<String>;
type Entries = BTreeMap<(Side, Package), Features>;

/// Writes the manifest from nothing.
pub(crate) fn write(root: &Path) -> Result<()> {
    let mut entries = Entries::new();
    for _ in 0..MAX_ROUNDS {
        let implied = implied(root)?;
        let path = root.join(MANIFEST);
        fs::write(&path, manifest(&entries, &implied))
            .with_context(|| format!("failed to write `{}`", path.display()))?;
        let differing = differing(root)?;
        if differing
            .iter()
            .all(|entry| entries.get(entry.0) == Some(entry.1))
        {
            return Ok(());
        }
        entries.extend(differing);
    }
    bail!("the features of `{MANIFEST}` do not come to rest in {MAX_ROUNDS} rounds")
}

/// The dependencies that the tests of some crate compile with other features than the workspace, and its features.
fn differing(root: &Path) -> Result<Entries> {
    let workspace = Compiled::of(root, &["--workspace"])?;
    let mut entries = Entries::new();
    for krate in crates(root)? {
        let alone = Compiled::of(root, &["--package", &krate])?;
        for (package, _) in alone.target.difference(&workspace.target) {
            let features = features_of(package, &workspace.target)
                .with_context(|| format!("the workspace has no {} {}", package.0, package.1))?;
            entries.insert((Side::Target, package.clone()), features.clone());
        }
        for (package, _) in alone.host().difference(&workspace.all) {
            // Where the workspace has none for the host, cargo lists something that it does not compile.
            if let Some(features) = features_of(package, &workspace.host()) {
                entries.insert((Side::Host, package.clone()), features.clone());
            }
        }
    }
    Ok(entries)
}

fn features_of<'a>(package: &Package, compiled: &'a BTreeSet<(Package, Features)>) -> Option<&'a Features> {
    let mut found = compiled.iter().filter(|(one, _)| one == package);
    found.next().map(|(_, features)| features)
}

/// The dependencies that are compiled for the tests of a selection of crates.
struct Compiled {
    target: BTreeSet<(Package, Features)>,
    /// These and the host's.
    all: BTreeSet<(Package, Features)>,
}

impl Compiled {
    fn of(root: &Path, selection: &[&str]) -> Result<Self> {
        Ok(Self {
            target: read_tree(&tree(root, selection, "normal,dev,no-proc-macro")?)?,
            all: read_tree(&tree(root, selection, "normal,dev,build")?)?,
        })
    }

    fn host(&self) -> BTreeSet<(Package, Features)> {
        self.all.difference(&self.target).cloned().collect()
    }
}

fn tree(root: &Path, selection: &[&str], edges: &str) -> Result<String> {
    let mut command = cargo(root);
    command
        .args([
            "tree",
            "--quiet",
            "--offline",
            "--prefix",
            "none",
            "--format",
            "{p}|{f}",
            "--edges",
            edges,
        ])
        .args(selection);
    let output = command.output().context("failed to start cargo tree")?;
    ensure!(
        output.status.success(),
        "cargo tree failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).context("cargo tree printed what is not UTF-8")
}

/// Lines of the form `serde v1.0.229|default,derive`, without those of our own crates, which have a path.
fn read_tree(printed: &str) -> Result<BTreeSet<(Package, Features)>> {
    printed
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .filter(|line| !line.is_empty() && !line.contains(" (/"))
        .map(|line| {
            let parts = line.split_once('|').and_then(|(package, features)| {
                let mut words = package.split(' ');
                Some((words.next()?, words.next()?.strip_prefix('v')?, features))
            });
            let (name, version, features) = parts
                .with_context(|| format!("cargo tree printed `{line}`, not `NAME vVERSION|FEATURES`"))?;
            let features = features.split(',').filter(|feature| !feature.is_empty());
            Ok((
                (name.to_owned(), version.to_owned()),
                features.map(str::to_owned).collect(),
            ))
        })
        .collect()
}

/// The names of our crates with tests of their own.
fn crates(root: &Path) -> Result<Vec<String>> {
    let folder = root.join("crates");
    let entries = fs::read_dir(&folder).with_context(|| format!("failed to list `{}`", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("failed to list `{}`", folder.display()))?;
        if entry.path().join("Cargo.toml").exists() && !entry.path().ends_with("unified-features") {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Which features each feature of each package switches on, as their manifests say.
type Implied = BTreeMap<Package, BTreeMap<String, Vec<String>>>;

fn implied(root: &Path) -> Result<Implied> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Described>,
    }
    #[derive(Deserialize)]
    struct Described {
        name: String,
        version: String,
        features: BTreeMap<String, Vec<String>>,
    }
    let output = cargo(root)
        .args(["metadata", "--format-version", "1", "--offline", "--quiet"])
        .output()
        .context("failed to start cargo metadata")?;
    ensure!(
        output.status.success(),
        "cargo metadata failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).context("failed to read what cargo metadata printed")?;
    let packages = metadata.packages.into_iter();
    Ok(packages
        .map(|package| ((package.name, package.version), package.features))
        .collect())
}

/// The features without those that others of them switch on anyway.
fn shortest(features: &Features, implied: &BTreeMap<String, Vec<String>>) -> Features {
    let mut kept = features.clone();
    // Private ones first, so that of two which imply each other the public one stays.
    let mut order: Vec<&String> = features.iter().collect();
    order.sort_by_key(|feature| !feature.starts_with('_'));
    for feature in order {
        let mut reached = BTreeSet::new();
        let mut open: Vec<&str> = kept
            .iter()
            .filter(|one| *one != feature)
            .map(String::as_str)
            .collect();
        while let Some(one) = open.pop() {
            for next in implied.get(one).into_iter().flatten() {
                if implied.contains_key(next) && reached.insert(next.as_str()) {
                    open.push(next);
                }
            }
        }
        if reached.contains(feature.as_str()) {
            kept.remove(feature);
        }
    }
    kept
}

fn manifest(entries: &Entries, implied: &Implied) -> String {
    let mut text = HEAD.to_owned();
    for (side, section) in [(Side::Target, "dependencies"), (Side::Host, "build-dependencies")] {
        let of_side: Vec<_> = entries.iter().filter(|((one, _), _)| *one == side).collect();
        if of_side.is_empty() {
            continue;
        }
        text.push_str(&format!("\n[{section}]\n"));
        for ((_, (name, version)), features) in &of_side {
            let n_versions = of_side.iter().filter(|((_, (one, _)), _)| one == name).count();
            let no_features = BTreeMap::new();
            let known = implied
                .get(&(name.clone(), version.clone()))
                .unwrap_or(&no_features);
            text.push_str(&entry(name, version, &shortest(features, known), n_versions > 1));
        }
    }
    text
}

/// One line; of two versions of a package each gets a name with its first number.
fn entry(name: &str, version: &str, features: &Features, renamed: bool) -> String {
    let (first, _) = version.split_once('.').unwrap_or((version, ""));
    let (number, _) = version.split_once('+').unwrap_or((version, ""));
    let mut line = if renamed {
        format!("{name}-{first} = {{ package = \"{name}\", version = \"{number}\"")
    } else {
        format!("{name} = {{ version = \"{number}\"")
    };
    if !features.contains("default") {
        line.push_str(", default-features = false");
    }
    let named: Vec<String> = features
        .iter()
        .filter(|feature| *feature != "default")
        .map(|feature| format!("\"{feature}\""))
        .collect();
    if !named.is_empty() {
        line.push_str(&format!(", features = [{}]", named.join(", ")));
    }
    line + " }\n"
}

#[cfg(test)]
mod tests;
