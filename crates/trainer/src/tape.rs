//! Reverse-mode differentiation: a tape of fused nodes.
//!
//! The tape is a [`Graph`]: a model's forward pass runs on it unchanged. A node is recorded only where a gradient has
//! to flow, base weights are never variables, and a LoRA's linear layer is one node. The backward pass frees what a
//! node saved as soon as it has passed it.

mod backward;

#[cfg(test)]
mod tests;

use candle_core::{Result, Tensor};
use diffusion::{
    cpu::Cpu,
    device::{Device, TrainingDevice},
    graph::{Activation, After, Graph, Mask, Part, picture_dims},
    layers::{Conv2d, GroupNorm, LayerNorm, Linear},
};

use crate::{
    kinds::{Layer, Moment, Pass, Saved},
    network::LoraNetwork,
};

/// Records one forward pass.
pub struct Tape<'a, D: TrainingDevice = Cpu> {
    network: &'a LoraNetwork<D>,
    moment: Moment,
    /// Whether only the inputs of each part of the model are kept, and the rest is computed again on the way back.
    recomputes: bool,
    nodes: Vec<Node<'a, D>>,
    n_vars: usize,
}

/// A value on the tape.
#[derive(Debug, Clone)]
pub struct Var<D: Device = Cpu> {
    tensor: D::Tensor,
    id: Option<VarId>,
}

impl<D: Device> Var<D> {
    /// Whether a gradient flows into the value.
    pub fn needs_grad(&self) -> bool {
        self.id.is_some()
    }

    /// The value.
    pub fn tensor(&self) -> &D::Tensor {
        &self.tensor
    }
}

type VarId = usize;

/// One operation that a gradient has to flow back through.
struct Node<'a, D: TrainingDevice> {
    op: Op<'a, D>,
    /// Where the gradients of the inputs go; `None` where none is needed.
    inputs: [Option<VarId>; 3],
    output: VarId,
}

/// An operation, with what its backward pass needs.
enum Op<'a, D: TrainingDevice> {
    Linear {
        layer: Linear<D>,
    },
    Conv2d {
        layer: Conv2d<D>,
        input: Vec<usize>,
    },
    /// A layer with a module of the network.
    Trained {
        layer: Layer<D>,
        module: usize,
        saved: Saved<D>,
    },
    GroupNorm {
        layer: GroupNorm<D>,
        after: After,
        x: D::Tensor,
        moments: D::Moments,
    },
    LayerNorm {
        layer: LayerNorm<D>,
        x: D::Tensor,
        moments: D::Moments,
    },
    Attention {
        qkv: [D::Tensor; 3],
        lse: D::Tensor,
        n_heads: usize,
        mask: Mask,
    },
    Geglu {
        x: D::Tensor,
    },
    Activate {
        activation: Activation,
        x: D::Tensor,
    },
    Add,
    AddChannels,
    Concat {
        first_width: usize,
    },
    Upsample {
        input: (usize, usize),
    },
    Reshape {
        input: Vec<usize>,
    },
    Gather {
        input: Vec<usize>,
        rows: Vec<usize>,
    },
    Weigh {
        weights: Vec<f32>,
    },
    /// A part of the model that is computed again on the way back, from these inputs.
    Part {
        again: Again<'a, D>,
        inputs: [D::Tensor; 2],
    },
}

/// Computes a part of the model on a tape.
type Again<'a, D> = Box<dyn Fn(&mut Tape<'a, D>, [&Var<D>; 2]) -> Result<Var<D>> + 'a>;

impl<'a, D: TrainingDevice> Tape<'a, D> {
    /// An empty tape that applies the network to the layers it knows.
    pub fn new(network: &'a LoraNetwork<D>) -> Self {
        Self::at(network, Moment::default())
    }

    /// An empty tape for samples at given timesteps, and with what chance leaves out.
    pub fn at(network: &'a LoraNetwork<D>, moment: Moment) -> Self {
        Self {
            network,
            moment,
            recomputes: false,
            nodes: Vec::new(),
            n_vars: 0,
        }
    }

    /// Keeps only the inputs of each part of the model, and computes the rest again on the way back: gradient
    /// checkpointing. The gradients are the same to the last bit.
    pub fn recomputing(self, recomputes: bool) -> Self {
        Self { recomputes, ..self }
    }

