//! Kernels against plain loops in double precision. Gradients are checked with the trainer's tape.

use super::{
    activation::{self, Activation},
    attention::{self, AttentionShape, Saved},
    conv::{self, ConvShape},
    elementwise,
    gemm::{self, Mat, Size, Threads},
    norm::{self, GroupShape},
    packed::{self, Packed, Rows},
    simd,
};
use crate::random::Random;

fn random(len: usize, seed: u64) -> Vec<f32> {
    Random::from_seed(seed).normal(len)
}

#[track_caller]
fn assert_close(found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(found) - expected).abs() / expected.abs().max(1.0);
        assert!(error <= tolerance, "value {i}: {found}, expected {expected}");
    }
}

#[test]
fn exp_is_accurate() {
    for i in -8730..=8830 {
        let x = i as f32 / 100.0;
        let exact = f64::from(x).exp();
        let error = (f64::from(simd::exp(x)) - exact).abs() / exact;
        assert!(error < 3e-7, "exp({x}) is off by {error:e}");
    }
    assert!(simd::exp(-1000.0) < 1e-37);
    assert!(simd::exp(1000.0).is_finite());
    assert!(simd::exp(f32::NAN).is_nan());
    assert_eq!(simd::exp(0.0), 1.0);
}

/// Values of the error function from a table (Abramowitz and Stegun, table 7.1).
#[test]
fn erf_is_accurate() {
    let table: [(f32, f64); 8] = [
        (0.0, 0.0),
        (0.1, 0.112_462_916),
        (0.5, 0.520_499_878),
        (1.0, 0.842_700_793),
        (1.5, 0.966_105_146),
        (2.0, 0.995_322_265),
        (3.0, 0.999_977_910),
        (6.0, 1.0),
    ];
    for (x, expected) in table {
        let gauss = (-x * x).exp();
        assert!(
            (f64::from(simd::erf(x, gauss)) - expected).abs() < 4e-7,
            "erf({x})"
        );
        assert!(
            (f64::from(simd::erf(-x, gauss)) + expected).abs() < 4e-7,
            "erf(-{x})"
        );
    }
}

#[test]
fn reductions_take_every_value() {
    for len in [0, 1, 31, 32, 33, 100] {
        let values: Vec<f32> = (0..len).map(|i| i as f32).collect();
        let n = len as f32;
        assert_eq!(simd::sum(&values), n * (n - 1.0) / 2.0);
        assert_eq!(simd::dot(&values, &vec![2.0; len]), n * (n - 1.0));
        assert_eq!(simd::sum_squares(&vec![3.0; len], 1.0), 4.0 * n);
        if len > 0 {
            assert_eq!(simd::max(&values), n - 1.0);
        }
    }
}

#[test]
fn products() {
    let size = Size { m: 5, n: 7, k: 9 };
    let (a, b) = (random(45, 1), random(63, 2));
    let mut exact = vec![0.0; 35];
    for i in 0..5 {
        for j in 0..7 {
            exact[i * 7 + j] = (0..9)
                .map(|l| f64::from(a[i * 9 + l]) * f64::from(b[l * 7 + j]))
                .sum();
        }
    }
    let (lhs, rhs) = (Mat::rows(&a, 9), Mat::rows(&b, 7));
    for threads in [Threads::One, Threads::All] {
        assert_close(&gemm::product(size, lhs, rhs, threads), &exact, 1e-5);
    }
    // Into every second column range of a wider matrix; the rest stays as it was.
    let mut wide = vec![1.0; 5 * 10];
    gemm::set(&mut wide, 10, size, 2.0, lhs, rhs, Threads::One);
    gemm::add(&mut wide, 10, size, 1.0, lhs, rhs, Threads::One);
    for i in 0..5 {
        let expected: Vec<f64> = exact[i * 7..][..7].iter().map(|v| 3.0 * v).collect();
        assert_close(&wide[i * 10..][..7], &expected, 1e-5);
        assert_eq!(wide[i * 10 + 7..][..3], [1.0; 3]);
    }
    // The transposed view of b's transpose is b.
    let b_transposed: Vec<f32> = (0..63).map(|i| b[i % 9 * 7 + i / 9]).collect();
    let rhs = Mat::rows(&b_transposed, 9).transposed();
    assert_close(&gemm::product(size, lhs, rhs, Threads::One), &exact, 1e-5);
}

