//! `cargo xtask dev`: the server, and Vite in front of it so that the dashboard reloads on every change.

use std::{
    path::Path,
    process::{Child, ExitStatus},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::{cargo, check, npm};

/// Runs both until one of them ends or the terminal interrupts all of us.
pub(crate) fn run(root: &Path) -> Result<()> {
    check(cargo(root).args(["build", "--package", "morpheus"]))?;
    let mut server = Running::start(
        "morpheus serve",
        cargo(root).args([
            "run",
            "--quiet",
            "--package",
            "morpheus",
            "--",
            "serve",
            "--data",
            ".morpheus",
        ]),
    )?;
    let mut vite = Running::start("vite", npm(root).args(["run", "dev"]))?;
    loop {
        for program in [&mut server, &mut vite] {
            if let Some(status) = program.ended()? {
                bail!("{} ended with {status}", program.name);
            }
        }
        thread::sleep(Duration::from_millis(200));
    }
}

/// A child that ends with us.
struct Running {
    name: &'static str,
    child: Child,
}

impl Running {
    fn start(name: &'static str, command: &mut std::process::Command) -> Result<Self> {
        let child = command
            .spawn()
            .with_context(|| format!("failed to start {name}"))?;
        Ok(Self { name, child })
    }

    fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child
            .try_wait()
            .with_context(|| format!("failed to wait for {}", self.name))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; either way it must be waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
