//! Scaled dot-product attention, forward and backward, in tiles of queries.
//!
//! A tile's scores are computed, used and forgotten; the backward pass computes them again from the saved
//! log-sum-exp of each query (Dao et al. 2022, FlashAttention), so memory grows with the tokens, not their square.

use rayon::prelude::*;

use super::{
    PARALLEL_FLOPS,
    gemm::{self, Mat, Size, Threads},
    simd::{self, Kernel, dispatch, exp},
    with_scratch,
};
pub use crate::operation::AttentionShape;

/// Queries whose scores are held at once.
const TILE: usize = 64;

impl AttentionShape {
    fn width(&self) -> usize {
        self.heads * self.head_dim
    }

    fn scale(&self) -> f32 {
        1.0 / (self.head_dim as f32).sqrt()
    }

    fn is_parallel(&self) -> bool {
        4 * self.batch * self.queries * self.keys * self.width() >= PARALLEL_FLOPS
    }

    /// One head of one sequence inside `[batch, tokens, heads * head_dim]`.
    fn head<'a>(&self, x: &'a [f32], tokens: usize, index: usize) -> &'a [f32] {
        let (b, h) = (index / self.heads, index % self.heads);
        &x[b * tokens * self.width() + h * self.head_dim..]
    }
}

/// Attention of `q [B, Tq, C]` to `k, v [B, Tk, C]`: the result `[B, Tq, C]` and the log-sum-exp `[B, heads, Tq]`.
pub fn forward(shape: AttentionShape, q: &[f32], k: &[f32], v: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let AttentionShape {
        queries, head_dim, ..
    } = shape;
    // Heads are computed into a buffer of their own, [B, heads, Tq, d], so that threads never share a row.
    let mut heads = vec![0.0; q.len()];
    let mut lse = vec![0.0; shape.batch * shape.heads * queries];
    let tile = |(index, start, out, lse): (usize, usize, &mut [f32], &mut [f32])| {
        let q = &shape.head(q, queries, index)[start * shape.width()..];
        let k = shape.head(k, shape.keys, index);
        let v = shape.head(v, shape.keys, index);
        let keys = visible_keys(&shape, start, lse.len());
        with_scratch(lse.len() * keys, |scores| {
            score_tile(&shape, q, k, scores, lse.len(), keys);
            dispatch(Softmax {
                scores,
                keys,
                causal: causal_start(&shape, start),
                lse,
            });
            let size = Size {
                m: lse.len(),
                n: head_dim,
                k: keys,
            };
            gemm::set(
                out,
                head_dim,
                size,
                1.0,
                Mat::rows(scores, keys),
                Mat::rows(v, shape.width()),
                Threads::One,
            );
        });
    };
    let per_head = heads
        .chunks_mut(queries * head_dim)
        .zip(lse.chunks_mut(queries))
        .enumerate()
        .flat_map(|(index, (out, lse))| {
            out.chunks_mut(TILE * head_dim)
                .zip(lse.chunks_mut(TILE))
                .enumerate()
                .map(move |(t, (out, lse))| (index, t * TILE, out, lse))
        });
    if shape.is_parallel() {
        per_head.collect::<Vec<_>>().into_par_iter().for_each(tile);
    } else {
        per_head.for_each(tile);
    }
    (interleave(&shape, &heads, queries), lse)
}

/// What the backward pass needs of the forward pass.
#[derive(Clone, Copy)]
pub struct Saved<'a> {
    /// Queries.
    pub q: &'a [f32],
    /// Keys.
    pub k: &'a [f32],
    /// Values.
    pub v: &'a [f32],
    /// Log-sum-exp.
    pub lse: &'a [f32],
}

/// Gradients with respect to queries, keys and values.
pub fn backward(shape: AttentionShape, saved: Saved, dy: &[f32]) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let AttentionShape {
        queries,
        keys,
        head_dim,
        ..
    } = shape;
    let mut dq = vec![0.0; saved.q.len()];
    let mut dk = vec![0.0; saved.k.len()];
    let mut dv = vec![0.0; saved.v.len()];
    let head = |(index, (dq, (dk, dv))): (usize, (&mut [f32], (&mut [f32], &mut [f32])))| {
        head_backward(&shape, saved, dy, index, (dq, dk, dv));
    };
    if shape.is_parallel() {
        dq.par_chunks_mut(queries * head_dim)
            .zip(
                dk.par_chunks_mut(keys * head_dim)
                    .zip(dv.par_chunks_mut(keys * head_dim)),
            )
            .enumerate()
            .for_each(head);
    } else {
        dq.chunks_mut(queries * head_dim)
            .zip(dk.chunks_mut(keys * head_dim).zip(dv.chunks_mut(keys * head_dim)))
            .enumerate()
            .for_each(head);
    }
    (
        interleave(&shape, &dq, queries),
        interleave(&shape, &dk, keys),
        interleave(&shape, &dv, keys),
    )
}

