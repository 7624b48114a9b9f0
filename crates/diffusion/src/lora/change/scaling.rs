//! IA³ (Liu et al. 2022; LyCORIS): inputs or outputs of a layer become stronger or weaker.

use candle_core::{Result, Tensor};

use crate::device::{floats, tensor};

/// ΔW = W ⊙ factors, along the inputs or the outputs.
#[derive(Debug, Clone)]
pub struct Scaling {
    /// One for each input channel or each output; 0 changes nothing.
    pub factors: Vec<f32>,
    /// Whether they belong to the inputs.
    pub on_input: bool,
}

impl Scaling {
    /// Outputs and inputs of the layer, as far as they are known; 0 stands for any.
    pub fn size(&self) -> (usize, usize) {
        match self.on_input {
            true => (0, self.factors.len()),
            false => (self.factors.len(), 0),
        }
    }

    /// Whether a layer of `n_out` outputs and `n_in` input channels can be changed so.
    pub fn fits(&self, n_out: usize, n_in: usize) -> bool {
        self.factors.len() == if self.on_input { n_in } else { n_out }
    }

    /// What is added to `weight` `[out, in, …]`, as a matrix `[out, in · kernel · kernel]`.
    ///
    /// # Errors
    /// If the weight has another size.
    pub fn delta_for(&self, weight: &Tensor) -> Result<Tensor> {
        let dims = weight.dims();
        let (n_out, n_in) = (
            dims.first().copied().unwrap_or(0),
            dims.get(1).copied().unwrap_or(1),
        );
        if !self.fits(n_out, n_in) {
            candle_core::bail!("{} factors do not fit a weight {dims:?}", self.factors.len());
        }
        let columns = weight.elem_count() / n_out.max(1);
        let kernel = columns / n_in.max(1);
        let weight = weight.contiguous()?;
        let numbers = floats(&weight)?;
        let scaled = numbers.iter().enumerate().map(|(index, number)| {
            let at = match self.on_input {
                true => index % columns / kernel,
                false => index / columns,
            };
            number * self.factors[at]
        });
        tensor(scaled.collect(), [n_out, columns])
    }
}
