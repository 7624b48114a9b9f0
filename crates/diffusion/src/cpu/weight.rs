//! Frozen weights on the processor: where their numbers lie, and what small ones look like laid out for products.

use std::sync::{Arc, OnceLock};

use candle_core::{Result, Tensor, bail};

use crate::{
    device::{Frozen, floats},
    kernels::{
        packed::Packed,
        streamed::{self, Numbers},
    },
    operation::ConvShape,
};

/// Weights of up to this many numbers get layouts of their own, in `f32`.
///
/// Larger ones meet many rows, which hides the cost of widening and copying them for each product; and copies of them would
/// multiply the memory of a large model.
pub(crate) const SMALL_WEIGHT: usize = 1 << 19;

/// With so many patches, a convolution is computed with a copy of its kernels, which a general product takes.
const MANY_PATCHES: usize = 4096;

/// A frozen weight, and what it looks like laid out for products.
#[derive(Debug, Clone)]
pub struct CpuWeight {
    place: Place,
    /// `[out, in]`, or `[out, kernel, kernel, in]`.
    dims: Vec<usize>,
    /// Of small weights.
    layouts: Option<Arc<Layouts>>,
}

/// Where the numbers are.
#[derive(Debug, Clone)]
enum Place {
    /// In `f32`.
    Host(Tensor),
    File(Frozen),
}

/// A small weight, each way when it is first needed.
#[derive(Debug, Default)]
struct Layouts {
    values: OnceLock<Tensor>,
    forward: OnceLock<Packed>,
    backward: OnceLock<Packed>,
}

impl CpuWeight {
    pub(super) fn host(tensor: Tensor) -> Self {
        let dims = tensor.dims().to_vec();
        Self::new(Place::Host(tensor), dims)
    }

    pub(super) fn frozen(frozen: Frozen) -> Self {
        let dims = match *frozen.shape() {
            [n_out, n_in, height, width] => vec![n_out, height, width, n_in],
            ref shape => shape.to_vec(),
        };
        Self::new(Place::File(frozen), dims)
    }

    fn new(place: Place, dims: Vec<usize>) -> Self {
        let is_small = dims.iter().product::<usize>() <= SMALL_WEIGHT;
        Self {
            place,
            dims,
            layouts: is_small.then(Arc::default),
        }
    }

    /// `[out, in]`, or `[out, kernel, kernel, in]`.
    pub(super) fn dims(&self) -> &[usize] {
        &self.dims
    }

    /// `(out, in)` of a linear layer.
    pub(super) fn dims2(&self) -> Result<(usize, usize)> {
        match *self.dims {
            [n_out, n_in] => Ok((n_out, n_in)),
            _ => bail!("a weight of shape {:?} where a matrix is needed", self.dims),
        }
    }

    /// The numbers in `f32`: of a large weight of a file a copy, which is not kept.
    pub(super) fn values(&self) -> Result<Tensor> {
        let (frozen, layouts) = match (&self.place, &self.layouts) {
            (Place::Host(tensor), _) => return Ok(tensor.clone()),
            (Place::File(frozen), None) => return frozen.widened(),
            (Place::File(frozen), Some(layouts)) => (frozen, layouts),
        };
        match layouts.values.get() {
            Some(values) => Ok(values.clone()),
            None => {
                let values = frozen.widened()?;
                Ok(layouts.values.get_or_init(|| values).clone())
            }
        }
    }

    /// Computes with the layout of a small weight for the layer's result, which `pack` makes of its numbers. None of a
    /// large one.
    pub(super) fn packed_forward(&self, pack: impl FnOnce(&[f32]) -> Packed) -> Result<Option<&Packed>> {
        self.packed(|layouts| &layouts.forward, pack)
    }

    /// The same for the gradient of the layer's input.
    pub(super) fn packed_backward(&self, pack: impl FnOnce(&[f32]) -> Packed) -> Result<Option<&Packed>> {
        self.packed(|layouts| &layouts.backward, pack)
    }

    fn packed(
        &self,
        layout: impl FnOnce(&Layouts) -> &OnceLock<Packed>,
        pack: impl FnOnce(&[f32]) -> Packed,
    ) -> Result<Option<&Packed>> {
        let Some(layouts) = &self.layouts else {
            return Ok(None);
        };
        let layout = layout(layouts);
        if let Some(packed) = layout.get() {
            return Ok(Some(packed));
        }
        // Not kept beside what is made of them.
        let values = match &self.place {
            Place::Host(tensor) => tensor.clone(),
            Place::File(frozen) => frozen.widened()?,
        };
        let values = floats(&values)?;
        Ok(Some(layout.get_or_init(|| pack(&values))))
    }

    /// Whether all numbers should be in `f32` for a convolution: they are there already, or so many patches are multiplied
    /// with them that a copy, which is not kept, costs little beside that.
    pub(super) fn is_worth_widening(&self, shape: ConvShape) -> bool {
        let n_patches = shape.batch * shape.output.0 * shape.output.1;
        matches!(self.place, Place::Host(_)) || n_patches >= MANY_PATCHES
    }

    /// Computes with the numbers where they lie.
    pub(super) fn streamed<R>(&self, work: impl FnOnce(streamed::Weight) -> R) -> Result<R> {
        let n_out = self.dims.first().copied().unwrap_or(1);
        let n_in = self.dims.last().copied().unwrap_or(1);
        let n_taps = self.dims.iter().skip(1).rev().skip(1).product();
        let weight = |numbers| streamed::Weight {
            numbers,
            n_out,
            n_in,
            n_taps,
        };
        match &self.place {
            Place::Host(tensor) => Ok(work(weight(Numbers::Floats(&floats(tensor)?)))),
            Place::File(frozen) => {
                let numbers = Numbers::Stored(frozen.number(), frozen.bytes());
                Ok(work(weight(numbers)))
            }
        }
    }
}

#[cfg(test)]
mod tests;
