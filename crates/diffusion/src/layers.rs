//! Frozen layers: weights of a base model, held in `f32`.
//!
//! A layer computes nothing; a [`Graph`](crate::graph::Graph) does. Base weights are never trained, so layers are
//! immutable and shared between forward passes.

mod source;

use std::sync::{Arc, OnceLock};

use candle_core::{DType, Tensor};

pub use source::{WeightError, WeightSource, get_shaped};

use crate::kernels::packed::Packed;

/// Weights of up to this many numbers get layouts of their own.
///
/// Larger ones meet many rows, which hides the cost of copying them for each product; and copies of them would
/// multiply the memory of a large model.
const SMALL_WEIGHT: usize = 1 << 19;

/// A weight laid out for products, each way when it is first needed.
#[derive(Debug, Default)]
pub struct Layouts {
    forward: OnceLock<Packed>,
    backward: OnceLock<Packed>,
}

impl Layouts {
    fn of(weight: &Tensor) -> Option<Arc<Self>> {
        (weight.elem_count() <= SMALL_WEIGHT).then(Arc::default)
    }

    /// For the layer's result.
    pub fn forward(&self, pack: impl FnOnce() -> Packed) -> &Packed {
        self.forward.get_or_init(pack)
    }

    /// For the gradient of the layer's input.
    pub fn backward(&self, pack: impl FnOnce() -> Packed) -> &Packed {
        self.backward.get_or_init(pack)
    }
}

/// y = x Wᵀ + b.
#[derive(Debug, Clone)]
pub struct Linear {
    weight: Tensor,
    layouts: Option<Arc<Layouts>>,
    bias: Option<Tensor>,
    lora_key: Option<Arc<str>>,
}

impl Linear {
    /// A layer of `weight [out, in]` and `bias [out]` that no LoRA can address.
    pub fn new(weight: Tensor, bias: Option<Tensor>) -> Self {
        Self {
            layouts: Layouts::of(&weight),
            weight,
            bias,
            lora_key: None,
        }
    }

    /// Reads `{name}.weight [out, in]` and `{name}.bias [out]`.
    pub fn load(source: &dyn WeightSource, name: &str, in_out: (usize, usize)) -> Result<Self, WeightError> {
        let bias = load(source, &format!("{name}.bias"), &[in_out.1])?;
        Ok(Self {
            bias: Some(bias),
            ..Self::load_no_bias(source, name, in_out)?
        })
    }

    /// Reads `{name}.weight [out, in]`.
    pub fn load_no_bias(
        source: &dyn WeightSource,
        name: &str,
        (n_in, n_out): (usize, usize),
    ) -> Result<Self, WeightError> {
        let weight = load(source, &format!("{name}.weight"), &[n_out, n_in])?;
        Ok(Self::new(weight, None))
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
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// The weight laid out for products, if it is small.
    pub fn layouts(&self) -> Option<&Layouts> {
        self.layouts.as_deref()
    }

    /// `[out]`.
    pub fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }

    /// Kohya's complete module name, prefix included, if a LoRA can address the layer.
    pub fn lora_key(&self) -> Option<&str> {
        self.lora_key.as_deref()
    }

    /// Values in a row of the input.
    pub fn n_in(&self) -> usize {
        self.weight.dims()[1]
    }

    /// Values in a row of the output.
    pub fn n_out(&self) -> usize {
        self.weight.dims()[0]
    }
}

/// Kohya's module name: `prefix` (`lora_unet`, `lora_te1`, …) and the module's path with `_` for `.`.
pub fn lora_key(prefix: &str, path: &str) -> String {
    format!("{prefix}_{}", path.replace('.', "_"))
}

/// Geometry of a convolution with a square kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvGeometry {
    /// Height and width of the kernel.
    pub kernel: usize,
    /// Step between output pixels.
    pub stride: usize,
    /// Zeros before the first row and column.
    pub pad_start: usize,
    /// Zeros behind the last row and column.
    pub pad_end: usize,
}

impl ConvGeometry {
    /// One pixel: a linear layer over channels.
    pub const POINTWISE: Self = Self {
        kernel: 1,
        stride: 1,
        pad_start: 0,
        pad_end: 0,
    };
    /// 3×3, keeps the size.
    pub const SAME: Self = Self {
        kernel: 3,
        stride: 1,
        pad_start: 1,
        pad_end: 1,
    };
    /// 3×3, halves the size: the U-Net's downsampling.
    pub const HALVE: Self = Self {
        stride: 2,
        ..Self::SAME
    };
    /// 3×3, halves the size, padded at the end alone: the VAE's downsampling.
    pub const HALVE_PAD_END: Self = Self {
        pad_start: 0,
        ..Self::HALVE
    };

