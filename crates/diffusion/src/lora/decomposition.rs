//! Singular value decompositions: exact ones of thin products and small matrices, truncated ones of large matrices.
//!
//! A matrix is a list of its columns in double precision. Sources: Golub and Van Loan, *Matrix Computations*, 4th
//! edition, sections 5.2 (Householder reflections) and 8.6 (one-sided Jacobi rotations); Halko, Martinsson and Tropp,
//! "Finding structure with randomness" (SIAM Review 53, 2011), algorithms 4.4 and 5.1 (large matrices).

use candle_core::{DType, Tensor};

use crate::{
    device::{HOST, tensor},
    random::Random,
};

/// Rotations stop when the columns are this close to orthogonal, relative to their lengths.
const ORTHOGONAL: f64 = 1e-14;
/// Jacobi's method converges quadratically; this many sweeps are never needed.
const MAX_SWEEPS: usize = 60;

/// A = Σᵢ valuesᵢ · leftᵢ · rightᵢᵀ, the largest values first. Vectors that belong to a value of 0 may be 0.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Svd {
    /// Columns as long as A has rows.
    pub(super) left: Vec<Vec<f64>>,
    /// None is negative.
    pub(super) values: Vec<f64>,
    /// Columns as long as A has columns.
    pub(super) right: Vec<Vec<f64>>,
}

impl Svd {
    /// Of `up · down`, given as columns of `up` and rows of `down`, without ever forming the product: with thin factors
    /// up = Q₁R₁ and downᵀ = Q₂R₂ it is that of the small R₁R₂ᵀ, turned by Q₁ and Q₂.
    pub(super) fn of_product(up: Vec<Vec<f64>>, down: Vec<Vec<f64>>) -> Self {
        let (left, right) = (Reflected::new(up), Reflected::new(down));
        let mut svd = jacobi(outer_product(&left.triangle, &right.triangle));
        svd.left.iter_mut().for_each(|vector| left.turn(vector));
        svd.right.iter_mut().for_each(|vector| right.turn(vector));
        svd
    }

    /// Of a matrix with its columns.
    pub(super) fn of_columns(columns: Vec<Vec<f64>>) -> Self {
        let n_rows = columns.first().map_or(0, Vec::len);
        if n_rows < columns.len() {
            let transposed = Self::of_columns(transpose(&columns));
            return Self {
                left: transposed.right,
                values: transposed.values,
                right: transposed.left,
            };
        }
        let reflected = Reflected::new(columns);
        let mut svd = jacobi(reflected.triangle.clone());
        svd.left.iter_mut().for_each(|vector| reflected.turn(vector));
        svd
    }

    /// Keeps the `n` largest values.
    pub(super) fn truncate(&mut self, n: usize) {
        self.left.truncate(n);
        self.values.truncate(n);
        self.right.truncate(n);
    }
}

/// Σⱼ leftⱼ · rightⱼᵀ as columns.
fn outer_product(left: &[Vec<f64>], right: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let n_rows = left.first().map_or(0, Vec::len);
    let n_columns = right.first().map_or(0, Vec::len);
    let mut product = vec![vec![0.0; n_rows]; n_columns];
    for (left, right) in left.iter().zip(right) {
        for (column, factor) in product.iter_mut().zip(right) {
            add(column, *factor, left);
        }
    }
    product
}

