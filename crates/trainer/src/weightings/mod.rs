//! Loss weightings: how much a sample counts at its timestep. A closed set, one file for each that needs one.

mod min_snr;

use diffusion::schedulers::{NoiseSchedule, PredictionType};
use protocol::recipe::Parameters;

/// Which weighting, and its settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Weighting {
    /// Every sample counts the same.
    Uniform,
    /// Min-SNR with this γ (Hang et al. 2023).
    MinSnr {
        /// Signal-to-noise ratio above which samples count less; above 0.
        gamma: f64,
    },
}

impl Weighting {
    /// What a recipe asks for.
    pub fn of(parameters: &Parameters) -> Self {
        Self::min_snr(parameters.min_snr_gamma)
    }

    /// Min-SNR, or none for a γ of 0.
    pub fn min_snr(gamma: f64) -> Self {
        if gamma == 0.0 {
            Self::Uniform
        } else {
            Self::MinSnr { gamma }
        }
    }

    /// The weight of each sample.
    pub fn weights(
        self,
        schedule: &NoiseSchedule,
        prediction: PredictionType,
        timesteps: &[u32],
    ) -> Vec<f32> {
        let weight = |&timestep: &u32| match self {
            Self::Uniform => 1.0,
            Self::MinSnr { gamma } => min_snr::weight(schedule.snr(timestep as usize), prediction, gamma),
        };
        timesteps.iter().map(weight).collect()
    }
}

#[cfg(test)]
mod tests;
