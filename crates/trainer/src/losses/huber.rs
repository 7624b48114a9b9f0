//! The pseudo-Huber losses of sd-scripts: `√(d² + c²) − c` of each difference d with a corner c, times `2c`, which makes it
//! `d²` near zero (huber), or times 2, which makes it `2 |d|` far from it (smooth L1).

use diffusion::device::{DeviceError, TrainingDevice};

use super::Compared;

/// `factor` gives what the loss is multiplied by for the corner of a sample.
pub(super) fn compute<D: TrainingDevice>(
    device: &D,
    compared: Compared<'_, D::Tensor>,
    factor: impl Fn(f32) -> f32,
) -> Result<(Vec<f64>, D::Tensor), DeviceError> {
    let Compared {
        prediction,
        target,
        weights,
        corners,
        n_samples,
    } = compared;
    let factors: Vec<f32> = corners.iter().map(|corner| factor(*corner)).collect();
    let pairs = weights.iter().zip(&factors);
    let weights: Vec<f32> = pairs.map(|(weight, factor)| weight * factor).collect();
    let (mut sums, gradient) = device.pseudo_huber_error(prediction, target, &weights, corners, n_samples)?;
    for (sum, factor) in sums.iter_mut().zip(&factors) {
        *sum *= f64::from(*factor);
    }
    Ok((sums, gradient))
}
