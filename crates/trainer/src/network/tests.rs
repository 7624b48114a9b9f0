//! The network's layout against kohya's, its start, its state and its gradients.

use std::{collections::HashMap, num::NonZeroU16};

use candle_core::Tensor;
use diffusion::{layers::LoraTarget, random::Random, unet::UnetConfig};
use sha2::{Digest, Sha256};

use super::{Accumulator, Gradients, LoraNetwork, StateError};

fn target(key: &str, n_in: usize, n_out: usize) -> LoraTarget {
    LoraTarget::linear(key, n_in, n_out)
}

fn network(rank: u16, alpha: f64) -> LoraNetwork {
    let targets = vec![target("a", 4, 3), target("b", 2, 5)];
    LoraNetwork::new(
        targets,
        NonZeroU16::new(rank).unwrap(),
        alpha,
        &mut Random::from_seed(1),
    )
}

/// sd-scripts on stabilityai/stable-diffusion-xl-base-1.0 makes 722 modules; the digest is over lines of name, inputs
/// and outputs in its order, the parameter count is that of rank 1.
#[test]
fn sdxl_targets_are_kohyas() {
    let targets = UnetConfig::sdxl().lora_targets();
    assert_eq!(targets.len(), 722);
    let parameters: usize = targets.iter().map(|target| target.n_in + target.n_out).sum();
    assert_eq!(parameters, 2_659_840);
    assert_eq!(
        targets[8],
        target(
            "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k",
            2048,
            640
        )
    );
    let lines: String = targets
        .iter()
        .map(|target| format!("{} {} {}\n", target.key, target.n_in, target.n_out))
        .collect();
    assert_eq!(
        hex::encode(Sha256::digest(lines)),
        "8191410fe4c545cc133098aea323200b2f9b7fee128d731c964f7e24951d3ea6"
    );
}

#[test]
fn starts_without_effect_and_by_seed() {
    let network = network(2, 1.0);
    let module = network.module(network.find("a").unwrap());
    assert_eq!((module.alpha, module.rank), (1.0, 2));
    let parameters = module.parameters();
    let [down, up] = [0, 1].map(|i| &network.values()[parameters[i].place.range()]);
    assert_eq!((down.len(), up.len()), (8, 6));
    assert!(up.iter().all(|&value| value == 0.0));
    assert!(down.iter().all(|&value| value.abs() <= 0.5 && value != 0.0));
    // Both halves of the interval are used, and the edges are approached: it is uniform, not constant.
    let wide = LoraNetwork::new(
        vec![target("w", 100, 1)],
        NonZeroU16::new(8).unwrap(),
        8.0,
        &mut Random::from_seed(3),
    );
    let down = &wide.values()[wide.module(0).parameters()[0].place.range()];
    let mean = down.iter().sum::<f32>() / down.len() as f32;
    let mean_square = down.iter().map(|v| v * v).sum::<f32>() / down.len() as f32;
    assert!(mean.abs() < 0.01, "{mean}");
    assert!((mean_square - 0.01 / 3.0).abs() < 5e-4, "{mean_square}");
    assert_eq!(network.values(), self::network(2, 1.0).values());
    assert!(network.find("c").is_none());
}

#[test]
fn state_goes_out_and_comes_back() {
    let mut network = network(2, 3.0);
    let n = network.n_parameters();
    network
        .values_mut()
        .copy_from_slice(&Random::from_seed(5).normal(n));
    let mut tensors: HashMap<String, Tensor> = network.to_tensors().unwrap().into_iter().collect();
    assert_eq!(tensors.len(), 6);
    assert_eq!(tensors["b.lora_up.weight"].dims(), [5, 2]);
    assert_eq!(tensors["a.alpha"].to_scalar::<f32>().unwrap(), 3.0);

    let targets = vec![target("a", 4, 3), target("b", 2, 5), target("unknown", 1, 1)];
    let read = LoraNetwork::from_tensors(targets, &|name| tensors.get(name).cloned()).unwrap();
    assert_eq!(read.values(), network.values());
    assert_eq!((read.module(0).alpha, read.module(0).rank), (3.0, 2));
    assert_eq!(read.n_modules(), 2);

    let mut fresh = self::network(2, 3.0);
    fresh.import(&|name| tensors.get(name).cloned()).unwrap();
    assert_eq!(fresh.values(), network.values());

    tensors.remove("b.lora_up.weight");
    let error = fresh.import(&|name| tensors.get(name).cloned()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the saved state has no tensor `b.lora_up.weight`"
    );
    let error = self::network(1, 1.0).import(&|name| tensors.get(name).cloned());
    assert!(
        matches!(error, Err(StateError::Shape { found, expected, .. }) if found == [2, 4] && expected == [1, 4])
    );
}

/// torch.nn.utils.clip_grad_norm_([3, 4], 1.0) in PyTorch 2.15.
#[test]
fn clipping() {
    let network = LoraNetwork::new(
        vec![target("a", 1, 1)],
        NonZeroU16::new(1).unwrap(),
        1.0,
        &mut Random::from_seed(1),
    );
    let mut gradients = Gradients::from_values(&network, vec![3.0, 4.0]).unwrap();
    assert_eq!(gradients.norm().unwrap(), 5.0);
    gradients.clip(5.0, 10.0).unwrap();
    assert_eq!(*gradients.values(), [3.0, 4.0]);
    gradients.clip(gradients.norm().unwrap(), 1.0).unwrap();
    assert!((gradients.values()[0] - 0.599_999_9).abs() < 1e-7);
    assert!((gradients.values()[1] - 0.799_999_83).abs() < 1e-7);
    let broken = Gradients::from_values(&network, vec![f32::NAN, 0.0]).unwrap();
    assert!(broken.norm().unwrap().is_nan());
}

#[test]
fn accumulation_averages() {
    let network = LoraNetwork::new(
        vec![target("a", 1, 1)],
        NonZeroU16::new(1).unwrap(),
        1.0,
        &mut Random::from_seed(1),
    );
    let gradients = |values: [f32; 2]| Gradients::from_values(&network, values.to_vec()).unwrap();
    let mut accumulator = Accumulator::new(2);
    assert!(accumulator.add(gradients([1.0, 2.0])).unwrap().is_none());
    let mean = accumulator.add(gradients([3.0, 6.0])).unwrap().unwrap();
    assert_eq!(*mean.values(), [2.0, 4.0]);
    // An epoch that ends early: what is there still counts half.
    assert!(accumulator.add(gradients([1.0, 2.0])).unwrap().is_none());
    assert_eq!(*accumulator.flush().unwrap().values(), [0.5, 1.0]);
    assert!(accumulator.flush().is_none());
    let alone = Accumulator::new(1).add(gradients([1.0, 2.0])).unwrap();
    assert_eq!(*alone.unwrap().values(), [1.0, 2.0]);
}
