//! Tensor operations, forward and backward, on top of [`kernels`](crate::kernels).
//!
//! The seam to other devices: graphs call these functions and never see a slice. Tensors are `f32`, contiguous and on
//! the CPU. None of them records anything: candle's own autograd is not used.

mod floats;
pub mod grad;

use candle_core::{Result, Tensor, bail};

pub use floats::{Floats, floats, tensor};

use crate::{
    kernels::{
        activation::{self, Activation},
        attention::{self, AttentionShape},
        conv::{self, ConvShape},
        elementwise::{self, UpsampleShape},
        gemm::{self, Mat, Size, Threads},
        norm::{self, GroupShape, Moments},
        packed::{self, Packed, Rows},
    },
    layers::{Conv2d, GroupNorm, LayerNorm, Linear},
};

/// `x [.., in] Wᵀ + b`: `[.., out]`.
pub fn linear(x: &Tensor, layer: &Linear) -> Result<Tensor> {
    tensor(
        times_weight(x, layer)?,
        with_last(x, layer.n_in(), layer.n_out())?,
    )
}

fn times_weight(x: &Tensor, layer: &Linear) -> Result<Vec<f32>> {
    let (n_in, n_out) = (layer.n_in(), layer.n_out());
    let (x, weight) = (floats(x)?, floats(layer.weight())?);
    let bias = layer.bias().map(floats).transpose()?;
    let Some(layouts) = layer.layouts() else {
        let mut y = matmul_transposed(&x, &weight, n_in);
        if let Some(bias) = bias {
            elementwise::add_bias(&mut y, &bias);
        }
        return Ok(y);
    };
    let packed = layouts.forward(|| Packed::new(n_in, n_out, |i, o| weight[o * n_in + i]));
    let mut y = vec![0.0; x.len() / n_in * n_out];
    packed::product(&mut y, Rows::dense(&x, n_in), packed, bias.as_deref());
    Ok(y)
}

/// What a LoRA adds to a linear layer: `t = x downᵀ [.., rank]`.
pub fn lora_down(x: &Tensor, down: &[f32], rank: usize) -> Result<Tensor> {
    let n_in = down.len() / rank;
    let t = matmul_transposed(&floats(x)?, down, n_in);
    tensor(t, with_last(x, n_in, rank)?)
}

/// `y + scale * t upᵀ`, as a new tensor.
pub fn lora_up(y: &Tensor, t: &Tensor, up: &[f32], scale: f32) -> Result<Tensor> {
    let mut out = floats(y)?.to_vec();
    lora_up_in_place(&mut out, &floats(t)?, up, scale, last(t));
    tensor(out, y.dims())
}

/// Linear layer and one LoRA at once: the result and `t = x downᵀ`, which the backward pass wants.
pub fn lora_linear(
    x: &Tensor,
    layer: &Linear,
    down: &[f32],
    up: &[f32],
    scale: f32,
) -> Result<(Tensor, Tensor)> {
    let rank = down.len() / layer.n_in();
    let t = lora_down(x, down, rank)?;
    let mut y = times_weight(x, layer)?;
    lora_up_in_place(&mut y, &floats(&t)?, up, scale, rank);
    Ok((tensor(y, with_last(x, layer.n_in(), layer.n_out())?)?, t))
}

fn lora_up_in_place(y: &mut [f32], t: &[f32], up: &[f32], scale: f32, rank: usize) {
    let n_out = up.len() / rank;
    let size = Size {
        m: y.len() / n_out,
        n: n_out,
        k: rank,
    };
    let up = Mat::rows(up, rank).transposed();
    gemm::add(y, n_out, size, scale, Mat::rows(t, rank), up, Threads::All);
}

/// `x [rows, in] × weightᵀ [in, out]`.
fn matmul_transposed(x: &[f32], weight: &[f32], n_in: usize) -> Vec<f32> {
    let size = Size {
        m: x.len() / n_in,
        n: weight.len() / n_in,
        k: n_in,
    };
    let weight = Mat::rows(weight, n_in).transposed();
    gemm::product(size, Mat::rows(x, n_in), weight, Threads::All)
}

