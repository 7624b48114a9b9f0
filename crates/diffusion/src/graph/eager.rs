//! Inference: computes at once, keeps nothing, applies loaded LoRAs.

use candle_core::{Result, Tensor};

use super::{Activation, AdapterSet, After, Graph, Mask, Replaced};
use crate::{
    cpu::Cpu,
    device::{Affine, Device},
    layers::{Conv2d, GroupNorm, LayerNorm, Linear},
};

/// The graph of inference.
#[derive(Debug)]
pub struct Eager<'a, D: Device = Cpu> {
    device: &'a D,
    adapters: Option<&'a AdapterSet<D>>,
}

impl<'a, D: Device> Eager<'a, D> {
    /// The base model alone.
    pub fn new(device: &'a D) -> Self {
        Self {
            device,
            adapters: None,
        }
    }

    /// The base model with LoRAs.
    pub fn with_adapters(device: &'a D, adapters: &'a AdapterSet<D>) -> Self {
        Self {
            device,
            adapters: Some(adapters),
        }
    }

    fn replaced(&self, key: Option<&str>) -> Option<&'a Replaced<D>> {
        self.adapters?.replaced(key?)
    }

    /// A norm's scale and shift, or those that stand in their place.
    fn affine<'b>(&self, of_base: Affine<'b, D::Tensor>, key: Option<&str>) -> Affine<'b, D::Tensor>
    where
        'a: 'b,
    {
        let replaced = self.replaced(key);
        Affine {
            weight: replaced
                .and_then(|replaced| replaced.gain.as_ref())
                .unwrap_or(of_base.weight),
            bias: replaced
                .and_then(|replaced| replaced.bias.as_ref())
                .unwrap_or(of_base.bias),
        }
    }
}

impl<D: Device> Graph for Eager<'_, D> {
    type Device = D;
    type Value = D::Tensor;

    fn constant(&mut self, tensor: &Tensor) -> Result<D::Tensor> {
        Ok(self.device.upload(tensor)?)
    }

    fn dims<'a>(&self, value: &'a D::Tensor) -> &'a [usize] {
        self.device.dims(value)
    }

    fn linear(&mut self, x: &D::Tensor, layer: &Linear<D>) -> Result<D::Tensor> {
        let replaced = self.replaced(layer.lora_key());
        let weight = replaced.and_then(|replaced| replaced.weight.as_ref());
        let bias = replaced.and_then(|replaced| replaced.bias.as_ref());
        let (weight, bias) = (weight.unwrap_or(layer.weight()), bias.or(layer.bias()));
        let mut y = self.device.linear(x, weight, bias)?;
        if let (Some(adapters), Some(key)) = (self.adapters, layer.lora_key()) {
            for (adapter, weight) in adapters.of(key) {
                y = adapter.apply(self.device, x, y, *weight)?;
            }
        }
        Ok(y)
    }

    fn conv2d(&mut self, x: &D::Tensor, layer: &Conv2d<D>) -> Result<D::Tensor> {
        let replaced = self.replaced(layer.lora_key());
        let weight = replaced.and_then(|replaced| replaced.weight.as_ref());
        let bias = replaced.and_then(|replaced| replaced.bias.as_ref());
        let (weight, bias) = (weight.unwrap_or(layer.weight()), bias.unwrap_or(layer.bias()));
        Ok(self.device.conv2d(x, weight, bias, layer.geometry())?)
    }

    fn group_norm(&mut self, x: &D::Tensor, layer: &GroupNorm<D>, after: After) -> Result<D::Tensor> {
        let affine = self.affine(layer.affine(), layer.lora_key());
        Ok(self.device.group_norm(x, affine, layer.grouping(after))?.0)
    }

    fn layer_norm(&mut self, x: &D::Tensor, layer: &LayerNorm<D>) -> Result<D::Tensor> {
        let affine = self.affine(layer.affine(), layer.lora_key());
        Ok(self.device.layer_norm(x, affine, layer.eps())?.0)
    }

    fn attention(&mut self, qkv: [&D::Tensor; 3], n_heads: usize, mask: Mask) -> Result<D::Tensor> {
        Ok(self.device.attention(qkv, n_heads, mask)?.0)
    }

    fn geglu(&mut self, x: &D::Tensor) -> Result<D::Tensor> {
        Ok(self.device.geglu(x)?)
    }

    fn activate(&mut self, x: &D::Tensor, activation: Activation) -> Result<D::Tensor> {
        Ok(self.device.activate(x, activation)?)
    }

    fn add(&mut self, a: &D::Tensor, b: &D::Tensor) -> Result<D::Tensor> {
        Ok(self.device.add(a, b)?)
    }

    fn add_channels(&mut self, x: &D::Tensor, bias: &D::Tensor) -> Result<D::Tensor> {
        Ok(self.device.add_channels(x, bias)?)
    }

    fn concat(&mut self, a: &D::Tensor, b: &D::Tensor) -> Result<D::Tensor> {
        Ok(self.device.concat(a, b)?)
    }

    fn upsample_2x(&mut self, x: &D::Tensor, size: (usize, usize)) -> Result<D::Tensor> {
        Ok(self.device.upsample_2x(x, size)?)
    }

    fn reshape(&mut self, x: &D::Tensor, shape: &[usize]) -> Result<D::Tensor> {
        Ok(self.device.reshape(x, shape)?)
    }

    fn gather(&mut self, x: &D::Tensor, rows: &[usize]) -> Result<D::Tensor> {
        Ok(self.device.gather(x, rows)?)
    }

    fn weigh(&mut self, x: &D::Tensor, weights: &[f32]) -> Result<D::Tensor> {
        Ok(self.device.weigh(x, weights)?)
    }
}
