//! The forward pass on the processor.

use candle_core::{Error, Result, Tensor, bail};

use super::{CpuWeight, last, matrix_shape, rows_of, update_in_place, with_last};
use crate::{
    device::{Affine, Matrix, floats, tensor},
    kernels::{
        activation, attention, conv, elementwise,
        gemm::{self, Mat, Size, Threads},
        norm::{self, Moments},
        packed::{self, Packed, Rows},
        streamed::{self, Way},
    },
    operation::{
        Activation, AttentionShape, ConvGeometry, ConvShape, GroupShape, Grouping, Mask, UpsampleShape,
    },
};

/// `x [.., in] Wᵀ + b`: `[.., out]`.
pub(super) fn linear(x: &Tensor, weight: &CpuWeight, bias: Option<&Tensor>) -> Result<Tensor> {
    let (n_out, n_in) = weight.dims2()?;
    let shape = with_last(x, n_in, n_out)?;
    let x = floats(x)?;
    let bias = bias.map(floats).transpose()?;
    let mut y = vec![0.0; x.len() / n_in * n_out];
    let pack = |values: &[f32]| Packed::new(n_in, n_out, |i, o| values[o * n_in + i]);
    match weight.packed_forward(pack)? {
        Some(packed) => packed::product(&mut y, Rows::dense(&x, n_in), packed, bias.as_deref()),
        None => {
            weight.streamed(|weight| streamed::linear(&mut y, &x, weight, Way::Forward, bias.as_deref()))?
        }
    }
    tensor(y, shape)
}

/// `x Mᵀ`.
pub(super) fn project(x: &Tensor, matrix: Matrix<'_, Vec<f32>>) -> Result<Tensor> {
    let shape = with_last(x, matrix.place.columns, matrix.place.rows)?;
    let y = matmul_transposed(&floats(x)?, rows_of(matrix)?, matrix.place.columns);
    tensor(y, shape)
}

/// `y += scale · x Mᵀ`.
pub(super) fn add_projected(y: &Tensor, x: &Tensor, matrix: Matrix<'_, Vec<f32>>, scale: f32) -> Result<()> {
    let (n_out, n_in) = (matrix.place.rows, matrix.place.columns);
    if with_last(x, n_in, n_out)? != y.dims() {
        bail!("the sum and the projection differ in shape");
    }
    let matrix = Mat::rows(rows_of(matrix)?, n_in).transposed();
    update_in_place(y, x, |y, x| {
        let size = Size {
            m: y.len() / n_out,
            n: n_out,
            k: n_in,
        };
        gemm::add(y, n_out, size, scale, Mat::rows(x, n_in), matrix, Threads::All);
    })
}

/// `x [rows, in] × weightᵀ [in, out]`.
pub(super) fn matmul_transposed(x: &[f32], weight: &[f32], n_in: usize) -> Vec<f32> {
    let size = Size {
        m: x.len() / n_in,
        n: weight.len() / n_in,
        k: n_in,
    };
    let weight = Mat::rows(weight, n_in).transposed();
    gemm::product(size, Mat::rows(x, n_in), weight, Threads::All)
}

/// Convolution of `[B, H, W, C]`.
pub(super) fn conv2d(
    x: &Tensor,
    weight: &CpuWeight,
    bias: &Tensor,
    geometry: ConvGeometry,
) -> Result<Tensor> {
    let shape = ConvShape::of(x.dims(), weight.dims(), geometry).map_err(Error::msg)?;
    let (x, bias) = (floats(x)?, floats(bias)?);
    let y = match weight.packed_forward(|values| conv::pack_forward(shape, values))? {
        Some(packed) => conv::forward_packed(shape, &x, packed, Some(&bias)),
        None if weight.is_worth_widening(shape) => {
            let values = weight.values()?;
            conv::forward(shape, &x, &floats(&values)?, Some(&bias))
        }
        None => weight.streamed(|weight| conv::forward_streamed(shape, &x, weight, Some(&bias)))?,
    };
    let (h, w) = shape.output;
    tensor(y, [shape.batch, h, w, shape.out_channels])
}

/// Convolution of `[B, H, W, C]` with the kernels in the rows of a matrix.
pub(super) fn convolve(x: &Tensor, matrix: Matrix<'_, Vec<f32>>, geometry: ConvGeometry) -> Result<Tensor> {
    let shape = matrix_shape(x.dims(), matrix.place, geometry)?;
    let y = conv::forward(shape, &floats(x)?, rows_of(matrix)?, None);
    let (h, w) = shape.output;
    tensor(y, [shape.batch, h, w, shape.out_channels])
}

/// Some rows of `x [.., C]`.
pub(super) fn gather(x: &Tensor, rows: &[usize]) -> Result<Tensor> {
    let (width, x) = (last(x), floats(x)?);
    let mut y = Vec::with_capacity(rows.len() * width);
    for row in rows {
        let Some(values) = x.get(row * width..(row + 1) * width) else {
            bail!("there is no row {row}");
        };
        y.extend_from_slice(values);
    }
    tensor(y, [rows.len(), width])
}

/// Each row of `x [.., C]` times a number of its own.
pub(super) fn weigh(x: &Tensor, weights: &[f32]) -> Result<Tensor> {
    let width = last(x);
    let mut y = floats(x)?.to_vec();
    if y.len() != weights.len() * width {
        bail!("a weight for each row is expected");
    }
    for (row, weight) in y.chunks_exact_mut(width).zip(weights) {
        row.iter_mut().for_each(|value| *value *= weight);
    }
    tensor(y, x.dims())
}

