//! The seam to devices: what computes a model's operations, and where its numbers lie.
//!
//! Models, the tape, kinds of LoRA, losses and optimizers call a [`Device`] and never see a kernel. Another device is
//! another implementation, in a folder or a crate of its own; nothing else changes. What comes from files or goes into
//! them is a *host tensor*: candle's [`Tensor`], `f32` and contiguous, in main memory.
//!
//! A device is a type parameter, not a trait object: operations are called directly, and tensors of different devices
//! cannot be mixed. Activations are row-major with the channel last: `[batch, height, width, channels]` or
//! `[batch, tokens, channels]`.

mod dense;
mod error;
mod frozen;
mod host;
mod training;

use std::fmt;

use candle_core::Tensor;

pub use self::{
    dense::{DenseDevice, LENGTH_EPSILON},
    error::DeviceError,
    frozen::{Frozen, in_rows},
    host::{Floats, HOST, floats, tensor},
    training::{Adapting, Blocks, Saved, TrainingDevice, Wandering},
};
use crate::operation::{Activation, ConvGeometry, Grouping, Mask, Place};

/// Result of an operation.
pub type Result<T> = std::result::Result<T, DeviceError>;

/// Scale and shift of a norm, `[channels]` each.
#[derive(Debug)]
pub struct Affine<'a, T> {
    /// Factor of each channel.
    pub weight: &'a T,
    /// Summand of each channel.
    pub bias: &'a T,
}

/// A matrix in a buffer.
#[derive(Debug)]
pub struct Matrix<'a, B> {
    /// The buffer.
    pub buffer: &'a B,
    /// Where it lies in it.
    pub place: Place,
}

impl<B> Clone for Matrix<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B> Copy for Matrix<'_, B> {}

