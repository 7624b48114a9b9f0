//! Which crate may depend on which, as ARCHITECTURE.md draws it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::Finding;
use crate::cargo;

/// What each of our crates may name among our crates. The control plane and the data plane meet only in
/// `protocol`, `prompt`, `dataset`, `fetch` and `rental`; `morpheus`, the binary, may name all of them.
const ALLOWED: [(&str, &[&str]); 13] = [
    ("protocol", &[]),
    ("prompt", &[]),
    ("dataset", &["prompt", "protocol"]),
    ("fetch", &["protocol"]),
    ("store", &["protocol"]),
    ("rental", &["protocol"]),
    (
        "orchestrator",
        &["dataset", "fetch", "prompt", "protocol", "rental", "store"],
    ),
    (
        "server",
        &["dataset", "orchestrator", "protocol", "rental", "store"],
    ),
    ("diffusion", &["prompt", "protocol"]),
    ("trainer", &["dataset", "diffusion", "prompt", "protocol"]),
    (
        "agent",
        &[
            "dataset",
            "diffusion",
            "fetch",
            "prompt",
            "protocol",
            "rental",
            "trainer",
        ],
    ),
    ("sim", &["protocol", "rental"]),
    ("xtask", &[]),
];

/// Libraries that one crate alone may name, so that they can be replaced in one place. `sim` plays other people's
/// servers, and may name what it likes.
const OWNED: [(&str, &str); 8] = [
    ("sea-orm", "store"),
    ("sea-orm-migration", "store"),
    ("object_store", "store"),
    ("redis", "store"),
    ("axum", "server"),
    ("axum-extra", "server"),
    ("utoipa-axum", "server"),
    ("tower-http", "server"),
];

const SIMULATOR: &str = "sim";

/// Has no code; all tests are compiled with its features.
const FEATURES: &str = "unified-features";

/// Libraries that must not even come in through others: a server builds without tensors, and so does what both planes
/// share; an agent builds without a database and a web server.
const NEVER_BELOW: [(&str, &str); 11] = [
    ("orchestrator", "candle-core"),
    ("rental", "candle-core"),
    ("sim", "candle-core"),
    ("server", "candle-core"),
    ("server", "gemm"),
    ("prompt", "candle-core"),
    ("agent", "sea-orm"),
    ("agent", "sqlx-core"),
    ("agent", "axum"),
    ("agent", "object_store"),
    ("protocol", "tokio"),
];

/// The crates of the repository and everything below them, as `cargo metadata` tells.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    /// Our crates and where their manifests lie.
    ours: BTreeMap<String, PathBuf>,
    /// Names that a crate's manifest gives: with and without development dependencies.
    named: BTreeMap<String, BTreeSet<String>>,
    named_in_tests: BTreeMap<String, BTreeSet<String>>,
    /// Resolved dependencies by package id, without development dependencies.
    below: BTreeMap<String, Vec<String>>,
    names: BTreeMap<String, String>,
}

/// Every direction that is broken.
pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    let no_names = BTreeSet::new();
    for (krate, manifest) in &workspace.ours {
        let named = workspace.named.get(krate).unwrap_or(&no_names);
        let named_in_tests = workspace.named_in_tests.get(krate).unwrap_or(&no_names);
        let ours = |names: &BTreeSet<String>| {
            let ours = names.iter().filter(|name| workspace.ours.contains_key(*name));
            ours.cloned().collect::<Vec<_>>()
        };
        for other in ours(named).iter().filter(|other| !may_name(krate, other)) {
            findings.push(Finding::error(
                manifest,
                None,
                format!("{krate} must not depend on {other}: see the directions in ARCHITECTURE.md"),
            ));
        }
        for other in ours(named_in_tests) {
            if !may_name(krate, &other) && !may_test_with(krate, &other) {
                findings.push(Finding::error(
                    manifest,
                    None,
                    format!("{krate} must not depend on {other} for its tests: see the directions in ARCHITECTURE.md"),
                ));
            }
        }
        for (library, owner) in OWNED {
            if krate != owner
                && krate != SIMULATOR
                && (named.contains(library) || named_in_tests.contains(library))
            {
                findings.push(Finding::error(
                    manifest,
                    None,
                    format!("only {owner} may name {library}, {krate} must not"),
                ));
            }
        }
    }
    for (krate, library) in NEVER_BELOW {
        if let Some(path) = workspace.path_to(krate, library) {
            findings.push(Finding::error(
                &workspace.ours[krate],
                None,
                format!(
                    "{krate} must build without {library}, which comes in by {}",
                    path.join(" → ")
                ),
            ));
        }
    }
    findings
}

