//! The backward pass and the optimizer's step.

use std::sync::Arc;

use diffusion::{
    device::{Adapting, Affine, Blocks, Matrix, Result, Saved, TrainingDevice, Wandering},
    operation::{
        Activation, AdafactorUpdate, AdamMove, AdamWUpdate, AdaptUpdate, CameUpdate, ConvGeometry, ConvShape,
        Estimate, Grouping, LionUpdate, Mask, Place, ProdigyScheduleFreeUpdate, ScheduleFreeUpdate, Span,
    },
};

use super::{
    Array, Reference, attention, kernels_of, math,
    math::Rows,
    norms::{self, Moments},
    rows_of, updates,
};

impl TrainingDevice for Reference {
    type Codes = Vec<u8>;

    fn n_parts(&self, _n_samples: usize, _activation_len: usize) -> usize {
        1
    }

    fn linear_grad(&self, dy: &Array, weight: &Array) -> Result<Array> {
        self.expect_width("the gradient of a linear layer", dy, weight.dims[0])?;
        let dx = Rows::new(&weight.values, weight.width()).times_transposed(&dy.values);
        Ok(Array::new(dy.with_width(weight.width()), dx))
    }

    fn project_grad(&self, dy: &Array, matrix: Matrix<'_, Vec<f64>>, scale: f32) -> Result<Array> {
        self.expect_width("the gradient of a projection", dy, matrix.place.rows)?;
        let dx = rows_of(matrix).times_transposed(&dy.values);
        let dx = Array::new(dy.with_width(matrix.place.columns), dx);
        Ok(dx.map(|dx| f64::from(scale) * dx))
    }

    fn add_project_grad(&self, mut dx: Array, dy: &Array, matrix: Matrix<'_, Vec<f64>>) -> Result<Array> {
        self.accumulate(&mut dx, &self.project_grad(dy, matrix, 1.0)?)?;
        Ok(dx)
    }

    fn add_matrix_grad(
        &self,
        gradients: &mut Vec<f64>,
        place: Place,
        dy: &Array,
        x: &Array,
        scale: f32,
    ) -> Result<()> {
        self.expect_width("the gradient of a matrix", x, place.columns)?;
        let gradient = &mut gradients[place.range()];
        let rows = dy
            .values
            .chunks_exact(place.rows)
            .zip(x.values.chunks_exact(place.columns));
        for (dy, x) in rows {
            for (dy, row) in dy.iter().zip(gradient.chunks_exact_mut(place.columns)) {
                math::add_scaled(row, f64::from(scale) * dy, x);
            }
        }
        Ok(())
    }

    fn conv2d_grad(&self, dy: &Array, x: &[usize], weight: &Array, geometry: ConvGeometry) -> Result<Array> {
        let operation = "the gradient of a convolution";
        let shape = ConvShape::of(x, &weight.dims, geometry).map_err(self.wrong(operation, dy))?;
        let mut dx = vec![0.0; x.iter().product()];
        math::for_each_tap(shape, |pixel, input, tap| {
            let dy = &dy.values[pixel * shape.out_channels..][..shape.out_channels];
            let dx = &mut dx[input * shape.in_channels..][..shape.in_channels];
            for (o, dy) in dy.iter().enumerate() {
                math::add_scaled(dx, *dy, math::kernel_row(shape, &weight.values, o, tap));
            }
        });
        Ok(Array::new(x, dx))
    }

    fn group_norm_grad(
        &self,
        dy: &Array,
        x: &Array,
        moments: &Moments,
        affine: Affine<'_, Array>,
        grouping: Grouping,
    ) -> Result<Array> {
        norms::group_norm_grad(self, dy, x, moments, affine, grouping)
    }

    fn layer_norm_grad(
        &self,
        dy: &Array,
        x: &Array,
        moments: &Moments,
        affine: Affine<'_, Array>,
    ) -> Result<Array> {
        Ok(norms::layer_norm_grad(dy, x, moments, affine))
    }

