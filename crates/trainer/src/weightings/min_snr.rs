//! Min-SNR (Hang et al. 2023): timesteps that are nearly clean count less.

use diffusion::schedulers::PredictionType;

/// min(snr, γ) / snr for noise prediction, and over snr + 1 for velocity, as sd-scripts has it.
pub(super) fn weight(snr: f64, prediction: PredictionType, gamma: f64) -> f32 {
    let denominator = match prediction {
        PredictionType::Epsilon => snr,
        // The velocity of a straight line has the same loss as that of v-prediction, up to a factor of the timestep.
        PredictionType::VPrediction | PredictionType::Flow => snr + 1.0,
    };
    (snr.min(gamma) / denominator) as f32
}
