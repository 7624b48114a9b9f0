//! Whole pictures of tiny-xl against diffusers' pipeline: the same seed gives the same picture.

use std::ops::ControlFlow;

use diffusion::{
    base::{BaseModel, BaseOptions},
    graph::{Adapter, AdapterSet},
    lora::{self, Lora},
    pipeline::{self, PictureRequest, PictureSize, PipelineError},
    random::Random,
    schedulers::Sampler,
    tokenizer::TokenLength,
};
use prompt::Reading;
use protocol::base::Prediction;

use crate::golden::{self, Golden};

/// 8 steps amplify rounding a little; a wrong convention shows at 1e-1.
const TOLERANCE: f32 = 1e-3;

fn request(sampler: Sampler) -> PictureRequest {
    PictureRequest {
        prompt: "open peeps comic portrait of a person with short hair, glasses, green background".to_owned(),
        negative: None,
        reading: Reading::Language,
        length: TokenLength::T75,
        guidance: 5.0,
        n_steps: 8.try_into().unwrap(),
        size: PictureSize::new(128, 128).unwrap(),
        sampler,
        seed: 7,
        initial_noise: None,
    }
}

#[track_caller]
fn check(name: &str, adapters: &AdapterSet, request: &PictureRequest) {
    let base = BaseModel::built_in("tiny-xl").unwrap();
    let mut n_calls = 0;
    let latents = pipeline::denoise(&base, adapters, request, &mut |done, all| {
        n_calls += 1;
        assert_eq!((done, all), (n_calls, 8));
        ControlFlow::Continue(())
    })
    .unwrap();
    Golden::named("pictures.safetensors").check(name, &latents, TOLERANCE);
}

#[test]
fn every_sampler() {
    for sampler in Sampler::ALL {
        check(sampler.name(), &AdapterSet::new(), &request(sampler));
    }
}

/// tiny-xl's answers taken for velocities (tools/golden/predictions.py). diffusers' DDIM has nothing of the picture left
/// where zero terminal SNR begins, and ours 2⁻¹² of it.
#[test]
fn every_sampler_for_every_prediction() {
    let golden = Golden::named("predictions.safetensors");
    let mut n_checked = 0;
    for prediction in [Prediction::V, Prediction::VZeroSnr, Prediction::Flow] {
        let options = BaseOptions {
            prediction: Some(prediction),
            vae: None,
        };
        let mut base = BaseModel::open_with("tiny-xl", &options).unwrap();
        if prediction == Prediction::Flow {
            base.scheduler.shift = 2.5;
        }
        for sampler in Sampler::ALL {
            let request = PictureRequest {
                n_steps: 6.try_into().unwrap(),
                size: PictureSize::new(64, 64).unwrap(),
                ..request(sampler)
            };
            let go_on = &mut |_, _| ControlFlow::Continue(());
            let latents = pipeline::denoise(&base, &AdapterSet::new(), &request, go_on).unwrap();
            let name = format!("{}/{}", prediction.word(), sampler.name());
            golden.check(&name, &latents, 2.0 * TOLERANCE);
            n_checked += 1;
        }
    }
    assert_eq!(n_checked, 12);
}

#[test]
fn guidance_and_negative_prompts() {
    let none = AdapterSet::new();
    let euler = request(Sampler::Euler);
    check(
        "negative",
        &none,
        &PictureRequest {
            negative: Some("hat, beard".into()),
            guidance: 7.5,
            ..euler.clone()
        },
    );
    check(
        "empty_negative",
        &none,
        &PictureRequest {
            negative: Some(String::new()),
            ..euler.clone()
        },
    );
    check(
        "unguided",
        &none,
        &PictureRequest {
            guidance: 1.0,
            ..euler
        },
    );
}

#[test]
fn another_size() {
    let request = PictureRequest {
        size: PictureSize::new(192, 64).unwrap(),
        negative: Some("hat, beard".into()),
        ..request(Sampler::Ddim)
    };
    check("wide", &AdapterSet::new(), &request);
}

