//! The loss, its gradient, and its weights.

use diffusion::{
    ops::{floats, tensor},
    schedulers::{NoiseSchedule, PredictionType, SchedulerConfig},
};

use super::{mean_squared_error, min_snr_weights};

#[test]
fn weighted_mean_and_gradient() {
    let prediction = tensor(vec![1.0, 2.0, 3.0, 4.0], [2, 2]).unwrap();
    let target = tensor(vec![0.0, 2.0, 5.0, 4.0], [2, 2]).unwrap();
    let loss = mean_squared_error(&prediction, &target, &[1.0, 0.5], 2).unwrap();
    // Sample means 0.5 and 2; weighted 0.5 and 1; their mean 0.75.
    assert_eq!(loss.value, 0.75);
    assert_eq!(*floats(&loss.gradient).unwrap(), [0.5, 0.0, -0.5, 0.0]);
}

#[test]
fn parts_of_a_batch_add_up() {
    let part = |p: f32, t: f32, weight: f32| {
        let (p, t) = (tensor(vec![p], [1, 1]).unwrap(), tensor(vec![t], [1, 1]).unwrap());
        mean_squared_error(&p, &t, &[weight], 2).unwrap().value
    };
    let prediction = tensor(vec![1.0, 3.0], [2, 1]).unwrap();
    let target = tensor(vec![0.0, 1.0], [2, 1]).unwrap();
    let whole = mean_squared_error(&prediction, &target, &[1.0, 2.0], 2)
        .unwrap()
        .value;
    assert_eq!(whole, part(1.0, 0.0, 1.0) + part(3.0, 1.0, 2.0));
}

#[test]
fn shapes_have_to_agree() {
    let prediction = tensor(vec![1.0, 2.0], [2, 1]).unwrap();
    let target = tensor(vec![1.0, 2.0], [1, 2]).unwrap();
    assert!(mean_squared_error(&prediction, &target, &[1.0, 1.0], 2).is_err());
    assert!(mean_squared_error(&prediction, &prediction, &[1.0], 2).is_err());
}

/// ᾱ of timesteps 0, 500 and 999 is .999149978, .276332468 and .00466009509 in sd-scripts.
#[test]
fn min_snr() {
    let schedule = NoiseSchedule::new(&SchedulerConfig::default());
    let weights = |prediction, gamma| min_snr_weights(&schedule, prediction, &[0, 500, 999], gamma);
    let snr = [0.999_149_978f64, 0.276_332_468, 0.004_660_095_09].map(|alpha| alpha / (1.0 - alpha));
    let epsilon = weights(PredictionType::Epsilon, 5.0);
    assert!((f64::from(epsilon[0]) - 5.0 / snr[0]).abs() < 1e-6);
    assert_eq!(epsilon[1..], [1.0, 1.0]);
    for (found, snr) in weights(PredictionType::VPrediction, 5.0).into_iter().zip(snr) {
        assert!((f64::from(found) - snr.min(5.0) / (snr + 1.0)).abs() < 1e-6);
    }
    assert_eq!(weights(PredictionType::Epsilon, 0.0), [1.0; 3]);
}
