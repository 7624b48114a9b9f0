//! The loss of a velocity beside that of noise: the same error is (snr + 1) / snr times as large in it.

use super::MAX_SNR;

/// What the loss of a velocity is multiplied by to be that of noise.
pub(super) fn like_noise(snr: f64) -> f32 {
    let snr = snr.min(MAX_SNR);
    (snr / (snr + 1.0)) as f32
}
