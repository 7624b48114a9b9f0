//! Activation functions, forward and backward: SiLU, GELU (exact, by tanh, and quick), GEGLU.

use super::simd::{Kernel, dispatch, erf, exp};
pub use crate::operation::Activation;

/// `out = f(x)`.
pub fn forward(activation: Activation, x: &[f32], out: &mut [f32]) {
    assert_eq!(x.len(), out.len());
    match activation {
        Activation::Silu => dispatch(Map { x, out, curve: Silu }),
        Activation::Gelu => dispatch(Map { x, out, curve: Gelu }),
        Activation::TanhGelu => dispatch(Map {
            x,
            out,
            curve: TanhGelu,
        }),
        Activation::QuickGelu => dispatch(Map {
            x,
            out,
            curve: QuickGelu,
        }),
    }
}

/// `gradient *= f'(x)`.
pub fn backward(activation: Activation, x: &[f32], gradient: &mut [f32]) {
    assert_eq!(x.len(), gradient.len());
    match activation {
        Activation::Silu => dispatch(Scale {
            x,
            gradient,
            curve: Silu,
        }),
        Activation::Gelu => dispatch(Scale {
            x,
            gradient,
            curve: Gelu,
        }),
        Activation::TanhGelu => dispatch(Scale {
            x,
            gradient,
            curve: TanhGelu,
        }),
        Activation::QuickGelu => dispatch(Scale {
            x,
            gradient,
            curve: QuickGelu,
        }),
    }
}

/// `out[r, f] = x[r, f] * gelu(x[r, F + f])` for rows of `2 F` values.
pub fn geglu(x: &[f32], width: usize, out: &mut [f32]) {
    assert_eq!(x.len(), 2 * out.len());
    dispatch(Geglu { x, width, out });
}

/// Gradient of [`geglu`] with respect to `x`.
pub fn geglu_backward(x: &[f32], width: usize, gradient: &[f32], dx: &mut [f32]) {
    assert_eq!(x.len(), dx.len());
    assert_eq!(x.len(), 2 * gradient.len());
    dispatch(GegluBackward {
        x,
        width,
        gradient,
        dx,
    });
}

/// A function and its derivative.
trait Curve {
    fn value(&self, x: f32) -> f32;
    fn slope(&self, x: f32) -> f32;
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
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

struct Silu;

impl Curve for Silu {
    #[inline(always)]
    fn value(&self, x: f32) -> f32 {
        silu(x)
    }

    #[inline(always)]
    fn slope(&self, x: f32) -> f32 {
        silu_slope(x)
    }
}

struct QuickGelu;

impl Curve for QuickGelu {
    #[inline(always)]
    fn value(&self, x: f32) -> f32 {
        x * sigmoid(1.702 * x)
    }

    #[inline(always)]
    fn slope(&self, x: f32) -> f32 {
        let s = sigmoid(1.702 * x);
        s * (1.0 - s).mul_add(1.702 * x, 1.0)
    }
}

/// x · σ(2 u) with u = √(2/π) (x + 0.044715 x³): the same as x/2 · (1 + tanh u), Hendrycks and Gimpel 2016 (arXiv
/// 1606.08415).
struct TanhGelu;

impl TanhGelu {
    /// 2 √(2/π).
    const FACTOR: f32 = 1.595_769;
    const CUBIC: f32 = 0.044_715;
}

impl Curve for TanhGelu {
    #[inline(always)]
    fn value(&self, x: f32) -> f32 {
        x * sigmoid(Self::FACTOR * x * (Self::CUBIC * x).mul_add(x, 1.0))
    }

    #[inline(always)]
    fn slope(&self, x: f32) -> f32 {
        let s = sigmoid(Self::FACTOR * x * (Self::CUBIC * x).mul_add(x, 1.0));
        let inner = Self::FACTOR * (3.0 * Self::CUBIC * x).mul_add(x, 1.0);
        s * ((1.0 - s) * x).mul_add(inner, 1.0)
    }
}

struct Gelu;

impl Gelu {
    /// Φ(x) and its derivative, the normal density.
    #[inline(always)]
    fn parts(x: f32) -> (f32, f32) {
        const INV_SQRT_2PI: f32 = 0.398_942_3;
        let gauss = exp(-0.5 * x * x);
        let cdf = 0.5 * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2, gauss));
        (cdf, gauss * INV_SQRT_2PI)
    }
}

impl Curve for Gelu {
    #[inline(always)]
    fn value(&self, x: f32) -> f32 {
        x * Self::parts(x).0
    }

    #[inline(always)]
    fn slope(&self, x: f32) -> f32 {
        let (cdf, density) = Self::parts(x);
        density.mul_add(x, cdf)
    }
}

struct Map<'a, C> {
    x: &'a [f32],
    out: &'a mut [f32],
    curve: C,
}

impl<C: Curve> Kernel for Map<'_, C> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { x, out, curve } = self;
        for (out, &x) in out.iter_mut().zip(x) {
            *out = curve.value(x);
        }
    }
}

struct Scale<'a, C> {
    x: &'a [f32],
    gradient: &'a mut [f32],
    curve: C,
}

impl<C: Curve> Kernel for Scale<'_, C> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { x, gradient, curve } = self;
        for (g, &x) in gradient.iter_mut().zip(x) {
            *g *= curve.slope(x);
        }
    }
}

struct Geglu<'a> {
    x: &'a [f32],
    width: usize,
    out: &'a mut [f32],
}

impl Kernel for Geglu<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { x, width, out } = self;
        for (x, out) in x.chunks_exact(2 * width).zip(out.chunks_exact_mut(width)) {
            let (value, gate) = x.split_at(width);
            for ((out, &v), &g) in out.iter_mut().zip(value).zip(gate) {
                *out = v * Gelu.value(g);
            }
        }
    }
}

struct GegluBackward<'a> {
    x: &'a [f32],
    width: usize,
    gradient: &'a [f32],
    dx: &'a mut [f32],
}

impl Kernel for GegluBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self {
            x,
            width,
            gradient,
            dx,
        } = self;
        let rows = x.chunks_exact(2 * width).zip(dx.chunks_exact_mut(2 * width));
        for ((x, dx), dy) in rows.zip(gradient.chunks_exact(width)) {
            let (value, gate) = x.split_at(width);
            let (d_value, d_gate) = dx.split_at_mut(width);
            let inputs = value.iter().zip(gate).zip(dy);
            for (((&v, &g), &dy), (d_value, d_gate)) in inputs.zip(d_value.iter_mut().zip(d_gate)) {
                let (cdf, density) = Gelu::parts(g);
                *d_value = dy * g * cdf;
                *d_gate = dy * v * density.mul_add(g, cdf);
            }
        }
    }
}
