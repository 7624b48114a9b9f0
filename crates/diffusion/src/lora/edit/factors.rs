//! The matrices of one module of plain LoRA, and what can be done with them.

use super::keep::Keep;
use crate::lora::decomposition::{Svd, add, dot, largest, transpose};

/// A module's change of its layer, `scale · up · down`.
#[derive(Debug, Clone, PartialEq)]
pub struct Factors {
    /// `[rank, fan-in]`, row by row.
    pub down: Vec<f32>,
    /// `[out, rank]`, row by row.
    pub up: Vec<f32>,
    /// alpha / rank
    pub scale: f64,
    /// The layer.
    pub layer: Layer,
}

/// Sizes of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layer {
    /// Output features or channels.
    pub n_out: usize,
    /// Input features or channels.
    pub n_in: usize,
    /// Height and width of a convolution's kernel; none for a linear layer.
    pub kernel: Option<[usize; 2]>,
}

impl Layer {
    /// Of a stored weight `[out, in]` or `[out, in, height, width]`.
    pub fn of_weight(shape: &[usize]) -> Option<Self> {
        match *shape {
            [n_out, n_in] => Some(Self {
                n_out,
                n_in,
                kernel: None,
            }),
            [n_out, n_in, height, width] => Some(Self {
                n_out,
                n_in,
                kernel: Some([height, width]),
            }),
            _ => None,
        }
    }

    /// Numbers that one output is computed from.
    pub fn fan_in(&self) -> usize {
        self.n_in * self.kernel.map_or(1, |[height, width]| height * width)
    }

    /// A 1×1 convolution is a linear layer.
    pub fn is_spatial(&self) -> bool {
        self.kernel.is_some_and(|kernel| kernel != [1, 1])
    }

    /// Outputs, and numbers that one of them is computed from.
    pub fn matrix(&self) -> [usize; 2] {
        [self.n_out, self.fan_in()]
    }
}

impl Factors {
    /// Width of the bottleneck.
    pub fn rank(&self) -> usize {
        self.down.len() / self.layer.fan_in().max(1)
    }

    /// The number that files hold for the scale.
    pub fn alpha(&self) -> f64 {
        self.scale * self.rank() as f64
    }

    /// Shapes of `down` and `up` as stored.
    pub fn shapes(&self) -> [Vec<usize>; 2] {
        let (rank, Layer { n_out, n_in, kernel }) = (self.rank(), self.layer);
        match kernel {
            None => [vec![rank, n_in], vec![n_out, rank]],
            Some([height, width]) => [vec![rank, n_in, height, width], vec![n_out, rank, 1, 1]],
        }
    }

    /// Columns of `up`.
    fn up_columns(&self) -> Vec<Vec<f64>> {
        let rows: Vec<Vec<f64>> = wide(&self.up, self.rank());
        transpose(&rows)
    }

    /// The decomposition of `up · down`, without the scale.
    pub(super) fn svd(&self) -> Svd {
        Svd::of_product(self.up_columns(), wide(&self.down, self.layer.fan_in()))
    }

    /// Square of the Frobenius norm of the change.
    pub fn square(&self) -> f64 {
        let (up, down) = (self.up_columns(), wide(&self.down, self.layer.fan_in()));
        let mut sum = 0.0;
        for (a, b) in up.iter().zip(&down) {
            for (other_a, other_b) in up.iter().zip(&down) {
                sum += dot(a, other_a) * dot(b, other_b);
            }
        }
        // Rounding may leave a square a little below 0.
        (sum * self.scale * self.scale).max(0.0)
    }

    /// The change as a matrix `[out, fan-in]`, row by row.
    pub fn change(&self) -> Vec<f32> {
        let (rank, fan_in) = (self.rank(), self.layer.fan_in());
        let mut change = vec![0.0; self.layer.n_out * fan_in];
        if rank == 0 || fan_in == 0 {
            return change;
        }
        let scale = self.scale as f32;
        for (row, ups) in change.chunks_exact_mut(fan_in).zip(self.up.chunks_exact(rank)) {
            for (up, down) in ups.iter().zip(self.down.chunks_exact(fan_in)) {
                let factor = up * scale;
                for (value, down) in row.iter_mut().zip(down) {
                    *value += factor * down;
                }
            }
        }
        change
    }

    /// The same change, or its best approximation of smaller rank (Eckart and Young).
    ///
    /// The singular values are shared between both matrices: in half precision neither becomes too small to be precise.
    pub(super) fn of_svd(svd: &Svd, scale: f64, layer: Layer) -> Self {
        let root = |vectors: &[Vec<f64>]| -> Vec<Vec<f64>> {
            let values = vectors.iter().zip(&svd.values);
            values
                .map(|(vector, value)| vector.iter().map(|x| x * value.sqrt()).collect())
                .collect()
        };
        Self {
            down: narrow(&root(&svd.right)),
            up: narrow(&transpose(&root(&svd.left))),
            scale,
            layer,
        }
    }

