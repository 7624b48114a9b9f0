//! Weights against sd-scripts' noise schedule.

use diffusion::schedulers::{NoiseSchedule, PredictionType, SchedulerConfig};

use super::Weighting;

/// ᾱ of timesteps 0, 500 and 999 is .999149978, .276332468 and .00466009509 in sd-scripts.
#[test]
fn min_snr() {
    let schedule = NoiseSchedule::new(&SchedulerConfig::default());
    let weights =
        |prediction, gamma| Weighting::min_snr(gamma).weights(&schedule, prediction, &[0, 500, 999]);
    let snr = [0.999_149_978f64, 0.276_332_468, 0.004_660_095_09].map(|alpha| alpha / (1.0 - alpha));
    let epsilon = weights(PredictionType::Epsilon, 5.0);
    assert!((f64::from(epsilon[0]) - 5.0 / snr[0]).abs() < 1e-6);
    assert_eq!(epsilon[1..], [1.0, 1.0]);
    for (found, snr) in weights(PredictionType::VPrediction, 5.0).into_iter().zip(snr) {
        assert!((f64::from(found) - snr.min(5.0) / (snr + 1.0)).abs() < 1e-6);
    }
    assert_eq!(weights(PredictionType::Epsilon, 0.0), [1.0; 3]);
}