    /// Side of the output for a side of the input.
    pub fn output(&self, input: usize) -> usize {
        (input + self.pad_start + self.pad_end - self.kernel) / self.stride + 1
    }
}

/// Convolution; its weights lie as `[out, kernel, kernel, in]`, so that a patch is one row.
#[derive(Debug, Clone)]
pub struct Conv2d {
    weight: Tensor,
    layouts: Option<Arc<Layouts>>,
    bias: Tensor,
    geometry: ConvGeometry,
}

impl Conv2d {
    /// Reads `{name}.weight [out, in, kernel, kernel]` and `{name}.bias [out]`.
    pub fn load(
        source: &dyn WeightSource,
        name: &str,
        (n_in, n_out): (usize, usize),
        geometry: ConvGeometry,
    ) -> Result<Self, WeightError> {
        let k = geometry.kernel;
        let weight_name = format!("{name}.weight");
        let weight = load(source, &weight_name, &[n_out, n_in, k, k])?;
        let packed = weight
            .permute((0, 2, 3, 1))
            .and_then(|weight| weight.contiguous());
        let weight = packed.map_err(|err| WeightError::Read {
            origin: source.origin(),
            name: weight_name,
            err,
        })?;
        Ok(Self {
            layouts: Layouts::of(&weight),
            weight,
            bias: load(source, &format!("{name}.bias"), &[n_out])?,
            geometry,
        })
    }

    /// `[out, kernel, kernel, in]`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// The weight laid out for products, if it is small.
    pub fn layouts(&self) -> Option<&Layouts> {
        self.layouts.as_deref()
    }

    /// `[out]`.
    pub fn bias(&self) -> &Tensor {
        &self.bias
    }

    /// Kernel, stride and padding.
    pub fn geometry(&self) -> ConvGeometry {
        self.geometry
    }
}

/// Group norm over `[batch, …, channels]`.
#[derive(Debug, Clone)]
pub struct GroupNorm {
    weight: Tensor,
    bias: Tensor,
    n_groups: usize,
    eps: f32,
}

impl GroupNorm {
    /// Reads `{name}.weight [channels]` and `{name}.bias [channels]`. `n_groups` has to divide `channels`.
    pub fn load(
        source: &dyn WeightSource,
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
            weight: load(source, &format!("{name}.weight"), &[channels])?,
            bias: load(source, &format!("{name}.bias"), &[channels])?,
            n_groups,
            eps,
        })
    }

    /// Scale of each channel.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// Shift of each channel.
    pub fn bias(&self) -> &Tensor {
        &self.bias
    }

    /// Groups that share mean and variance.
    pub fn n_groups(&self) -> usize {
        self.n_groups
    }

    /// Added to the variance.
    pub fn eps(&self) -> f32 {
        self.eps
    }
}

/// Layer norm over the last dimension.
#[derive(Debug, Clone)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f32,
}

impl LayerNorm {
    /// Added to the variance in every layer norm of SDXL: PyTorch's default.
    pub const EPS: f32 = 1e-5;

    /// Reads `{name}.weight [width]` and `{name}.bias [width]`.
    pub fn load(source: &dyn WeightSource, name: &str, width: usize) -> Result<Self, WeightError> {
        Ok(Self {
            weight: load(source, &format!("{name}.weight"), &[width])?,
            bias: load(source, &format!("{name}.bias"), &[width])?,
            eps: Self::EPS,
        })
    }

    /// Scale of each value.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// Shift of each value.
    pub fn bias(&self) -> &Tensor {
        &self.bias
    }

    /// Added to the variance.
    pub fn eps(&self) -> f32 {
        self.eps
    }
}

fn load(source: &dyn WeightSource, name: &str, shape: &[usize]) -> Result<Tensor, WeightError> {
    let tensor = get_shaped(source, name, shape)?;
    let converted = tensor.to_dtype(DType::F32).and_then(|tensor| tensor.contiguous());
    converted.map_err(|err| WeightError::Read {
        origin: source.origin(),
        name: name.to_owned(),
        err,
    })
}
