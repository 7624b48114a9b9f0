//! Singular values and inner products of `up · down`, computed without ever forming the product.
//!
//! A product of `[out, rank]` and `[rank, in]` has at most `rank` singular values that are not 0.

use candle_core::{DType, Tensor};

use super::{
    LowRank,
    change::flat,
    decomposition::{Svd, dot},
};

/// A module's change of its layer, `scale · up · down`, in double precision.
#[derive(Debug, Clone)]
pub(super) struct Product {
    /// Columns of `up`: `rank` of length `out`.
    up: Vec<Vec<f64>>,
    /// Rows of `down`: `rank` of length `in`.
    down: Vec<Vec<f64>>,
    /// alpha / rank
    scale: f64,
}

impl Product {
    pub(super) fn of(module: &LowRank) -> candle_core::Result<Self> {
        Ok(Self {
            up: module.up.t()?.to_dtype(DType::F64)?.to_vec2()?,
            down: rows(&flat(&module.down)?)?,
            scale: module.scale(),
        })
    }

    /// `[in, out]` of the layer.
    pub(super) fn sizes(&self) -> (usize, usize) {
        let length = |vectors: &[Vec<f64>]| vectors.first().map_or(0, Vec::len);
        (length(&self.down), length(&self.up))
    }

    /// Frobenius inner product with another: Σᵢⱼ (UᵀU')ᵢⱼ (DD'ᵀ)ᵢⱼ.
    pub(super) fn dot(&self, other: &Self) -> f64 {
        let mut sum = 0.0;
        for (up, down) in self.up.iter().zip(&self.down) {
            for (other_up, other_down) in other.up.iter().zip(&other.down) {
                sum += dot(up, other_up) * dot(down, other_down);
            }
        }
        self.scale * other.scale * sum
    }

    /// The singular values, the largest first; as many as the rank.
    pub(super) fn singular_values(&self) -> Vec<f64> {
        let mut values = Svd::of_product(self.up.clone(), self.down.clone()).values;
        values.iter_mut().for_each(|value| *value *= self.scale.abs());
        // A bottleneck wider than its layer.
        values.resize(self.up.len(), 0.0);
        values
    }
}

fn rows(matrix: &Tensor) -> candle_core::Result<Vec<Vec<f64>>> {
    matrix.to_dtype(DType::F64)?.to_vec2()
}
