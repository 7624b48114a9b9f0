//! Loss weightings: how much a sample counts at its timestep. A closed set, one file for each that needs one.
//!
//! A recipe may ask for several; their weights are multiplied, in sd-scripts' order. Rectified flow has none: the
//! distribution of its timesteps does what they do.

mod debiased;
mod min_snr;
mod velocity;

use diffusion::schedulers::{NoiseSchedule, PredictionType};
use protocol::recipe::Parameters;

/// One weighting, and its settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Weighting {
    /// Min-SNR with this γ (Hang et al. 2023).
    MinSnr {
        /// Signal-to-noise ratio above which samples count less; above 0.
        gamma: f64,
    },
    /// The loss of a velocity, scaled as if it were that of noise; for bases that predict velocity.
    LikeNoise,
    /// The loss of noise, and this much of what it would be for velocity; for bases that predict noise.
    LikeVelocity {
        /// How much.
        share: f64,
    },
    /// Debiased estimation (Yu et al. 2023).
    Debiased,
}

/// The weightings of a training, in their order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Weightings(Vec<Weighting>);

impl Weightings {
    /// These weightings, one after another.
    pub fn new(weightings: impl IntoIterator<Item = Weighting>) -> Self {
        Self(weightings.into_iter().collect())
    }

    /// What a recipe asks for.
    pub fn of(p: &Parameters) -> Self {
        let all = [
            Weighting::min_snr(p.min_snr_gamma),
            p.scale_v_loss.then_some(Weighting::LikeNoise),
            (p.v_like_loss > 0.0).then_some(Weighting::LikeVelocity { share: p.v_like_loss }),
            p.debiased.then_some(Weighting::Debiased),
        ];
        Self::new(all.into_iter().flatten())
    }

    /// The weight of each sample.
    pub fn weights(
        &self,
        schedule: &NoiseSchedule,
        prediction: PredictionType,
        timesteps: &[f32],
    ) -> Vec<f32> {
        if prediction == PredictionType::Flow {
            return vec![1.0; timesteps.len()];
        }
        let weight = |&timestep: &f32| {
            let snr = schedule.snr_at(timestep);
            let weights = self.0.iter().map(|weighting| weighting.weight(snr, prediction));
            weights.product::<f32>()
        };
        timesteps.iter().map(weight).collect()
    }
}

impl Weighting {
    /// Min-SNR, or none for a γ of 0.
    pub fn min_snr(gamma: f64) -> Option<Self> {
        (gamma > 0.0).then_some(Self::MinSnr { gamma })
    }

    fn weight(self, snr: f64, prediction: PredictionType) -> f32 {
        let predicts_velocity = prediction == PredictionType::VPrediction;
        match self {
            Self::MinSnr { gamma } => min_snr::weight(snr, prediction, gamma),
            Self::LikeNoise if predicts_velocity => velocity::like_noise(snr),
            Self::LikeVelocity { share } if !predicts_velocity => {
                1.0 + share as f32 / velocity::like_noise(snr)
            }
            Self::LikeNoise | Self::LikeVelocity { .. } => 1.0,
            Self::Debiased => debiased::weight(snr, prediction),
        }
    }
}

/// Signal-to-noise ratios beyond this count as this: nearly clean timesteps would have no bounds (sd-scripts).
const MAX_SNR: f64 = 1000.0;

#[cfg(test)]
mod tests;
