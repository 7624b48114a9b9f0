//! Creates step events from sd-scripts' scalars, or from its progress bar if there are no scalars.
//!
//! The bar shows a running mean with three digits, which one NaN spoils for good; the scalars are the losses
//! themselves. The bar counts only when it has moved three steps and not one scalar was written.

use std::collections::VecDeque;

use protocol::{event::StepMetrics, parameters::Optimizer, recipe::Parameters};
use trainer::schedule::LearningRate;

use super::{log::StepBar, tensorboard::Scalar};

/// Steps with a loss that is not finite, one after the other, after which a training is given up: weights that were
/// updated with NaN stay so, while fp16 skips the update and recovers.
pub const MAX_BROKEN_STEPS: u32 = 3;
/// Steps that the bar shows before it is believed that nobody writes scalars.
const PATIENCE: u32 = 3;

/// Step times of which the median tells how long the rest takes.
const N_TIMES: usize = 20;

/// The steps of one run.
#[derive(Debug)]
pub struct Metrics {
    n_steps: u32,
    /// Steps that were done before this run; sd-scripts counts its own only.
    n_before: u32,
    learning_rate: LearningRate,
    /// Where Prodigy starts to look for a factor of the learning rate, which only grows; 1 for other optimizers.
    least_factor: f64,
    epoch: (u32, u32),
    n_batches: Option<u32>,
    accumulation: u32,
    /// Losses of the batches since the last step.
    batches: Vec<f64>,
    /// Losses of an epoch's worth of steps.
    recent: VecDeque<f64>,
    /// The newest step that was reported.
    step: u32,
    /// What `lr/unet` said last: it is written after a step, and belongs to the next.
    next_rate: Option<f64>,
    /// What Prodigy made of it, which counts wherever it is told.
    found_rate: Option<f64>,
    bar: Option<StepBar>,
    has_scalars: bool,
    /// When the newest step was done, by the event file.
    done_at: Option<f64>,
    /// The first step of this run, and when it was done.
    began_at: Option<(u32, f64)>,
    /// Seconds of the newest steps.
    times: VecDeque<f64>,
    n_broken: u32,
    first_broken: Option<u32>,
}

impl Metrics {
    /// Of a training with these parameters that goes on after so many steps.
    pub fn new(p: &Parameters, n_before: u32) -> Self {
        Self {
            n_steps: p.n_steps,
            n_before,
            learning_rate: LearningRate::of(p),
            least_factor: match p.optimizer {
                Optimizer::Prodigy | Optimizer::ProdigyScheduleFree => p.optimizer_number("d0"),
                _ => 1.0,
            },
            epoch: (1, 1),
            n_batches: None,
            accumulation: u32::from(p.gradient_accumulation),
            batches: Vec::new(),
            recent: VecDeque::new(),
            step: n_before,
            next_rate: None,
            found_rate: None,
            bar: None,
            has_scalars: false,
            done_at: None,
            began_at: None,
            times: VecDeque::new(),
            n_broken: 0,
            first_broken: None,
        }
    }

    /// An epoch begins.
    pub fn epoch(&mut self, epoch: u32, n_epochs: u32) {
        self.epoch = (epoch, n_epochs);
    }

    /// Batches in an epoch.
    pub fn batches(&mut self, n: u32) {
        self.n_batches = Some(n);
    }

    /// Batches in a step.
    pub fn accumulation(&mut self, n: u32) {
        self.accumulation = n.max(1);
    }

    /// The epoch that a step belongs to, and all epochs. The line that names an epoch is printed before its
    /// predecessor's last scalar is read, so it counts only where the length of an epoch was never said.
    pub fn epoch_of(&self, step: u32) -> (u32, u32) {
        let Some(n_batches) = self.n_batches else {
            return self.epoch;
        };
        // What is left at the end of an epoch makes a step.
        let length = n_batches.div_ceil(self.accumulation).max(1);
        (step.saturating_sub(1) / length + 1, self.n_steps.div_ceil(length))
    }