    fn attention_grad(
        &self,
        dy: &Array,
        saved: Saved<'_, Array>,
        n_heads: usize,
        mask: Mask,
    ) -> Result<[Array; 3]> {
        attention::backward(self, dy, saved.qkv, n_heads, mask)
    }

    fn geglu_grad(&self, dy: &Array, x: &Array) -> Result<Array> {
        let half = dy.width();
        let rows = dy.values.chunks_exact(half).zip(x.values.chunks_exact(2 * half));
        let dx = rows.flat_map(|(dy, x)| {
            let first = (0..half).map(|i| dy[i] * math::gelu(x[half + i]).0);
            let second = (0..half).map(|i| dy[i] * x[i] * math::gelu(x[half + i]).1);
            first.chain(second).collect::<Vec<_>>()
        });
        Ok(Array::new(&*x.dims, dx.collect()))
    }

    fn activate_grad(&self, dy: &Array, x: &Array, activation: Activation) -> Result<Array> {
        let dx = dy.values.iter().zip(&*x.values);
        let dx = dx.map(|(dy, x)| dy * math::activation(activation, *x).1);
        Ok(Array::new(&*x.dims, dx.collect()))
    }

    fn add_channels_grad(&self, dy: &Array) -> Result<Array> {
        let (batch, channels) = (dy.dims[0], dy.width());
        let mut sums = vec![0.0; batch * channels];
        let pictures = dy.values.chunks_exact(dy.values.len() / batch);
        for (picture, sums) in pictures.zip(sums.chunks_exact_mut(channels)) {
            for row in picture.chunks_exact(channels) {
                math::add_scaled(sums, 1.0, row);
            }
        }
        Ok(Array::new([batch, channels], sums))
    }

    fn concat_grad(&self, dy: &Array, a_width: usize) -> Result<[Array; 2]> {
        let rows = || dy.values.chunks_exact(dy.width());
        let a = rows().flat_map(|row| &row[..a_width]).copied().collect();
        let b = rows().flat_map(|row| &row[a_width..]).copied().collect();
        Ok([
            Array::new(dy.with_width(a_width), a),
            Array::new(dy.with_width(dy.width() - a_width), b),
        ])
    }

    fn upsample_2x_grad(&self, dy: &Array, size: (usize, usize)) -> Result<Array> {
        let (batch, output, channels) = (dy.dims[0], (dy.dims[1], dy.dims[2]), dy.width());
        let mut dx = vec![0.0; batch * size.0 * size.1 * channels];
        let pixels = math::upsampled(batch, size, output).zip(dy.values.chunks_exact(channels));
        for (pixel, dy) in pixels {
            math::add_scaled(&mut dx[pixel * channels..][..channels], 1.0, dy);
        }
        Ok(Array::new([batch, size.0, size.1, channels], dx))
    }

    fn gather_grad(&self, dy: &Array, x: &[usize], rows: &[usize]) -> Result<Array> {
        let width = dy.width();
        let mut dx = vec![0.0; x.iter().product()];
        for (row, dy) in rows.iter().zip(dy.values.chunks_exact(width)) {
            math::add_scaled(&mut dx[row * width..(row + 1) * width], 1.0, dy);
        }
        Ok(Array::new(x, dx))
    }

    fn add_convolve_grad(
        &self,
        mut dx: Array,
        dy: &Array,
        matrix: Matrix<'_, Vec<f64>>,
        geometry: ConvGeometry,
    ) -> Result<Array> {
        let weight = kernels_of(matrix, geometry);
        let through = self.conv2d_grad(dy, &dx.dims, &weight, geometry)?;
        self.accumulate(&mut dx, &through)?;
        Ok(dx)
    }

