//! How much of the picture and how much noise there is at each timestep.

use super::{PredictionType, SchedulerConfig};

/// ᾱ of every timestep: the share of the picture's variance that is left.
///
/// Computed in f32 like PyTorch's `cumprod`, so that training sees the reference's numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct NoiseSchedule {
    alphas_cumprod: Vec<f32>,
    /// Whether picture and noise are mixed along a straight line instead.
    is_flow: bool,
}

impl NoiseSchedule {
    /// The schedule of a base model.
    pub fn new(config: &SchedulerConfig) -> Self {
        let betas = scaled_linear(config);
        let mut product = 1.0_f64;
        let mut alphas_cumprod: Vec<f32> = betas
            .iter()
            .map(|beta| {
                product *= f64::from(1.0 - beta);
                product as f32
            })
            .collect();
        if config.rescale_betas_zero_snr {
            rescale_to_zero_snr(&mut alphas_cumprod);
        }
        Self {
            alphas_cumprod,
            is_flow: config.prediction_type == PredictionType::Flow,
        }
    }

    /// How many timesteps there are.
    pub fn n_timesteps(&self) -> usize {
        self.alphas_cumprod.len()
    }

    /// ᾱ of a timestep.
    ///
    /// # Panics
    /// If there is no such timestep.
    pub fn alpha_cumprod(&self, timestep: usize) -> f32 {
        self.alphas_cumprod[timestep]
    }

    /// Signal-to-noise ratio of a timestep: ᾱ / (1 − ᾱ), or of rectified flow (1 − σ)² / σ².
    ///
    /// # Panics
    /// If there is no such timestep.
    pub fn snr(&self, timestep: usize) -> f64 {
        if self.is_flow {
            let (signal, noise) = self.mix(timestep);
            return (signal / noise).powi(2);
        }
        let alpha = f64::from(self.alpha_cumprod(timestep));
        alpha / (1.0 - alpha)
    }

    /// Factors of picture and noise in `noisy = signal · picture + amount · noise`: `(√ᾱ, √(1 − ᾱ))`, or of rectified
    /// flow `(1 − σ, σ)`, where the U-Net is told σ as a share of the number of timesteps.
    ///
    /// # Panics
    /// If there is no such timestep.
    pub fn mix(&self, timestep: usize) -> (f64, f64) {
        if self.is_flow {
            assert!(timestep < self.n_timesteps(), "there is no timestep {timestep}");
            let sigma = timestep as f64 / self.n_timesteps() as f64;
            return (1.0 - sigma, sigma);
        }
        let alpha = f64::from(self.alpha_cumprod(timestep));
        (alpha.sqrt(), (1.0 - alpha).sqrt())
    }

    /// σ = √((1 − ᾱ) / ᾱ) of every timestep: the noise level where the picture keeps its scale.
    pub(super) fn sigmas(&self) -> Vec<f64> {
        self.alphas_cumprod
            .iter()
            .map(|alpha| f64::from(((1.0 - alpha) / alpha).sqrt()))
            .collect()
    }

    /// σ at a fractional timestep, linearly interpolated like `numpy.interp`.
    pub(super) fn sigma_at(sigmas: &[f64], timestep: f64) -> f64 {
        let last = sigmas.len() - 1;
        let timestep = timestep.clamp(0.0, last as f64);
        let below = timestep.floor() as usize;
        let above = (below + 1).min(last);
        let share = timestep - below as f64;
        sigmas[below] + (sigmas[above] - sigmas[below]) * share
    }
}

/// `torch.linspace(√start, √end, n)²` in f32, which counts from both ends.
fn scaled_linear(config: &SchedulerConfig) -> Vec<f32> {
    let n = config.num_train_timesteps;
    let start = config.beta_start.sqrt() as f32;
    let end = config.beta_end.sqrt() as f32;
    let step = (end - start) / (n - 1) as f32;
    (0..n)
        .map(|i| {
            let root = if i < n / 2 {
                start + step * i as f32
            } else {
                end - step * (n - 1 - i) as f32
            };
            root * root
        })
        .collect()
}

/// Algorithm 1 of Lin et al. 2023: shift and scale √ᾱ so that nothing of the picture is left at the end.
fn rescale_to_zero_snr(alphas_cumprod: &mut [f32]) {
    let (Some(first), Some(last)) = (
        alphas_cumprod.first().map(|alpha| alpha.sqrt()),
        alphas_cumprod.last().map(|alpha| alpha.sqrt()),
    ) else {
        return;
    };
    for alpha in alphas_cumprod.iter_mut() {
        let root = (alpha.sqrt() - last) * first / (first - last);
        *alpha = root * root;
    }
    if let Some(alpha) = alphas_cumprod.last_mut() {
        // Not quite zero, so that the first σ is finite; diffusers' choice.
        *alpha = 2f32.powi(-24);
    }
}
