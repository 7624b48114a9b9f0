//! What a training needs of the processor.

use candle_core::Tensor;

use super::{Cpu, CpuWeight, backward, failed};
use crate::{
    device::{Affine, DeviceError, Matrix, Result, Saved, TrainingDevice, floats, tensor},
    kernels::{elementwise, norm::Moments, trained},
    operation::{Activation, AdamWUpdate, ConvGeometry, Grouping, Mask, Place},
};

/// Most parts of a batch that are computed side by side.
const MAX_PARTS: usize = 4;

/// Activations of up to this many numbers are too small for several threads inside an operation: waking them costs
/// more than it gains.
const SMALL_ACTIVATION: usize = 1 << 16;

impl TrainingDevice for Cpu {
    fn n_parts(&self, n_samples: usize, activation_len: usize) -> usize {
        if activation_len > SMALL_ACTIVATION {
            return 1;
        }
        n_samples.clamp(1, MAX_PARTS)
    }

    fn linear_grad(&self, dy: &Tensor, weight: &CpuWeight) -> Result<Tensor> {
        let shapes = [dy.dims(), weight.tensor.dims()];
        backward::linear(dy, weight).map_err(failed("the gradient of a linear layer", &shapes))
    }

    fn project_grad(&self, dy: &Tensor, matrix: Matrix<'_, Vec<f32>>, scale: f32) -> Result<Tensor> {
        let shapes = [dy.dims(), &[matrix.place.rows, matrix.place.columns]];
        backward::project(dy, matrix, scale).map_err(failed("the gradient of a projection", &shapes))
    }

    fn add_project_grad(&self, dx: Tensor, dy: &Tensor, matrix: Matrix<'_, Vec<f32>>) -> Result<Tensor> {
        let shapes = [dx.dims(), dy.dims(), &[matrix.place.rows, matrix.place.columns]];
        let added = backward::add_project(&dx, dy, matrix);
        added.map_err(failed("a sum with the gradient of a projection", &shapes))?;
        Ok(dx)
    }

    fn add_matrix_grad(
        &self,
        gradients: &mut Vec<f32>,
        place: Place,
        dy: &Tensor,
        x: &Tensor,
        scale: f32,
    ) -> Result<()> {
        let shapes = [dy.dims(), x.dims()];
        backward::add_matrix(gradients, place, dy, x, scale)
            .map_err(failed("the gradient of a matrix", &shapes))
    }

    fn conv2d_grad(
        &self,
        dy: &Tensor,
        x: &[usize],
        weight: &CpuWeight,
        geometry: ConvGeometry,
    ) -> Result<Tensor> {
        let shapes = [dy.dims(), x, weight.tensor.dims()];
        backward::conv2d(dy, x, weight, geometry).map_err(failed("the gradient of a convolution", &shapes))
    }

    fn group_norm_grad(
        &self,
        dy: &Tensor,
        x: &Tensor,
        moments: &Moments,
        affine: Affine<'_, Tensor>,
        grouping: Grouping,
    ) -> Result<Tensor> {
        let shapes = [dy.dims(), x.dims()];
        backward::group_norm(dy, x, moments, affine, grouping)
            .map_err(failed("the gradient of a group norm", &shapes))
    }

    fn layer_norm_grad(
        &self,
        dy: &Tensor,
        x: &Tensor,
        moments: &Moments,
        affine: Affine<'_, Tensor>,
    ) -> Result<Tensor> {
        let shapes = [dy.dims(), x.dims()];
        backward::layer_norm(dy, x, moments, affine).map_err(failed("the gradient of a layer norm", &shapes))
    }

    fn attention_grad(
        &self,
        dy: &Tensor,
        saved: Saved<'_, Tensor>,
        n_heads: usize,
        mask: Mask,
    ) -> Result<[Tensor; 3]> {
        let [q, k, v] = saved.qkv;
        let shapes = [dy.dims(), q.dims(), k.dims(), v.dims()];
        backward::attention(dy, saved, n_heads, mask).map_err(failed("the gradient of an attention", &shapes))
    }

