//! One trained matrix: its name and shape in a file, and where it lies.

use candle_core::Tensor;
use diffusion::{device::tensor, layers::LoraTarget, operation::Place};

use crate::state::{StateError, read};

/// One trained matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Kohya's or LyCORIS' name.
    pub name: String,
    /// Where it lies in the buffer.
    pub place: Place,
    /// Its shape in files.
    pub shape: Vec<usize>,
    /// Of kernels: their input channels, which come last in the buffer, as those of the activations do, and before the
    /// pixels in files. None where both orders are the same.
    pub channels: Option<usize>,
}

impl Parameter {
    /// A matrix, whose shape in files is its own.
    pub(super) fn matrix(name: String, place: Place) -> Self {
        let shape = vec![place.rows, place.columns];
        Self::shaped(name, place, shape)
    }

    /// Numbers in an order that files have too, under a shape of their own.
    pub(super) fn shaped(name: String, place: Place, shape: Vec<usize>) -> Self {
        Self {
            name,
            place,
            shape,
            channels: None,
        }
    }

    /// Rows that are kernels of a layer, with `n_in` input channels each.
    pub(super) fn kernels(self, target: &LoraTarget, n_in: usize) -> Self {
        Self {
            channels: (target.kernel() > 1).then_some(n_in),
            ..self
        }
    }

    /// The parameter as files have it. `values` are all numbers of a network.
    ///
    /// # Errors
    /// If memory is short.
    pub fn tensor(&self, values: &[f32]) -> candle_core::Result<Tensor> {
        let values = &values[self.place.range()];
        match self.channels {
            None => tensor(values.to_vec(), &self.shape),
            Some(n_in) => {
                let n_pixels = self.place.columns / n_in;
                let rows = values.chunks_exact(self.place.columns);
                let values = rows.flat_map(|row| swapped(row, n_in, n_pixels));
                tensor(values.collect(), &self.shape)
            }
        }
    }

    /// The numbers of a stored tensor, in the order of the buffer.
    ///
    /// # Errors
    /// If the tensor has another shape.
    pub fn read(&self, stored: &Tensor) -> Result<Vec<f32>, StateError> {
        let values = read(stored, &self.name, &self.shape)?;
        let Some(n_in) = self.channels else {
            return Ok(values);
        };
        let n_pixels = self.place.columns / n_in;
        let rows = values.chunks_exact(self.place.columns);
        Ok(rows.flat_map(|row| swapped(row, n_pixels, n_in)).collect())
    }
}

/// A row of `n_outer` runs of what was `n_outer` apart before: the transpose of `[inner, outer]`.
fn swapped(row: &[f32], n_outer: usize, n_inner: usize) -> impl Iterator<Item = f32> + '_ {
    let places = (0..n_outer).flat_map(move |outer| (0..n_inner).map(move |inner| inner * n_outer + outer));
    places.map(|place| row[place])
}
