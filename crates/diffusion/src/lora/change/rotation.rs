//! OFT (Qiu et al. 2023) and BOFT (Liu et al. 2024) as LyCORIS has them: the outputs of a layer are rotated by blocks.

use candle_core::{Result, Tensor};

use crate::device::{floats, tensor};

/// W' = rescale ⊙ R W, with R = (I + Q)(I − Q)⁻¹ in each block (Cayley's transform), Q = B − Bᵀ.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// B: `[blocks, side, side]`, or for BOFT `[factors, blocks, side, side]`.
    pub blocks: Tensor,
    /// Q's norm is at most this times the outputs; 0 is no limit.
    pub constraint: f64,
    /// What each output is multiplied by at the end.
    pub rescale: Option<Vec<f32>>,
}

/// A square matrix, row by row.
type Square = Vec<f64>;

impl Rotation {
    /// From `oft_blocks`, `alpha` and `rescale`.
    ///
    /// # Errors
    /// Says in words which shapes do not fit together.
    pub fn new(
        blocks: Tensor,
        constraint: f64,
        rescale: Option<Vec<f32>>,
    ) -> std::result::Result<Self, String> {
        let n_out = match *blocks.dims() {
            [n, side, same] if side == same => n * side,
            // A butterfly works on halves of its blocks.
            [_, n, side, same] if side == same && side.is_multiple_of(2) => n * side,
            ref other => {
                return Err(format!(
                    "oft_blocks has shape {other:?}, [blocks, side, side] is needed"
                ));
            }
        };
        if n_out == 0 || rescale.as_ref().is_some_and(|rescale| rescale.len() != n_out) {
            return Err(format!(
                "oft_blocks and rescale do not fit together: there are {n_out} outputs"
            ));
        }
        Ok(Self {
            blocks,
            constraint,
            rescale,
        })
    }

    /// Outputs of the layer.
    pub fn n_out(&self) -> usize {
        self.side() * self.n_blocks()
    }

    fn side(&self) -> usize {
        self.blocks.dims().last().copied().unwrap_or(0)
    }

    fn n_blocks(&self) -> usize {
        let dims = self.blocks.dims();
        dims[dims.len() - 3]
    }

    /// What is added to `weight` `[out, in, …]`, as a matrix `[out, in · kernel · kernel]`.
    ///
    /// # Errors
    /// If the weight has another size, or a block cannot be inverted.
    pub fn delta_for(&self, weight: &Tensor) -> Result<Tensor> {
        let (n_out, side) = (self.n_out(), self.side());
        if weight.dim(0)? != n_out {
            candle_core::bail!("a rotation of {n_out} outputs does not fit {:?}", weight.dims());
        }
        let columns = weight.elem_count() / n_out;
        let weight = weight.contiguous()?;
        let before = floats(&weight)?;
        let mut rows: Vec<Vec<f64>> = before
            .chunks_exact(columns)
            .map(|row| row.iter().copied().map(f64::from).collect())
            .collect();
        let rotations = self.rotations(side)?;
        if self.blocks.rank() == 3 {
            for (block, rotation) in rows.chunks_exact_mut(side).zip(&rotations) {
                rotate(block, rotation, true);
            }
        } else {
            for (factor, rotations) in rotations.chunks_exact(self.n_blocks()).enumerate() {
                let half = (side / 2) << factor;
                let order = butterfly(n_out, half)?;
                let mut mixed: Vec<Vec<f64>> =
                    order.iter().map(|row| std::mem::take(&mut rows[*row])).collect();
                for (block, rotation) in mixed.chunks_exact_mut(side).zip(rotations) {
                    rotate(block, rotation, false);
                }
                for (row, numbers) in order.iter().zip(mixed) {
                    rows[*row] = numbers;
                }
            }
        }
        let factor = |row: usize| {
            self.rescale
                .as_ref()
                .map_or(1.0, |rescale| f64::from(rescale[row]))
        };
        let after = rows
            .iter()
            .enumerate()
            .flat_map(|(row, numbers)| numbers.iter().map(move |number| number * factor(row)));
        let delta: Vec<f32> = after
            .zip(before.iter())
            .map(|(after, before)| (after - f64::from(*before)) as f32)
            .collect();
        tensor(delta, [n_out, columns])
    }

