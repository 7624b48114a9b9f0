//! The losses and their gradients.

use candle_core::Tensor;
use diffusion::{
    cpu::Cpu,
    device::{DeviceError, floats, tensor},
    schedulers::{NoiseSchedule, SchedulerConfig},
};
use protocol::parameters::HuberSchedule;

use super::{Compared, Corners, Loss, Measured};

fn computed(
    loss: Loss,
    prediction: &Tensor,
    target: &Tensor,
    weights: &[f32],
    n_samples: usize,
) -> Result<(f64, Tensor), DeviceError> {
    let compared = Compared {
        prediction,
        target,
        weights,
        corners: &[0.5, 0.25][..weights.len()],
        n_samples,
    };
    let measured = loss.compute(&Cpu, compared)?;
    Ok((measured.loss, measured.gradient))
}

fn squared_error(
    prediction: &Tensor,
    target: &Tensor,
    weights: &[f32],
    n_samples: usize,
) -> Result<(f64, Tensor), DeviceError> {
    computed(Loss::SquaredError, prediction, target, weights, n_samples)
}

#[test]
fn weighted_mean_and_gradient() {
    let prediction = tensor(vec![1.0, 2.0, 3.0, 4.0], [2, 2]).unwrap();
    let target = tensor(vec![0.0, 2.0, 5.0, 4.0], [2, 2]).unwrap();
    let (value, gradient) = squared_error(&prediction, &target, &[1.0, 0.5], 2).unwrap();
    // Sample means 0.5 and 2; weighted 0.5 and 1; their mean 0.75.
    assert_eq!(value, 0.75);
    assert_eq!(*floats(&gradient).unwrap(), [0.5, 0.0, -0.5, 0.0]);
}

/// By the formulas of sd-scripts' `conditional_loss`, with corners 0.5 and 0.25, and weights 1 and 0.5.
#[test]
fn each_loss_is_that_of_sd_scripts() {
    let prediction = tensor(vec![1.0, 2.0, 3.0, 4.0], [2, 2]).unwrap();
    let target = tensor(vec![0.0, 2.0, 5.0, 4.0], [2, 2]).unwrap();
    let (one, two) = (1.25f64.sqrt(), 4.0625f64.sqrt());
    let cases = [
        // (1 + 0.5 · 2) / 4.
        (Loss::AbsoluteError, 0.5, [0.25, 0.0, -0.125, 0.0]),
        // 2c (√(d² + c²) − c), and 2c d / √(d² + c²) of it.
        (
            Loss::Huber,
            ((one - 0.5) + 0.5 * 0.5 * (two - 0.25)) / 4.0,
            [0.25 / one, 0.0, -0.5 * 0.5 * 2.0 / two / 4.0, 0.0],
        ),
        // The same with 2 in place of 2c.
        (
            Loss::SmoothAbsoluteError,
            (2.0 * (one - 0.5) + 0.5 * 2.0 * (two - 0.25)) / 4.0,
            [0.5 / one, 0.0, -0.5 * 2.0 * 2.0 / two / 4.0, 0.0],
        ),
    ];
    for (loss, expected, slopes) in cases {
        let (value, gradient) = computed(loss, &prediction, &target, &[1.0, 0.5], 2).unwrap();
        assert!(
            (value - expected).abs() < 1e-6,
            "{loss:?}: {value}, not {expected}"
        );
        for (found, expected) in floats(&gradient).unwrap().iter().zip(slopes) {
            assert!(
                (f64::from(*found) - expected).abs() < 1e-6,
                "{loss:?}: {found}, not {expected}"
            );
        }
    }
}

#[test]
fn a_difference_far_below_the_corner_is_not_lost() {
    let (prediction, target) = (
        tensor(vec![1e-4], [1, 1]).unwrap(),
        tensor(vec![0.0], [1, 1]).unwrap(),
    );
    let (value, _) = computed(Loss::Huber, &prediction, &target, &[1.0], 1).unwrap();
    assert!((value / 1e-8 - 1.0).abs() < 1e-5, "{value}");
}

#[test]
fn corners_follow_the_timesteps_as_in_sd_scripts() {
    let schedule = NoiseSchedule::new(&SchedulerConfig::default());
    let corners = |kind, scale| {
        let corners = Corners {
            corner: 0.1,
            schedule: kind,
            scale,
        };
        corners.at(&schedule, &[0.0, 500.0, 999.0])
    };
    assert_eq!(corners(HuberSchedule::Constant, 2.0), [0.2; 3]);
    let close = |found: Vec<f32>, expected: [f64; 3]| {
        for (found, expected) in found.into_iter().zip(expected) {
            assert!(
                (f64::from(found) - expected).abs() < 1e-5,
                "{found}, not {expected}"
            );
        }
    };
    // exp(ln(0.1) / 1000 · t) · scale.
    close(
        corners(HuberSchedule::Exponential, 2.0),
        [2.0, 2.0 * 0.1f64.sqrt(), 0.200_461],
    );
    // 0.9 / (1 + σ)² + 0.1 of ᾱ .999149978, .276332468 and .00466009509, whatever the scale.
    let expected = [0.999_149_978f64, 0.276_332_468, 0.004_660_095_09].map(|alpha| {
        let sigma = ((1.0 - alpha) / alpha).sqrt();
        0.9 / (1.0 + sigma).powi(2) + 0.1
    });
    close(corners(HuberSchedule::Snr, 2.0), expected);
}

