//! Stands in for sd-scripts' Python in tests: prints what was recorded, writes files, and ends as it is told.
//!
//! Started as `kohya_replay SCRIPT ARGS…` in a folder with `replay.json`, a list of what to do in the first run, the second,
//! and so on; the last stands for all that follow.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use agent::kohya::tensorboard::masked_crc;
use anyhow::{Context as _, Result};
use serde::Deserialize;

/// What one run does.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Run {
    /// File to print on standard output.
    out: Option<PathBuf>,
    /// File to print on standard error, at the same time.
    err: Option<PathBuf>,
    /// Pause after each line, in milliseconds.
    pause_ms: u64,
    /// Files to copy before anything is printed, from where to where in the output folder; `NAME` stands for the
    /// name of the output.
    files: Vec<(PathBuf, String)>,
    /// Tensorboard events to copy into the log folder.
    events: Option<PathBuf>,
    /// Losses to write there as events, one for each step.
    losses: Vec<f32>,
    /// Learning rate to write beside them.
    learning_rate: Option<f32>,
    /// Stay after the last line, until somebody ends it.
    stays: bool,
    /// Exit code.
    exit: u8,
}

fn main() -> Result<std::process::ExitCode> {
    if std::env::args().nth(1).as_deref() == Some("-u") {
        // It is to draw with diffusers, which nothing here stands in for.
        eprintln!("ModuleNotFoundError: No module named 'diffusers'");
        return Ok(1_u8.into());
    }
    let args: Vec<String> = std::env::args().skip(2).collect();
    let count = Path::new("runs");
    let n_before: usize = fs::read_to_string(count).map_or(Ok(0), |text| text.parse())?;
    fs::write(count, (n_before + 1).to_string())?;
    fs::write(format!("args-{n_before}.json"), serde_json::to_vec(&args)?)?;
    fs::write("pid", std::process::id().to_string())?;

    let runs: Vec<Run> = serde_json::from_slice(&fs::read("replay.json")?)?;
    let run = runs
        .get(n_before)
        .or(runs.last())
        .context("replay.json holds no run")?
        .clone();
    let option = |name: &str| {
        let at = args
            .iter()
            .position(|arg| arg == name)
            .with_context(|| format!("{name} is missing"))?;
        args.get(at + 1).with_context(|| format!("{name} has no value"))
    };
    let (output, name) = (Path::new(option("--output_dir")?), option("--output_name")?);
    for (from, to) in &run.files {
        copy(from, &output.join(to.replace("NAME", name)))?;
    }
    let events = Path::new(option("--logging_dir")?)
        .join("20261122124731/network_train/events.out.tfevents.1.host.2.0");
    if let Some(recorded) = &run.events {
        copy(recorded, &events)?;
    }
    if !run.losses.is_empty() {
        write(&events, &scalars(&run.losses, run.learning_rate))?;
    }
    let pause = Duration::from_millis(run.pause_ms);
    thread::scope(|scope| {
        scope.spawn(|| print(run.out.as_deref(), &mut io::stdout(), pause));
        scope.spawn(|| print(run.err.as_deref(), &mut io::stderr(), pause));
    });
    if run.stays {
        loop {
            thread::park();
        }
    }
    Ok(run.exit.into())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    write(
        to,
        &fs::read(from).with_context(|| format!("failed to read {}", from.display()))?,
    )
}

fn write(to: &Path, content: &[u8]) -> Result<()> {
    fs::create_dir_all(to.parent().context("a file lies in a folder")?)?;
    fs::write(to, content).with_context(|| format!("failed to write {}", to.display()))
}

/// Losses as sd-scripts logs them, each after its step together with the rate of the next.
fn scalars(losses: &[f32], learning_rate: Option<f32>) -> Vec<u8> {
    let mut events = Vec::new();
    for (step, loss) in (1..).zip(losses) {
        events.extend(event(step, "loss/current", *loss));
        events.extend(
            learning_rate
                .map(|rate| event(step, "lr/unet", rate))
                .unwrap_or_default(),
        );
    }
    events
}

/// A scalar as tensorboard writes it: protocol buffers between their length and their checksums.
fn event(step: u64, tag: &str, value: f32) -> Vec<u8> {
    let mut inner = vec![0x0a, tag.len() as u8];
    inner.extend(tag.bytes());
    inner.push(0x15);
    inner.extend(value.to_le_bytes());
    let mut event = vec![0x10];
    let mut rest = step;
    while rest >= 0x80 {
        event.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    event.extend([rest as u8, 0x2a, inner.len() as u8 + 2, 0x0a, inner.len() as u8]);
    event.extend(inner);
    let length = (event.len() as u64).to_le_bytes();
    let parts = [
        &length[..],
        &masked_crc(&length).to_le_bytes(),
        &event,
        &masked_crc(&event).to_le_bytes(),
    ];
    parts.concat()
}

fn print(from: Option<&Path>, to: &mut dyn Write, pause: Duration) {
    let text = from.and_then(|path| fs::read(path).ok()).unwrap_or_default();
    for part in text.split_inclusive(|byte| b"\r\n".contains(byte)) {
        // Whoever reads may have gone.
        let _ = to.write_all(part).and_then(|()| to.flush());
        thread::sleep(pause);
    }
}
