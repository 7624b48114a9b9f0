//! Two-dimensional convolution as a matrix product, forward and backward.
//!
//! With a packed weight the rows under the kernel are copied side by side, and a patch is read from them where it
//! lies. Otherwise patches are unrolled, a few picture rows at a time. Both go through a buffer that stays in the
//! cache, so memory does not grow with the kernel's size. There is no gradient of the kernel: base weights are frozen.

use rayon::prelude::*;

use super::{
    PARALLEL_FLOPS, elementwise,
    gemm::{self, Mat, Size, Threads},
    packed::{self, Packed, Rows},
    streamed::{self, Way},
    with_scratch,
};
pub use crate::operation::ConvShape;

/// Patches unrolled at once: enough for an efficient product, few enough for the cache.
const PATCHES: usize = 256;

impl ConvShape {
    fn patch(&self) -> usize {
        self.kernel * self.kernel * self.in_channels
    }

    fn flops(&self) -> usize {
        2 * self.batch * self.output.0 * self.output.1 * self.out_channels * self.patch()
    }

    /// A patch is one pixel, so the input is the unrolled matrix already.
    fn is_pointwise(&self) -> bool {
        self.kernel == 1 && self.stride == 1 && self.padding == 0
    }

    /// Whether the gradient of the input is itself a convolution.
    pub fn is_reversible(&self) -> bool {
        self.stride == 1 && self.padding < self.kernel
    }

    /// The convolution whose result is the gradient of this one's input.
    fn reversed(&self) -> Self {
        assert!(self.is_reversible());
        Self {
            input: self.output,
            output: self.input,
            in_channels: self.out_channels,
            out_channels: self.in_channels,
            padding: self.kernel - 1 - self.padding,
            ..*self
        }
    }

    /// Columns under the kernel at any place of an output row, padding included.
    fn laid_columns(&self) -> usize {
        (self.output.1 - 1) * self.stride + self.kernel
    }

    /// Columns of the input under the kernel at output column `x`: how many are cut off at its left, and the range.
    fn columns(&self, x: usize) -> (usize, std::ops::Range<usize>) {
        let first = x * self.stride;
        let cut = self.padding.saturating_sub(first);
        let start = first.saturating_sub(self.padding);
        let end = (first + self.kernel)
            .saturating_sub(self.padding)
            .min(self.input.1);
        (cut, start..end)
    }

    /// Row of the input under kernel row `ky` at output row `y`, unless that lies in the padding.
    fn row(&self, y: usize, ky: usize) -> Option<usize> {
        (y * self.stride + ky)
            .checked_sub(self.padding)
            .filter(|&row| row < self.input.0)
    }
}

/// `x [B, H, W, C]` convolved with `weight [O, kh, kw, C]`, plus `bias [O]`: `[B, H', W', O]`.
pub fn forward(shape: ConvShape, x: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
    let (out_h, out_w) = shape.output;
    let k = shape.patch();
    let weight = Mat::rows(weight, k).transposed();
    if shape.is_pointwise() {
        let size = Size {
            m: shape.batch * out_h * out_w,
            n: shape.out_channels,
            k,
        };
        let mut out = gemm::product(size, Mat::rows(x, k), weight, Threads::All);
        if let Some(bias) = bias {
            elementwise::add_bias(&mut out, bias);
        }
        return out;
    }
    let mut out = vec![0.0; shape.batch * out_h * out_w * shape.out_channels];
    let rows = PATCHES.div_ceil(out_w);
    let convolve = |(chunk, out): (usize, &mut [f32])| {
        let first_row = chunk * rows;
        let n_patches = out.len() / shape.out_channels;
        let size = Size {
            m: n_patches,
            n: shape.out_channels,
            k,
        };
        with_scratch(n_patches * k, |patches| {
            for (i, row) in patches.chunks_exact_mut(out_w * k).enumerate() {
                unroll_row(&shape, x, first_row + i, row);
            }
            gemm::set(
                out,
                shape.out_channels,
                size,
                1.0,
                Mat::rows(patches, k),
                weight,
                Threads::One,
            );
        });
        if let Some(bias) = bias {
            elementwise::add_bias(out, bias);
        }
    };
    let chunk_len = rows * out_w * shape.out_channels;
    if shape.flops() >= PARALLEL_FLOPS {
        out.par_chunks_mut(chunk_len).enumerate().for_each(convolve);
    } else {
        out.chunks_mut(chunk_len).enumerate().for_each(convolve);
    }
    out
}

/// The layout of `weight [O, kh, kw, C]` for [`forward_packed`].
pub fn pack_forward(shape: ConvShape, weight: &[f32]) -> Packed {
    let patch = shape.patch();
    Packed::new(patch, shape.out_channels, |i, o| weight[o * patch + i])
}

