//! Learning rates over the steps.

#[cfg(test)]
mod tests;

use std::f64::consts::PI;

use protocol::recipe::{LrSchedule, Parameters};

/// Learning rate of every step of a training.
#[derive(Debug, Clone, Copy)]
pub struct LearningRate {
    /// Its highest value.
    pub peak: f64,
    /// How it moves.
    pub schedule: LrSchedule,
    /// Steps over which it rises from zero.
    pub n_warmup_steps: u32,
    /// Steps of the whole training.
    pub n_steps: u32,
    /// How often a cosine with restarts starts.
    pub n_cycles: u16,
    /// The power of a polynomial.
    pub power: f64,
    /// The share of the highest value that it ends at.
    pub min_ratio: f64,
}

/// Where a polynomial ends at the lowest (transformers' `lr_end`).
const POLYNOMIAL_END: f64 = 1e-7;

/// How slowly the inverse square root falls without a warm-up, whose length it is otherwise (transformers' `timescale`).
const TIMESCALE: f64 = 10_000.0;

impl LearningRate {
    /// The learning rates of a recipe.
    pub fn of(p: &Parameters) -> Self {
        Self {
            peak: p.learning_rate,
            schedule: p.lr_schedule,
            n_warmup_steps: p.n_warmup_steps,
            n_steps: p.n_steps,
            n_cycles: p.n_cycles,
            power: p.polynomial_power,
            min_ratio: p.min_lr_ratio,
        }
    }

    /// Learning rate of a step, counted from 0. The first step of a warm-up has 0, as in sd-scripts (transformers'
    /// `get_cosine_schedule_with_warmup`).
    pub fn at(&self, step: u32) -> f64 {
        if step < self.n_warmup_steps {
            return self.peak * f64::from(step) / f64::from(self.n_warmup_steps);
        }
        let factor = self.factor(step - self.n_warmup_steps);
        match self.end() {
            0.0 => self.peak * factor,
            end => self.peak * (end + (1.0 - end) * factor),
        }
    }

    /// The share of the highest rate that it does not fall below.
    fn end(&self) -> f64 {
        match self.schedule {
            LrSchedule::Constant => 0.0,
            LrSchedule::Polynomial => (POLYNOMIAL_END / self.peak).clamp(self.min_ratio, 1.0),
            _ => self.min_ratio,
        }
    }

    /// What the highest rate is multiplied with so many steps after the warm-up, if it falls to zero.
    fn factor(&self, n_done: u32) -> f64 {
        let length = self.n_steps.saturating_sub(self.n_warmup_steps).max(1);
        let progress = (f64::from(n_done) / f64::from(length)).min(1.0);
        match self.schedule {
            LrSchedule::Constant => 1.0,
            LrSchedule::Linear => 1.0 - progress,
            LrSchedule::Cosine => half_cosine(progress),
            LrSchedule::CosineWithRestarts if progress == 1.0 => 0.0,
            LrSchedule::CosineWithRestarts => half_cosine((f64::from(self.n_cycles) * progress).fract()),
            LrSchedule::Polynomial => (1.0 - progress).powf(self.power),
            LrSchedule::InverseSqrt => {
                let timescale = match self.n_warmup_steps {
                    0 => TIMESCALE,
                    n_warmup_steps => f64::from(n_warmup_steps),
                };
                (timescale / (f64::from(n_done) + timescale)).sqrt()
            }
            // Chen et al. 2021, arXiv:2107.04197, section 3.2.
            LrSchedule::Rex => (1.0 - progress) / (0.5 + 0.5 * (1.0 - progress)),
        }
    }

    /// What it does from any step after the warm-up on, for a person: the end of a sentence.
    pub fn outlook(&self) -> String {
        let end = match self.at(self.n_steps) {
            0.0 => "zero".to_owned(),
            rate => format!("{rate:.3e}"),
        };
        let way = match self.schedule {
            LrSchedule::Constant => return "stays there".to_owned(),
            LrSchedule::Linear => "straight".to_owned(),
            LrSchedule::Cosine => "along half a cosine".to_owned(),
            LrSchedule::CosineWithRestarts => format!("{} times along half a cosine", self.n_cycles),
            LrSchedule::Polynomial => format!("along a polynomial of power {}", self.power),
            LrSchedule::InverseSqrt => "with the square root of the steps".to_owned(),
            LrSchedule::Rex => "along REX".to_owned(),
        };
        format!("falls {way} to {end} at step {}", self.n_steps)
    }
}

fn half_cosine(progress: f64) -> f64 {
    0.5 * (1.0 + (PI * progress).cos())
}
