//! Every kind against LyCORIS, forward and back, and what a module's numbers say.

use std::{collections::HashMap, path::Path};

use candle_core::Tensor;
use diffusion::{
    cpu::Cpu,
    device::{HOST, floats},
    graph::Graph as _,
    layers::{Conv2d, ConvGeometry, Linear, Loader, LoraTarget, WeightError, WeightSource, get_shaped},
};

use super::{Kind, Module, Sizes};
use crate::{
    kinds::Planned,
    network::{Gradients, LoraNetwork},
    tape::Tape,
};

/// f32 sums in another order.
const TOLERANCE: f32 = 1e-5;
const KEY: &str = "lora_unet_layer";

/// The cases of `tools/golden/kinds.py`: which layer, and what kind its file is.
const CASES: [(&str, &str, Kind); 13] = [
    ("lora", "linear", Kind::Lora),
    ("lora_conv", "conv", Kind::Lora),
    ("lora_halve", "halve", Kind::Lora),
    ("lora_pointwise", "pointwise", Kind::Lora),
    ("dora", "linear", Kind::Dora),
    ("dora_conv", "conv", Kind::Dora),
    ("loha", "linear", Kind::Loha),
    ("loha_conv", "halve", Kind::Loha),
    ("lokr", "linear", Kind::Lokr { factor: 2 }),
    ("lokr_whole", "linear", Kind::Lokr { factor: 4 }),
    ("lokr_conv", "conv", Kind::Lokr { factor: 2 }),
    ("lokr_conv_whole", "halve", Kind::Lokr { factor: 2 }),
    ("lokr_pointwise", "pointwise", Kind::Lokr { factor: 0 }),
];

/// One case: its tensors by their names behind the prefix.
struct Case {
    tensors: HashMap<String, Tensor>,
    target: LoraTarget,
}

impl WeightSource for Case {
    fn origin(&self) -> String {
        "kinds.safetensors".to_owned()
    }

    fn get(&self, name: &str) -> Result<Tensor, WeightError> {
        let part = name.trim_start_matches("layer.");
        Ok(self.tensors[&format!("={part}")].clone())
    }

    fn contains(&self, name: &str) -> bool {
        name.starts_with("layer.")
    }
}

impl Case {
    fn read(name: &str, layer: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/kinds.safetensors");
        let all = candle_core::safetensors::load(path, &HOST).unwrap();
        let of_case = all.into_iter().filter_map(|(key, tensor)| {
            let (case, part) = key.split_once('/')?;
            (case == name).then(|| (part.to_owned(), tensor))
        });
        let geometry = match layer {
            "conv" => Some(ConvGeometry::SAME),
            "halve" => Some(ConvGeometry::HALVE),
            "pointwise" => Some(ConvGeometry::POINTWISE),
            _ => None,
        };
        Self {
            tensors: of_case.collect(),
            target: match geometry {
                Some(geometry) => LoraTarget::convolution(KEY, 6, 8, geometry),
                None => LoraTarget::linear(KEY, 12, 8),
            },
        }
    }

    fn network(&self) -> LoraNetwork {
        let lookup = |name: &str| self.tensors.get(name).cloned();
        LoraNetwork::from_tensors(vec![self.target.clone()], &lookup).unwrap()
    }
}

#[track_caller]
fn assert_close(case: &str, name: &str, found: &Tensor, expected: &Tensor) {
    assert_eq!(found.dims(), expected.dims(), "{case}: {name}");
    let (found, expected) = (floats(found).unwrap(), floats(expected).unwrap());
    let largest = expected.iter().fold(0.0f32, |max, x| max.max(x.abs()));
    for (found, expected) in found.iter().zip(expected.iter()) {
        assert!(
            (found - expected).abs() <= TOLERANCE * largest,
            "{case}: {name}: {found}, not {expected}"
        );
    }
}

#[test]
fn forward_and_gradients_equal_those_of_lycoris() {
    for (name, layer, kind) in CASES {
        let case = Case::read(name, layer);
        let network = case.network();
        let found = network.module(0).kind;
        // The factor of a LoKr is in its matrices.
        assert_eq!(
            std::mem::discriminant(&found),
            std::mem::discriminant(&kind),
            "{name}"
        );
        let loader = Loader::new(&Cpu, &case).keyed("lora_unet");
        let mut tape = Tape::new(&network);
        let x = tape.variable(&case.tensors["=x"]).unwrap();
        let y = match case.target.geometry {
            None => {
                let layer = Linear::load(&loader, "layer", (12, 8)).unwrap();
                tape.linear(&x, &layer).unwrap()
            }
            Some(geometry) => {
                let layer = Conv2d::load(&loader, "layer", (6, 8), geometry).unwrap();
                tape.conv2d(&x, &layer).unwrap()
            }
        };
        assert_close(name, "y", y.tensor(), &case.tensors["=y"]);
        let mut gradients = Gradients::zeros(&network).unwrap();
        let dy = case.tensors["=dy"].clone();
        let slots = tape.backward(&y, dy, &mut gradients).unwrap();
        assert_close(name, "dx", slots.of(&x).unwrap(), &case.tensors["=dx"]);
        for (parameter, gradient) in network.named(gradients.values()).unwrap() {
            let expected = &case.tensors[&format!("grad.{parameter}")];
            assert_close(name, &parameter, &gradient, expected);
        }
    }
}

