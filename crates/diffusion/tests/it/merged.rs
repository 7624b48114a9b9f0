//! A LoRA merged into bases of half precision, with the mathematics of sd-scripts (tools/golden/merged.py).

use diffusion::lora::edit::{Source, apply::Applied, merge::Weighted, open_base};
use half::{bf16, f16};
use safetensors::Dtype;

use crate::{
    bases::files::{self, File},
    golden::{self, Golden},
};

const PARTS: [&str; 3] = ["unet", "text_encoder", "text_encoder_2"];
/// Of how many numbers one is stored.
const STRIDE: usize = 5;

/// tiny-xl in BF16.
fn rounded(folder: &std::path::Path) {
    files::folder(folder, &PARTS);
    for part in PARTS {
        let mut file = File::part(part);
        for (dtype, _, bytes) in file.tensors.values_mut() {
            if *dtype == Dtype::F16 {
                let numbers = bytes
                    .chunks_exact(2)
                    .map(|pair| f16::from_le_bytes([pair[0], pair[1]]));
                let rounded = numbers.flat_map(|number| bf16::from_f32(number.to_f32()).to_le_bytes());
                *bytes = rounded.collect();
                *dtype = Dtype::BF16;
            }
        }
        file.write(&folder.join(files::file_of(part)));
    }
}

#[test]
fn every_weight_is_rounded_once() {
    let folder = tempfile::tempdir().unwrap();
    let of_bf16 = folder.path().join("bf16");
    rounded(&of_bf16);
    let source = Source::open(&golden::folder().join("foreign/kohya_locon.safetensors")).unwrap();
    let golden = Golden::named("merged.safetensors");
    for (label, base) in [("f16", "tiny-xl"), ("bf16", of_bf16.to_str().unwrap())] {
        let base = open_base(base).unwrap();
        let file = Weighted {
            source: &source,
            weight: 0.7,
        };
        let applied = Applied::new(&base, &[file]).unwrap();
        assert_eq!(applied.n_changed, 11);
        let (mut n_tensors, mut n_numbers, mut n_equal) = (0, 0, 0);
        for file in &base.files {
            for key in file.names().filter(|key| applied.changes(file, key)) {
                let bytes = applied.bytes(file, key).unwrap();
                let number = |pair: &[u8]| match label {
                    "f16" => f16::from_le_bytes([pair[0], pair[1]]).to_f32(),
                    _ => bf16::from_le_bytes([pair[0], pair[1]]).to_f32(),
                };
                let found: Vec<f32> = bytes.chunks_exact(2).map(number).step_by(STRIDE).collect();
                // Both text encoders have the same names, and other sizes.
                let expected = PARTS.iter().find_map(|part| {
                    let name = format!("{label}/{part}/{key}");
                    let expected = golden.has(&name).then(|| golden.tensor(&name))?;
                    let expected: Vec<f32> = expected.to_vec1().unwrap();
                    (expected.len() == found.len()).then_some(expected)
                });
                let expected = expected.unwrap_or_else(|| panic!("{label}: no `{key}`"));
                n_tensors += 1;
                for (found, expected) in found.iter().zip(&expected) {
                    n_numbers += 1;
                    n_equal += usize::from(found == expected);
                    // Sums in another order may fall to the other side of a rounding edge.
                    let step = expected.abs() * if label == "f16" { 1.0 / 1024.0 } else { 1.0 / 128.0 };
                    assert!(
                        (found - expected).abs() <= step.max(1e-7),
                        "{label}, {key}: {found}, expected {expected}"
                    );
                }
            }
        }
        assert_eq!(n_tensors, 11);
        let share = n_equal as f64 / f64::from(n_numbers);
        assert!(share > 0.998, "{label}: {share} of the numbers are equal");
    }
}
