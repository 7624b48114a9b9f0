//! DPM-Solver++ of second order, multistep, midpoint (Lu et al. 2022, arXiv:2211.01095, algorithm 2);
//! diffusers' `DPMSolverMultistepScheduler` with its defaults.

use super::{NoiseSchedule, PredictionType, Scheduler, SchedulerConfig, StepCount, flow, spacing};
use crate::random::Random;

/// DPM-Solver++(2M).
#[derive(Debug, Clone)]
pub struct Dpmpp2m {
    timesteps: Vec<f64>,
    /// Noise level before each step, and the noiseless one after the last.
    levels: Vec<Level>,
    prediction_type: PredictionType,
    /// The picture as the step before saw it.
    previous_picture: Option<Vec<f32>>,
}

/// Shares of picture and noise, and half the logarithm of their ratio squared.
#[derive(Debug, Clone, Copy)]
struct Level {
    alpha: f32,
    sigma: f32,
    lambda: f32,
}

impl Level {
    fn new(sigma: f32) -> Self {
        let alpha = 1.0 / (sigma * sigma + 1.0).sqrt();
        let sigma = sigma * alpha;
        Self {
            alpha,
            sigma,
            lambda: alpha.ln() - sigma.ln(),
        }
    }
}

impl Level {
    /// A level of rectified flow.
    fn of_flow(sigma: f64) -> Self {
        let (alpha, sigma) = ((1.0 - sigma) as f32, sigma as f32);
        Self {
            alpha,
            sigma,
            lambda: alpha.ln() - sigma.ln(),
        }
    }
}

impl Dpmpp2m {
    /// Plans the steps.
    pub fn new(config: &SchedulerConfig, n_steps: StepCount) -> Self {
        if config.prediction_type == PredictionType::Flow {
            return Self::of_flow(config, n_steps);
        }
        let trained = NoiseSchedule::new(config).sigmas();
        let timesteps = spacing::second_order(config, n_steps);
        let levels = timesteps
            .iter()
            .map(|timestep| NoiseSchedule::sigma_at(&trained, *timestep) as f32)
            .chain([0.0])
            .map(Level::new)
            .collect();
        Self {
            timesteps,
            levels,
            prediction_type: config.prediction_type,
            previous_picture: None,
        }
    }

    /// Along a straight line; `use_flow_sigmas` in diffusers.
    fn of_flow(config: &SchedulerConfig, n_steps: StepCount) -> Self {
        let n_train = config.num_train_timesteps as f64;
        // The last of one level more would be noiseless.
        let sigmas = flow::between((n_train - 1.0) / n_train, 0.0, n_steps.get() + 1);
        let sigmas = sigmas
            .iter()
            .take(n_steps.get())
            .map(|sigma| flow::shifted(config.shift, *sigma));
        let sigmas: Vec<f64> = sigmas.collect();
        let levels = sigmas.iter().copied().chain([0.0]).map(Level::of_flow).collect();
        Self {
            // diffusers tells the U-Net whole timesteps.
            timesteps: sigmas.iter().map(|sigma| (sigma * n_train).trunc()).collect(),
            levels,
            prediction_type: PredictionType::Flow,
            previous_picture: None,
        }
    }

    fn predicted_picture(&self, level: Level, output: &[f32], latents: &[f32]) -> Vec<f32> {
        let Level { alpha, sigma, .. } = level;
        latents
            .iter()
            .zip(output)
            .map(|(latent, output)| match self.prediction_type {
                PredictionType::Epsilon => (latent - sigma * output) / alpha,
                PredictionType::VPrediction => alpha * latent - sigma * output,
                PredictionType::Flow => latent - sigma * output,
            })
            .collect()
    }
}

impl Scheduler for Dpmpp2m {
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
        let (from, to) = (self.levels[step], self.levels[step + 1]);
        let picture = self.predicted_picture(from, output, latents);
        let h = to.lambda - from.lambda;
        let keep = to.sigma / from.sigma;
        // exp(−∞) = 0 at the last step, which then leads straight to the picture.
        let toward = to.alpha * (1.0 - (-h).exp());

        let is_last = step + 1 == self.timesteps.len();
        match self.previous_picture.take() {
            Some(previous) if !is_last => {
                let h_before = from.lambda - self.levels[step - 1].lambda;
                let slope = 0.5 * h / h_before;
                for ((latent, now), before) in latents.iter_mut().zip(&picture).zip(&previous) {
                    *latent = keep * *latent + toward * (now + slope * (now - before));
                }
            }
            // First order where there is no history, and at the end, where h is infinite.
            _ => {
                for (latent, now) in latents.iter_mut().zip(&picture) {
                    *latent = keep * *latent + toward * now;
                }
            }
        }
        self.previous_picture = Some(picture);
    }
}
