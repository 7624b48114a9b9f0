//! The part of a base model's `scheduler_config.json` that the samplers need.

use protocol::base::Prediction;
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
    /// The velocity noise − picture along the straight line between both: rectified flow (Liu et al. 2022,
    /// arXiv:2209.03003; Esser et al. 2024, arXiv:2403.03206).
    #[serde(rename = "flow_prediction")]
    Flow,
}

impl PredictionType {
    /// What the U-Net should say about a number of the picture and one of the noise, which were mixed with the factors
    /// `mix` ([`NoiseSchedule::mix`](super::NoiseSchedule::mix)).
    pub fn target(self, (signal, amount): (f32, f32), picture: f32, noise: f32) -> f32 {
        match self {
            Self::Epsilon => noise,
            Self::VPrediction => signal * noise - amount * picture,
            Self::Flow => noise - picture,
        }
    }
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
    /// Rectified flow only: how far timesteps are moved toward noise, σ ↦ shift·σ / (1 + (shift − 1)·σ) (Esser et al.
    /// 2024, equation 23). 1 moves none.
    pub shift: f64,
}

/// `scheduler_config.json` as diffusers writes it: what a class of schedulers means is added.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct StoredScheduler {
    #[serde(rename = "_class_name", default)]
    class_name: String,
    #[serde(flatten)]
    config: SchedulerConfig,
    #[serde(default)]
    trained_betas: Option<Vec<f64>>,
    #[serde(default)]
    use_flow_sigmas: bool,
    #[serde(default)]
    flow_shift: Option<f64>,
    #[serde(default)]
    use_dynamic_shifting: bool,
    #[serde(default)]
    invert_sigmas: bool,
    #[serde(default)]
    shift_terminal: Option<f64>,
}

impl StoredScheduler {
    /// The configuration, if our samplers can follow it.
    pub(crate) fn into_config(self) -> Result<SchedulerConfig, String> {
        if self.class_name.starts_with("EDM") {
            return Err(format!(
                "{} means that the U-Net predicts by EDM's formulas, which is not supported: expected epsilon, \
                 v-prediction or rectified flow",
                self.class_name
            ));
        }
        let refused = [
            ("trained_betas", self.trained_betas.is_some()),
            ("use_dynamic_shifting", self.use_dynamic_shifting),
            ("invert_sigmas", self.invert_sigmas),
            ("shift_terminal", self.shift_terminal.is_some()),
        ];
        if let Some((field, _)) = refused.into_iter().find(|(_, is_set)| *is_set) {
            return Err(format!("{field} is set, which is not supported"));
        }
        let mut config = self.config;
        if self.class_name.starts_with("FlowMatch") || self.use_flow_sigmas {
            config.prediction_type = PredictionType::Flow;
        }
        if self.use_flow_sigmas
            && let Some(shift) = self.flow_shift
        {
            config.shift = shift;
        }
        config.check()?;
        Ok(config)
    }
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
            shift: 1.0,
        }
    }
}

impl SchedulerConfig {
    /// What the U-Net predicts, with the noise schedule that goes with it.
    pub fn prediction(&self) -> Prediction {
        match self.prediction_type {
            PredictionType::Epsilon => Prediction::Epsilon,
            PredictionType::VPrediction if self.rescale_betas_zero_snr => Prediction::VZeroSnr,
            PredictionType::VPrediction => Prediction::V,
            PredictionType::Flow => Prediction::Flow,
        }
    }

    /// The configuration for another prediction. Zero terminal SNR needs the last timestep to be visited (Lin et al.
    /// 2023, section 3.3).
    pub(crate) fn with_prediction(self, prediction: Prediction) -> Self {
        let is_zero_snr = prediction == Prediction::VZeroSnr;
        let timestep_spacing = if is_zero_snr && !self.rescale_betas_zero_snr {
            TimestepSpacing::Trailing
        } else {
            self.timestep_spacing
        };
        Self {
            prediction_type: match prediction {
                Prediction::Epsilon => PredictionType::Epsilon,
                Prediction::V | Prediction::VZeroSnr => PredictionType::VPrediction,
                Prediction::Flow => PredictionType::Flow,
            },
            rescale_betas_zero_snr: is_zero_snr,
            timestep_spacing,
            ..self
        }
    }

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
        if !(self.shift.is_finite() && (0.01..=100.0).contains(&self.shift)) {
            return Err(format!("shift is {}, expected 0.01 to 100", self.shift));
        }
        if self.rescale_betas_zero_snr && self.prediction_type == PredictionType::Epsilon {
            return Err(
                "rescale_betas_zero_snr is on with prediction_type epsilon: noise tells nothing of the picture at zero SNR; \
                 expected v_prediction"
                    .to_owned(),
            );
        }
        if self.steps_offset > 1 {
            return Err(format!("steps_offset is {}, expected 0 or 1", self.steps_offset));
        }
        Ok(())
    }
}
