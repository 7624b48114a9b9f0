//! Singular values and inner products of `up · down`, computed without ever forming the product.
//!
//! A product of `[out, rank]` and `[rank, in]` has at most `rank` singular values that are not 0. With thin
//! factors up = Q₁R₁ and downᵀ = Q₂R₂ they are those of the small R₁R₂ᵀ (Golub and Van Loan, *Matrix
//! Computations*, 4th edition, sections 5.2 and 8.6).

use candle_core::{DType, Tensor};

use super::LoraModule;

/// Rotations stop when the columns are this close to orthogonal, relative to their lengths.
const ORTHOGONAL: f64 = 1e-14;
/// Jacobi's method converges quadratically; this many sweeps are never needed.
const MAX_SWEEPS: usize = 60;

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
    pub(super) fn of(module: &LoraModule) -> candle_core::Result<Self> {
        let rank = module.rank();
        Ok(Self {
            up: module.up.t()?.to_dtype(DType::F64)?.to_vec2()?,
            down: rows(&module.down)?,
            scale: module.alpha.map_or(1.0, |alpha| alpha / rank as f64),
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
        let (left, right) = (triangle(self.up.clone()), triangle(self.down.clone()));
        // Columns of R₁R₂ᵀ. A column of a triangle is `R[..][j]`, so R₁R₂ᵀ = Σⱼ R₁[:, j] · R₂[:, j]ᵀ.
        let n_rows = left.first().map_or(0, Vec::len);
        let n_columns = right.first().map_or(0, Vec::len);
        let mut product = vec![vec![0.0; n_rows]; n_columns];
        for (left, right) in left.iter().zip(&right) {
            for (column, factor) in product.iter_mut().zip(right) {
                for (value, left) in column.iter_mut().zip(left) {
                    *value += left * factor;
                }
            }
        }
        let mut values = jacobi(product);
        values.iter_mut().for_each(|value| *value *= self.scale.abs());
        values.sort_by(|a, b| b.total_cmp(a));
        // A bottleneck wider than its layer.
        values.resize(self.up.len(), 0.0);
        values
    }
}

fn rows(matrix: &Tensor) -> candle_core::Result<Vec<Vec<f64>>> {
    matrix.to_dtype(DType::F64)?.to_vec2()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The triangle R of A = QR by Householder reflections; columns in, columns out, each cut to the triangle's height.
fn triangle(mut columns: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let n_rows = columns.first().map_or(0, Vec::len);
    let height = n_rows.min(columns.len());
    for step in 0..height {
        let (done, rest) = columns.split_at_mut(step + 1);
        let pivot = &mut done[step];
        let length = dot(&pivot[step..], &pivot[step..]).sqrt();
        if length == 0.0 {
            continue;
        }
        // The sign that adds, so that nothing cancels.
        let diagonal = if pivot[step] > 0.0 { -length } else { length };
        let mut normal = pivot[step..].to_vec();
        normal[0] -= diagonal;
        let square = dot(&normal, &normal);
        for column in rest {
            let factor = 2.0 * dot(&normal, &column[step..]) / square;
            for (value, normal) in column[step..].iter_mut().zip(&normal) {
                *value -= factor * normal;
            }
        }
        pivot[step] = diagonal;
        pivot[step + 1..].fill(0.0);
    }
    for column in &mut columns {
        column.truncate(height);
    }
    columns
}

/// Singular values of a small matrix by one-sided Jacobi rotations: they make the columns orthogonal, and their
/// lengths are the values.
fn jacobi(mut columns: Vec<Vec<f64>>) -> Vec<f64> {
    for _ in 0..MAX_SWEEPS {
        let mut is_done = true;
        for second in 1..columns.len() {
            let (before, from) = columns.split_at_mut(second);
            let b = &mut from[0];
            for a in before {
                let (aa, bb, ab) = (dot(a, a), dot(b, b), dot(a, b));
                if ab.abs() <= ORTHOGONAL * (aa * bb).sqrt() {
                    continue;
                }
                is_done = false;
                let zeta = (bb - aa) / (2.0 * ab);
                let tangent = zeta.signum() / (zeta.abs() + zeta.hypot(1.0));
                let cosine = 1.0 / tangent.hypot(1.0);
                let sine = cosine * tangent;
                for (a, b) in a.iter_mut().zip(b.iter_mut()) {
                    (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
                }
            }
        }
        if is_done {
            break;
        }
    }
    columns.iter().map(|column| dot(column, column).sqrt()).collect()
}
