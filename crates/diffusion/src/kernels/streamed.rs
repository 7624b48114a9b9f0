//! Products with a frozen matrix that stays as its file holds it, in half precision or less.
//!
//! A panel of 32 columns is widened to `f32` a few hundred rows at a time, into a buffer that stays in the cache, and all
//! rows of the other operand pass by it. So each number of the weight is read once for each thread, whatever is computed,
//! and no copy of it in `f32` exists. Rows of the other operand are read where they lie, as in
//! [`packed`](super::packed): a convolution is such a product without its patches ever being written out.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::{
    PARALLEL_FLOPS, elementwise,
    gemm::{self, Mat, Size, Threads},
    packed::{PANEL, padded},
    simd::{Kernel, dispatch},
    with_scratch,
};
use crate::operation::Number;

/// Rows of a panel that are widened at once: 32 KiB of it.
const DEPTH: usize = 256;

/// From one row of widened numbers to the next: not a power of two, so that a column of them has room in the cache.
const GAP: usize = 16;

/// Numbers of a matrix that are widened at once for a general product: 2 MiB of them.
const WIDENED: usize = 1 << 19;

/// With fewer rows for each thread, threads share the columns, so that each weight is widened by one thread only.
const ROWS_PER_THREAD: usize = 512;

/// Numbers of a weight.
#[derive(Debug, Clone, Copy)]
pub enum Numbers<'a> {
    /// In memory, as `[out, taps, in]`.
    Floats(&'a [f32]),
    /// In a file, as `[out, in, taps]`.
    Stored(Number, &'a [u8]),
}

/// A weight of a linear layer, or of a convolution, whose kernels have several taps.
#[derive(Debug, Clone, Copy)]
pub struct Weight<'a> {
    /// Its numbers.
    pub numbers: Numbers<'a>,
    /// Outputs, or channels of the output.
    pub n_out: usize,
    /// Inputs, or channels of the input.
    pub n_in: usize,
    /// Places of a kernel; 1 for a linear layer.
    pub n_taps: usize,
}

/// Which way through a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From inputs to outputs.
    Forward,
    /// From the gradient of the outputs to that of the inputs. Kernels are turned around.
    Backward,
}

impl Weight<'_> {
    /// Columns of the result.
    fn n_columns(&self, way: Way) -> usize {
        match way {
            Way::Forward => self.n_out,
            Way::Backward => self.n_in,
        }
    }

    /// Channels of the other operand.
    fn n_channels(&self, way: Way) -> usize {
        match way {
            Way::Forward => self.n_in,
            Way::Backward => self.n_out,
        }
    }

    fn check(&self) {
        let expected = self.n_out * self.n_in * self.n_taps;
        let len = match self.numbers {
            Numbers::Floats(values) => values.len(),
            Numbers::Stored(number, bytes) => bytes.len() / number.n_bytes(),
        };
        assert!(
            len == expected && self.n_taps > 0,
            "a weight of {len} numbers, not {expected}"
        );
    }

    /// The numbers of one output, for some inputs and all taps: `into[input * in_stride + tap * tap_stride]`, with the
    /// strides that are returned.
    #[inline(always)]
    fn widen(&self, output: usize, inputs: Range<usize>, into: &mut [f32]) -> (usize, usize) {
        let (first, len) = (inputs.start, inputs.len());
        match self.numbers {
            Numbers::Stored(number, bytes) => {
                let start = (output * self.n_in + first) * self.n_taps * number.n_bytes();
                let bytes = &bytes[start..][..len * self.n_taps * number.n_bytes()];
                number.widen(bytes, &mut into[..len * self.n_taps]);
                (self.n_taps, 1)
            }
            Numbers::Floats(values) => {
                for (tap, into) in into.chunks_exact_mut(len).take(self.n_taps).enumerate() {
                    let start = (output * self.n_taps + tap) * self.n_in + first;
                    into.copy_from_slice(&values[start..][..len]);
                }
                (1, len)
            }
        }
    }
}

/// Rows of the left operand: the values of a row lie `n_channels` for each tap, from places that are the same for every row
/// counted from where it begins.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a, F> {
    /// Where the rows lie.
    pub data: &'a [f32],
    /// Where in `data` a row begins.
    pub start: F,
    /// Where the channels of each tap begin, from there.
    pub taps: &'a [usize],
}

