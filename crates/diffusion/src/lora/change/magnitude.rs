//! DoRA (Liu et al. 2024): a changed weight is brought to learned lengths.

use candle_core::{Result, Tensor};

use crate::device::tensor;

/// The lengths.
#[derive(Debug, Clone)]
pub struct Magnitude {
    /// One for each output or each input.
    pub lengths: Vec<f32>,
    /// Which.
    pub axis: Axis,
}

/// What a length belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// A row of the weight: PEFT, and LyCORIS with `wd_on_output`.
    Output,
    /// An input channel, over all outputs and the kernel: LyCORIS until 2.1, OneTrainer.
    Input,
}

impl Magnitude {
    /// LyCORIS' `dora_scale`: `[out, 1, …]` or `[1, in, …]`, which says the axis.
    ///
    /// # Errors
    /// If it has another shape, in words.
    pub fn from_dora_scale(shape: &[usize], lengths: Vec<f32>) -> std::result::Result<Self, String> {
        let axis = match shape {
            [_] => Axis::Output,
            [_, rest @ ..] if rest.iter().all(|n| *n == 1) => Axis::Output,
            [1, _, rest @ ..] if rest.iter().all(|n| *n == 1) => Axis::Input,
            _ => {
                return Err(format!(
                    "dora_scale has shape {shape:?}, [out, 1] or [1, in] is needed"
                ));
            }
        };
        Ok(Self { lengths, axis })
    }

    /// How many lengths a layer of `n_out` outputs and `n_in` inputs needs.
    pub fn fits(&self, n_out: usize, n_in: usize) -> bool {
        let needed = match self.axis {
            Axis::Output => n_out,
            Axis::Input => n_in,
        };
        self.lengths.len() == needed
    }

    /// `weight [out, in · kernel · kernel]`, a sum of the base's weight and the change, brought to the lengths.
    pub(super) fn applied(&self, weight: Tensor, n_in: usize) -> Result<Tensor> {
        let (n_out, columns) = weight.dims2()?;
        let kernel = columns / n_in.max(1);
        let mut numbers: Vec<f32> = weight.flatten_all()?.to_vec1()?;
        let place = |index: usize| match self.axis {
            Axis::Output => index / columns,
            Axis::Input => index % columns / kernel,
        };
        let mut squares = vec![0f64; self.lengths.len()];
        for (index, number) in numbers.iter().enumerate() {
            squares[place(index)] += f64::from(*number).powi(2);
        }
        // As LyCORIS and ComfyUI have it, so that a row of zeros stays one.
        let epsilon = f64::from(f32::EPSILON);
        let factors: Vec<f32> = squares
            .iter()
            .zip(&self.lengths)
            .map(|(square, length)| (f64::from(*length) / (square.sqrt() + epsilon)) as f32)
            .collect();
        for (index, number) in numbers.iter_mut().enumerate() {
            *number *= factors[place(index)];
        }
        tensor(numbers, [n_out, columns])
    }
}
