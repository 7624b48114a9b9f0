//! GLoRA (Chavan et al. 2023, *One-for-All*; LyCORIS): a change of the weight by itself, beside a plain one.

use candle_core::{Result, Tensor};

use super::{LowRank, flat};

/// ΔW = scale · (W A + B), both of low rank.
#[derive(Debug, Clone)]
pub struct General {
    /// A's left half, `[in, rank]`.
    pub left: Tensor,
    /// A's right half, `[rank, in]`.
    pub right: Tensor,
    /// B, with the scale of both.
    pub plain: LowRank,
}

impl General {
    /// From LyCORIS' `a1`, `a2` and what `b1`, `bm` and `b2` are together.
    ///
    /// # Errors
    /// Says in words which shapes do not fit together.
    pub fn new(left: Tensor, right: Tensor, plain: LowRank) -> std::result::Result<Self, String> {
        let (left, right) = (flat(&left), flat(&right));
        let (Ok(left), Ok(right)) = (left, right) else {
            return Err("a1 and a2 are no matrices".to_owned());
        };
        match (left.dims(), right.dims()) {
            (&[n_in, rank], &[same_rank, same_in]) if n_in == same_in && rank == same_rank && n_in > 0 => {}
            (left, right) => return Err(format!("a1 {left:?} and a2 {right:?} do not fit together")),
        }
        Ok(Self { left, right, plain })
    }

    /// Input channels of the layer.
    fn n_in(&self) -> usize {
        self.left.dims()[0]
    }

    /// Rows and columns of the weight that it changes.
    pub fn size(&self) -> (usize, usize) {
        self.plain.size()
    }

    /// Whether a layer of `n_out` outputs, `n_in` input channels and so many columns can be changed so.
    pub fn fits(&self, n_out: usize, n_in: usize, columns: usize) -> bool {
        self.n_in() == n_in && self.size() == (n_out, columns)
    }

    /// What is added to `weight` `[out, in, …]`, as a matrix `[out, in · kernel · kernel]`.
    ///
    /// # Errors
    /// If the weight has another size.
    pub fn delta_for(&self, weight: &Tensor) -> Result<Tensor> {
        let (n_out, n_in) = (weight.dim(0)?, weight.dim(1)?);
        let columns = weight.elem_count() / n_out.max(1);
        // Columns by input channel come last, so that A is applied to each pixel of the kernel.
        let pixels = columns / n_in.max(1);
        let by_channel = weight
            .reshape((n_out, n_in, pixels))?
            .transpose(1, 2)?
            .contiguous()?
            .reshape((n_out * pixels, n_in))?;
        let changed = by_channel.matmul(&self.left)?.matmul(&self.right)?;
        let changed = changed
            .reshape((n_out, pixels, n_in))?
            .transpose(1, 2)?
            .contiguous()?
            .reshape((n_out, columns))?;
        (changed * self.plain.scale())? + self.plain.delta()?
    }
}
