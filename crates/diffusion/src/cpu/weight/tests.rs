//! Weights of files against the same numbers in a buffer, which take another way.

use std::sync::Arc;

use half::f16;

use super::SMALL_WEIGHT;
use crate::{
    cpu::Cpu,
    device::{Device, Frozen, Matrix, TrainingDevice, floats, tensor},
    operation::{ConvGeometry, Number, Place},
    random::Random,
};

/// Random numbers in half precision, as a file has them.
fn frozen(shape: &[usize]) -> Frozen {
    let len: usize = shape.iter().product();
    let values = Random::from_seed(1).normal(len);
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| f16::from_f32(value / 16.0).to_le_bytes())
        .collect();
    let range = 0..bytes.len();
    Frozen::new(Arc::new(bytes), range, Number::F16, shape.to_vec()).unwrap()
}

#[track_caller]
fn assert_close(found: &candle_core::Tensor, expected: &candle_core::Tensor) {
    assert_eq!(found.dims(), expected.dims());
    let (found, expected) = (floats(found).unwrap(), floats(expected).unwrap());
    for (i, (found, expected)) in found.iter().zip(expected.iter()).enumerate() {
        let error = (found - expected).abs() / expected.abs().max(1.0);
        assert!(error < 1e-4, "value {i}: {found}, expected {expected}");
    }
}

#[test]
fn a_matrix_of_a_file() {
    // Small ones are laid out once, large ones are multiplied with where they lie.
    for (n_out, n_in) in [(24, 40), (1100, 500)] {
        let frozen = frozen(&[n_out, n_in]);
        let values = frozen.widened().unwrap();
        let place = Place {
            start: 0,
            rows: n_out,
            columns: n_in,
        };
        let buffer = floats(&values).unwrap().to_vec();
        let matrix = Matrix {
            buffer: &buffer,
            place,
        };
        let weight = Cpu.frozen_weight(frozen).unwrap();
        assert_eq!(weight.layouts.is_some(), n_out * n_in <= SMALL_WEIGHT);
        let x = tensor(Random::from_seed(2).normal(13 * n_in), [13, n_in]).unwrap();
        let y = Cpu.linear(&x, &weight, None).unwrap();
        assert_close(&y, &Cpu.project(&x, matrix).unwrap());
        assert_close(
            &Cpu.linear_grad(&y, &weight).unwrap(),
            &Cpu.project_grad(&y, matrix, 1.0).unwrap(),
        );
        assert_close(&weight.values().unwrap(), &values);
    }
}

#[test]
fn a_convolution_of_a_file() {
    for (n_out, n_in) in [(8, 6), (300, 200)] {
        let frozen = frozen(&[n_out, n_in, 3, 3]);
        let values = frozen.widened().unwrap();
        assert_eq!(values.dims(), [n_out, 3, 3, n_in]);
        let buffer = floats(&values).unwrap().to_vec();
        let matrix = Matrix {
            buffer: &buffer,
            place: Place {
                start: 0,
                rows: n_out,
                columns: 9 * n_in,
            },
        };
        let weight = Cpu.frozen_weight(frozen).unwrap();
        assert_eq!(weight.layouts.is_some(), 9 * n_out * n_in <= SMALL_WEIGHT);
        let none = tensor(vec![0.0; n_out], [n_out]).unwrap();
        let x = tensor(Random::from_seed(2).normal(7 * 6 * n_in), [1, 7, 6, n_in]).unwrap();
        for geometry in [ConvGeometry::SAME, ConvGeometry::HALVE] {
            let y = Cpu.conv2d(&x, &weight, &none, geometry).unwrap();
            assert_close(&y, &Cpu.convolve(&x, matrix, geometry).unwrap());
            // The same weight in `f32`, which is another way where kernels are read.
            let host = Cpu.weight(values.clone()).unwrap();
            let dx = Cpu.conv2d_grad(&y, x.dims(), &weight, geometry).unwrap();
            assert_close(&dx, &Cpu.conv2d_grad(&y, x.dims(), &host, geometry).unwrap());
        }
    }
}

#[test]
fn rows_of_a_file() {
    let frozen = frozen(&[9, 5]);
    let values = floats(&frozen.widened().unwrap()).unwrap().to_vec();
    let rows = frozen.rows(&[7, 0, 7]);
    assert_eq!(rows, [&values[35..40], &values[..5], &values[35..40]].concat());
    let too_short = Frozen::new(Arc::new(vec![0; 9]), 0..9, Number::F16, vec![5]);
    assert!(too_short.is_none());
}
