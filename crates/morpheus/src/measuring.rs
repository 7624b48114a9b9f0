//! Measures what the U-Nets of registered base models do in a process of its own, `morpheus measure-base`: the server
//! needs no tensors, and goes on if the memory is not enough.

use std::{
    io,
    path::Path,
    process::{Command, Output, Stdio},
    sync::{Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use orchestrator::{Beside, Unmeasured};
use procfs::{Current as _, Meminfo};
use protocol::{base::Measured, environment, problem::chain};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

/// Longer than a processor takes for the eight steps of an SDXL model.
const LIMIT: Duration = Duration::from_secs(3600);

/// What a model takes in memory, in bytes for each byte of its files: half precision is computed in single precision.
const MEMORY_FACTOR: u64 = 2;

/// Beside the weights.
const SPARE_BYTES: u64 = 1 << 30;

/// Two at once would need twice the memory.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// What the process says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// It was measured.
    Measured(Measured),
    /// The model cannot be used, for this reason.
    Broken(String),
}

/// Measures a base model of this machine.
pub(crate) fn measure(path: &Path, beside: Beside<'_>) -> Result<Measured, Unmeasured> {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let needed = bytes_in(path).saturating_mul(MEMORY_FACTOR) + SPARE_BYTES;
    if let Some(available) = Meminfo::current().ok().and_then(|memory| memory.mem_available)
        && available < needed
    {
        let gb = |n_bytes: u64| n_bytes as f64 / 1e9;
        return Err(Unmeasured::NotHere(format!(
            "it takes about {:.1} GB of memory, and {:.1} GB are free",
            gb(needed),
            gb(available)
        )));
    }
    let output = run(path, beside).map_err(|err| Unmeasured::NotHere(chain(&err)))?;
    match serde_json::from_slice(&output.stdout) {
        Ok(Answer::Measured(measured)) => Ok(measured),
        Ok(Answer::Broken(problem)) => Err(Unmeasured::Broken(problem)),
        Err(_) => Err(Unmeasured::NotHere(format!(
            "the process ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        ))),
    }
}

fn run(path: &Path, beside: Beside<'_>) -> io::Result<Output> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("measure-base").arg(path);
    if let Some(vae) = beside.vae {
        command.arg("--vae").arg(vae);
    }
    if let Some(prediction) = beside.prediction {
        command.arg("--prediction").arg(prediction.word());
    }
    let child = command
        .env_clear()
        .envs(environment::of_machine(std::env::vars_os(), &[]))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let pid = Pid::from_child(&child);
    let (ended, waits) = mpsc::channel::<()>();
    let watch = thread::spawn(move || {
        if waits.recv_timeout(LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
            // One that has ended in between needs no signal.
            let _ = kill_process(pid, Signal::KILL);
        }
    });
    let output = child.wait_with_output();
    drop(ended);
    let _ = watch.join();
    output
}

/// Bytes of a file, or of a folder's files and those of its folders.
fn bytes_in(path: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(path) else {
        return std::fs::metadata(path).map_or(0, |meta| meta.len());
    };
    let files = entries
        .flatten()
        .flat_map(|entry| match std::fs::read_dir(entry.path()) {
            Ok(inner) => inner.flatten().map(|entry| entry.path()).collect(),
            Err(_) => vec![entry.path()],
        });
    files
        .filter_map(|path| std::fs::metadata(path).ok())
        .map(|meta| meta.len())
        .sum()
}