/// Convolution of `[B, H, W, C]`.
pub fn conv2d(x: &Tensor, layer: &Conv2d) -> Result<Tensor> {
    let shape = conv_shape(x.dims(), layer)?;
    let bias = floats(layer.bias())?;
    let (x, weight) = (floats(x)?, floats(layer.weight())?);
    let y = match layer.layouts() {
        Some(layouts) => {
            let packed = layouts.forward(|| conv::pack_forward(shape, &weight));
            conv::forward_packed(shape, &x, packed, Some(&bias))
        }
        None => conv::forward(shape, &x, &weight, Some(&bias)),
    };
    let (h, w) = shape.output;
    tensor(y, [shape.batch, h, w, shape.out_channels])
}

/// Sizes of a convolution of a tensor of shape `[B, H, W, C]`.
pub fn conv_shape(x: &[usize], layer: &Conv2d) -> Result<ConvShape> {
    let &[batch, height, width, in_channels] = x else {
        bail!("a convolution got {x:?}");
    };
    let (out_channels, _, _, expected) = layer.weight().dims4()?;
    let geometry = layer.geometry();
    let padding = geometry.pad_start + geometry.pad_end;
    if in_channels != expected || height.min(width) + padding < geometry.kernel {
        bail!("a convolution of {expected} channels got {x:?}");
    }
    Ok(ConvShape {
        batch,
        input: (height, width),
        output: (geometry.output(height), geometry.output(width)),
        in_channels,
        out_channels,
        kernel: geometry.kernel,
        stride: geometry.stride,
        padding: geometry.pad_start,
    })
}

/// Group norm of `[B, .., C]`, with SiLU behind it if `silu`; the moments are for the backward pass.
pub fn group_norm(x: &Tensor, layer: &GroupNorm, silu: bool) -> Result<(Tensor, Moments)> {
    let shape = group_shape(x, layer, silu)?;
    let (weight, bias) = (floats(layer.weight())?, floats(layer.bias())?);
    let (y, moments) = norm::group_norm(shape, &floats(x)?, &weight, &bias);
    Ok((tensor(y, x.dims())?, moments))
}

/// Sizes of a group norm of `x [B, .., C]`.
pub fn group_shape(x: &Tensor, layer: &GroupNorm, silu: bool) -> Result<GroupShape> {
    let channels = last(x);
    if channels != layer.weight().elem_count() || x.rank() < 2 {
        let expected = layer.weight().elem_count();
        bail!("a group norm of {expected} channels got {:?}", x.dims());
    }
    let batch = x.dims()[0];
    Ok(GroupShape {
        batch,
        positions: x.elem_count() / (batch * channels),
        channels,
        groups: layer.n_groups(),
        eps: layer.eps(),
        silu,
    })
}

/// Layer norm over the last dimension; the moments are for the backward pass.
pub fn layer_norm(x: &Tensor, layer: &LayerNorm) -> Result<(Tensor, Moments)> {
    if last(x) != layer.weight().elem_count() {
        let expected = layer.weight().elem_count();
        bail!("a layer norm of {expected} values got {:?}", x.dims());
    }
    let (weight, bias) = (floats(layer.weight())?, floats(layer.bias())?);
    let (y, moments) = norm::layer_norm(&floats(x)?, &weight, &bias, layer.eps());
    Ok((tensor(y, x.dims())?, moments))
}

/// Attention of `q [B, Tq, C]` to `k, v [B, Tk, C]`: the result and the log-sum-exp `[B, heads, Tq]`.
pub fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    n_heads: usize,
    causal: bool,
) -> Result<(Tensor, Tensor)> {
    let shape = attention_shape(q, k, v, n_heads, causal)?;
    let (out, lse) = attention::forward(shape, &floats(q)?, &floats(k)?, &floats(v)?);
    let lse = tensor(lse, [shape.batch, n_heads, shape.queries])?;
    Ok((tensor(out, q.dims())?, lse))
}