/// The layout of `weight [O, kh, kw, C]` for [`backward_packed`]: the kernel turned around, output channels inside.
pub fn pack_backward(shape: ConvShape, weight: &[f32]) -> Packed {
    let (taps, n_out, n_in) = (shape.kernel * shape.kernel, shape.out_channels, shape.in_channels);
    Packed::new(taps * n_out, n_in, |i, c| {
        let (tap, o) = (taps - 1 - i / n_out, i % n_out);
        weight[(o * taps + tap) * n_in + c]
    })
}

/// [`forward`] with a packed weight.
pub fn forward_packed(shape: ConvShape, x: &[f32], weight: &Packed, bias: Option<&[f32]>) -> Vec<f32> {
    let (out_h, out_w) = shape.output;
    let n_rows = shape.batch * out_h;
    let mut out = vec![0.0; n_rows * out_w * shape.out_channels];
    if shape.is_pointwise() {
        packed::product(&mut out, Rows::dense(x, shape.in_channels), weight, bias);
        return out;
    }
    let part = shape.laid_columns() * shape.in_channels;
    let laid_len = shape.kernel * part;
    let start = |pixel: usize| pixel / out_w * laid_len + pixel % out_w * shape.stride * shape.in_channels;
    let lay = |first: usize, laid: &mut [f32]| {
        for (i, laid) in laid.chunks_exact_mut(laid_len).enumerate() {
            lay_row(&shape, x, first + i, laid);
        }
    };
    let rows_at_once = PATCHES.div_ceil(out_w);
    let is_parallel = shape.flops() >= PARALLEL_FLOPS;
    if is_parallel && n_rows < 2 * rows_at_once {
        // Too few rows to share: the product shares its columns.
        let mut laid = vec![0.0; n_rows * laid_len];
        lay(0, &mut laid);
        let patches = Rows {
            data: &laid,
            start,
            n_parts: shape.kernel,
            part_stride: part,
        };
        packed::product(&mut out, patches, weight, bias);
        return out;
    }
    let convolve = |(chunk, out): (usize, &mut [f32])| {
        let n_rows = out.len() / (out_w * shape.out_channels);
        with_scratch(n_rows * laid_len, |laid| {
            lay(chunk * rows_at_once, laid);
            let patches = Rows {
                data: laid,
                start,
                n_parts: shape.kernel,
                part_stride: part,
            };
            packed::product_on_this_thread(out, 0, patches, weight, bias);
        });
    };
    let chunk_len = rows_at_once * out_w * shape.out_channels;
    if is_parallel {
        out.par_chunks_mut(chunk_len).enumerate().for_each(convolve);
    } else {
        out.chunks_mut(chunk_len).enumerate().for_each(convolve);
    }
    out
}

/// Patches of a band: enough that widening a weight takes little beside multiplying with it.
const BAND: std::ops::RangeInclusive<usize> = 512..=4096;

/// [`forward`] with a weight that stays as its file holds it.
pub fn forward_streamed(
    shape: ConvShape,
    x: &[f32],
    weight: streamed::Weight,
    bias: Option<&[f32]>,
) -> Vec<f32> {
    convolve_streamed(shape, x, weight, Way::Forward, bias)
}

/// [`backward`] with such a weight, for convolutions that are [reversible](ConvShape::is_reversible).
pub fn backward_streamed(shape: ConvShape, dy: &[f32], weight: streamed::Weight) -> Vec<f32> {
    convolve_streamed(shape.reversed(), dy, weight, Way::Backward, None)
}

