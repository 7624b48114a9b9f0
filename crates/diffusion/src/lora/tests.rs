//! Names both ways, formats, and LoRAs that cannot be used.

use std::fs;

use safetensors::{Dtype, tensor::TensorView};

use super::*;
use crate::weights::TensorFile;

/// A LoRA file of constant numbers.
fn write(path: &Path, tensors: &[(&str, &[usize], f32)]) {
    let stored: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, shape, value)| {
            let n = shape.iter().product();
            let bytes = std::iter::repeat_n(value.to_le_bytes(), n).flatten().collect();
            ((*name).to_owned(), shape.to_vec(), bytes)
        })
        .collect();
    let views = stored
        .iter()
        .map(|(name, shape, bytes)| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

const DOWN: &str = "lora_unet_input_blocks_4_1_proj_in.lora_down.weight";
const UP: &str = "lora_unet_input_blocks_4_1_proj_in.lora_up.weight";
const ALPHA: &str = "lora_unet_input_blocks_4_1_proj_in.alpha";

#[track_caller]
fn check_refused(tensors: &[(&str, &[usize], f32)], expected: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.safetensors");
    write(&path, tensors);
    let base = BaseModel::built_in("tiny-xl").unwrap();
    let error = Lora::open(&path)
        .and_then(|lora| adapters(&base, [(&lora, 1.0)]))
        .unwrap_err();
    let mut words = error.to_string();
    if let Some(source) = std::error::Error::source(&error) {
        words.push_str(&format!(": {source}"));
    }
    for word in expected.iter().chain([&"broken.safetensors"]) {
        assert!(words.contains(word), "`{words}` does not say `{word}`");
    }
}

#[test]
fn loras_that_cannot_be_used() {
    check_refused(&[], &["not a LoRA", "no tensors"]);
    check_refused(
        &[("model.diffusion_model.x", &[1], 0.0)],
        &["not a LoRA", "diffusion_model"],
    );
    check_refused(&[(DOWN, &[2, 64], 1.0)], &["proj_in", "no up matrix"]);
    check_refused(&[(UP, &[64, 2], 1.0)], &["no down matrix"]);
    check_refused(
        &[(DOWN, &[2, 64], 1.0), (UP, &[64, 2], f32::NAN), (ALPHA, &[], 1.0)],
        &["1 of 3 tensors hold NaN or infinity", UP],
    );
    check_refused(
        &[(DOWN, &[2, 64], 1.0), (UP, &[64, 3], 1.0)],
        &["proj_in", "do not fit together"],
    );
    check_refused(
        &[(DOWN, &[2, 640], 1.0), (UP, &[640, 2], 1.0)],
        &["does not fit base model `tiny-xl`", "(640, 640)", "(64, 64)"],
    );
    check_refused(
        &[
            (
                "lora_unet_input_blocks_4_0_in_layers_2.lora_down.weight",
                &[2, 32, 3, 3],
                1.0,
            ),
            (
                "lora_unet_input_blocks_4_0_in_layers_2.lora_up.weight",
                &[64, 2, 1, 1],
                1.0,
            ),
        ],
        &["convolution (conv_dim)", "plain LoRA"],
    );
    check_refused(
        &[("lora_unet_x.hada_w1_a", &[2, 2], 1.0)],
        &["lora_unet_x", "a LoHa"],
    );
    check_refused(&[("lora_unet_x.dora_scale", &[2, 2], 1.0)], &["a DoRA"]);
    check_refused(
        &[
            (
                "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight",
                &[2, 32],
                1.0,
            ),
            (
                "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_up.weight",
                &[128, 2],
                1.0,
            ),
        ],
        &[
            "no module `lora_te_text",
            "1 of 1 are unknown",
            "Stable Diffusion 1",
        ],
    );
}

#[test]
fn every_format_means_the_same_module() {
    let endings = [
        (
            "lora_unet_input_blocks_5_1_transformer_blocks_0_attn1_to_out_0",
            ".lora_down.weight",
        ),
        (
            "lora_unet_down_blocks_1_attentions_1_transformer_blocks_0_attn1_to_out_0",
            ".lora_down.weight",
        ),
        (
            "unet.down_blocks.1.attentions.1.transformer_blocks.0.attn1.to_out.0",
            ".lora_A.weight",
        ),
        (
            "unet.down_blocks.1.attentions.1.transformer_blocks.0.attn1.to_out.0",
            ".lora.down.weight",
        ),
        (
            "unet.down_blocks.1.attentions.1.transformer_blocks.0.attn1.processor.to_out",
            "_lora.down.weight",
        ),
        (
            "base_model.model.down_blocks.1.attentions.1.transformer_blocks.0.attn1.to_out.0",
            ".lora_A.weight",
        ),
    ];
    for (module, ending) in endings {
        assert_eq!(
            names::parse(&format!("{module}{ending}")),
            Some(names::Parsed::Tensor {
                module: endings[0].0.to_owned(),
                role: names::Role::Down
            }),
            "{module}{ending}"
        );
    }
    assert_eq!(
        names::parse("text_encoder_2.text_model.encoder.layers.3.mlp.fc1.lora_linear_layer.up.weight"),
        Some(names::Parsed::Tensor {
            module: "lora_te2_text_model_encoder_layers_3_mlp_fc1".to_owned(),
            role: names::Role::Up
        })
    );
    for other in [
        "",
        "x.weight",
        "unet.nonsense.lora_A.weight",
        "unet.lora_A.weight",
        "lora_A.weight",
    ] {
        assert_eq!(names::parse(other), None, "{other}");
    }
}

/// Every module of real SDXL and of tiny-xl has a diffusers name, and comes back from it.
#[test]
fn names_go_both_ways() {
    let base = BaseModel::built_in("tiny-xl").unwrap();
    let sdxl = crate::unet::UnetConfig::sdxl();
    let sdxl = sdxl.lora_targets().into_iter().map(|target| target.key);
    let mut n = 0;
    for key in sdxl.chain(base.lora_layers().into_keys()) {
        let theirs = names::kohya_to_diffusers(&key).unwrap_or_else(|| panic!("{key}"));
        assert_eq!(names::diffusers_to_kohya(&theirs).as_deref(), Some(key.as_str()));
        n += 1;
    }
    assert!(n > 722, "{n}");
    assert_eq!(
        names::kohya_to_diffusers("lora_unet_middle_block_1_transformer_blocks_9_ff_net_0_proj").unwrap(),
        "unet.mid_block.attentions.0.transformer_blocks.9.ff.net.0.proj"
    );
    for hostile in [
        "",
        "lora_unet_",
        "lora_unet_proj_in",
        "lora_te1_text_model_encoder_layers_x_mlp_fc1",
    ] {
        assert_eq!(names::kohya_to_diffusers(hostile), None, "{hostile}");
    }
}

#[test]
fn alpha_is_found_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    let open = || Lora::open(&path).unwrap();
    let alpha = |lora: &Lora| lora.modules()["lora_unet_input_blocks_4_1_proj_in"].alpha;

    let matrices = [(DOWN, &[2, 64][..], 1.0), (UP, &[64, 2][..], 0.0)];
    write(&path, &matrices);
    assert_eq!(alpha(&open()), None);
    assert!(open().is_zero().unwrap());
    assert_eq!(open().ranks(), (2, 2));
    write(&path, &[matrices[0], matrices[1], (ALPHA, &[], 16.0)]);
    assert_eq!(alpha(&open()), Some(16.0));
    write(&path, &[matrices[0], matrices[1], (ALPHA, &[], 0.0)]);
    assert_eq!(alpha(&open()), None);

    let metadata = r#"{"unet.lora_alpha": 8, "unet.alpha_pattern": {"proj_out": 4}}"#;
    let metadata = HashMap::from([("lora_adapter_metadata".to_owned(), metadata.to_owned())]);
    let stored = names::StoredAlphas::from_metadata(&metadata);
    assert_eq!(stored.of("lora_unet_input_blocks_4_1_proj_in"), Some(8.0));
    assert_eq!(stored.of("lora_unet_input_blocks_4_1_proj_out"), Some(4.0));
    assert_eq!(stored.of("lora_te1_text_model_encoder_layers_0_mlp_fc1"), None);
}

#[test]
fn weight_zero_leaves_no_trace() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/lora.safetensors");
    let lora = Lora::from_file(&TensorFile::open(&golden).unwrap()).unwrap();
    let base = BaseModel::built_in("tiny-xl").unwrap();
    assert!(adapters(&base, [(&lora, 0.0)]).unwrap().is_empty());
    assert_eq!(
        adapters(&base, [(&lora, 0.5), (&lora, 0.0)])
            .unwrap()
            .keys()
            .count(),
        8
    );
}
