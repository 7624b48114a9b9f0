//! `cargo xtask dev`: the whole product: a simulated RunPod, the server that rents from it, and Vite in front so that
//! the dashboard reloads on every change.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::{cargo, check, npm};

const SIM_ADDRESS: &str = "127.0.0.1:7861";
const SIM_KEY: &str = "a-key-of-nobody";
/// A minute of the simulated provider's is a second of ours, so that a limit can be seen to be reached.
const SIM_SCALE: &str = "60";

/// Runs all of them until one ends or the terminal interrupts all of us.
pub(crate) fn run(root: &Path) -> Result<()> {
    check(cargo(root).args(["build", "--package", "morpheus", "--package", "sim", "--bins"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let bins = target.join("debug");
    let mut sim = Running::start(
        "runpod-sim",
        Command::new(bins.join("runpod-sim"))
            .args(["--listen", SIM_ADDRESS, "--key", SIM_KEY])
            .arg(format!("--clock=scaled:{SIM_SCALE}"))
            .arg("--program")
            .arg(bins.join("morpheus")),
    )?;
    let mut server = Running::start(
        "morpheus serve",
        Command::new(bins.join("morpheus"))
            .current_dir(root)
            .args(["serve", "--data", ".morpheus"])
            .env("MORPHEUS_RUNPOD_KEY", SIM_KEY)
            .env("MORPHEUS_RUNPOD_URL", format!("http://{SIM_ADDRESS}"))
            .env("MORPHEUS_RUNPOD_IMAGE", "simulated")
            .env("MORPHEUS_RUNPOD_TIME_SCALE", SIM_SCALE),
    )?;
    let mut vite = Running::start("vite", npm(root).args(["run", "dev"]))?;
    loop {
        for program in [&mut sim, &mut server, &mut vite] {
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
    fn start(name: &'static str, command: &mut Command) -> Result<Self> {
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
