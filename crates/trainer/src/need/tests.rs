use diffusion::{base::BaseModel, cpu::Cpu, random::Random, unet::Conditioning};

use super::*;
use crate::{
    fixture::{BASE, Fixture},
    kinds::Sizes,
    losses::Loss,
    network::LoraNetwork,
    step::{Batch, Models, Told, forward_backward},
};

fn way(recomputes: bool) -> Way {
    Way {
        resolution: 1024,
        batch_size: 2,
        recomputes,
    }
}

fn large(recipe: impl FnOnce(&mut protocol::recipe::ParameterOverrides)) -> Fixture {
    Fixture::new(|overrides| {
        overrides.resolution = Some(1024);
        overrides.bucket_step = Some(64);
        recipe(overrides);
    })
}

#[test]
fn checkpointing_is_chosen_where_it_decides() {
    let fixture = large(|_| ());
    let planning = Planning::new(&*BASE, &fixture.recipe, 6);
    let (whole, again) = (planning.bytes(way(false)), planning.bytes(way(true)));
    assert!(again < whole, "{again} and {whole}");
    assert_eq!(planning.fitting(whole), way(false));
    assert_eq!(planning.fitting(whole - 1), way(true));
    // What does not help is not done.
    assert_eq!(planning.fitting(again - 1), way(false));

    let chosen = large(|overrides| overrides.gradient_checkpointing = Some(true));
    let planning = Planning::new(&*BASE, &chosen.recipe, 6);
    assert_eq!(planning.fitting(u64::MAX), way(true));
}

#[test]
fn what_would_fit_is_as_near_as_possible() {
    let fixture = large(|_| ());
    let planning = Planning::new(&*BASE, &fixture.recipe, 6);
    let one = Way {
        batch_size: 1,
        ..way(true)
    };
    assert_eq!(planning.smaller(planning.bytes(one)), Some(one));
    let smaller = Way {
        resolution: 960,
        ..one
    };
    assert!(planning.bytes(smaller) < planning.bytes(one));
    assert_eq!(planning.smaller(planning.bytes(one) - 1), Some(smaller));
    assert_eq!(planning.smaller(1000), None);
}

#[test]
fn larger_ranks_and_trained_text_encoders_take_more() {
    let bytes = |change: fn(&mut protocol::recipe::ParameterOverrides)| {
        let fixture = large(change);
        let planning = Planning::new(&*BASE, &fixture.recipe, 6);
        planning.bytes(Way::of(&fixture.recipe))
    };
    let plain = bytes(|_| ());
    assert!(bytes(|o| o.rank = Some(64)) > plain);
    assert!(bytes(|o| o.text_encoder_2_learning_rate = Some(1e-5)) > plain);
    assert!(bytes(|o| o.conv_rank = Some(4)) > plain);
}

#[test]
fn recomputing_takes_a_third_more_time() {
    let fixture = large(|_| ());
    let planning = Planning::new(&*BASE, &fixture.recipe, 6);
    let step = |recomputes| planning.need(way(recomputes), 1e11).step.as_secs_f64();
    let ratio = step(true) / step(false);
    assert!((1.25..1.4).contains(&ratio), "{ratio}");
    let need = planning.need(way(false), 1e11);
    assert!(need.whole >= 6 * need.step - Duration::from_millis(1), "{need:?}");
    assert!(planning.measure_speed().unwrap() > 0.0);
}

/// The largest memory that this process ever had. Each test has a process of its own.
#[cfg(target_os = "linux")]
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux says it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kilobytes.and_then(|n| n.parse::<u64>().ok()).expect("a number") * 1024
}

/// A step at 768 pixels.
#[cfg(target_os = "linux")]
fn batch(base: &BaseModel, side: usize) -> Batch {
    let mut random = Random::from_seed(3);
    let mut normal = |shape: &[usize]| random.normal_tensor(shape).unwrap();
    let config = base.unet.config();
    Batch {
        noisy: normal(&[1, 4, side, side]),
        timesteps: vec![500.0],
        told: Told::Encoded(Conditioning {
            context: normal(&[1, 77, config.context_dim]),
            vector: normal(&[1, config.vector_dim]),
        }),
        target: normal(&[1, 4, side, side]),
        loss: Loss::SquaredError,
        weights: vec![1.0],
        corners: vec![0.1],
        mask: Vec::new(),
        draws: None,
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_step_takes_the_memory_that_is_said() {
    let base: &BaseModel = &BASE;
    let sizes = Sizes { rank: 4, alpha: 4.0 };
    let planned = targets::of_unet(base, Kind::Lora, sizes, None);
    let network = LoraNetwork::start(&Cpu, planned, &mut Random::from_seed(1)).unwrap();
    let pass = |side, recomputes| {
        let models = Models::from(base).recomputing(recomputes);
        forward_backward(models, &network, &batch(base, side)).unwrap()
    };
    // What is laid out once.
    pass(8, false);
    let before = peak_bytes();
    pass(96, true);
    let again = peak_bytes() - before;
    pass(96, false);
    let whole = peak_bytes() - before;
    let sample = Sample {
        latents: (96, 96),
        n_tokens: 77,
    };
    let cost = base.unet.config().cost(sample, false);
    let said = |kept: u64| (F32 * (kept + cost.working)) as f64;
    let ratio = whole as f64 / said(cost.kept);
    assert!((0.7..1.4).contains(&ratio), "{whole}, and {cost:?}");
    assert!(2 * again < whole, "{again} with checkpointing, {whole} without");
}
