//! Weights that stay in their file: mapped into memory, and widened to `f32` only where they are multiplied with.

use std::{fmt, ops::Range, sync::Arc};

use candle_core::{Result, Tensor};

use super::tensor;
use crate::operation::Number;

/// A weight where its file holds it. A clone shares the bytes.
#[derive(Clone)]
pub struct Frozen {
    file: Arc<dyn AsRef<[u8]> + Send + Sync>,
    range: Range<usize>,
    number: Number,
    /// `[out, in]`, or `[out, in, kernel, kernel]`.
    shape: Vec<usize>,
}

impl fmt::Debug for Frozen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frozen")
            .field("number", &self.number)
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

impl Frozen {
    /// The numbers of this kind in a range of a file's bytes, row by row. None if there are too few or too many for the
    /// shape.
    pub fn new(
        file: Arc<dyn AsRef<[u8]> + Send + Sync>,
        range: Range<usize>,
        number: Number,
        shape: Vec<usize>,
    ) -> Option<Self> {
        let n_bytes = shape.iter().product::<usize>() * number.n_bytes();
        let fits = (*file)
            .as_ref()
            .get(range.clone())
            .is_some_and(|bytes| bytes.len() == n_bytes);
        fits.then_some(Self {
            file,
            range,
            number,
            shape,
        })
    }

    /// Its shape in the file.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// What kind of numbers it has.
    pub fn number(&self) -> Number {
        self.number
    }

    /// Its numbers as the file holds them.
    pub fn bytes(&self) -> &[u8] {
        &(*self.file).as_ref()[self.range.clone()]
    }

    /// Whether no number is infinite or none at all.
    pub fn is_finite(&self) -> bool {
        self.number.are_finite(self.bytes())
    }

    /// Some rows of a matrix in `f32`, one after another.
    pub fn rows(&self, rows: &[u32]) -> Vec<f32> {
        let width: usize = self.shape.iter().skip(1).product();
        let n_bytes = width * self.number.n_bytes();
        let mut values = vec![0.0; rows.len() * width];
        for (row, values) in rows.iter().zip(values.chunks_exact_mut(width)) {
            self.number
                .widen(&self.bytes()[*row as usize * n_bytes..][..n_bytes], values);
        }
        values
    }

    /// A copy in `f32`, in the order that layers want: `[out, in]`, or `[out, kernel, kernel, in]`.
    ///
    /// # Errors
    /// If memory is short.
    pub fn widened(&self) -> Result<Tensor> {
        let bytes = self.bytes();
        let mut values = vec![0.0; bytes.len() / self.number.n_bytes()];
        self.number.widen(bytes, &mut values);
        in_rows(tensor(values, &self.shape)?)
    }
}

/// A weight in the order that layers want: of a convolution `[out, in, kernel, kernel]` the kernels with their channels
/// last, so that a patch is one row.
///
/// # Errors
/// If memory is short.
pub fn in_rows(weight: Tensor) -> Result<Tensor> {
    match weight.rank() {
        4 => weight.permute((0, 2, 3, 1))?.contiguous(),
        _ => weight.contiguous(),
    }
}
