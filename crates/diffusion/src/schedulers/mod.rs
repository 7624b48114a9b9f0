//! Noise schedulers: how a picture is destroyed in training, and how each sampler walks back from noise.
//!
//! All follow diffusers' conventions for SDXL; each is golden-tested against diffusers 0.42.

mod config;
mod ddim;
mod dpmpp_2m;
mod euler;
mod euler_a;
mod flow;
mod noise_schedule;
mod picture;
mod spacing;

use std::str::FromStr;

pub(crate) use self::config::StoredScheduler;
pub use self::{
    config::{PredictionType, SchedulerConfig, TimestepSpacing},
    ddim::Ddim,
    dpmpp_2m::Dpmpp2m,
    euler::Euler,
    euler_a::EulerA,
    noise_schedule::NoiseSchedule,
    picture::predicted_picture,
};
use crate::random::Random;

/// A way from noise to a picture.
///
/// Use: scale unit noise by [`initial_noise_scale`](Scheduler::initial_noise_scale); then for every
/// `(step, timestep)` ask the U-Net about `latents · input_scale(step)` and hand its answer to
/// [`step`](Scheduler::step).
pub trait Scheduler: Send {
    /// The timesteps to ask the U-Net about, from noisy to clean.
    fn timesteps(&self) -> &[f64];

    /// Factor on unit-normal noise before the first step.
    fn initial_noise_scale(&self) -> f64;

    /// Factor on the latents before they go into the U-Net at this step.
    fn input_scale(&self, step: usize) -> f64;

    /// Moves `latents` to the next, less noisy level. `output` is the U-Net's answer, guidance applied.
    ///
    /// Steps are taken in order from 0; `random` is only drawn from by ancestral samplers.
    ///
    /// # Panics
    /// If `step` is not below the number of timesteps, or the slices differ in length.
    fn step(&mut self, step: usize, output: &[f32], latents: &mut [f32], random: &mut Random);
}

/// Names of the samplers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Sampler {
    /// Euler's method (Karras et al. 2022, algorithm 2 without churn): [`Euler`].
    #[default]
    Euler,
    /// Euler's method with fresh noise at every step: [`EulerA`].
    EulerA,
    /// Denoising diffusion implicit models with η = 0 (Song et al. 2020): [`Ddim`].
    Ddim,
    /// DPM-Solver++ of second order, multistep (Lu et al. 2022): [`Dpmpp2m`].
    Dpmpp2m,
}

impl Sampler {
    /// Every sampler.
    pub const ALL: [Self; 4] = [Self::Euler, Self::EulerA, Self::Ddim, Self::Dpmpp2m];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Euler => "euler",
            Self::EulerA => "euler_a",
            Self::Ddim => "ddim",
            Self::Dpmpp2m => "dpmpp_2m",
        }
    }

    /// Plans `n_steps` steps for a base model's scheduler configuration.
    pub fn plan(self, config: &SchedulerConfig, n_steps: StepCount) -> Box<dyn Scheduler> {
        if config.prediction_type == PredictionType::Flow {
            return match self {
                // On a straight line DDIM's step (picture and noise as predicted, mixed anew) is Euler's.
                Self::Euler | Self::Ddim => Box::new(flow::Euler::new(config, n_steps)),
                Self::EulerA => Box::new(flow::EulerA::new(config, n_steps)),
                Self::Dpmpp2m => Box::new(Dpmpp2m::new(config, n_steps)),
            };
        }
        match self {
            Self::Euler => Box::new(Euler::new(config, n_steps)),
            Self::EulerA => Box::new(EulerA::new(config, n_steps)),
            Self::Ddim => Box::new(Ddim::new(config, n_steps)),
            Self::Dpmpp2m => Box::new(Dpmpp2m::new(config, n_steps)),
        }
    }
}

/// A name that no sampler has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown sampler `{0}`, expected euler, euler_a, ddim or dpmpp_2m")]
pub struct UnknownSampler(String);

impl FromStr for Sampler {
    type Err = UnknownSampler;

    fn from_str(name: &str) -> Result<Self, UnknownSampler> {
        Self::ALL
            .into_iter()
            .find(|sampler| sampler.name() == name)
            .ok_or_else(|| UnknownSampler(name.to_owned()))
    }
}

/// A number of steps that any schedule of 1000 timesteps can be cut into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepCount(u32);

/// Too few or too many steps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} denoising steps, expected 1 to {max}", max = StepCount::MAX)]
pub struct InvalidStepCount(u32);

impl StepCount {
    /// Half of the trained timesteps: beyond it samplers repeat themselves.
    pub const MAX: u32 = 500;

    /// The number.
    pub fn get(self) -> usize {
        self.0 as usize
    }
}

impl TryFrom<u32> for StepCount {
    type Error = InvalidStepCount;

    fn try_from(n_steps: u32) -> Result<Self, InvalidStepCount> {
        if (1..=Self::MAX).contains(&n_steps) {
            Ok(Self(n_steps))
        } else {
            Err(InvalidStepCount(n_steps))
        }
    }
}

#[cfg(test)]
mod tests;
