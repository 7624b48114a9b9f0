//! What one module changes, as merging and resizing take it: two matrices, or a change that has to be decomposed first.
//!
//! A LoHa is exactly a LoRA of rank r₁·r₂: (a₁b₁) ⊙ (a₂b₂) has the columns a₁ᵢ ⊙ a₂ⱼ and the rows b₁ᵢ ⊙ b₂ⱼ. The singular
//! vectors of a LoKr are the Kronecker products of those of its sides, and its values their products (Horn and Johnson,
//! *Topics in Matrix Analysis*, theorem 4.2.15). A DoRA, a difference and a whole weight are full matrices, which are
//! taken against the base's weight where that is what they change.

use candle_core::Tensor;

use super::{
    factors::{Factors, Layer, share_of},
    keep::Keep,
};
use crate::{
    device::floats,
    lora::{
        change::{Factor, Hadamard, Kronecker, Side, flat},
        decomposition::{Svd, largest},
    },
};

/// Wider matrices are never made out of another kind: a file of them would be larger than the differences themselves.
pub(super) const WIDEST: usize = 256;

/// A module's change of its layer.
#[derive(Debug, Clone)]
pub(super) enum Matrices {
    /// Two matrices, which are the change exactly.
    Thin(Factors),
    /// A Kronecker product, which may be as wide as its layer.
    Decomposed(Box<Decomposed>),
    /// The change itself, `[out, fan-in]`, row by row.
    Full(Vec<f32>, Layer),
}

/// A Kronecker product with its decomposition.
#[derive(Debug, Clone)]
pub(super) struct Decomposed {
    kronecker: Kronecker,
    /// The largest values, at most [`WIDEST`].
    svd: Svd,
    /// How many values are not 0.
    n_values: usize,
    /// Sum of the squares of all of them.
    square: f64,
    layer: Layer,
}

impl Matrices {
    /// The layer.
    pub(super) fn layer(&self) -> Layer {
        match self {
            Self::Thin(factors) => factors.layer,
            Self::Decomposed(decomposed) => decomposed.layer,
            Self::Full(_, layer) => *layer,
        }
    }

    /// The change as a matrix `[out, fan-in]`, row by row.
    ///
    /// # Errors
    /// If memory is short.
    pub(super) fn change(&self) -> candle_core::Result<Vec<f32>> {
        Ok(match self {
            Self::Thin(factors) => factors.change(),
            Self::Decomposed(decomposed) => floats(&decomposed.kronecker.delta()?.contiguous()?)?.to_vec(),
            Self::Full(change, _) => change.clone(),
        })
    }

    /// Square of the Frobenius norm.
    pub(super) fn square(&self) -> f64 {
        match self {
            Self::Thin(factors) => factors.square(),
            Self::Decomposed(decomposed) => decomposed.square,
            Self::Full(change, _) => change.iter().map(|x| f64::from(*x) * f64::from(*x)).sum(),
        }
    }

    /// Two matrices that are exactly this change; none if they would be as wide as the layer, or wider than
    /// [`WIDEST`].
    pub(super) fn exact(self) -> Option<Factors> {
        match self {
            Self::Thin(factors) => Some(factors),
            Self::Decomposed(decomposed) => {
                let Decomposed {
                    mut svd,
                    n_values,
                    layer,
                    ..
                } = *decomposed;
                let rank = n_values.max(1);
                svd.truncate(rank);
                is_thin(rank, layer).then(|| Factors::of_svd(&svd, 1.0, layer))
            }
            Self::Full(..) => None,
        }
    }

    /// Cut to what `keep` allows, and the share of the Frobenius norm that is left.
    ///
    /// # Errors
    /// If a product of matrices fails.
    pub(super) fn resized(&self, keep: &Keep) -> candle_core::Result<(Factors, f64)> {
        let (mut svd, layer) = match self {
            Self::Thin(factors) => return Ok(factors.resized(keep)),
            Self::Decomposed(decomposed) => (decomposed.svd.clone(), decomposed.layer),
            Self::Full(change, layer) => (most(change, *layer, keep)?, *layer),
        };
        let square = self.square();
        let rank = keep.rank_within(&svd.values, square, layer).min(WIDEST);
        let found: f64 = svd.values.iter().take(rank).map(|value| value * value).sum();
        svd.truncate(rank);
        let share = if square > 0.0 {
            (found / square).sqrt().min(1.0)
        } else {
            share_of(&svd.values, rank)
        };
        Ok((Factors::of_svd(&svd, 1.0, layer), share))
    }
}

/// As many values of a full matrix as `keep` may want.
fn most(change: &[f32], layer: Layer, keep: &Keep) -> candle_core::Result<Svd> {
    let [n_rows, n_columns] = layer.matrix();
    let n = keep.at_most(layer).min(WIDEST).min(n_rows).min(n_columns);
    largest(change, layer.matrix(), n.max(1))
}

fn is_thin(rank: usize, layer: Layer) -> bool {
    let [n_rows, n_columns] = layer.matrix();
    rank <= WIDEST && rank <= n_rows.min(n_columns)
}

