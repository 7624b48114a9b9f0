//! Sums, broadcasts, concatenation and resampling of activations.

use super::simd::dispatch;

/// `a + b`.
pub fn sum(a: &[f32], b: &[f32]) -> Vec<f32> {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// `acc += x`.
pub fn accumulate(acc: &mut [f32], x: &[f32]) {
    assert_eq!(acc.len(), x.len());
    dispatch(accumulate_kernel, (acc, x));
}

/// `x[row, c] += bias[c]` for every row.
pub fn add_bias(x: &mut [f32], bias: &[f32]) {
    assert_eq!(x.len() % bias.len(), 0);
    dispatch(add_bias_kernel, (x, bias));
}

/// `x[b, i, c] + bias[b, c]`.
pub fn add_channels(x: &[f32], bias: &[f32], channels: usize) -> Vec<f32> {
    let batch = bias.len() / channels;
    let mut out = x.to_vec();
    for (x, bias) in out
        .chunks_exact_mut(x.len() / batch)
        .zip(bias.chunks_exact(channels))
    {
        add_bias(x, bias);
    }
    out
}

/// Sums over everything but batch and channel: the gradient of `add_channels` with respect to its bias.
pub fn sum_positions(dy: &[f32], batch: usize, channels: usize) -> Vec<f32> {
    let mut out = vec![0.0; batch * channels];
    for (dy, out) in dy
        .chunks_exact(dy.len() / batch)
        .zip(out.chunks_exact_mut(channels))
    {
        for row in dy.chunks_exact(channels) {
            accumulate(out, row);
        }
    }
    out
}

/// Rows of `a` (`a_width` values) followed by rows of `b`.
pub fn concat(a: &[f32], a_width: usize, b: &[f32], b_width: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(a.len() + b.len());
    for (a, b) in a.chunks_exact(a_width).zip(b.chunks_exact(b_width)) {
        out.extend_from_slice(a);
        out.extend_from_slice(b);
    }
    out
}

/// Takes rows apart again: the gradient of [`concat`].
pub fn split(x: &[f32], a_width: usize, b_width: usize) -> (Vec<f32>, Vec<f32>) {
    let rows = x.len() / (a_width + b_width);
    let (mut a, mut b) = (
        Vec::with_capacity(rows * a_width),
        Vec::with_capacity(rows * b_width),
    );
    for row in x.chunks_exact(a_width + b_width) {
        a.extend_from_slice(&row[..a_width]);
        b.extend_from_slice(&row[a_width..]);
    }
    (a, b)
}

/// Each pixel four times: nearest-neighbor upsampling of rows of `width` pixels by two.
pub fn upsample_2x(x: &[f32], width: usize, channels: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(4 * x.len());
    for row in x.chunks_exact(width * channels) {
        let start = out.len();
        for pixel in row.chunks_exact(channels) {
            out.extend_from_slice(pixel);
            out.extend_from_slice(pixel);
        }
        out.extend_from_within(start..);
    }
    out
}

/// Gradient of [`upsample_2x`]; `width` is that of the smaller picture.
pub fn upsample_2x_backward(dy: &[f32], width: usize, channels: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(dy.len() / 4);
    for rows in dy.chunks_exact(4 * width * channels) {
        let (upper, lower) = rows.split_at(2 * width * channels);
        let pixels = upper
            .chunks_exact(2 * channels)
            .zip(lower.chunks_exact(2 * channels));
        for (upper, lower) in pixels {
            let (a, b) = upper.split_at(channels);
            let (c, d) = lower.split_at(channels);
            out.extend((0..channels).map(|i| (a[i] + b[i]) + (c[i] + d[i])));
        }
    }
    out
}

#[inline(always)]
fn accumulate_kernel((acc, x): (&mut [f32], &[f32])) {
    for (acc, &x) in acc.iter_mut().zip(x) {
        *acc += x;
    }
}

#[inline(always)]
fn add_bias_kernel((x, bias): (&mut [f32], &[f32])) {
    for row in x.chunks_exact_mut(bias.len()) {
        for (x, &b) in row.iter_mut().zip(bias) {
            *x += b;
        }
    }
}
