//! Names both ways, hostile files, and what is said about files that are no base model.

use std::{collections::HashMap, fs, path::Path};

use safetensors::{Dtype, tensor::TensorView};

use super::*;
use crate::layers::WeightSource;

/// Writes a safetensors file of zeros in F32.
fn write_file(path: &Path, tensors: &[(&str, &[usize])]) {
    let zeros = vec![0; 4 * 4096];
    let views: HashMap<String, TensorView> = tensors
        .iter()
        .map(|(name, shape)| {
            let bytes = &zeros[..4 * shape.iter().product::<usize>()];
            let view = TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap();
            ((*name).to_owned(), view)
        })
        .collect();
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

#[track_caller]
fn check_refused(file: &str, content: impl FnOnce(&Path), expected: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(file);
    content(&path);
    let error = Checkpoint::open(&path).unwrap_err().to_string();
    for word in expected.iter().chain([&file]) {
        assert!(error.contains(word), "`{error}` does not say `{word}`");
    }
}

#[test]
fn files_that_are_no_base_model() {
    check_refused("nothing.safetensors", |_| {}, &["no file or folder"]);
    check_refused(
        "empty.safetensors",
        |p| fs::write(p, b"").unwrap(),
        &["is empty", "download it again"],
    );
    check_refused(
        "old.ckpt",
        |p| fs::write(p, b"PK\x03\x04......").unwrap(),
        &["pickled"],
    );
    check_refused(
        "renamed.safetensors",
        |p| fs::write(p, b"PK\x03\x04......").unwrap(),
        &["pickled", "convert it to safetensors"],
    );
    let cases: [(&str, &str); 20] = [
        ("lora_unet_x.lora_up.weight", "found a LoRA,"),
        ("cond_stage_model.transformer.x", "Stable Diffusion 1"),
        ("cond_stage_model.model.x", "Stable Diffusion 2"),
        ("conditioner.embedders.0.model.x", "refiner"),
        ("hello", "1 other tensors such as `hello`"),
        (
            "transformer_blocks.0.attn1.to_q.weight",
            "found a diffusion transformer,",
        ),
        ("blocks.0.attn2.to_q.weight", "a Wan model or a relative of it"),
        ("blocks.0.cross_attn.k.weight", "a Wan model or a relative of it"),
        ("joint_transformer_blocks.0.attn.to_q.weight", "an AuraFlow model"),
        (
            "single_transformer_blocks.0.attn.to_q.weight",
            "a Flux model or a relative of it, in diffusers' format",
        ),
        (
            "noise_refiner.0.attention.to_q.weight",
            "a Lumina or Z-Image model",
        ),
        (
            "encoder.block.0.layer.0.SelfAttention.q.weight",
            "a text encoder (T5)",
        ),
        ("decoder.layers.0.weight", "a tiny autoencoder (TAESD)"),
        ("model.0.conv.weight", "a detector (YOLO)"),
        ("latents_64x64", "the latents of a picture"),
        ("blk.0.attn_q.weight", "a model with GGUF's names"),
        ("lora_controlnet", "a Control-LoRA (a ControlNet)"),
        (
            "double_blocks.0.processor.qkv_lora1.down.weight",
            "a LoRA for Flux with XLabs' names",
        ),
        (
            "down_blocks.0.attentions.0.temporal_transformer_blocks.0.attn1.to_q.weight",
            "a Stable Video Diffusion model",
        ),
        ("state.0.exp_avg", "the state of an optimizer"),
    ];
    for (tensor, expected) in cases {
        let write = |path: &Path| write_file(path, &[(tensor, &[1])]);
        check_refused("m.safetensors", write, &[expected, "expected a single-file SDXL"]);
    }
    check_refused(
        "half.safetensors",
        |p| write_file(p, &[("model.diffusion_model.out.2.weight", &[1])]),
        &["a U-Net alone, in ComfyUI's naming"],
    );
    check_refused(
        "empty",
        |p| fs::create_dir(p).unwrap(),
        &["without `unet/config.json`"],
    );
}

/// Every way to cut or bend a header gives an error, not a panic.
#[test]
fn damaged_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    write_file(&path, &[("a", &[2, 3]), ("b", &[4])]);
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        TensorFile::open(&path).unwrap_err();
    }
    let headers = [
        r#"{"a":{"dtype":"F32","shape":[9223372036854775807,9223372036854775807],"data_offsets":[0,8]}}"#,
        r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#,
        r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551615]}}"#,
        r#"{"a":{"dtype":"F99","shape":[2],"data_offsets":[0,8]}}"#,
        r#"{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#,
        r#"{"a":[]}"#,
        "[[[[",
        "\u{0}",
    ];
    for header in headers {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend([0; 8]);
        fs::write(&path, bytes).unwrap();
        TensorFile::open(&path).unwrap_err();
    }
    fs::write(&path, u64::MAX.to_le_bytes()).unwrap();
    TensorFile::open(&path).unwrap_err();
}

