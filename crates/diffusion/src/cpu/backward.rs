//! The backward pass on the processor.

use candle_core::{Error, Result, Tensor, bail};

use super::{CpuWeight, last, matrix_shape, rows_of, update_in_place, with_last};
use crate::{
    device::{Affine, Matrix, Saved, floats, tensor},
    kernels::{
        activation, attention, conv, elementwise,
        gemm::{self, Mat, Size, Threads},
        norm::{self, Moments},
        packed::{self, Packed, Rows},
        streamed::{self, Way},
    },
    operation::{
        Activation, AttentionShape, ConvGeometry, ConvShape, GroupShape, Grouping, Mask, Place, UpsampleShape,
    },
};

/// `dy W`.
pub(super) fn linear(dy: &Tensor, weight: &CpuWeight) -> Result<Tensor> {
    let (n_out, n_in) = weight.dims2()?;
    let shape = with_last(dy, n_out, n_in)?;
    let dy = floats(dy)?;
    let mut dx = vec![0.0; dy.len() / n_out * n_in];
    let pack = |values: &[f32]| Packed::new(n_out, n_in, |o, i| values[o * n_in + i]);
    match weight.packed_backward(pack)? {
        Some(packed) => packed::product(&mut dx, Rows::dense(&dy, n_out), packed, None),
        None => weight.streamed(|weight| streamed::linear(&mut dx, &dy, weight, Way::Backward, None))?,
    }
    tensor(dx, shape)
}

/// `scale · dy M`.
pub(super) fn project(dy: &Tensor, matrix: Matrix<'_, Vec<f32>>, scale: f32) -> Result<Tensor> {
    let Place { rows, columns, .. } = matrix.place;
    let shape = with_last(dy, rows, columns)?;
    let dy = floats(dy)?;
    let size = Size {
        m: dy.len() / rows,
        n: columns,
        k: rows,
    };
    let mut dx = vec![0.0; size.m * columns];
    let (dy, matrix) = (Mat::rows(&dy, rows), Mat::rows(rows_of(matrix)?, columns));
    gemm::set(&mut dx, columns, size, scale, dy, matrix, Threads::All);
    tensor(dx, shape)
}

/// `dx += dy M`.
pub(super) fn add_project(dx: &Tensor, dy: &Tensor, matrix: Matrix<'_, Vec<f32>>) -> Result<()> {
    let Place { rows, columns, .. } = matrix.place;
    if with_last(dy, rows, columns)? != dx.dims() {
        bail!("the sum and the gradient differ in shape");
    }
    let matrix = Mat::rows(rows_of(matrix)?, columns);
    update_in_place(dx, dy, |dx, dy| {
        let size = Size {
            m: dx.len() / columns,
            n: columns,
            k: rows,
        };
        gemm::add(dx, columns, size, 1.0, Mat::rows(dy, rows), matrix, Threads::All);
    })
}

/// `gradients[place] += scale · dyᵀ x`.
pub(super) fn add_matrix(
    gradients: &mut [f32],
    place: Place,
    dy: &Tensor,
    x: &Tensor,
    scale: f32,
) -> Result<()> {
    if with_last(dy, place.rows, place.columns)? != x.dims() {
        bail!("{place:?} does not fit the gradient and the input");
    }
    let (n, dy, x) = (gradients.len(), floats(dy)?, floats(x)?);
    let Some(gradient) = gradients.get_mut(place.range()) else {
        bail!("{place:?} is not in a buffer of {n}");
    };
    let size = Size {
        m: place.rows,
        n: place.columns,
        k: x.len() / place.columns,
    };
    let dy = Mat::rows(&dy, place.rows).transposed();
    let x = Mat::rows(&x, place.columns);
    gemm::add(gradient, place.columns, size, scale, dy, x, Threads::All);
    Ok(())
}

