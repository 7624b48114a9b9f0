//! Products with a frozen matrix that is laid out for them once.
//!
//! A general product copies both operands into the order in which its inner loop wants them. With few rows, as at the
//! coarse levels of a U-Net, copying a weight takes as long as multiplying with it; but base weights never change, so
//! they are copied once. The rows of the other operand are read where they lie: they may overlap, which makes a
//! convolution such a product without its patches ever being written out.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::PARALLEL_FLOPS;

/// Columns of a panel.
pub(super) const PANEL: usize = 32;

/// Rows whose values stay in the cache while one panel after the other passes by.
const BLOCK: usize = 96;

/// With fewer rows for each thread, threads share the columns, so that each weight is read by one thread only.
const ROWS_PER_THREAD: usize = 32;

/// A matrix `[k, n]` in panels of 32 columns, the last one filled up with zeros.
#[derive(Debug)]
pub struct Packed {
    k: usize,
    n: usize,
    panels: Vec<f32>,
}

impl Packed {
    /// Lays out the matrix whose value at row `i` and column `j` is `value(i, j)`.
    pub fn new(k: usize, n: usize, value: impl Fn(usize, usize) -> f32) -> Self {
        let mut panels = Vec::with_capacity(k * n.next_multiple_of(PANEL));
        for first in (0..n).step_by(PANEL) {
            for i in 0..k {
                panels.extend((first..first + PANEL).map(|j| if j < n { value(i, j) } else { 0.0 }));
            }
        }
        Self { k, n, panels }
    }

    fn n_panels(&self) -> usize {
        self.n.div_ceil(PANEL)
    }
}

/// Rows of the left operand: each consists of `n_parts` equally long parts, `part_stride` apart.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a, F> {
    /// Where the rows lie.
    pub data: &'a [f32],
    /// Where in `data` a row begins.
    pub start: F,
    /// Parts of a row.
    pub n_parts: usize,
    /// From the beginning of a part to that of the next.
    pub part_stride: usize,
}

impl<'a> Rows<'a, ()> {
    /// Rows of `k` values, one after another.
    pub fn dense(data: &'a [f32], k: usize) -> Rows<'a, impl Fn(usize) -> usize + Copy> {
        Rows {
            data,
            start: move |row| row * k,
            n_parts: 1,
            part_stride: 0,
        }
    }
}

/// `out = rows × weight + bias`, on all threads if it is worth it. `out` has as many rows as are wanted.
pub fn product<F>(out: &mut [f32], rows: Rows<F>, weight: &Packed, bias: Option<&[f32]>)
where
    F: Fn(usize) -> usize + Copy + Sync + Send,
{
    let m = out.len() / weight.n;
    let n_threads = rayon::current_num_threads();
    if n_threads == 1 || 2 * m * weight.n * weight.k < PARALLEL_FLOPS {
        return product_on_this_thread(out, 0, rows, weight, bias);
    }
    if m >= n_threads * ROWS_PER_THREAD {
        let share = m.div_ceil(n_threads).next_multiple_of(8);
        out.par_chunks_mut(share * weight.n)
            .enumerate()
            .for_each(|(i, out)| product_on_this_thread(out, i * share, rows, weight, bias));
        return;
    }
    let share = weight.n_panels().div_ceil(n_threads);
    let columns: Vec<Vec<f32>> = (0..weight.n_panels())
        .into_par_iter()
        .step_by(share)
        .map(|first| {
            let last = weight.n_panels().min(first + share);
            let width = weight.n.min(last * PANEL) - first * PANEL;
            let mut out = vec![0.0; m * width];
            multiply(&mut out, 0, rows, weight, first..last, bias);
            out
        })
        .collect();
    let mut start = 0;
    for part in columns {
        let width = part.len() / m;
        for (out, part) in out.chunks_exact_mut(weight.n).zip(part.chunks_exact(width)) {
            out[start..start + width].copy_from_slice(part);
        }
        start += width;
    }
}

/// [`product`] on the calling thread alone, for the rows from `first_row` on.
pub fn product_on_this_thread<F>(
    out: &mut [f32],
    first_row: usize,
    rows: Rows<F>,
    weight: &Packed,
    bias: Option<&[f32]>,
) where
    F: Fn(usize) -> usize + Copy,
{
    multiply(out, first_row, rows, weight, 0..weight.n_panels(), bias);
}

/// The columns of some panels: `out` has only those.
fn multiply<F>(
    out: &mut [f32],
    first_row: usize,
    rows: Rows<F>,
    weight: &Packed,
    panels: std::ops::Range<usize>,
    bias: Option<&[f32]>,
) where
    F: Fn(usize) -> usize + Copy,
{
    assert!(
        weight.k.is_multiple_of(rows.n_parts),
        "parts of a row differ in length"
    );
    assert!(
        bias.is_none_or(|bias| bias.len() == weight.n),
        "a bias of another width"
    );
    Arch::new().dispatch(Multiply {
        width: weight.n.min(panels.end * PANEL) - panels.start * PANEL,
        out,
        first_row,
        rows,
        weight,
        first_panel: panels.start,
        bias,
    });
}

struct Multiply<'a, F> {
    out: &'a mut [f32],
    width: usize,
    first_row: usize,
    rows: Rows<'a, F>,
    weight: &'a Packed,
    first_panel: usize,
    bias: Option<&'a [f32]>,
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
    fn run<S: Simd, const M: usize, const V: usize>(self, simd: S) {
        let m = self.out.len() / self.width;
        let panel_len = self.weight.k * PANEL;
        for (block, out) in self.out.chunks_mut(BLOCK * self.width).enumerate() {
            let block = block * BLOCK;
            let n_rows = BLOCK.min(m - block);
            for column in (0..self.width).step_by(PANEL) {
                let panel = self.first_panel + column / PANEL;
                let mut tile = Tile {
                    rows: self.rows,
                    part_len: self.weight.k / self.rows.n_parts,
                    panel: &self.weight.panels[panel * panel_len..][..panel_len],
                    bias: padded(self.bias, panel * PANEL),
                    out,
                    width: self.width,
                    column,
                };
                let first = self.first_row + block;
                let mut row = 0;
                while row + M <= n_rows {
                    tile.compute::<S, M, V>(simd, first, row);
                    row += M;
                }
                if M > 4 && row + 4 <= n_rows {
                    tile.compute::<S, 4, V>(simd, first, row);
                    row += 4;
                }
                while row < n_rows {
                    tile.compute::<S, 1, V>(simd, first, row);
                    row += 1;
                }
            }
        }
    }
}

