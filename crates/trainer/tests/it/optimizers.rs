//! Every optimizer that a recipe can name: on both devices, from a saved state, and on parts of a network.

use std::collections::HashMap;

use candle_core::Tensor;
use diffusion::{cpu::Cpu, device::TrainingDevice, layers::LoraTarget, random::Random};
use protocol::{
    parameters::{Optimizer as Named, Words as _},
    preset::BaseClass,
    recipe::{ParameterOverrides, Parameters, Recipe, RecipeRequest},
};
use serde_json::{Value as Json, json};
use trainer::{
    kinds::{Kind, Planned, Sizes},
    network::{Gradients, LoraNetwork},
    optimizers::{Optimizer, OptimizerConfig, Part, Rates},
};

use crate::reference::Reference;

/// Hyperparameters as a recipe has them.
fn parameters(mut overrides: Json) -> Parameters {
    overrides["lr_schedule"] = json!("constant");
    let overrides: ParameterOverrides = serde_json::from_value(overrides).unwrap();
    let request = RecipeRequest {
        name: "optimizers".into(),
        base_model: "tiny-xl".into(),
        overrides,
        ..RecipeRequest::default()
    };
    Recipe::resolve(request, BaseClass::Tiny)
        .unwrap()
        .parameters()
        .clone()
}

/// How far numbers are from others, relative to the largest of those.
fn errors(found: &[f32], expected: &[f32]) -> Vec<f32> {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0f32, |max, x| max.max(x.abs()));
    let pairs = found.iter().zip(expected);
    pairs
        .map(|(found, expected)| (found - expected).abs() / largest)
        .collect()
}

/// A matrix that is large enough for eight bits, and one that is not; the second part of a block is short.
fn start<D: TrainingDevice>(device: &D) -> LoraNetwork<D> {
    let sizes = Sizes {
        rank: 16,
        alpha: 16.0,
    };
    let target = LoraTarget::linear("m", 301, 20);
    let planned = [Planned::new(Kind::Lora, target, sizes)];
    let mut network = LoraNetwork::start(device, planned, &mut Random::from_seed(3)).unwrap();
    let values = Random::from_seed(4).normal(network.n_parameters());
    let values = values.into_iter().map(|value| 0.1 * value).collect();
    *network.values_mut() = device.buffer(values).unwrap();
    network
}

/// Gradients with a clear sign.
fn clear_gradients<D: TrainingDevice>(network: &LoraNetwork<D>, step: u64) -> Gradients<D> {
    let values = Random::from_seed(step + 10).normal(network.n_parameters());
    let values = values.into_iter().map(|value| value + 0.1f32.copysign(value));
    Gradients::from_values(network, values.collect()).unwrap()
}

fn step<D: TrainingDevice>(optimizer: &mut dyn Optimizer<D>, network: &mut LoraNetwork<D>, number: u64) {
    let gradients = clear_gradients(network, number);
    optimizer.step(network, &gradients, Rates::same(1e-3)).unwrap();
}

/// Every optimizer by its name, with a momentum where it is an option, and estimates that move a weight from the start.
fn configs() -> impl Iterator<Item = OptimizerConfig> {
    Named::WORDS.iter().map(|&word| {
        let arguments = match word {
            "adafactor" => json!(["beta1=0.9", "scale_parameter=True"]),
            "prodigy" => json!(["d0=0.01", "slice_p=3"]),
            "prodigy_schedule_free" | "d_adaptation" => json!(["d0=0.01"]),
            _ => json!([]),
        };
        OptimizerConfig::of(&parameters(json!({
            "optimizer": word, "optimizer_arguments": arguments, "learning_rate": 1e-3, "weight_decay": 0.1,
        })))
    })
}

/// Weights and averaged weights after three steps.
fn moved<D: TrainingDevice>(device: &D, config: OptimizerConfig) -> [Vec<f32>; 2] {
    let mut network = start(device);
    let mut optimizer = config.start(&network).unwrap();
    for number in 0..3 {
        step(optimizer.as_mut(), &mut network, number);
    }
    let averaged = optimizer.averaged(&network).unwrap();
    let averaged = averaged.unwrap_or_else(|| network.values().clone());
    [network.values(), &averaged].map(|buffer| device.values(buffer).unwrap())
}

#[test]
fn both_devices_take_the_same_steps() {
    for config in configs() {
        let (cpu, reference) = (moved(&Cpu, config), moved(&Reference, config));
        for (found, expected) in cpu.iter().zip(&reference) {
            let worst = errors(found, expected).into_iter().fold(0.0, f32::max);
            assert!(worst < 2e-4, "{}: off by {worst:e}", config.name());
        }
    }
}