/// Gradient of `conv2d` with respect to its input, which had shape `x`.
pub(super) fn conv2d(dy: &Tensor, x: &[usize], weight: &CpuWeight, geometry: ConvGeometry) -> Result<Tensor> {
    let shape = ConvShape::of(x, weight.dims(), geometry).map_err(Error::msg)?;
    let dy = floats(dy)?;
    if !shape.is_reversible() {
        let values = weight.values()?;
        return tensor(conv::backward(shape, &dy, &floats(&values)?), x);
    }
    let dx = match weight.packed_backward(|values| conv::pack_backward(shape, values))? {
        Some(packed) => conv::backward_packed(shape, &dy, packed),
        None if weight.is_worth_widening(shape) => {
            let values = weight.values()?;
            conv::backward(shape, &dy, &floats(&values)?)
        }
        None => weight.streamed(|weight| conv::backward_streamed(shape, &dy, weight))?,
    };
    tensor(dx, x)
}

/// `dx` plus the gradient of `convolve` with respect to its input.
pub(super) fn add_convolve(
    dx: &Tensor,
    dy: &Tensor,
    matrix: Matrix<'_, Vec<f32>>,
    geometry: ConvGeometry,
) -> Result<()> {
    let shape = matrix_shape(dx.dims(), matrix.place, geometry)?;
    check_output(shape, dy)?;
    let through = tensor(conv::backward(shape, &floats(dy)?, rows_of(matrix)?), dx.dims())?;
    accumulate(dx, &through)
}

/// `gradients[place] += dyᵀ · patches of x`.
pub(super) fn add_kernel(
    gradients: &mut [f32],
    place: Place,
    dy: &Tensor,
    x: &Tensor,
    geometry: ConvGeometry,
) -> Result<()> {
    let shape = matrix_shape(x.dims(), place, geometry)?;
    check_output(shape, dy)?;
    let n = gradients.len();
    let Some(gradient) = gradients.get_mut(place.range()) else {
        bail!("{place:?} is not in a buffer of {n}");
    };
    conv::add_kernel_gradient(shape, &floats(x)?, &floats(dy)?, gradient);
    Ok(())
}

fn check_output(shape: ConvShape, dy: &Tensor) -> Result<()> {
    let (h, w) = shape.output;
    if dy.dims() != [shape.batch, h, w, shape.out_channels] {
        bail!("the gradient is not that of this convolution's result");
    }
    Ok(())
}

/// Gradient of `gather` with respect to its input, which had shape `x`.
pub(super) fn gather(dy: &Tensor, x: &[usize], rows: &[usize]) -> Result<Tensor> {
    let width = last(dy);
    if dy.dims() != [rows.len(), width] || x.last() != Some(&width) {
        bail!("the gradient is not that of these rows");
    }
    let mut dx = vec![0.0; x.iter().product()];
    for (row, dy) in rows.iter().zip(floats(dy)?.chunks_exact(width)) {
        let Some(dx) = dx.get_mut(row * width..(row + 1) * width) else {
            bail!("there is no row {row}");
        };
        elementwise::accumulate(dx, dy);
    }
    tensor(dx, x)
}

/// Gradient of `group_norm` with respect to its input.
pub(super) fn group_norm(
    dy: &Tensor,
    x: &Tensor,
    moments: &Moments,
    affine: Affine<'_, Tensor>,
    grouping: Grouping,
) -> Result<Tensor> {
    same_shape(dy, x)?;
    let (weight, bias) = (floats(affine.weight)?, floats(affine.bias)?);
    let shape = GroupShape::of(x.dims(), weight.len(), grouping).map_err(Error::msg)?;
    let dx = norm::group_norm_backward(shape, &floats(x)?, &weight, &bias, moments, &floats(dy)?);
    tensor(dx, x.dims())
}