/// Whole tiles and their rests, rows and columns shared between threads, parts of rows.
#[test]
fn products_with_a_packed_matrix() {
    for (m, k, n, n_parts) in [
        (1, 3, 5, 1),
        (13, 24, 40, 3),
        (16, 600, 300, 2),
        (333, 96, 100, 1),
    ] {
        let (a, b, bias) = (random(m * k, 1), random(k * n, 2), random(n, 3));
        let packed = Packed::new(k, n, |i, j| b[i * n + j]);
        // The parts of a row lie m parts apart.
        let (part, dense) = (k / n_parts, |row: usize, i: usize| row * k + i);
        let mut scattered = vec![0.0; m * k];
        for (row, i) in (0..m).flat_map(|row| (0..k).map(move |i| (row, i))) {
            scattered[(i / part * m + row) * part + i % part] = a[dense(row, i)];
        }
        let rows = Rows {
            data: &scattered,
            start: |row: usize| row * part,
            n_parts,
            part_stride: m * part,
        };
        let exact = |bias: &dyn Fn(usize) -> f32| -> Vec<f64> {
            let cells = (0..m).flat_map(|row| (0..n).map(move |j| (row, j)));
            cells
                .map(|(row, j)| {
                    let terms = (0..k).map(|i| f64::from(a[dense(row, i)]) * f64::from(b[i * n + j]));
                    terms.sum::<f64>() + f64::from(bias(j))
                })
                .collect()
        };
        let mut out = vec![0.0; m * n];
        packed::product(&mut out, rows, &packed, Some(&bias));
        assert_close(&out, &exact(&|j| bias[j]), 2e-5);
        let mut again = vec![0.0; m * n];
        packed::product_on_this_thread(&mut again, 0, rows, &packed, Some(&bias));
        assert_eq!(out, again, "threads change nothing");
        packed::product(&mut out, Rows::dense(&a, k), &packed, None);
        assert_close(&out, &exact(&|_| 0.0), 2e-5);
    }
}

#[test]
#[should_panic(expected = "beyond its slice")]
fn a_product_stays_inside_its_operands() {
    let (a, b) = (vec![0.0; 6], vec![0.0; 5]);
    let size = Size { m: 2, n: 2, k: 3 };
    gemm::product(size, Mat::rows(&a, 3), Mat::rows(&b, 2), Threads::One);
}

#[test]
#[should_panic(expected = "beyond its slice")]
fn a_product_stays_inside_its_result() {
    let (a, b) = (vec![0.0; 6], vec![0.0; 6]);
    let size = Size { m: 2, n: 2, k: 3 };
    gemm::set(
        &mut [0.0; 3],
        2,
        size,
        1.0,
        Mat::rows(&a, 3),
        Mat::rows(&b, 2),
        Threads::One,
    );
}

fn conv_shape(batch: usize, input: (usize, usize), channels: (usize, usize), stride: usize) -> ConvShape {
    ConvShape {
        batch,
        input,
        output: ((input.0 - 1) / stride + 1, (input.1 - 1) / stride + 1),
        in_channels: channels.0,
        out_channels: channels.1,
        kernel: 3,
        stride,
        padding: 1,
    }
}

/// Every (output value, input value, weight) that belong together, by index.
fn conv_terms(s: ConvShape, mut visit: impl FnMut(usize, usize, usize)) {
    for b in 0..s.batch {
        for y in 0..s.output.0 {
            for x in 0..s.output.1 {
                for (ky, kx) in (0..s.kernel).flat_map(|ky| (0..s.kernel).map(move |kx| (ky, kx))) {
                    let (iy, ix) = (y * s.stride + ky, x * s.stride + kx);
                    let (Some(iy), Some(ix)) = (iy.checked_sub(s.padding), ix.checked_sub(s.padding)) else {
                        continue;
                    };
                    if iy >= s.input.0 || ix >= s.input.1 {
                        continue;
                    }
                    for (o, c) in (0..s.out_channels).flat_map(|o| (0..s.in_channels).map(move |c| (o, c))) {
                        visit(
                            ((b * s.output.0 + y) * s.output.1 + x) * s.out_channels + o,
                            ((b * s.input.0 + iy) * s.input.1 + ix) * s.in_channels + c,
                            ((o * s.kernel + ky) * s.kernel + kx) * s.in_channels + c,
                        );
                    }
                }
            }
        }
    }
}

