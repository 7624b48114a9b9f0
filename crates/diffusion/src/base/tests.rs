//! The built-in model loads from anywhere; what the parts of a folder say is checked.

use std::fs;

use super::*;
use crate::{schedulers::TimestepSpacing, tokenizer::Padding};

#[test]
fn tiny_xl_is_built_in() {
    let base = BaseModel::open("tiny-xl").unwrap();
    assert_eq!(base.info.model_channels, 32);
    assert_eq!(base.info.native_resolution, 128);
    assert!(base.info.absent_negative_is_zero);
    assert_eq!(base.info.path, None);
    let config = base.unet.config();
    let heads: Vec<usize> = config.levels.iter().map(|level| level.n_heads).collect();
    assert_eq!(heads, [1, 2, 4]);
    assert_eq!((config.n_norm_groups, config.middle_depth), (4, 2));
    assert_eq!(base.vae.config().n_norm_groups, 2);
    assert_eq!(base.text_encoders.second_padding, Padding::End);
    assert_eq!(base.scheduler.timestep_spacing, TimestepSpacing::Leading);
    assert_eq!(base.file_sha256(), None);
    assert_eq!(base.fingerprint().len(), 64);
}

#[test]
fn the_folder_is_the_built_in_model() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/tiny-xl");
    let base = BaseModel::load(&folder).unwrap();
    let built_in = BaseModel::built_in("tiny-xl").unwrap();
    assert_eq!(base.fingerprint(), built_in.fingerprint());
    assert_eq!(base.unet.config(), built_in.unet.config());
    assert_eq!(base.scheduler, built_in.scheduler);
}

/// Copies tiny-xl with one file changed, and looks at the error.
#[track_caller]
fn check_refused(file: &str, change: impl Fn(&str) -> String, expected: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in assets::TINY_XL {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if *name == file {
            fs::write(path, change(std::str::from_utf8(bytes).unwrap())).unwrap();
        } else {
            fs::write(path, bytes).unwrap();
        }
    }
    let error = BaseModel::load(folder.path()).unwrap_err().to_string();
    for word in expected {
        assert!(error.contains(word), "`{error}` does not say `{word}`");
    }
}

#[test]
fn folders_that_do_not_fit_are_refused() {
    let with = |from: &'static str, to: &'static str| {
        move |text: &str| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        }
    };
    check_refused(
        "model_index.json",
        with("StableDiffusionXLPipeline", "StableDiffusionPipeline"),
        &["found a StableDiffusionPipeline, expected a StableDiffusionXLPipeline"],
    );
    check_refused(
        "unet/config.json",
        with("\"text_time\"", "null"),
        &["unet/config.json", "text_time"],
    );
    check_refused(
        "unet/config.json",
        with("\"norm_num_groups\": 4", "\"norm_num_groups\": 5"),
        &["cannot be divided into 5 groups"],
    );
    check_refused(
        "unet/config.json",
        with("\"cross_attention_dim\": 96", "\"cross_attention_dim\": 2048"),
        &["text encoders of width 96 with a U-Net for 2048"],
    );
    check_refused(
        "text_encoder/config.json",
        with("quick_gelu", "relu"),
        &["text_encoder/config.json", "`relu`"],
    );
    check_refused(
        "text_encoder/config.json",
        with("\"num_hidden_layers\": 12", "\"num_hidden_layers\": 13"),
        &["layers.12"],
    );
    check_refused(
        "scheduler/scheduler_config.json",
        with("scaled_linear", "linear"),
        &["scheduler_config.json", "linear"],
    );
    check_refused(
        "vae/config.json",
        |_| "{".to_owned(),
        &["vae/config.json", "not a usable configuration"],
    );
}

#[test]
fn unknown_names() {
    let error = BaseModel::built_in("sdxl").unwrap_err().to_string();
    assert_eq!(error, "no built-in base model `sdxl`, expected tiny-xl");
    let error = BaseModel::open("/nowhere/model.safetensors")
        .unwrap_err()
        .to_string();
    assert_eq!(error, "no file or folder at `/nowhere/model.safetensors`");
}