    fn add_kernel_grad(
        &self,
        gradients: &mut Vec<f64>,
        place: Place,
        dy: &Array,
        x: &Array,
        geometry: ConvGeometry,
    ) -> Result<()> {
        let k = geometry.kernel;
        let weight = [place.rows, k, k, place.columns / (k * k)];
        let operation = "the gradient of a kernel";
        let shape = ConvShape::of(&x.dims, &weight, geometry).map_err(self.wrong(operation, x))?;
        let gradient = &mut gradients[place.range()];
        math::for_each_tap(shape, |pixel, input, tap| {
            let dy = &dy.values[pixel * shape.out_channels..][..shape.out_channels];
            let x = &x.values[input * shape.in_channels..][..shape.in_channels];
            for (o, dy) in dy.iter().enumerate() {
                let row = (o * k * k + tap) * shape.in_channels;
                math::add_scaled(&mut gradient[row..row + shape.in_channels], *dy, x);
            }
        });
        Ok(())
    }

    fn copy(&self, x: &Array) -> Result<Array> {
        Ok(Array::new(&*x.dims, x.values.to_vec()))
    }

    fn accumulate(&self, sum: &mut Array, x: &Array) -> Result<()> {
        assert_eq!(sum.dims, x.dims);
        let values: &mut Vec<f64> = Arc::make_mut(&mut sum.values);
        math::add_scaled(values, 1.0, &x.values);
        Ok(())
    }

    fn squared_error(
        &self,
        prediction: &Array,
        target: &Array,
        weights: &[f32],
        n_samples: usize,
    ) -> Result<(Vec<f64>, Array)> {
        Ok(loss([prediction, target], weights, n_samples, |_, d| {
            (d * d, 2.0 * d)
        }))
    }

    fn absolute_error(
        &self,
        prediction: &Array,
        target: &Array,
        weights: &[f32],
        n_samples: usize,
    ) -> Result<(Vec<f64>, Array)> {
        let error = |_, d: f64| (d.abs(), d.signum());
        Ok(loss([prediction, target], weights, n_samples, error))
    }

    fn pseudo_huber_error(
        &self,
        prediction: &Array,
        target: &Array,
        weights: &[f32],
        corners: &[f32],
        n_samples: usize,
    ) -> Result<(Vec<f64>, Array)> {
        let error = |sample: usize, d: f64| {
            let c = f64::from(corners[sample]);
            (d.hypot(c) - c, d / d.hypot(c))
        };
        Ok(loss([prediction, target], weights, n_samples, error))
    }

    fn add_buffer(&self, sum: &mut Vec<f64>, x: &Vec<f64>) -> Result<()> {
        math::add_scaled(sum, 1.0, x);
        Ok(())
    }

    fn scale_buffer(&self, x: &mut Vec<f64>, factor: f32) -> Result<()> {
        x.iter_mut().for_each(|x| *x *= f64::from(factor));
        Ok(())
    }

    fn norm(&self, x: &Vec<f64>) -> Result<f64> {
        Ok(math::dot(x, x).sqrt())
    }

    fn approach(&self, x: &mut Vec<f64>, to: &Vec<f64>, share: f32) -> Result<()> {
        let share = f64::from(share);
        let pairs = x.iter_mut().zip(to);
        pairs.for_each(|(x, to)| *x = (1.0 - share) * *x + share * to);
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
        values: &mut Vec<f64>,
        gradients: &Vec<f64>,
        moments: [&mut Vec<f64>; 2],
    ) -> Result<()> {
        updates::adamw(update, span, values, gradients, moments);
        Ok(())
    }

