//! Min-SNR (Hang et al. 2023): timesteps that are nearly clean count less.

use diffusion::schedulers::PredictionType;

/// min(snr, γ) / snr for noise prediction, and over snr + 1 for velocity, as sd-scripts has it.
pub(super) fn weight(snr: f64, prediction: PredictionType, gamma: f64) -> f32 {
    let denominator = match prediction {
        PredictionType::Epsilon => snr,
        PredictionType::VPrediction => snr + 1.0,
    };
    (snr.min(gamma) / denominator) as f32
}
