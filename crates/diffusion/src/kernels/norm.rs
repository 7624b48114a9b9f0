//! Group norm (with SiLU fused) and layer norm, forward and backward for frozen scales.

use rayon::prelude::*;

use super::{
    PARALLEL_VALUES,
    activation::{silu, silu_slope},
    simd::{self, Kernel, dispatch},
};
pub use crate::operation::GroupShape;

impl GroupShape {
    fn picture(&self) -> usize {
        self.positions * self.channels
    }

    fn is_parallel(&self) -> bool {
        self.batch > 1 && self.batch * self.picture() >= PARALLEL_VALUES
    }
}

/// Mean and reciprocal standard deviation of each row or group, kept for the backward pass.
#[derive(Debug, Clone)]
pub struct Moments {
    /// Means.
    pub mean: Vec<f32>,
    /// 1 / √(variance + eps).
    pub inv_std: Vec<f32>,
}

/// Group norm, `weight` and `bias` per channel.
pub fn group_norm(shape: GroupShape, x: &[f32], weight: &[f32], bias: &[f32]) -> (Vec<f32>, Moments) {
    let mut out = vec![0.0; x.len()];
    let mut mean = vec![0.0; shape.batch * shape.groups];
    let mut inv_std = vec![0.0; shape.batch * shape.groups];
    let picture = |((x, out), (mean, inv_std)): ((&[f32], &mut [f32]), (&mut [f32], &mut [f32]))| {
        dispatch(GroupNorm {
            shape: &shape,
            x,
            weight,
            bias,
            out,
            mean,
            inv_std,
        });
    };
    if shape.is_parallel() {
        x.par_chunks_exact(shape.picture())
            .zip(out.par_chunks_exact_mut(shape.picture()))
            .zip(
                mean.par_chunks_exact_mut(shape.groups)
                    .zip(inv_std.par_chunks_exact_mut(shape.groups)),
            )
            .for_each(picture);
    } else {
        x.chunks_exact(shape.picture())
            .zip(out.chunks_exact_mut(shape.picture()))
            .zip(
                mean.chunks_exact_mut(shape.groups)
                    .zip(inv_std.chunks_exact_mut(shape.groups)),
            )
            .for_each(picture);
    }
    (out, Moments { mean, inv_std })
}

/// Moments of the groups of one picture that is cut into strips `[positions, channels]`, with the number of groups and
/// what is added to the variance. Sums of strips are added in their order, whichever was ready first.
pub fn group_moments(strips: &[&[f32]], channels: usize, (groups, eps): (usize, f32)) -> Moments {
    let width = channels / groups;
    let n_values: usize = strips.iter().map(|strip| strip.len()).sum();
    let count = (n_values / groups) as f64;
    let of_groups = |centers: Option<&[f32]>| -> Vec<f64> {
        let sums: Vec<Vec<f64>> = strips
            .par_iter()
            .map(|x| dispatch(ChannelSums { x, channels, centers }))
            .collect();
        let mut totals = vec![0.0; groups];
        for sums in sums {
            for (total, sums) in totals.iter_mut().zip(sums.chunks_exact(width)) {
                *total += sums.iter().sum::<f64>();
            }
        }
        totals
    };
    let mean: Vec<f32> = of_groups(None)
        .into_iter()
        .map(|sum| (sum / count) as f32)
        .collect();
    let centers: Vec<f32> = (0..channels).map(|channel| mean[channel / width]).collect();
    let inv_std = of_groups(Some(&centers))
        .into_iter()
        .map(|squares| (1.0 / (squares / count + f64::from(eps)).sqrt()) as f32)
        .collect();
    Moments { mean, inv_std }
}

