//! A single-file checkpoint against one training step of sd-scripts, part by part.
//!
//! The dumps are too big for the repository: `MORPHEUS_GOLDEN` names their folder, without it these tests say that
//! they were skipped.

use std::path::PathBuf;

use candle_core::Tensor;
use diffusion::{
    base::BaseModel,
    conditioning::{self, PictureSizes},
    cpu::Cpu,
    device::HOST,
    graph::AdapterSet,
    layers::Loader,
    lora::{self, Lora, LoraError},
    schedulers::NoiseSchedule,
    text_encoder::TextEncoder,
    unet::Conditioning,
    weights::{Checkpoint, Component, Part, names},
};

use crate::golden::{Golden, max_abs};

const TOLERANCE: f32 = 1e-4;

/// The folder with the dumps.
fn dumps() -> Option<PathBuf> {
    let folder = std::env::var_os("MORPHEUS_GOLDEN").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: MORPHEUS_GOLDEN does not name the folder with sd-scripts' dumps");
    }
    folder
}

/// Integers of a dump; the library itself never needs more than one.
fn integers(path: &std::path::Path, name: &str) -> Vec<u32> {
    let bytes = std::fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tensor = file.tensor(name).unwrap();
    assert_eq!(tensor.dtype(), safetensors::Dtype::I64);
    let (numbers, _) = tensor.data().as_chunks::<8>();
    numbers
        .iter()
        .map(|bytes| i64::from_le_bytes(*bytes) as u32)
        .collect()
}

#[test]
fn text_encoders() {
    let Some(folder) = dumps() else { return };
    let path = folder.join("kohya-tiny-base.safetensors");
    let base = BaseModel::load(&path).unwrap();
    let step = folder.join("kohya-g1/step_000.safetensors");
    let golden = Golden::open(&step);
    let none = AdapterSet::new();
    let chunk = |name: &str| -> [u32; 77] { integers(&step, name).try_into().unwrap() };

    let first = base
        .text_encoders
        .first
        .encode(&[chunk("tokens1")], &none)
        .unwrap();
    golden.check("hs1", &first.hidden, TOLERANCE);

    // sd-scripts reads the projection of a single file without transposing it (convert_sdxl_text_encoder_2_checkpoint),
    // unlike open_clip, which wrote it, and diffusers, which we follow. So the rest is checked with theirs.
    let checkpoint = Checkpoint::open(&path).unwrap();
    let file = &checkpoint.files[0];
    let mut theirs = Component::new(path);
    for key in file.names() {
        let Some(name) = key.strip_prefix("conditioner.embedders.1.model.") else {
            continue;
        };
        for (name, part) in names::text_from_open_clip(name) {
            let part = match part {
                Part::Transposed => Part::Whole,
                other => other,
            };
            theirs.list(name, file, key, part);
        }
    }
    let config = base.text_encoders.second.config().clone();
    let theirs = TextEncoder::load(&Loader::new(&Cpu, &theirs).keyed("lora_te2"), config).unwrap();
    let second = theirs.encode(&[chunk("tokens2")], &none).unwrap();
    golden.check("hs2", &second.hidden, TOLERANCE);
    golden.check("pool2", second.pooled.as_ref().unwrap(), TOLERANCE);

    let context = Tensor::cat(&[&first.hidden, &second.hidden], 2).unwrap();
    golden.check("unet.context", &context, TOLERANCE);
}