/// Small on one thread, and large enough for several bands and threads.
#[test]
fn convolution_both_ways() {
    let shapes = [
        conv_shape(2, (5, 7), (3, 4), 1),
        conv_shape(2, (5, 6), (3, 4), 2),
        conv_shape(1, (33, 30), (16, 24), 1),
        conv_shape(1, (65, 64), (16, 16), 2),
        conv_shape(3, (19, 18), (16, 24), 1),
    ];
    for s in shapes {
        let x = random(s.batch * s.input.0 * s.input.1 * s.in_channels, 1);
        let weight = random(s.out_channels * 9 * s.in_channels, 2);
        let bias = random(s.out_channels, 3);
        let dy = random(s.batch * s.output.0 * s.output.1 * s.out_channels, 4);
        let mut y: Vec<f64> = (0..dy.len())
            .map(|i| f64::from(bias[i % s.out_channels]))
            .collect();
        let mut dx = vec![0.0; x.len()];
        conv_terms(s, |out, input, w| {
            y[out] += f64::from(x[input]) * f64::from(weight[w]);
            dx[input] += f64::from(dy[out]) * f64::from(weight[w]);
        });
        assert_close(&conv::forward(s, &x, &weight, Some(&bias)), &y, 2e-5);
        assert_close(&conv::backward(s, &dy, &weight), &dx, 2e-5);
        let packed = conv::pack_forward(s, &weight);
        assert_close(&conv::forward_packed(s, &x, &packed, Some(&bias)), &y, 2e-5);
        if s.is_reversible() {
            let packed = conv::pack_backward(s, &weight);
            assert_close(&conv::backward_packed(s, &dy, &packed), &dx, 2e-5);
        }
    }
}

/// Softmax(q kᵀ / √d) v for one head, in double precision.
fn attend(s: AttentionShape, q: &[f32], k: &[f32], v: &[f32]) -> Vec<f64> {
    let width = s.heads * s.head_dim;
    let mut out = vec![0.0; q.len()];
    for (b, h) in (0..s.batch).flat_map(|b| (0..s.heads).map(move |h| (b, h))) {
        let at = |tokens: usize, token: usize| (b * tokens + token) * width + h * s.head_dim;
        for i in 0..s.queries {
            let seen = if s.causal { i + 1 } else { s.keys };
            let score = |j: usize| {
                let (q, k) = (&q[at(s.queries, i)..], &k[at(s.keys, j)..]);
                let dot: f64 = (0..s.head_dim).map(|c| f64::from(q[c]) * f64::from(k[c])).sum();
                (dot / (s.head_dim as f64).sqrt()).exp()
            };
            let weights: Vec<f64> = (0..seen).map(score).collect();
            let total: f64 = weights.iter().sum();
            for c in 0..s.head_dim {
                out[at(s.queries, i) + c] = (0..seen)
                    .map(|j| weights[j] / total * f64::from(v[at(s.keys, j) + c]))
                    .sum();
            }
        }
    }
    out
}

#[test]
fn attention_in_tiles() {
    let shape = |queries, keys, causal| AttentionShape {
        batch: 2,
        heads: 3,
        queries,
        keys,
        head_dim: 8,
        causal,
    };
    // One tile; several; several on many threads.
    for s in [
        shape(5, 7, false),
        shape(70, 9, false),
        shape(70, 70, true),
        shape(300, 310, false),
        shape(300, 300, true),
    ] {
        let width = s.heads * s.head_dim;
        let q = random(s.batch * s.queries * width, 1);
        let k = random(s.batch * s.keys * width, 2);
        let v = random(s.batch * s.keys * width, 3);
        let (out, lse) = attention::forward(s, &q, &k, &v);
        assert_close(&out, &attend(s, &q, &k, &v), 1e-5);
        // The gradient of Σ out · dy in the direction of a change of v is exact, as the result is linear in v.
        let (dy, dv_direction) = (random(out.len(), 4), random(v.len(), 5));
        let saved = Saved {
            q: &q,
            k: &k,
            v: &v,
            lse: &lse,
        };
        let (_, _, dv) = attention::backward(s, saved, &dy);
        let change = attend(s, &q, &k, &dv_direction);
        let expected: f64 = change.iter().zip(&dy).map(|(c, d)| c * f64::from(*d)).sum();
        let found: f64 = dv
            .iter()
            .zip(&dv_direction)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum();
        assert!(
            (found - expected).abs() < 1e-4 * expected.abs().max(1.0),
            "{found} {expected}"
        );
    }
}