impl<'a> Rows<'a, ()> {
    /// Rows of `k` values, one after another.
    pub fn dense(data: &'a [f32], k: usize) -> Rows<'a, impl Fn(usize) -> usize + Copy> {
        Rows {
            data,
            start: move |row| row * k,
            taps: &[0],
        }
    }
}

/// Widens numbers as vectors.
struct Widen<'a> {
    number: Number,
    bytes: &'a [u8],
    into: &'a mut [f32],
}

impl Kernel for Widen<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.number.widen(self.bytes, self.into);
    }
}

/// The layer without taps, or the gradient of its input: `x × weight + bias`. Some outputs after the other are widened for
/// a general product, which is faster than [`product`] where rows are read as they lie anyway.
pub fn linear(out: &mut [f32], x: &[f32], weight: Weight, way: Way, bias: Option<&[f32]>) {
    weight.check();
    assert!(weight.n_taps == 1, "a kernel where a matrix is needed");
    let Weight { n_in, n_out, .. } = weight;
    let m = out.len() / weight.n_columns(way);
    let at_once = match weight.numbers {
        Numbers::Floats(_) => n_out,
        Numbers::Stored(..) => n_out.min((WIDENED / n_in).next_multiple_of(PANEL).max(PANEL)),
    };
    let mut wide = match weight.numbers {
        Numbers::Floats(_) => Vec::new(),
        Numbers::Stored(..) => vec![0.0; at_once * n_in],
    };
    for first in (0..n_out).step_by(at_once) {
        let n = at_once.min(n_out - first);
        let values = match weight.numbers {
            Numbers::Floats(values) => values,
            Numbers::Stored(number, bytes) => {
                let n_bytes = n_in * number.n_bytes();
                let share = n.div_ceil(rayon::current_num_threads());
                wide[..n * n_in]
                    .par_chunks_mut(share * n_in)
                    .zip(bytes[first * n_bytes..][..n * n_bytes].par_chunks(share * n_bytes))
                    .for_each(|(into, bytes)| dispatch(Widen { number, bytes, into }));
                &wide[..n * n_in]
            }
        };
        let values = Mat::rows(values, n_in);
        match way {
            Way::Forward => {
                let size = Size { m, n, k: n_in };
                let rows = Mat::rows(x, n_in);
                let out = &mut out[first..];
                gemm::set(out, n_out, size, 1.0, rows, values.transposed(), Threads::All);
            }
            Way::Backward => {
                let size = Size { m, n: n_in, k: n };
                let rows = Mat::rows(&x[first..], n_out);
                if first == 0 {
                    gemm::set(out, n_in, size, 1.0, rows, values, Threads::All);
                } else {
                    gemm::add(out, n_in, size, 1.0, rows, values, Threads::All);
                }
            }
        }
    }
    if let Some(bias) = bias {
        elementwise::add_bias(out, bias);
    }
}

/// `out = rows × weight + bias`, on all threads if it is worth it. `out` has as many rows as are wanted.
pub fn product<F>(out: &mut [f32], rows: Rows<F>, weight: Weight, way: Way, bias: Option<&[f32]>)
where
    F: Fn(usize) -> usize + Copy + Sync + Send,
{
    let width = weight.n_columns(way);
    let m = out.len() / width;
    let n_threads = rayon::current_num_threads();
    let n_flops = 2 * m * weight.n_out * weight.n_in * weight.n_taps;
    if n_threads == 1 || n_flops < PARALLEL_FLOPS {
        return product_on_this_thread(out, 0, rows, weight, way, bias);
    }
    if m >= n_threads * ROWS_PER_THREAD {
        let share = m.div_ceil(n_threads).next_multiple_of(8);
        out.par_chunks_mut(share * width)
            .enumerate()
            .for_each(|(i, out)| product_on_this_thread(out, i * share, rows, weight, way, bias));
        return;
    }
    let n_panels = width.div_ceil(PANEL);
    let share = n_panels.div_ceil(n_threads) * PANEL;
    let parts: Vec<Vec<f32>> = (0..width)
        .into_par_iter()
        .step_by(share)
        .map(|first| {
            let columns = first..width.min(first + share);
            let mut out = vec![0.0; m * columns.len()];
            multiply(&mut out, 0, rows, weight, way, columns, bias);
            out
        })
        .collect();
    let mut start = 0;
    for part in parts {
        let part_width = part.len() / m;
        for (out, part) in out.chunks_exact_mut(width).zip(part.chunks_exact(part_width)) {
            out[start..start + part_width].copy_from_slice(part);
        }
        start += part_width;
    }
}

