//! What the demo shows on the terminal: lines, and a progress bar while it trains.

use std::{fmt::Display, time::Duration};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use protocol::event::StepMetrics;

use crate::{output, progress};

/// Standard output, or standard error when that is kept for JSON.
pub(super) struct Screen {
    json: bool,
    bar: ProgressBar,
}

impl Screen {
    pub(super) fn new(json: bool) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_style(
            ProgressStyle::with_template("  {bar:32} {pos}/{len}  {msg}").unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        Self { json, bar }
    }

    pub(super) fn say(&self, line: impl Display) {
        self.bar.suspend(|| {
            if self.json {
                output::note(line);
            } else {
                output::line(line);
            }
        });
    }

    /// Moves the bar; without a terminal, says something each tenth of the way.
    pub(super) fn step(&self, metrics: &StepMetrics) {
        let text = format!(
            "loss {:.4}  epoch {}/{}  {} left",
            metrics.average_loss,
            metrics.epoch,
            metrics.n_epochs,
            progress::clock(Duration::from_secs_f64(metrics.eta_seconds.max(0.0)))
        );
        if self.bar.is_hidden() {
            if progress::is_milestone(metrics.step, metrics.n_steps) {
                self.say(format_args!("  step {}/{}  {text}", metrics.step, metrics.n_steps));
            }
            return;
        }
        self.bar.set_length(u64::from(metrics.n_steps));
        self.bar.set_position(u64::from(metrics.step));
        self.bar.set_message(text);
    }

    /// Removes the bar.
    pub(super) fn training_is_over(&self) {
        self.bar.finish_and_clear();
    }
}