pub(super) fn transpose(columns: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let n_rows = columns.first().map_or(0, Vec::len);
    (0..n_rows)
        .map(|row| columns.iter().map(|column| column[row]).collect())
        .collect()
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// a += factor · b
pub(super) fn add(a: &mut [f64], factor: f64, b: &[f64]) {
    for (a, b) in a.iter_mut().zip(b) {
        *a += factor * b;
    }
}

/// A = QR by Householder reflections.
struct Reflected {
    n_rows: usize,
    /// Normal of each reflection, from its own row on, and two over its square.
    reflections: Vec<(Vec<f64>, f64)>,
    /// Columns of R, cut to its height.
    triangle: Vec<Vec<f64>>,
}

impl Reflected {
    fn new(mut columns: Vec<Vec<f64>>) -> Self {
        let n_rows = columns.first().map_or(0, Vec::len);
        let height = n_rows.min(columns.len());
        let mut reflections = Vec::with_capacity(height);
        for step in 0..height {
            let (done, rest) = columns.split_at_mut(step + 1);
            let pivot = &mut done[step];
            let length = dot(&pivot[step..], &pivot[step..]).sqrt();
            if length == 0.0 {
                reflections.push((Vec::new(), 0.0));
                continue;
            }
            // The sign that adds, so that nothing cancels.
            let diagonal = if pivot[step] > 0.0 { -length } else { length };
            let mut normal = pivot[step..].to_vec();
            normal[0] -= diagonal;
            let factor = 2.0 / dot(&normal, &normal);
            for column in rest {
                let along = factor * dot(&normal, &column[step..]);
                add(&mut column[step..], -along, &normal);
            }
            pivot[step] = diagonal;
            pivot[step + 1..].fill(0.0);
            reflections.push((normal, factor));
        }
        for column in &mut columns {
            column.truncate(height);
        }
        Self {
            n_rows,
            reflections,
            triangle: columns,
        }
    }

    /// Q times a vector of R's height.
    fn turn(&self, vector: &mut Vec<f64>) {
        vector.resize(self.n_rows, 0.0);
        for (step, (normal, factor)) in self.reflections.iter().enumerate().rev() {
            let along = factor * dot(normal, &vector[step..]);
            add(&mut vector[step..], -along, normal);
        }
    }

    /// The columns of Q.
    fn basis(&self) -> Vec<Vec<f64>> {
        let unit = |index| {
            let mut vector = vec![0.0; self.reflections.len()];
            vector[index] = 1.0;
            self.turn(&mut vector);
            vector
        };
        (0..self.reflections.len()).map(unit).collect()
    }
}

/// Of a small matrix by one-sided Jacobi rotations: they make the columns orthogonal, and their lengths are the values.
fn jacobi(mut columns: Vec<Vec<f64>>) -> Svd {
    let n = columns.len();
    let mut turns: Vec<Vec<f64>> = (0..n)
        .map(|index| (0..n).map(|other| f64::from(u8::from(index == other))).collect())
        .collect();
    for _ in 0..MAX_SWEEPS {
        let mut is_done = true;
        for second in 1..n {
            for first in 0..second {
                let (a, b) = two(&mut columns, first, second);
                let (aa, bb, ab) = (dot(a, a), dot(b, b), dot(a, b));
                if ab.abs() <= ORTHOGONAL * (aa * bb).sqrt() {
                    continue;
                }
                is_done = false;
                let zeta = (bb - aa) / (2.0 * ab);
                let tangent = zeta.signum() / (zeta.abs() + zeta.hypot(1.0));
                let cosine = 1.0 / tangent.hypot(1.0);
                rotate(a, b, cosine, cosine * tangent);
                let (a, b) = two(&mut turns, first, second);
                rotate(a, b, cosine, cosine * tangent);
            }
        }
        if is_done {
            break;
        }
    }
    let mut triples: Vec<(f64, Vec<f64>, Vec<f64>)> = columns
        .into_iter()
        .zip(turns)
        .map(|(mut left, right)| {
            let value = dot(&left, &left).sqrt();
            if value > 0.0 {
                left.iter_mut().for_each(|x| *x /= value);
            }
            (value, left, right)
        })
        .collect();
    triples.sort_by(|(a, ..), (b, ..)| b.total_cmp(a));
    let mut svd = Svd {
        left: Vec::with_capacity(n),
        values: Vec::with_capacity(n),
        right: Vec::with_capacity(n),
    };
    for (value, left, right) in triples {
        svd.left.push(left);
        svd.values.push(value);
        svd.right.push(right);
    }
    svd
}

fn two(columns: &mut [Vec<f64>], first: usize, second: usize) -> (&mut [f64], &mut [f64]) {
    let (before, from) = columns.split_at_mut(second);
    (&mut before[first], &mut from[0])
}

fn rotate(a: &mut [f64], b: &mut [f64], cosine: f64, sine: f64) {
    for (a, b) in a.iter_mut().zip(b) {
        (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
    }
}

/// Matrices with a side of at most this are decomposed exactly.
const EXACT: usize = 192;
/// Directions beyond those asked for: the more, the faster the wanted ones settle.
const OVERSAMPLING: usize = 32;
/// Iterations stop when the wanted squared values move by less than this share of the largest.
const SETTLED: f64 = 1e-9;
/// A flat spectrum settles slowly, and there one direction is as good as the next.
const MAX_ITERATIONS: usize = 40;

/// The `rank` largest singular values of a matrix `[n_rows, n_columns]` of f32 (row by row) and their vectors.
///
/// Of a large matrix they are found in a subspace, by iteration from a fixed seed: the same matrix gives the same
/// result.
///
/// # Errors
/// If a product of matrices fails.
pub(super) fn largest(
    matrix: &[f32],
    [n_rows, n_columns]: [usize; 2],
    rank: usize,
) -> candle_core::Result<Svd> {
    let n_directions = (2 * rank).max(rank + OVERSAMPLING);
    let matrix = tensor(matrix.to_vec(), [n_rows, n_columns])?.to_dtype(DType::F64)?;
    let mut svd = if n_rows.min(n_columns) <= EXACT.max(n_directions) {
        Svd::of_columns(matrix.t()?.to_vec2()?)
    } else if n_rows <= n_columns {
        in_subspace(&matrix, rank, n_directions)?
    } else {
        let transposed = in_subspace(&matrix.t()?.contiguous()?, rank, n_directions)?;
        Svd {
            left: transposed.right,
            values: transposed.values,
            right: transposed.left,
        }
    };
    svd.truncate(rank);
    Ok(svd)
}

/// Of a matrix A with more columns than rows: the leading eigenvectors Q of AAᵀ, and the exact decomposition of Q·QᵀA.
fn in_subspace(matrix: &Tensor, rank: usize, n_directions: usize) -> candle_core::Result<Svd> {
    let n_rows = matrix.dims()[0];
    let square = matrix.matmul(&matrix.t()?)?;
    let start = Random::from_seed(0).normal(n_rows * n_directions);
    let start: Vec<Vec<f64>> = start
        .chunks_exact(n_rows)
        .map(|column| column.iter().copied().map(f64::from).collect())
        .collect();
    let mut basis = Reflected::new(start).basis();
    let mut before = Vec::new();
    for _ in 0..MAX_ITERATIONS {
        // `square` is symmetric: rows times it are columns times it.
        let reflected = Reflected::new(host(&basis)?.matmul(&square)?.to_vec2()?);
        basis = reflected.basis();
        let mut values = jacobi(reflected.triangle).values;
        values.truncate(rank);
        let bound = SETTLED * values.first().copied().unwrap_or(0.0);
        let has_settled = values.len() == before.len()
            && values
                .iter()
                .zip(&before)
                .all(|(now, before)| f64::abs(now - before) <= bound);
        if has_settled {
            break;
        }
        before = values;
    }
    let within = host(&basis)?.matmul(matrix)?.to_vec2()?;
    Ok(Svd::of_product(basis, within))
}

/// Vectors as rows.
fn host(vectors: &[Vec<f64>]) -> candle_core::Result<Tensor> {
    let length = vectors.first().map_or(0, Vec::len);
    Tensor::from_vec(vectors.concat(), (vectors.len(), length), &HOST)
}

#[cfg(test)]
mod tests;
