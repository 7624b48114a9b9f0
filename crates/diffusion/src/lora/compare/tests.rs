//! Pairs of files whose relation is known.

use std::{collections::HashMap, fs, path::Path};

use safetensors::{Dtype, tensor::TensorView};

use super::*;
use crate::random::Random;

const MODULE: &str = "lora_unet_input_blocks_4_1_proj_in";
const N_IN: usize = 12;
const N_OUT: usize = 7;

/// A module's matrices, and its alpha.
#[derive(Clone)]
struct Matrices {
    down: Vec<f32>,
    up: Vec<f32>,
    rank: usize,
    alpha: f32,
}

fn random(rank: usize, seed: u64) -> Matrices {
    let mut random = Random::from_seed(seed);
    Matrices {
        down: random.normal(rank * N_IN),
        up: random.normal(N_OUT * rank),
        rank,
        alpha: rank as f32,
    }
}

fn file(folder: &Path, name: &str, module: &Matrices, metadata: &[(&str, &str)]) -> TensorFile {
    let bytes = |values: &[f32]| values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let stored = [
        ("lora_down.weight", vec![module.rank, N_IN], bytes(&module.down)),
        ("lora_up.weight", vec![N_OUT, module.rank], bytes(&module.up)),
        ("alpha", vec![], bytes(&[module.alpha])),
    ];
    let views = stored.iter().map(|(part, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap();
        (format!("{MODULE}.{part}"), view)
    });
    let metadata: HashMap<_, _> = metadata
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let path = folder.join(name);
    fs::write(&path, safetensors::serialize(views, Some(metadata)).unwrap()).unwrap();
    TensorFile::open(&path).unwrap()
}

fn compared(left: &Matrices, right: &Matrices) -> Comparison {
    let folder = tempfile::tempdir().unwrap();
    let left = file(folder.path(), "left.safetensors", left, &[]);
    compare(&left, &file(folder.path(), "right.safetensors", right, &[])).unwrap()
}

#[track_caller]
fn assert_close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().copied().fold(0.0, f64::max);
    for (found, expected) in found.iter().zip(expected) {
        // Matrices are stored in single precision.
        assert!(
            (found - expected).abs() < 1e-5 * largest,
            "{found} is not {expected}"
        );
    }
}

#[test]
fn a_file_and_itself() {
    let comparison = compared(&random(4, 1), &random(4, 1));
    let pair = comparison.total;
    assert_eq!((pair.difference, pair.left), (0.0, pair.right));
    assert!((pair.cosine.unwrap() - 1.0).abs() < 1e-12);
    assert_eq!(comparison.tensors.n_common, 3);
    assert_eq!(comparison.forms[0], comparison.forms[1]);
    let [left, right] = &comparison.modules[0].spectra;
    assert_eq!(left, right);
    // The norm is that of the singular values.
    let squares: f64 = left.iter().map(|value| value * value).sum();
    assert_close(&[squares.sqrt()], &[pair.left]);
}

#[test]
fn twice_and_minus_a_file() {
    let single = random(4, 1);
    let mut double = single.clone();
    double.alpha *= 2.0;
    let pair = compared(&single, &double).total;
    assert_close(&[pair.right, pair.difference], &[2.0 * pair.left, 0.5]);
    assert!((pair.cosine.unwrap() - 1.0).abs() < 1e-12);
    let mut negative = single.clone();
    negative.up.iter_mut().for_each(|x| *x = -*x);
    let pair = compared(&single, &negative).total;
    assert_close(&[pair.difference, -pair.cosine.unwrap()], &[2.0, 1.0]);
}

#[test]
fn the_same_product_from_another_rank() {
    let narrow = random(2, 1);
    // Half of every column twice, and a column that adds nothing.
    let mut wide = Matrices {
        down: [&narrow.down[..], &narrow.down, &[0.5; N_IN]].concat(),
        up: Vec::new(),
        rank: 5,
        alpha: 5.0,
    };
    for row in narrow.up.chunks_exact(2) {
        let halves = [row[0] / 2.0, row[1] / 2.0];
        wide.up.extend([&halves[..], &halves, &[0.0]].concat());
    }
    let comparison = compared(&narrow, &wide);
    assert!(comparison.total.difference < 1e-6, "{:?}", comparison.total);
    let [left, right] = &comparison.modules[0].spectra;
    assert_close(&right[..2], left);
    assert_close(&[1.0, right[2], right[3], right[4]], &[1.0, 0.0, 0.0, 0.0]);
    assert_eq!(comparison.tensors.other_shape.len(), 2);
    assert_ne!(comparison.forms[0].ranks, comparison.forms[1].ranks);
}

#[test]
fn singular_values_that_are_known() {
    // up and down pick coordinates, so that the product is diagonal: 3, 2 and 0.5 on rotated axes.
    let (cos, sin) = (0.6, 0.8);
    let mut module = random(3, 1);
    module.down.fill(0.0);
    module.up.fill(0.0);
    for (index, value) in [2.0, 3.0, 0.5].into_iter().enumerate() {
        module.down[index * N_IN + index] = value;
    }
    for (row, column, value) in [(0, 0, cos), (1, 0, sin), (0, 1, -sin), (1, 1, cos), (2, 2, 1.0)] {
        module.up[row * 3 + column] = value;
    }
    assert_close(
        &compared(&module, &module).modules[0].spectra[0],
        &[3.0, 2.0, 0.5],
    );
}

#[test]
fn a_bottleneck_wider_than_its_layer() {
    let module = random(20, 3);
    let spectrum = &compared(&module, &module).modules[0].spectra[0];
    assert_eq!(spectrum.len(), 20);
    assert!(spectrum[N_OUT - 1] > 0.0 && spectrum[N_OUT..].iter().all(|value| *value == 0.0));
}

#[test]
fn modules_that_change_nothing() {
    let mut zero = random(4, 1);
    zero.up.fill(0.0);
    let pair = compared(&zero, &zero).total;
    assert_eq!((pair.cosine, pair.difference), (None, 0.0));
    let pair = compared(&zero, &random(4, 1)).total;
    assert_eq!((pair.cosine, pair.difference), (None, 1.0));
}

#[test]
fn what_the_headers_say() {
    let folder = tempfile::tempdir().unwrap();
    let module = random(4, 1);
    let left = file(
        folder.path(),
        "a",
        &module,
        &[("ss_seed", "1"), ("ss_epoch", "3")],
    );
    let right = file(
        folder.path(),
        "b",
        &module,
        &[("ss_seed", "2"), ("ss_epoch", "3")],
    );
    let metadata = compare(&left, &right).unwrap().metadata;
    let expected = MetadataDifference {
        key: "ss_seed".into(),
        left: Some("1".into()),
        right: Some("2".into()),
    };
    assert_eq!(metadata, [expected]);
}

#[test]
fn blocks_have_their_place_in_the_model() {
    let mut blocks = [
        "lora_unet_output_blocks_0_1_proj_in",
        "lora_unet_middle_block_1_proj_in",
        "lora_unet_input_blocks_10_1_proj_in",
        "lora_unet_input_blocks_4_1_proj_in",
        "lora_te1_text_model_encoder_layers_0_mlp_fc1",
    ]
    .map(block_of);
    blocks.sort();
    let names = blocks.map(|(_, _, name)| name);
    let expected = [
        "te1",
        "input_blocks_4",
        "input_blocks_10",
        "middle_block",
        "output_blocks_0",
    ];
    assert_eq!(names, expected);
}
