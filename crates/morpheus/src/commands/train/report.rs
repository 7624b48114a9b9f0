//! What a training says: to a person lines and a progress bar, to a program JSON lines.

use std::path::Path;

use agent::engine::Trained;
use dataset::epoch::Epoch;
use protocol::{
    agent::{ArtifactKind, Report},
    dataset::Split,
    finding::{FindingCode, Severity},
    recipe::Recipe,
};
use serde_json::{Value, json};

use super::pictures::{Pictures, in_words};
use crate::{output, screen::Screen, verdict};

pub(super) struct Reporter {
    json: bool,
    screen: Screen,
}

impl Reporter {
    pub(super) fn new(json: bool) -> Self {
        Self {
            json,
            screen: Screen::new(json),
        }
    }

    pub(super) fn say(&self, line: &str) {
        self.screen.say(line);
    }

    pub(super) fn dataset(&self, pictures: &Pictures) {
        for refused in &pictures.refused {
            self.screen.say(format_args!(
                "warning: {} was rejected: {}",
                refused.file_name, refused.reason
            ));
        }
        for note in pictures.notes() {
            self.screen.say(format_args!("note: {note}"));
        }
        self.screen.say(format_args!(
            "{} pictures to train on, {} held out",
            pictures.count(Split::Train),
            pictures.count(Split::HeldOut)
        ));
    }

    /// What the checks of the dataset find. Notes on single files are said by [`Reporter::dataset`].
    pub(super) fn findings(&self, recipe: &Recipe, pictures: &Pictures) {
        for finding in pictures.findings(recipe) {
            let severity = match finding.severity {
                Severity::Error | Severity::Warning => "warning",
                Severity::Note => "note",
            };
            if finding.code == FindingCode::Changed {
                continue;
            }
            let mut line = format!("{severity}: {} {}", finding.message, finding.repair);
            let mut names: Vec<String> = finding
                .pictures
                .into_iter()
                .map(|picture| picture.file_name)
                .collect();
            names.dedup();
            if !names.is_empty() {
                line.push_str(&format!(" ({})", in_words(&names)));
            }
            self.screen.say(line);
        }
    }

    /// The length of a training in each of its units, and what was chosen without effect.
    pub(super) fn recipe(&self, recipe: &Recipe, pictures: &Pictures) {
        let p = recipe.parameters();
        let per_epoch = Epoch::of(&pictures.manifest.items, p).n_steps;
        self.screen.say(format_args!(
            "{} steps of {} pictures: {} views, {} epochs",
            p.n_steps,
            p.pictures_per_step(),
            p.n_steps.saturating_mul(p.pictures_per_step()),
            p.n_steps.div_ceil(per_epoch)
        ));
        for note in p.notes() {
            self.screen.say(format_args!("note: {note}"));
        }
    }

    pub(super) fn report(&self, report: &Report) -> anyhow::Result<()> {
        if self.json {
            return output::json(report);
        }
        match report {
            Report::Step(metrics) => self.screen.step(metrics),
            Report::ValidationLoss { step, loss } => {
                self.screen
                    .say(format_args!("  validation loss at step {step}: {loss:.4}"));
            }
            Report::Log { message, .. } => self.screen.say(format_args!("  {message}")),
            Report::Validated { verdict } => {
                self.screen.training_is_over();
                verdict::show(verdict, &self.screen);
            }
            Report::Judged {
                step,
                judgement: Some(judgement),
            } => self
                .screen
                .say(format_args!("  step {step} {}", verdict::judged(judgement))),
            Report::Stage { .. }
            | Report::Finalizing
            | Report::PicturesSeen { .. }
            | Report::Judged { .. }
            | Report::Measured { .. }
            | Report::Preview { .. }
            | Report::Unknown => {}
        }
        Ok(())
    }

    pub(super) fn wrote(&self, kind: &ArtifactKind, path: &Path) -> anyhow::Result<()> {
        if self.json {
            return output::json(&file_line(kind, path)?);
        }
        self.screen.say(format_args!("  wrote {}", path.display()));
        Ok(())
    }

    pub(super) fn training_is_over(&self) {
        self.screen.training_is_over();
    }

    pub(super) fn finished(&self, verdict: &Path, trained: &Trained) -> anyhow::Result<()> {
        if self.json {
            let mut line = summary(verdict, trained);
            line["type"] = "finished".into();
            return output::json(&line);
        }
        self.screen
            .say(format_args!("LoRA     {}", trained.lora.display()));
        self.screen.say(format_args!("verdict  {}", verdict.display()));
        if let Some(judgement) = &trained.judgement {
            self.screen
                .say(format_args!("result   {}", verdict::judged(judgement)));
        }
        Ok(())
    }
}

/// A written file as a line of JSON.
pub(super) fn file_line(kind: &ArtifactKind, path: &Path) -> anyhow::Result<Value> {
    let mut line = serde_json::to_value(kind)?;
    line["type"] = "file".into();
    line["path"] = json!(path);
    Ok(line)
}

/// What a finished training has made.
fn summary(verdict: &Path, trained: &Trained) -> Value {
    json!({
        "lora": trained.lora,
        "verdict": verdict,
        "passed": trained.verdict.passed,
        "n_steps": trained.n_steps,
        "judgement": trained.judgement,
        "before": trained.before,
        "after": trained.after,
    })
}
