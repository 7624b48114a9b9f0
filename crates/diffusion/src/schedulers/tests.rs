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

/// diffusers' FlowMatchEulerDiscreteScheduler and DPMSolverMultistepScheduler (with `use_flow_sigmas` and `flow_shift`),
/// version 0.35, followed by hand in f64 from [0.5, -1, 2] with the answer sin(1.3 x + t / 200).
#[test]
fn rectified_flow_walks_the_way_of_diffusers() {
    type Case = (Sampler, f64, &'static [f64], [f32; 3]);
    let cases: [Case; 6] = [
        (
            Sampler::Euler,
            1.0,
            &[1000.0, 667.0, 334.0, 1.0],
            [0.933_282, -1.166_324, 2.190_514],
        ),
        (
            Sampler::Euler,
            3.0,
            &[1000.0, 900.359_07, 751.121_08, 502.985_07, 8.928_57],
            [1.202_671, -1.504_689, 2.334_523],
        ),
        // DDIM with η = 0 is the same there.
        (
            Sampler::Ddim,
            1.0,
            &[1000.0, 667.0, 334.0, 1.0],
            [0.933_282, -1.166_324, 2.190_514],
        ),
        (
            Sampler::Ddim,
            3.0,
            &[1000.0, 900.359_07, 751.121_08, 502.985_07, 8.928_57],
            [1.202_671, -1.504_689, 2.334_523],
        ),
        (
            Sampler::Dpmpp2m,
            1.0,
            &[999.0, 749.0, 499.0, 249.0],
            [0.826_873, -1.197_353, 2.397_663],
        ),
        (
            Sampler::Dpmpp2m,
            3.0,
            &[999.0, 922.0, 817.0, 666.0, 428.0],
            [1.144_988, -1.498_4, 2.511_541],
        ),
    ];
    for (sampler, shift, timesteps, expected) in cases {
        let config = SchedulerConfig {
            prediction_type: PredictionType::Flow,
            shift,
            ..SchedulerConfig::default()
        };
        let n_steps = (timesteps.len() as u32).try_into().unwrap();
        let mut scheduler = sampler.plan(&config, n_steps);
        let name = format!("{} with shift {shift}", sampler.name());
        for (found, expected) in scheduler.timesteps().iter().zip(timesteps) {
            assert!(
                (found - expected).abs() < 1e-4,
                "{name}: {found} instead of {expected}"
            );
        }
        assert_eq!(scheduler.timesteps().len(), timesteps.len());
        assert!((scheduler.initial_noise_scale() - 1.0).abs() < 1e-12);
        let mut latents = vec![0.5, -1.0, 2.0];
        for (step, timestep) in timesteps.iter().enumerate() {
            let output: Vec<f32> = latents
                .iter()
                .map(|x| (1.3 * x + *timestep as f32 / 200.0).sin())
                .collect();
            scheduler.step(step, &output, &mut latents, &mut Random::from_seed(2));
        }
        check_close(&name, &latents, &expected);
    }
}

/// A U-Net that knows picture and noise leads every sampler to the picture, whatever it predicts. DDIM ends at timestep 0,
/// where 3 % of the noise is left.
#[test]
fn every_sampler_arrives_at_the_picture() {
    let picture = [0.3_f32, -1.2, 0.8, 0.0];
    for prediction in protocol::base::Prediction::ALL {
        let config = SchedulerConfig::default().with_prediction(prediction);
        for sampler in Sampler::ALL {
            let mut scheduler = sampler.plan(&config, 12.try_into().unwrap());
            let scale = scheduler.initial_noise_scale() as f32;
            let mut random = Random::from_seed(3);
            let mut latents: Vec<f32> = random.normal(4).iter().map(|x| x * scale).collect();
            let schedule = NoiseSchedule::new(&config);
            for (step, timestep) in scheduler.timesteps().to_vec().into_iter().enumerate() {
                let input = scheduler.input_scale(step) as f32;
                let (signal, amount) = match config.prediction_type {
                    // Fractional timesteps are exact on a straight line.
                    PredictionType::Flow => (1.0 - timestep as f32 / 1000.0, timestep as f32 / 1000.0),
                    _ => {
                        let mix = schedule.mix((timestep.round() as usize).min(999));
                        (mix.0 as f32, mix.1 as f32)
                    }
                };
                let output: Vec<f32> = latents
                    .iter()
                    .zip(&picture)
                    .map(|(latent, x)| {
                        let noise = (latent * input - signal * x) / amount;
                        config.prediction_type.target((signal, amount), *x, noise)
                    })
                    .collect();
                scheduler.step(step, &output, &mut latents, &mut random);
            }
            for (found, expected) in latents.iter().zip(&picture) {
                assert!(
                    (found - expected).abs() < 0.1,
                    "{} for {prediction}: {latents:?} instead of {picture:?}",
                    sampler.name()
                );
            }
        }
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

/// Algorithm 1 of Lin et al. 2023 in double precision. Weights use the ratios of the schedule before it, as in sd-scripts.
#[test]
fn zero_terminal_snr_leaves_nothing_at_the_end_and_weights_as_they_were() {
    let usual = NoiseSchedule::for_training(&SchedulerConfig::default());
    let config = SchedulerConfig {
        prediction_type: PredictionType::VPrediction,
        rescale_betas_zero_snr: true,
        ..SchedulerConfig::default()
    };
    let schedule = NoiseSchedule::for_training(&config);
    for (timestep, expected) in [
        (0, 0.999_15),
        (250, 0.652_457_015),
        (500, 0.241_018_783),
        (900, 0.002_960_393),
        (998, 1.967_9e-7),
        (999, 0.0),
    ] {
        let found = f64::from(schedule.alpha_cumprod(timestep));
        assert!((found - expected).abs() < 1e-6, "timestep {timestep}: {found}");
        assert_eq!(schedule.snr(timestep), usual.snr(timestep));
    }
    assert_eq!(schedule.mix(999), (0.0, 1.0));
    // Samplers divide by what is left.
    assert!(NoiseSchedule::new(&config).alpha_cumprod(999) > 0.0);
}

#[test]
fn rectified_flow_mixes_between_timesteps() {
    let config = SchedulerConfig {
        prediction_type: PredictionType::Flow,
        ..SchedulerConfig::default()
    };
    let schedule = NoiseSchedule::for_training(&config);
    assert!(schedule.is_continuous());
    assert_eq!(schedule.mix_at(250.5), (0.7495, 0.2505));
    assert_eq!(schedule.mix_at(1000.0), (0.0, 1.0));
    assert_eq!(schedule.snr_at(500.0), 1.0);
}