/// The names, shapes and numbers of LyCORIS' files go in and come out.
#[test]
fn files_have_the_tensors_of_lycoris() {
    for (name, layer, kind) in CASES {
        let case = Case::read(name, layer);
        let written: HashMap<String, Tensor> = case.network().to_tensors().unwrap().into_iter().collect();
        let stored = case.tensors.iter().filter(|(name, _)| name.starts_with(KEY));
        assert_eq!(stored.clone().count(), written.len(), "{name}");
        for (tensor, expected) in stored {
            assert_close(name, tensor, &written[tensor], expected);
        }
        // A fresh one of the same sizes has the same matrices.
        let sizes = Sizes {
            rank: if name.ends_with("whole") {
                8
            } else {
                network_rank(&case)
            },
            alpha: 2.0,
        };
        let fresh = Planned {
            lengths: vec![1.0; 8],
            ..Planned::new(kind, case.target.clone(), sizes)
        };
        let parameters = |module: &Module| -> Vec<_> {
            let parameters = module.parameters().into_iter();
            parameters
                .map(|parameter| (parameter.name, parameter.shape))
                .collect()
        };
        let fresh = parameters(&fresh.place(0));
        assert_eq!(fresh, parameters(case.network().module(0)), "{name}");
    }
}

fn network_rank(case: &Case) -> usize {
    case.network().module(0).rank
}

/// What is applied in inference is the same weight.
#[test]
fn what_is_applied_is_what_is_trained() {
    for (name, layer, _) in CASES {
        let case = Case::read(name, layer);
        let network = case.network();
        let change = network.module(0).change(network.values()).unwrap();
        let weight = get_shaped(&case, "layer.weight", case.tensors["=weight"].dims()).unwrap();
        let delta = change.delta_for(&weight).unwrap().unwrap();
        let norm = network
            .module(0)
            .change_norm(network.values(), || Ok(weight.clone()))
            .unwrap();
        let squares: f32 = floats(&delta.contiguous().unwrap())
            .unwrap()
            .iter()
            .map(|x| x * x)
            .sum();
        assert!(
            (norm / f64::from(squares.sqrt()) - 1.0).abs() < 1e-4,
            "{name}: {norm}"
        );
        // A linear layer's result is one more product.
        if case.target.geometry.is_none() {
            let weight = (weight + delta).unwrap().t().unwrap();
            let y = case.tensors["=x"].broadcast_matmul(&weight).unwrap();
            let y = y.broadcast_add(&case.tensors["=bias"]).unwrap();
            assert_close(name, "y", &y, &case.tensors["=y"]);
        }
    }
}

/// A module of `down [rank, 2]` and `up [2, rank]` with a scale of `alpha / rank`.
fn module(rank: usize, alpha: f64) -> Module {
    let target = LoraTarget::linear("m", 2, 2);
    Planned::new(Kind::Lora, target, Sizes { rank, alpha }).place(1)
}

/// The norm of a LoRA needs no weight.
fn no_weight() -> candle_core::Result<Tensor> {
    unreachable!()
}

#[test]
fn the_norm_of_a_change_is_that_of_the_product() {
    // Numbers of another module come first. up · down = [[2, 4], [6, 12]] with a norm of √(4 + 16 + 36 + 144).
    let values = [9.0, 1.0, 2.0, 2.0, 6.0];
    let norm = module(1, 1.0).change_norm(&values, no_weight).unwrap();
    assert!((norm - 200_f64.sqrt()).abs() < 1e-9, "{norm}");
    // Rank 2: down = identity, so that the norm is up's; it counts half.
    let values = [9.0, 1.0, 0.0, 0.0, 1.0, 1.0, 2.0, 3.0, 4.0];
    let norm = module(2, -1.0).change_norm(&values, no_weight).unwrap();
    assert!((norm - 0.5 * 30_f64.sqrt()).abs() < 1e-9, "{norm}");
}

/// A norm above the limit comes down to it, and one below stays.
#[test]
fn norms_are_limited() {
    for (name, layer, _) in CASES {
        let mut network = Case::read(name, layer).network();
        let norm = network.module(0).factors_norm(network.values());
        let before = network.values().clone();
        assert_eq!(network.limit_norms(1.01 * norm).unwrap(), 0);
        assert_eq!(*network.values(), before, "{name}");
        assert_eq!(network.limit_norms(0.25 * norm).unwrap(), 1);
        let limited = network.module(0).factors_norm(network.values());
        assert!((limited / (0.25 * norm) - 1.0).abs() < 1e-5, "{name}: {limited}");
    }
}
