//! Every gradient of a LoRA on the whole U-Net, against PyTorch and peft (tools/golden/models.py).

use std::path::Path;

use candle_core::Tensor;
use diffusion::{
    base::BaseModel,
    conditioning::{self, PictureSizes},
    device::HOST,
    lora::names,
    random::Random,
    unet::Conditioning,
    weights::TensorFile,
};
use trainer::{
    losses::Loss,
    network::LoraNetwork,
    step::{Batch, Told, forward_backward},
};

/// f32 sums in another order through a dozen layers and back.
const TOLERANCE: f64 = 2e-4;
const RANK: usize = 2;
const ALPHA: f64 = 1.0;

fn randn(seed: u64, shape: &[usize]) -> Tensor {
    Random::from_seed(seed).normal_tensor(shape).unwrap()
}

fn batch() -> Batch {
    let sizes = |original, crop| PictureSizes {
        original,
        crop,
        target: (64, 96),
    };
    let sizes = [sizes((96, 64), (0, 4)), sizes((200, 100), (8, 0))];
    Batch {
        noisy: randn(21, &[2, 4, 8, 12]),
        timesteps: vec![3.0, 801.0],
        told: Told::Encoded(Conditioning {
            context: randn(22, &[2, 77, 96]),
            vector: conditioning::vector(&randn(23, &[2, 64]), &sizes).unwrap(),
        }),
        target: randn(24, &[2, 4, 8, 12]),
        loss: Loss::SquaredError,
        weights: vec![1.0; 2],
        corners: vec![1.0; 2],
        mask: Vec::new(),
        draws: None,
    }
}

/// Kohya's keys in the alphabetical order of diffusers' names, which the script counts in.
fn modules(base: &BaseModel) -> Vec<(String, String)> {
    let targets = base.unet.config().lora_targets();
    let mut modules: Vec<_> = targets
        .into_iter()
        .map(|target| (names::kohya_to_diffusers(&target.key).unwrap(), target.key))
        .collect();
    modules.sort();
    modules
}

fn network(base: &BaseModel, modules: &[(String, String)]) -> LoraNetwork {
    let targets = base.unet.config().lora_targets();
    let lookup = |name: &str| {
        let (key, part) = name.split_once('.').unwrap();
        let i = modules.iter().position(|(_, module)| module == key).unwrap() as u64;
        let target = targets.iter().find(|target| target.key == key).unwrap();
        let eighth = |seed, shape: &[usize]| (randn(seed, shape) / 8.0).unwrap();
        Some(match part {
            "lora_down.weight" => eighth(100 + 2 * i, &[RANK, target.n_in]),
            "lora_up.weight" => eighth(101 + 2 * i, &[target.n_out, RANK]),
            "alpha" => Tensor::new(ALPHA as f32, &HOST).unwrap(),
            _ => return None,
        })
    };
    LoraNetwork::from_tensors(targets.clone(), &lookup).unwrap()
}

#[test]
fn equal_those_of_pytorch() {
    let base = BaseModel::built_in("tiny-xl").unwrap();
    let modules = modules(&base);
    let network = network(&base, &modules);
    assert_eq!(network.n_modules(), modules.len());
    let pass = forward_backward(&base.unet, &network, &batch()).unwrap();

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../diffusion/tests/golden/models.safetensors");
    let golden = TensorFile::open(&path).unwrap();
    let loss = f64::from(golden.read("lora.loss").unwrap()[0]);
    assert!(
        (pass.loss - loss).abs() < 1e-6 * loss,
        "{} is not {loss}",
        pass.loss
    );

    let gradients: std::collections::HashMap<String, Vec<f32>> = network
        .named(pass.gradients.values())
        .unwrap()
        .into_iter()
        .map(|(name, gradient)| (name, gradient.flatten_all().unwrap().to_vec1().unwrap()))
        .collect();
    let norms = golden.read("lora.norms").unwrap();
    let mut norms = norms.iter();
    let mut n_compared = 0;
    for (module, key) in &modules {
        for (peft, kohya) in [("A", "down"), ("B", "up")] {
            let found = &gradients[&format!("{key}.lora_{kohya}.weight")];
            let norm = found.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
            let expected = f64::from(*norms.next().unwrap());
            let allowed = TOLERANCE * expected;
            assert!(
                (norm - expected).abs() <= allowed,
                "{module} {peft}: {norm}, not {expected}"
            );

            let name = format!("lora.{}.lora_{peft}.weight", module.trim_start_matches("unet."));
            if golden.info(&name).is_none() {
                continue; // the file holds the gradients of every eleventh module
            }
            let expected = golden.read(&name).unwrap();
            let largest = expected.iter().fold(0.0f32, |max, v| max.max(v.abs()));
            for (found, expected) in found.iter().zip(&expected) {
                let error = f64::from((found - expected).abs());
                assert!(
                    error <= TOLERANCE * f64::from(largest),
                    "{name}: {found}, not {expected}"
                );
            }
            n_compared += 1;
        }
    }
    assert!(norms.next().is_none());
    assert_eq!(n_compared, 2 * modules.len().div_ceil(11));
}
