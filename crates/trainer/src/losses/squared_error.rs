//! Mean squared error, the loss of diffusion training (Ho et al. 2020, equation 14).

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
    device.squared_error(prediction, target, weights, n_samples)
}