/// [`product`] on the calling thread alone, for the rows from `first_row` on.
pub fn product_on_this_thread<F>(
    out: &mut [f32],
    first_row: usize,
    rows: Rows<F>,
    weight: Weight,
    way: Way,
    bias: Option<&[f32]>,
) where
    F: Fn(usize) -> usize + Copy,
{
    multiply(out, first_row, rows, weight, way, 0..weight.n_columns(way), bias);
}

/// Some columns: `out` has only those.
fn multiply<F>(
    out: &mut [f32],
    first_row: usize,
    rows: Rows<F>,
    weight: Weight,
    way: Way,
    columns: Range<usize>,
    bias: Option<&[f32]>,
) where
    F: Fn(usize) -> usize + Copy,
{
    weight.check();
    assert!(rows.taps.len() == weight.n_taps, "rows of another kernel");
    assert!(
        bias.is_none_or(|bias| bias.len() == weight.n_columns(way)),
        "a bias of another width"
    );
    // As many channels as fill the buffer with all of their taps, in equal shares.
    let n_channels = weight.n_channels(way);
    let most = (DEPTH / weight.n_taps).max(1);
    let at_once = n_channels.div_ceil(n_channels.div_ceil(most));
    let depth = at_once * weight.n_taps;
    let stride = match way {
        Way::Forward => depth + GAP,
        Way::Backward => PANEL * weight.n_taps,
    };
    with_scratch(PANEL * (depth + stride), |scratch| {
        let (panel, widened) = scratch.split_at_mut(PANEL * depth);
        Arch::new().dispatch(Multiply {
            out,
            first_row,
            rows,
            weight,
            way,
            columns,
            bias,
            at_once,
            panel,
            widened,
            stride,
        });
    });
}

struct Multiply<'a, F> {
    out: &'a mut [f32],
    first_row: usize,
    rows: Rows<'a, F>,
    weight: Weight<'a>,
    way: Way,
    columns: Range<usize>,
    bias: Option<&'a [f32]>,
    /// Channels that are widened at once.
    at_once: usize,
    /// `[taps, channels, PANEL]` of them.
    panel: &'a mut [f32],
    /// Numbers in the order of the weight.
    widened: &'a mut [f32],
    /// From the numbers of one output to the next, on the way forward.
    stride: usize,
}

impl<F: Fn(usize) -> usize + Copy> WithSimd for Multiply<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // As many sums as the registers hold beside a row of the panel: 32 registers, or 16 of them with AVX2.
        match S::F32_LANES {
            16 => self.run::<S, 8, 2>(simd),
            8 => self.run::<S, 3, 4>(simd),
            4 => self.run::<S, 2, 8>(simd),
            _ => self.run::<S, 1, { PANEL }>(simd),
        }
    }
}