#[test]
fn group_norm_of_far_off_values() {
    let s = GroupShape {
        batch: 2,
        positions: 200,
        channels: 6,
        groups: 3,
        eps: 1e-5,
        silu: false,
    };
    // A mean a thousand times the deviation: one pass of sums and squares would lose it.
    let x: Vec<f32> = random(2 * 200 * 6, 1).iter().map(|v| v + 1000.0).collect();
    let (y, _) = norm::group_norm(s, &x, &[1.0; 6], &[0.0; 6]);
    let mut expected = vec![0.0; y.len()];
    for (b, g) in (0..2).flat_map(|b| (0..3).map(move |g| (b, g))) {
        let index = |i: usize| (b * 200 + i / 2) * 6 + g * 2 + i % 2;
        let mean = (0..400).map(|i| f64::from(x[index(i)])).sum::<f64>() / 400.0;
        let variance = (0..400)
            .map(|i| (f64::from(x[index(i)]) - mean).powi(2))
            .sum::<f64>()
            / 400.0;
        for i in 0..400 {
            expected[index(i)] = (f64::from(x[index(i)]) - mean) / (variance + 1e-5).sqrt();
        }
    }
    assert_close(&y, &expected, 2e-4);
}

#[test]
fn activations_at_known_points() {
    let x = [-3.0, -1.0, 0.0, 1.0, 3.0];
    let mut out = [0.0; 5];
    // From PyTorch 2.15: torch.nn.functional.silu, gelu, gelu by tanh, and x * sigmoid(1.702 x).
    activation::forward(Activation::Silu, &x, &mut out);
    assert_close(
        &out,
        &[-0.142_277_62, -0.268_941_42, 0.0, 0.731_058_58, 2.857_722_4],
        1e-6,
    );
    activation::forward(Activation::Gelu, &x, &mut out);
    assert_close(
        &out,
        &[-0.004_049_69, -0.158_655_25, 0.0, 0.841_344_75, 2.995_950_3],
        1e-6,
    );
    activation::forward(Activation::TanhGelu, &x, &mut out);
    assert_close(
        &out,
        &[-0.003_637_392, -0.158_808_01, 0.0, 0.841_191_99, 2.996_362_6],
        1e-6,
    );
    activation::forward(Activation::QuickGelu, &x, &mut out);
    assert_close(
        &out,
        &[-0.018_071_31, -0.154_204_23, 0.0, 0.845_795_77, 2.981_928_7],
        1e-6,
    );
}

#[test]
fn resampling_and_concatenation() {
    let shape = elementwise::UpsampleShape {
        input: (2, 2),
        output: (3, 4),
        channels: 1,
    };
    let up = elementwise::upsample_2x(shape, &[1.0, 2.0, 3.0, 4.0]);
    assert_eq!(up, [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0]);
    assert_eq!(
        elementwise::upsample_2x_backward(shape, &up),
        [4.0, 8.0, 6.0, 8.0]
    );
    let joined = elementwise::concat(&[1.0, 2.0], 1, &[3.0, 4.0, 5.0, 6.0], 2);
    assert_eq!(joined, [1.0, 3.0, 4.0, 2.0, 5.0, 6.0]);
    assert_eq!(
        elementwise::split(&joined, 1, 2),
        (vec![1.0, 2.0], vec![3.0, 4.0, 5.0, 6.0])
    );
    let shifted = elementwise::add_channels(&[0.0; 8], &[1.0, 2.0, 3.0, 4.0], 2);
    assert_eq!(shifted, [1.0, 2.0, 1.0, 2.0, 3.0, 4.0, 3.0, 4.0]);
    assert_eq!(elementwise::sum_positions(&shifted, 2, 2), [2.0, 4.0, 6.0, 8.0]);
}