#[test]
fn pixels() {
    let base = BaseModel::built_in("tiny-xl").unwrap();
    let pictures = pipeline::generate(
        &base,
        &AdapterSet::new(),
        &request(Sampler::Euler),
        &mut |_, _| ControlFlow::Continue(()),
    )
    .unwrap();
    let expected = image::open(golden::folder().join("euler.png"))
        .unwrap()
        .into_rgb8();
    assert_eq!(pictures.len(), 1);
    assert_eq!(pictures[0].dimensions(), expected.dimensions());
    let differences = pictures[0]
        .iter()
        .zip(expected.iter())
        .map(|(a, b)| a.abs_diff(*b));
    // A number next to the rounding edge may fall to the other side.
    assert!(differences.clone().max().unwrap() <= 1);
    let mean = differences.map(f64::from).sum::<f64>() / expected.len() as f64;
    assert!(mean < 0.01, "off by {mean} of 255 on average");
}

#[test]
fn given_noise_is_the_seeds() {
    let base = BaseModel::built_in("tiny-xl").unwrap();
    let seeded = request(Sampler::Euler);
    let given = PictureRequest {
        initial_noise: Some(Random::from_seed(7).normal_tensor((1, 4, 16, 16)).unwrap()),
        seed: 99,
        ..seeded.clone()
    };
    let run = |request: &PictureRequest| {
        let latents = pipeline::denoise(&base, &AdapterSet::new(), request, &mut |_, _| {
            ControlFlow::Continue(())
        });
        latents.unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap()
    };
    assert_eq!(run(&seeded), run(&given));

    let wrong = PictureRequest {
        initial_noise: Some(Random::from_seed(7).normal_tensor((1, 4, 16, 8)).unwrap()),
        ..seeded
    };
    let error = pipeline::denoise(&base, &AdapterSet::new(), &wrong, &mut |_, _| {
        ControlFlow::Continue(())
    });
    assert_eq!(
        error.unwrap_err().to_string(),
        "initial noise has shape [1, 4, 16, 8], expected [B, 4, 16, 16] for this size"
    );
}

#[test]
fn it_can_be_cancelled() {
    let base = BaseModel::built_in("tiny-xl").unwrap();
    let error = pipeline::generate(
        &base,
        &AdapterSet::new(),
        &request(Sampler::Euler),
        &mut |done, _| {
            if done == 3 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        },
    );
    let error = error.unwrap_err();
    assert!(
        matches!(
            error,
            PipelineError::Cancelled {
                n_done: 3,
                n_steps: 8
            }
        ),
        "{error}"
    );
}

#[test]
fn sizes() {
    for (width, height) in [(63, 64), (64, 0), (2056, 64), (100, 64)] {
        let error = PictureSize::new(width, height).unwrap_err().to_string();
        assert!(error.contains(&format!("{width}x{height}")), "{error}");
    }
}

#[test]
fn loras() {
    let base = BaseModel::built_in("tiny-xl").unwrap();
    let lora = Lora::open(&golden::folder().join("lora.safetensors")).unwrap();
    let whole = lora::adapters(&base, [(&lora, 1.0)]).unwrap();
    check("lora", &whole, &request(Sampler::Euler));
    let half = lora::adapters(&base, [(&lora, 0.5)]).unwrap();
    check("lora_half", &half, &request(Sampler::Ddim));
    let mut of_unet = AdapterSet::new();
    let unet_modules = lora
        .modules()
        .iter()
        .filter(|(key, _)| key.starts_with("lora_unet_"));
    of_unet.add(
        unet_modules.map(|(key, m)| {
            let plain = m.plain().unwrap();
            (
                key.clone(),
                Adapter::new(&plain.down, &plain.up, plain.alpha).unwrap(),
            )
        }),
        1.0,
    );
    check("lora_unet", &of_unet, &request(Sampler::Euler));
    // Twice a quarter is a half.
    let quarters = lora::adapters(&base, [(&lora, 0.25), (&lora, 0.25)]).unwrap();
    check("lora_half", &quarters, &request(Sampler::Ddim));
    let none = lora::adapters(&base, [(&lora, 0.0)]).unwrap();
    check("ddim", &none, &request(Sampler::Ddim));
}
