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

/// How far off the predictions of samples are.
#[derive(Debug)]
pub struct Measured<T> {
    /// Sum over the samples of weight times loss, divided by `n_samples`.
    pub loss: f64,
    /// Loss of each sample without its weight: what a mask leaves of it, where there is one.
    pub of_samples: Vec<f64>,
    /// Gradient of `loss` with respect to the prediction.
    pub gradient: T,
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

    /// How far off the prediction is.
    ///
    /// # Errors
    /// If the shapes differ.
    pub fn compute<D: TrainingDevice>(
        self,
        device: &D,
        compared: Compared<'_, D::Tensor>,
    ) -> Result<Measured<D::Tensor>, DeviceError> {
        let (weights, n_samples) = (compared.weights, compared.n_samples);
        let len = n_numbers(device, compared.prediction) / weights.len().max(1);
        let (sums, gradient) = self.sums(device, compared)?;
        Ok(Measured {
            loss: weighted(&sums, weights, len * n_samples),
            of_samples: sums.iter().map(|sum| sum / len as f64).collect(),
            gradient,
        })
    }

    /// The loss summed over the numbers of each sample, without its weight, and the gradient of the weighted mean.
    fn sums<D: TrainingDevice>(
        self,
        device: &D,
        compared: Compared<'_, D::Tensor>,
    ) -> Result<(Vec<f64>, D::Tensor), DeviceError> {
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
    ) -> Result<Measured<D::Tensor>, DeviceError> {
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
        let n_samples = compared.n_samples * n_places;
        let (sums, gradient) = self.sums(
            device,
            Compared {
                prediction: &device.reshape(compared.prediction, &places)?,
                target: &device.reshape(compared.target, &places)?,
                weights: &weights,
                corners: &of_places(compared.corners),
                n_samples,
            },
        )?;
        let places_of = |sample: usize| sample * n_places..(sample + 1) * n_places;
        let of_sample = |sample: usize| {
            let sums = &sums[places_of(sample)];
            weighted(sums, &mask[places_of(sample)], n_channels * n_places)
        };
        Ok(Measured {
            loss: weighted(&sums, &weights, n_channels * n_samples),
            of_samples: (0..compared.weights.len()).map(of_sample).collect(),
            gradient: device.reshape(&gradient, &shape)?,
        })
    }
}

/// Sum of weight times sum, divided by how many numbers there are.
fn weighted(sums: &[f64], weights: &[f32], n_numbers: usize) -> f64 {
    let mut value = 0.0;
    for (sum, &weight) in sums.iter().zip(weights) {
        value += f64::from(weight) * sum / n_numbers as f64;
    }
    value
}

fn n_numbers<D: TrainingDevice>(device: &D, tensor: &D::Tensor) -> usize {
    device.dims(tensor).iter().product()
}

#[cfg(test)]
mod tests;