/// A LoHa: two matrices, unless they would be too wide.
pub(super) fn of_hadamard(hadamard: &Hadamard, layer: Layer) -> candle_core::Result<Matrices> {
    let sides = [
        two_matrices(&hadamard.factors[0])?,
        two_matrices(&hadamard.factors[1])?,
    ];
    let [Some((a1, b1, rank_1)), Some((a2, b2, rank_2))] = &sides else {
        return full(&hadamard.delta()?, layer);
    };
    let rank = rank_1 * rank_2;
    if !is_thin(rank, layer) {
        return full(&hadamard.delta()?, layer);
    }
    let fan_in = layer.fan_in();
    let mut up = Vec::with_capacity(layer.n_out * rank);
    for (left, right) in a1.chunks_exact(*rank_1).zip(a2.chunks_exact(*rank_2)) {
        up.extend(left.iter().flat_map(|x| right.iter().map(move |y| x * y)));
    }
    let mut down = Vec::with_capacity(rank * fan_in);
    for left in b1.chunks_exact(fan_in) {
        for right in b2.chunks_exact(fan_in) {
            down.extend(left.iter().zip(right).map(|(x, y)| x * y));
        }
    }
    Ok(Matrices::Thin(Factors {
        down,
        up,
        scale: hadamard.scale(),
        layer,
    }))
}

/// A LoKr: the decomposition by those of both sides.
pub(super) fn of_kronecker(kronecker: &Kronecker, layer: Layer) -> candle_core::Result<Matrices> {
    let (first, second) = (side(&kronecker.first)?, side(&kronecker.second)?);
    let scale = kronecker.scale();
    let mut triples: Vec<(f64, usize, usize)> = Vec::new();
    for (i, x) in first.values.iter().enumerate() {
        triples.extend(
            second
                .values
                .iter()
                .enumerate()
                .map(|(j, y)| (x * y * scale.abs(), i, j)),
        );
    }
    triples.sort_by(|(a, ..), (b, ..)| b.total_cmp(a));
    let largest = triples.first().map_or(0.0, |(value, ..)| *value);
    let real = triples
        .iter()
        .filter(|(value, ..)| *value > f64::EPSILON * largest);
    let (n_values, square) = (
        real.count(),
        triples.iter().map(|(value, ..)| value * value).sum(),
    );
    let sign = scale.signum();
    let product = |left: &[f64], right: &[f64], sign: f64| -> Vec<f64> {
        let rows = left.iter().flat_map(|x| right.iter().map(move |y| sign * x * y));
        rows.collect()
    };
    let mut svd = Svd {
        left: Vec::new(),
        values: Vec::new(),
        right: Vec::new(),
    };
    for (value, i, j) in triples.into_iter().take(WIDEST) {
        svd.left.push(product(&first.left[i], &second.left[j], sign));
        svd.right.push(product(&first.right[i], &second.right[j], 1.0));
        svd.values.push(value);
    }
    Ok(Matrices::Decomposed(Box::new(Decomposed {
        kronecker: kronecker.clone(),
        svd,
        n_values,
        square,
        layer,
    })))
}

/// Kernel of the convolutions of SDXL by kohya's names; files of a LoHa and a LoKr do not always say it.
pub(super) fn kernel_of(module: &str) -> Option<[usize; 2]> {
    const THREE: [&str; 6] = [
        "_in_layers_2",
        "_out_layers_3",
        "_0_op",
        "_conv",
        "input_blocks_0_0",
        "unet_out_2",
    ];
    if !module.starts_with("lora_unet_") {
        None
    } else if module.ends_with("_skip_connection") {
        Some([1, 1])
    } else {
        THREE.iter().any(|end| module.ends_with(end)).then_some([3, 3])
    }
}

/// A change as it is, `[out, fan-in]`.
pub(super) fn full(change: &Tensor, layer: Layer) -> candle_core::Result<Matrices> {
    let change = change.contiguous()?;
    Ok(Matrices::Full(floats(&change)?.to_vec(), layer))
}

/// Both matrices of a product, `[out, rank]` and `[rank, fan-in]`, row by row, and the rank; none of a core that is not
/// square.
fn two_matrices(factor: &Factor) -> candle_core::Result<Option<(Vec<f32>, Vec<f32>, usize)>> {
    let (a, b) = match &factor.core {
        None => (factor.a.contiguous()?, flat(&factor.b)?),
        Some(core) if core.dim(0)? == core.dim(1)? => {
            (factor.a.t()?.contiguous()?, with_core(&factor.b, core)?)
        }
        Some(_) => return Ok(None),
    };
    let (rank, b) = (b.dim(0)?, b.contiguous()?);
    Ok(Some((floats(&a)?.to_vec(), floats(&b)?.to_vec(), rank)))
}

fn side(side: &Side) -> candle_core::Result<Svd> {
    let columns = |matrix: &Tensor| matrix.t()?.to_dtype(candle_core::DType::F64)?.to_vec2();
    match side {
        Side::Whole(matrix) => Ok(Svd::of_columns(columns(&flat(matrix)?)?)),
        Side::Product(Factor { a, b, core: None }) => {
            let rows = flat(b)?.to_dtype(candle_core::DType::F64)?.to_vec2()?;
            Ok(Svd::of_product(columns(a)?, rows))
        }
        Side::Product(factor) => Ok(Svd::of_columns(columns(&factor.product()?)?)),
    }
}

/// `down` `[rank, in]` and the core `[rank, rank, height, width]` of a Tucker decomposition as one matrix
/// `[rank, in · height · width]`.
pub(super) fn with_core(down: &Tensor, core: &Tensor) -> candle_core::Result<Tensor> {
    let (rank, n_in) = down.dims2()?;
    let n_pixels = core.elem_count() / (rank * rank).max(1);
    // [rank · pixels, rank] × [rank, in]
    let core = core
        .reshape((rank, rank, n_pixels))?
        .transpose(1, 2)?
        .contiguous()?;
    let product = core.reshape((rank * n_pixels, rank))?.matmul(down)?;
    let product = product
        .reshape((rank, n_pixels, n_in))?
        .transpose(1, 2)?
        .contiguous()?;
    product.reshape((rank, n_in * n_pixels))
}
