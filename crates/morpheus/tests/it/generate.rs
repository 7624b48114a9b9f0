//! Pictures on the command line.

use std::{collections::HashMap, fs, path::Path};

use image::RgbImage;
use safetensors::{Dtype, tensor::TensorView};

use crate::support::{fail, path, run, succeed};

pub(crate) const PROMPT: &str = "lorelei ink comic portrait of a person with long hair, blue background";

pub(crate) fn picture(out: &Path, more: &[&str]) -> RgbImage {
    let mut args = vec![
        "generate",
        "--base",
        "tiny-xl",
        "--prompt",
        PROMPT,
        "--steps",
        "4",
        "--out",
        path(out),
    ];
    args.extend(more);
    succeed(args);
    image::open(out).unwrap().into_rgb8()
}

#[test]
fn the_same_seed_gives_the_same_picture() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("a.png");
    let first = picture(&out, &["--seed", "1"]);
    assert_eq!(first.dimensions(), (128, 128));
    assert!(first == picture(&out, &["--seed", "1"]));
    assert!(first != picture(&out, &["--seed", "2"]));
    assert!(first != picture(&out, &["--seed", "1", "--negative", "blue background"]));
    assert!(first != picture(&out, &["--seed", "1", "--cfg", "1"]));
    for sampler in ["euler_a", "ddim", "dpmpp_2m"] {
        assert!(
            first != picture(&out, &["--seed", "1", "--sampler", sampler]),
            "{sampler}"
        );
    }
    assert_eq!(picture(&out, &["--size", "96x160"]).dimensions(), (96, 160));
}

#[test]
fn what_a_picture_takes_is_said_before() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("a.png");
    let mut args = vec![
        "generate",
        "--prompt",
        PROMPT,
        "--steps",
        "2",
        "--out",
        path(&out),
    ];
    let said = String::from_utf8(run(&args).stderr).unwrap();
    assert!(
        said.contains("this takes about 0.") && said.contains(" s a step: "),
        "{said}"
    );
    args.extend(["--json", "--ignore-memory"]);
    let summary: serde_json::Value = serde_json::from_str(&succeed(&args)).unwrap();
    let memory_bytes = summary["estimate"]["memory_bytes"].as_u64().unwrap();
    assert!((400_000_000..1_000_000_000).contains(&memory_bytes), "{summary}");
}

#[test]
fn weight_zero_is_exactly_the_base() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("a.png");
    let lora = folder.path().join("lora.safetensors");
    fs::write(&lora, a_lora()).unwrap();
    let at = |weight: f32| {
        picture(
            &out,
            &["--seed", "1", "--lora", &format!("{}:{weight}", lora.display())],
        )
    };
    let base = picture(&out, &["--seed", "1"]);
    assert!(base == at(0.0));
    assert!(base != at(1.0));
}

#[test]
fn the_starting_noise_can_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("a.png");
    let noise = folder.path().join("noise.safetensors");
    fs::write(
        &noise,
        tensors([("noise", vec![1, 4, 16, 16], wave(4 * 16 * 16))]),
    )
    .unwrap();
    let noise = path(&noise);
    let first = picture(&out, &["--init-noise", noise, "--seed", "1"]);
    // The seed has no part in it then.
    assert!(first == picture(&out, &["--init-noise", noise, "--seed", "2"]));

    let wrong = folder.path().join("wrong.safetensors");
    fs::write(&wrong, tensors([("noise", vec![1, 4, 8, 8], wave(4 * 8 * 8))])).unwrap();
    let args = [
        "generate",
        "--prompt",
        PROMPT,
        "--init-noise",
        path(&wrong),
        "--out",
        path(&out),
    ];
    let err = fail(args);
    assert!(err.contains("noise") && err.contains("16"), "{err}");
}

#[test]
fn one_object_says_what_was_made() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("a.png");
    let said = succeed([
        "generate",
        "--prompt",
        PROMPT,
        "--steps",
        "1",
        "--json",
        "--out",
        path(&out),
    ]);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["pictures"][0], path(&out));
    assert!(said["seed"].is_u64());
}

#[test]
fn wrong_options_are_named() {
    let out = "/nowhere/a.png";
    for (option, value) in [
        ("--steps", "0"),
        ("--cfg", "nan"),
        ("--size", "100x100"),
        ("--sampler", "magic"),
        ("--lora", "a.safetensors:strong"),
        ("--seed", "7.5"),
        ("--seed", "abc"),
        ("--seed", "-2"),
        ("--seed", "18446744073709551616"),
    ] {
        let err = fail(["generate", "--prompt", PROMPT, "--out", out, option, value]);
        assert!(err.contains(option), "{err}");
    }
}

/// A LoRA of rank 1 on one attention layer, large enough to be seen.
pub(crate) fn a_lora() -> Vec<u8> {
    let module = "lora_unet_middle_block_1_transformer_blocks_0_attn1_to_q";
    tensors([
        (&format!("{module}.lora_down.weight"), vec![1, 128], wave(128)),
        (&format!("{module}.lora_up.weight"), vec![128, 1], wave(128)),
        (&format!("{module}.alpha"), vec![], vec![1.0]),
    ])
}

/// A text embedding of two vectors for tiny-xl by itself.
pub(crate) fn an_embedding() -> Vec<u8> {
    tensors([
        ("clip_l", vec![2, 32], wave(64)),
        ("clip_g", vec![2, 64], wave(128)),
    ])
}

#[test]
fn an_embedding_is_used_where_the_prompt_has_its_word() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("a.png");
    let with = |word: &str| {
        let file = folder.path().join(format!("{word}.safetensors"));
        std::fs::write(&file, an_embedding()).unwrap();
        picture(&out, &["--seed", "1", "--lora", path(&file)])
    };
    let without = picture(&out, &["--seed", "1"]);
    assert!(with("zora") == without);
    assert!(with("Lorelei") != without);
}

/// Numbers that are not all alike.
pub(crate) fn wave(n: usize) -> Vec<f32> {
    (0..n).map(|index| (index as f32).sin() * 1.4).collect()
}

pub(crate) fn tensors<const N: usize>(tensors: [(&str, Vec<usize>, Vec<f32>); N]) -> Vec<u8> {
    let bytes: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .into_iter()
        .map(|(name, shape, values)| {
            (
                name.to_owned(),
                shape,
                values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            )
        })
        .collect();
    let views: HashMap<_, _> = bytes
        .iter()
        .map(|(name, shape, bytes)| {
            (
                name.clone(),
                TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap(),
            )
        })
        .collect();
    safetensors::serialize(views, None).unwrap()
}
