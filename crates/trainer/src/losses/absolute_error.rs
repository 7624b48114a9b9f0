//! Mean magnitude of the error: single large differences count less than in the squared error.

use diffusion::device::{DeviceError, TrainingDevice};

use super::Compared;

pub(super) fn compute<D: TrainingDevice>(
    device: &D,
    compared: Compared<'_, D::Tensor>,
) -> Result<(Vec<f64>, D::Tensor), DeviceError> {
    let Compared {
        prediction,
        target,
        weights,
        n_samples,
        ..
    } = compared;
    device.absolute_error(prediction, target, weights, n_samples)
}