fn may_name(krate: &str, other: &str) -> bool {
    if krate == "morpheus" {
        return true;
    }
    ALLOWED
        .iter()
        .any(|(name, allowed)| *name == krate && allowed.contains(&other))
}

/// Tests keep to the directions as well: what they name is compiled with every change. Besides they may use the outside
/// world, which is there for them, but not in the crates that it is made of or that know no IO.
fn may_test_with(krate: &str, other: &str) -> bool {
    const NO_IO: [&str; 3] = ["protocol", "diffusion", "trainer"];
    other == FEATURES || (other == SIMULATOR && !NO_IO.contains(&krate))
}

impl Workspace {
    pub(super) fn load(root: &Path) -> Result<Self> {
        let output = cargo(root)
            .args(["metadata", "--format-version", "1", "--locked", "--quiet"])
            .output()
            .context("failed to start cargo metadata")?;
        if !output.status.success() {
            bail!(
                "cargo metadata failed: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        let metadata: Metadata =
            serde_json::from_slice(&output.stdout).context("failed to read what cargo metadata printed")?;
        Ok(metadata.into_workspace(root))
    }

    /// The shortest chain of crates from one of ours to a library, without development dependencies.
    fn path_to(&self, krate: &str, library: &str) -> Option<Vec<String>> {
        let (start, _) = self
            .names
            .iter()
            .find(|(id, name)| *name == krate && is_ours(id))?;
        let mut came_from = BTreeMap::from([(start.clone(), None)]);
        let mut queue = std::collections::VecDeque::from([start.clone()]);
        while let Some(id) = queue.pop_front() {
            if self.names[&id] == library {
                let mut path = vec![id.clone()];
                while let Some(Some(previous)) = came_from.get(path.last().expect("never empty")).cloned() {
                    path.push(previous);
                }
                return Some(path.iter().rev().map(|id| self.names[id].clone()).collect());
            }
            for next in self.below.get(&id).into_iter().flatten() {
                if !came_from.contains_key(next) {
                    came_from.insert(next.clone(), Some(id.clone()));
                    queue.push_back(next.clone());
                }
            }
        }
        None
    }
}

/// Whether a package id of `cargo metadata` is that of a crate of the repository.
fn is_ours(id: &str) -> bool {
    id.starts_with("path+")
}

/// The part of `cargo metadata` that is read here.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    manifest_path: PathBuf,
    /// Absent for a crate of the repository.
    source: Option<String>,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<NodeDependency>,
}

#[derive(Deserialize)]
struct NodeDependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    kind: Option<String>,
}

const DEVELOPMENT: &str = "dev";

impl Metadata {
    fn into_workspace(self, root: &Path) -> Workspace {
        let mut workspace = Workspace::default();
        for package in self.packages {
            if package.source.is_none() {
                let manifest = package
                    .manifest_path
                    .strip_prefix(root)
                    .unwrap_or(&package.manifest_path);
                workspace.ours.insert(package.name.clone(), manifest.to_owned());
                for dependency in package.dependencies {
                    let named = if dependency.kind.as_deref() == Some(DEVELOPMENT) {
                        &mut workspace.named_in_tests
                    } else {
                        &mut workspace.named
                    };
                    named
                        .entry(package.name.clone())
                        .or_default()
                        .insert(dependency.name);
                }
            }
            workspace.names.insert(package.id, package.name);
        }
        for node in self.resolve.nodes {
            let built =
                |kinds: &[DependencyKind]| kinds.iter().any(|k| k.kind.as_deref() != Some(DEVELOPMENT));
            let below = node
                .deps
                .into_iter()
                .filter(|dependency| built(&dependency.dep_kinds));
            workspace
                .below
                .insert(node.id, below.map(|dependency| dependency.pkg).collect());
        }
        workspace
    }
}

#[cfg(test)]
mod tests;
