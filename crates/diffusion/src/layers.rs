//! Frozen layers: weights of a base model, on the device that computes with them.
//!
//! A layer computes nothing; a [`Graph`](crate::graph::Graph) does. Base weights are never trained, so layers are
//! immutable and shared between forward passes.

mod source;
mod target;

use std::sync::Arc;

use candle_core::{DType, Tensor};

pub use crate::operation::ConvGeometry;
pub use source::{Loader, WeightError, WeightSource, get_shaped};
pub use target::LoraTarget;

use crate::{
    cpu::Cpu,
    device::{Affine, Device, in_rows},
    operation::{After, Grouping},
};

/// y = x Wᵀ + b.
#[derive(Debug, Clone)]
pub struct Linear<D: Device = Cpu> {
    weight: D::Weight,
    bias: Option<D::Tensor>,
    n_in: usize,
    n_out: usize,
    lora_key: Option<Arc<str>>,
}

impl<D: Device> Linear<D> {
    /// Reads `{name}.weight [out, in]` and `{name}.bias [out]`.
    pub fn load(loader: &Loader<'_, D>, name: &str, in_out: (usize, usize)) -> Result<Self, WeightError> {
        let bias = loader.tensor(&format!("{name}.bias"), &[in_out.1])?;
        Ok(Self {
            bias: Some(bias),
            ..Self::load_no_bias(loader, name, in_out)?
        })
    }

    /// Reads `{name}.weight [out, in]`.
    pub fn load_no_bias(
        loader: &Loader<'_, D>,
        name: &str,
        (n_in, n_out): (usize, usize),
    ) -> Result<Self, WeightError> {
        Ok(Self {
            weight: loader.weight(&format!("{name}.weight"), &[n_out, n_in])?,
            bias: None,
            n_in,
            n_out,
            lora_key: loader.lora_key(name),
        })
    }

    /// Makes the layer a target for LoRAs under kohya's module name, as
    /// `lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q`.
    pub fn with_lora_key(self, key: String) -> Self {
        Self {
            lora_key: Some(key.into()),
            ..self
        }
    }

    /// `[out, in]`.
    pub fn weight(&self) -> &D::Weight {
        &self.weight
    }

    /// `[out]`.
    pub fn bias(&self) -> Option<&D::Tensor> {
        self.bias.as_ref()
    }

    /// Kohya's complete module name, prefix included, if a LoRA can address the layer.
    pub fn lora_key(&self) -> Option<&str> {
        self.lora_key.as_deref()
    }

    /// Values in a row of the input.
    pub fn n_in(&self) -> usize {
        self.n_in
    }

    /// Values in a row of the output.
    pub fn n_out(&self) -> usize {
        self.n_out
    }
}

/// Kohya's module name: `prefix` (`lora_unet`, `lora_te1`, …) and the module's path with `_` for `.`.
pub fn lora_key(prefix: &str, path: &str) -> String {
    format!("{prefix}_{}", path.replace('.', "_"))
}

/// Convolution; its weights lie as `[out, kernel, kernel, in]`, so that a patch is one row.
#[derive(Debug, Clone)]
pub struct Conv2d<D: Device = Cpu> {
    weight: D::Weight,
    bias: D::Tensor,
    geometry: ConvGeometry,
    lora_key: Option<Arc<str>>,
}

impl<D: Device> Conv2d<D> {
    /// Reads `{name}.weight [out, in, kernel, kernel]` and `{name}.bias [out]`.
    pub fn load(
        loader: &Loader<'_, D>,
        name: &str,
        (n_in, n_out): (usize, usize),
        geometry: ConvGeometry,
    ) -> Result<Self, WeightError> {
        let k = geometry.kernel;
        let shape = [n_out, n_in, k, k];
        Ok(Self {
            weight: loader.weight(&format!("{name}.weight"), &shape)?,
            bias: loader.tensor(&format!("{name}.bias"), &[n_out])?,
            geometry,
            lora_key: loader.lora_key(name),
        })
    }

    /// Kohya's complete module name, if a LoRA can address the layer.
    pub fn lora_key(&self) -> Option<&str> {
        self.lora_key.as_deref()
    }

    /// `[out, kernel, kernel, in]`.
    pub fn weight(&self) -> &D::Weight {
        &self.weight
    }

    /// `[out]`.
    pub fn bias(&self) -> &D::Tensor {
        &self.bias
    }

    /// Kernel, stride and padding.
    pub fn geometry(&self) -> ConvGeometry {
        self.geometry
    }
}

/// Group norm over `[batch, …, channels]`.
#[derive(Debug, Clone)]
pub struct GroupNorm<D: Device = Cpu> {
    weight: D::Tensor,
    bias: D::Tensor,
    n_groups: usize,
    eps: f32,
    lora_key: Option<Arc<str>>,
}

