//! Against NumPy's decompositions (`tools/golden/lora_edits.py`), and against what must hold of any.

use std::path::Path;

use super::*;
use crate::weights::TensorFile;

fn golden(name: &str) -> Vec<f64> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/lora_edits.safetensors");
    let values = TensorFile::open(&path).unwrap().read(name).unwrap();
    values.into_iter().map(f64::from).collect()
}

/// The matrix of the same name in `lora_edits.py`.
fn large(n_rows: usize, n_columns: usize) -> Vec<f32> {
    let mut values = Vec::new();
    for i in 1..=n_rows {
        for j in 1..=n_columns {
            let (i, j) = (i as f64, j as f64);
            let waves: f64 = (0..12)
                .map(|k| {
                    let k = f64::from(k);
                    0.8_f64.powf(k) * (0.37 * i * (k + 1.0)).sin() * (0.11 * j * (k + 2.0)).cos()
                })
                .sum();
            let noise = 0.01 * (12.9898 * i + 78.233 * j + 0.001 * i * j * j).sin();
            values.push((waves + noise) as f32);
        }
    }
    values
}

fn columns(n: usize, length: usize, seed: u64) -> Vec<Vec<f64>> {
    let values = Random::from_seed(seed).normal(n * length);
    values
        .chunks_exact(length)
        .map(|column| column.iter().copied().map(f64::from).collect())
        .collect()
}

#[track_caller]
fn assert_orthonormal(vectors: &[Vec<f64>]) {
    for (i, a) in vectors.iter().enumerate() {
        for (j, b) in vectors.iter().enumerate() {
            let expected = f64::from(u8::from(i == j));
            assert!((dot(a, b) - expected).abs() < 1e-9, "{i} {j}: {}", dot(a, b));
        }
    }
}

/// Largest difference between the matrix with these columns and what was made of it.
fn error(svd: &Svd, columns: &[Vec<f64>]) -> f64 {
    let mut largest = 0.0_f64;
    for (j, column) in columns.iter().enumerate() {
        for (i, expected) in column.iter().enumerate() {
            let terms = svd.left.iter().zip(&svd.right).zip(&svd.values);
            let found: f64 = terms
                .map(|((left, right), value)| value * left[i] * right[j])
                .sum();
            largest = largest.max((found - expected).abs());
        }
    }
    largest
}

#[test]
fn a_matrix_of_any_shape_comes_back() {
    for (n_rows, n_columns) in [(1, 1), (1, 7), (7, 1), (9, 5), (5, 9), (30, 30)] {
        let columns = columns(n_columns, n_rows, 3);
        let svd = Svd::of_columns(columns.clone());
        assert!(error(&svd, &columns) < 1e-12);
        assert!(svd.values.is_sorted_by(|a, b| a >= b));
        let n = n_rows.min(n_columns);
        assert_orthonormal(&svd.left[..n]);
        assert_orthonormal(&svd.right[..n]);
    }
}

#[test]
fn a_product_is_decomposed_without_forming_it() {
    for (n_out, n_in, rank) in [(20, 11, 4), (3, 11, 5), (11, 3, 5), (4, 4, 1)] {
        let (up, down) = (columns(rank, n_out, 1), columns(rank, n_in, 2));
        let product = outer_product(&up, &down);
        let svd = Svd::of_product(up, down);
        assert!(error(&svd, &product) < 1e-11, "{n_out} {n_in} {rank}");
    }
}

#[test]
fn matrices_without_a_direction() {
    let zero = vec![vec![0.0; 4]; 3];
    assert!(
        Svd::of_columns(zero.clone())
            .values
            .iter()
            .all(|value| *value == 0.0)
    );
    let svd = Svd::of_product(zero, columns(3, 5, 1));
    assert!(svd.values.iter().all(|value| *value == 0.0));
    assert!(
        svd.left
            .iter()
            .flatten()
            .chain(svd.right.iter().flatten())
            .all(|x| x.is_finite())
    );
}

#[test]
fn large_matrices_are_cut_as_numpy_cuts_them() {
    for (name, size) in [("large.values", [320, 260]), ("wide.values", [230, 500])] {
        let matrix = large(size[0], size[1]);
        let svd = largest(&matrix, size, 10).unwrap();
        for (found, expected) in svd.values.iter().zip(golden(name)) {
            assert!(
                (found - expected).abs() < 1e-5 * expected,
                "{name}: {found} is not {expected}"
            );
        }
        assert_eq!(
            (svd.values.len(), svd.left[0].len(), svd.right[0].len()),
            (10, size[0], size[1])
        );
        assert_orthonormal(&svd.left);
        assert_orthonormal(&svd.right);
        assert_eq!(svd, largest(&matrix, size, 10).unwrap());
    }
}