/// Gradient of `layer_norm` with respect to its input.
pub(super) fn layer_norm(
    dy: &Tensor,
    x: &Tensor,
    moments: &Moments,
    affine: Affine<'_, Tensor>,
) -> Result<Tensor> {
    same_shape(dy, x)?;
    let weight = floats(affine.weight)?;
    let dx = norm::layer_norm_backward(&floats(x)?, &weight, moments, &floats(dy)?);
    tensor(dx, x.dims())
}

/// Gradients of `attention` with respect to queries, keys and values.
pub(super) fn attention(
    dy: &Tensor,
    saved: Saved<'_, Tensor>,
    n_heads: usize,
    mask: Mask,
) -> Result<[Tensor; 3]> {
    let [q, k, v] = saved.qkv;
    same_shape(dy, q)?;
    let shape = AttentionShape::of([q.dims(), k.dims(), v.dims()], n_heads, mask).map_err(Error::msg)?;
    let (dq, dk, dv) = {
        let (q, k, v, lse) = (floats(q)?, floats(k)?, floats(v)?, floats(saved.lse)?);
        let saved = attention::Saved {
            q: &q,
            k: &k,
            v: &v,
            lse: &lse,
        };
        attention::backward(shape, saved, &floats(dy)?)
    };
    Ok([
        tensor(dq, q.dims())?,
        tensor(dk, k.dims())?,
        tensor(dv, v.dims())?,
    ])
}

/// Gradient of `geglu`.
pub(super) fn geglu(dy: &Tensor, x: &Tensor) -> Result<Tensor> {
    if with_last(dy, last(dy), 2 * last(dy))? != x.dims() {
        bail!("the gradient is not half as wide as the input");
    }
    let mut dx = vec![0.0; x.elem_count()];
    activation::geglu_backward(&floats(x)?, last(dy), &floats(dy)?, &mut dx);
    tensor(dx, x.dims())
}

/// Gradient of `activate`.
pub(super) fn activate(dy: &Tensor, x: &Tensor, activation: Activation) -> Result<Tensor> {
    same_shape(dy, x)?;
    let mut dx = floats(dy)?.to_vec();
    activation::backward(activation, &floats(x)?, &mut dx);
    tensor(dx, x.dims())
}

/// Gradient of `add_channels` with respect to its bias `[B, C]`.
pub(super) fn sum_positions(dy: &Tensor) -> Result<Tensor> {
    let (batch, channels) = (dy.dims()[0], last(dy));
    let sums = elementwise::sum_positions(&floats(dy)?, batch, channels);
    tensor(sums, [batch, channels])
}

/// Gradients of `concat`, the first having `a_width` values in its last dimension.
pub(super) fn concat(dy: &Tensor, a_width: usize) -> Result<[Tensor; 2]> {
    let width = last(dy);
    if a_width >= width {
        bail!("cannot take {a_width} of {width} channels");
    }
    let (a, b) = elementwise::split(&floats(dy)?, a_width, width - a_width);
    Ok([
        tensor(a, with_last(dy, width, a_width)?)?,
        tensor(b, with_last(dy, width, width - a_width)?)?,
    ])
}

/// Gradient of `upsample_2x` with respect to its input, which had height and width `size`.
pub(super) fn upsample_2x(dy: &Tensor, size: (usize, usize)) -> Result<Tensor> {
    let (batch, height, width, channels) = dy.dims4()?;
    let shape = UpsampleShape::of(size, (height, width), channels).map_err(Error::msg)?;
    let dx = elementwise::upsample_2x_backward(shape, &floats(dy)?);
    tensor(dx, [batch, size.0, size.1, channels])
}

/// Adds `x` to `acc` where it lies.
pub(super) fn accumulate(acc: &Tensor, x: &Tensor) -> Result<()> {
    same_shape(acc, x)?;
    update_in_place(acc, x, elementwise::accumulate)
}

fn same_shape(a: &Tensor, b: &Tensor) -> Result<()> {
    if a.dims() != b.dims() {
        bail!("both shapes have to be the same");
    }
    Ok(())
}
