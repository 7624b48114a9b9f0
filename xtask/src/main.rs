//! Project automation: `cargo xtask tidy`, `codegen`, `features`, `dev` and `services`.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, bail};

mod codegen;
mod dev;
mod features;
mod services;
mod tidy;

const USAGE: &str = "usage: cargo xtask COMMAND
  tidy      check the house rules that no compiler checks
  codegen   make openapi.json, the dashboard's types and form fields, and the unified features again
  features  the last of these alone, after a change of a dependency
  dev       serve, with a simulated RunPod, and the dashboard reloading on every change
  services  -- COMMAND…: run a command with PostgreSQL, Redis and S3 beside it, for tests";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tidy"] => tidy::run(&root()),
        ["codegen"] => codegen::run(&root()),
        ["features"] => features::write(&root()),
        ["dev"] => dev::run(&root()),
        ["services", "--", ref command @ ..] if !command.is_empty() => services::run(&root(), command),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("xtask: {err:#}");
            ExitCode::FAILURE
        }
    }
}

/// The folder of the repository.
fn root() -> PathBuf {
    let manifest_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest_dir
        .parent()
        .expect("xtask lies in the repository")
        .to_owned()
}

/// The cargo that runs this program.
fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// npm in the dashboard's folder.
fn npm(root: &Path) -> Command {
    let mut command = Command::new("npm");
    command.current_dir(root.join("dashboard"));
    command
}

/// Runs a command to its end and fails as it does.
fn check(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("failed to start {command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}
