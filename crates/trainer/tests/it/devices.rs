//! A training step on two devices: the CPU against plain loops in double precision.
//!
//! Models, tape, LoRA, loss and optimizer are the same code on both. What is compared is all that a device computes.

use candle_core::Tensor;
use diffusion::{
    base::{BaseModel, BaseOptions},
    conditioning::{PictureSizes, embedded_sizes, vector},
    cpu::Cpu,
    device::{Device, TrainingDevice, floats},
    random::Random,
    tokenizer::Tokenizer,
    unet::Conditioning,
};
use trainer::{
    kinds::{Kind, Planned, Sizes},
    losses::{Compared, Loss},
    network::LoraNetwork,
    optimizers::{AdamWConfig, OptimizerConfig, Rates},
    step::{Batch, Models, Told, forward_backward},
    targets::{measured, of_text_encoder, of_unet},
};

use crate::reference::Reference;

/// What `f32` loses through a whole U-Net and back, relative to the largest number of each matrix.
const TOLERANCE: f64 = 2e-4;

/// Every optimizer, with settings at which a weight moves with its gradient and not with its sign alone.
const OPTIMIZERS: [OptimizerConfig; 1] = [OptimizerConfig::AdamW(AdamWConfig {
    // Large beside the gradients.
    eps: 1.0,
    ..AdamWConfig::DEFAULT
})];

const SIZES: [PictureSizes; 2] = [
    PictureSizes {
        original: (96, 64),
        crop: (0, 4),
        target: (48, 32),
    },
    PictureSizes {
        original: (48, 32),
        crop: (0, 0),
        target: (48, 32),
    },
];

/// Two samples whose sides are odd at the second level, with texts of two chunks.
fn batch<D: Device>(base: &BaseModel<D>, random: &mut Random) -> Batch {
    let mut normal = |shape: &[usize]| random.normal_tensor(shape).unwrap();
    let texts = ["zora in the rain", ""].map(|text| Tokenizer.encode(text));
    Batch {
        noisy: normal(&[2, 4, 6, 4]),
        timesteps: vec![17.0, 640.0],
        told: Told::Tokens {
            texts: base.text_encoders.lay_out(&texts, 150.try_into().unwrap()),
            sizes: embedded_sizes(&SIZES).unwrap(),
        },
        target: normal(&[2, 4, 6, 4]),
        loss: Loss::SquaredError,
        weights: vec![1.0, 0.25],
        corners: vec![0.5, 0.1],
        mask: Vec::new(),
        draws: None,
    }
}

/// Everything that a training step and a picture need, as host tensors.
struct Outcome {
    loss: f64,
    /// Every loss of these random numbers, with its gradient.
    losses: Vec<(f64, Tensor)>,
    norm: f64,
    gradients: Vec<(String, Tensor)>,
    /// After one step of each optimizer.
    weights: Vec<(String, Tensor)>,
    /// Of inference with the LoRA.
    prediction: Tensor,
}

fn outcome<D: TrainingDevice>(device: &D) -> Outcome {
    let base = BaseModel::built_in_on(device, "tiny-xl", &BaseOptions::default()).unwrap();
    let mut random = Random::from_seed(5);
    let batch = batch(&base, &mut random);
    let mut network = LoraNetwork::start(device, everything(&base), &mut random).unwrap();
    // A fresh LoRA changes nothing, and half of its gradients are zero.
    let values = random.normal(network.n_parameters());
    let values = values.into_iter().map(|value| 0.05 * value).collect();
    *network.values_mut() = device.buffer(values).unwrap();

    let adapters = network.applied(&base, 0.5).unwrap();
    let Told::Tokens { texts, .. } = &batch.told else {
        panic!("texts are tokens here");
    };
    let text = base.text_encoders.encode_laid_out(texts, &adapters).unwrap();
    let told = Conditioning {
        vector: vector(&text.pooled, &SIZES).unwrap(),
        context: text.context,
    };
    let prediction = base
        .unet
        .predict(&adapters, &batch.noisy, &batch.timesteps, &told)
        .unwrap();

    let mut pass = forward_backward(&base, &network, &batch).unwrap();
    let gradients = network.named(pass.gradients.values()).unwrap();
    let norm = pass.gradients.norm().unwrap();
    pass.gradients.clip(norm, norm / 2.0).unwrap();
    let mut weights = Vec::new();
    for config in OPTIMIZERS {
        let mut network = network.clone();
        let mut optimizer = config.start(&network).unwrap();
        optimizer
            .step(&mut network, &pass.gradients, Rates::same(0.5))
            .unwrap();
        let named = network.named(network.values()).unwrap().into_iter();
        weights.extend(named.map(|(name, tensor)| (format!("{} {name}", config.name()), tensor)));
    }
    Outcome {
        loss: pass.loss,
        losses: Loss::ALL.map(|loss| compared(device, loss, &batch)).into(),
        norm,
        gradients,
        weights,
        prediction,
    }
}

