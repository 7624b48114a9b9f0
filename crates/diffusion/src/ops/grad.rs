//! Gradients of the functions in [`ops`](super), each with respect to what can need one; base weights never do.

use candle_core::{CpuStorage, InplaceOp2, Layout, Result, Tensor, bail};

use super::{attention_shape, conv_shape, floats, group_shape, last, tensor, with_last};
use crate::{
    kernels::{
        activation::{self, Activation},
        attention::{self, Saved},
        conv,
        elementwise::{self, UpsampleShape},
        gemm::{self, Mat, Size, Threads},
        norm::{self, Moments},
        packed::{self, Packed, Rows},
    },
    layers::{Conv2d, GroupNorm, LayerNorm, Linear},
};

/// Gradient of `linear` with respect to its input: `dy W`.
pub fn linear(dy: &Tensor, layer: &Linear) -> Result<Tensor> {
    let (n_in, n_out) = (layer.n_in(), layer.n_out());
    let shape = with_last(dy, n_out, n_in)?;
    tensor(linear_values(&floats(dy)?, layer)?, shape)
}

fn linear_values(dy: &[f32], layer: &Linear) -> Result<Vec<f32>> {
    let (n_in, n_out) = (layer.n_in(), layer.n_out());
    let weight = floats(layer.weight())?;
    if let Some(layouts) = layer.layouts() {
        let packed = layouts.backward(|| Packed::new(n_out, n_in, |o, i| weight[o * n_in + i]));
        let mut dx = vec![0.0; dy.len() / n_out * n_in];
        packed::product(&mut dx, Rows::dense(dy, n_out), packed, None);
        return Ok(dx);
    }
    let size = Size {
        m: dy.len() / n_out,
        n: n_in,
        k: n_out,
    };
    let weight = Mat::rows(&weight, n_in);
    Ok(gemm::product(size, Mat::rows(dy, n_out), weight, Threads::All))
}

/// What the backward pass of `lora_linear` needs of the forward pass.
pub struct LoraLinear<'a> {
    /// Input.
    pub x: &'a Tensor,
    /// `x downᵀ`.
    pub t: &'a Tensor,
    /// Frozen layer.
    pub layer: &'a Linear,
    /// `[rank, in]`.
    pub down: &'a [f32],
    /// `[out, rank]`.
    pub up: &'a [f32],
    /// alpha / rank.
    pub scale: f32,
}

impl LoraLinear<'_> {
    fn rank(&self) -> usize {
        self.down.len() / self.layer.n_in()
    }

    /// Adds the gradients of both LoRA matrices to `d_down` and `d_up`; returns that of the input if `input`.
    pub fn backward(
        &self,
        dy: &Tensor,
        d_down: &mut [f32],
        d_up: &mut [f32],
        input: bool,
    ) -> Result<Option<Tensor>> {
        let (n_in, n_out, rank) = (self.layer.n_in(), self.layer.n_out(), self.rank());
        let shape = with_last(dy, n_out, n_in)?;
        let (dy, x, t) = (floats(dy)?, floats(self.x)?, floats(self.t)?);
        let rows = dy.len() / n_out;
        let size = |m, n, k| Size { m, n, k };

        // dt = scale dy up, the gradient of x downᵀ
        let mut dt = vec![0.0; rows * rank];
        let (dy_rows, up) = (Mat::rows(&dy, n_out), Mat::rows(self.up, rank));
        gemm::set(
            &mut dt,
            rank,
            size(rows, rank, n_out),
            self.scale,
            dy_rows,
            up,
            Threads::All,
        );
        let dt_rows = Mat::rows(&dt, rank);
        gemm::add(
            d_up,
            rank,
            size(n_out, rank, rows),
            self.scale,
            dy_rows.transposed(),
            Mat::rows(&t, rank),
            Threads::All,
        );
        gemm::add(
            d_down,
            n_in,
            size(rank, n_in, rows),
            1.0,
            dt_rows.transposed(),
            Mat::rows(&x, n_in),
            Threads::All,
        );
        if !input {
            return Ok(None);
        }
        let mut dx = linear_values(&dy, self.layer)?;
        gemm::add(
            &mut dx,
            n_in,
            size(rows, n_in, rank),
            1.0,
            dt_rows,
            Mat::rows(self.down, n_in),
            Threads::All,
        );
        Ok(Some(tensor(dx, shape)?))
    }
}

/// Gradient of `conv2d` with respect to its input, which had shape `x`.
pub fn conv2d(dy: &Tensor, x: &[usize], layer: &Conv2d) -> Result<Tensor> {
    let shape = conv_shape(x, layer)?;
    let (dy, weight) = (floats(dy)?, floats(layer.weight())?);
    let dx = match layer.layouts() {
        Some(layouts) if shape.is_reversible() => {
            let packed = layouts.backward(|| conv::pack_backward(shape, &weight));
            conv::backward_packed(shape, &dy, packed)
        }
        _ => conv::backward(shape, &dy, &weight),
    };
    tensor(dx, x)
}

