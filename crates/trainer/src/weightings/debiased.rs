//! Debiased estimation (Yu et al. 2023, "Debias the Training of Diffusion Models"): noisy timesteps count more.

use diffusion::schedulers::PredictionType;

use super::MAX_SNR;

/// 1 / √snr for noise prediction, and 1 / (snr + 1) for velocity, as sd-scripts has it.
pub(super) fn weight(snr: f64, prediction: PredictionType) -> f32 {
    let snr = snr.min(MAX_SNR);
    let weight = match prediction {
        PredictionType::Epsilon => 1.0 / snr.sqrt(),
        PredictionType::VPrediction | PredictionType::Flow => 1.0 / (snr + 1.0),
    };
    weight as f32
}