impl<D: Device> GroupNorm<D> {
    /// Reads `{name}.weight [channels]` and `{name}.bias [channels]`. `n_groups` has to divide `channels`.
    pub fn load(
        loader: &Loader<'_, D>,
        name: &str,
        channels: usize,
        n_groups: usize,
        eps: f32,
    ) -> Result<Self, WeightError> {
        assert!(
            n_groups > 0 && channels.is_multiple_of(n_groups),
            "{n_groups} groups of {channels} channels"
        );
        Ok(Self {
            weight: loader.tensor(&format!("{name}.weight"), &[channels])?,
            bias: loader.tensor(&format!("{name}.bias"), &[channels])?,
            n_groups,
            eps,
            lora_key: loader.lora_key(name),
        })
    }

    /// Kohya's complete module name, if a LoRA can address the layer.
    pub fn lora_key(&self) -> Option<&str> {
        self.lora_key.as_deref()
    }

    /// Scale and shift of each channel.
    pub fn affine(&self) -> Affine<'_, D::Tensor> {
        Affine {
            weight: &self.weight,
            bias: &self.bias,
        }
    }

    /// How channels are grouped, and what follows.
    pub fn grouping(&self, after: After) -> Grouping {
        Grouping {
            n_groups: self.n_groups,
            eps: self.eps,
            after,
        }
    }
}

/// Layer norm over the last dimension.
#[derive(Debug, Clone)]
pub struct LayerNorm<D: Device = Cpu> {
    weight: D::Tensor,
    bias: D::Tensor,
    eps: f32,
    lora_key: Option<Arc<str>>,
}

/// Added to the variance in every layer norm of SDXL: PyTorch's default.
const LAYER_NORM_EPS: f32 = 1e-5;

impl<D: Device> LayerNorm<D> {
    /// Reads `{name}.weight [width]` and `{name}.bias [width]`.
    pub fn load(loader: &Loader<'_, D>, name: &str, width: usize) -> Result<Self, WeightError> {
        Self::load_with_eps(loader, name, width, LAYER_NORM_EPS)
    }

    /// The same with another number that is added to the variance.
    pub fn load_with_eps(
        loader: &Loader<'_, D>,
        name: &str,
        width: usize,
        eps: f32,
    ) -> Result<Self, WeightError> {
        Ok(Self {
            weight: loader.tensor(&format!("{name}.weight"), &[width])?,
            bias: loader.tensor(&format!("{name}.bias"), &[width])?,
            eps,
            lora_key: loader.lora_key(name),
        })
    }

    /// Kohya's complete module name, if a LoRA can address the layer.
    pub fn lora_key(&self) -> Option<&str> {
        self.lora_key.as_deref()
    }

    /// Scale and shift of each value.
    pub fn affine(&self) -> Affine<'_, D::Tensor> {
        Affine {
            weight: &self.weight,
            bias: &self.bias,
        }
    }

    /// Added to the variance.
    pub fn eps(&self) -> f32 {
        self.eps
    }
}

impl<D: Device> Loader<'_, D> {
    fn lora_key(&self, name: &str) -> Option<Arc<str>> {
        self.lora_prefix.map(|prefix| lora_key(prefix, name).into())
    }

    /// Reads a tensor of this shape.
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<D::Tensor, WeightError> {
        let tensor = self.host(name, shape)?;
        let uploaded = self.device.upload(&tensor);
        uploaded.map_err(|err| self.unreadable(name, err.into()))
    }

    /// Reads a weight of this shape, if possible where its file holds it, and lays it out.
    fn weight(&self, name: &str, shape: &[usize]) -> Result<D::Weight, WeightError> {
        let frozen = self.source.frozen(name)?;
        let weight = match frozen.filter(|frozen| frozen.shape() == shape) {
            Some(frozen) => self.device.frozen_weight(frozen).map_err(Into::into),
            None => in_rows(self.host(name, shape)?).and_then(|tensor| Ok(self.device.weight(tensor)?)),
        };
        weight.map_err(|err| self.unreadable(name, err))
    }

    fn host(&self, name: &str, shape: &[usize]) -> Result<Tensor, WeightError> {
        let tensor = get_shaped(self.source, name, shape)?;
        let converted = tensor.to_dtype(DType::F32).and_then(|tensor| tensor.contiguous());
        converted.map_err(|err| self.unreadable(name, err))
    }

    fn unreadable(&self, name: &str, err: candle_core::Error) -> WeightError {
        WeightError::Read {
            origin: self.source.origin(),
            name: name.to_owned(),
            err,
        }
    }
}