    /// R of each block, in their order.
    fn rotations(&self, side: usize) -> Result<Vec<Square>> {
        let blocks = self.blocks.contiguous()?;
        let blocks = floats(&blocks)?;
        let skew = |block: &[f32]| -> Square {
            let at = |row: usize, column: usize| f64::from(block[row * side + column]);
            let index = 0..side * side;
            index
                .map(|index| at(index / side, index % side) - at(index % side, index / side))
                .collect()
        };
        let mut skews: Vec<Square> = blocks.chunks_exact(side * side).map(skew).collect();
        let norm = skews.iter().flatten().map(|x| x * x).sum::<f64>().sqrt() + 1e-8;
        let bound = self.constraint * self.n_out() as f64;
        if bound > 0.0 && norm > bound {
            skews.iter_mut().flatten().for_each(|x| *x *= bound / norm);
        }
        skews
            .iter()
            .map(|q| {
                cayley(q, side)
                    .ok_or_else(|| candle_core::Error::Msg("a block cannot be inverted".to_owned()))
            })
            .collect()
    }
}

/// Rows in the order in which a butterfly's blocks take them: of each 2 · `half` rows, one of the first half and one of
/// the second in turn.
fn butterfly(n_rows: usize, half: usize) -> Result<Vec<usize>> {
    if half == 0 || !n_rows.is_multiple_of(2 * half) {
        candle_core::bail!("{n_rows} outputs do not divide into butterflies of {}", 2 * half);
    }
    let order = (0..n_rows).map(|place| {
        let (group, within) = (place / (2 * half), place % (2 * half));
        group * 2 * half + within % 2 * half + within / 2
    });
    Ok(order.collect())
}

/// rows ← R · rows, or Rᵀ · rows.
fn rotate(rows: &mut [Vec<f64>], rotation: &[f64], transposed: bool) {
    let side = rows.len();
    let columns = rows.first().map_or(0, Vec::len);
    let mut rotated = vec![vec![0.0; columns]; side];
    for (to, target) in rotated.iter_mut().enumerate() {
        for (from, source) in rows.iter().enumerate() {
            let factor = match transposed {
                true => rotation[from * side + to],
                false => rotation[to * side + from],
            };
            for (target, source) in target.iter_mut().zip(source) {
                *target += factor * source;
            }
        }
    }
    rows.iter_mut()
        .zip(rotated)
        .for_each(|(row, rotated)| *row = rotated);
}

/// (I + Q)(I − Q)⁻¹ of a skew-symmetric Q, for which I − Q always has an inverse; none where numbers overflow. By Gauss
/// and Jordan on Xᵀ: (I − Q)ᵀ Xᵀ = (I + Q)ᵀ.
fn cayley(q: &[f64], side: usize) -> Option<Square> {
    let unit = |row: usize, column: usize| f64::from(u8::from(row == column));
    // [(I − Q)ᵀ | (I + Q)ᵀ], which is [I + Q | I − Q].
    let mut rows: Vec<Vec<f64>> = (0..side)
        .map(|row| {
            let plus = (0..side).map(|column| unit(row, column) + q[row * side + column]);
            let minus = (0..side).map(|column| unit(row, column) - q[row * side + column]);
            plus.chain(minus).collect()
        })
        .collect();
    for step in 0..side {
        let pivot = (step..side).max_by(|a, b| rows[*a][step].abs().total_cmp(&rows[*b][step].abs()))?;
        rows.swap(step, pivot);
        let lead = rows[step][step];
        if lead == 0.0 || !lead.is_finite() {
            return None;
        }
        let pivot: Vec<f64> = rows[step].iter().map(|x| x / lead).collect();
        for (at, row) in rows.iter_mut().enumerate() {
            let factor = row[step];
            if at != step && factor != 0.0 {
                row.iter_mut()
                    .zip(&pivot)
                    .for_each(|(x, pivot)| *x -= factor * pivot);
            }
        }
        rows[step] = pivot;
    }
    // Xᵀ stands on the right.
    let at = |index: usize| rows[index % side][side + index / side];
    Some((0..side * side).map(at).collect())
}
