//! LoKr (Edalati et al. 2022, *KronA*; LyCORIS).

use candle_core::{Result, Tensor};

use super::{Factor, flat};

/// `scale · w₁ ⊗ w₂`, each a matrix or a product.
#[derive(Debug, Clone)]
pub struct Kronecker {
    /// `[out₁, in₁]`, whole or as a product.
    pub first: Side,
    /// `[out₂, in₂ · kernel · kernel]`, whole or as a product.
    pub second: Side,
    /// The change is scaled by alpha / rank if one side is a product; whole matrices leave alpha without meaning.
    pub alpha: Option<f64>,
    /// Scaled by this instead, whatever the sides are: alpha / r of PEFT's configuration.
    pub fixed_scale: Option<f64>,
}

/// One side of the product.
#[derive(Debug, Clone)]
pub enum Side {
    /// As it is.
    Whole(Tensor),
    /// As a product.
    Product(Factor),
}

impl Side {
    fn size(&self) -> (usize, usize) {
        match self {
            Self::Whole(matrix) => {
                let rows = matrix.dims().first().copied().unwrap_or(1);
                (rows, matrix.elem_count() / rows.max(1))
            }
            Self::Product(factor) => factor.size(),
        }
    }

    /// The tensors that it is made of.
    pub(super) fn factors(&self) -> Vec<&Tensor> {
        match self {
            Self::Whole(matrix) => vec![matrix],
            Self::Product(factor) => vec![&factor.a, &factor.b],
        }
    }

    fn matrix(&self) -> Result<Tensor> {
        match self {
            Self::Whole(matrix) => flat(matrix),
            Self::Product(factor) => factor.product(),
        }
    }

    fn rank(&self) -> Option<usize> {
        match self {
            Self::Whole(_) => None,
            Self::Product(factor) => Some(factor.rank()),
        }
    }
}

impl Kronecker {
    /// From both sides.
    pub fn new(first: Side, second: Side, alpha: Option<f64>) -> Self {
        Self {
            first,
            second,
            alpha,
            fixed_scale: None,
        }
    }

    /// Width of the bottleneck; none if both sides are whole.
    pub fn rank(&self) -> Option<usize> {
        // LyCORIS gives both the same; where a file does not, ComfyUI takes the second.
        self.second.rank().or(self.first.rank())
    }

    /// Rows and columns of the weight that it changes.
    pub fn size(&self) -> (usize, usize) {
        let ((rows, columns), (inner_rows, inner_columns)) = (self.first.size(), self.second.size());
        (
            rows.saturating_mul(inner_rows),
            columns.saturating_mul(inner_columns),
        )
    }

    /// What the product is multiplied by.
    pub fn scale(&self) -> f64 {
        let by_rank = || Some(self.alpha? / self.rank()? as f64);
        self.fixed_scale.or_else(by_rank).unwrap_or(1.0)
    }

    /// The change. A convolution's kernel stands last in both orders, so that it may be taken for columns.
    ///
    /// # Errors
    /// If memory is short.
    pub fn delta(&self) -> Result<Tensor> {
        let (first, second) = (self.first.matrix()?, self.second.matrix()?);
        let ((a, b), (c, d)) = (first.dims2()?, second.dims2()?);
        let product = first
            .reshape((a, 1, b, 1))?
            .broadcast_mul(&second.reshape((1, c, 1, d))?)?;
        product.reshape((a * c, b * d))? * self.scale()
    }
}