    /// As sd-scripts' `extract_lora_from_models.py` does it: the values go to `up`, and both matrices are clamped at the
    /// quantile of all their numbers. The signs of a decomposition are free, and the quantile hangs on them: here the
    /// largest number of each row of `down` is positive.
    pub(super) fn of_svd_clamped(svd: &Svd, quantile: f64, layer: Layer) -> Self {
        let signs = svd.right.iter().map(|vector| {
            let largest = vector.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs()));
            largest.unwrap_or(1.0).signum()
        });
        let turned = svd.left.iter().zip(&svd.right).zip(&svd.values).zip(signs);
        let (up, down): (Vec<Vec<f64>>, Vec<Vec<f64>>) = turned
            .map(|(((left, right), value), sign)| {
                let scaled = |vector: &[f64], factor: f64| vector.iter().map(|x| x * factor).collect();
                (scaled(left, sign * value), scaled(right, sign))
            })
            .unzip();
        let (mut up, mut down) = (narrow(&transpose(&up)), narrow(&down));
        let bound = quantile_of(up.iter().chain(&down).copied().collect(), quantile);
        for value in up.iter_mut().chain(&mut down) {
            // Not `clamp`: with few numbers the quantile may be negative, and then torch's clamp gives its upper bound.
            *value = value.max(-bound).min(bound);
        }
        Self {
            down,
            up,
            scale: 1.0,
            layer,
        }
    }

    /// Cut to the rank that `keep` allows, and the share of the Frobenius norm that is left.
    pub(super) fn resized(&self, keep: &Keep) -> (Self, f64) {
        let mut svd = self.svd();
        let rank = keep.rank(&svd.values, self.layer);
        let share = share_of(&svd.values, rank);
        svd.truncate(rank);
        (Self::of_svd(&svd, self.scale, self.layer), share)
    }

    /// Without what lies along the `directions` of the layer's input, or with less of it: `down − factor · down · VVᵀ`.
    pub(super) fn without(&self, directions: &[Vec<f64>], factor: f64) -> Self {
        let mut down = wide(&self.down, self.layer.fan_in());
        for row in &mut down {
            let along: Vec<f64> = directions.iter().map(|direction| dot(row, direction)).collect();
            for (direction, along) in directions.iter().zip(along) {
                add(row, -factor * along, direction);
            }
        }
        Self {
            down: narrow(&down),
            ..self.clone()
        }
    }

    /// The weighted sum of changes of one layer, by putting the matrices side by side. Matrices of the largest weight stay
    /// as they are. None if there are none.
    pub(super) fn concatenated(parts: &[(&Self, f64)]) -> Option<Self> {
        let strengths = parts.iter().map(|(part, weight)| (part.scale * weight).abs());
        let scale = strengths.fold(0.0, f64::max);
        let layer = parts.first()?.0.layer;
        let factors: Vec<f64> = parts
            .iter()
            .map(|(part, weight)| {
                if scale == 0.0 {
                    0.0
                } else {
                    part.scale * weight / scale
                }
            })
            .collect();
        let mut up = Vec::new();
        for row in 0..layer.n_out {
            for ((part, _), factor) in parts.iter().zip(&factors) {
                let rank = part.rank();
                let numbers = &part.up[row * rank..(row + 1) * rank];
                up.extend(numbers.iter().map(|x| (f64::from(*x) * factor) as f32));
            }
        }
        let down = parts.iter().flat_map(|(part, _)| part.down.iter().copied());
        Some(Self {
            down: down.collect(),
            up,
            scale,
            layer,
        })
    }

    /// The `rank` strongest directions of a full change `[out, fan-in]`.
    pub(super) fn svd_of_change(change: &[f32], layer: Layer, rank: usize) -> candle_core::Result<Svd> {
        largest(change, layer.matrix(), rank)
    }
}

/// Share of the Frobenius norm in the first `rank` values.
pub(super) fn share_of(values: &[f64], rank: usize) -> f64 {
    let square = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>();
    let whole = square(values);
    if whole == 0.0 {
        return 1.0;
    }
    (square(&values[..rank.min(values.len())]) / whole).sqrt()
}

/// `torch.quantile`: between two numbers the line through both.
fn quantile_of(mut values: Vec<f32>, quantile: f64) -> f32 {
    values.sort_by(f32::total_cmp);
    let place = quantile * values.len().saturating_sub(1) as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    match (values.get(below), values.get(above)) {
        (Some(below), Some(above)) => {
            let weight = place.fract();
            (f64::from(*below) + weight * (f64::from(*above) - f64::from(*below))) as f32
        }
        _ => 0.0,
    }
}

fn wide(values: &[f32], row: usize) -> Vec<Vec<f64>> {
    values
        .chunks_exact(row.max(1))
        .map(|row| row.iter().copied().map(f64::from).collect())
        .collect()
}

fn narrow(rows: &[Vec<f64>]) -> Vec<f32> {
    rows.iter().flatten().map(|x| *x as f32).collect()
}
