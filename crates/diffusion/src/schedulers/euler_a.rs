//! Euler's method with fresh noise at every step: diffusers' `EulerAncestralDiscreteScheduler`.

use super::{Scheduler, SchedulerConfig, StepCount, euler::SigmaLevels};
use crate::random::Random;

/// Ancestral sampling with Euler's method: it never settles, more steps give another picture.
#[derive(Debug, Clone)]
pub struct EulerA {
    levels: SigmaLevels,
}

impl EulerA {
    /// Plans the steps.
    pub fn new(config: &SchedulerConfig, n_steps: StepCount) -> Self {
        Self {
            levels: SigmaLevels::new(config, n_steps),
        }
    }
}

impl Scheduler for EulerA {
    fn timesteps(&self) -> &[f64] {
        &self.levels.timesteps
    }

    fn initial_noise_scale(&self) -> f64 {
        self.levels.initial_noise_scale
    }

    fn input_scale(&self, step: usize) -> f64 {
        self.levels.input_scale(step)
    }

    fn step(&mut self, step: usize, output: &[f32], latents: &mut [f32], random: &mut Random) {
        let from = self.levels.sigmas[step];
        let to = self.levels.sigmas[step + 1];
        // Go below the next level, then add as much noise as leads up to it.
        let up = (to * to * (from * from - to * to) / (from * from)).sqrt();
        let down = (to * to - up * up).sqrt();
        self.levels.move_to(step, down, output, latents);
        // Drawn at the last step too, where it counts nothing, as diffusers does.
        for (latent, noise) in latents.iter_mut().zip(random.normal(output.len())) {
            *latent += noise * up;
        }
    }
}
