//! `cargo xtask tidy`: the house rules that no compiler and no linter checks.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};

mod circles;
mod directions;
mod documents;
mod manifests;
mod promises;
mod providers;
mod sources;
mod tree;

/// Prints every finding and fails if one of them is an error.
pub(crate) fn run(root: &Path) -> Result<()> {
    let findings = findings(root)?;
    for finding in &findings {
        eprintln!("{finding}");
    }
    let n_errors = findings.iter().filter(|f| f.severity == Severity::Error).count();
    if n_errors > 0 {
        bail!("tidy found {n_errors} broken rules");
    }
    Ok(())
}

fn findings(root: &Path) -> Result<Vec<Finding>> {
    let files = tree::text_files(root)?;
    let workspace = directions::Workspace::load(root)?;
    let mut findings: Vec<Finding> = files.iter().flat_map(sources::check).collect();
    findings.extend(manifests::check(&files));
    findings.extend(promises::check(&files));
    findings.extend(documents::check(&files));
    findings.extend(providers::check(&files));
    findings.extend(directions::check(&workspace));
    findings.extend(circles::check(&files));
    Ok(findings)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Severity {
    Warning,
    Error,
}

/// A rule that is broken somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    severity: Severity,
    path: PathBuf,
    /// From 1; absent when the whole file is meant.
    line: Option<usize>,
    message: String,
}

impl Finding {
    fn error(path: impl Into<PathBuf>, line: Option<usize>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            path: path.into(),
            line,
            message: message.into(),
        }
    }

    fn warning(path: impl Into<PathBuf>, line: Option<usize>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(path, line, message)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, "{severity}: {}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.message)
    }
}

#[cfg(test)]
mod tests;
