//! LoRAs of every kind as PEFT, diffusers and LyCORIS write them: each draws what the package that wrote it draws, with
//! every sampler (tools/golden/foreign.py).

use std::{fs, ops::ControlFlow, path::PathBuf};

use diffusion::{
    base::BaseModel,
    lora::{self, Lora},
    pipeline::{self, PictureRequest, PictureSize},
    schedulers::Sampler,
    tokenizer::TokenLength,
};
use image::RgbImage;
use prompt::Reading;

use crate::golden::{self, Golden};

/// 6 steps amplify rounding a little. The smallest change that a file makes is 2e-2.
const TOLERANCE: f32 = 2e-3;
const SIDE: u32 = 64;

fn request(sampler: Sampler) -> PictureRequest {
    PictureRequest {
        prompt: "open peeps comic portrait of a person with short hair, glasses, green background".to_owned(),
        negative: None,
        reading: Reading::Language,
        length: TokenLength::T75,
        guidance: 5.0,
        n_steps: 6.try_into().unwrap(),
        size: PictureSize::new(SIDE, SIDE).unwrap(),
        sampler,
        seed: 7,
        initial_noise: None,
    }
}

/// Names of the cases and their files, in alphabetical order, as the pictures lie below each other.
fn cases() -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(golden::folder().join("foreign")).unwrap();
    let mut cases: Vec<(String, PathBuf)> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            // PEFT saves a folder.
            let file = path.join("adapter_model.safetensors");
            (name, if file.exists() { file } else { path })
        })
        .collect();
    cases.sort();
    cases
}

/// Draws with the files of one package.
fn check(package: &str, n_files: usize) {
    let base = BaseModel::built_in("tiny-xl").unwrap();
    let latents = Golden::named("foreign.safetensors");
    let pictures = image::open(golden::folder().join("foreign.png"))
        .unwrap()
        .into_rgb8();
    let cases = cases();
    assert_eq!(pictures.height(), SIDE * cases.len() as u32);
    let mut n_checked = 0;
    for (row, (name, path)) in (0..).zip(&cases) {
        if !name.starts_with(package) {
            continue;
        }
        n_checked += 1;
        let lora = Lora::open(path).unwrap();
        assert_eq!(lora.leftovers(), [], "{name}");
        lora.check(&base).unwrap();
        let adapters = lora::adapters(&base, [(&lora, 1.0)]).unwrap();
        for (column, sampler) in (0..).zip(Sampler::ALL) {
            let go_on = &mut |_, _| ControlFlow::Continue(());
            let found = pipeline::denoise(&base, &adapters, &request(sampler), go_on).unwrap();
            latents.check(&format!("{name}/{}", sampler.name()), &found, TOLERANCE);
            let found = base.vae.decode(&found).unwrap();
            let found: Vec<f32> = found.flatten_all().unwrap().to_vec1().unwrap();
            let mean = distance(&found, &pictures, (column * SIDE, row * SIDE));
            assert!(
                mean <= 1.0,
                "{name}, {}: off by {mean} of 255 on average",
                sampler.name()
            );
        }
    }
    assert_eq!(n_checked, n_files);
}

/// Mean distance of a decoded picture `[1, 3, H, W]` in [−1, 1] from a part of a sheet, of 255.
fn distance(decoded: &[f32], sheet: &RgbImage, (left, top): (u32, u32)) -> f32 {
    let plane = (SIDE * SIDE) as usize;
    assert_eq!(decoded.len(), 3 * plane);
    let sum: f32 = (0..SIDE * SIDE)
        .map(|i| {
            let pixel = sheet.get_pixel(left + i % SIDE, top + i / SIDE);
            let channels = pixel.0.iter().enumerate().map(|(channel, expected)| {
                let value = (decoded[channel * plane + i as usize] / 2.0 + 0.5).clamp(0.0, 1.0);
                (value * 255.0 - f32::from(*expected)).abs()
            });
            channels.sum::<f32>()
        })
        .sum();
    sum / decoded.len() as f32
}

#[test]
fn files_of_peft() {
    check("peft_", 7);
}

#[test]
fn files_of_diffusers() {
    check("diffusers_", 7);
}

#[test]
fn files_of_lycoris() {
    check("lycoris_", 17);
}

/// LyCORIS as sd-scripts uses it: kohya's names, and text encoders.
#[test]
fn files_of_lycoris_in_kohyas_names() {
    check("kohya_", 4);
}
