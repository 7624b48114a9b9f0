//! Sums, broadcasts, concatenation and resampling of activations.

use super::simd::{Kernel, dispatch};
pub use crate::operation::UpsampleShape;

/// `a + b`.
pub fn sum(a: &[f32], b: &[f32]) -> Vec<f32> {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// `acc += x`.
pub fn accumulate(acc: &mut [f32], x: &[f32]) {
    assert_eq!(acc.len(), x.len());
    dispatch(Accumulate { acc, x });
}

/// `x[row, c] += bias[c]` for every row.
pub fn add_bias(x: &mut [f32], bias: &[f32]) {
    assert_eq!(x.len() % bias.len(), 0);
    dispatch(AddBias { x, bias });
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

/// Nearest-neighbor upsampling of pictures `[H, W, C]` by two.
pub fn upsample_2x(shape: UpsampleShape, x: &[f32]) -> Vec<f32> {
    let UpsampleShape {
        input,
        output,
        channels,
    } = shape;
    let row_len = input.1 * channels;
    let pictures = x.len() / (input.0 * row_len);
    let mut out = Vec::with_capacity(pictures * output.0 * output.1 * channels);
    for picture in x.chunks_exact(input.0 * row_len) {
        for y in 0..output.0 {
            let row = &picture[y / 2 * row_len..][..row_len];
            for x in 0..output.1 {
                out.extend_from_slice(&row[x / 2 * channels..][..channels]);
            }
        }
    }
    out
}

/// Gradient of [`upsample_2x`].
pub fn upsample_2x_backward(shape: UpsampleShape, dy: &[f32]) -> Vec<f32> {
    let UpsampleShape {
        input,
        output,
        channels,
    } = shape;
    let (row_len, out_row_len) = (input.1 * channels, output.1 * channels);
    let pictures = dy.len() / (output.0 * out_row_len);
    let mut out = vec![0.0; pictures * input.0 * row_len];
    let pairs = out
        .chunks_exact_mut(input.0 * row_len)
        .zip(dy.chunks_exact(output.0 * out_row_len));
    for (picture, dy) in pairs {
        for (y, dy) in dy.chunks_exact(out_row_len).enumerate() {
            let row = &mut picture[y / 2 * row_len..][..row_len];
            for (x, dy) in dy.chunks_exact(channels).enumerate() {
                accumulate(&mut row[x / 2 * channels..][..channels], dy);
            }
        }
    }
    out
}

struct Accumulate<'a> {
    acc: &'a mut [f32],
    x: &'a [f32],
}

impl Kernel for Accumulate<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (acc, &x) in self.acc.iter_mut().zip(self.x) {
            *acc += x;
        }
    }
}

struct AddBias<'a> {
    x: &'a mut [f32],
    bias: &'a [f32],
}

impl Kernel for AddBias<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for row in self.x.chunks_exact_mut(self.bias.len()) {
            for (x, &b) in row.iter_mut().zip(self.bias) {
                *x += b;
            }
        }
    }
}