/// [`group_norm`] of one strip with the moments of its picture; `weight` and `bias` per channel.
pub fn group_norm_by(
    shape: GroupShape,
    x: &[f32],
    (weight, bias): (&[f32], &[f32]),
    moments: &Moments,
) -> Vec<f32> {
    let c = shape.channels;
    let width = c / shape.groups;
    let scale: Vec<f32> = (0..c).map(|i| moments.inv_std[i / width] * weight[i]).collect();
    let shift: Vec<f32> = (0..c)
        .map(|i| bias[i] - moments.mean[i / width] * scale[i])
        .collect();
    let mut out = vec![0.0; x.len()];
    let rows = (PARALLEL_VALUES / c).max(1) * c;
    x.par_chunks(rows)
        .zip(out.par_chunks_mut(rows))
        .for_each(|(x, out)| {
            dispatch(ScaleAndShift {
                x,
                scale: &scale,
                shift: &shift,
                silu: shape.silu,
                out,
            });
        });
    out
}

/// Gradient of [`group_norm`] with respect to `x`.
pub fn group_norm_backward(
    shape: GroupShape,
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    moments: &Moments,
    dy: &[f32],
) -> Vec<f32> {
    let mut dx = vec![0.0; x.len()];
    let picture = |(b, ((x, dy), dx)): (usize, ((&[f32], &[f32]), &mut [f32]))| {
        let groups = b * shape.groups..(b + 1) * shape.groups;
        dispatch(GroupNormBackward {
            shape: &shape,
            x,
            weight,
            bias,
            mean: &moments.mean[groups.clone()],
            inv_std: &moments.inv_std[groups],
            dy,
            dx,
        });
    };
    let len = shape.picture();
    if shape.is_parallel() {
        x.par_chunks_exact(len)
            .zip(dy.par_chunks_exact(len))
            .zip(dx.par_chunks_exact_mut(len))
            .enumerate()
            .for_each(picture);
    } else {
        x.chunks_exact(len)
            .zip(dy.chunks_exact(len))
            .zip(dx.chunks_exact_mut(len))
            .enumerate()
            .for_each(picture);
    }
    dx
}

/// Layer norm of rows as long as `weight`.
pub fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], eps: f32) -> (Vec<f32>, Moments) {
    let rows = x.len() / weight.len();
    let mut out = vec![0.0; x.len()];
    let (mut mean, mut inv_std) = (vec![0.0; rows], vec![0.0; rows]);
    dispatch(LayerNorm {
        x,
        weight,
        bias,
        eps,
        out: &mut out,
        mean: &mut mean,
        inv_std: &mut inv_std,
    });
    (out, Moments { mean, inv_std })
}

/// Gradient of [`layer_norm`] with respect to `x`.
pub fn layer_norm_backward(x: &[f32], weight: &[f32], moments: &Moments, dy: &[f32]) -> Vec<f32> {
    let mut dx = vec![0.0; x.len()];
    dispatch(LayerNormBackward {
        x,
        weight,
        moments,
        dy,
        dx: &mut dx,
    });
    dx
}

/// Rows summed in `f32` before the total continues in `f64`.
const BLOCK: usize = 128;

/// Calls `add(totals, row)` for each row; totals of a block of rows go on in double precision.
#[inline(always)]
fn column_sums(rows: usize, channels: usize, mut add: impl FnMut(usize, &mut [f32])) -> Vec<f64> {
    let mut totals = vec![0.0f64; channels];
    let mut block = vec![0.0f32; channels];
    for start in (0..rows).step_by(BLOCK) {
        for row in start..rows.min(start + BLOCK) {
            add(row, &mut block);
        }
        for (total, sum) in totals.iter_mut().zip(&mut block) {
            *total += f64::from(*sum);
            *sum = 0.0;
        }
    }
    totals
}

struct GroupNorm<'a> {
    shape: &'a GroupShape,
    x: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    out: &'a mut [f32],
    mean: &'a mut [f32],
    inv_std: &'a mut [f32],
}

