//! Learning rates over the steps.

#[cfg(test)]
mod tests;

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
}

impl LearningRate {
    /// The learning rates of a recipe.
    pub fn of(p: &Parameters) -> Self {
        Self {
            peak: p.learning_rate,
            schedule: p.lr_schedule,
            n_warmup_steps: p.n_warmup_steps,
            n_steps: p.n_steps,
        }
    }

    /// Learning rate of a step, counted from 0. The first step of a warm-up has 0, as in sd-scripts (transformers'
    /// `get_cosine_schedule_with_warmup`).
    pub fn at(&self, step: u32) -> f64 {
        if step < self.n_warmup_steps {
            return self.peak * f64::from(step) / f64::from(self.n_warmup_steps);
        }
        match self.schedule {
            LrSchedule::Constant => self.peak,
            LrSchedule::Cosine => {
                let length = self.n_steps.saturating_sub(self.n_warmup_steps).max(1);
                let progress = f64::from(step - self.n_warmup_steps) / f64::from(length);
                let factor = 0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos());
                self.peak * factor
            }
        }
    }
}