    fn device(&self) -> &'a D {
        self.network.device()
    }

    /// Brings in a host tensor that wants a gradient.
    ///
    /// # Errors
    /// If the device cannot take it.
    pub fn variable(&mut self, tensor: &Tensor) -> Result<Var<D>> {
        Ok(Var {
            tensor: self.device().upload(tensor)?,
            id: Some(self.new_id()),
        })
    }

    /// Number of recorded operations.
    pub fn n_nodes(&self) -> usize {
        self.nodes.len()
    }

    fn new_id(&mut self) -> VarId {
        self.n_vars += 1;
        self.n_vars - 1
    }

    /// Records `op` if one of its inputs wants a gradient.
    fn record<const N: usize>(
        &mut self,
        tensor: D::Tensor,
        inputs: [&Var<D>; N],
        op: impl FnOnce() -> Op<'a, D>,
    ) -> Var<D> {
        if inputs.iter().all(|input| !input.needs_grad()) {
            return Var { tensor, id: None };
        }
        self.push(tensor, inputs, op())
    }

    /// The module of the network that is trained beside a layer.
    fn module(&self, key: Option<&str>) -> Option<usize> {
        self.network.find(key?)
    }

    /// The result of a layer with a module of the network.
    fn trained(&mut self, x: &Var<D>, layer: Layer<D>, module: usize) -> Result<Var<D>> {
        let numbers = self.network.numbers();
        let pass = Pass {
            layer: &layer,
            x: &x.tensor,
            moment: &self.moment,
        };
        let (y, saved) = self.network.module(module).forward(numbers, pass)?;
        let op = Op::Trained { layer, module, saved };
        // The module's own matrices want gradients even where the input does not.
        Ok(self.push(y, [x], op))
    }

    fn push<const N: usize>(&mut self, tensor: D::Tensor, inputs: [&Var<D>; N], op: Op<'a, D>) -> Var<D> {
        let output = self.new_id();
        let mut ids = [None; 3];
        for (id, input) in ids.iter_mut().zip(inputs) {
            *id = input.id;
        }
        self.nodes.push(Node {
            op,
            inputs: ids,
            output,
        });
        Var {
            tensor,
            id: Some(output),
        }
    }
}

impl<'a, D: TrainingDevice> Tape<'a, D> {
    /// A tape of the same pass for one part of the model, with that part's inputs.
    fn inner(&self, inputs: [(&D::Tensor, bool); 2]) -> (Self, [Var<D>; 2]) {
        let mut inner = Self::at(self.network, self.moment.clone());
        let inputs = inputs.map(|(tensor, needs_grad)| Var {
            tensor: tensor.clone(),
            id: needs_grad.then(|| inner.new_id()),
        });
        (inner, inputs)
    }
}

impl<'a, D: TrainingDevice> Graph for Tape<'a, D> {
    type Device = D;
    type Value = Var<D>;