fn head_backward(
    shape: &AttentionShape,
    saved: Saved,
    dy: &[f32],
    index: usize,
    (dq, dk, dv): (&mut [f32], &mut [f32], &mut [f32]),
) {
    let (width, d) = (shape.width(), shape.head_dim);
    let k = shape.head(saved.k, shape.keys, index);
    let v = shape.head(saved.v, shape.keys, index);
    for start in (0..shape.queries).step_by(TILE) {
        let rows = TILE.min(shape.queries - start);
        let keys = visible_keys(shape, start, rows);
        let at = start * width;
        let q = &shape.head(saved.q, shape.queries, index)[at..];
        let dy = &shape.head(dy, shape.queries, index)[at..];
        let lse = &saved.lse[index * shape.queries + start..][..rows];
        with_scratch(2 * rows * keys, |scratch| {
            let (p, ds) = scratch.split_at_mut(rows * keys);
            score_tile(shape, q, k, p, rows, keys);
            let into_values = Size {
                m: rows,
                n: keys,
                k: d,
            };
            gemm::set(
                ds,
                keys,
                into_values,
                1.0,
                Mat::rows(dy, width),
                Mat::rows(v, width).transposed(),
                Threads::One,
            );
            dispatch(ScoreGradient {
                scores: p,
                gradient: ds,
                keys,
                causal: causal_start(shape, start),
                lse,
            });
            let into_keys = Size {
                m: keys,
                n: d,
                k: rows,
            };
            let (p, ds) = (Mat::rows(p, keys), Mat::rows(ds, keys));
            gemm::add(
                dv,
                d,
                into_keys,
                1.0,
                p.transposed(),
                Mat::rows(dy, width),
                Threads::One,
            );
            gemm::add(
                dk,
                d,
                into_keys,
                shape.scale(),
                ds.transposed(),
                Mat::rows(q, width),
                Threads::One,
            );
            let into_queries = Size {
                m: rows,
                n: d,
                k: keys,
            };
            gemm::set(
                &mut dq[start * d..],
                d,
                into_queries,
                shape.scale(),
                ds,
                Mat::rows(k, width),
                Threads::One,
            );
        });
    }
}

/// Keys that at least one query of a tile sees.
fn visible_keys(shape: &AttentionShape, start: usize, rows: usize) -> usize {
    if shape.causal {
        (start + rows).min(shape.keys)
    } else {
        shape.keys
    }
}

/// Position of a tile's first query, if that limits the keys it sees.
fn causal_start(shape: &AttentionShape, start: usize) -> Option<usize> {
    shape.causal.then_some(start)
}

fn score_tile(shape: &AttentionShape, q: &[f32], k: &[f32], scores: &mut [f32], rows: usize, keys: usize) {
    let width = shape.width();
    let size = Size {
        m: rows,
        n: keys,
        k: shape.head_dim,
    };
    gemm::set(
        scores,
        keys,
        size,
        shape.scale(),
        Mat::rows(q, width),
        Mat::rows(k, width).transposed(),
        Threads::One,
    );
}

/// Keys that the query in row `row` of a tile sees.
#[inline(always)]
fn seen(causal: Option<usize>, row: usize, keys: usize) -> usize {
    causal.map_or(keys, |start| (start + row + 1).min(keys))
}

/// Scores become probabilities.
struct Softmax<'a> {
    scores: &'a mut [f32],
    keys: usize,
    causal: Option<usize>,
    lse: &'a mut [f32],
}

impl Kernel for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self {
            scores,
            keys,
            causal,
            lse,
        } = self;
        for (i, (row, lse)) in scores.chunks_exact_mut(keys).zip(lse).enumerate() {
            let (row, hidden) = row.split_at_mut(seen(causal, i, keys));
            hidden.fill(0.0);
            let max = simd::max(row);
            for s in row.iter_mut() {
                *s = exp(*s - max);
            }
            let total = simd::sum(row);
            let inverse = 1.0 / total;
            for s in row.iter_mut() {
                *s *= inverse;
            }
            *lse = max + total.ln();
        }
    }
}

/// Scores become probabilities p; their gradient becomes p (dp - Σ p dp).
///
/// FlashAttention takes the sum from the saved result (Σ out dy). The row is at hand here, and its own sum loses
/// less where attention is nearly even and p dp cancels.
struct ScoreGradient<'a> {
    scores: &'a mut [f32],
    gradient: &'a mut [f32],
    keys: usize,
    causal: Option<usize>,
    lse: &'a [f32],
}

impl Kernel for ScoreGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self {
            scores,
            gradient,
            keys,
            causal,
            lse,
        } = self;
        let rows = scores.chunks_exact_mut(keys).zip(gradient.chunks_exact_mut(keys));
        for (i, ((p, ds), &lse)) in rows.zip(lse).enumerate() {
            let seen = seen(causal, i, keys);
            p[seen..].fill(0.0);
            ds[seen..].fill(0.0);
            let (p, ds) = (&mut p[..seen], &mut ds[..seen]);
            for p in p.iter_mut() {
                *p = exp(*p - lse);
            }
            let delta = simd::dot(p, ds);
            for (p, ds) in p.iter().zip(ds) {
                *ds = p * (*ds - delta);
            }
        }
    }
}

/// `[B, heads, T, d]` to `[B, T, heads * d]`.
fn interleave(shape: &AttentionShape, x: &[f32], tokens: usize) -> Vec<f32> {
    let d = shape.head_dim;
    if shape.heads == 1 {
        return x.to_vec();
    }
    let mut out = Vec::with_capacity(x.len());
    for sequence in x.chunks_exact(tokens * shape.width()) {
        for token in 0..tokens {
            for head in sequence.chunks_exact(tokens * d) {
                out.extend_from_slice(&head[token * d..][..d]);
            }
        }
    }
    out
}
