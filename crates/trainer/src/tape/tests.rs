//! Every node's gradient against finite differences.

use std::{collections::HashMap, num::NonZeroU16};

use candle_core::Tensor;
use diffusion::{
    cpu::Cpu,
    device::{HOST, floats, tensor},
    graph::{Activation, After, Graph, Mask, Part},
    layers::{
        Conv2d, ConvGeometry, GroupNorm, LayerNorm, Linear, Loader, LoraTarget, WeightError, WeightSource,
    },
    random::Random,
};

use super::{Tape, Var};
use crate::network::{Gradients, LoraNetwork};

fn random(shape: &[usize], seed: u64) -> Tensor {
    Random::from_seed(seed).normal_tensor(shape).unwrap()
}

/// Random weights of the shapes that a test names.
struct Weights(HashMap<String, Tensor>);

impl Weights {
    fn of<const N: usize>(shapes: [(&str, &[usize]); N]) -> Self {
        let tensors = shapes.iter().enumerate();
        Self(
            tensors
                .map(|(i, (name, shape))| (name.to_string(), random(shape, 100 + i as u64)))
                .collect(),
        )
    }
}

impl Weights {
    fn on_cpu(&self) -> Loader<'_, Cpu> {
        Loader::new(&Cpu, self)
    }
}

impl WeightSource for Weights {
    fn origin(&self) -> String {
        "test".into()
    }

    fn get(&self, name: &str) -> Result<Tensor, WeightError> {
        Ok(self.0[name].clone())
    }

    fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

fn empty_network() -> LoraNetwork {
    LoraNetwork::from_tensors(vec![], &|_| None).unwrap()
}

/// Scalar product with fixed random numbers: a loss whose gradient is those numbers.
fn score(y: &Tensor) -> (f64, Tensor) {
    let weights = random(y.dims(), 7);
    let (y, w) = (floats(y).unwrap(), floats(&weights).unwrap());
    let value = y
        .iter()
        .zip(w.iter())
        .map(|(y, w)| f64::from(*y) * f64::from(*w))
        .sum();
    drop(w);
    (value, weights)
}

/// Compares every component of a gradient with central differences of `loss`.
#[track_caller]
fn check_gradient(values: &[f32], gradient: &[f32], mut loss: impl FnMut(&[f32]) -> f64) {
    const STEP: f32 = 1e-2;
    let largest = gradient.iter().fold(0.0f32, |max, g| max.max(g.abs()));
    assert!(largest > 0.0, "no gradient at all");
    let mut moved = values.to_vec();
    for i in 0..values.len() {
        moved[i] = values[i] + STEP;
        let above = loss(&moved);
        moved[i] = values[i] - STEP;
        let below = loss(&moved);
        moved[i] = values[i];
        let difference = ((above - below) / (2.0 * f64::from(STEP))) as f32;
        let error = (difference - gradient[i]).abs() / largest;
        assert!(
            error < 3e-3,
            "component {i}: gradient {}, difference {difference}",
            gradient[i]
        );
    }
}

/// Checks the gradient with respect to each of `inputs`.
#[track_caller]
fn check<const N: usize>(inputs: [&[usize]; N], forward: impl Fn(&mut Tape, [&Var; N]) -> Var) {
    let network = empty_network();
    let tensors: [Tensor; N] = std::array::from_fn(|i| random(inputs[i], i as u64));
    let mut tape = Tape::new(&network);
    let vars: [Var; N] = std::array::from_fn(|i| tape.variable(&tensors[i]).unwrap());
    let y = forward(&mut tape, std::array::from_fn(|i| &vars[i]));
    let (_, dy) = score(y.tensor());
    let slots = tape
        .backward(&y, dy, &mut Gradients::zeros(&network).unwrap())
        .unwrap();
    for i in 0..N {
        let gradient = slots.of(&vars[i]).expect("a gradient flows into every input");
        assert_eq!(gradient.dims(), inputs[i]);
        check_gradient(
            &floats(&tensors[i]).unwrap(),
            &floats(gradient).unwrap(),
            |values| {
                let mut tape = Tape::new(&network);
                let vars: [Var; N] = std::array::from_fn(|j| {
                    let moved = tensor(values.to_vec(), inputs[i]);
                    let moved_or_not = if i == j {
                        moved.unwrap()
                    } else {
                        tensors[j].clone()
                    };
                    tape.constant(&moved_or_not).unwrap()
                });
                let y = forward(&mut tape, std::array::from_fn(|j| &vars[j]));
                assert_eq!(
                    tape.n_nodes(),
                    0,
                    "nothing is recorded where nothing wants a gradient"
                );
                score(y.tensor()).0
            },
        );
    }
}

#[test]
fn linear() {
    let weights = Weights::of([("l.weight", &[5, 3]), ("l.bias", &[5])]);
    let layer = Linear::load(&weights.on_cpu(), "l", (3, 5)).unwrap();
    check([&[2, 4, 3]], |tape, [x]| tape.linear(x, &layer).unwrap());
}

#[test]
fn convolutions() {
    let geometries = [
        (ConvGeometry::SAME, 5),
        (ConvGeometry::HALVE, 6),
        (ConvGeometry::HALVE, 5),
        (ConvGeometry::HALVE_PAD_END, 6),
        (ConvGeometry::POINTWISE, 3),
    ];
    for (geometry, side) in geometries {
        let k = geometry.kernel;
        let weights = Weights::of([("c.weight", &[3, 2, k, k]), ("c.bias", &[3])]);
        let layer = Conv2d::load(&weights.on_cpu(), "c", (2, 3), geometry).unwrap();
        check([&[2, side, side + 1, 2]], |tape, [x]| {
            tape.conv2d(x, &layer).unwrap()
        });
    }
}

#[test]
fn group_norm() {
    let weights = Weights::of([("n.weight", &[6]), ("n.bias", &[6])]);
    let layer = GroupNorm::load(&weights.on_cpu(), "n", 6, 3, 1e-5).unwrap();
    for after in [After::Nothing, After::Silu] {
        check([&[2, 2, 3, 6]], |tape, [x]| {
            tape.group_norm(x, &layer, after).unwrap()
        });
    }
}

#[test]
fn layer_norm() {
    let weights = Weights::of([("n.weight", &[7]), ("n.bias", &[7])]);
    let layer = LayerNorm::load(&weights.on_cpu(), "n", 7).unwrap();
    check([&[2, 3, 7]], |tape, [x]| tape.layer_norm(x, &layer).unwrap());
}

#[test]
fn attention() {
    for mask in [Mask::None, Mask::Causal] {
        check([&[2, 5, 6], &[2, 5, 6], &[2, 5, 6]], |tape, qkv| {
            tape.attention(qkv, 2, mask).unwrap()
        });
    }
    // To a text of another length.
    check([&[1, 4, 6], &[1, 7, 6], &[1, 7, 6]], |tape, qkv| {
        tape.attention(qkv, 3, Mask::None).unwrap()
    });
    // More queries than one tile holds.
    check([&[1, 70, 2], &[1, 3, 2], &[1, 3, 2]], |tape, qkv| {
        tape.attention(qkv, 1, Mask::None).unwrap()
    });
}

#[test]
fn activations() {
    check([&[2, 3, 8]], |tape, [x]| tape.geglu(x).unwrap());
    for activation in [
        Activation::Silu,
        Activation::Gelu,
        Activation::TanhGelu,
        Activation::QuickGelu,
    ] {
        check([&[3, 5]], |tape, [x]| tape.activate(x, activation).unwrap());
    }
}

#[test]
fn sums_and_shapes() {
    check([&[2, 3], &[2, 3]], |tape, [a, b]| tape.add(a, b).unwrap());
    check([&[2, 3, 2, 4], &[2, 4]], |tape, [x, bias]| {
        tape.add_channels(x, bias).unwrap()
    });
    check([&[2, 2, 3], &[2, 2, 5]], |tape, [a, b]| {
        tape.concat(a, b).unwrap()
    });
    check([&[2, 2, 3, 2]], |tape, [x]| tape.upsample_2x(x, (4, 6)).unwrap());
    check([&[1, 2, 3, 2]], |tape, [x]| tape.upsample_2x(x, (3, 5)).unwrap());
    check([&[2, 6]], |tape, [x]| tape.reshape(x, &[3, 4]).unwrap());
    // The second row twice, and one not at all.
    check([&[2, 2, 3]], |tape, [x]| tape.gather(x, &[1, 3, 1]).unwrap());
    check([&[1, 3, 2]], |tape, [x]| {
        tape.weigh(x, &[1.0, -0.5, 2.0]).unwrap()
    });
}

/// One value used several times: gradients add up, and none is overwritten by another's sum.
#[test]
fn values_used_twice() {
    check([&[2, 3], &[2, 3]], |tape, [a, b]| {
        let sum = tape.add(a, b).unwrap();
        let double = tape.add(&sum, &sum).unwrap();
        let gate = tape.activate(a, Activation::Silu).unwrap();
        let first = tape.add(&double, &gate).unwrap();
        let shaped = tape.reshape(&first, &[6]).unwrap();
        let again = tape.reshape(&sum, &[6]).unwrap();
        let total = tape.add(&shaped, &again).unwrap();
        let curved = tape.activate(&total, Activation::Gelu).unwrap();
        tape.add(&curved, &total).unwrap()
    });
}

#[test]
fn unused_results_do_no_harm() {
    check([&[2, 3]], |tape, [x]| {
        tape.activate(x, Activation::Gelu).unwrap();
        tape.activate(x, Activation::Silu).unwrap()
    });
}

/// Input and both LoRA matrices of a layer; the LoRA's gradients have to flow where the input wants none, too.
#[test]
fn lora_linear() {
    let weights = Weights::of([("l.weight", &[5, 4]), ("l.bias", &[5])]);
    let layer = Linear::load(&weights.on_cpu(), "l", (4, 5))
        .unwrap()
        .with_lora_key("m".into());
    let target = LoraTarget::linear("m", 4, 5);
    let mut network = LoraNetwork::new(
        vec![target],
        NonZeroU16::new(2).unwrap(),
        3.0,
        &mut Random::from_seed(1),
    );
    network
        .values_mut()
        .copy_from_slice(&Random::from_seed(2).normal(18));
    let x = random(&[2, 3, 4], 3);
    let loss = |network: &LoraNetwork, x: &Tensor| {
        let mut tape = Tape::new(network);
        let x = tape.constant(x).unwrap();
        let y = tape.linear(&x, &layer).unwrap();
        score(y.tensor()).0
    };

    let mut tape = Tape::new(&network);
    let input = tape.variable(&x).unwrap();
    let y = tape.linear(&input, &layer).unwrap();
    let (_, dy) = score(y.tensor());
    let mut gradients = Gradients::zeros(&network).unwrap();
    let slots = tape.backward(&y, dy, &mut gradients).unwrap();
    let dx = slots.of(&input).unwrap();
    check_gradient(&floats(&x).unwrap(), &floats(dx).unwrap(), |values| {
        loss(&network, &tensor(values.to_vec(), [2, 3, 4]).unwrap())
    });
    check_gradient(network.values(), gradients.values(), |values| {
        let mut moved = network.clone();
        moved.values_mut().copy_from_slice(values);
        loss(&moved, &x)
    });

    let mut tape = Tape::new(&network);
    let input = tape.constant(&x).unwrap();
    let y = tape.linear(&input, &layer).unwrap();
    let (_, dy) = score(y.tensor());
    let mut without_input = Gradients::zeros(&network).unwrap();
    tape.backward(&y, dy, &mut without_input).unwrap();
    assert_eq!(without_input.values(), gradients.values());
}

/// Input and both LoRA matrices of convolutions of every geometry.
#[test]
fn lora_convolutions() {
    for (geometry, side) in [
        (ConvGeometry::SAME, 4),
        (ConvGeometry::HALVE, 5),
        (ConvGeometry::POINTWISE, 3),
    ] {
        let k = geometry.kernel;
        let weights = Weights::of([("c.weight", &[3, 2, k, k]), ("c.bias", &[3])]);
        let loader = weights.on_cpu().keyed("lora_unet");
        let layer = Conv2d::load(&loader, "c", (2, 3), geometry).unwrap();
        let target = LoraTarget::convolution("lora_unet_c", 2, 3, geometry);
        let rank = NonZeroU16::new(2).unwrap();
        let mut network = LoraNetwork::new(vec![target], rank, 3.0, &mut Random::from_seed(1));
        let values = Random::from_seed(2).normal(network.n_parameters());
        network.values_mut().copy_from_slice(&values);
        let shape = [2, side, side + 1, 2];
        let x = random(&shape, 3);
        let loss = |network: &LoraNetwork, x: &Tensor| {
            let mut tape = Tape::new(network);
            let x = tape.constant(x).unwrap();
            let y = tape.conv2d(&x, &layer).unwrap();
            score(y.tensor()).0
        };
        let mut tape = Tape::new(&network);
        let input = tape.variable(&x).unwrap();
        let y = tape.conv2d(&input, &layer).unwrap();
        let (_, dy) = score(y.tensor());
        let mut gradients = Gradients::zeros(&network).unwrap();
        let slots = tape.backward(&y, dy, &mut gradients).unwrap();
        let dx = slots.of(&input).unwrap();
        check_gradient(&floats(&x).unwrap(), &floats(dx).unwrap(), |values| {
            loss(&network, &tensor(values.to_vec(), shape).unwrap())
        });
        check_gradient(network.values(), gradients.values(), |values| {
            let mut moved = network.clone();
            moved.values_mut().copy_from_slice(values);
            loss(&moved, &x)
        });
    }
}

/// A part of a model whose inputs are used more than once, inside and outside.
#[derive(Debug, Clone)]
struct Gated(Linear);

impl Part<Cpu> for Gated {
    fn forward<G: Graph<Device = Cpu>>(
        &self,
        graph: &mut G,
        [x, told]: [&G::Value; 2],
    ) -> candle_core::Result<G::Value> {
        let h = graph.linear(x, &self.0)?;
        let h = graph.activate(&h, Activation::Silu)?;
        let h = graph.add(&h, told)?;
        let h = graph.add(&h, x)?;
        graph.add(&h, told)
    }
}

/// Gradients are added in the same order whether or not parts are computed again, so that not a bit differs; and far
/// less is kept.
#[test]
fn parts_that_are_computed_again_change_no_bit() {
    let weights = Weights::of([("l.weight", &[4, 4]), ("l.bias", &[4])]);
    let layer = Linear::load(&weights.on_cpu(), "l", (4, 4)).unwrap();
    let part = Gated(layer.with_lora_key("m".into()));
    let target = LoraTarget::linear("m", 4, 4);
    let rank = NonZeroU16::new(2).unwrap();
    let mut network = LoraNetwork::new(vec![target], rank, 3.0, &mut Random::from_seed(1));
    let values = Random::from_seed(2).normal(network.n_parameters());
    network.values_mut().copy_from_slice(&values);
    let pass = |recomputes: bool| {
        let mut tape = Tape::new(&network).recomputing(recomputes);
        let [x, told] = [3, 4].map(|seed| tape.variable(&random(&[2, 3, 4], seed)).unwrap());
        let first = tape.part(&part, [&x, &told]).unwrap();
        let second = tape.part(&part, [&first, &told]).unwrap();
        // As a skip connection does.
        let y = tape.add(&second, &first).unwrap();
        let y = tape.add(&y, &x).unwrap();
        let n_nodes = tape.n_nodes();
        let mut gradients = Gradients::zeros(&network).unwrap();
        let slots = tape.backward(&y, score(y.tensor()).1, &mut gradients).unwrap();
        let bits = |tensor: &Tensor| floats(tensor).unwrap().iter().map(|x| x.to_bits()).collect();
        let dx: Vec<u32> = bits(slots.of(&x).unwrap());
        let dtold: Vec<u32> = bits(slots.of(&told).unwrap());
        let of_network: Vec<u32> = gradients.values().iter().map(|x| x.to_bits()).collect();
        (n_nodes, dx, dtold, of_network)
    };
    let (kept, again) = (pass(false), pass(true));
    assert_eq!((kept.0, again.0), (12, 4));
    assert_eq!((kept.1, kept.2, kept.3), (again.1, again.2, again.3));
}

#[test]
fn a_gradient_of_another_shape_is_refused() {
    let network = empty_network();
    let mut tape = Tape::new(&network);
    let x = tape.variable(&random(&[2, 3], 0)).unwrap();
    let y = tape.activate(&x, Activation::Silu).unwrap();
    let dy = Tensor::zeros((3, 2), candle_core::DType::F32, &HOST).unwrap();
    assert!(
        tape.backward(&y, dy, &mut Gradients::zeros(&network).unwrap())
            .is_err()
    );
}