    fn part<P: Part<D>>(&mut self, part: &P, inputs: [&Var<D>; 2]) -> Result<Var<D>> {
        if !self.recomputes {
            return part.forward(self, inputs);
        }
        let (mut inner, vars) = self.inner(inputs.map(|input| (&input.tensor, input.needs_grad())));
        let y = part.forward(&mut inner, vars.each_ref())?;
        drop(inner);
        if !y.needs_grad() {
            return Ok(y);
        }
        let part = part.clone();
        let op = Op::Part {
            again: Box::new(move |tape: &mut Tape<'a, D>, inputs: [&Var<D>; 2]| part.forward(tape, inputs)),
            inputs: inputs.map(|input| input.tensor.clone()),
        };
        Ok(self.push(y.tensor, inputs, op))
    }

    fn constant(&mut self, tensor: &Tensor) -> Result<Var<D>> {
        Ok(Var {
            tensor: self.device().upload(tensor)?,
            id: None,
        })
    }

    fn dims<'v>(&self, value: &'v Var<D>) -> &'v [usize] {
        self.device().dims(&value.tensor)
    }

    fn linear(&mut self, x: &Var<D>, layer: &Linear<D>) -> Result<Var<D>> {
        if let Some(module) = self.module(layer.lora_key()) {
            return self.trained(x, Layer::Linear(layer.clone()), module);
        }
        let y = self.device().linear(&x.tensor, layer.weight(), layer.bias())?;
        Ok(self.record(y, [x], || Op::Linear { layer: layer.clone() }))
    }

    fn conv2d(&mut self, x: &Var<D>, layer: &Conv2d<D>) -> Result<Var<D>> {
        if let Some(module) = self.module(layer.lora_key()) {
            return self.trained(x, Layer::Conv2d(layer.clone()), module);
        }
        let device = self.device();
        let y = device.conv2d(&x.tensor, layer.weight(), layer.bias(), layer.geometry())?;
        Ok(self.record(y, [x], || Op::Conv2d {
            layer: layer.clone(),
            input: device.dims(&x.tensor).to_vec(),
        }))
    }

    fn group_norm(&mut self, x: &Var<D>, layer: &GroupNorm<D>, after: After) -> Result<Var<D>> {
        let device = self.device();
        let (y, moments) = device.group_norm(&x.tensor, layer.affine(), layer.grouping(after))?;
        Ok(self.record(y, [x], || Op::GroupNorm {
            layer: layer.clone(),
            after,
            x: x.tensor.clone(),
            moments,
        }))
    }

    fn layer_norm(&mut self, x: &Var<D>, layer: &LayerNorm<D>) -> Result<Var<D>> {
        let (y, moments) = self.device().layer_norm(&x.tensor, layer.affine(), layer.eps())?;
        Ok(self.record(y, [x], || Op::LayerNorm {
            layer: layer.clone(),
            x: x.tensor.clone(),
            moments,
        }))
    }

    fn attention(&mut self, [q, k, v]: [&Var<D>; 3], n_heads: usize, mask: Mask) -> Result<Var<D>> {
        let qkv = [&q.tensor, &k.tensor, &v.tensor];
        let (out, lse) = self.device().attention(qkv, n_heads, mask)?;
        Ok(self.record(out, [q, k, v], || Op::Attention {
            qkv: qkv.map(Clone::clone),
            lse,
            n_heads,
            mask,
        }))
    }

    fn geglu(&mut self, x: &Var<D>) -> Result<Var<D>> {
        let y = self.device().geglu(&x.tensor)?;
        Ok(self.record(y, [x], || Op::Geglu { x: x.tensor.clone() }))
    }

    fn activate(&mut self, x: &Var<D>, activation: Activation) -> Result<Var<D>> {
        let y = self.device().activate(&x.tensor, activation)?;
        Ok(self.record(y, [x], || Op::Activate {
            activation,
            x: x.tensor.clone(),
        }))
    }

    fn add(&mut self, a: &Var<D>, b: &Var<D>) -> Result<Var<D>> {
        let y = self.device().add(&a.tensor, &b.tensor)?;
        Ok(self.record(y, [a, b], || Op::Add))
    }

    fn add_channels(&mut self, x: &Var<D>, bias: &Var<D>) -> Result<Var<D>> {
        let y = self.device().add_channels(&x.tensor, &bias.tensor)?;
        Ok(self.record(y, [x, bias], || Op::AddChannels))
    }

    fn concat(&mut self, a: &Var<D>, b: &Var<D>) -> Result<Var<D>> {
        let y = self.device().concat(&a.tensor, &b.tensor)?;
        let first_width = self.dims(a).last().copied().unwrap_or(1);
        Ok(self.record(y, [a, b], || Op::Concat { first_width }))
    }

    fn upsample_2x(&mut self, x: &Var<D>, size: (usize, usize)) -> Result<Var<D>> {
        let [_, height, width, _] = picture_dims(self, x)?;
        let y = self.device().upsample_2x(&x.tensor, size)?;
        Ok(self.record(y, [x], || Op::Upsample {
            input: (height, width),
        }))
    }

    fn reshape(&mut self, x: &Var<D>, shape: &[usize]) -> Result<Var<D>> {
        let device = self.device();
        let y = device.reshape(&x.tensor, shape)?;
        Ok(self.record(y, [x], || Op::Reshape {
            input: device.dims(&x.tensor).to_vec(),
        }))
    }

    fn gather(&mut self, x: &Var<D>, rows: &[usize]) -> Result<Var<D>> {
        let device = self.device();
        let y = device.gather(&x.tensor, rows)?;
        Ok(self.record(y, [x], || Op::Gather {
            input: device.dims(&x.tensor).to_vec(),
            rows: rows.to_vec(),
        }))
    }

    fn weigh(&mut self, x: &Var<D>, weights: &[f32]) -> Result<Var<D>> {
        let y = self.device().weigh(&x.tensor, weights)?;
        Ok(self.record(y, [x], || Op::Weigh {
            weights: weights.to_vec(),
        }))
    }
}