    fn adamw_8bit(
        &self,
        update: &AdamWUpdate,
        span: Span,
        values: &mut Vec<f64>,
        gradients: &Vec<f64>,
        moments: [Blocks<'_, Self>; 2],
    ) -> Result<()> {
        let moments = moments.map(|Blocks { codes, scales }| (codes, scales));
        updates::adamw_8bit(update, span, values, gradients, moments);
        Ok(())
    }

    fn lion(
        &self,
        update: &LionUpdate,
        span: Span,
        values: &mut Vec<f64>,
        gradients: &Vec<f64>,
        momentum: &mut Vec<f64>,
    ) -> Result<()> {
        updates::lion(update, span, values, gradients, momentum);
        Ok(())
    }

    fn adafactor(
        &self,
        update: &AdafactorUpdate,
        place: Place,
        values: &mut Vec<f64>,
        gradients: &Vec<f64>,
        momentum: Option<&mut Vec<f64>>,
        means: (&mut Vec<f64>, usize),
    ) -> Result<()> {
        updates::adafactor(update, place, values, gradients, momentum, means);
        Ok(())
    }

    fn came(
        &self,
        update: &CameUpdate,
        place: Place,
        values: &mut Vec<f64>,
        gradients: &Vec<f64>,
        momentum: &mut Vec<f64>,
        means: (&mut Vec<f64>, usize),
    ) -> Result<()> {
        updates::came(update, place, values, gradients, momentum, means);
        Ok(())
    }

    fn prodigy(
        &self,
        update: &AdaptUpdate,
        span: Span,
        values: &Vec<f64>,
        gradients: &Vec<f64>,
        origin: &Vec<f64>,
        state: Adapting<'_, Vec<f64>>,
    ) -> Result<Estimate> {
        let state = [state.first, state.second, state.sum];
        let way_back = |w: f64, at: usize, _, _| origin[at] - w;
        Ok(updates::adapt(update, span, values, gradients, state, way_back))
    }

    fn d_adaptation(
        &self,
        update: &AdaptUpdate,
        span: Span,
        values: &Vec<f64>,
        gradients: &Vec<f64>,
        state: Adapting<'_, Vec<f64>>,
    ) -> Result<Estimate> {
        let state = [state.first, state.second, state.sum];
        let summed = |_, _, second: f64, sum: f64| sum / (second.sqrt() + f64::from(update.eps));
        Ok(updates::adapt(update, span, values, gradients, state, summed))
    }

    fn adam_move(
        &self,
        step: &AdamMove,
        span: Span,
        values: &mut Vec<f64>,
        moments: [&Vec<f64>; 2],
    ) -> Result<()> {
        updates::adam_move(step, span, values, moments);
        Ok(())
    }

    fn adamw_schedule_free(
        &self,
        update: &ScheduleFreeUpdate,
        span: Span,
        values: &mut Vec<f64>,
        gradients: &Vec<f64>,
        second: &mut Vec<f64>,
        z: &mut Vec<f64>,
    ) -> Result<()> {
        updates::adamw_schedule_free(update, span, values, gradients, [second, z]);
        Ok(())
    }

    fn prodigy_schedule_free(
        &self,
        update: &ProdigyScheduleFreeUpdate,
        place: Place,
        values: &mut Vec<f64>,
        gradients: &Vec<f64>,
        state: Wandering<'_, Vec<f64>>,
    ) -> Result<Estimate> {
        let changing = [state.z, state.second, state.sum];
        Ok(updates::prodigy_schedule_free(
            update,
            place,
            values,
            gradients,
            state.origin,
            changing,
        ))
    }
}

/// A mean over each sample of a function of each error, which is given with its slope.
fn loss(
    [prediction, target]: [&Array; 2],
    weights: &[f32],
    n_samples: usize,
    error: impl Fn(usize, f64) -> (f64, f64),
) -> (Vec<f64>, Array) {
    let len = prediction.values.len() / weights.len();
    let (mut sums, mut gradient) = (vec![0.0; weights.len()], Vec::new());
    for (i, (p, t)) in prediction.values.iter().zip(&*target.values).enumerate() {
        let share = f64::from(weights[i / len]) / (len * n_samples) as f64;
        let (error, slope) = error(i / len, p - t);
        sums[i / len] += error;
        gradient.push(share * slope);
    }
    (sums, Array::new(&*prediction.dims, gradient))
}
