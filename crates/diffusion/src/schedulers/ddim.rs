//! Denoising diffusion implicit models (Song et al. 2020, arXiv:2010.02502) with η = 0; diffusers' `DDIMScheduler`.

use super::{NoiseSchedule, PredictionType, Scheduler, SchedulerConfig, StepCount, spacing};
use crate::random::Random;

/// Deterministic DDIM.
#[derive(Debug, Clone)]
pub struct Ddim {
    timesteps: Vec<f64>,
    /// ᾱ before and after each step.
    alphas: Vec<(f32, f32)>,
    prediction_type: PredictionType,
    clip_sample: bool,
}

impl Ddim {
    /// Plans the steps.
    pub fn new(config: &SchedulerConfig, n_steps: StepCount) -> Self {
        let schedule = NoiseSchedule::new(config);
        let cleanest = if config.set_alpha_to_one {
            1.0
        } else {
            schedule.alpha_cumprod(0)
        };
        let stride = config.num_train_timesteps / n_steps.get();
        let timesteps: Vec<f64> = spacing::first_order(config, n_steps)
            .into_iter()
            .map(f64::round_ties_even)
            .collect();
        let alphas = timesteps
            .iter()
            .map(|timestep| {
                // With `leading`, few steps and the offset the first timestep may pass the end of the schedule.
                let timestep = (*timestep as usize).min(schedule.n_timesteps() - 1);
                let after = timestep
                    .checked_sub(stride)
                    .map_or(cleanest, |previous| schedule.alpha_cumprod(previous));
                (schedule.alpha_cumprod(timestep), after)
            })
            .collect();
        Self {
            timesteps,
            alphas,
            prediction_type: config.prediction_type,
            clip_sample: config.clip_sample,
        }
    }
}

impl Scheduler for Ddim {
    fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    fn initial_noise_scale(&self) -> f64 {
        1.0
    }

    fn input_scale(&self, _step: usize) -> f64 {
        1.0
    }

    fn step(&mut self, step: usize, output: &[f32], latents: &mut [f32], _random: &mut Random) {
        assert_eq!(output.len(), latents.len(), "output and latents differ");
        let (alpha, alpha_after) = self.alphas[step];
        let (signal, noise) = (alpha.sqrt(), (1.0 - alpha).sqrt());
        let (signal_after, noise_after) = (alpha_after.sqrt(), (1.0 - alpha_after).sqrt());
        for (latent, output) in latents.iter_mut().zip(output) {
            let (mut picture, epsilon) = match self.prediction_type {
                PredictionType::Epsilon => ((*latent - noise * output) / signal, *output),
                PredictionType::VPrediction => (
                    signal * *latent - noise * output,
                    signal * output + noise * *latent,
                ),
                PredictionType::Flow => {
                    unreachable!("`Sampler::plan` takes Euler's steps for rectified flow")
                }
            };
            if self.clip_sample {
                picture = picture.clamp(-1.0, 1.0);
            }
            *latent = signal_after * picture + noise_after * epsilon;
        }
    }
}