    /// The newest step that was seen, on the bar or among the scalars.
    pub fn newest_step(&self) -> u32 {
        self.step.max(self.bar.map_or(0, |bar| self.n_before + bar.step))
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
                let step = u32::try_from(scalar.step).ok()?.checked_add(self.n_before)?;
                if step <= self.step {
                    return None;
                }
                let loss = self.batches.iter().sum::<f64>() / self.batches.len() as f64;
                self.batches.clear();
                self.take_time(step, scalar.wall_time);
                self.step_done(step, loss, None)
            }
            "lr/unet" => {
                self.next_rate = Some(value);
                None
            }
            // Of the schedule-free Prodigy it is told without a part, and where text encoders are trained before the
            // one above.
            "lr/d*lr/unet" | "lr/d*lr" => {
                self.found_rate = Some(value);
                None
            }
            // With factors of its own for each block, the largest.
            tag if tag.starts_with("lr/unet_block") => {
                self.next_rate = Some(self.next_rate.map_or(value, |rate| rate.max(value)));
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

    fn take_time(&mut self, step: u32, at: f64) {
        self.began_at.get_or_insert((step, at));
        if let Some(before) = self.done_at.replace(at) {
            let n_steps = f64::from(step - self.step);
            self.times.push_back((at - before).max(0.0) / n_steps);
            if self.times.len() > N_TIMES {
                self.times.pop_front();
            }
        }
    }

    /// Seconds of a step, and those to the last. Steps before a sample or a checkpoint seem long, so that the median
    /// tells what a step takes; what is left has such pauses too, so that the mean tells when it ends. The bar's mean
    /// has the loading and caching in it as well, and counts only before there is something better.
    fn pace(&self, step: u32) -> (f64, f64) {
        let left = f64::from(self.n_steps.saturating_sub(step));
        if let (Some((first, began_at)), Some(done_at)) = (self.began_at, self.done_at)
            && step > first
        {
            let mut times: Vec<f64> = self.times.iter().copied().collect();
            times.sort_by(f64::total_cmp);
            let mean = (done_at - began_at).max(0.0) / f64::from(step - first);
            return (times[(times.len() - 1) / 2], mean * left);
        }
        let mean = self.bar.and_then(|bar| bar.seconds_per_step).unwrap_or(0.0);
        let said = self.bar.and_then(|bar| bar.eta_seconds);
        (mean, said.unwrap_or(mean * left))
    }

    fn step_of_bar(&mut self, bar: StepBar) -> Option<StepMetrics> {
        let step = self.n_before + bar.step;
        let is_alone =
            !self.has_scalars && (self.step > self.n_before || bar.step >= PATIENCE || bar.step == bar.total);
        if !is_alone || step <= self.step {
            return None;
        }
        let average = bar.average_loss?;
        self.step_done(step, average, Some(average))
    }

    fn step_done(&mut self, step: u32, loss: f64, average: Option<f64>) -> Option<StepMetrics> {
        self.step = step;
        let (said, found) = (self.next_rate.take(), self.found_rate.take());
        if !loss.is_finite() {
            self.n_broken += 1;
            self.first_broken.get_or_insert(step);
            return None;
        }
        (self.n_broken, self.first_broken) = (0, None);
        let (epoch, n_epochs) = self.epoch_of(step);
        let n_recent = (self.n_steps / n_epochs.max(1)).max(1) as usize;
        self.recent.push_back(loss);
        while self.recent.len() > n_recent {
            self.recent.pop_front();
        }
        let mean = self.recent.iter().sum::<f64>() / self.recent.len() as f64;
        let (seconds, eta_seconds) = self.pace(step);
        Some(StepMetrics {
            step,
            n_steps: self.n_steps,
            epoch,
            n_epochs,
            loss,
            average_loss: average.unwrap_or(mean),
            // None is told before the first step of a run. What Prodigy had found when a run goes on is not known.
            learning_rate: found
                .or(said)
                .unwrap_or_else(|| self.least_factor * self.learning_rate.at(step - 1)),
            // sd-scripts does not tell.
            gradient_norm: 0.0,
            step_ms: seconds * 1000.0,
            eta_seconds,
        })
    }
}

#[cfg(test)]
mod tests;
