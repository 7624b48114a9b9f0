//! LoHa (Hyeon-Woo et al. 2022, *FedPara*; LyCORIS).

use candle_core::{Result, Tensor};

use super::{flat, tucker};

/// `scale · (a₁ b₁) ⊙ (a₂ b₂)`.
#[derive(Debug, Clone)]
pub struct Hadamard {
    /// Both products.
    pub factors: [Factor; 2],
    /// The change is scaled by alpha / rank; none means alpha = rank.
    pub alpha: Option<f64>,
}

/// One product: `a [out, rank] · b [rank, in · kernel · kernel]`, or with a core `[rank, rank, kernel, kernel]` the
/// Tucker decomposition of `a [rank, out]` and `b [rank, in]`.
#[derive(Debug, Clone)]
pub struct Factor {
    /// `[out, rank]`; `[rank, out]` beside a core.
    pub a: Tensor,
    /// `[rank, in · kernel · kernel]`; `[rank, in]` beside a core.
    pub b: Tensor,
    /// `[rank, rank, kernel, kernel]`
    pub core: Option<Tensor>,
}

impl Factor {
    /// From `w_a`, `w_b` and `t`, as LyCORIS names them.
    ///
    /// # Errors
    /// Says in words which shapes do not fit together.
    pub fn new(a: Tensor, b: Tensor, core: Option<Tensor>) -> std::result::Result<Self, String> {
        let fits = match (&core, a.dims(), b.dims()) {
            (None, [_, rank], [b_rank, ..]) => rank == b_rank && *rank > 0 && b.rank() >= 2,
            (Some(core), [a_rank, _], [b_rank, _]) => {
                matches!(core.dims(), [i, j, _, ..] if i == a_rank && j == b_rank && *i > 0 && *j > 0)
            }
            _ => false,
        };
        if !fits || a.elem_count() == 0 || b.elem_count() == 0 {
            let core = core.map(|core| format!(" with a core {:?}", core.dims()));
            return Err(format!(
                "the factors {:?} and {:?}{} do not fit together",
                a.dims(),
                b.dims(),
                core.unwrap_or_default()
            ));
        }
        Ok(Self { a, b, core })
    }

    /// Width of the bottleneck.
    pub fn rank(&self) -> usize {
        self.b.dims().first().copied().unwrap_or(0)
    }

    /// Rows and columns of the product.
    pub fn size(&self) -> (usize, usize) {
        let rank = self.rank().max(1);
        let columns = self.b.elem_count() / rank;
        match &self.core {
            None => (self.a.dims()[0], columns),
            Some(core) => (
                self.a.dims()[1],
                columns * (core.elem_count() / (core.dims()[0] * core.dims()[1])),
            ),
        }
    }

    /// The product, `[out, in · kernel · kernel]`.
    ///
    /// # Errors
    /// If memory is short.
    pub fn product(&self) -> Result<Tensor> {
        match &self.core {
            None => self.a.matmul(&flat(&self.b)?),
            Some(core) => tucker(core, &self.a, &self.b),
        }
    }
}

impl Hadamard {
    /// From both products.
    ///
    /// # Errors
    /// Says in words which shapes do not fit together.
    pub fn new(factors: [Factor; 2], alpha: Option<f64>) -> std::result::Result<Self, String> {
        let [first, second] = factors.each_ref().map(Factor::size);
        if first != second {
            return Err(format!(
                "hada_w1 {first:?} and hada_w2 {second:?} do not fit together"
            ));
        }
        Ok(Self { factors, alpha })
    }

    /// Width of the bottleneck.
    pub fn rank(&self) -> usize {
        self.factors[0].rank()
    }

    /// Rows and columns of the weight that it changes.
    pub fn size(&self) -> (usize, usize) {
        self.factors[0].size()
    }

    /// What the product is multiplied by.
    pub fn scale(&self) -> f64 {
        self.alpha.map_or(1.0, |alpha| alpha / self.rank() as f64)
    }

    /// The change.
    ///
    /// # Errors
    /// If memory is short.
    pub fn delta(&self) -> Result<Tensor> {
        let [first, second] = &self.factors;
        (first.product()? * second.product()?)? * self.scale()
    }
}
