//! Base models from everywhere: every spelling reads the same numbers, and what is damaged says so.

mod damages;
pub(crate) mod files;
mod predictions;
mod vaes;

use std::{fs, ops::ControlFlow, path::Path};

use candle_core::Tensor;
use diffusion::{
    base::{BaseInfo, BaseModel},
    graph::AdapterSet,
    layers::WeightSource as _,
    pipeline::{self, PictureRequest, PictureSize},
    schedulers::Sampler,
    tokenizer::TokenLength,
    weights::{Checkpoint, Component},
};
use prompt::Reading;
use safetensors::Dtype;

use self::files::{File, tiny_xl};

/// Latents of a picture in two steps.
fn draw(base: &BaseModel) -> Vec<f32> {
    let request = PictureRequest {
        prompt: "portrait of a person with short hair".to_owned(),
        negative: None,
        reading: Reading::Literal,
        length: TokenLength::T75,
        guidance: 3.0,
        n_steps: 2.try_into().unwrap(),
        size: PictureSize::new(64, 64).unwrap(),
        sampler: Sampler::Euler,
        seed: 7,
        initial_noise: None,
    };
    let latents = pipeline::denoise(base, &AdapterSet::new(), &request, &mut |_, _| {
        ControlFlow::Continue(())
    });
    values(&base.vae.decode(&latents.unwrap()).unwrap())
}