#[test]
fn parts_of_a_stored_tensor() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    let numbers: Vec<u8> = (0..6).flat_map(|i| (i as f32).to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F32, vec![3, 2], &numbers).unwrap();
    fs::write(&path, safetensors::serialize([("m", view)], None).unwrap()).unwrap();
    let file = std::sync::Arc::new(TensorFile::open(&path).unwrap());
    let mut component = Component::new(path);
    component.list("whole".into(), &file, "m", Part::Whole);
    component.list("turned".into(), &file, "m", Part::Transposed);
    component.list("middle".into(), &file, "m", Part::Third(1));
    component.list("gone".into(), &file, "n", Part::Whole);
    let read = |name: &str| component.get(name).unwrap().to_vec2::<f32>().unwrap();
    assert_eq!(read("whole"), [[0., 1.], [2., 3.], [4., 5.]]);
    assert_eq!(read("turned"), [[0., 2., 4.], [1., 3., 5.]]);
    assert_eq!(read("middle"), [[2., 3.]]);
    for name in ["gone", "never"] {
        let error = component.get(name).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("x.safetensors"), "{error}");
    }
}

#[test]
fn half_precision_is_widened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    let f16 = half::f16::from_f32(1.5).to_le_bytes();
    let bf16 = half::bf16::from_f32(-2.5).to_le_bytes();
    let alpha = 16_i64.to_le_bytes();
    let tensors = [
        ("f16", TensorView::new(Dtype::F16, vec![1], &f16).unwrap()),
        ("bf16", TensorView::new(Dtype::BF16, vec![1], &bf16).unwrap()),
        ("alpha", TensorView::new(Dtype::I64, vec![], &alpha).unwrap()),
        ("bytes", TensorView::new(Dtype::U8, vec![2], &f16).unwrap()),
    ];
    fs::write(&path, safetensors::serialize(tensors, None).unwrap()).unwrap();
    let file = TensorFile::open(&path).unwrap();
    assert_eq!(file.read("f16").unwrap(), [1.5]);
    assert_eq!(file.read("bf16").unwrap(), [-2.5]);
    assert_eq!(file.read("alpha").unwrap(), [16.0]);
    let error = file.read("bytes").unwrap_err().to_string();
    assert!(
        error.contains("tensor `bytes`") && error.contains("U8"),
        "{error}"
    );
}