#[test]
fn a_saved_state_goes_on_to_the_last_bit() {
    for config in configs() {
        let mut network = start(&Cpu);
        let mut optimizer = config.start(&network).unwrap();
        for number in 0..3 {
            step(optimizer.as_mut(), &mut network, number);
        }
        let state: HashMap<String, Tensor> = optimizer.export(&network).unwrap().into_iter().collect();
        let mut resumed_network = network.clone();
        let lookup = |name: &str| state.get(name).cloned();
        let mut resumed = config.resume(&resumed_network, &lookup).unwrap();
        for number in 3..6 {
            step(optimizer.as_mut(), &mut network, number);
            step(resumed.as_mut(), &mut resumed_network, number);
        }
        let name = config.name();
        assert_eq!(network.values(), resumed_network.values(), "{name}");
        assert_eq!(
            optimizer.averaged(&network).unwrap(),
            resumed.averaged(&resumed_network).unwrap(),
            "{name}"
        );
        assert_eq!(
            optimizer.effective_rate(1.0),
            resumed.effective_rate(1.0),
            "{name}"
        );

        for missing in state.keys() {
            let lookup = |name: &str| state.get(name).filter(|_| name != missing).cloned();
            let error = config.resume(&network, &lookup).err().unwrap().to_string();
            assert!(error.contains(missing), "{name}: {error}");
        }
    }
}

#[test]
fn a_part_moves_by_its_share_and_a_frozen_one_stays() {
    for config in configs() {
        let mut network = start(&Cpu);
        let before = network.values().clone();
        let down = network.parameters().next().unwrap().place.range();
        let parts = [
            Part {
                range: down.clone(),
                factor: 0.0,
            },
            Part {
                range: down.end..network.n_parameters(),
                factor: 1.0,
            },
        ];
        let mut optimizer = config.start(&network).unwrap();
        for number in 0..3 {
            let rates = Rates {
                rate: 1e-3,
                parts: &parts,
            };
            let gradients = clear_gradients(&network, number);
            optimizer.step(&mut network, &gradients, rates).unwrap();
        }
        let averaged = optimizer.averaged(&network).unwrap();
        for after in [Some(network.values().clone()), averaged].into_iter().flatten() {
            let name = config.name();
            assert_eq!(after[down.clone()], before[down.clone()], "{name}");
            let rest = down.end..;
            assert!(
                after[rest.clone()].iter().zip(&before[rest]).all(|(a, b)| a != b),
                "{name}"
            );
        }
    }
}

#[test]
fn parts_of_parameters_are_those_of_modules_where_all_have_the_same_share() {
    let network = start(&Cpu);
    assert_eq!(
        Part::of_parameters(&network, |_, _| 0.5),
        Part::of(&network, |_| 0.5)
    );
    let parts = Part::of_parameters(&network, |_, parameter| {
        if parameter.name.contains("lora_up") {
            16.0
        } else {
            1.0
        }
    });
    let [down, up] = parts.as_slice() else {
        panic!("a part for each matrix: {parts:?}");
    };
    assert_eq!((down.factor, up.factor), (1.0, 16.0));
    assert_eq!(
        (down.range.clone(), up.range.clone()),
        (0..16 * 301, 16 * 301..16 * 321)
    );

    // With Lion, each weight moves by its rate.
    let config = OptimizerConfig::of(&parameters(json!({ "optimizer": "lion", "weight_decay": 0 })));
    let mut moved = network.clone();
    let rates = Rates {
        rate: 1e-3,
        parts: &parts,
    };
    let gradients = clear_gradients(&network, 1);
    let mut optimizer = config.start(&network).unwrap();
    optimizer.step(&mut moved, &gradients, rates).unwrap();
    let by = |at: usize| (moved.values()[at] - network.values()[at]).abs();
    assert!((by(0) - 1e-3).abs() < 1e-6 && (by(16 * 301) - 16e-3).abs() < 1e-6);
}

#[test]
fn lion_moves_a_part_with_half_the_rate_half_as_far() {
    let config = OptimizerConfig::of(&parameters(json!({ "optimizer": "lion", "weight_decay": 0 })));
    let moved = |factor| {
        let mut network = start(&Cpu);
        let before = network.values().clone();
        let parts = Part::of(&network, |_| factor);
        let rates = Rates {
            rate: 1e-2,
            parts: &parts,
        };
        let gradients = clear_gradients(&network, 1);
        let mut optimizer = config.start(&network).unwrap();
        optimizer.step(&mut network, &gradients, rates).unwrap();
        (network.values()[0] - before[0]).abs()
    };
    assert!((moved(1.0) - 1e-2).abs() < 1e-6);
    assert!((moved(0.5) - 0.5e-2).abs() < 1e-6);
}