    fn geglu_grad(&self, dy: &Tensor, x: &Tensor) -> Result<Tensor> {
        backward::geglu(dy, x).map_err(failed("the gradient of GEGLU", &[dy.dims(), x.dims()]))
    }

    fn activate_grad(&self, dy: &Tensor, x: &Tensor, activation: Activation) -> Result<Tensor> {
        let shapes = [dy.dims(), x.dims()];
        backward::activate(dy, x, activation).map_err(failed("the gradient of an activation", &shapes))
    }

    fn add_channels_grad(&self, dy: &Tensor) -> Result<Tensor> {
        backward::sum_positions(dy).map_err(failed("the sum over positions", &[dy.dims()]))
    }

    fn concat_grad(&self, dy: &Tensor, a_width: usize) -> Result<[Tensor; 2]> {
        backward::concat(dy, a_width).map_err(failed("the gradient of a concatenation", &[dy.dims()]))
    }

    fn upsample_2x_grad(&self, dy: &Tensor, size: (usize, usize)) -> Result<Tensor> {
        backward::upsample_2x(dy, size).map_err(failed("the gradient of an upsampling", &[dy.dims()]))
    }

    fn copy(&self, x: &Tensor) -> Result<Tensor> {
        floats(x)
            .and_then(|values| tensor(values.to_vec(), x.dims()))
            .map_err(failed("a copy", &[x.dims()]))
    }

    fn accumulate(&self, sum: &mut Tensor, x: &Tensor) -> Result<()> {
        backward::accumulate(sum, x).map_err(failed("a sum in place", &[sum.dims(), x.dims()]))
    }

    fn squared_error(
        &self,
        prediction: &Tensor,
        target: &Tensor,
        weights: &[f32],
        n_samples: usize,
    ) -> Result<(f64, Tensor)> {
        let shapes = [prediction.dims(), target.dims(), &[weights.len()]];
        let operation = "the squared error";
        if prediction.dims() != target.dims() || prediction.dims().first() != Some(&weights.len()) {
            let problem = "prediction and target of one shape and a weight for each sample are expected";
            return Err(DeviceError::new(self, operation, &shapes, problem));
        }
        let computed = || -> candle_core::Result<_> {
            let (p, t) = (floats(prediction)?, floats(target)?);
            let (value, gradient) = trained::squared_error(&p, &t, weights, n_samples);
            Ok((value, tensor(gradient, prediction.dims())?))
        };
        computed().map_err(failed(operation, &shapes))
    }

    fn add_buffer(&self, sum: &mut Vec<f32>, x: &Vec<f32>) -> Result<()> {
        same_length(self, "a sum of buffers", sum, &[x])?;
        elementwise::accumulate(sum, x);
        Ok(())
    }

    fn scale_buffer(&self, x: &mut Vec<f32>, factor: f32) -> Result<()> {
        trained::scale(x, factor);
        Ok(())
    }

    fn norm(&self, x: &Vec<f32>) -> Result<f64> {
        Ok(trained::norm(x))
    }

    fn adamw(
        &self,
        update: &AdamWUpdate,
        values: &mut Vec<f32>,
        gradients: &Vec<f32>,
        [first, second]: [&mut Vec<f32>; 2],
    ) -> Result<()> {
        same_length(self, "a step of AdamW", values, &[gradients, first, second])?;
        trained::adamw(update, values, gradients, first, second);
        Ok(())
    }
}

/// Buffers that belong together are parallel: one number for each parameter.
fn same_length(cpu: &Cpu, operation: &'static str, first: &[f32], others: &[&Vec<f32>]) -> Result<()> {
    if others.iter().all(|other| other.len() == first.len()) {
        return Ok(());
    }
    let lengths: Vec<[usize; 1]> = std::iter::once([first.len()])
        .chain(others.iter().map(|other| [other.len()]))
        .collect();
    let shapes: Vec<&[usize]> = lengths.iter().map(<[usize; 1]>::as_slice).collect();
    let problem = "the buffers differ in length";
    Err(DeviceError::new(cpu, operation, &shapes, problem))
}
