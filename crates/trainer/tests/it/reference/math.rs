//! Functions of numbers, products and index arithmetic, written to be read.

use diffusion::operation::{Activation, ConvShape};

/// A matrix, row after row.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    values: &'a [f64],
    columns: usize,
}

impl<'a> Rows<'a> {
    pub(super) fn new(values: &'a [f64], columns: usize) -> Self {
        Self { values, columns }
    }

    fn n_rows(self) -> usize {
        self.values.len() / self.columns
    }

    /// `x Mᵀ` for rows of x.
    pub(super) fn times(self, x: &[f64]) -> Vec<f64> {
        let rows = x.chunks_exact(self.columns);
        rows.flat_map(|x| self.values.chunks_exact(self.columns).map(|row| dot(x, row)))
            .collect()
    }

    /// `dy M` for rows of dy.
    pub(super) fn times_transposed(self, dy: &[f64]) -> Vec<f64> {
        let mut dx = vec![0.0; dy.len() / self.n_rows() * self.columns];
        let rows = dy
            .chunks_exact(self.n_rows())
            .zip(dx.chunks_exact_mut(self.columns));
        for (dy, dx) in rows {
            for (dy, row) in dy.iter().zip(self.values.chunks_exact(self.columns)) {
                add_scaled(dx, *dy, row);
            }
        }
        dx
    }
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `sum += factor * x`.
pub(super) fn add_scaled(sum: &mut [f64], factor: f64, x: &[f64]) {
    sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += factor * x);
}

/// Calls `work(output pixel, input pixel, tap)` for everything that a convolution multiplies.
pub(super) fn for_each_tap(shape: ConvShape, mut work: impl FnMut(usize, usize, usize)) {
    let ConvShape {
        input,
        output,
        kernel,
        ..
    } = shape;
    // Where a tap looks along one axis, unless that is in the padding.
    let source = |out: usize, tap: usize, side: usize| {
        let at = (out * shape.stride + tap).checked_sub(shape.padding)?;
        (at < side).then_some(at)
    };
    for b in 0..shape.batch {
        for (y, x) in (0..output.0).flat_map(|y| (0..output.1).map(move |x| (y, x))) {
            for tap in 0..kernel * kernel {
                let (row, column) = (source(y, tap / kernel, input.0), source(x, tap % kernel, input.1));
                if let (Some(row), Some(column)) = (row, column) {
                    let pixel = (b * output.0 + y) * output.1 + x;
                    work(pixel, (b * input.0 + row) * input.1 + column, tap);
                }
            }
        }
    }
}

/// The kernel of output channel `o` at a tap: one number for each input channel.
pub(super) fn kernel_row(shape: ConvShape, weight: &[f64], o: usize, tap: usize) -> &[f64] {
    let taps = shape.kernel * shape.kernel;
    &weight[(o * taps + tap) * shape.in_channels..][..shape.in_channels]
}

/// The input pixel of each output pixel of an upsampling.
pub(super) fn upsampled(
    batch: usize,
    input: (usize, usize),
    output: (usize, usize),
) -> impl Iterator<Item = usize> {
    (0..batch * output.0 * output.1).map(move |pixel| {
        let (x, row) = (pixel % output.1, pixel / output.1);
        let (y, b) = (row % output.0, row / output.0);
        (b * input.0 + y / 2) * input.1 + x / 2
    })
}

/// Value and slope of an activation.
pub(super) fn activation(activation: Activation, x: f64) -> (f64, f64) {
    match activation {
        Activation::Silu => gated(x, 1.0),
        Activation::Gelu => gelu(x),
        Activation::TanhGelu => tanh_gelu(x),
        Activation::QuickGelu => gated(x, 1.702),
    }
}

/// x/2 (1 + tanh u) with u = √(2/π) (x + 0.044715 x³), and its slope.
fn tanh_gelu(x: f64) -> (f64, f64) {
    let factor = (2.0 / std::f64::consts::PI).sqrt();
    let tanh = (factor * (x + 0.044_715 * x.powi(3))).tanh();
    let inner = factor * (1.0 + 3.0 * 0.044_715 * x * x);
    (
        0.5 * x * (1.0 + tanh),
        0.5 * (1.0 + tanh) + 0.5 * x * (1.0 - tanh * tanh) * inner,
    )
}

/// x σ(kx) and its slope.
fn gated(x: f64, k: f64) -> (f64, f64) {
    let gate = 1.0 / (1.0 + (-k * x).exp());
    (x * gate, gate * (1.0 + k * x * (1.0 - gate)))
}

/// x Φ(x) and its slope.
pub(super) fn gelu(x: f64) -> (f64, f64) {
    let area = 0.5 * (1.0 + erf(x / 2.0_f64.sqrt()));
    let density = (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt();
    (x * area, area + x * density)
}

/// The error function by its series of positive terms: 2/√π e^(−x²) Σ 2ⁿ x^(2n+1) / (2n+1)!!
/// (Abramowitz and Stegun 7.1.6).
fn erf(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum, mut n) = (x, x, 0.0);
    while term.abs() > 1e-17 * sum.abs() {
        n += 1.0;
        term *= 2.0 * x * x / (2.0 * n + 1.0);
        sum += term;
    }
    sum * (-x * x).exp() * std::f64::consts::FRAC_2_SQRT_PI
}