#[test]
fn unet_names_go_both_ways() {
    let pairs = [
        ("conv_in.weight", "input_blocks.0.0.weight"),
        ("time_embedding.linear_2.bias", "time_embed.2.bias"),
        ("add_embedding.linear_1.weight", "label_emb.0.0.weight"),
        (
            "down_blocks.0.resnets.1.conv1.weight",
            "input_blocks.2.0.in_layers.2.weight",
        ),
        (
            "down_blocks.0.downsamplers.0.conv.bias",
            "input_blocks.3.0.op.bias",
        ),
        (
            "down_blocks.2.resnets.0.conv_shortcut.weight",
            "input_blocks.7.0.skip_connection.weight",
        ),
        (
            "down_blocks.1.attentions.1.transformer_blocks.0.attn2.to_out.0.weight",
            "input_blocks.5.1.transformer_blocks.0.attn2.to_out.0.weight",
        ),
        (
            "mid_block.resnets.1.time_emb_proj.bias",
            "middle_block.2.emb_layers.1.bias",
        ),
        (
            "mid_block.attentions.0.proj_out.weight",
            "middle_block.1.proj_out.weight",
        ),
        (
            "up_blocks.0.upsamplers.0.conv.weight",
            "output_blocks.2.2.conv.weight",
        ),
        (
            "up_blocks.2.resnets.2.norm2.weight",
            "output_blocks.8.0.out_layers.0.weight",
        ),
        (
            "up_blocks.1.attentions.0.norm.bias",
            "output_blocks.3.1.norm.bias",
        ),
        ("conv_norm_out.weight", "out.0.weight"),
        ("up_blocks.1.attentions.0.proj_in", "output_blocks.3.1.proj_in"),
    ];
    for (theirs, ours) in pairs {
        assert_eq!(names::unet_from_diffusers(theirs, 2).as_deref(), Some(ours));
        assert_eq!(names::unet_to_diffusers(ours, 2).as_deref(), Some(theirs));
    }
    for hostile in [
        "",
        "up_blocks",
        "up_blocks.99999999999999999999.resnets.0.norm1",
        "mid_block.x.1.y",
    ] {
        assert_eq!(names::unet_from_diffusers(hostile, 2), None);
        assert_eq!(names::unet_to_diffusers(hostile, 2), None);
    }
    assert_eq!(
        names::unet_from_diffusers("up_blocks.9999.resnets.9999.norm1", usize::MAX),
        None
    );
}

#[test]
fn vae_names_of_single_files() {
    let pairs = [
        (
            "encoder.down.1.block.0.nin_shortcut.bias",
            "encoder.down_blocks.1.resnets.0.conv_shortcut.bias",
        ),
        (
            "encoder.down.2.downsample.conv.weight",
            "encoder.down_blocks.2.downsamplers.0.conv.weight",
        ),
        (
            "decoder.up.3.block.2.norm1.weight",
            "decoder.up_blocks.0.resnets.2.norm1.weight",
        ),
        (
            "decoder.up.1.upsample.conv.bias",
            "decoder.up_blocks.2.upsamplers.0.conv.bias",
        ),
        (
            "decoder.mid.block_2.conv2.weight",
            "decoder.mid_block.resnets.1.conv2.weight",
        ),
        (
            "decoder.mid.attn_1.norm.weight",
            "decoder.mid_block.attentions.0.group_norm.weight",
        ),
        ("decoder.norm_out.bias", "decoder.conv_norm_out.bias"),
        ("decoder.conv_in.bias", "decoder.conv_in.bias"),
        ("post_quant_conv.weight", "post_quant_conv.weight"),
    ];
    for (theirs, ours) in pairs {
        let (name, part) = names::vae_from_single_file(theirs, 4).unwrap();
        assert_eq!((name.as_str(), part), (ours, Part::Whole));
    }
    for (theirs, ours) in pairs {
        assert_eq!(names::vae_to_single_file(ours, 4).as_deref(), Some(theirs));
    }
    assert_eq!(
        names::vae_from_single_file("encoder.mid.attn_1.proj_out.weight", 4).unwrap(),
        (
            "encoder.mid_block.attentions.0.to_out.0.weight".to_owned(),
            Part::Matrix
        )
    );
    for hostile in [
        "",
        "decoder.up.9.block.0.conv1.weight",
        "decoder.mid.block_0.conv1.weight",
        "x.y",
    ] {
        assert_eq!(names::vae_from_single_file(hostile, 4), None);
    }
}

#[test]
fn text_names_of_open_clip() {
    let found = names::text_from_open_clip("transformer.resblocks.3.attn.in_proj_bias");
    assert_eq!(
        found,
        [("q", 0), ("k", 1), ("v", 2)].map(|(module, third)| (
            format!("text_model.encoder.layers.3.self_attn.{module}_proj.bias"),
            Part::Third(third)
        ))
    );
    let found = names::text_from_open_clip("text_projection");
    assert_eq!(found, [("text_projection.weight".to_owned(), Part::Transposed)]);
    assert_eq!(names::text_from_open_clip("logit_scale"), []);
}
