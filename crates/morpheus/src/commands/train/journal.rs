//! What an engine said, kept beside its folder, so that a comparison has it also after an interruption.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
};

use agent::engine::TrainEvent;
use anyhow::Context as _;
use protocol::{
    agent::{ArtifactKind, Report},
    event::StepMetrics,
};
use serde_json::Value;

use super::report::file_line;

/// Writes the lines that `--json` prints of a training.
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    /// The engine's, which paths are given from.
    folder: PathBuf,
}

/// What a journal holds. A step that was done again after an interruption counts as it was done last.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) steps: BTreeMap<u32, StepMetrics>,
    /// Losses on held-out pictures by step.
    pub(super) held_out: BTreeMap<u32, f64>,
    /// Previews by step and prompt.
    pub(super) samples: BTreeMap<(u32, u32), Sample>,
}

/// A preview picture.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) prompt: String,
    pub(super) seed: u64,
    pub(super) path: PathBuf,
}

impl Journal {
    /// An empty one.
    pub(super) fn begin(path: PathBuf, folder: &Path) -> anyhow::Result<Self> {
        let file = File::create(&path).with_context(|| failed("write", &path))?;
        Ok(Self {
            path,
            file,
            folder: folder.to_owned(),
        })
    }

    /// Goes on with one; the line that an interruption cut is dropped.
    pub(super) fn go_on(path: PathBuf, folder: &Path) -> anyhow::Result<Self> {
        let context = || failed("continue", &path);
        let whole = match fs::read(&path) {
            Ok(bytes) => bytes
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(0, |at| at + 1),
            Err(err) if err.kind() == ErrorKind::NotFound => 0,
            Err(err) => return Err(err).with_context(context),
        };
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let file = file.with_context(context)?;
        file.set_len(whole as u64).with_context(context)?;
        Ok(Self {
            path,
            file,
            folder: folder.to_owned(),
        })
    }

    pub(super) fn write(&mut self, event: &TrainEvent) -> anyhow::Result<()> {
        let mut line = match event {
            TrainEvent::Report(report) => serde_json::to_string(report)?,
            TrainEvent::Wrote { kind, path } => {
                // So that the whole folder may be moved.
                let path = path.strip_prefix(&self.folder).unwrap_or(path);
                file_line(kind, path)?.to_string()
            }
        };
        line.push('\n');
        self.file
            .write_all(line.as_bytes())
            .with_context(|| failed("write", &self.path))
    }
}

impl Record {
    /// Reads a journal of an engine that wrote into `folder`.
    pub(super) fn read(path: &Path, folder: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| failed("read", path))?;
        let mut record = Self::default();
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).with_context(|| failed("understand", path))?;
            if line["type"] == "file" {
                record.take_file(line, folder);
            // A loss that is no number has no form in JSON; such a step is left out.
            } else if let Ok(report) = serde_json::from_value(line) {
                record.take(report);
            }
        }
        Ok(record)
    }

    fn take(&mut self, report: Report) {
        match report {
            Report::Step(metrics) => drop(self.steps.insert(metrics.step, metrics)),
            Report::ValidationLoss { step, loss } => drop(self.held_out.insert(step, loss)),
            _ => {}
        }
    }

    fn take_file(&mut self, line: Value, folder: &Path) {
        let Some(path) = line["path"].as_str().map(|path| folder.join(path)) else {
            return;
        };
        if let Ok(ArtifactKind::Sample {
            step,
            prompt_index,
            prompt,
            seed,
        }) = serde_json::from_value(line)
        {
            let sample = Sample { prompt, seed, path };
            self.samples.insert((step, prompt_index), sample);
        }
    }
}

fn failed(what: &str, path: &Path) -> String {
    format!("failed to {what} the journal `{}`", path.display())
}
