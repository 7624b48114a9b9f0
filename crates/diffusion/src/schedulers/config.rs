//! The part of a base model's `scheduler_config.json` that the samplers need.

use serde::Deserialize;

/// What the U-Net was trained to predict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PredictionType {
    /// The noise that was added.
    #[default]
    Epsilon,
    /// The velocity √ᾱ·noise − √(1−ᾱ)·picture (Salimans and Ho 2022).
    VPrediction,
}

/// Where the sampled timesteps lie (table 2 of Lin et al. 2023, arXiv:2305.08891).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimestepSpacing {
    /// From the first to the last timestep evenly.
    Linspace,
    /// Multiples of a whole stride, from 0 up, plus the offset.
    #[default]
    Leading,
    /// From the last timestep down in even strides.
    Trailing,
}

/// How a base model was noised in training, and how its samplers choose timesteps.
///
/// The defaults are those of stabilityai/stable-diffusion-xl-base-1.0's `scheduler_config.json`, which also holds
/// for single-file checkpoints, where nothing is written down.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct SchedulerConfig {
    /// How many timesteps the noise is spread over.
    pub num_train_timesteps: usize,
    /// Variance added by the first timestep.
    pub beta_start: f64,
    /// Variance added by the last timestep.
    pub beta_end: f64,
    /// Only `scaled_linear` is known.
    pub beta_schedule: BetaSchedule,
    /// What the U-Net predicts.
    pub prediction_type: PredictionType,
    /// Where the sampled timesteps lie.
    pub timestep_spacing: TimestepSpacing,
    /// Added to the timesteps of [`TimestepSpacing::Leading`].
    pub steps_offset: usize,
    /// Whether the last timestep is made pure noise (Lin et al. 2023).
    pub rescale_betas_zero_snr: bool,
    /// DDIM only: whether the step below timestep 0 leads to a noiseless picture rather than to timestep 0.
    pub set_alpha_to_one: bool,
    /// DDIM only: whether the predicted picture is clipped to ±1; wrong for latents, and off in SDXL.
    pub clip_sample: bool,
}

/// How the variance grows between its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BetaSchedule {
    /// The square root grows linearly: latent diffusion's schedule.
    #[default]
    ScaledLinear,
}

impl Default for SchedulerConfig {
    fn default() -> Self {
        Self {
            num_train_timesteps: 1000,
            beta_start: 0.00085,
            beta_end: 0.012,
            beta_schedule: BetaSchedule::ScaledLinear,
            prediction_type: PredictionType::Epsilon,
            timestep_spacing: TimestepSpacing::Leading,
            steps_offset: 1,
            rescale_betas_zero_snr: false,
            set_alpha_to_one: false,
            clip_sample: false,
        }
    }
}

impl SchedulerConfig {
    /// Says what is wrong with values that a hostile or foreign file may hold.
    pub(crate) fn check(&self) -> Result<(), String> {
        if !(1000..=100_000).contains(&self.num_train_timesteps) {
            return Err(format!(
                "num_train_timesteps is {}, expected 1000",
                self.num_train_timesteps
            ));
        }
        if !(self.beta_start > 0.0 && self.beta_start < self.beta_end && self.beta_end < 1.0) {
            return Err(format!(
                "beta_start {} and beta_end {} are not rising between 0 and 1",
                self.beta_start, self.beta_end
            ));
        }
        if self.steps_offset > 1 {
            return Err(format!("steps_offset is {}, expected 0 or 1", self.steps_offset));
        }
        Ok(())
    }
}