fn values(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

/// Checks that every tensor of tiny-xl is read from this file or folder, to the bit, and nothing is left over.
#[track_caller]
fn check_same(name: &str, path: &Path) {
    let info = BaseInfo::read(path).unwrap_or_else(|err| panic!("{name}: {err}"));
    assert_eq!(info.extras.unknown, Vec::<String>::new(), "{name}");
    let (expected, found) = (
        Checkpoint::open(&tiny_xl()).unwrap(),
        Checkpoint::open(path).unwrap(),
    );
    let parts = |of: &Checkpoint| -> [Component; 4] {
        [&of.unet, &of.text_encoder, &of.text_encoder_2, &of.vae].map(Clone::clone)
    };
    for (expected, found) in parts(&expected).iter().zip(&parts(&found)) {
        for tensor in expected
            .names()
            .filter(|tensor| found.contains(tensor) || !tensor.contains("final_layer_norm"))
        {
            let stored = found.get(tensor).unwrap_or_else(|err| panic!("{name}: {err}"));
            assert_eq!(
                values(&stored),
                values(&expected.get(tensor).unwrap()),
                "{name}: {tensor}"
            );
        }
    }
}

/// What is changed in a file.
type Change = Box<dyn Fn(File) -> File>;

/// A change that writes other names.
fn change(change: impl Fn(File) -> File + 'static) -> Change {
    Box::new(change)
}

/// The second text encoder under transformers' names.
fn with_transformers(file: File, prefix: &str) -> File {
    let mut file = file.without(|name| name.starts_with("conditioner.embedders.1.model."));
    file.add(prefix, File::part("text_encoder_2"));
    file
}

/// The VAE under diffusers' names.
fn with_diffusers_vae(file: File, prefix: &str) -> File {
    let mut file = file.without(|name| name.starts_with("first_stage_model."));
    file.add(prefix, File::part("vae"));
    file
}

fn attention(file: File, rename: &'static [(&'static str, &'static str)], is_flat: bool) -> File {
    let mut file = file.renamed(|name| {
        let Some((before, after)) = name.split_once(".mid.attn_1.") else {
            return name.to_owned();
        };
        let (module, kind) = after.rsplit_once('.').unwrap();
        let module = rename
            .iter()
            .find(|(from, _)| *from == module)
            .map_or(module, |(_, to)| to);
        format!("{before}.mid.attn_1.{module}.{kind}")
    });
    if is_flat {
        for (name, (_, shape, _)) in &mut file.tensors {
            if name.contains(".mid.attn_1.") && shape.len() == 4 {
                shape.truncate(2);
            }
        }
    }
    file
}

/// Names of the VAE's attention in diffusers, now and before 2023.
const NEW: &[(&str, &str)] = &[
    ("q", "to_q"),
    ("k", "to_k"),
    ("v", "to_v"),
    ("proj_out", "to_out.0"),
];
const NEW_WITH_NORM: &[(&str, &str)] = &[
    ("q", "to_q"),
    ("k", "to_k"),
    ("v", "to_v"),
    ("proj_out", "to_out.0"),
    ("norm", "group_norm"),
];
const OLD: &[(&str, &str)] = &[
    ("q", "query"),
    ("k", "key"),
    ("v", "value"),
    ("proj_out", "proj_attn"),
    ("norm", "group_norm"),
];

#[test]
fn every_spelling_of_a_single_file_is_read() {
    let first = "conditioner.embedders.0.transformer.";
    let unet = "model.diffusion_model.";
    let spellings: Vec<(&str, Change)> = vec![
        ("as Stability AI wrote it", change(|file| file)),
        (
            "the VAE's attention as matrices",
            change(|file| attention(file, &[], true)),
        ),
        (
            "the VAE's attention renamed (B1.1)",
            change(|file| attention(file, NEW, true)),
        ),
        (
            "the VAE's attention renamed, as convolutions",
            change(|file| attention(file, NEW, false)),
        ),
        (
            "the VAE's attention and norm renamed",
            change(|file| attention(file, NEW_WITH_NORM, true)),
        ),
        (
            "the VAE's attention under diffusers' old names",
            change(|file| attention(file, OLD, true)),
        ),
        (
            "the VAE under diffusers' names",
            change(|file| with_diffusers_vae(file, "first_stage_model.")),
        ),
        (
            "the VAE as `vae.`",
            change(|file| file.moved("first_stage_model.", "vae.")),
        ),
        (
            "the VAE as `vae.` under diffusers' names",
            change(|file| with_diffusers_vae(file, "vae.")),
        ),
        (
            "the first text encoder without text_model",
            change(move |file| file.moved(&format!("{first}text_model."), first)),
        ),
        (
            "text encoders as ComfyUI splits them",
            change(move |file| {
                with_transformers(file, "text_encoders.clip_g.transformer.")
                    .moved(first, "text_encoders.clip_l.transformer.")
            }),
        ),
        (
            "text encoders as in ComfyUI's memory",
            change(move |file| {
                with_transformers(file, "cond_stage_model.clip_g.transformer.")
                    .moved(first, "cond_stage_model.clip_l.transformer.")
            }),
        ),
        (
            "the second text encoder under transformers' names",
            change(|file| with_transformers(file, "conditioner.embedders.1.transformer.")),
        ),
        (
            "the second text encoder under transformers' names beside `model.`",
            change(|file| with_transformers(file, "conditioner.embedders.1.model.")),
        ),
        (
            "the projection as a layer",
            change(|file| with_transformers(file, "text_encoder_2.")),
        ),
        (
            "the U-Net under diffusers' names",
            change(move |file| {
                let mut file = file.without(|name| name.starts_with(unet));
                file.add("unet.", File::part("unet"));
                file
            }),
        ),
        (
            "the U-Net as `diffusion_model.`",
            change(move |file| file.moved(unet, "diffusion_model.")),
        ),
        (
            "everything under diffusers' names in one file",
            change(|_| {
                let mut file = File::default();
                for part in ["unet", "text_encoder", "text_encoder_2", "vae"] {
                    file.add(&format!("{part}."), File::part(part));
                }
                file
            }),
        ),
        (
            "with averaged weights and tables",
            change(|file| {
                file.with("model_ema.diffusion_modelinput_blocks00weight", &[2])
                    .with("alphas_cumprod", &[1000])
                    .with("denoiser.sigmas", &[1000])
                    .with("model_ema.decay", &[])
                    .with("first_stage_model.loss.logvar", &[])
            }),
        ),
        (
            "with what libraries store beside",
            change(|file| {
                file.with(
                    "conditioner.embedders.0.transformer.text_model.embeddings.position_ids",
                    &[1, 77],
                )
                .with("conditioner.embedders.1.model.logit_scale", &[])
                .with(
                    "conditioner.embedders.0.transformer.text_projection.weight",
                    &[32, 32],
                )
                .with("conditioner.embedders.0.logit_scale", &[])
            }),
        ),
        (
            "marked as velocity",
            change(|file| file.with("v_pred", &[]).with("ztsnr", &[])),
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    let single = File::single();
    for (name, change) in &spellings {
        let path = folder.path().join("base.safetensors");
        change(single.clone()).write(&path);
        check_same(name, &path);
    }
    assert!(spellings.len() >= 20);
}

#[test]
fn a_single_file_draws_what_the_folder_draws() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("base.safetensors");
    attention(File::single(), NEW, true).write(&path);
    let single = BaseModel::load(&path).unwrap();
    let built_in = BaseModel::built_in("tiny-xl").unwrap();
    assert_eq!(draw(&single), draw(&built_in));
    assert_eq!(single.info.native_resolution, 128);
}

/// Splits a file in two.
fn halves(file: &File) -> [File; 2] {
    let middle = file.tensors.len() / 2;
    let part = |skip: usize, take: usize| File {
        tensors: file.tensors.clone().into_iter().skip(skip).take(take).collect(),
        ..File::default()
    };
    [part(0, middle), part(middle, usize::MAX)]
}

#[test]
fn every_way_to_name_the_files_of_a_folder_is_read() {
    let ways: [(&str, &[&str]); 7] = [
        ("half precision", &["diffusion_pytorch_model.fp16.safetensors"]),
        ("bfloat16", &["diffusion_pytorch_model.bf16.safetensors"]),
        (
            "another variant",
            &["diffusion_pytorch_model.non_ema.safetensors"],
        ),
        (
            "shards",
            &[
                "diffusion_pytorch_model-00001-of-00002.safetensors",
                "diffusion_pytorch_model-00002-of-00002.safetensors",
            ],
        ),
        (
            "shards of half precision (B4.6)",
            &[
                "diffusion_pytorch_model.fp16-00001-of-00002.safetensors",
                "diffusion_pytorch_model.fp16-00002-of-00002.safetensors",
            ],
        ),
        (
            "shards of bfloat16",
            &[
                "diffusion_pytorch_model.bf16-00001-of-00002.safetensors",
                "diffusion_pytorch_model.bf16-00002-of-00002.safetensors",
            ],
        ),
        (
            "shards as they were named before",
            &[
                "diffusion_pytorch_model-00001-of-00002.fp16.safetensors",
                "diffusion_pytorch_model-00002-of-00002.fp16.safetensors",
            ],
        ),
    ];
    let unet = File::part("unet");
    for (name, files) in ways {
        let to = tempfile::tempdir().unwrap();
        files::folder(to.path(), &["unet"]);
        match files {
            [file] => unet.write(&to.path().join("unet").join(file)),
            _ => {
                for (half, file) in halves(&unet).iter().zip(files) {
                    half.write(&to.path().join("unet").join(file));
                }
                // What lists them is not needed.
                fs::write(
                    to.path()
                        .join("unet/diffusion_pytorch_model.safetensors.index.fp16.json"),
                    "{}",
                )
                .unwrap();
            }
        }
        check_same(name, to.path());
    }
    let to = tempfile::tempdir().unwrap();
    files::folder(to.path(), &["unet", "text_encoder"]);
    unet.write(&to.path().join("unet/diffusion_pytorch_model.safetensors"));
    // As transformers 5 writes it.
    let text = File::part("text_encoder").moved("text_model.", "");
    text.write(&to.path().join("text_encoder/model.safetensors"));
    check_same("transformers 5", to.path());
}

#[test]
fn a_folder_without_a_shard_says_which() {
    let to = tempfile::tempdir().unwrap();
    files::folder(to.path(), &["unet"]);
    let [first, _] = halves(&File::part("unet"));
    first.write(
        &to.path()
            .join("unet/diffusion_pytorch_model.fp16-00001-of-00002.safetensors"),
    );
    let error = BaseInfo::read(to.path()).unwrap_err().to_string();
    assert!(
        error.contains("`unet/diffusion_pytorch_model.fp16-00002-of-00002.safetensors` is missing"),
        "{error}"
    );
}

#[test]
fn what_is_not_known_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("base.safetensors");
    let file = File::single()
        .with(
            "model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k_ip.weight",
            &[2],
        )
        .with("hello", &[1])
        // A part under two spellings: one of them is not used.
        .with("vae.decoder.conv_in.bias", &[64])
        .with("alphas_cumprod", &[1000])
        .with("model_ema.decay", &[]);
    file.write(&path);
    let info = BaseModel::load(&path).unwrap().info;
    assert_eq!(
        info.extras.unknown,
        [
            "hello",
            "model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k_ip.weight",
            "vae.decoder.conv_in.bias",
        ]
    );
    let harmless: usize = info.extras.harmless.values().sum();
    // The first text encoder's last norm besides.
    assert_eq!(harmless, 4, "{:?}", info.extras.harmless);
    let warnings = info.warnings();
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].starts_with("3 tensors are not known and not used: `hello`"),
        "{warnings:?}"
    );
}

