//! Inference: computes at once, keeps nothing, applies loaded LoRAs.

use candle_core::{Result, Tensor};

use super::{Activation, AdapterSet, After, Graph, Mask};
use crate::{
    layers::{Conv2d, GroupNorm, LayerNorm, Linear},
    ops,
};

/// The graph of inference.
#[derive(Debug, Clone, Copy, Default)]
pub struct Eager<'a> {
    adapters: Option<&'a AdapterSet>,
}

impl<'a> Eager<'a> {
    /// The base model alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// The base model with LoRAs.
    pub fn with_adapters(adapters: &'a AdapterSet) -> Self {
        Self {
            adapters: Some(adapters),
        }
    }
}

impl Graph for Eager<'_> {
    type Value = Tensor;

    fn constant(&mut self, tensor: &Tensor) -> Tensor {
        tensor.clone()
    }

    fn tensor<'a>(&self, value: &'a Tensor) -> &'a Tensor {
        value
    }

    fn linear(&mut self, x: &Tensor, layer: &Linear) -> Result<Tensor> {
        let mut y = ops::linear(x, layer)?;
        if let (Some(adapters), Some(key)) = (self.adapters, layer.lora_key()) {
            for (adapter, weight) in adapters.of(key) {
                let (down, up) = (ops::floats(&adapter.down)?, ops::floats(&adapter.up)?);
                let t = ops::lora_down(x, &down, adapter.rank())?;
                y = ops::lora_up(&y, &t, &up, weight * adapter.scale)?;
            }
        }
        Ok(y)
    }

    fn conv2d(&mut self, x: &Tensor, layer: &Conv2d) -> Result<Tensor> {
        ops::conv2d(x, layer)
    }

    fn group_norm(&mut self, x: &Tensor, layer: &GroupNorm, after: After) -> Result<Tensor> {
        Ok(ops::group_norm(x, layer, after == After::Silu)?.0)
    }

    fn layer_norm(&mut self, x: &Tensor, layer: &LayerNorm) -> Result<Tensor> {
        Ok(ops::layer_norm(x, layer)?.0)
    }

    fn attention(&mut self, [q, k, v]: [&Tensor; 3], n_heads: usize, mask: Mask) -> Result<Tensor> {
        Ok(ops::attention(q, k, v, n_heads, mask == Mask::Causal)?.0)
    }

    fn geglu(&mut self, x: &Tensor) -> Result<Tensor> {
        ops::geglu(x)
    }

    fn activate(&mut self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        ops::activate(x, activation)
    }

    fn add(&mut self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        ops::add(a, b)
    }

    fn add_channels(&mut self, x: &Tensor, bias: &Tensor) -> Result<Tensor> {
        ops::add_channels(x, bias)
    }

    fn concat(&mut self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        ops::concat(a, b)
    }

    fn upsample_2x(&mut self, x: &Tensor, size: (usize, usize)) -> Result<Tensor> {
        ops::upsample_2x(x, size)
    }

    fn reshape(&mut self, x: &Tensor, shape: &[usize]) -> Result<Tensor> {
        x.reshape(shape)
    }
}
