//! What noise is made of.

use std::{collections::HashMap, path::Path};

use candle_core::Tensor;
use diffusion::{
    device::{HOST, floats},
    random::Random,
};
use protocol::recipe::Parameters;

use super::{Noise, Noising, Spot, multires};

const SHAPE: [usize; 3] = [2, 4, 8];
const AREA: usize = 32;

fn spot(place: usize) -> Spot {
    Spot {
        seed: 1,
        step: 2,
        place,
    }
}

/// The mean of the first channel is −2, that of the second 1.
fn latents() -> Vec<f32> {
    [vec![-2.0; AREA], vec![1.0; AREA]].concat()
}

fn drawn(spot: Spot, change: impl FnOnce(&mut Parameters)) -> Noise {
    let mut parameters = Parameters::default();
    change(&mut parameters);
    Noising::of(&parameters).draw(&mut spot.random("step"), spot, &latents(), SHAPE)
}

/// What a change of the recipe adds to the noise.
fn added(place: usize, change: impl FnOnce(&mut Parameters)) -> Vec<f32> {
    let (with, without) = (drawn(spot(place), change), drawn(spot(place), |_| ()));
    let pairs = with.values.iter().zip(&without.values);
    pairs.map(|(with, without)| with - without).collect()
}

#[test]
fn an_offset_is_one_number_for_each_channel() {
    let added = added(0, |p| p.noise_offset = 0.5);
    for channel in added.chunks_exact(AREA) {
        assert!(channel.iter().all(|x| (x - channel[0]).abs() < 1e-6));
    }
    assert!((added[0] - added[AREA]).abs() > 1e-3);
}

#[test]
fn a_random_offset_is_a_share_of_the_whole_one() {
    for place in 0..4 {
        let whole = added(place, |p| p.noise_offset = 0.5);
        let share = added(place, |p| {
            p.noise_offset = 0.5;
            p.noise_offset_random = true;
        });
        let shares = [share[0] / whole[0], share[AREA] / whole[AREA]];
        assert!((shares[0] - shares[1]).abs() < 1e-3, "{shares:?}");
        assert!((0.0..1.0).contains(&shares[0]), "{shares:?}");
    }
}

#[test]
fn an_adaptive_offset_follows_the_means_of_the_channels() {
    let whole = added(0, |p| p.noise_offset = 0.5);
    let adaptive = |scale| {
        added(0, |p| {
            p.noise_offset = 0.5;
            p.adaptive_noise_scale = scale;
        })
    };
    let factor = |added: &[f32], at: usize| added[at] / whole[at];
    // 0.5 + 0.1 · 2, and 0.5 + 0.1 · 1.
    let more = adaptive(0.1);
    assert!((factor(&more, 0) - 1.4).abs() < 1e-3);
    assert!((factor(&more, AREA) - 1.2).abs() < 1e-3);
    // Never below zero.
    let less = adaptive(-0.4);
    assert_eq!(less[0], 0.0);
    assert!((factor(&less, AREA) - 0.2).abs() < 1e-3);
}

#[test]
fn perturbation_is_mixed_in_and_not_to_be_found() {
    let plain = drawn(spot(0), |_| ());
    let perturbed = drawn(spot(0), |p| p.input_perturbation = 0.1);
    assert_eq!(perturbed.values, plain.values);
    let squares: f32 = perturbed.perturbation.iter().map(|x| x * x).sum();
    let deviation = (squares / perturbed.perturbation.len() as f32).sqrt();
    assert!((0.07..0.13).contains(&deviation), "{deviation}");
    assert_eq!(perturbed.mixed_in(3), plain.values[3] + perturbed.perturbation[3]);
    let weaker = drawn(spot(0), |p| {
        p.input_perturbation = 0.1;
        p.input_perturbation_random = true;
    });
    let share = weaker.perturbation[0] / perturbed.perturbation[0];
    assert!((0.0..1.0).contains(&share), "{share}");
}

/// sd-scripts' pyramid noise from PyTorch's generator (tools/golden/noise.py).
#[test]
fn levels_of_noise_are_those_of_sd_scripts() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/noise.safetensors");
    let golden: HashMap<String, Tensor> = candle_core::safetensors::load(path, &HOST).unwrap();
    let mut noise = vec![0.0; 2 * 12 * 20];
    multires::add(&mut noise, [2, 12, 20], &mut Random::from_seed(7), 6, 0.6);
    let check = |name: &str, noise: &[f32]| {
        for (found, expected) in noise.iter().zip(floats(&golden[name]).unwrap().iter()) {
            assert!((found - expected).abs() < 1e-5, "{name}: {found}, not {expected}");
        }
    };
    check("added", &noise);
    // As a batch of two.
    let (first, second) = noise.split_at_mut(12 * 20);
    multires::normalize(vec![first, second]);
    check("normalized", &noise);
}

#[test]
fn levels_of_noise_leave_its_deviation_at_one() {
    let recipe = Parameters {
        multires_noise_iterations: 6,
        multires_noise_discount: 0.8,
        ..Parameters::default()
    };
    let noising = Noising::of(&recipe);
    let mut batch: Vec<Noise> = (0..2)
        .map(|place| drawn(spot(place), |p| *p = recipe.clone()))
        .collect();
    noising.normalize(&mut batch);
    let values = || batch.iter().flat_map(|noise| &noise.values);
    let mean = values().sum::<f32>() / 128.0;
    let variance = values().map(|x| (x - mean).powi(2)).sum::<f32>() / 127.0;
    assert!((variance - 1.0).abs() < 1e-4, "{variance}");
}
