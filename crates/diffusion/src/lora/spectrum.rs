//! Singular values and inner products of `up · down`, computed without ever forming the product.
//!
//! A product of `[out, rank]` and `[rank, in]` has at most `rank` singular values that are not 0.

use candle_core::{DType, Tensor};

use super::{
    LowRank,
    change::flat,
    decomposition::{Svd, dot},
};

/// The singular values of a module's change, the largest first, as many as its rank; none for a product of three matrices.
///
/// # Errors
/// If memory is short.
pub fn singular_values(module: &LowRank) -> candle_core::Result<Option<Vec<f64>>> {
    if module.mid.is_some() {
        return Ok(None);
    }
    Ok(Some(Product::of(module)?.singular_values()))
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::tensor;

    /// numpy 2.4.6: `numpy.linalg.svd(0.5 * up @ down, compute_uv=False)`, and `(s**2).sum() / s[0]**2`.
    #[test]
    fn singular_values_are_those_of_numpy() {
        let down = tensor(vec![1.0, 2.0, -1.0, 0.5, 0.0, 1.0, 3.0, -2.0], [2, 4]).unwrap();
        let up = tensor(vec![2.0, -1.0, 0.0, 1.0, 1.5, 0.5], [3, 2]).unwrap();
        let module = LowRank::new(down, None, up, Some(1.0)).unwrap();
        let found = singular_values(&module).unwrap().unwrap();
        let expected = [3.7871103364481544, 2.132702581132105];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
        }
        let stable_rank = found.iter().map(|x| x * x).sum::<f64>() / (found[0] * found[0]);
        assert!((stable_rank - 1.3171353633957266).abs() < 1e-9, "{stable_rank}");
    }
}
