//! What a model's forward pass is written against: one pass serves inference and training.
//!
//! [`Eager`] computes and forgets; the trainer's tape computes the same with the same functions and records what the
//! backward pass needs. Activations are `f32`, `[batch, height, width, channels]` or `[batch, tokens, channels]`.

mod adapter;
mod eager;

use candle_core::{Result, Tensor, bail};

pub use crate::operation::{Activation, After, Mask};
pub use adapter::{Adapter, AdapterError, AdapterSet, Replaced, low_rank};
pub use eager::Eager;

use crate::{
    device::Device,
    layers::{Conv2d, GroupNorm, LayerNorm, Linear},
};

/// The operations of a forward pass. Errors mean that shapes do not fit, or that the device failed.
pub trait Graph {
    /// What computes.
    type Device: Device;

    /// A tensor on its way through the graph.
    type Value: Clone;

    /// The result of a part of the model. A graph that differentiates may forget what lies inside of it, and compute that
    /// again on the way back.
    fn part<P: Part<Self::Device>>(&mut self, part: &P, inputs: [&Self::Value; 2]) -> Result<Self::Value>
    where
        Self: Sized,
    {
        part.forward(self, inputs)
    }

    /// Brings a host tensor in. No gradient flows into it.
    fn constant(&mut self, tensor: &Tensor) -> Result<Self::Value>;

    /// Shape of a value.
    fn dims<'a>(&self, value: &'a Self::Value) -> &'a [usize];

    /// x Wᵀ + b over the last dimension, with every LoRA that the graph knows for the layer.
    fn linear(&mut self, x: &Self::Value, layer: &Linear<Self::Device>) -> Result<Self::Value>;

    /// Convolution of `[B, H, W, C]`.
    fn conv2d(&mut self, x: &Self::Value, layer: &Conv2d<Self::Device>) -> Result<Self::Value>;

    /// Group norm of `[B, .., C]`, and what follows it.
    fn group_norm(
        &mut self,
        x: &Self::Value,
        layer: &GroupNorm<Self::Device>,
        after: After,
    ) -> Result<Self::Value>;

    /// Layer norm over the last dimension.
    fn layer_norm(&mut self, x: &Self::Value, layer: &LayerNorm<Self::Device>) -> Result<Self::Value>;

    /// Attention of `q [B, Tq, C]` to `k, v [B, Tk, C]`, scaled by 1 / √(C / heads).
    fn attention(&mut self, qkv: [&Self::Value; 3], n_heads: usize, mask: Mask) -> Result<Self::Value>;

    /// `x[.., :F] * gelu(x[.., F:])` for `x [.., 2 F]`.
    fn geglu(&mut self, x: &Self::Value) -> Result<Self::Value>;

    /// A function of each value.
    fn activate(&mut self, x: &Self::Value, activation: Activation) -> Result<Self::Value>;

    /// Sum of two values of the same shape.
    fn add(&mut self, a: &Self::Value, b: &Self::Value) -> Result<Self::Value>;

    /// `x [B, .., C] + bias [B, C]`.
    fn add_channels(&mut self, x: &Self::Value, bias: &Self::Value) -> Result<Self::Value>;

    /// Concatenation along the last dimension.
    fn concat(&mut self, a: &Self::Value, b: &Self::Value) -> Result<Self::Value>;

    /// Nearest-neighbor upsampling of `[B, H, W, C]` to `size`, which is twice height and width, or one less.
    fn upsample_2x(&mut self, x: &Self::Value, size: (usize, usize)) -> Result<Self::Value>;

    /// The same numbers in another shape.
    fn reshape(&mut self, x: &Self::Value, shape: &[usize]) -> Result<Self::Value>;

    /// Some rows of `x [.., C]`, counted through all dimensions but the last, in this order: `[rows, C]`.
    fn gather(&mut self, x: &Self::Value, rows: &[usize]) -> Result<Self::Value>;

    /// Each row of `x [.., C]`, counted in the same way, times a number of its own.
    fn weigh(&mut self, x: &Self::Value, weights: &[f32]) -> Result<Self::Value>;
}

/// A part of a model that can be computed again: a residual block, a block of a transformer. A clone shares its weights.
pub trait Part<D: Device>: Clone + 'static {
    /// The result for what flows through, and for what it is told.
    ///
    /// # Errors
    /// If shapes do not fit, or the device fails.
    fn forward<G: Graph<Device = D>>(&self, graph: &mut G, inputs: [&G::Value; 2]) -> Result<G::Value>;
}

/// Shape of a value `[B, H, W, C]`.
///
/// # Errors
/// If it has another number of dimensions.
pub fn picture_dims<G: Graph>(graph: &G, value: &G::Value) -> Result<[usize; 4]> {
    match graph.dims(value).try_into() {
        Ok(dims) => Ok(dims),
        Err(_) => bail!(
            "[batch, height, width, channels] is expected, got {:?}",
            graph.dims(value)
        ),
    }
}
