//! The loss and its gradient.

use candle_core::Tensor;
use diffusion::{
    cpu::Cpu,
    device::{DeviceError, floats, tensor},
};

use super::{Compared, Loss};

fn squared_error(
    prediction: &Tensor,
    target: &Tensor,
    weights: &[f32],
    n_samples: usize,
) -> Result<(f64, Tensor), DeviceError> {
    let compared = Compared {
        prediction,
        target,
        weights,
        n_samples,
    };
    Loss::SquaredError.compute(&Cpu, compared)
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

#[test]
fn parts_of_a_batch_add_up() {
    let part = |p: f32, t: f32, weight: f32| {
        let (p, t) = (tensor(vec![p], [1, 1]).unwrap(), tensor(vec![t], [1, 1]).unwrap());
        squared_error(&p, &t, &[weight], 2).unwrap().0
    };
    let prediction = tensor(vec![1.0, 3.0], [2, 1]).unwrap();
    let target = tensor(vec![0.0, 1.0], [2, 1]).unwrap();
    let whole = squared_error(&prediction, &target, &[1.0, 2.0], 2).unwrap().0;
    assert_eq!(whole, part(1.0, 0.0, 1.0) + part(3.0, 1.0, 2.0));
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
    assert!(squared_error(&prediction, &prediction, &[1.0], 2).is_err());
}
