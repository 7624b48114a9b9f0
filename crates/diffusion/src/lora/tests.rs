//! Names both ways, formats, kinds, and LoRAs that cannot be used.

mod damages;
mod embeddings;
mod kinds;
mod models;
mod spellings;

use std::fs;

use safetensors::{Dtype, tensor::TensorView};

use super::{names::Found, *};
use crate::{base::BaseModel, weights::TensorFile};

/// A LoRA file of constant numbers.
fn write(path: &Path, tensors: &[(&str, &[usize], f32)]) {
    write_with(path, tensors, &[]);
}

/// The same with a header.
fn write_with(path: &Path, tensors: &[(&str, &[usize], f32)], metadata: &[(&str, &str)]) {
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
    let metadata: HashMap<String, String> = metadata
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let metadata = (!metadata.is_empty()).then_some(metadata);
    fs::write(path, safetensors::serialize(views, metadata).unwrap()).unwrap();
}

const DOWN: &str = "lora_unet_input_blocks_4_1_proj_in.lora_down.weight";
const UP: &str = "lora_unet_input_blocks_4_1_proj_in.lora_up.weight";
const ALPHA: &str = "lora_unet_input_blocks_4_1_proj_in.alpha";
const PROJ_IN: &str = "lora_unet_input_blocks_4_1_proj_in";

/// Every module of real SDXL and of tiny-xl has a diffusers name, and comes back from it.
#[test]
fn names_go_both_ways() {
    let base = BaseModel::built_in("tiny-xl").unwrap();
    let sdxl = crate::unet::UnetConfig::sdxl();
    let sdxl = sdxl.lora_targets().into_iter().map(|target| target.key);
    let mut n = 0;
    for key in sdxl.chain(base.lora_layers().into_keys()) {
        let theirs = names::kohya_to_diffusers(&key).unwrap_or_else(|| panic!("{key}"));
        for spelling in [&key, &theirs] {
            assert_eq!(names::find(spelling), Some(Found::One(key.clone())), "{spelling}");
        }
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
        assert_eq!(names::find(hostile), None, "{hostile}");
    }
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

/// The change of one module of a file of PEFT, of constant matrices.
fn peft_change(path: &Path) -> f32 {
    let lora = Lora::open(path).unwrap();
    let module = &lora.modules()[PROJ_IN];
    let delta = module.delta().unwrap().unwrap();
    delta.flatten_all().unwrap().to_vec1::<f32>().unwrap()[0]
}

#[test]
fn a_folder_of_peft_is_opened_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let peft = "base_model.model.down_blocks.1.attentions.0.proj_in";
    let (down, up) = (format!("{peft}.lora_A.weight"), format!("{peft}.lora_B.weight"));
    let tensors: [(&str, &[usize], f32); 2] = [(&down, &[4, 8], 0.5), (&up, &[8, 4], 1.0)];
    let ink = folder.path().join("ink");
    fs::create_dir(&ink).unwrap();
    write(&ink.join("adapter_model.safetensors"), &tensors);
    // Without a word on it, alpha is the rank: 4 · 0.5 · 1.
    assert_eq!(peft_change(&ink), 2.0);
    let mut pattern = serde_json::json!({ "r": 4, "lora_alpha": 8, "use_rslora": false });
    let mut says = |key: &str, value: serde_json::Value| {
        pattern[key] = value;
        fs::write(ink.join("adapter_config.json"), pattern.to_string()).unwrap();
        // An import puts the same into the header of a file that stands alone.
        let header: serde_json::Map<String, serde_json::Value> = pattern
            .as_object()
            .unwrap()
            .iter()
            .map(|(key, value)| (format!("unet.{key}"), value.clone()))
            .collect();
        let header = serde_json::Value::Object(header).to_string();
        let alone = folder.path().join("alone.safetensors");
        write_with(&alone, &tensors, &[("lora_adapter_metadata", &header)]);
        assert_eq!(peft_change(&alone), peft_change(&ink));
        peft_change(&ink)
    };
    assert_eq!(says("lora_alpha", 8.into()), 4.0);
    assert_eq!(says("use_rslora", true.into()), 8.0);
    let special = serde_json::json!({ "attentions.0.proj_in": 2 });
    assert_eq!(says("alpha_pattern", special), 2.0);
    let source = edit::Source::open(&ink).unwrap();
    assert_eq!(name_of(source.path()), "ink");
}
