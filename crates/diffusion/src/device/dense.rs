//! Layers whose weight is a value that changes with every step: what kinds of LoRA need that add no second path beside
//! the layer, and the small algebra of matrices that such a weight is made with.
//!
//! A weight is `[out, columns]`: of a linear layer its inputs, of a convolution its kernels as `kernel · kernel · in`.

use super::{Device, Matrix, Result};
use crate::operation::{ConvGeometry, Place};

/// Computes with weights that are values.
pub trait DenseDevice: Device {
    /// A frozen weight as a value, `[out, columns]`.
    fn weight_values(&self, weight: &Self::Weight) -> Result<Self::Tensor>;

    /// A matrix of a buffer as a value.
    fn matrix(&self, matrix: Matrix<'_, Self::Buffer>) -> Result<Self::Tensor>;

    /// Adds `scale · x` to a buffer, where a matrix of the shape of `x` lies.
    fn add_matrix(&self, buffer: &mut Self::Buffer, place: Place, x: &Self::Tensor, scale: f32)
    -> Result<()>;

    /// `x Wᵀ + b` over the last dimension, or a convolution.
    fn dense(
        &self,
        x: &Self::Tensor,
        weight: &Self::Tensor,
        bias: Option<&Self::Tensor>,
        geometry: Option<ConvGeometry>,
    ) -> Result<Self::Tensor>;

    /// Gradient of `dense` with respect to its input, which had shape `x`.
    fn dense_grad(
        &self,
        dy: &Self::Tensor,
        x: &[usize],
        weight: &Self::Tensor,
        geometry: Option<ConvGeometry>,
    ) -> Result<Self::Tensor>;

    /// Gradient of `dense` with respect to its weight.
    fn dense_weight_grad(
        &self,
        dy: &Self::Tensor,
        x: &Self::Tensor,
        geometry: Option<ConvGeometry>,
    ) -> Result<Self::Tensor>;

    /// `scale · a ⊙ b` of two values of the same shape.
    fn hadamard(&self, a: &Self::Tensor, b: &Self::Tensor, scale: f32) -> Result<Self::Tensor>;

    /// `x [B, .., C]`, each channel of each sample times its factor `[B, C]`. Its gradient is the same of `dy`.
    fn scale_channels(&self, x: &Self::Tensor, factors: &Self::Tensor) -> Result<Self::Tensor>;

    /// Each row of `x [rows, columns]` brought to the length `[rows, 1]` that a buffer has for it.
    fn with_lengths(&self, x: &Self::Tensor, lengths: Matrix<'_, Self::Buffer>) -> Result<Self::Tensor>;

    /// Gradients of `with_lengths` with respect to `x` and to the lengths.
    fn with_lengths_grad(
        &self,
        dy: &Self::Tensor,
        x: &Self::Tensor,
        lengths: Matrix<'_, Self::Buffer>,
    ) -> Result<[Self::Tensor; 2]>;

    /// `scale · a ⊗ b` of `a [p, q]` and `b [r, pixels · s]`, whose kernels go on being kernels: row `i r + k`, column
    /// `(pixel q + j) s + l` is `scale · a[i, j] · b[k, pixel s + l]`.
    fn kronecker(
        &self,
        a: &Self::Tensor,
        b: &Self::Tensor,
        n_pixels: usize,
        scale: f32,
    ) -> Result<Self::Tensor>;

    /// Gradients of `kronecker` with respect to both.
    fn kronecker_grad(
        &self,
        dy: &Self::Tensor,
        factors: [&Self::Tensor; 2],
        n_pixels: usize,
        scale: f32,
    ) -> Result<[Self::Tensor; 2]>;
}

/// Added to the length of a row before something is divided by it: the epsilon of `f32`, as in LyCORIS.
pub const LENGTH_EPSILON: f32 = f32::EPSILON;
