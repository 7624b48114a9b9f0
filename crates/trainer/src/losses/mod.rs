//! Losses: how far a prediction is off. A closed set, one file for each. [`weightings`](crate::weightings) say how much
//! each sample counts.

mod absolute_error;
mod corners;
mod huber;
mod squared_error;

use diffusion::device::{DeviceError, TrainingDevice};
use protocol::{parameters::LossKind, recipe::Parameters};

pub use self::corners::Corners;

/// Which loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Loss {
    /// Mean squared error.
    #[default]
    SquaredError,
    /// Mean magnitude of the error.
    AbsoluteError,
    /// Squared near zero, and straight beyond a corner.
    Huber,
    /// The same, with the slope of the absolute error beyond its corner.
    SmoothAbsoluteError,
}

/// What a loss is computed from.
#[derive(Debug)]
pub struct Compared<'a, T> {
    /// What the network says, the samples in the first dimension.
    pub prediction: &'a T,
    /// What it should say, in the same shape.
    pub target: &'a T,
    /// How much each sample counts.
    pub weights: &'a [f32],
    /// Where a loss with a corner has it in each sample; the others do not read it.
    pub corners: &'a [f32],
    /// Samples of the whole batch, of which these may be a part.
    pub n_samples: usize,
}

impl Loss {
    /// Every loss.
    pub const ALL: [Self; 4] = [
        Self::SquaredError,
        Self::AbsoluteError,
        Self::Huber,
        Self::SmoothAbsoluteError,
    ];

    /// What a recipe asks for.
    pub fn of(parameters: &Parameters) -> Self {
        match parameters.loss {
            LossKind::L2 => Self::SquaredError,
            LossKind::L1 => Self::AbsoluteError,
            LossKind::Huber => Self::Huber,
            LossKind::SmoothL1 => Self::SmoothAbsoluteError,
        }
    }

    /// Sum over the samples of weight times loss, divided by `n_samples`, and its gradient with respect to the
    /// prediction.
    ///
    /// # Errors
    /// If the shapes differ.
    pub fn compute<D: TrainingDevice>(
        self,
        device: &D,
        compared: Compared<'_, D::Tensor>,
    ) -> Result<(f64, D::Tensor), DeviceError> {
        match self {
            Self::SquaredError => squared_error::compute(device, compared),
            Self::AbsoluteError => absolute_error::compute(device, compared),
            Self::Huber => huber::compute(device, compared, |corner| 2.0 * corner),
            Self::SmoothAbsoluteError => huber::compute(device, compared, |_| 2.0),
        }
    }

    /// Like [`compute`](Self::compute), of `[B, h, w, C]` with how much each place `[B, h, w]` counts: the error of each is
    /// multiplied by it, and the mean is still that over all places, as in sd-scripts (`apply_masked_loss` in
    /// `library/custom_train_functions.py`).
    ///
    /// # Errors
    /// If the shapes differ.
    pub fn compute_masked<D: TrainingDevice>(
        self,
        device: &D,
        compared: Compared<'_, D::Tensor>,
        mask: &[f32],
    ) -> Result<(f64, D::Tensor), DeviceError> {
        let shape = device.dims(compared.prediction).to_vec();
        let n_places = mask.len() / compared.weights.len().max(1);
        let n_channels = shape.last().copied().unwrap_or(1);
        // A place is a sample of its own.
        let places = [mask.len(), n_channels];
        let of_places = |values: &[f32]| -> Vec<f32> {
            values
                .iter()
                .flat_map(|value| std::iter::repeat_n(*value, n_places))
                .collect()
        };
        let weights: Vec<f32> = of_places(compared.weights)
            .iter()
            .zip(mask)
            .map(|(weight, mask)| weight * mask)
            .collect();
        let (loss, gradient) = self.compute(
            device,
            Compared {
                prediction: &device.reshape(compared.prediction, &places)?,
                target: &device.reshape(compared.target, &places)?,
                weights: &weights,
                corners: &of_places(compared.corners),
                n_samples: compared.n_samples * n_places,
            },
        )?;
        Ok((loss, device.reshape(&gradient, &shape)?))
    }
}

#[cfg(test)]
mod tests;
