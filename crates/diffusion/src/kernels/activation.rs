//! Activation functions, forward and backward: SiLU, GELU (exact and quick), GEGLU.

use super::simd::{dispatch, erf, exp};

/// A function applied to each value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// x · σ(x).
    Silu,
    /// x · Φ(x) with the error function, as `torch.nn.GELU` and CLIP-bigG.
    Gelu,
    /// x · σ(1.702 x), as OpenAI's CLIP.
    QuickGelu,
}

/// `out = f(x)`.
pub fn forward(activation: Activation, x: &[f32], out: &mut [f32]) {
    assert_eq!(x.len(), out.len());
    match activation {
        Activation::Silu => dispatch(map, (x, out, silu)),
        Activation::Gelu => dispatch(map, (x, out, gelu)),
        Activation::QuickGelu => dispatch(map, (x, out, quick_gelu)),
    }
}

/// `gradient *= f'(x)`.
pub fn backward(activation: Activation, x: &[f32], gradient: &mut [f32]) {
    assert_eq!(x.len(), gradient.len());
    match activation {
        Activation::Silu => dispatch(scale, (x, gradient, silu_slope)),
        Activation::Gelu => dispatch(scale, (x, gradient, gelu_slope)),
        Activation::QuickGelu => dispatch(scale, (x, gradient, quick_gelu_slope)),
    }
}

/// `out[r, f] = x[r, f] * gelu(x[r, F + f])` for rows of `2 F` values.
pub fn geglu(x: &[f32], width: usize, out: &mut [f32]) {
    assert_eq!(x.len(), 2 * out.len());
    dispatch(geglu_kernel, (x, width, out));
}

/// Gradient of [`geglu`] with respect to `x`.
pub fn geglu_backward(x: &[f32], width: usize, gradient: &[f32], dx: &mut [f32]) {
    assert_eq!(x.len(), dx.len());
    assert_eq!(x.len(), 2 * gradient.len());
    dispatch(geglu_backward_kernel, (x, width, gradient, dx));
}

#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[inline(always)]
pub(crate) fn silu(x: f32) -> f32 {
    x * sigmoid(x)
}

#[inline(always)]
pub(crate) fn silu_slope(x: f32) -> f32 {
    let s = sigmoid(x);
    s * (1.0 - s).mul_add(x, 1.0)
}

#[inline(always)]
fn quick_gelu(x: f32) -> f32 {
    x * sigmoid(1.702 * x)
}

#[inline(always)]
fn quick_gelu_slope(x: f32) -> f32 {
    let s = sigmoid(1.702 * x);
    s * (1.0 - s).mul_add(1.702 * x, 1.0)
}

#[inline(always)]
fn gelu(x: f32) -> f32 {
    x * gelu_parts(x).0
}

#[inline(always)]
fn gelu_slope(x: f32) -> f32 {
    let (cdf, density) = gelu_parts(x);
    density.mul_add(x, cdf)
}

/// Φ(x) and its derivative, the normal density.
#[inline(always)]
fn gelu_parts(x: f32) -> (f32, f32) {
    const INV_SQRT_2PI: f32 = 0.398_942_3;
    let gauss = exp(-0.5 * x * x);
    let cdf = 0.5 * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2, gauss));
    (cdf, gauss * INV_SQRT_2PI)
}

#[inline(always)]
fn map((x, out, f): (&[f32], &mut [f32], impl Fn(f32) -> f32)) {
    for (o, &x) in out.iter_mut().zip(x) {
        *o = f(x);
    }
}

#[inline(always)]
fn scale((x, gradient, slope): (&[f32], &mut [f32], impl Fn(f32) -> f32)) {
    for (g, &x) in gradient.iter_mut().zip(x) {
        *g *= slope(x);
    }
}

#[inline(always)]
fn geglu_kernel((x, width, out): (&[f32], usize, &mut [f32])) {
    for (x, out) in x.chunks_exact(2 * width).zip(out.chunks_exact_mut(width)) {
        let (value, gate) = x.split_at(width);
        for ((o, &v), &g) in out.iter_mut().zip(value).zip(gate) {
            *o = v * gelu(g);
        }
    }
}

#[inline(always)]
fn geglu_backward_kernel((x, width, gradient, dx): (&[f32], usize, &[f32], &mut [f32])) {
    let rows = x.chunks_exact(2 * width).zip(dx.chunks_exact_mut(2 * width));
    for ((x, dx), dy) in rows.zip(gradient.chunks_exact(width)) {
        let (value, gate) = x.split_at(width);
        let (d_value, d_gate) = dx.split_at_mut(width);
        for i in 0..width {
            let (cdf, density) = gelu_parts(gate[i]);
            d_value[i] = dy[i] * gate[i] * cdf;
            d_gate[i] = dy[i] * value[i] * density.mul_add(gate[i], cdf);
        }
    }
}
