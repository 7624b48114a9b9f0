//! LoRA (Hu et al. 2021) and LoCon.

use candle_core::{Result, Tensor};

use super::{flat, tucker};

/// `scale · up · down`, or `scale · up · mid · down` for a convolution that is decomposed once more.
#[derive(Debug, Clone)]
pub struct LowRank {
    /// `[rank, in]`, or `[rank, in, kernel, kernel]`; `[rank, in]` beside a `mid`.
    pub down: Tensor,
    /// `[rank, rank, kernel, kernel]`: LoCon with `use_tucker` (`use_cp`).
    pub mid: Option<Tensor>,
    /// `[out, rank]`
    pub up: Tensor,
    /// The change is scaled by alpha / rank; none means alpha = rank.
    pub alpha: Option<f64>,
    /// Whether it is scaled by alpha / √rank instead (rank-stabilized LoRA, Kalajdzievski 2023).
    pub is_rank_stabilized: bool,
}

impl LowRank {
    /// A plain LoRA of a linear layer or of a convolution.
    ///
    /// # Errors
    /// Says in words which shapes do not fit together.
    pub fn new(
        down: Tensor,
        mid: Option<Tensor>,
        up: Tensor,
        alpha: Option<f64>,
    ) -> std::result::Result<Self, String> {
        let down = without_kernel(down)?;
        let up = without_kernel(up)?;
        let words = || {
            format!(
                "lora_down {:?} and lora_up {:?} do not fit together: [rank, in] and [out, rank] are needed",
                down.dims(),
                up.dims()
            )
        };
        let ([rank, rest @ ..], [_, up_rank]) = (down.dims(), up.dims()) else {
            return Err(words());
        };
        if rank != up_rank || *rank == 0 || rest.contains(&0) || rest.is_empty() {
            return Err(words());
        }
        if let Some(mid) = &mid
            && (down.rank() != 2 || !matches!(mid.dims(), [a, b, _, ..] if a == rank && b == rank))
        {
            return Err(format!(
                "lora_mid {:?} does not fit lora_down {:?}: [rank, rank, kernel, kernel] is needed",
                mid.dims(),
                down.dims()
            ));
        }
        Ok(Self {
            down,
            mid,
            up,
            alpha,
            is_rank_stabilized: false,
        })
    }

    /// Width of the bottleneck.
    pub fn rank(&self) -> usize {
        self.down.dims().first().copied().unwrap_or(0)
    }

    /// What the product is multiplied by.
    pub fn scale(&self) -> f64 {
        let rank = self.rank() as f64;
        let width = if self.is_rank_stabilized {
            rank.sqrt()
        } else {
            rank
        };
        self.alpha.map_or(1.0, |alpha| alpha / width)
    }

    /// Alpha as files without rank stabilization mean it: the scale times the rank.
    pub fn effective_alpha(&self) -> Option<f64> {
        self.alpha.map(|alpha| match self.is_rank_stabilized {
            true => alpha * (self.rank() as f64).sqrt(),
            false => alpha,
        })
    }

    /// Whether it is made of two matrices, for a linear layer or a 1×1 convolution.
    pub fn is_matrix(&self) -> bool {
        self.mid.is_none() && self.down.rank() == 2
    }

    /// Rows and columns of the weight that it changes.
    pub fn size(&self) -> (usize, usize) {
        let rank = self.rank().max(1);
        let kernel = self
            .mid
            .as_ref()
            .map_or(1, |mid| mid.elem_count() / (rank * rank));
        let n_out = self.up.dims().first().copied().unwrap_or(0);
        (n_out, self.down.elem_count() / rank * kernel)
    }

    /// The change, `[out, in · kernel · kernel]`.
    ///
    /// # Errors
    /// If memory is short.
    pub fn delta(&self) -> Result<Tensor> {
        let product = match &self.mid {
            None => self.up.matmul(&flat(&self.down)?)?,
            Some(mid) => tucker(mid, &self.up.t()?.contiguous()?, &self.down)?,
        };
        product * self.scale()
    }
}

/// A 1×1 convolution `[out, in, 1, 1]` as the matrix that it is.
fn without_kernel(tensor: Tensor) -> std::result::Result<Tensor, String> {
    match *tensor.dims() {
        [rows, columns, 1] | [rows, columns, 1, 1] => {
            tensor.reshape((rows, columns)).map_err(|err| err.to_string())
        }
        _ => Ok(tensor),
    }
}
