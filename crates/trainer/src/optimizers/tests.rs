//! AdamW against torch.optim.AdamW.

use std::{collections::HashMap, num::NonZeroU16};

use candle_core::Tensor;
use diffusion::{layers::LoraTarget, random::Random};

use super::{AdamW, AdamWConfig, Optimizer as _, Rates};
use crate::network::{Gradients, LoraNetwork, StateError};

fn network() -> LoraNetwork {
    let target = LoraTarget::linear("m", 2, 2);
    let rank = NonZeroU16::new(1).unwrap();
    let mut network = LoraNetwork::new(vec![target], rank, 1.0, &mut Random::from_seed(1));
    network.values_mut().copy_from_slice(&[0.5, -0.25, 1.0, 0.0]);
    network
}

const GRADIENTS: [[f32; 4]; 3] = [
    [0.1, -0.2, 0.0, 1e-9],
    [0.3, 0.1, -0.5, 2e-9],
    [-0.2, 0.4, 0.25, -1e-8],
];

/// Weights after each step in PyTorch 2.15, lr 1e-2; the last gradient is far below epsilon.
#[test]
fn three_steps_of_pytorch() {
    const EXPECTED: [[f32; 4]; 3] = [
        [0.489_95, -0.239_974_99, 0.999_9, -0.000_909_090_9],
        [0.480_723_2, -0.237_287_61, 1.007_241_4, -0.002_226_905_4],
        [0.478_096_1, -0.241_837_19, 1.009_427_1, -0.000_513_660_7],
    ];
    let mut network = network();
    let mut optimizer = AdamW::new(&network, AdamWConfig::default()).unwrap();
    for (gradients, expected) in GRADIENTS.iter().zip(EXPECTED) {
        let gradients = Gradients::from_values(&network, gradients.to_vec()).unwrap();
        optimizer
            .step(&mut network, &gradients, Rates::same(1e-2))
            .unwrap();
        for (found, expected) in network.values().iter().zip(expected) {
            assert!((found - expected).abs() < 2e-7, "{found} {expected}");
        }
    }
    assert_eq!(optimizer.n_steps(), 3);
}

#[test]
fn goes_on_from_a_saved_state() {
    let mut network = network();
    let mut optimizer = AdamW::new(&network, AdamWConfig::default()).unwrap();
    let gradients = GRADIENTS.map(|values| Gradients::from_values(&network, values.to_vec()).unwrap());
    optimizer
        .step(&mut network, &gradients[0], Rates::same(1e-2))
        .unwrap();
    optimizer
        .step(&mut network, &gradients[1], Rates::same(1e-2))
        .unwrap();

    let state: HashMap<String, Tensor> = optimizer.export(&network).unwrap().into_iter().collect();
    let mut resumed_network = network.clone();
    let config = AdamWConfig::default();
    let mut resumed = AdamW::import(&network, config, &|name| state.get(name).cloned()).unwrap();
    optimizer
        .step(&mut network, &gradients[2], Rates::same(1e-2))
        .unwrap();
    resumed
        .step(&mut resumed_network, &gradients[2], Rates::same(1e-2))
        .unwrap();
    assert_eq!(network.values(), resumed_network.values());

    let error = AdamW::import(&network, config, &|name| {
        state.get(name).filter(|_| !name.starts_with("second")).cloned()
    });
    assert!(matches!(error, Err(StateError::Missing { name }) if name == "second_moment.m.lora_down.weight"));
}
