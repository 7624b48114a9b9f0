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
    graph::{Activation, After, Graph, Mask},
    kernels::norm::Moments,
    layers::{Conv2d, GroupNorm, LayerNorm, Linear},
    ops,
};

use crate::network::LoraNetwork;

/// Records one forward pass.
pub struct Tape<'a> {
    network: &'a LoraNetwork,
    nodes: Vec<Node>,
    n_vars: usize,
}

/// A value on the tape.
#[derive(Debug, Clone)]
pub struct Var {
    tensor: Tensor,
    id: Option<VarId>,
}

impl Var {
    /// Whether a gradient flows into the value.
    pub fn needs_grad(&self) -> bool {
        self.id.is_some()
    }
}

type VarId = usize;

/// One operation that a gradient has to flow back through.
struct Node {
    op: Op,
    /// Where the gradients of the inputs go; `None` where none is needed.
    inputs: [Option<VarId>; 3],
    output: VarId,
}

/// An operation, with what its backward pass needs.
enum Op {
    Linear {
        layer: Linear,
    },
    LoraLinear {
        layer: Linear,
        module: usize,
        x: Tensor,
        t: Tensor,
    },
    Conv2d {
        layer: Conv2d,
        input: Vec<usize>,
    },
    GroupNorm {
        layer: GroupNorm,
        silu: bool,
        x: Tensor,
        moments: Moments,
    },
    LayerNorm {
        layer: LayerNorm,
        x: Tensor,
        moments: Moments,
    },
    Attention {
        qkv: [Tensor; 3],
        lse: Tensor,
        n_heads: usize,
        causal: bool,
    },
    Geglu {
        x: Tensor,
    },
    Activate {
        activation: Activation,
        x: Tensor,
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
}

impl<'a> Tape<'a> {
    /// An empty tape that applies the network to the layers it knows.
    pub fn new(network: &'a LoraNetwork) -> Self {
        Self {
            network,
            nodes: Vec::new(),
            n_vars: 0,
        }
    }

    /// Brings in a tensor that wants a gradient.
    pub fn variable(&mut self, tensor: &Tensor) -> Var {
        Var {
            id: Some(self.new_id()),
            tensor: tensor.clone(),
        }
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
    fn record<const N: usize>(&mut self, tensor: Tensor, inputs: [&Var; N], op: impl FnOnce() -> Op) -> Var {
        if inputs.iter().all(|input| !input.needs_grad()) {
            return Var { tensor, id: None };
        }
        self.push(tensor, inputs, op())
    }

    fn push<const N: usize>(&mut self, tensor: Tensor, inputs: [&Var; N], op: Op) -> Var {
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

impl Graph for Tape<'_> {
    type Value = Var;

    fn constant(&mut self, tensor: &Tensor) -> Var {
        Var {
            tensor: tensor.clone(),
            id: None,
        }
    }

    fn tensor<'v>(&self, value: &'v Var) -> &'v Tensor {
        &value.tensor
    }

    fn linear(&mut self, x: &Var, layer: &Linear) -> Result<Var> {
        let module = layer.lora_key().and_then(|key| self.network.find(key));
        let Some(module) = module else {
            let y = ops::linear(&x.tensor, layer)?;
            return Ok(self.record(y, [x], || Op::Linear { layer: layer.clone() }));
        };
        let lora = self.network.module(module);
        let (y, t) = ops::lora_linear(&x.tensor, layer, lora.down, lora.up, lora.scale)?;
        let op = Op::LoraLinear {
            layer: layer.clone(),
            module,
            x: x.tensor.clone(),
            t,
        };
        // The LoRA's own matrices want gradients even where the input does not.
        Ok(self.push(y, [x], op))
    }

    fn conv2d(&mut self, x: &Var, layer: &Conv2d) -> Result<Var> {
        let y = ops::conv2d(&x.tensor, layer)?;
        Ok(self.record(y, [x], || Op::Conv2d {
            layer: layer.clone(),
            input: x.tensor.dims().to_vec(),
        }))
    }

    fn group_norm(&mut self, x: &Var, layer: &GroupNorm, after: After) -> Result<Var> {
        let silu = after == After::Silu;
        let (y, moments) = ops::group_norm(&x.tensor, layer, silu)?;
        Ok(self.record(y, [x], || Op::GroupNorm {
            layer: layer.clone(),
            silu,
            x: x.tensor.clone(),
            moments,
        }))
    }

    fn layer_norm(&mut self, x: &Var, layer: &LayerNorm) -> Result<Var> {
        let (y, moments) = ops::layer_norm(&x.tensor, layer)?;
        Ok(self.record(y, [x], || Op::LayerNorm {
            layer: layer.clone(),
            x: x.tensor.clone(),
            moments,
        }))
    }

    fn attention(&mut self, [q, k, v]: [&Var; 3], n_heads: usize, mask: Mask) -> Result<Var> {
        let causal = mask == Mask::Causal;
        let (out, lse) = ops::attention(&q.tensor, &k.tensor, &v.tensor, n_heads, causal)?;
        Ok(self.record(out, [q, k, v], || Op::Attention {
            qkv: [q.tensor.clone(), k.tensor.clone(), v.tensor.clone()],
            lse,
            n_heads,
            causal,
        }))
    }

    fn geglu(&mut self, x: &Var) -> Result<Var> {
        let y = ops::geglu(&x.tensor)?;
        Ok(self.record(y, [x], || Op::Geglu { x: x.tensor.clone() }))
    }

    fn activate(&mut self, x: &Var, activation: Activation) -> Result<Var> {
        let y = ops::activate(&x.tensor, activation)?;
        Ok(self.record(y, [x], || Op::Activate {
            activation,
            x: x.tensor.clone(),
        }))
    }

    fn add(&mut self, a: &Var, b: &Var) -> Result<Var> {
        let y = ops::add(&a.tensor, &b.tensor)?;
        Ok(self.record(y, [a, b], || Op::Add))
    }

    fn add_channels(&mut self, x: &Var, bias: &Var) -> Result<Var> {
        let y = ops::add_channels(&x.tensor, &bias.tensor)?;
        Ok(self.record(y, [x, bias], || Op::AddChannels))
    }

    fn concat(&mut self, a: &Var, b: &Var) -> Result<Var> {
        let y = ops::concat(&a.tensor, &b.tensor)?;
        let first_width = a.tensor.dim(candle_core::D::Minus1)?;
        Ok(self.record(y, [a, b], || Op::Concat { first_width }))
    }

    fn upsample_2x(&mut self, x: &Var, size: (usize, usize)) -> Result<Var> {
        let y = ops::upsample_2x(&x.tensor, size)?;
        let (_, height, width, _) = x.tensor.dims4()?;
        Ok(self.record(y, [x], || Op::Upsample {
            input: (height, width),
        }))
    }

    fn reshape(&mut self, x: &Var, shape: &[usize]) -> Result<Var> {
        let y = x.tensor.reshape(shape)?;
        Ok(self.record(y, [x], || Op::Reshape {
            input: x.tensor.dims().to_vec(),
        }))
    }
}