/// Computes the forward pass of the models. [`TrainingDevice`] adds the backward pass and what is trained.
///
/// An error names the device, the operation and the shapes; [`ConvShape`](crate::operation::ConvShape) and its siblings
/// check them for every implementation.
pub trait Device: Clone + fmt::Debug + Send + Sync + 'static {
    /// A value on its way through a model. A clone shares the numbers.
    type Tensor: Clone + fmt::Debug + Send + Sync;
    /// A frozen weight in the layout that this device multiplies with. A clone shares the numbers.
    type Weight: Clone + fmt::Debug + Send + Sync;
    /// Means and reciprocal standard deviations, which a norm keeps for its backward pass.
    type Moments: fmt::Debug + Send + Sync;
    /// A row of numbers that are changed in place: parameters, their gradients, an optimizer's state.
    type Buffer: Clone + fmt::Debug + Send + Sync;

    /// The device in messages.
    fn name(&self) -> &str;

    /// Takes a host tensor in.
    fn upload(&self, host: &Tensor) -> Result<Self::Tensor>;

    /// Gives a value out.
    fn download(&self, x: &Self::Tensor) -> Result<Tensor>;

    /// Shape of a value.
    fn dims<'a>(&self, x: &'a Self::Tensor) -> &'a [usize];

    /// Takes in the weight of a linear layer `[out, in]` or of a convolution `[out, kernel, kernel, in]`.
    fn weight(&self, host: Tensor) -> Result<Self::Weight>;

    /// Takes in such a weight that lies in a file. A device that cannot multiply with it as it is stored takes a copy.
    fn frozen_weight(&self, frozen: Frozen) -> Result<Self::Weight> {
        let widened = frozen.widened();
        let host =
            widened.map_err(|err| DeviceError::new(self, "a weight of a file", &[frozen.shape()], err))?;
        self.weight(host)
    }

    /// Takes numbers in that will change.
    fn buffer(&self, values: Vec<f32>) -> Result<Self::Buffer>;

    /// Gives the numbers of a buffer out.
    fn values(&self, buffer: &Self::Buffer) -> Result<Vec<f32>>;

    /// `x [.., in] Wᵀ + b`: `[.., out]`.
    fn linear(
        &self,
        x: &Self::Tensor,
        weight: &Self::Weight,
        bias: Option<&Self::Tensor>,
    ) -> Result<Self::Tensor>;

    /// `x [.., columns] Mᵀ`: `[.., rows]`.
    fn project(&self, x: &Self::Tensor, matrix: Matrix<'_, Self::Buffer>) -> Result<Self::Tensor>;

    /// `y + scale · x Mᵀ`, in the memory of `y`, which nothing else may share.
    fn add_projected(
        &self,
        y: Self::Tensor,
        x: &Self::Tensor,
        matrix: Matrix<'_, Self::Buffer>,
        scale: f32,
    ) -> Result<Self::Tensor>;

    /// Convolution of `[B, H, W, in]`.
    fn conv2d(
        &self,
        x: &Self::Tensor,
        weight: &Self::Weight,
        bias: &Self::Tensor,
        geometry: ConvGeometry,
    ) -> Result<Self::Tensor>;

    /// Group norm of `[B, .., C]`.
    fn group_norm(
        &self,
        x: &Self::Tensor,
        affine: Affine<'_, Self::Tensor>,
        grouping: Grouping,
    ) -> Result<(Self::Tensor, Self::Moments)>;

    /// Moments of the groups of one picture that is cut into strips `[1, .., C]`: those that
    /// [`group_norm`](Self::group_norm) has of the whole.
    fn group_moments(&self, strips: &[&Self::Tensor], grouping: Grouping) -> Result<Self::Moments>;

    /// [`group_norm`](Self::group_norm) of one strip `[1, .., C]` with the moments of the whole picture.
    fn group_norm_by(
        &self,
        x: &Self::Tensor,
        affine: Affine<'_, Self::Tensor>,
        grouping: Grouping,
        moments: &Self::Moments,
    ) -> Result<Self::Tensor>;

    /// Layer norm over the last dimension.
    fn layer_norm(
        &self,
        x: &Self::Tensor,
        affine: Affine<'_, Self::Tensor>,
        eps: f32,
    ) -> Result<(Self::Tensor, Self::Moments)>;

    /// Attention of `q [B, Tq, C]` to `k, v [B, Tk, C]`: the result and the log-sum-exp `[B, heads, Tq]`.
    fn attention(
        &self,
        qkv: [&Self::Tensor; 3],
        n_heads: usize,
        mask: Mask,
    ) -> Result<(Self::Tensor, Self::Tensor)>;

    /// `x[.., :F] * gelu(x[.., F:])` for `x [.., 2 F]`.
    fn geglu(&self, x: &Self::Tensor) -> Result<Self::Tensor>;

    /// A function of each value.
    fn activate(&self, x: &Self::Tensor, activation: Activation) -> Result<Self::Tensor>;

    /// Sum of two values of the same shape.
    fn add(&self, a: &Self::Tensor, b: &Self::Tensor) -> Result<Self::Tensor>;

    /// `x [B, .., C] + bias [B, C]`.
    fn add_channels(&self, x: &Self::Tensor, bias: &Self::Tensor) -> Result<Self::Tensor>;

    /// Concatenation along the last dimension.
    fn concat(&self, a: &Self::Tensor, b: &Self::Tensor) -> Result<Self::Tensor>;

    /// Nearest-neighbor upsampling of `[B, H, W, C]` to `size`, which is twice height and width, or one less.
    fn upsample_2x(&self, x: &Self::Tensor, size: (usize, usize)) -> Result<Self::Tensor>;

    /// The same numbers in another shape. They may share memory.
    fn reshape(&self, x: &Self::Tensor, shape: &[usize]) -> Result<Self::Tensor>;

    /// Some rows of `x [.., C]`, counted through all dimensions but the last, in this order: `[rows, C]`.
    fn gather(&self, x: &Self::Tensor, rows: &[usize]) -> Result<Self::Tensor>;

    /// Each row of `x [.., C]`, counted in the same way, times a number of its own. Its gradient is the same of `dy`.
    fn weigh(&self, x: &Self::Tensor, weights: &[f32]) -> Result<Self::Tensor>;

    /// Convolution of `[B, H, W, in]` with the kernels in the rows of a matrix `[out, kernel · kernel · in]`, without a
    /// bias: `[B, H', W', out]`.
    fn convolve(
        &self,
        x: &Self::Tensor,
        matrix: Matrix<'_, Self::Buffer>,
        geometry: ConvGeometry,
    ) -> Result<Self::Tensor>;
}