/// The bias of a panel's columns, filled up with zeros; without a bias, zeros.
#[inline(always)]
pub(super) fn padded(bias: Option<&[f32]>, first: usize) -> [f32; PANEL] {
    let mut padded = [0.0; PANEL];
    if let Some(bias) = bias {
        let bias = &bias[first..bias.len().min(first + PANEL)];
        padded[..bias.len()].copy_from_slice(bias);
    }
    padded
}

struct Tile<'a, F> {
    rows: Rows<'a, F>,
    part_len: usize,
    panel: &'a [f32],
    bias: [f32; PANEL],
    out: &'a mut [f32],
    width: usize,
    column: usize,
}

impl<F: Fn(usize) -> usize + Copy> Tile<'_, F> {
    /// Rows `row .. row + M` of the block that begins with row `first`: `V` vectors of sums for each.
    #[expect(
        clippy::manual_memcpy,
        clippy::needless_range_loop,
        reason = "sums that are indexed by constants alone stay in registers"
    )]
    #[inline(always)]
    fn compute<S: Simd, const M: usize, const V: usize>(&mut self, simd: S, first: usize, row: usize) {
        let (bias, _) = S::as_simd_f32s(&self.bias);
        let (panel, _) = S::as_simd_f32s(self.panel);
        let mut sums = [[simd.splat_f32s(0.0); V]; M];
        for sums in &mut sums {
            for v in 0..V {
                sums[v] = bias[v];
            }
        }
        let mut starts = [0; M];
        for (i, start) in starts.iter_mut().enumerate() {
            *start = (self.rows.start)(first + row + i);
        }
        let len = self.part_len;
        for part in 0..self.rows.n_parts {
            let panel = &panel[part * len * V..][..len * V];
            let mut values: [&[f32]; M] = [&[]; M];
            for (values, start) in values.iter_mut().zip(starts) {
                *values = &self.rows.data[start + part * self.rows.part_stride..][..len];
            }
            for p in 0..len {
                let mut weights = [simd.splat_f32s(0.0); V];
                for v in 0..V {
                    weights[v] = panel[p * V + v];
                }
                for i in 0..M {
                    let value = simd.splat_f32s(values[i][p]);
                    for v in 0..V {
                        sums[i][v] = simd.mul_add_f32s(value, weights[v], sums[i][v]);
                    }
                }
            }
        }
        let n_columns = PANEL.min(self.width - self.column);
        for i in 0..M {
            let out = &mut self.out[(row + i) * self.width + self.column..][..n_columns];
            let mut whole = [0.0; PANEL];
            let (vectors, _) = S::as_mut_simd_f32s(&mut whole);
            for v in 0..V {
                vectors[v] = sums[i][v];
            }
            out.copy_from_slice(&whole[..n_columns]);
        }
    }
}
