//! The backward pass, and what changes in a training: parameters, gradients, an optimizer's state.

use super::{Affine, Device, Matrix, Result};
use crate::operation::{Activation, AdamWUpdate, ConvGeometry, Grouping, Mask, Place};

/// What an attention keeps for its backward pass.
#[derive(Debug)]
pub struct Saved<'a, T> {
    /// Queries `[B, Tq, C]`, keys `[B, Tk, C]` and values `[B, Tk, C]`.
    pub qkv: [&'a T; 3],
    /// Log-sum-exp `[B, heads, Tq]`.
    pub lse: &'a T,
}

/// Trains on a device: the gradient of each operation of [`Device`] with respect to what can need one (frozen weights
/// never do), a loss, and what an optimizer does with buffers.
pub trait TrainingDevice: Device {
    /// Parts that a batch of so many samples is best cut into, to be computed side by side, for a model whose first
    /// activation of a sample has so many numbers. The same on every machine, since it decides the order of sums.
    fn n_parts(&self, n_samples: usize, activation_len: usize) -> usize;

    /// Gradient of `linear` with respect to its input: `dy W`.
    fn linear_grad(&self, dy: &Self::Tensor, weight: &Self::Weight) -> Result<Self::Tensor>;

    /// Gradient of `scale · x Mᵀ` with respect to x: `scale · dy M`.
    fn project_grad(
        &self,
        dy: &Self::Tensor,
        matrix: Matrix<'_, Self::Buffer>,
        scale: f32,
    ) -> Result<Self::Tensor>;

    /// `dx + dy M`, in the memory of `dx`, which nothing else may share.
    fn add_project_grad(
        &self,
        dx: Self::Tensor,
        dy: &Self::Tensor,
        matrix: Matrix<'_, Self::Buffer>,
    ) -> Result<Self::Tensor>;

    /// Adds the gradient of `scale · x Mᵀ` with respect to M where M's gradient lies: `scale · dyᵀ x`.
    fn add_matrix_grad(
        &self,
        gradients: &mut Self::Buffer,
        place: Place,
        dy: &Self::Tensor,
        x: &Self::Tensor,
        scale: f32,
    ) -> Result<()>;

    /// Gradient of `conv2d` with respect to its input, which had shape `x`.
    fn conv2d_grad(
        &self,
        dy: &Self::Tensor,
        x: &[usize],
        weight: &Self::Weight,
        geometry: ConvGeometry,
    ) -> Result<Self::Tensor>;

    /// Gradient of `group_norm` with respect to its input `x`.
    fn group_norm_grad(
        &self,
        dy: &Self::Tensor,
        x: &Self::Tensor,
        moments: &Self::Moments,
        affine: Affine<'_, Self::Tensor>,
        grouping: Grouping,
    ) -> Result<Self::Tensor>;

    /// Gradient of `layer_norm` with respect to its input `x`.
    fn layer_norm_grad(
        &self,
        dy: &Self::Tensor,
        x: &Self::Tensor,
        moments: &Self::Moments,
        affine: Affine<'_, Self::Tensor>,
    ) -> Result<Self::Tensor>;

    /// Gradients of `attention` with respect to queries, keys and values.
    fn attention_grad(
        &self,
        dy: &Self::Tensor,
        saved: Saved<'_, Self::Tensor>,
        n_heads: usize,
        mask: Mask,
    ) -> Result<[Self::Tensor; 3]>;

    /// Gradient of `geglu` with respect to its input `x`.
    fn geglu_grad(&self, dy: &Self::Tensor, x: &Self::Tensor) -> Result<Self::Tensor>;

    /// Gradient of `activate` with respect to its input `x`.
    fn activate_grad(
        &self,
        dy: &Self::Tensor,
        x: &Self::Tensor,
        activation: Activation,
    ) -> Result<Self::Tensor>;

    /// Gradient of `add_channels` with respect to its bias `[B, C]`.
    fn add_channels_grad(&self, dy: &Self::Tensor) -> Result<Self::Tensor>;

    /// Gradients of `concat`, the first with `a_width` values in its last dimension.
    fn concat_grad(&self, dy: &Self::Tensor, a_width: usize) -> Result<[Self::Tensor; 2]>;

    /// Gradient of `upsample_2x` with respect to its input, which had height and width `size`.
    fn upsample_2x_grad(&self, dy: &Self::Tensor, size: (usize, usize)) -> Result<Self::Tensor>;

    /// The same numbers in memory of their own.
    fn copy(&self, x: &Self::Tensor) -> Result<Self::Tensor>;

    /// Adds `x` to `sum` where it lies. Nothing else may share the memory of `sum`.
    fn accumulate(&self, sum: &mut Self::Tensor, x: &Self::Tensor) -> Result<()>;

    /// Sum over the samples of weight times mean squared error, divided by `n_samples`, and its gradient with respect
    /// to `prediction`. The first dimension counts the samples; `n_samples` is larger where these are a part of a batch.
    fn squared_error(
        &self,
        prediction: &Self::Tensor,
        target: &Self::Tensor,
        weights: &[f32],
        n_samples: usize,
    ) -> Result<(f64, Self::Tensor)>;

    /// `sum += x`.
    fn add_buffer(&self, sum: &mut Self::Buffer, x: &Self::Buffer) -> Result<()>;

    /// `x *= factor`.
    fn scale_buffer(&self, x: &mut Self::Buffer, factor: f32) -> Result<()>;

    /// Euclidean norm, summed in `f64`. NaN or infinite as soon as one number is.
    fn norm(&self, x: &Self::Buffer) -> Result<f64>;

    /// One step of AdamW: `values` and both moments change.
    fn adamw(
        &self,
        update: &AdamWUpdate,
        values: &mut Self::Buffer,
        gradients: &Self::Buffer,
        moments: [&mut Self::Buffer; 2],
    ) -> Result<()>;
}