/// Bands of picture rows with their padding are copied, and patches read from there.
fn convolve_streamed(
    shape: ConvShape,
    x: &[f32],
    weight: streamed::Weight,
    way: Way,
    bias: Option<&[f32]>,
) -> Vec<f32> {
    let (out_h, out_w) = shape.output;
    let (n_out, c) = (shape.out_channels, shape.in_channels);
    let mut out = vec![0.0; shape.batch * out_h * out_w * n_out];
    if shape.is_pointwise() {
        streamed::linear(&mut out, x, weight, way, bias);
        return out;
    }
    let columns = shape.laid_columns();
    let taps: Vec<usize> = (0..shape.kernel * shape.kernel)
        .map(|tap| (tap / shape.kernel * columns + tap % shape.kernel) * c)
        .collect();
    let step = shape.stride * columns * c;
    let start = |pixel: usize| pixel / out_w * step + pixel % out_w * shape.stride * c;
    let n_threads = rayon::current_num_threads();
    let patches = (out_h * out_w)
        .div_ceil(n_threads)
        .clamp(*BAND.start(), *BAND.end());
    let rows_at_once = patches.div_ceil(out_w).min(out_h);
    let pictures = out.chunks_mut(out_h * out_w * n_out).enumerate();
    let bands: Vec<(usize, usize, &mut [f32])> = pictures
        .flat_map(|(picture, out)| {
            let bands = out.chunks_mut(rows_at_once * out_w * n_out).enumerate();
            bands.map(move |(band, out)| (picture, band * rows_at_once, out))
        })
        .collect();
    let lay = |picture: usize, first: usize, out: &[f32]| {
        let n_rows = out.len() / (out_w * n_out);
        let mut laid = vec![0.0; ((n_rows - 1) * shape.stride + shape.kernel) * columns * c];
        lay_band(&shape, x, picture, first, &mut laid);
        laid
    };
    let is_parallel = n_threads > 1 && shape.flops() >= PARALLEL_FLOPS;
    if is_parallel && bands.len() < n_threads {
        // Too few bands to share: each product shares its columns.
        for (picture, first, out) in bands {
            let laid = lay(picture, first, out);
            let rows = streamed::Rows {
                data: &laid,
                start,
                taps: &taps,
            };
            streamed::product(out, rows, weight, way, bias);
        }
        return out;
    }
    let convolve = |(picture, first, out): (usize, usize, &mut [f32])| {
        let laid = lay(picture, first, out);
        let rows = streamed::Rows {
            data: &laid,
            start,
            taps: &taps,
        };
        streamed::product_on_this_thread(out, 0, rows, weight, way, bias);
    };
    if is_parallel {
        bands.into_par_iter().for_each(convolve);
    } else {
        bands.into_iter().for_each(convolve);
    }
    out
}

/// [`backward`] with a packed weight, for convolutions that are [reversible](ConvShape::is_reversible).
pub fn backward_packed(shape: ConvShape, dy: &[f32], weight: &Packed) -> Vec<f32> {
    forward_packed(shape.reversed(), dy, weight, None)
}

/// Gradient of [`forward`] with respect to `x`.
pub fn backward(shape: ConvShape, dy: &[f32], weight: &[f32]) -> Vec<f32> {
    let (in_h, in_w) = shape.input;
    let (out_h, out_w) = shape.output;
    let k = shape.patch();
    let weight = Mat::rows(weight, k);
    if shape.is_pointwise() {
        let size = Size {
            m: shape.batch * out_h * out_w,
            n: k,
            k: shape.out_channels,
        };
        return gemm::product(size, Mat::rows(dy, shape.out_channels), weight, Threads::All);
    }
    let parallel = shape.flops() >= PARALLEL_FLOPS;
    let mut dx = vec![0.0; shape.batch * in_h * in_w * shape.in_channels];
    // Bands of input rows are independent: each sums what the output rows above it contribute. Their edges are
    // computed twice, so they are as few as keep every thread busy.
    let bands = if parallel {
        (2 * rayon::current_num_threads()).div_ceil(shape.batch).min(in_h)
    } else {
        1
    };
    let band_rows = in_h.div_ceil(bands);
    let picture_len = in_h * in_w * shape.in_channels;
    let fold = |picture: usize, band: usize, dx: &mut [f32]| {
        let first = band * band_rows;
        let last = first + dx.len() / (in_w * shape.in_channels) - 1;
        // Output row y reads input rows y * stride - padding .. + kernel.
        let y_start = (first + shape.padding + 1)
            .saturating_sub(shape.kernel)
            .div_ceil(shape.stride);
        let y_end = ((last + shape.padding) / shape.stride + 1).min(out_h);
        let step = PATCHES.div_ceil(out_w);
        for y in (y_start..y_end).step_by(step) {
            let rows = step.min(y_end - y);
            let size = Size {
                m: rows * out_w,
                n: k,
                k: shape.out_channels,
            };
            let dy = &dy[(picture * out_h + y) * out_w * shape.out_channels..];
            with_scratch(size.m * k, |patches| {
                let dy = Mat::rows(dy, shape.out_channels);
                gemm::set(patches, k, size, 1.0, dy, weight, Threads::One);
                for (i, row) in patches.chunks_exact(out_w * k).enumerate() {
                    fold_row(&shape, row, y + i, first, dx);
                }
            });
        }
    };
    let band_len = band_rows * in_w * shape.in_channels;
    if parallel {
        dx.par_chunks_mut(picture_len)
            .enumerate()
            .for_each(|(picture, dx)| {
                dx.par_chunks_mut(band_len)
                    .enumerate()
                    .for_each(|(band, dx)| fold(picture, band, dx));
            });
    } else {
        for (picture, dx) in dx.chunks_mut(picture_len).enumerate() {
            fold(picture, 0, dx);
        }
    }
    dx
}

