//! The backward pass, and what changes in a training: parameters, gradients, an optimizer's state.

use std::fmt;

use super::{Affine, DenseDevice, Matrix, Result};
use crate::operation::{
    Activation, AdafactorUpdate, AdamMove, AdamWUpdate, AdaptUpdate, CameUpdate, ConvGeometry, Estimate,
    Grouping, LionUpdate, Mask, Place, ProdigyScheduleFreeUpdate, ScheduleFreeUpdate, Span,
};

/// What an attention keeps for its backward pass.
#[derive(Debug)]
pub struct Saved<'a, T> {
    /// Queries `[B, Tq, C]`, keys `[B, Tk, C]` and values `[B, Tk, C]`.
    pub qkv: [&'a T; 3],
    /// Log-sum-exp `[B, heads, Tq]`.
    pub lse: &'a T,
}

/// Numbers in eight bits, in blocks with a scale each ([`blockwise`](crate::operation::blockwise)).
#[derive(Debug)]
pub struct Blocks<'a, D: TrainingDevice> {
    /// A code for each number, blocks of 256.
    pub codes: &'a mut D::Codes,
    /// What the codes of a block are multiplied by: its largest magnitude.
    pub scales: &'a mut D::Buffer,
}

/// What Prodigy and D-Adaptation keep for each parameter.
#[derive(Debug)]
pub struct Adapting<'a, B> {
    /// The first moment.
    pub first: &'a mut B,
    /// The second moment.
    pub second: &'a mut B,
    /// The weighted sum of gradients.
    pub sum: &'a mut B,
}

/// What schedule-free Prodigy keeps for each parameter.
#[derive(Debug)]
pub struct Wandering<'a, B> {
    /// The parameters as they began.
    pub origin: &'a B,
    /// The point of gradient descent.
    pub z: &'a mut B,
    /// The second moment.
    pub second: &'a mut B,
    /// The weighted sum of gradients.
    pub sum: &'a mut B,
}

/// Trains on a device: the gradient of each operation of [`Device`](super::Device) with respect to what can need one (frozen weights
/// never do), a loss, and what an optimizer does with buffers.
pub trait TrainingDevice: DenseDevice {
    /// A row of bytes that are changed in place: numbers in eight bits.
    type Codes: Clone + fmt::Debug + Send + Sync;

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

    /// Gradient of `gather` with respect to its input, which had shape `x`. A row that was taken twice gets both.
    fn gather_grad(&self, dy: &Self::Tensor, x: &[usize], rows: &[usize]) -> Result<Self::Tensor>;

    /// `dx` plus the gradient of `convolve` with respect to its input, in the memory of `dx`, which nothing else may
    /// share.
    fn add_convolve_grad(
        &self,
        dx: Self::Tensor,
        dy: &Self::Tensor,
        matrix: Matrix<'_, Self::Buffer>,
        geometry: ConvGeometry,
    ) -> Result<Self::Tensor>;

    /// Adds the gradient of `convolve` with respect to its matrix where that gradient lies.
    fn add_kernel_grad(
        &self,
        gradients: &mut Self::Buffer,
        place: Place,
        dy: &Self::Tensor,
        x: &Self::Tensor,
        geometry: ConvGeometry,
    ) -> Result<()>;

    /// The same numbers in memory of their own.
    fn copy(&self, x: &Self::Tensor) -> Result<Self::Tensor>;

    /// Adds `x` to `sum` where it lies. Nothing else may share the memory of `sum`.
    fn accumulate(&self, sum: &mut Self::Tensor, x: &Self::Tensor) -> Result<()>;

    /// Sum of the squared errors of each sample, without its weight; and the gradient, with respect to `prediction`, of the
    /// samples' mean errors, weighted, summed and divided by `n_samples`. The first dimension counts the samples;
    /// `n_samples` is larger where these are a part of a batch.
    fn squared_error(
        &self,
        prediction: &Self::Tensor,
        target: &Self::Tensor,
        weights: &[f32],
        n_samples: usize,
    ) -> Result<(Vec<f64>, Self::Tensor)>;

    /// The same of the magnitude of the error as [`squared_error`](Self::squared_error) of its square.
    fn absolute_error(
        &self,
        prediction: &Self::Tensor,
        target: &Self::Tensor,
        weights: &[f32],
        n_samples: usize,
    ) -> Result<(Vec<f64>, Self::Tensor)>;

    /// The same of `√(error² + c²) − c` as [`squared_error`](Self::squared_error) of the square. Each sample has its own c
    /// in `corners`, above 0.
    fn pseudo_huber_error(
        &self,
        prediction: &Self::Tensor,
        target: &Self::Tensor,
        weights: &[f32],
        corners: &[f32],
        n_samples: usize,
    ) -> Result<(Vec<f64>, Self::Tensor)>;

