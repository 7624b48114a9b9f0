//! What a training needs of the processor.

use candle_core::Tensor;

use super::{Cpu, CpuWeight, backward, failed};
use crate::{
    device::{
        Adapting, Affine, Blocks, DeviceError, Matrix, Result, Saved, TrainingDevice, Wandering, floats,
        tensor,
    },
    kernels::{elementwise, norm::Moments, trained, updates},
    operation::{
        Activation, AdafactorUpdate, AdamMove, AdamWUpdate, AdaptUpdate, CameUpdate, ConvGeometry, Estimate,
        Grouping, LionUpdate, Mask, Place, ProdigyScheduleFreeUpdate, ScheduleFreeUpdate, Span,
        blockwise::BLOCK,
    },
};

/// Most parts of a batch that are computed side by side.
const MAX_PARTS: usize = 4;

/// Activations of up to this many numbers are too small for several threads inside an operation: waking them costs
/// more than it gains.
const SMALL_ACTIVATION: usize = 1 << 16;

impl TrainingDevice for Cpu {
    type Codes = Vec<u8>;

    fn n_parts(&self, n_samples: usize, activation_len: usize) -> usize {
        if activation_len > SMALL_ACTIVATION {
            return 1;
        }
        n_samples.clamp(1, MAX_PARTS)
    }