#[test]
fn conditioning_and_unet() {
    let Some(folder) = dumps() else { return };
    let base = BaseModel::load(&folder.join("kohya-tiny-base.safetensors")).unwrap();
    for step in ["step_000", "step_003"] {
        let path = folder.join(format!("kohya-g1/{step}.safetensors"));
        let golden = Golden::open(&path);
        let pair = |name: &str| {
            let pair = integers(&path, name);
            (pair[0], pair[1])
        };
        let sizes = PictureSizes {
            original: pair("orig_hw"),
            crop: pair("crop_tl"),
            target: pair("target_hw"),
        };
        let vector = conditioning::vector(&golden.tensor("pool2"), &[sizes]).unwrap();
        golden.check("unet.y", &vector, TOLERANCE);

        let timestep = integers(&path, "timesteps")[0];
        let schedule = NoiseSchedule::new(&base.scheduler);
        let (signal, noise) = schedule.mix(timestep as usize);
        let noisy = (golden.tensor("latents") * signal).unwrap() + (golden.tensor("noise") * noise).unwrap();
        golden.check("noisy", &noisy.unwrap(), TOLERANCE);

        if step == "step_000" {
            // Before the first step the LoRA changes nothing.
            let init = Lora::open(&folder.join("kohya-g1/init.safetensors")).unwrap();
            assert!(init.is_zero().unwrap());
            let adapters = lora::adapters(&base, [(&init, 1.0)]).unwrap();
            let told = Conditioning {
                context: golden.tensor("unet.context"),
                vector,
            };
            let out = base
                .unet
                .predict(&adapters, &golden.tensor("unet.x"), &[timestep as f32], &told)
                .unwrap();
            golden.check("unet.out", &out, TOLERANCE);
        }
    }
}

/// The dump holds one draw: what is drawn, if mean and deviation are right, is unit-normal noise.
#[test]
fn latents_are_drawn_from_our_posterior() {
    let Some(folder) = dumps() else { return };
    let base = BaseModel::load(&folder.join("kohya-tiny-base.safetensors")).unwrap();
    let mut noise = Vec::new();
    for step in 0..4 {
        let golden = Golden::open(&folder.join(format!("kohya-g1/step_00{step}.safetensors")));
        if !golden.has("images") {
            continue;
        }
        let latents = golden.tensor("latents");
        let posterior = base.vae.encode(&golden.tensor("images")).unwrap();
        let mean = posterior.mean().unwrap();
        let ones = Tensor::ones(mean.shape(), candle_core::DType::F32, &HOST).unwrap();
        let deviation = (posterior.sample(&ones).unwrap() - &mean).unwrap();
        let drawn = ((latents - mean).unwrap() / deviation).unwrap();
        assert!(max_abs(&drawn) < 6.0, "{}", max_abs(&drawn));
        noise.extend(drawn.flatten_all().unwrap().to_vec1::<f32>().unwrap());
    }
    let n = noise.len() as f32;
    let mean = noise.iter().sum::<f32>() / n;
    let variance = noise.iter().map(|x| x * x).sum::<f32>() / n - mean * mean;
    // Four standard errors.
    assert!(n > 500.0 && mean.abs() < 4.0 / n.sqrt(), "mean {mean} of {n}");
    assert!(
        (variance - 1.0).abs() < 4.0 * (2.0 / n).sqrt(),
        "variance {variance} of {n}"
    );
}

#[test]
fn trained_loras() {
    let Some(folder) = dumps() else { return };
    let base = BaseModel::load(&folder.join("kohya-tiny-base.safetensors")).unwrap();
    let trained = Lora::open(&folder.join("kohya-g1/final.safetensors")).unwrap();
    assert!(!trained.is_zero().unwrap());
    assert_eq!(trained.ranks(), (4, 4));
    assert_eq!(trained.metadata()["ss_network_dim"], "4");
    let adapters = lora::adapters(&base, [(&trained, 1.0)]).unwrap();
    // SDXL does not look at the last layer of the first text encoder: six modules.
    assert_eq!(adapters.keys().count(), trained.modules().len() - 6);

    let error = Lora::open(&folder.join("kohya-nan-lora.safetensors")).unwrap_err();
    assert!(
        matches!(&error, LoraError::NotFinite { n_broken, .. } if *n_broken > 0),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("kohya-nan-lora.safetensors` is broken"),
        "{error}"
    );
}
