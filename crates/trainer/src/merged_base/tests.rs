//! A LoRA merged into `tiny-xl`, and taken out of it again.

use diffusion::{
    base::BaseModel,
    lora::edit::{
        Factors, Source, Storage,
        extract::{Options, extract},
        merge::Weighted,
        open_base,
    },
    weights::{Rounding, Stored},
};

use super::*;
use crate::metadata::write_stored_lora;

const UNET: &str = "lora_unet_middle_block_1_transformer_blocks_0_attn1_to_q";
const TEXT: &str = "lora_te2_text_model_encoder_layers_0_mlp_fc1";

/// A LoRA of rank 2 of a layer of the U-Net and one of a text encoder.
fn lora(folder: &Path, base: &Checkpoint) -> Source {
    let mut tensors = BTreeMap::new();
    let layers = [
        (
            UNET,
            &base.unet,
            "middle_block.1.transformer_blocks.0.attn1.to_q.weight",
        ),
        (
            TEXT,
            &base.text_encoder_2,
            "text_model.encoder.layers.0.mlp.fc1.weight",
        ),
    ];
    for (module, component, weight) in layers {
        let [n_out, n_in] = component.shape(weight).unwrap()[..] else {
            panic!("{weight} is no matrix");
        };
        let wave = |n: usize, step: f32| (0..n).map(|i| (i as f32 * step).sin()).collect::<Vec<f32>>();
        let down = Stored::new(&wave(2 * n_in, 1.3), vec![2, n_in], Rounding::F32);
        let up = Stored::new(&wave(2 * n_out, 0.7), vec![n_out, 2], Rounding::F32);
        tensors.extend([
            (format!("{module}.lora_down.weight"), down),
            (format!("{module}.lora_up.weight"), up),
            (format!("{module}.alpha"), Stored::number(1.0, Rounding::F32)),
        ]);
    }
    let path = folder.join("lora.safetensors");
    write_stored_lora(&path, &tensors, BTreeMap::new()).unwrap();
    Source::open(&path).unwrap()
}

/// Norm of the difference over that of the first.
fn distance(expected: &Factors, weight: f32, found: &Factors) -> f64 {
    let expected: Vec<f32> = expected.change().iter().map(|x| weight * x).collect();
    let difference: Vec<f32> = expected.iter().zip(found.change()).map(|(a, b)| a - b).collect();
    let square = |values: &[f32]| values.iter().map(|x| f64::from(x * x)).sum::<f64>();
    (square(&difference) / square(&expected)).sqrt()
}

#[test]
fn what_was_merged_in_comes_out_again() {
    let folder = tempfile::tempdir().unwrap();
    let base = open_base("tiny-xl").unwrap();
    let source = lora(folder.path(), &base);
    let file = Weighted {
        source: &source,
        weight: 0.5,
    };
    let applied = Applied::new(&base, &[file]).unwrap();
    assert_eq!(applied.n_changed, 2);
    let out = folder.path().join("merged");
    assert_eq!(write_merged(&base, &applied, &out).unwrap(), [] as [PathBuf; 0]);
    BaseModel::load(&out).unwrap();

    let options = Options {
        rank: 2,
        conv_rank: None,
        clamp: None,
        min_difference: 0.0,
    };
    let merged = Checkpoint::open(&out).unwrap();
    let extracted = extract(&base, &merged, &options, Storage::Fixed(Rounding::F32)).unwrap();
    let path = folder.path().join("extracted.safetensors");
    write_stored_lora(&path, &extracted.tensors, extracted.metadata).unwrap();
    let before = source.factors("read").unwrap();
    let after = Source::open(&path).unwrap().factors("read").unwrap();
    assert_eq!(
        before.keys().collect::<Vec<_>>(),
        after.keys().collect::<Vec<_>>()
    );
    for (module, before) in &before {
        // The base is stored in half precision.
        let distance = distance(before, 0.5, &after[module]);
        assert!(distance < 2e-3, "{module}: {distance}");
    }

    // A copy of a folder leaves out what would still be the old weights.
    std::fs::write(out.join("unet/diffusion_pytorch_model.bin"), "old").unwrap();
    let again = folder.path().join("again");
    let applied = Applied::new(&merged, &[file]).unwrap();
    let left_out = write_merged(&merged, &applied, &again).unwrap();
    assert_eq!(left_out, [Path::new("unet/diffusion_pytorch_model.bin")]);
    assert!(again.join("unet/config.json").is_file());
    // A folder that has something in it is never replaced.
    let err = write_merged(&merged, &applied, &out).unwrap_err();
    assert_eq!(err.path, out);
    assert!(out.join("unet/diffusion_pytorch_model.bin").is_file());
    let names = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(names, 4, "a temporary folder is left");
}
