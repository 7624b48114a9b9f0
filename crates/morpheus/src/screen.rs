//! What long commands show on the terminal: lines, and a progress bar while it trains.

use std::{fmt::Display, time::Duration};

use indicatif::ProgressBar;
use protocol::event::StepMetrics;

use crate::{output, progress};

/// Standard output, or standard error when that is kept for JSON.
pub(crate) struct Screen {
    json: bool,
    bar: ProgressBar,
}

impl Screen {
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            bar: progress::steps(json),
        }
    }

    pub(crate) fn say(&self, line: impl Display) {
        self.bar.suspend(|| {
            if self.json {
                output::note(line);
            } else {
                output::line(line);
            }
        });
    }

    /// Moves the bar; without a terminal, says something each tenth of the way.
    pub(crate) fn step(&self, metrics: &StepMetrics) {
        let text = format!(
            "loss {:.4}  epoch {}/{}  {} left",
            metrics.average_loss,
            metrics.epoch,
            metrics.n_epochs,
            progress::clock(Duration::from_secs_f64(metrics.eta_seconds.max(0.0)))
        );
        if self.bar.is_hidden() {
            if progress::is_milestone(metrics.step, metrics.n_steps) {
                self.say(format_args!(
                    "  step {}/{}  {text}",
                    metrics.step, metrics.n_steps
                ));
            }
            return;
        }
        self.bar.set_length(u64::from(metrics.n_steps));
        self.bar.set_position(u64::from(metrics.step));
        self.bar.set_message(text);
    }

    /// Removes the bar.
    pub(crate) fn training_is_over(&self) {
        self.bar.finish_and_clear();
    }
}
