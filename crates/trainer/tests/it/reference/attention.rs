//! Attention with all scores written out.

use diffusion::{
    device::Result,
    operation::{AttentionShape, Mask},
};

use super::{Array, Reference, math};

/// The tokens of one head of one sequence: `[tokens][head_dim]`.
fn head(x: &Array, tokens: usize, shape: &AttentionShape, index: usize) -> Vec<Vec<f64>> {
    let (b, h) = (index / shape.heads, index % shape.heads);
    let width = shape.heads * shape.head_dim;
    (0..tokens)
        .map(|token| x.values[(b * tokens + token) * width + h * shape.head_dim..][..shape.head_dim].to_vec())
        .collect()
}

/// Writes a head back to where [`head`] reads it.
fn put_head(out: &mut [f64], rows: &[Vec<f64>], shape: &AttentionShape, index: usize) {
    let (b, h) = (index / shape.heads, index % shape.heads);
    let width = shape.heads * shape.head_dim;
    for (token, row) in rows.iter().enumerate() {
        let start = (b * rows.len() + token) * width + h * shape.head_dim;
        out[start..start + shape.head_dim].copy_from_slice(row);
    }
}

fn scale(shape: &AttentionShape) -> f64 {
    1.0 / (shape.head_dim as f64).sqrt()
}

/// Shares of the keys for each query, and its log-sum-exp.
fn shares(q: &[Vec<f64>], k: &[Vec<f64>], shape: &AttentionShape) -> Vec<(Vec<f64>, f64)> {
    let of_query = |(i, q): (usize, &Vec<f64>)| {
        let score = |(j, k): (usize, &Vec<f64>)| {
            if shape.causal && j > i {
                f64::NEG_INFINITY
            } else {
                math::dot(q, k) * scale(shape)
            }
        };
        let scores: Vec<f64> = k.iter().enumerate().map(score).collect();
        let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = scores.iter().map(|score| (score - largest).exp()).sum();
        let lse = largest + sum.ln();
        (scores.iter().map(|score| (score - lse).exp()).collect(), lse)
    };
    q.iter().enumerate().map(of_query).collect()
}

pub(super) fn forward(
    device: &Reference,
    [q, k, v]: [&Array; 3],
    n_heads: usize,
    mask: Mask,
) -> Result<(Array, Array)> {
    let shape = AttentionShape::of([&q.dims, &k.dims, &v.dims], n_heads, mask)
        .map_err(device.wrong("an attention", q))?;
    let (mut out, mut lse) = (vec![0.0; q.values.len()], Vec::new());
    for index in 0..shape.batch * shape.heads {
        let [queries, keys, values] = [(q, shape.queries), (k, shape.keys), (v, shape.keys)]
            .map(|(x, tokens)| head(x, tokens, &shape, index));
        let shares = shares(&queries, &keys, &shape);
        let mixed = shares.iter().map(|(shares, _)| {
            let mut sum = vec![0.0; shape.head_dim];
            shares
                .iter()
                .zip(&values)
                .for_each(|(share, value)| math::add_scaled(&mut sum, *share, value));
            sum
        });
        put_head(&mut out, &mixed.collect::<Vec<_>>(), &shape, index);
        lse.extend(shares.iter().map(|(_, lse)| lse));
    }
    Ok((
        Array::new(&*q.dims, out),
        Array::new([shape.batch, n_heads, shape.queries], lse),
    ))
}

pub(super) fn backward(
    device: &Reference,
    dy: &Array,
    [q, k, v]: [&Array; 3],
    n_heads: usize,
    mask: Mask,
) -> Result<[Array; 3]> {
    let shape = AttentionShape::of([&q.dims, &k.dims, &v.dims], n_heads, mask)
        .map_err(device.wrong("the gradient of an attention", q))?;
    let mut sums = [q, k, v].map(|x| vec![0.0; x.values.len()]);
    for index in 0..shape.batch * shape.heads {
        let [queries, keys, values] = [(q, shape.queries), (k, shape.keys), (v, shape.keys)]
            .map(|(x, tokens)| head(x, tokens, &shape, index));
        let dy = head(dy, shape.queries, &shape, index);
        let zeros = |tokens: usize| vec![vec![0.0; shape.head_dim]; tokens];
        let [mut dq, mut dk, mut dv] = [zeros(shape.queries), zeros(shape.keys), zeros(shape.keys)];
        for (i, (shares, _)) in shares(&queries, &keys, &shape).iter().enumerate() {
            let d_shares: Vec<f64> = values.iter().map(|value| math::dot(&dy[i], value)).collect();
            let mean = math::dot(shares, &d_shares);
            for (j, share) in shares.iter().enumerate() {
                let d_score = share * (d_shares[j] - mean) * scale(&shape);
                math::add_scaled(&mut dq[i], d_score, &keys[j]);
                math::add_scaled(&mut dk[j], d_score, &queries[i]);
                math::add_scaled(&mut dv[j], *share, &dy[i]);
            }
        }
        for (sum, rows) in sums.iter_mut().zip([dq, dk, dv]) {
            put_head(sum, &rows, &shape, index);
        }
    }
    let [dq, dk, dv] = sums;
    Ok([
        Array::new(&*q.dims, dq),
        Array::new(&*k.dims, dk),
        Array::new(&*v.dims, dv),
    ])
}
