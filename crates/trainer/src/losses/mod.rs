//! Losses: how far a prediction is off. A closed set, one file for each. [`weightings`](crate::weightings) say how much
//! each sample counts.

mod squared_error;

use diffusion::device::{DeviceError, TrainingDevice};

/// Which loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Loss {
    /// Mean squared error.
    #[default]
    SquaredError,
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
    /// Samples of the whole batch, of which these may be a part.
    pub n_samples: usize,
}

impl Loss {
    /// Every loss.
    pub const ALL: [Self; 1] = [Self::SquaredError];

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
        }
    }
}

#[cfg(test)]
mod tests;