/// Gradient of `group_norm` with respect to its input.
pub fn group_norm(
    dy: &Tensor,
    x: &Tensor,
    layer: &GroupNorm,
    silu: bool,
    moments: &Moments,
) -> Result<Tensor> {
    let shape = group_shape(x, layer, silu)?;
    let (weight, bias) = (floats(layer.weight())?, floats(layer.bias())?);
    let dx = norm::group_norm_backward(shape, &floats(x)?, &weight, &bias, moments, &floats(dy)?);
    tensor(dx, x.dims())
}

/// Gradient of `layer_norm` with respect to its input.
pub fn layer_norm(dy: &Tensor, x: &Tensor, layer: &LayerNorm, moments: &Moments) -> Result<Tensor> {
    let weight = floats(layer.weight())?;
    let dx = norm::layer_norm_backward(&floats(x)?, &weight, moments, &floats(dy)?);
    tensor(dx, x.dims())
}

/// What the backward pass of `attention` needs of the forward pass.
pub struct Attention<'a> {
    /// `[B, Tq, C]`.
    pub q: &'a Tensor,
    /// `[B, Tk, C]`.
    pub k: &'a Tensor,
    /// `[B, Tk, C]`.
    pub v: &'a Tensor,
    /// Log-sum-exp.
    pub lse: &'a Tensor,
    /// Heads.
    pub n_heads: usize,
    /// Whether later keys were hidden.
    pub causal: bool,
}

impl Attention<'_> {
    /// Gradients with respect to queries, keys and values.
    pub fn backward(&self, dy: &Tensor) -> Result<(Tensor, Tensor, Tensor)> {
        let shape = attention_shape(self.q, self.k, self.v, self.n_heads, self.causal)?;
        let (q, k, v) = (floats(self.q)?, floats(self.k)?, floats(self.v)?);
        let lse = floats(self.lse)?;
        let saved = Saved {
            q: &q,
            k: &k,
            v: &v,
            lse: &lse,
        };
        let (dq, dk, dv) = attention::backward(shape, saved, &floats(dy)?);
        Ok((
            tensor(dq, self.q.dims())?,
            tensor(dk, self.k.dims())?,
            tensor(dv, self.v.dims())?,
        ))
    }
}

/// Gradient of `geglu`.
pub fn geglu(dy: &Tensor, x: &Tensor) -> Result<Tensor> {
    let mut dx = vec![0.0; x.elem_count()];
    activation::geglu_backward(&floats(x)?, last(dy), &floats(dy)?, &mut dx);
    tensor(dx, x.dims())
}

/// Gradient of `activate`.
pub fn activate(dy: &Tensor, x: &Tensor, activation: Activation) -> Result<Tensor> {
    let mut dx = floats(dy)?.to_vec();
    activation::backward(activation, &floats(x)?, &mut dx);
    tensor(dx, x.dims())
}

/// Gradient of `add_channels` with respect to its bias `[B, C]`.
pub fn sum_positions(dy: &Tensor) -> Result<Tensor> {
    let (batch, channels) = (dy.dims()[0], last(dy));
    let sums = elementwise::sum_positions(&floats(dy)?, batch, channels);
    tensor(sums, [batch, channels])
}

/// Gradients of `concat`, the first having `a_width` values in its last dimension.
pub fn concat(dy: &Tensor, a_width: usize) -> Result<(Tensor, Tensor)> {
    let width = last(dy);
    if a_width >= width {
        bail!("cannot take {a_width} of {width} channels");
    }
    let (a, b) = elementwise::split(&floats(dy)?, a_width, width - a_width);
    Ok((
        tensor(a, with_last(dy, width, a_width)?)?,
        tensor(b, with_last(dy, width, width - a_width)?)?,
    ))
}

/// Gradient of `upsample_2x` with respect to its input, which had height and width `size`.
pub fn upsample_2x(dy: &Tensor, size: (usize, usize)) -> Result<Tensor> {
    let (batch, height, width, channels) = dy.dims4()?;
    let shape = UpsampleShape {
        input: size,
        output: (height, width),
        channels,
    };
    let dx = elementwise::upsample_2x_backward(shape, &floats(dy)?);
    tensor(dx, [batch, size.0, size.1, channels])
}

/// Adds `x` to `acc` where it lies. Nothing else may hold `acc`'s storage.
pub fn accumulate(acc: &Tensor, x: &Tensor) -> Result<()> {
    struct Accumulate;
    impl InplaceOp2 for Accumulate {
        fn name(&self) -> &'static str {
            "accumulate"
        }

        fn cpu_fwd(
            &self,
            acc: &mut CpuStorage,
            acc_at: &Layout,
            x: &CpuStorage,
            x_at: &Layout,
        ) -> Result<()> {
            let (CpuStorage::F32(acc), CpuStorage::F32(x)) = (acc, x) else {
                bail!("gradients have to be f32");
            };
            let (Some((start, end)), Some((x_start, x_end))) =
                (acc_at.contiguous_offsets(), x_at.contiguous_offsets())
            else {
                bail!("gradients have to be contiguous");
            };
            elementwise::accumulate(&mut acc[start..end], &x[x_start..x_end]);
            Ok(())
        }
    }
    acc.inplace_op2(x, &Accumulate)
}