/// Adds the gradient of [`forward`] with respect to its weight, `dyᵀ` times the unrolled patches, to
/// `gradient [O, kh · kw · C]`. Patches are unrolled a few picture rows at a time, and summed in their order.
pub fn add_kernel_gradient(shape: ConvShape, x: &[f32], dy: &[f32], gradient: &mut [f32]) {
    let (out_h, out_w) = shape.output;
    let k = shape.patch();
    let rows = PATCHES.div_ceil(out_w);
    let n_rows = shape.batch * out_h;
    let mut patches = vec![0.0; rows.min(n_rows) * out_w * k];
    for first in (0..n_rows).step_by(rows) {
        let n_patches = rows.min(n_rows - first) * out_w;
        let size = Size {
            m: shape.out_channels,
            n: k,
            k: n_patches,
        };
        let dy = &dy[first * out_w * shape.out_channels..][..n_patches * shape.out_channels];
        let dy = Mat::rows(dy, shape.out_channels).transposed();
        let patches = &mut patches[..n_patches * k];
        for (i, row) in patches.chunks_exact_mut(out_w * k).enumerate() {
            unroll_row(&shape, x, first + i, row);
        }
        gemm::add(gradient, k, size, 1.0, dy, Mat::rows(patches, k), Threads::All);
    }
}

/// Copies the input rows under one output row (counted through the whole batch) one after another, padding included.
fn lay_row(shape: &ConvShape, x: &[f32], batch_row: usize, laid: &mut [f32]) {
    let c = shape.in_channels;
    let (picture, y) = (batch_row / shape.output.0, batch_row % shape.output.0);
    let row_len = shape.input.1 * c;
    let x = &x[picture * shape.input.0 * row_len..][..shape.input.0 * row_len];
    let laid_len = shape.laid_columns() * c;
    let start = shape.padding * c;
    let used = row_len.min(laid_len - start);
    for (ky, laid) in laid.chunks_exact_mut(laid_len).enumerate() {
        match shape.row(y, ky) {
            Some(row) => {
                laid[..start].fill(0.0);
                laid[start..start + used].copy_from_slice(&x[row * row_len..][..used]);
                laid[start + used..].fill(0.0);
            }
            None => laid.fill(0.0),
        }
    }
}

/// Copies the input rows under a band of output rows of a picture, from the row `first` on, padding included. `laid` is
/// zero before.
fn lay_band(shape: &ConvShape, x: &[f32], picture: usize, first: usize, laid: &mut [f32]) {
    let c = shape.in_channels;
    let row_len = shape.input.1 * c;
    let x = &x[picture * shape.input.0 * row_len..][..shape.input.0 * row_len];
    let laid_len = shape.laid_columns() * c;
    let start = shape.padding * c;
    let used = row_len.min(laid_len - start);
    for (y, laid) in laid.chunks_exact_mut(laid_len).enumerate() {
        let row = (first * shape.stride + y).checked_sub(shape.padding);
        if let Some(row) = row.filter(|row| *row < shape.input.0) {
            laid[start..start + used].copy_from_slice(&x[row * row_len..][..used]);
        }
    }
}

/// Copies the patches of one output row (counted through the whole batch) side by side.
fn unroll_row(shape: &ConvShape, x: &[f32], batch_row: usize, patches: &mut [f32]) {
    let c = shape.in_channels;
    let (picture, y) = (batch_row / shape.output.0, batch_row % shape.output.0);
    let row_len = shape.input.1 * c;
    let x = &x[picture * shape.input.0 * row_len..][..shape.input.0 * row_len];
    for ky in 0..shape.kernel {
        let source = shape.row(y, ky).map(|row| &x[row * row_len..][..row_len]);
        for (column, patch) in patches.chunks_exact_mut(shape.patch()).enumerate() {
            let taps = &mut patch[ky * shape.kernel * c..][..shape.kernel * c];
            let Some(source) = source else {
                taps.fill(0.0);
                continue;
            };
            let (cut, range) = shape.columns(column);
            let used = cut + range.len();
            taps[..cut * c].fill(0.0);
            taps[cut * c..used * c].copy_from_slice(&source[range.start * c..range.end * c]);
            taps[used * c..].fill(0.0);
        }
    }
}

/// Adds the patches of output row `y` to the input rows that they came from, as far as these lie in the band.
fn fold_row(shape: &ConvShape, patches: &[f32], y: usize, band_start: usize, band: &mut [f32]) {
    let c = shape.in_channels;
    let row_len = shape.input.1 * c;
    for ky in 0..shape.kernel {
        let Some(row) = shape.row(y, ky).and_then(|row| row.checked_sub(band_start)) else {
            continue;
        };
        let Some(target) = band.get_mut(row * row_len..(row + 1) * row_len) else {
            continue;
        };
        for (column, patch) in patches.chunks_exact(shape.patch()).enumerate() {
            let taps = &patch[ky * shape.kernel * c..][..shape.kernel * c];
            let (cut, range) = shape.columns(column);
            let used = cut + range.len();
            elementwise::accumulate(
                &mut target[range.start * c..range.end * c],
                &taps[cut * c..used * c],
            );
        }
    }
}
