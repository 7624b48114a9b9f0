//! Against plain loops in double precision.

use half::{bf16, f16};

use super::*;
use crate::{kernels::conv, operation::ConvShape, random::Random};

fn random(len: usize, seed: u64) -> Vec<f32> {
    Random::from_seed(seed).normal(len)
}

/// A weight `[out, in, taps]` as a file holds it, and its numbers after rounding.
fn stored(values: &[f32], number: Number) -> (Vec<u8>, Vec<f32>) {
    let bytes: Vec<u8> = match number {
        Number::F32 => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Number::F16 => values
            .iter()
            .flat_map(|x| f16::from_f32(*x).to_le_bytes())
            .collect(),
        Number::Bf16 => values
            .iter()
            .flat_map(|x| bf16::from_f32(*x).to_le_bytes())
            .collect(),
        // Any byte but those of NaN and infinity is a number.
        Number::E4m3 | Number::E5m2 => values.iter().map(|x| (x.to_bits() >> 8) as u8 & 0xbb).collect(),
    };
    let mut rounded = vec![0.0; values.len()];
    number.widen(&bytes, &mut rounded);
    (bytes, rounded)
}

/// The same numbers as `[out, taps, in]`.
fn taps_first(values: &[f32], n_in: usize, n_taps: usize) -> Vec<f32> {
    let at = |i: usize| {
        let (output, rest) = (i / (n_in * n_taps), i % (n_in * n_taps));
        (output * n_in + rest % n_in) * n_taps + rest / n_in
    };
    (0..values.len()).map(|i| values[at(i)]).collect()
}

/// Rounding errors grow with the size that a sum of `depth` products of unit-normal numbers has.
#[track_caller]
fn assert_close(found: &[f32], expected: &[f64], depth: usize) {
    assert_eq!(found.len(), expected.len());
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*found) - expected).abs() / expected.abs().max((depth as f64).sqrt());
        assert!(error < 1e-5, "value {i}: {found}, expected {expected}");
    }
}

/// Rows and columns that fill no tile and no panel, depths that take several turns, and sizes that threads share by rows
/// or by columns.
#[test]
fn products_of_every_kind_both_ways() {
    for (m, n_in, n_out, number) in [
        (1, 5, 3, Number::F32),
        (13, 300, 33, Number::F16),
        (70, 257, 96, Number::Bf16),
        (9, 40, 37, Number::E5m2),
        (21, 64, 32, Number::E4m3),
        (2100, 40, 70, Number::F16),
        // More outputs than are widened at once.
        (3, 9000, 100, Number::F16),
    ] {
        let (bytes, values) = stored(&random(n_in * n_out, 1), number);
        let (x, dy, bias) = (random(m * n_in, 2), random(m * n_out, 3), random(n_out, 4));
        let mut y: Vec<f64> = (0..m * n_out).map(|i| f64::from(bias[i % n_out])).collect();
        let mut dx = vec![0.0; m * n_in];
        for (row, output, input) in
            (0..m).flat_map(|r| (0..n_out).flat_map(move |o| (0..n_in).map(move |i| (r, o, i))))
        {
            let weight = f64::from(values[output * n_in + input]);
            y[row * n_out + output] += f64::from(x[row * n_in + input]) * weight;
            dx[row * n_in + input] += f64::from(dy[row * n_out + output]) * weight;
        }
        for numbers in [Numbers::Stored(number, &bytes), Numbers::Floats(&values)] {
            let weight = Weight {
                numbers,
                n_out,
                n_in,
                n_taps: 1,
            };
            let mut found = vec![0.0; y.len()];
            product(
                &mut found,
                Rows::dense(&x, n_in),
                weight,
                Way::Forward,
                Some(&bias),
            );
            assert_close(&found, &y, n_in);
            let mut found = vec![0.0; y.len()];
            linear(&mut found, &x, weight, Way::Forward, Some(&bias));
            assert_close(&found, &y, n_in);
            let mut found = vec![0.0; dx.len()];
            linear(&mut found, &dy, weight, Way::Backward, None);
            assert_close(&found, &dx, n_out);
            let mut found = vec![0.0; dx.len()];
            product(&mut found, Rows::dense(&dy, n_out), weight, Way::Backward, None);
            assert_close(&found, &dx, n_out);
        }
    }
}

#[test]
fn convolutions_both_ways() {
    for (batch, side, n_in, n_out, stride) in [
        (2, (5, 7), 3, 4, 1),
        (1, (6, 5), 3, 4, 2),
        (1, (33, 30), 40, 36, 1),
        (1, (70, 64), 16, 16, 1),
    ] {
        let shape = ConvShape {
            batch,
            input: side,
            output: ((side.0 - 1) / stride + 1, (side.1 - 1) / stride + 1),
            in_channels: n_in,
            out_channels: n_out,
            kernel: 3,
            stride,
            padding: 1,
        };
        let (bytes, values) = stored(&random(n_out * n_in * 9, 1), Number::F16);
        let floats = taps_first(&values, n_in, 9);
        let x = random(batch * side.0 * side.1 * n_in, 2);
        let dy = random(batch * shape.output.0 * shape.output.1 * n_out, 3);
        let bias = random(n_out, 4);
        let doubles = |values: Vec<f32>| values.into_iter().map(f64::from).collect::<Vec<_>>();
        let y = doubles(conv::forward(shape, &x, &floats, Some(&bias)));
        let dx = doubles(conv::backward(shape, &dy, &floats));
        for numbers in [Numbers::Stored(Number::F16, &bytes), Numbers::Floats(&floats)] {
            let weight = Weight {
                numbers,
                n_out,
                n_in,
                n_taps: 9,
            };
            assert_close(
                &conv::forward_streamed(shape, &x, weight, Some(&bias)),
                &y,
                9 * n_in,
            );
            if shape.is_reversible() {
                assert_close(&conv::backward_streamed(shape, &dy, weight), &dx, 9 * n_out);
            }
        }
    }
}
