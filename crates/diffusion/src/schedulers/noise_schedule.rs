//! How much of the picture and how much noise there is at each timestep.

use super::{PredictionType, SchedulerConfig};

/// ᾱ of every timestep: the share of the picture's variance that is left.
///
/// Computed in f32 like PyTorch's `cumprod`, so that training sees the reference's numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct NoiseSchedule {
    alphas_cumprod: Vec<f32>,
    /// What signal-to-noise ratios are made from: ᾱ as it was before the last timestep became pure noise.
    alphas_of_snr: Vec<f32>,
    /// Whether picture and noise are mixed along a straight line instead.
    is_flow: bool,
}

impl NoiseSchedule {
    /// The schedule of a base model, as its samplers take it.
    pub fn new(config: &SchedulerConfig) -> Self {
        let mut schedule = Self::for_training(config);
        if config.rescale_betas_zero_snr
            && let Some(alpha) = schedule.alphas_cumprod.last_mut()
        {
            // Not quite zero, so that the first σ is finite; diffusers' choice.
            *alpha = 2f32.powi(-24);
        }
        schedule
    }

    /// The schedule that a base model is trained on. With zero terminal SNR nothing of the picture is left at the last
    /// timestep. Loss weights go on using the ratios of the usual schedule, as in sd-scripts, which makes their table
    /// before it changes the noise.
    pub fn for_training(config: &SchedulerConfig) -> Self {
        let betas = scaled_linear(config);
        let mut product = 1.0_f64;
        let mut alphas_cumprod: Vec<f32> = betas
            .iter()
            .map(|beta| {
                product *= f64::from(1.0 - beta);
                product as f32
            })
            .collect();
        let alphas_of_snr = alphas_cumprod.clone();
        if config.rescale_betas_zero_snr {
            rescale_to_zero_snr(&mut alphas_cumprod);
        }
        Self {
            alphas_cumprod,
            alphas_of_snr,
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

    /// Signal-to-noise ratio of a timestep: ᾱ / (1 − ᾱ), or of rectified flow (1 − σ)² / σ². Where the last timestep is
    /// pure noise, it is that of the schedule before that was so.
    ///
    /// # Panics
    /// If there is no such timestep.
    pub fn snr(&self, timestep: usize) -> f64 {
        self.snr_at(timestep as f32)
    }

    /// [`snr`](Self::snr) of any timestep that a training draws: with rectified flow also one between two.
    ///
    /// # Panics
    /// If there is no such timestep.
    pub fn snr_at(&self, timestep: f32) -> f64 {
        if self.is_flow {
            let (signal, noise) = self.mix_at(timestep);
            return (signal / noise).powi(2);
        }
        let alpha = f64::from(self.alphas_of_snr[timestep as usize]);
        alpha / (1.0 - alpha)
    }

    /// Factors of picture and noise in `noisy = signal · picture + amount · noise`: `(√ᾱ, √(1 − ᾱ))`, or of rectified
    /// flow `(1 − σ, σ)`, where the U-Net is told σ as a share of the number of timesteps.
    ///
    /// # Panics
    /// If there is no such timestep.
    pub fn mix(&self, timestep: usize) -> (f64, f64) {
        self.mix_at(timestep as f32)
    }

    /// [`mix`](Self::mix) of any timestep that a training draws: with rectified flow also one between two, up to pure
    /// noise at the number of timesteps. The others know whole ones; a fraction is cut off.
    ///
    /// # Panics
    /// If there is no such timestep.
    pub fn mix_at(&self, timestep: f32) -> (f64, f64) {
        if self.is_flow {
            let sigma = f64::from(timestep) / self.n_timesteps() as f64;
            assert!((0.0..=1.0).contains(&sigma), "there is no timestep {timestep}");
            return (1.0 - sigma, sigma);
        }
        let alpha = f64::from(self.alpha_cumprod(timestep as usize));
        (alpha.sqrt(), (1.0 - alpha).sqrt())
    }

    /// Whether timesteps between two whole ones can be drawn: with rectified flow.
    pub fn is_continuous(&self) -> bool {
        self.is_flow
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
}
