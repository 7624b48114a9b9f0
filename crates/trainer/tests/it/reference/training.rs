//! The backward pass and the optimizer's step.

use std::sync::Arc;

use diffusion::{
    device::{Affine, Matrix, Result, Saved, TrainingDevice},
    operation::{Activation, AdamWUpdate, ConvGeometry, ConvShape, Grouping, Mask, Place},
};

use super::{
    Array, Reference, attention, math,
    math::Rows,
    norms::{self, Moments},
    rows_of,
};

impl TrainingDevice for Reference {
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
    ) -> Result<(f64, Array)> {
        let len = prediction.values.len() / weights.len();
        let share = |i: usize| f64::from(weights[i / len]) / (len * n_samples) as f64;
        let differences = prediction.values.iter().zip(&*target.values).map(|(p, t)| p - t);
        let differences: Vec<f64> = differences.collect();
        let value = differences
            .iter()
            .enumerate()
            .map(|(i, d)| share(i) * d * d)
            .sum();
        let gradient = differences.iter().enumerate().map(|(i, d)| 2.0 * share(i) * d);
        Ok((value, Array::new(&*prediction.dims, gradient.collect())))
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

    fn adamw(
        &self,
        update: &AdamWUpdate,
        values: &mut Vec<f64>,
        gradients: &Vec<f64>,
        [first, second]: [&mut Vec<f64>; 2],
    ) -> Result<()> {
        let number = f64::from;
        for (i, g) in gradients.iter().enumerate() {
            first[i] += (g - first[i]) * number(update.first);
            second[i] = second[i] * number(update.beta2) + g * g * number(update.second);
            let denominator = second[i].sqrt() * number(update.inv_root2) + number(update.eps);
            values[i] = values[i] * number(update.decay) - number(update.step) * first[i] / denominator;
        }
        Ok(())
    }
}