impl Kernel for GroupNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self {
            shape,
            x,
            weight,
            bias,
            out,
            mean,
            inv_std,
        } = self;
        let c = shape.channels;
        let width = c / shape.groups;
        let count = (shape.positions * width) as f64;
        let sums = column_sums(shape.positions, c, |row, sums| {
            for (sum, &x) in sums.iter_mut().zip(&x[row * c..][..c]) {
                *sum += x;
            }
        });
        let mut centers = vec![0.0f32; c];
        for (g, sums) in sums.chunks_exact(width).enumerate() {
            mean[g] = (sums.iter().sum::<f64>() / count) as f32;
            centers[g * width..][..width].fill(mean[g]);
        }
        let squares = column_sums(shape.positions, c, |row, sums| {
            let x = &x[row * c..][..c];
            for ((sum, &x), &center) in sums.iter_mut().zip(x).zip(&centers) {
                let d = x - center;
                *sum = d.mul_add(d, *sum);
            }
        });
        let (mut scale, mut shift) = (vec![0.0f32; c], vec![0.0f32; c]);
        for (g, squares) in squares.chunks_exact(width).enumerate() {
            let variance = squares.iter().sum::<f64>() / count;
            inv_std[g] = (1.0 / (variance + f64::from(shape.eps)).sqrt()) as f32;
            for i in g * width..(g + 1) * width {
                scale[i] = inv_std[g] * weight[i];
                shift[i] = bias[i] - mean[g] * scale[i];
            }
        }
        for (x, out) in x.chunks_exact(c).zip(out.chunks_exact_mut(c)) {
            if shape.silu {
                for i in 0..c {
                    out[i] = silu(x[i].mul_add(scale[i], shift[i]));
                }
            } else {
                for i in 0..c {
                    out[i] = x[i].mul_add(scale[i], shift[i]);
                }
            }
        }
    }
}

/// Sums of each channel; with centers, of the squares of the distances from them.
struct ChannelSums<'a> {
    x: &'a [f32],
    channels: usize,
    centers: Option<&'a [f32]>,
}

impl Kernel for ChannelSums<'_> {
    type Output = Vec<f64>;

    #[inline(always)]
    fn call(self) -> Vec<f64> {
        let Self { x, channels, centers } = self;
        let rows = x.len() / channels;
        match centers {
            None => column_sums(rows, channels, |row, sums| {
                for (sum, &x) in sums.iter_mut().zip(&x[row * channels..][..channels]) {
                    *sum += x;
                }
            }),
            Some(centers) => column_sums(rows, channels, |row, sums| {
                let x = &x[row * channels..][..channels];
                for ((sum, &x), &center) in sums.iter_mut().zip(x).zip(centers) {
                    let d = x - center;
                    *sum = d.mul_add(d, *sum);
                }
            }),
        }
    }
}

/// `x · scale + shift` of each channel, and SiLU of that.
struct ScaleAndShift<'a> {
    x: &'a [f32],
    scale: &'a [f32],
    shift: &'a [f32],
    silu: bool,
    out: &'a mut [f32],
}

impl Kernel for ScaleAndShift<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self {
            x,
            scale,
            shift,
            silu: is_silu,
            out,
        } = self;
        let c = scale.len();
        let shift = &shift[..c];
        for (x, out) in x.chunks_exact(c).zip(out.chunks_exact_mut(c)) {
            if is_silu {
                for i in 0..c {
                    out[i] = silu(x[i].mul_add(scale[i], shift[i]));
                }
            } else {
                for i in 0..c {
                    out[i] = x[i].mul_add(scale[i], shift[i]);
                }
            }
        }
    }
}

