//! Each part of tiny-xl against transformers and diffusers.

use candle_core::Tensor;
use diffusion::{
    base::BaseModel,
    conditioning::{self, PictureSizes},
    graph::{Adapter, AdapterSet},
    lora::names,
    random::Random,
    tokenizer::TokenLength,
    unet::Conditioning,
};

use crate::golden::Golden;

/// f32 sums in another order through a dozen layers.
const TOLERANCE: f32 = 1e-4;

const PROMPT: &str = "lorelei ink comic portrait of a person with long hair, smiling, blue background";

fn randn(seed: u64, shape: &[usize]) -> Tensor {
    Random::from_seed(seed).normal_tensor(shape).unwrap()
}

#[test]
fn text_encoders() {
    let base = BaseModel::built_in("tiny-xl").unwrap();
    let golden = Golden::named("models.safetensors");
    let none = AdapterSet::new();
    // Both at once, as guidance does it.
    let told = base
        .text_encoders
        .encode(&[PROMPT, ""], TokenLength::T75, &none)
        .unwrap();
    for (i, name) in ["prompt", "empty"].into_iter().enumerate() {
        let context = told.context.narrow(0, i, 1).unwrap();
        let kept = [
            context.narrow(1, 0, 20).unwrap(),
            context.narrow(1, 76, 1).unwrap(),
        ];
        let kept = Tensor::cat(&kept, 1).unwrap();
        golden.check(&format!("text.{name}.context"), &kept, TOLERANCE);
        let pooled = told.pooled.narrow(0, i, 1).unwrap();
        golden.check(&format!("text.{name}.pooled"), &pooled, TOLERANCE);
    }
}

#[test]
fn vae() {
    let base = BaseModel::built_in("tiny-xl").unwrap();
    let golden = Golden::named("models.safetensors");
    let pictures = (randn(11, &[2, 3, 32, 48]) * 0.5)
        .unwrap()
        .clamp(-1.0, 1.0)
        .unwrap();
    let posterior = base.vae.encode(&pictures).unwrap();
    golden.check("vae.mean", &posterior.mean().unwrap(), TOLERANCE);
    let sample = posterior.sample(&randn(12, &[2, 4, 4, 6])).unwrap();
    golden.check("vae.sample", &sample, TOLERANCE);
    let decoded = base.vae.decode(&randn(13, &[1, 4, 4, 6])).unwrap();
    golden.check("vae.decoded", &decoded, TOLERANCE);
}

#[test]
fn vae_shapes_that_do_not_fit() {
    let base = BaseModel::built_in("tiny-xl").unwrap();
    let error = base.vae.encode(&randn(1, &[1, 3, 30, 32])).unwrap_err();
    assert!(error.to_string().contains("multiples of 8"), "{error}");
    let error = base.vae.decode(&randn(1, &[1, 3, 4, 4])).unwrap_err();
    assert!(error.to_string().contains("4 latent channels"), "{error}");
}

/// What tools/golden/models.py tells the U-Net.
fn told() -> Conditioning {
    let sizes = |original, crop| PictureSizes {
        original,
        crop,
        target: (64, 96),
    };
    let sizes = [sizes((96, 64), (0, 4)), sizes((200, 100), (8, 0))];
    Conditioning {
        context: randn(22, &[2, 77, 96]),
        vector: conditioning::vector(&randn(23, &[2, 64]), &sizes).unwrap(),
    }
}

#[test]
fn unet() {
    let base = BaseModel::built_in("tiny-xl").unwrap();
    let prediction = base
        .unet
        .predict(
            &AdapterSet::new(),
            &randn(21, &[2, 4, 8, 12]),
            &[3.0, 801.0],
            &told(),
        )
        .unwrap();
    Golden::named("models.safetensors").check("unet.prediction", &prediction, TOLERANCE);
}

/// A LoRA on every module of the U-Net, under diffusers' names, against peft.
#[test]
fn unet_with_lora() {
    let base = BaseModel::built_in("tiny-xl").unwrap();
    let layers = base.lora_layers();
    let mut modules: Vec<(String, String)> = layers
        .keys()
        .filter(|key| key.starts_with("lora_unet_"))
        .map(|key| (names::kohya_to_diffusers(key).unwrap(), key.clone()))
        .collect();
    modules.sort();
    let (rank, alpha) = (2, 1.0);
    let modules = modules.into_iter().enumerate().map(|(i, (_, key))| {
        let (n_in, n_out) = layers[&key];
        let i = i as u64;
        let down = (randn(100 + 2 * i, &[rank, n_in]) / 8.0).unwrap();
        let up = (randn(101 + 2 * i, &[n_out, rank]) / 8.0).unwrap();
        (key, Adapter::new(&down, &up, Some(alpha)).unwrap())
    });
    let mut adapters = AdapterSet::new();
    adapters.add(modules, 1.0);
    let prediction = base
        .unet
        .predict(&adapters, &randn(21, &[2, 4, 8, 12]), &[3.0, 801.0], &told())
        .unwrap();
    Golden::named("models.safetensors").check("lora.prediction", &prediction, TOLERANCE);
}
