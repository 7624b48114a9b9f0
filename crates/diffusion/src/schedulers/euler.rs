//! Euler's method in σ space: Karras et al. 2022, algorithm 2 without churn; diffusers' `EulerDiscreteScheduler`.

use super::{NoiseSchedule, PredictionType, Scheduler, SchedulerConfig, StepCount, TimestepSpacing, spacing};
use crate::random::Random;

/// Euler's method.
#[derive(Debug, Clone)]
pub struct Euler {
    levels: SigmaLevels,
}

impl Euler {
    /// Plans the steps.
    pub fn new(config: &SchedulerConfig, n_steps: StepCount) -> Self {
        Self {
            levels: SigmaLevels::new(config, n_steps),
        }
    }
}

impl Scheduler for Euler {
    fn timesteps(&self) -> &[f64] {
        &self.levels.timesteps
    }

    fn initial_noise_scale(&self) -> f64 {
        self.levels.initial_noise_scale
    }

    fn input_scale(&self, step: usize) -> f64 {
        self.levels.input_scale(step)
    }

    fn step(&mut self, step: usize, output: &[f32], latents: &mut [f32], _random: &mut Random) {
        let target = self.levels.sigmas[step + 1];
        self.levels.move_to(step, target, output, latents);
    }
}

/// The noise levels of a plan, shared by Euler's methods.
#[derive(Debug, Clone)]
pub(super) struct SigmaLevels {
    pub(super) timesteps: Vec<f64>,
    /// σ before each step, and 0 after the last.
    pub(super) sigmas: Vec<f32>,
    pub(super) initial_noise_scale: f64,
    prediction_type: PredictionType,
}

impl SigmaLevels {
    pub(super) fn new(config: &SchedulerConfig, n_steps: StepCount) -> Self {
        let trained = NoiseSchedule::new(config).sigmas();
        let timesteps = spacing::first_order(config, n_steps);
        let sigmas: Vec<f32> = timesteps
            .iter()
            .map(|timestep| NoiseSchedule::sigma_at(&trained, *timestep) as f32)
            .chain([0.0])
            .collect();
        let noisiest = sigmas.iter().copied().fold(0.0, f32::max);
        let initial_noise_scale = match config.timestep_spacing {
            TimestepSpacing::Linspace | TimestepSpacing::Trailing => noisiest,
            TimestepSpacing::Leading => noisiest.hypot(1.0),
        };
        Self {
            timesteps,
            sigmas,
            initial_noise_scale: f64::from(initial_noise_scale),
            prediction_type: config.prediction_type,
        }
    }

    pub(super) fn input_scale(&self, step: usize) -> f64 {
        let sigma = f64::from(self.sigmas[step]);
        1.0 / sigma.hypot(1.0)
    }

    /// Follows the derivative at this step's σ down to `target`.
    pub(super) fn move_to(&self, step: usize, target: f32, output: &[f32], latents: &mut [f32]) {
        assert_eq!(output.len(), latents.len(), "output and latents differ");
        let sigma = self.sigmas[step];
        let distance = target - sigma;
        match self.prediction_type {
            PredictionType::Flow => unreachable!("`Sampler::plan` takes `flow` for rectified flow"),
            PredictionType::Epsilon => {
                for (latent, noise) in latents.iter_mut().zip(output) {
                    *latent += noise * distance;
                }
            }
            PredictionType::VPrediction => {
                let scale = sigma * sigma + 1.0;
                for (latent, velocity) in latents.iter_mut().zip(output) {
                    let picture = velocity * (-sigma / scale.sqrt()) + *latent / scale;
                    *latent += (*latent - picture) / sigma * distance;
                }
            }
        }
    }
}