/// All that a recipe can train, but for modules that get no gradient.
fn everything<D: TrainingDevice>(base: &BaseModel<D>) -> Vec<Planned> {
    let sizes = Sizes { rank: 3, alpha: 2.0 };
    let of_kernels = Sizes { rank: 2, alpha: 1.0 };
    let mut planned = of_unet(base, Kind::Lora, sizes, Some(of_kernels));
    planned.extend(of_text_encoder(&base.text_encoders.first, Kind::Lora, sizes, 1.0));
    planned.extend(of_text_encoder(
        &base.text_encoders.second,
        Kind::Lora,
        sizes,
        1.0,
    ));
    planned.retain(|module| module.rate > 0.0);
    planned
}

/// A loss of the batch's noise against its target.
fn compared<D: TrainingDevice>(device: &D, loss: Loss, batch: &Batch) -> (f64, Tensor) {
    let upload = |tensor: &Tensor| device.upload(tensor).unwrap();
    let compared = Compared {
        prediction: &upload(&batch.noisy),
        target: &upload(&batch.target),
        weights: &batch.weights,
        corners: &batch.corners,
        n_samples: 2,
    };
    let measured = loss.compute(device, compared).unwrap();
    (measured.loss, device.download(&measured.gradient).unwrap())
}

#[track_caller]
fn assert_close(name: &str, found: &Tensor, expected: &Tensor) {
    assert_eq!(found.dims(), expected.dims(), "{name}");
    let (found, expected) = (floats(found).unwrap(), floats(expected).unwrap());
    let largest = expected.iter().fold(0.0f32, |max, x| max.max(x.abs()));
    assert!(largest > 0.0, "{name} is zero");
    for (found, expected) in found.iter().zip(expected.iter()) {
        let error = f64::from((found - expected).abs() / largest);
        assert!(error < TOLERANCE, "{name}: {found}, not {expected}");
    }
}

#[test]
fn the_cpu_computes_what_plain_loops_compute() {
    let (cpu, reference) = (outcome(&Cpu), outcome(&Reference));
    assert!((cpu.loss / reference.loss - 1.0).abs() < 1e-6, "{}", cpu.loss);
    assert!((cpu.norm / reference.norm - 1.0).abs() < 1e-5, "{}", cpu.norm);
    assert_close("prediction", &cpu.prediction, &reference.prediction);
    let pairs = |found: &[(String, Tensor)], expected: &[(String, Tensor)]| {
        assert_eq!(found.len(), expected.len());
        for ((name, found), (_, expected)) in found.iter().zip(expected) {
            assert_close(name, found, expected);
        }
    };
    for ((value, gradient), (expected, expected_gradient)) in cpu.losses.iter().zip(&reference.losses) {
        assert!((value / expected - 1.0).abs() < 1e-6, "{value}, not {expected}");
        assert_close("gradient of a loss", gradient, expected_gradient);
    }
    pairs(&cpu.gradients, &reference.gradients);
    pairs(&cpu.weights, &reference.weights);
}

/// Kinds that change the weight itself, of linear layers and convolutions.
#[test]
fn both_devices_train_every_kind_alike() {
    fn pass<D: TrainingDevice>(device: &D, kind: Kind) -> (f64, Vec<(String, Tensor)>) {
        let base = BaseModel::built_in_on(device, "tiny-xl", &BaseOptions::default()).unwrap();
        let mut random = Random::from_seed(5);
        let batch = batch(&base, &mut random);
        let sizes = Sizes { rank: 2, alpha: 2.0 };
        let planned = of_unet(&base, kind, sizes, Some(sizes));
        let planned = planned.into_iter().step_by(7).collect();
        let planned = measured(&base, planned).unwrap();
        let mut network = LoraNetwork::start(device, planned, &mut random).unwrap();
        // Away from where a fresh one changes nothing.
        let values = device.values(network.values()).unwrap();
        let moved = random.normal(values.len());
        let values = values
            .iter()
            .zip(moved)
            .map(|(value, moved)| value + 0.02 * moved);
        *network.values_mut() = device.buffer(values.collect()).unwrap();
        let models = Models::from(&base).recomputing(true);
        let pass = forward_backward(models, &network, &batch).unwrap();
        (pass.loss, network.named(pass.gradients.values()).unwrap())
    }
    for kind in [Kind::Dora, Kind::Loha, Kind::Lokr { factor: 4 }] {
        let ((loss, found), (expected_loss, expected)) = (pass(&Cpu, kind), pass(&Reference, kind));
        assert!((loss / expected_loss - 1.0).abs() < 1e-6, "{kind:?}: {loss}");
        assert_eq!(found.len(), expected.len());
        for ((name, found), (_, expected)) in found.iter().zip(&expected) {
            assert_close(name, found, expected);
        }
    }
}

#[test]
fn an_error_names_device_operation_and_shapes() {
    let host = |shape: &[usize]| Random::from_seed(1).normal_tensor(shape).unwrap();
    let (a, b) = (host(&[2, 3]), host(&[3, 2]));
    let message = Cpu.add(&a, &b).unwrap_err().to_string();
    assert!(
        message.starts_with("the CPU cannot compute a sum of [2, 3], [3, 2]: "),
        "{message}"
    );
    let upload = |tensor| Reference.upload(tensor).unwrap();
    let message = Reference.add(&upload(&a), &upload(&b)).unwrap_err().to_string();
    assert!(
        message.starts_with("the reference cannot compute a sum of [2, 3], [3, 2]: "),
        "{message}"
    );
}