    /// `sum += x`.
    fn add_buffer(&self, sum: &mut Self::Buffer, x: &Self::Buffer) -> Result<()>;

    /// `x *= factor`.
    fn scale_buffer(&self, x: &mut Self::Buffer, factor: f32) -> Result<()>;

    /// Euclidean norm, summed in `f64`. NaN or infinite as soon as one number is.
    fn norm(&self, x: &Self::Buffer) -> Result<f64>;

    /// `x += (to − x) share`.
    fn approach(&self, x: &mut Self::Buffer, to: &Self::Buffer, share: f32) -> Result<()>;

    /// Takes bytes in that will change.
    fn codes(&self, codes: Vec<u8>) -> Result<Self::Codes>;

    /// Gives bytes out.
    fn code_values(&self, codes: &Self::Codes) -> Result<Vec<u8>>;

    /// One step of AdamW: `values` and both moments change.
    fn adamw(
        &self,
        update: &AdamWUpdate,
        span: Span,
        values: &mut Self::Buffer,
        gradients: &Self::Buffer,
        moments: [&mut Self::Buffer; 2],
    ) -> Result<()>;

    /// The same with both moments in eight bits, the second without a sign. The state of a span begins at a block.
    fn adamw_8bit(
        &self,
        update: &AdamWUpdate,
        span: Span,
        values: &mut Self::Buffer,
        gradients: &Self::Buffer,
        moments: [Blocks<'_, Self>; 2],
    ) -> Result<()>;

    /// One step of Lion: `values` and the momentum change.
    fn lion(
        &self,
        update: &LionUpdate,
        span: Span,
        values: &mut Self::Buffer,
        gradients: &Self::Buffer,
        momentum: &mut Self::Buffer,
    ) -> Result<()>;

    /// One step of Adafactor on a matrix, with a momentum where the update has one. Its means of rows and then of columns
    /// begin at the number beside `means`.
    fn adafactor(
        &self,
        update: &AdafactorUpdate,
        place: Place,
        values: &mut Self::Buffer,
        gradients: &Self::Buffer,
        momentum: Option<&mut Self::Buffer>,
        means: (&mut Self::Buffer, usize),
    ) -> Result<()>;

    /// One step of CAME on a matrix. Means of squared gradients by row and by column, and then those of the instability,
    /// begin at the number beside `means`.
    fn came(
        &self,
        update: &CameUpdate,
        place: Place,
        values: &mut Self::Buffer,
        gradients: &Self::Buffer,
        momentum: &mut Self::Buffer,
        means: (&mut Self::Buffer, usize),
    ) -> Result<()>;

    /// Takes the gradients of one step into Prodigy's state. The product is that of the gradients, as the state takes them
    /// in, and the way from the parameters back to `origin`. Only every `stride`-th parameter of the span counts for both sums.
    fn prodigy(
        &self,
        update: &AdaptUpdate,
        span: Span,
        values: &Self::Buffer,
        gradients: &Self::Buffer,
        origin: &Self::Buffer,
        state: Adapting<'_, Self::Buffer>,
    ) -> Result<Estimate>;

    /// Takes the gradients of one step into D-Adaptation's state. The product is that of the gradients, as the state takes
    /// them in, and `sum / (√second + eps)` as it was before.
    fn d_adaptation(
        &self,
        update: &AdaptUpdate,
        span: Span,
        values: &Self::Buffer,
        gradients: &Self::Buffer,
        state: Adapting<'_, Self::Buffer>,
    ) -> Result<Estimate>;

    /// Moves along both moments.
    fn adam_move(
        &self,
        step: &AdamMove,
        span: Span,
        values: &mut Self::Buffer,
        moments: [&Self::Buffer; 2],
    ) -> Result<()>;

    /// One step of schedule-free AdamW: `values`, the second moment and `z` change.
    fn adamw_schedule_free(
        &self,
        update: &ScheduleFreeUpdate,
        span: Span,
        values: &mut Self::Buffer,
        gradients: &Self::Buffer,
        second: &mut Self::Buffer,
        z: &mut Self::Buffer,
    ) -> Result<()>;

    /// One step of schedule-free Prodigy on a matrix. The product is that of its gradients and the way from `z`, as it was
    /// before, back to the origin; only every so many numbers count for the estimate, from the first of the matrix.
    fn prodigy_schedule_free(
        &self,
        update: &ProdigyScheduleFreeUpdate,
        place: Place,
        values: &mut Self::Buffer,
        gradients: &Self::Buffer,
        state: Wandering<'_, Self::Buffer>,
    ) -> Result<Estimate>;
}