/// With n = x̂ w + b and y = silu(n): dx = (w dn - mean(w dn) - x̂ mean(w dn x̂)) / σ over each group.
struct GroupNormBackward<'a> {
    shape: &'a GroupShape,
    x: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    mean: &'a [f32],
    inv_std: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl Kernel for GroupNormBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self {
            shape,
            x,
            weight,
            bias,
            mean,
            inv_std,
            dy,
            dx,
        } = self;
        let c = shape.channels;
        let width = c / shape.groups;
        let count = (shape.positions * width) as f64;
        // x̂ = x * inv + offset, n = x * scale + shift
        let (mut inv, mut offset) = (vec![0.0f32; c], vec![0.0f32; c]);
        let (mut scale, mut shift) = (vec![0.0f32; c], vec![0.0f32; c]);
        for i in 0..c {
            let g = i / width;
            inv[i] = inv_std[g];
            offset[i] = -mean[g] * inv_std[g];
            scale[i] = inv_std[g] * weight[i];
            shift[i] = bias[i] - mean[g] * scale[i];
        }
        // First w dn into dx, with its sums on the way.
        let mut sums = vec![0.0f32; 2 * c];
        let mut totals = vec![0.0f64; 2 * c];
        for start in (0..shape.positions).step_by(BLOCK) {
            for row in start..shape.positions.min(start + BLOCK) {
                let (x, dy) = (&x[row * c..][..c], &dy[row * c..][..c]);
                let dx = &mut dx[row * c..][..c];
                let (first, second) = sums.split_at_mut(c);
                for i in 0..c {
                    let slope = if shape.silu {
                        silu_slope(x[i].mul_add(scale[i], shift[i]))
                    } else {
                        1.0
                    };
                    let d = dy[i] * slope * weight[i];
                    dx[i] = d;
                    first[i] += d;
                    second[i] = d.mul_add(x[i].mul_add(inv[i], offset[i]), second[i]);
                }
            }
            for (total, sum) in totals.iter_mut().zip(&mut sums) {
                *total += f64::from(*sum);
                *sum = 0.0;
            }
        }
        // dx = inv (d - m1 - (x inv + offset) m2) = inv d - x p - q
        let (mut p, mut q) = (vec![0.0f32; c], vec![0.0f32; c]);
        for g in 0..shape.groups {
            let channels = g * width..(g + 1) * width;
            let m1 = (totals[channels.clone()].iter().sum::<f64>() / count) as f32;
            let m2 = (totals[c + channels.start..c + channels.end].iter().sum::<f64>() / count) as f32;
            for i in channels {
                p[i] = inv[i] * inv[i] * m2;
                q[i] = inv[i] * offset[i].mul_add(m2, m1);
            }
        }
        for (x, dx) in x.chunks_exact(c).zip(dx.chunks_exact_mut(c)) {
            for i in 0..c {
                dx[i] = dx[i].mul_add(inv[i], -x[i].mul_add(p[i], q[i]));
            }
        }
    }
}

struct LayerNorm<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    eps: f32,
    out: &'a mut [f32],
    mean: &'a mut [f32],
    inv_std: &'a mut [f32],
}

impl Kernel for LayerNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self {
            x,
            weight,
            bias,
            eps,
            out,
            mean,
            inv_std,
        } = self;
        let c = weight.len();
        let bias = &bias[..c];
        let rows = x.chunks_exact(c).zip(out.chunks_exact_mut(c));
        for ((x, out), (mean, inv_std)) in rows.zip(mean.iter_mut().zip(inv_std)) {
            *mean = simd::sum(x) / c as f32;
            let variance = simd::sum_squares(x, *mean) / c as f32;
            *inv_std = 1.0 / (variance + eps).sqrt();
            for i in 0..c {
                out[i] = ((x[i] - *mean) * *inv_std).mul_add(weight[i], bias[i]);
            }
        }
    }
}

struct LayerNormBackward<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    moments: &'a Moments,
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl Kernel for LayerNormBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self {
            x,
            weight,
            moments,
            dy,
            dx,
        } = self;
        let c = weight.len();
        let rows = x
            .chunks_exact(c)
            .zip(dy.chunks_exact(c))
            .zip(dx.chunks_exact_mut(c));
        for (((x, dy), dx), (&mean, &inv_std)) in rows.zip(moments.mean.iter().zip(&moments.inv_std)) {
            for i in 0..c {
                dx[i] = dy[i] * weight[i];
            }
            let m1 = simd::sum(dx) / c as f32;
            // Σ d x̂ = inv_std (Σ d x - mean Σ d)
            let m2 = inv_std * (simd::dot(dx, x) / c as f32 - mean * m1);
            for i in 0..c {
                dx[i] = inv_std * (dx[i] - m1 - (x[i] - mean) * inv_std * m2);
            }
        }
    }
}
