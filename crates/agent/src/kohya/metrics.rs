//! Makes our step events of sd-scripts' scalars, or of its progress bar where there are no scalars.
//!
//! The bar shows a running mean with three digits, which one NaN spoils for good; the scalars are the losses
//! themselves. The bar counts only when it has moved three steps and not one scalar was written.

use std::collections::VecDeque;

use protocol::{event::StepMetrics, recipe::Parameters};
use trainer::schedule::LearningRate;

use super::{log::StepBar, tensorboard::Scalar};

/// Steps with a loss that is not finite, one after the other, after which a training is given up: weights that were
/// updated with NaN stay so, while fp16 skips the update and recovers.
pub const MAX_BROKEN_STEPS: u32 = 3;
/// Steps that the bar shows before it is believed that nobody writes scalars.
const PATIENCE: u32 = 3;

/// The steps of one run.
#[derive(Debug)]
pub struct Metrics {
    n_steps: u32,
    learning_rate: LearningRate,
    epoch: (u32, u32),
    /// Losses of the batches since the last step.
    batches: Vec<f64>,
    /// Losses of an epoch's worth of steps.
    recent: VecDeque<f64>,
    /// The newest step that was reported.
    step: u32,
    /// What `lr/unet` said last: it is written after a step, and belongs to the next.
    next_rate: Option<f64>,
    bar: Option<StepBar>,
    has_scalars: bool,
    n_broken: u32,
    first_broken: Option<u32>,
}

impl Metrics {
    /// Of a training with these parameters.
    pub fn new(p: &Parameters) -> Self {
        Self {
            n_steps: p.n_steps,
            learning_rate: LearningRate {
                peak: p.learning_rate,
                schedule: p.lr_schedule,
                n_warmup_steps: p.n_warmup_steps,
                n_steps: p.n_steps,
            },
            epoch: (1, 1),
            batches: Vec::new(),
            recent: VecDeque::new(),
            step: 0,
            next_rate: None,
            bar: None,
            has_scalars: false,
            n_broken: 0,
            first_broken: None,
        }
    }

    /// An epoch begins.
    pub fn epoch(&mut self, epoch: u32, n_epochs: u32) {
        self.epoch = (epoch, n_epochs);
    }

    /// The newest step that was seen, on the bar or among the scalars.
    pub fn newest_step(&self) -> u32 {
        self.step.max(self.bar.map_or(0, |bar| bar.step))
    }

    /// The first step of several whose loss was not finite, once that is beyond hope.
    pub fn broken_since(&self) -> Option<u32> {
        self.first_broken.filter(|_| self.n_broken >= MAX_BROKEN_STEPS)
    }

    /// The run is over: even the last step's loss alone tells.
    pub fn ended_broken(&self) -> Option<u32> {
        self.first_broken.filter(|_| self.n_broken > 0)
    }

    /// Takes a scalar.
    pub fn scalar(&mut self, scalar: &Scalar) -> Option<StepMetrics> {
        let value = f64::from(scalar.value);
        match scalar.tag.as_str() {
            "loss/current" => {
                self.has_scalars = true;
                self.batches.push(value);
                // Written once for every batch, with the steps done; the batch that completes a step raises it.
                let step = u32::try_from(scalar.step).ok().filter(|&step| step > self.step)?;
                let loss = self.batches.iter().sum::<f64>() / self.batches.len() as f64;
                self.batches.clear();
                self.step_done(step, loss, None)
            }
            "lr/unet" => {
                self.next_rate = Some(value);
                None
            }
            _ => None,
        }
    }

    /// Takes a state of the bar. A step's loss is known when the bar moves on: it advances first, and shows the new
    /// mean after that.
    pub fn bar(&mut self, bar: StepBar) -> Option<StepMetrics> {
        let before = self.bar.replace(bar)?;
        if before.step == bar.step {
            return None;
        }
        self.step_of_bar(before)
    }

    /// The stream is over: the bar's last state counts.
    pub fn finish(&mut self) -> Option<StepMetrics> {
        let bar = self.bar?;
        self.step_of_bar(bar)
    }

    fn step_of_bar(&mut self, bar: StepBar) -> Option<StepMetrics> {
        let is_alone = !self.has_scalars && (self.step > 0 || bar.step >= PATIENCE || bar.step == bar.total);
        if !is_alone || bar.step <= self.step {
            return None;
        }
        let average = bar.average_loss?;
        self.step_done(bar.step, average, Some(average))
    }

    fn step_done(&mut self, step: u32, loss: f64, average: Option<f64>) -> Option<StepMetrics> {
        self.step = step;
        let measured = self.next_rate.take();
        if !loss.is_finite() {
            self.n_broken += 1;
            self.first_broken.get_or_insert(step);
            return None;
        }
        (self.n_broken, self.first_broken) = (0, None);
        let n_recent = (self.n_steps / self.epoch.1.max(1)).max(1) as usize;
        self.recent.push_back(loss);
        while self.recent.len() > n_recent {
            self.recent.pop_front();
        }
        let mean = self.recent.iter().sum::<f64>() / self.recent.len() as f64;
        let seconds = self.bar.and_then(|bar| bar.seconds_per_step).unwrap_or(0.0);
        let left = f64::from(self.n_steps.saturating_sub(step));
        Some(StepMetrics {
            step,
            n_steps: self.n_steps,
            epoch: self.epoch.0,
            n_epochs: self.epoch.1,
            loss,
            average_loss: average.unwrap_or(mean),
            learning_rate: measured.unwrap_or_else(|| self.learning_rate.at(step - 1)),
            // sd-scripts does not tell.
            gradient_norm: 0.0,
            step_ms: seconds * 1000.0,
            eta_seconds: self.bar.and_then(|bar| bar.eta_seconds).unwrap_or(seconds * left),
        })
    }
}

#[cfg(test)]
mod tests;