/// B2.1: the upper half of an F16 is an F8 of five bits of exponent.
#[test]
fn eight_bits_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("base.safetensors");
    let mut file = File::single();
    for (name, (dtype, _, bytes)) in &mut file.tensors {
        if name.starts_with("model.diffusion_model.") {
            *dtype = Dtype::F8_E5M2;
            *bytes = bytes.chunks(2).map(|pair| pair[1]).collect();
        }
    }
    file.write(&path);
    assert_eq!(
        BaseInfo::read(&path).unwrap().extras.unknown,
        Vec::<String>::new()
    );
    let (found, expected) = (
        Checkpoint::open(&path).unwrap(),
        Checkpoint::open(&tiny_xl()).unwrap(),
    );
    let name = "middle_block.1.proj_in.weight";
    let found = values(&found.unet.get(name).unwrap());
    for (found, expected) in found.iter().zip(values(&expected.unet.get(name).unwrap())) {
        assert!(
            (found - expected).abs() <= 0.25 * expected.abs() + 1e-4,
            "{found} instead of {expected}"
        );
    }
    BaseModel::load(&path).unwrap();
    file.with("scaled_fp8", &[2]).write(&path);
    let error = BaseInfo::read(&path).unwrap_err().to_string();
    assert!(error.contains("scaled F8"), "{error}");
}

#[test]
fn a_broken_tensor_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("base.safetensors");
    for (name, bits) in [
        ("model.diffusion_model.out.2.weight", 0x7e00_u16),
        ("conditioner.embedders.1.model.token_embedding.weight", 0xfc00),
        ("first_stage_model.decoder.conv_out.bias", 0x7c01),
    ] {
        let file = File::single().changed(name, |stored| {
            let at = stored.2.len() - 2;
            stored.2[at..].copy_from_slice(&bits.to_le_bytes());
        });
        file.write(&path);
        let error = BaseModel::load(&path).unwrap_err().to_string();
        assert!(
            error.contains("the base model is broken") && error.contains(name),
            "{error}"
        );
    }
}