#[test]
fn parts_of_a_batch_add_up() {
    for loss in Loss::ALL {
        let part = |p: f32, t: f32, weight: f32, corner: f32| {
            let compared = Compared {
                prediction: &tensor(vec![p], [1, 1]).unwrap(),
                target: &tensor(vec![t], [1, 1]).unwrap(),
                weights: &[weight],
                corners: &[corner],
                n_samples: 2,
            };
            loss.compute(&Cpu, compared).unwrap().loss
        };
        let prediction = tensor(vec![1.0, 3.0], [2, 1]).unwrap();
        let target = tensor(vec![0.0, 1.0], [2, 1]).unwrap();
        let whole = computed(loss, &prediction, &target, &[1.0, 2.0], 2).unwrap().0;
        assert_eq!(
            whole,
            part(1.0, 0.0, 1.0, 0.5) + part(3.0, 1.0, 2.0, 0.25),
            "{loss:?}"
        );
    }
}

#[test]
fn shapes_have_to_agree() {
    let prediction = tensor(vec![1.0, 2.0], [2, 1]).unwrap();
    let target = tensor(vec![1.0, 2.0], [1, 2]).unwrap();
    let err = squared_error(&prediction, &target, &[1.0, 1.0], 2).unwrap_err();
    assert_eq!(
        err.to_string(),
        "the CPU cannot compute the squared error of [2, 1], [1, 2], [2]: prediction and target of one shape and a \
         weight for each sample are expected"
    );
    for loss in Loss::ALL {
        assert!(computed(loss, &prediction, &prediction, &[1.0], 1).is_err());
    }
}

/// `loss * mask`, then the mean over all places: by hand for the squared error, and against the loss without a mask for
/// all of them.
#[test]
fn a_mask_multiplies_the_error_of_each_place() {
    // Two samples of 1 × 2 places with 2 channels.
    let prediction = tensor(vec![1.0, 2.0, 3.0, 4.0, 0.0, 1.0, 2.0, 3.0], [2, 1, 2, 2]).unwrap();
    let target = tensor(vec![0.0, 2.0, 5.0, 4.0, 1.0, 1.0, 1.0, 1.0], [2, 1, 2, 2]).unwrap();
    let compared = |weights, corners| Compared {
        prediction: &prediction,
        target: &target,
        weights,
        corners,
        n_samples: 2,
    };
    let (weights, corners) = ([1.0, 0.5], [0.5, 0.25]);
    let mask = [1.0, 0.25, 0.0, 1.0];
    let masked = Loss::SquaredError.compute_masked(&Cpu, compared(&weights, &corners), &mask);
    let Measured {
        loss: value,
        of_samples,
        gradient,
    } = masked.unwrap();
    // Without their weights.
    assert_eq!(of_samples, [0.5, 1.25]);
    // (1 + 0.25 · 4) / 4 and (1 + 4) / 4, weighted 1 and 0.5.
    assert_eq!(value, (0.5 + 0.5 * 1.25) / 2.0);
    // 2 d m w / 4 / 2.
    assert_eq!(gradient.dims(), [2, 1, 2, 2]);
    assert_eq!(
        *floats(&gradient).unwrap(),
        [0.25, 0.0, -0.125, 0.0, 0.0, 0.0, 0.125, 0.25]
    );
    for loss in Loss::ALL {
        let whole = loss.compute(&Cpu, compared(&weights, &corners)).unwrap();
        let ones = [1.0; 4];
        let masked = loss
            .compute_masked(&Cpu, compared(&weights, &corners), &ones)
            .unwrap();
        let pairs = [masked.loss, masked.of_samples[0], masked.of_samples[1]].into_iter();
        for (a, b) in pairs.zip([whole.loss, whole.of_samples[0], whole.of_samples[1]]) {
            assert!((a - b).abs() < 1e-6, "{loss:?}: {a} and {b}");
        }
        for (a, b) in floats(&masked.gradient)
            .unwrap()
            .iter()
            .zip(&*floats(&whole.gradient).unwrap())
        {
            assert!((a - b).abs() < 1e-6, "{loss:?}");
        }
        let nothing = loss
            .compute_masked(&Cpu, compared(&weights, &corners), &[0.0; 4])
            .unwrap();
        assert_eq!(nothing.loss, 0.0);
    }
}

/// Whatever its weight, a picture that is far off says so.
#[test]
fn the_losses_of_samples_have_no_weights_and_add_up_to_the_loss_with_them() {
    let prediction = tensor(vec![1.0, 2.0, 3.0, 4.0], [2, 2]).unwrap();
    let target = tensor(vec![0.0, 2.0, 5.0, 4.0], [2, 2]).unwrap();
    for loss in Loss::ALL {
        let measured = |weights: [f32; 2]| {
            let compared = Compared {
                prediction: &prediction,
                target: &target,
                weights: &weights,
                corners: &[0.5, 0.25],
                n_samples: 2,
            };
            loss.compute(&Cpu, compared).unwrap()
        };
        let (plain, weighted) = (measured([1.0, 1.0]), measured([0.125, 4.0]));
        assert_eq!(plain.of_samples, weighted.of_samples, "{loss:?}");
        let [a, b] = [plain.of_samples[0], plain.of_samples[1]];
        assert!(a > 0.0 && b > a, "{loss:?}: {a} and {b}");
        assert!((plain.loss - (a + b) / 2.0).abs() < 1e-9, "{loss:?}");
        assert!(
            (weighted.loss - (0.125 * a + 4.0 * b) / 2.0).abs() < 1e-6,
            "{loss:?}"
        );
    }
}