impl<F: Fn(usize) -> usize + Copy> Multiply<'_, F> {
    /// Tiles of `M` rows and `V` vectors.
    #[inline(always)]
    fn run<S: Simd, const M: usize, const V: usize>(mut self, simd: S) {
        let width = self.columns.len();
        let n_rows = self.out.len() / width;
        let n_channels = self.weight.n_channels(self.way);
        for column in (0..width).step_by(PANEL) {
            for first_channel in (0..n_channels).step_by(self.at_once) {
                let channels = first_channel..n_channels.min(first_channel + self.at_once);
                let n_columns = PANEL.min(width - column);
                let first_column = self.columns.start + column;
                self.lay(first_column..first_column + n_columns, channels.clone());
                let mut tile = Tile {
                    rows: self.rows,
                    channels,
                    panel: &*self.panel,
                    bias: padded(self.bias, first_column),
                    out: &mut *self.out,
                    width,
                    column,
                    n_columns,
                };
                let mut row = 0;
                while row + M <= n_rows {
                    tile.compute::<S, M, V>(simd, self.first_row, row);
                    row += M;
                }
                if M > 4 && row + 4 <= n_rows {
                    tile.compute::<S, 4, V>(simd, self.first_row, row);
                    row += 4;
                }
                while row < n_rows {
                    tile.compute::<S, 1, V>(simd, self.first_row, row);
                    row += 1;
                }
            }
        }
    }

    /// Lays some columns of the weight out for some channels.
    #[inline(always)]
    fn lay(&mut self, columns: Range<usize>, channels: Range<usize>) {
        let (n_taps, n_channels, n_columns) = (self.weight.n_taps, channels.len(), columns.len());
        let panel = &mut self.panel[..n_taps * n_channels * PANEL];
        match self.way {
            Way::Forward => {
                let mut strides = (1, 1);
                for (column, into) in columns.zip(self.widened.chunks_exact_mut(self.stride)) {
                    strides = self.weight.widen(column, channels.clone(), into);
                }
                for (tap, panel) in panel.chunks_exact_mut(n_channels * PANEL).enumerate() {
                    for (channel, panel) in panel.chunks_exact_mut(PANEL).enumerate() {
                        let from = &self.widened[channel * strides.0 + tap * strides.1..];
                        for (panel, from) in panel[..n_columns]
                            .iter_mut()
                            .zip(from.iter().step_by(self.stride))
                        {
                            *panel = *from;
                        }
                        panel[n_columns..].fill(0.0);
                    }
                }
            }
            Way::Backward => {
                for (i, channel) in channels.enumerate() {
                    let strides = self.weight.widen(channel, columns.clone(), self.widened);
                    for tap in 0..n_taps {
                        let from = &self.widened[(n_taps - 1 - tap) * strides.1..];
                        let panel = &mut panel[(tap * n_channels + i) * PANEL..][..PANEL];
                        for (panel, from) in panel[..n_columns].iter_mut().zip(from.iter().step_by(strides.0))
                        {
                            *panel = *from;
                        }
                        panel[n_columns..].fill(0.0);
                    }
                }
            }
        }
    }
}

struct Tile<'a, F> {
    rows: Rows<'a, F>,
    channels: Range<usize>,
    panel: &'a [f32],
    bias: [f32; PANEL],
    out: &'a mut [f32],
    width: usize,
    column: usize,
    n_columns: usize,
}

impl<F: Fn(usize) -> usize + Copy> Tile<'_, F> {
    /// Adds to rows `row .. row + M` of the result what some channels contribute: `V` vectors of sums for each row. The
    /// first channels begin with the bias.
    #[expect(
        clippy::manual_memcpy,
        clippy::needless_range_loop,
        reason = "sums that are indexed by constants alone stay in registers"
    )]
    #[inline(always)]
    fn compute<S: Simd, const M: usize, const V: usize>(&mut self, simd: S, first: usize, row: usize) {
        let mut sums = [[simd.splat_f32s(0.0); V]; M];
        for i in 0..M {
            let mut before = self.bias;
            if self.channels.start > 0 {
                let out = &self.out[(row + i) * self.width + self.column..][..self.n_columns];
                before[..self.n_columns].copy_from_slice(out);
            }
            let (before, _) = S::as_simd_f32s(&before);
            for v in 0..V {
                sums[i][v] = before[v];
            }
        }
        let mut starts = [0; M];
        for (i, start) in starts.iter_mut().enumerate() {
            *start = (self.rows.start)(first + row + i) + self.channels.start;
        }
        let (panel, _) = S::as_simd_f32s(self.panel);
        let len = self.channels.len();
        for (tap, offset) in self.rows.taps.iter().enumerate() {
            let panel = &panel[tap * len * V..][..len * V];
            let mut values: [&[f32]; M] = [&[]; M];
            for (values, start) in values.iter_mut().zip(starts) {
                *values = &self.rows.data[start + offset..][..len];
            }
            for (p, row) in panel.chunks_exact(V).enumerate() {
                let mut weights = [simd.splat_f32s(0.0); V];
                for v in 0..V {
                    weights[v] = row[v];
                }
                for i in 0..M {
                    let value = simd.splat_f32s(values[i][p]);
                    for v in 0..V {
                        sums[i][v] = simd.mul_add_f32s(value, weights[v], sums[i][v]);
                    }
                }
            }
        }
        for i in 0..M {
            let mut whole = [0.0; PANEL];
            let (vectors, _) = S::as_mut_simd_f32s(&mut whole);
            for v in 0..V {
                vectors[v] = sums[i][v];
            }
            let out = &mut self.out[(row + i) * self.width + self.column..][..self.n_columns];
            out.copy_from_slice(&whole[..self.n_columns]);
        }
    }
}

#[cfg(test)]
mod tests;
