//! Every sampler walks diffusers' way, number by number (tests/golden/schedulers.json, made by tools/golden).

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Golden {
    alphas_cumprod: std::collections::BTreeMap<usize, f32>,
    trajectories: Vec<Trajectory>,
}

#[derive(Deserialize)]
struct Trajectory {
    sampler: String,
    n_steps: u32,
    changes: serde_json::Map<String, serde_json::Value>,
    timesteps: Vec<f64>,
    initial_noise_scale: f64,
    first: Vec<f32>,
    middle: Vec<f32>,
    last: Vec<f32>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../tests/golden/schedulers.json")).unwrap()
}

/// f32 sums in another order, over 25 steps that each may amplify them.
const TOLERANCE: f32 = 2e-4;

#[track_caller]
fn check_close(what: &str, found: &[f32], expected: &[f32]) {
    let scale = expected.iter().fold(1.0_f32, |max, x| max.max(x.abs()));
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!(
            (a - b).abs() <= TOLERANCE * scale,
            "{what}, number {i}: {a} instead of {b}"
        );
    }
    assert_eq!(found.len(), expected.len());
}

#[test]
fn samplers_walk_the_way_of_diffusers() {
    for case in golden().trajectories {
        let name = format!("{} {} {:?}", case.sampler, case.n_steps, case.changes);
        let config: SchedulerConfig =
            serde_json::from_value(serde_json::Value::Object(case.changes)).unwrap();
        let sampler: Sampler = case.sampler.parse().unwrap();
        let mut scheduler = sampler.plan(&config, case.n_steps.try_into().unwrap());

        let timesteps = scheduler.timesteps().to_vec();
        assert_eq!(timesteps.len(), case.timesteps.len(), "{name}");
        for (found, expected) in timesteps.iter().zip(&case.timesteps) {
            assert!((found - expected).abs() < 1e-4, "{name}: {timesteps:?}");
        }
        let scale = scheduler.initial_noise_scale();
        assert!(
            (scale / case.initial_noise_scale - 1.0).abs() < 1e-5,
            "{name}: {scale}"
        );

        let mut ancestral = Random::from_seed(2);
        let mut latents: Vec<f32> = Random::from_seed(1)
            .normal(20)
            .iter()
            .map(|x| x * scale as f32)
            .collect();
        for (step, timestep) in timesteps.iter().enumerate() {
            let input = scheduler.input_scale(step) as f32;
            let output: Vec<f32> = latents
                .iter()
                .map(|x| (1.3 * x * input + *timestep as f32 / 200.0).sin())
                .collect();
            scheduler.step(step, &output, &mut latents, &mut ancestral);
            if step == 0 {
                check_close(&format!("{name}, first step"), &latents, &case.first);
            }
            if step == timesteps.len() / 2 {
                check_close(&format!("{name}, middle"), &latents, &case.middle);
            }
        }
        check_close(&format!("{name}, end"), &latents, &case.last);
    }
}

#[test]
fn noise_schedule_of_sdxl() {
    let schedule = NoiseSchedule::new(&SchedulerConfig::default());
    for (timestep, expected) in golden().alphas_cumprod {
        let found = schedule.alpha_cumprod(timestep);
        assert!(
            (found / expected - 1.0).abs() < 1e-6,
            "timestep {timestep}: {found} instead of {expected}"
        );
    }
    // Printed by sd-scripts at commit 48d368fa.
    for (timestep, expected) in [(0, 0.999_149_978), (500, 0.276_332_468), (999, 0.004_660_095_09)] {
        let found = f64::from(schedule.alpha_cumprod(timestep));
        assert!(
            (found / expected - 1.0).abs() < 1e-6,
            "timestep {timestep}: {found}"
        );
        assert!((schedule.snr(timestep) - expected / (1.0 - expected)).abs() < 1e-3 * schedule.snr(timestep));
        let (signal, noise) = schedule.mix(timestep);
        assert!((signal * signal + noise * noise - 1.0).abs() < 1e-12);
    }
}

#[test]
fn names_are_read_back() {
    for sampler in Sampler::ALL {
        assert_eq!(sampler.name().parse(), Ok(sampler));
    }
    assert_eq!(
        "heun".parse::<Sampler>().unwrap_err().to_string(),
        "unknown sampler `heun`, expected euler, euler_a, ddim or dpmpp_2m"
    );
}

#[test]
fn step_counts_are_bounded() {
    assert_eq!(StepCount::try_from(25).unwrap().get(), 25);
    for n_steps in [0, 501, u32::MAX] {
        assert_eq!(StepCount::try_from(n_steps), Err(InvalidStepCount(n_steps)));
    }
}
