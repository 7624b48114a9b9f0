//! Weights against sd-scripts' noise schedule.

use diffusion::schedulers::{NoiseSchedule, PredictionType, SchedulerConfig};

use super::{Weighting, Weightings};

/// ᾱ of timesteps 0, 500 and 999 in sd-scripts.
const ALPHAS: [f64; 3] = [0.999_149_978, 0.276_332_468, 0.004_660_095_09];

fn snr() -> [f64; 3] {
    ALPHAS.map(|alpha| alpha / (1.0 - alpha))
}

#[track_caller]
fn check(
    weightings: impl IntoIterator<Item = Weighting>,
    prediction: PredictionType,
    expected: impl Fn(f64) -> f64,
) {
    let schedule = NoiseSchedule::new(&SchedulerConfig::default());
    let found = Weightings::new(weightings).weights(&schedule, prediction, &[0.0, 500.0, 999.0]);
    for (found, snr) in found.into_iter().zip(snr()) {
        let expected = expected(snr);
        assert!(
            (f64::from(found) / expected - 1.0).abs() < 1e-4,
            "{found}, not {expected}"
        );
    }
}

const EPSILON: PredictionType = PredictionType::Epsilon;
const V: PredictionType = PredictionType::VPrediction;

#[test]
fn min_snr() {
    let weighting = || Weighting::min_snr(5.0);
    check(weighting(), EPSILON, |snr| snr.min(5.0) / snr);
    check(weighting(), V, |snr| snr.min(5.0) / (snr + 1.0));
    check(Weighting::min_snr(0.0), EPSILON, |_| 1.0);
}

#[test]
fn debiased() {
    check([Weighting::Debiased], EPSILON, |snr| 1.0 / snr.min(1000.0).sqrt());
    check([Weighting::Debiased], V, |snr| 1.0 / (snr.min(1000.0) + 1.0));
}

#[test]
fn velocity_and_noise_are_told_apart() {
    let like_noise = |snr: f64| snr.min(1000.0) / (snr.min(1000.0) + 1.0);
    check([Weighting::LikeNoise], V, like_noise);
    check([Weighting::LikeNoise], EPSILON, |_| 1.0);
    let like_velocity = Weighting::LikeVelocity { share: 0.2 };
    check([like_velocity], EPSILON, |snr| 1.0 + 0.2 / like_noise(snr));
    check([like_velocity], V, |_| 1.0);
}

#[test]
fn several_are_multiplied_and_flow_has_none() {
    let both = [Weighting::MinSnr { gamma: 5.0 }, Weighting::Debiased];
    check(both, EPSILON, |snr| snr.min(5.0) / snr / snr.min(1000.0).sqrt());
    check(both, PredictionType::Flow, |_| 1.0);
}

/// sd-scripts makes its table before it rescales.
#[test]
fn zero_terminal_snr_is_weighted_as_the_schedule_before() {
    let config = SchedulerConfig {
        rescale_betas_zero_snr: true,
        prediction_type: V,
        ..SchedulerConfig::default()
    };
    let weightings = Weightings::new([Weighting::Debiased]);
    let weights =
        |config: &SchedulerConfig| weightings.weights(&NoiseSchedule::new(config), V, &[0.0, 500.0, 999.0]);
    assert_eq!(weights(&config), weights(&SchedulerConfig::default()));
    // The noise itself follows the new one.
    assert!(NoiseSchedule::new(&config).mix(999).0 < 1e-3);
}