/// Group norm of `[B, .., C]`.
pub(super) fn group_norm(
    x: &Tensor,
    affine: Affine<'_, Tensor>,
    grouping: Grouping,
) -> Result<(Tensor, Moments)> {
    let (weight, bias) = (floats(affine.weight)?, floats(affine.bias)?);
    let shape = GroupShape::of(x.dims(), weight.len(), grouping).map_err(Error::msg)?;
    let (y, moments) = norm::group_norm(shape, &floats(x)?, &weight, &bias);
    Ok((tensor(y, x.dims())?, moments))
}

/// Moments of the groups of a picture in strips `[1, .., C]`.
pub(super) fn group_moments(strips: &[&Tensor], grouping: Grouping) -> Result<Moments> {
    let Some(first) = strips.first() else {
        bail!("a picture has at least one strip");
    };
    let channels = last(first);
    for strip in strips {
        let shape = GroupShape::of(strip.dims(), channels, grouping).map_err(Error::msg)?;
        if shape.batch != 1 {
            bail!("strips of one picture are expected, got {:?}", strip.dims());
        }
    }
    let strips = strips
        .iter()
        .map(|strip| floats(strip))
        .collect::<Result<Vec<_>>>()?;
    let strips: Vec<&[f32]> = strips.iter().map(|strip| &**strip).collect();
    Ok(norm::group_moments(
        &strips,
        channels,
        (grouping.n_groups, grouping.eps),
    ))
}

/// Group norm of a strip `[1, .., C]` with given moments.
pub(super) fn group_norm_by(
    x: &Tensor,
    affine: Affine<'_, Tensor>,
    grouping: Grouping,
    moments: &Moments,
) -> Result<Tensor> {
    let (weight, bias) = (floats(affine.weight)?, floats(affine.bias)?);
    let shape = GroupShape::of(x.dims(), weight.len(), grouping).map_err(Error::msg)?;
    if shape.batch != 1 || moments.mean.len() != shape.groups {
        bail!("moments of {} groups of one picture are expected", shape.groups);
    }
    tensor(
        norm::group_norm_by(shape, &floats(x)?, (&weight, &bias), moments),
        x.dims(),
    )
}

/// Layer norm over the last dimension.
pub(super) fn layer_norm(x: &Tensor, affine: Affine<'_, Tensor>, eps: f32) -> Result<(Tensor, Moments)> {
    let (weight, bias) = (floats(affine.weight)?, floats(affine.bias)?);
    let shape = with_last(x, weight.len(), weight.len())?;
    let (y, moments) = norm::layer_norm(&floats(x)?, &weight, &bias, eps);
    Ok((tensor(y, shape)?, moments))
}

/// Attention of `q [B, Tq, C]` to `k, v [B, Tk, C]`: the result and the log-sum-exp `[B, heads, Tq]`.
pub(super) fn attention([q, k, v]: [&Tensor; 3], n_heads: usize, mask: Mask) -> Result<(Tensor, Tensor)> {
    let shape = AttentionShape::of([q.dims(), k.dims(), v.dims()], n_heads, mask).map_err(Error::msg)?;
    let (out, lse) = attention::forward(shape, &floats(q)?, &floats(k)?, &floats(v)?);
    let lse = tensor(lse, [shape.batch, n_heads, shape.queries])?;
    Ok((tensor(out, q.dims())?, lse))
}

/// `x[.., :F] * gelu(x[.., F:])` for `x [.., 2 F]`.
pub(super) fn geglu(x: &Tensor) -> Result<Tensor> {
    let width = last(x) / 2;
    let mut out = vec![0.0; x.elem_count() / 2];
    activation::geglu(&floats(x)?, width, &mut out);
    tensor(out, with_last(x, 2 * width, width)?)
}

/// A function of each value.
pub(super) fn activate(x: &Tensor, activation: Activation) -> Result<Tensor> {
    let mut out = vec![0.0; x.elem_count()];
    activation::forward(activation, &floats(x)?, &mut out);
    tensor(out, x.dims())
}

/// Sum of two tensors of the same shape.
pub(super) fn add(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if a.dims() != b.dims() {
        bail!("cannot add {:?} and {:?}", a.dims(), b.dims());
    }
    tensor(elementwise::sum(&floats(a)?, &floats(b)?), a.dims())
}

/// `x [B, .., C] + bias [B, C]`.
pub(super) fn add_channels(x: &Tensor, bias: &Tensor) -> Result<Tensor> {
    let (batch, channels) = bias.dims2()?;
    if x.dims()[0] != batch || last(x) != channels {
        bail!("cannot add channels {:?} to {:?}", bias.dims(), x.dims());
    }
    let out = elementwise::add_channels(&floats(x)?, &floats(bias)?, channels);
    tensor(out, x.dims())
}

/// Concatenation along the last dimension.
pub(super) fn concat(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let n = a.rank() - 1;
    if a.rank() != b.rank() || a.dims()[..n] != b.dims()[..n] {
        bail!("cannot concatenate {:?} and {:?}", a.dims(), b.dims());
    }
    let out = elementwise::concat(&floats(a)?, last(a), &floats(b)?, last(b));
    tensor(out, with_last(a, last(a), last(a) + last(b))?)
}

/// Nearest-neighbor upsampling of `[B, H, W, C]`.
pub(super) fn upsample_2x(x: &Tensor, size: (usize, usize)) -> Result<Tensor> {
    let (batch, height, width, channels) = x.dims4()?;
    let shape = UpsampleShape::of((height, width), size, channels).map_err(Error::msg)?;
    tensor(
        elementwise::upsample_2x(shape, &floats(x)?),
        [batch, size.0, size.1, channels],
    )
}