/// Sizes of an attention.
pub fn attention_shape(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    n_heads: usize,
    causal: bool,
) -> Result<AttentionShape> {
    let (batch, queries, width) = q.dims3()?;
    let (k_batch, keys, k_width) = k.dims3()?;
    if k.dims() != v.dims() || (k_batch, k_width) != (batch, width) || width % n_heads != 0 {
        bail!(
            "attention of {n_heads} heads got queries {:?}, keys {:?} and values {:?}",
            q.dims(),
            k.dims(),
            v.dims()
        );
    }
    Ok(AttentionShape {
        batch,
        heads: n_heads,
        queries,
        keys,
        head_dim: width / n_heads,
        causal,
    })
}

/// `x[.., :F] * gelu(x[.., F:])` for `x [.., 2 F]`.
pub fn geglu(x: &Tensor) -> Result<Tensor> {
    let width = last(x) / 2;
    let mut out = vec![0.0; x.elem_count() / 2];
    activation::geglu(&floats(x)?, width, &mut out);
    tensor(out, with_last(x, 2 * width, width)?)
}

/// A function of each value.
pub fn activate(x: &Tensor, activation: Activation) -> Result<Tensor> {
    let mut out = vec![0.0; x.elem_count()];
    activation::forward(activation, &floats(x)?, &mut out);
    tensor(out, x.dims())
}

/// Sum of two tensors of the same shape.
pub fn add(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if a.dims() != b.dims() {
        bail!("cannot add {:?} and {:?}", a.dims(), b.dims());
    }
    tensor(elementwise::sum(&floats(a)?, &floats(b)?), a.dims())
}

/// `x [B, .., C] + bias [B, C]`.
pub fn add_channels(x: &Tensor, bias: &Tensor) -> Result<Tensor> {
    let (batch, channels) = bias.dims2()?;
    if x.dims()[0] != batch || last(x) != channels {
        bail!("cannot add channels {:?} to {:?}", bias.dims(), x.dims());
    }
    let out = elementwise::add_channels(&floats(x)?, &floats(bias)?, channels);
    tensor(out, x.dims())
}

/// Concatenation along the last dimension.
pub fn concat(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let n = a.rank() - 1;
    if a.rank() != b.rank() || a.dims()[..n] != b.dims()[..n] {
        bail!("cannot concatenate {:?} and {:?}", a.dims(), b.dims());
    }
    let out = elementwise::concat(&floats(a)?, last(a), &floats(b)?, last(b));
    tensor(out, with_last(a, last(a), last(a) + last(b))?)
}

/// Nearest-neighbor upsampling of `[B, H, W, C]` to `size`, which is twice height and width, or one less.
pub fn upsample_2x(x: &Tensor, size: (usize, usize)) -> Result<Tensor> {
    let (batch, height, width, channels) = x.dims4()?;
    let fits = |from: usize, to: usize| to == 2 * from || to + 1 == 2 * from;
    if !fits(height, size.0) || !fits(width, size.1) {
        bail!("cannot upsample {:?} by two to {size:?}", x.dims());
    }
    let shape = UpsampleShape {
        input: (height, width),
        output: size,
        channels,
    };
    tensor(
        elementwise::upsample_2x(shape, &floats(x)?),
        [batch, size.0, size.1, channels],
    )
}

/// The same numbers in storage of their own.
pub fn copy(x: &Tensor) -> Result<Tensor> {
    tensor(floats(x)?.to_vec(), x.dims())
}

/// Length of the last dimension.
fn last(x: &Tensor) -> usize {
    x.dims().last().copied().unwrap_or(1)
}

/// The shape of `x`, whose last dimension has to be `expected`, with `width` in its place.
fn with_last(x: &Tensor, expected: usize, width: usize) -> Result<Vec<usize>> {
    let mut dims = x.dims().to_vec();
    match dims.last_mut() {
        Some(last) if *last == expected => *last = width,
        _ => bail!("rows of {expected} values wanted, got {dims:?}"),
    }
    Ok(dims)
}
