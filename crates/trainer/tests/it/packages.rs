//! Optimizers over the least squares of a LoRA, as a recipe asks for them, against the packages that people train with
//! (tools/golden/optimizers.py).

use std::{collections::BTreeMap, num::NonZeroU16};

use diffusion::{layers::LoraTarget, random::Random};
use protocol::{
    preset::BaseClass,
    recipe::{Recipe, RecipeRequest},
};
use serde::Deserialize;
use trainer::{
    network::{Gradients, LoraNetwork},
    optimizers::{OptimizerConfig, Rates},
};

#[derive(Deserialize)]
struct Case {
    overrides: serde_json::Value,
    /// Steps over which the learning rate rises from zero.
    n_warmup: u32,
    /// Samples, inputs, rank and outputs.
    sizes: [usize; 4],
    /// How many weights lie from one that is stored to the next.
    stride: usize,
    /// Weights by the number of steps.
    weights: BTreeMap<u32, Vec<f32>>,
    /// How far they are off after as many steps if training begins a ten-millionth beside.
    doubts: BTreeMap<u32, f32>,
    /// What a schedule-free training is for.
    averaged: Option<Vec<f32>>,
}

/// The least squares of a LoRA: `mean((X downᵀ upᵀ − Y)²)`.
struct Problem {
    sizes: [usize; 4],
    /// `[n, n_in]`
    x: Vec<f32>,
    /// `[n, n_out]`
    y: Vec<f32>,
}

impl Problem {
    fn new(sizes: [usize; 4]) -> Self {
        let [n, n_in, _, n_out] = sizes;
        Self {
            sizes,
            x: Random::from_seed(1).normal(n * n_in),
            y: Random::from_seed(2).normal(n * n_out),
        }
    }

    fn network(&self) -> LoraNetwork {
        let [_, n_in, rank, n_out] = self.sizes;
        let target = LoraTarget::linear("m", n_in, n_out);
        let rank_of = NonZeroU16::new(rank as u16).unwrap();
        let mut network = LoraNetwork::new(vec![target], rank_of, 1.0, &mut Random::from_seed(1));
        let down = Random::from_seed(3).normal(rank * n_in);
        let up = Random::from_seed(4).normal(n_out * rank);
        let values = down.iter().chain(&up).map(|x| x * 0.3);
        network
            .values_mut()
            .copy_from_slice(&values.collect::<Vec<f32>>());
        network
    }

    /// In double precision, of `down` and then `up`.
    fn gradients(&self, values: &[f32]) -> Vec<f32> {
        let [n, n_in, rank, n_out] = self.sizes;
        let (down, up) = values.split_at(rank * n_in);
        let (mut of_down, mut of_up) = (vec![0.0; down.len()], vec![0.0; up.len()]);
        for sample in 0..n {
            let x = &self.x[sample * n_in..(sample + 1) * n_in];
            let hidden: Vec<f64> = down.chunks(n_in).map(|row| dot(row, x)).collect();
            let mut back = vec![0.0; rank];
            for output in 0..n_out {
                let row = output * rank..(output + 1) * rank;
                let found: f64 = up[row.clone()]
                    .iter()
                    .zip(&hidden)
                    .map(|(up, hidden)| f64::from(*up) * hidden)
                    .sum();
                let error = found - f64::from(self.y[sample * n_out + output]);
                let error = error * 2.0 / (n * n_out) as f64;
                for (r, i) in row.enumerate() {
                    of_up[i] += error * hidden[r];
                    back[r] += error * f64::from(up[i]);
                }
            }
            for (row, back) in of_down.chunks_mut(n_in).zip(back) {
                for (sum, x) in row.iter_mut().zip(x) {
                    *sum += back * f64::from(*x);
                }
            }
        }
        of_down.iter().chain(&of_up).map(|x| *x as f32).collect()
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

fn recipe(overrides: &serde_json::Value) -> Recipe {
    let mut overrides = overrides.clone();
    // Learning rates are given to each step.
    overrides["lr_schedule"] = "constant".into();
    let request = RecipeRequest {
        base_model: "tiny-xl".into(),
        name: "zora".into(),
        overrides: serde_json::from_value(overrides).unwrap(),
        ..RecipeRequest::default()
    };
    Recipe::resolve(request, BaseClass::Tiny).unwrap()
}

#[track_caller]
fn check_close(what: &str, found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (found - expected).abs() <= tolerance,
            "{what}, weight {i}: {found}, expected {expected} to {tolerance:e}"
        );
    }
}

#[test]
fn every_optimizer_moves_as_the_package_that_people_train_with() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../golden/optimizers.json")).unwrap();
    assert_eq!(cases.len(), 31);
    for case in cases {
        let recipe = recipe(&case.overrides);
        let p = recipe.parameters();
        let problem = Problem::new(case.sizes);
        let mut network = problem.network();
        let config = OptimizerConfig::of(p);
        // Where a moment lies between two codes of eight bits, the last bit decides.
        let least = if config.name() == "adamw_8bit" { 5e-4 } else { 1e-5 };
        let stored = |values: &[f32]| -> Vec<f32> { values.iter().copied().step_by(case.stride).collect() };
        let mut optimizer = config.start(&network).unwrap();
        for step in 1..=100_u32 {
            let gradients = problem.gradients(network.values());
            let gradients = Gradients::from_values(&network, gradients).unwrap();
            let warmth = match case.n_warmup {
                0 => 1.0,
                n_warmup => (f64::from(step - 1) / f64::from(n_warmup)).min(1.0),
            };
            let rates = Rates::same(p.learning_rate * warmth);
            optimizer.step(&mut network, &gradients, rates).unwrap();
            if let Some(expected) = case.weights.get(&step) {
                let what = format!("{}, step {step}", case.overrides);
                let tolerance = least + 30.0 * case.doubts[&step];
                check_close(&what, &stored(network.values()), expected, tolerance);
            }
        }
        let averaged = optimizer.averaged(&network).unwrap();
        assert_eq!(averaged.is_some(), case.averaged.is_some(), "{}", case.overrides);
        if let (Some(found), Some(expected)) = (averaged, case.averaged) {
            let what = format!("{}, averaged", case.overrides);
            let tolerance = least + 30.0 * case.doubts[&100];
            check_close(&what, &stored(&found), &expected, tolerance);
        }
    }
}
