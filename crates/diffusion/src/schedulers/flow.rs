//! Samplers along the straight line between noise and picture: rectified flow.
//!
//! The latents are `(1 − σ)·picture + σ·noise`, the U-Net is told σ times the number of timesteps, and its answer is
//! the velocity `noise − picture`.

use super::{Scheduler, SchedulerConfig, StepCount};
use crate::random::Random;

/// Euler's method; diffusers' `FlowMatchEulerDiscreteScheduler`.
#[derive(Debug, Clone)]
pub(super) struct Euler {
    levels: Levels,
}

impl Euler {
    pub(super) fn new(config: &SchedulerConfig, n_steps: StepCount) -> Self {
        Self {
            levels: Levels::new(config, n_steps),
        }
    }
}

impl Scheduler for Euler {
    fn timesteps(&self) -> &[f64] {
        &self.levels.timesteps
    }

    fn initial_noise_scale(&self) -> f64 {
        1.0
    }

    fn input_scale(&self, _step: usize) -> f64 {
        1.0
    }

    fn step(&mut self, step: usize, output: &[f32], latents: &mut [f32], _random: &mut Random) {
        assert_eq!(output.len(), latents.len(), "output and latents differ");
        let distance = self.levels.sigmas[step + 1] - self.levels.sigmas[step];
        for (latent, velocity) in latents.iter_mut().zip(output) {
            *latent += velocity * distance;
        }
    }
}

/// Euler's method with fresh noise at every step.
///
/// Each step goes below the next level and mixes in as much fresh noise as leads up to it. With η = 1 it goes down to
/// σ↓ = σ′² / σ; the picture is then scaled by (1 − σ′) / (1 − σ↓), and the variances of the two noises,
/// σ↓²·(1 − σ′)² / (1 − σ↓)² and the fresh one's, add up to σ′².
#[derive(Debug, Clone)]
pub(super) struct EulerA {
    levels: Levels,
}

impl EulerA {
    pub(super) fn new(config: &SchedulerConfig, n_steps: StepCount) -> Self {
        Self {
            levels: Levels::new(config, n_steps),
        }
    }
}

impl Scheduler for EulerA {
    fn timesteps(&self) -> &[f64] {
        &self.levels.timesteps
    }

    fn initial_noise_scale(&self) -> f64 {
        1.0
    }

    fn input_scale(&self, _step: usize) -> f64 {
        1.0
    }

    fn step(&mut self, step: usize, output: &[f32], latents: &mut [f32], random: &mut Random) {
        assert_eq!(output.len(), latents.len(), "output and latents differ");
        let (from, to) = (self.levels.sigmas[step], self.levels.sigmas[step + 1]);
        let down = to * to / from;
        let scale = (1.0 - to) / (1.0 - down);
        // Rounding may leave a little less than nothing.
        let up = (to * to - (down * scale).powi(2)).max(0.0).sqrt();
        let fresh = random.normal(output.len());
        for ((latent, velocity), noise) in latents.iter_mut().zip(output).zip(fresh) {
            *latent = (*latent + velocity * (down - from)) * scale + noise * up;
        }
    }
}

/// The noise levels of a plan.
#[derive(Debug, Clone)]
struct Levels {
    timesteps: Vec<f64>,
    /// σ before each step, and 0 after the last.
    sigmas: Vec<f32>,
}

impl Levels {
    /// diffusers moves the cleanest trained level before it divides what lies between, and all of them after.
    fn new(config: &SchedulerConfig, n_steps: StepCount) -> Self {
        let n_train = config.num_train_timesteps as f64;
        let cleanest = shifted(config.shift, 1.0 / n_train);
        let sigmas = between(1.0, cleanest, n_steps.get());
        let sigmas: Vec<f64> = sigmas
            .into_iter()
            .map(|sigma| shifted(config.shift, sigma))
            .collect();
        Self {
            timesteps: sigmas.iter().map(|sigma| sigma * n_train).collect(),
            sigmas: sigmas.iter().map(|sigma| *sigma as f32).chain([0.0]).collect(),
        }
    }
}

/// `n` numbers in even distances from `first` to `last`; the first alone where there is one.
pub(super) fn between(first: f64, last: f64, n: usize) -> Vec<f64> {
    let stride = (last - first) / (n.max(2) - 1) as f64;
    (0..n).map(|i| first + stride * i as f64).collect()
}

/// σ moved toward noise (Esser et al. 2024, equation 23).
pub(super) fn shifted(shift: f64, sigma: f64) -> f64 {
    shift * sigma / (1.0 + (shift - 1.0) * sigma)
}