    fn linear_grad(&self, dy: &Tensor, weight: &CpuWeight) -> Result<Tensor> {
        let shapes = [dy.dims(), weight.dims()];
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
        let shapes = [dy.dims(), x, weight.dims()];
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

    fn gather_grad(&self, dy: &Tensor, x: &[usize], rows: &[usize]) -> Result<Tensor> {
        backward::gather(dy, x, rows).map_err(failed("the gradient of a choice of rows", &[dy.dims(), x]))
    }

    fn add_convolve_grad(
        &self,
        dx: Tensor,
        dy: &Tensor,
        matrix: Matrix<'_, Vec<f32>>,
        geometry: ConvGeometry,
    ) -> Result<Tensor> {
        let shapes = [dx.dims(), dy.dims(), &[matrix.place.rows, matrix.place.columns]];
        let added = backward::add_convolve(&dx, dy, matrix, geometry);
        added.map_err(failed("a sum with the gradient of a convolution", &shapes))?;
        Ok(dx)
    }

    fn add_kernel_grad(
        &self,
        gradients: &mut Vec<f32>,
        place: Place,
        dy: &Tensor,
        x: &Tensor,
        geometry: ConvGeometry,
    ) -> Result<()> {
        let shapes = [dy.dims(), x.dims(), &[place.rows, place.columns]];
        backward::add_kernel(gradients, place, dy, x, geometry)
            .map_err(failed("the gradient of a kernel", &shapes))
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
    ) -> Result<(Vec<f64>, Tensor)> {
        let error = |p: &[f32], t: &[f32]| trained::squared_error(p, t, weights, n_samples);
        self.loss("the squared error", [prediction, target], weights.len(), error)
    }

    fn absolute_error(
        &self,
        prediction: &Tensor,
        target: &Tensor,
        weights: &[f32],
        n_samples: usize,
    ) -> Result<(Vec<f64>, Tensor)> {
        let error = |p: &[f32], t: &[f32]| trained::absolute_error(p, t, weights, n_samples);
        self.loss("the absolute error", [prediction, target], weights.len(), error)
    }

    fn pseudo_huber_error(
        &self,
        prediction: &Tensor,
        target: &Tensor,
        weights: &[f32],
        corners: &[f32],
        n_samples: usize,
    ) -> Result<(Vec<f64>, Tensor)> {
        let operation = "the pseudo-Huber error";
        if corners.len() != weights.len() {
            let shapes: [&[usize]; 2] = [&[weights.len()], &[corners.len()]];
            let problem = "a weight and a corner for each sample are expected";
            return Err(DeviceError::new(self, operation, &shapes, problem));
        }
        let error = |p: &[f32], t: &[f32]| trained::pseudo_huber_error(p, t, weights, corners, n_samples);
        self.loss(operation, [prediction, target], weights.len(), error)
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

    fn approach(&self, x: &mut Vec<f32>, to: &Vec<f32>, share: f32) -> Result<()> {
        same_length(self, "an approach of buffers", x, &[to])?;
        trained::approach(x, to, share);
        Ok(())
    }

    fn codes(&self, codes: Vec<u8>) -> Result<Vec<u8>> {
        Ok(codes)
    }

    fn code_values(&self, codes: &Vec<u8>) -> Result<Vec<u8>> {
        Ok(codes.clone())
    }

    fn adamw(
        &self,
        update: &AdamWUpdate,
        span: Span,
        values: &mut Vec<f32>,
        gradients: &Vec<f32>,
        [first, second]: [&mut Vec<f32>; 2],
    ) -> Result<()> {
        same_length(self, "a step of AdamW", values, &[gradients])?;
        let (w, g) = (&mut values[span.values()], &gradients[span.values()]);
        updates::adamw(
            update,
            w,
            g,
            &mut first[span.states()],
            &mut second[span.states()],
        );
        Ok(())
    }

    fn adamw_8bit(
        &self,
        update: &AdamWUpdate,
        span: Span,
        values: &mut Vec<f32>,
        gradients: &Vec<f32>,
        moments: [Blocks<'_, Self>; 2],
    ) -> Result<()> {
        same_length(self, "a step of 8-bit AdamW", values, &[gradients])?;
        let (w, g) = (&mut values[span.values()], &gradients[span.values()]);
        let (first, n_blocks) = (span.state / BLOCK, span.len.div_ceil(BLOCK));
        let moments = moments.map(|Blocks { codes, scales }| {
            let codes = &mut codes[first * BLOCK..(first + n_blocks) * BLOCK];
            (codes, &mut scales[first..first + n_blocks])
        });
        updates::adamw_8bit(update, w, g, moments);
        Ok(())
    }

    fn lion(
        &self,
        update: &LionUpdate,
        span: Span,
        values: &mut Vec<f32>,
        gradients: &Vec<f32>,
        momentum: &mut Vec<f32>,
    ) -> Result<()> {
        same_length(self, "a step of Lion", values, &[gradients])?;
        let (w, g) = (&mut values[span.values()], &gradients[span.values()]);
        updates::lion(update, w, g, &mut momentum[span.states()]);
        Ok(())
    }

    fn adafactor(
        &self,
        update: &AdafactorUpdate,
        place: Place,
        values: &mut Vec<f32>,
        gradients: &Vec<f32>,
        momentum: Option<&mut Vec<f32>>,
        (means, at): (&mut Vec<f32>, usize),
    ) -> Result<()> {
        same_length(self, "a step of Adafactor", values, &[gradients])?;
        let (w, g) = (&mut values[place.range()], &gradients[place.range()]);
        let momentum = momentum.map(|momentum| &mut momentum[place.range()]);
        let means = &mut means[at..at + place.rows + place.columns];
        updates::adafactor(update, place.columns, w, g, momentum, means);
        Ok(())
    }

    fn came(
        &self,
        update: &CameUpdate,
        place: Place,
        values: &mut Vec<f32>,
        gradients: &Vec<f32>,
        momentum: &mut Vec<f32>,
        (means, at): (&mut Vec<f32>, usize),
    ) -> Result<()> {
        same_length(self, "a step of CAME", values, &[gradients, momentum])?;
        let (w, g) = (&mut values[place.range()], &gradients[place.range()]);
        let means = &mut means[at..at + 2 * (place.rows + place.columns)];
        updates::came(update, place.columns, w, g, &mut momentum[place.range()], means);
        Ok(())
    }

    fn prodigy(
        &self,
        update: &AdaptUpdate,
        span: Span,
        values: &Vec<f32>,
        gradients: &Vec<f32>,
        origin: &Vec<f32>,
        state: Adapting<'_, Vec<f32>>,
    ) -> Result<Estimate> {
        same_length(self, "an estimate of Prodigy", values, &[gradients])?;
        let (w, g) = (&values[span.values()], &gradients[span.values()]);
        let state = [state.first, state.second, state.sum].map(|buffer| &mut buffer[span.states()]);
        Ok(updates::prodigy(update, w, g, &origin[span.states()], state))
    }

    fn d_adaptation(
        &self,
        update: &AdaptUpdate,
        span: Span,
        values: &Vec<f32>,
        gradients: &Vec<f32>,
        state: Adapting<'_, Vec<f32>>,
    ) -> Result<Estimate> {
        same_length(self, "an estimate of D-Adaptation", values, &[gradients])?;
        let (w, g) = (&values[span.values()], &gradients[span.values()]);
        let state = [state.first, state.second, state.sum].map(|buffer| &mut buffer[span.states()]);
        Ok(updates::d_adaptation(update, w, g, state))
    }

    fn adam_move(
        &self,
        step: &AdamMove,
        span: Span,
        values: &mut Vec<f32>,
        [first, second]: [&Vec<f32>; 2],
    ) -> Result<()> {
        let w = &mut values[span.values()];
        updates::adam_move(step, w, &first[span.states()], &second[span.states()]);
        Ok(())
    }

    fn adamw_schedule_free(
        &self,
        update: &ScheduleFreeUpdate,
        span: Span,
        values: &mut Vec<f32>,
        gradients: &Vec<f32>,
        second: &mut Vec<f32>,
        z: &mut Vec<f32>,
    ) -> Result<()> {
        same_length(self, "a step of schedule-free AdamW", values, &[gradients])?;
        let (w, g) = (&mut values[span.values()], &gradients[span.values()]);
        updates::adamw_schedule_free(update, w, g, &mut second[span.states()], &mut z[span.states()]);
        Ok(())
    }

    fn prodigy_schedule_free(
        &self,
        update: &ProdigyScheduleFreeUpdate,
        place: Place,
        values: &mut Vec<f32>,
        gradients: &Vec<f32>,
        state: Wandering<'_, Vec<f32>>,
    ) -> Result<Estimate> {
        let parallel = [gradients, state.origin, &*state.z, &*state.second, &*state.sum];
        same_length(self, "a step of schedule-free Prodigy", values, &parallel)?;
        let (w, g) = (&mut values[place.range()], &gradients[place.range()]);
        let changing = [state.z, state.second, state.sum].map(|buffer| &mut buffer[place.range()]);
        Ok(updates::prodigy_schedule_free(
            update,
            w,
            g,
            &state.origin[place.range()],
            changing,
        ))
    }
}

impl Cpu {
    /// A loss and its gradient, after the check that everything is there.
    fn loss(
        &self,
        operation: &'static str,
        [prediction, target]: [&Tensor; 2],
        n_weights: usize,
        error: impl Fn(&[f32], &[f32]) -> (Vec<f64>, Vec<f32>),
    ) -> Result<(Vec<f64>, Tensor)> {
        let shapes = [prediction.dims(), target.dims(), &[n_weights]];
        if prediction.dims() != target.dims() || prediction.dims().first() != Some(&n_weights) {
            let problem = "prediction and target of one shape and a weight for each sample are expected";
            return Err(DeviceError::new(self, operation, &shapes, problem));
        }
        let computed = || -> candle_core::Result<_> {
            let (p, t) = (floats(prediction)?, floats(target)?);
            let (sums, gradient) = error(&p, &t);
            Ok((sums, tensor(gradient, prediction.dims())?))
        };
        computed().map_err(failed(operation, &shapes))
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
