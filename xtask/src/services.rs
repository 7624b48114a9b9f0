//! `cargo xtask services -- COMMAND`: PostgreSQL, Redis and S3 for as long as a command runs.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, bail};

use crate::{cargo, check};

/// Runs a command beside the servers and ends as it does.
///
/// The program that starts them is built with the whole workspace: alone, it would compile its dependencies a
/// second time with other features.
pub(crate) fn run(root: &Path, command: &[&str]) -> Result<()> {
    check(cargo(root).args(["build", "--workspace", "--quiet", "--bin", "services"]))?;
    let ourselves = std::env::current_exe().context("failed to find this program")?;
    let status = Command::new(ourselves.with_file_name("services"))
        .args(command)
        .status()
        .context("failed to start the services")?;
    match status.code() {
        Some(0) => Ok(()),
        Some(code) => std::process::exit(code),
        None => bail!("{command:?} ended with {status}"),
    }
}
