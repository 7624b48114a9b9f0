//! Layers with weights that are values.

use diffusion::{
    device::{DenseDevice, Device as _, DeviceError, LENGTH_EPSILON, Matrix, Result, TrainingDevice as _},
    operation::{ConvGeometry, ConvShape, Place},
};

use super::{Array, Reference, math};

impl Reference {
    /// A weight `[out, columns]` as that of a convolution.
    fn kernels(&self, weight: &Array, geometry: ConvGeometry) -> Array {
        let k = geometry.kernel;
        let shape = [weight.dims[0], k, k, weight.width() / (k * k)];
        Array::new(shape, weight.values.to_vec())
    }
}

impl DenseDevice for Reference {
    fn weight_values(&self, weight: &Array) -> Result<Array> {
        let rows = weight.dims[0];
        Ok(Array::new(
            [rows, weight.values.len() / rows],
            weight.values.to_vec(),
        ))
    }

    fn matrix(&self, matrix: Matrix<'_, Vec<f64>>) -> Result<Array> {
        let place = matrix.place;
        Ok(Array::new(
            [place.rows, place.columns],
            matrix.buffer[place.range()].to_vec(),
        ))
    }

    fn add_matrix(&self, buffer: &mut Vec<f64>, place: Place, x: &Array, scale: f32) -> Result<()> {
        math::add_scaled(&mut buffer[place.range()], f64::from(scale), &x.values);
        Ok(())
    }

    fn dense(
        &self,
        x: &Array,
        weight: &Array,
        bias: Option<&Array>,
        geometry: Option<ConvGeometry>,
    ) -> Result<Array> {
        let Some(geometry) = geometry else {
            return self.linear(x, weight, bias);
        };
        let zeros = Array::new([weight.dims[0]], vec![0.0; weight.dims[0]]);
        let kernels = self.kernels(weight, geometry);
        self.conv2d(x, &kernels, bias.unwrap_or(&zeros), geometry)
    }

    fn dense_grad(
        &self,
        dy: &Array,
        x: &[usize],
        weight: &Array,
        geometry: Option<ConvGeometry>,
    ) -> Result<Array> {
        match geometry {
            None => self.linear_grad(dy, weight),
            Some(geometry) => self.conv2d_grad(dy, x, &self.kernels(weight, geometry), geometry),
        }
    }

    fn dense_weight_grad(&self, dy: &Array, x: &Array, geometry: Option<ConvGeometry>) -> Result<Array> {
        let (n_out, n_in) = (dy.width(), x.width());
        let Some(geometry) = geometry else {
            let mut gradient = vec![0.0; n_out * n_in];
            let rows = dy.values.chunks_exact(n_out).zip(x.values.chunks_exact(n_in));
            for (dy, x) in rows {
                for (dy, row) in dy.iter().zip(gradient.chunks_exact_mut(n_in)) {
                    math::add_scaled(row, *dy, x);
                }
            }
            return Ok(Array::new([n_out, n_in], gradient));
        };
        let k = geometry.kernel;
        let operation = "the gradient of a changing weight";
        let shape =
            ConvShape::of(&x.dims, &[n_out, k, k, n_in], geometry).map_err(self.wrong(operation, x))?;
        let mut gradient = vec![0.0; n_out * k * k * n_in];
        math::for_each_tap(shape, |pixel, input, tap| {
            let x = &x.values[input * n_in..][..n_in];
            for (o, dy) in dy.values[pixel * n_out..][..n_out].iter().enumerate() {
                math::add_scaled(&mut gradient[(o * k * k + tap) * n_in..][..n_in], *dy, x);
            }
        });
        Ok(Array::new([n_out, k * k * n_in], gradient))
    }

    fn hadamard(&self, a: &Array, b: &Array, scale: f32) -> Result<Array> {
        if a.dims != b.dims {
            let problem = "both shapes have to be the same";
            return Err(DeviceError::new(
                self,
                "a product of numbers",
                &[&a.dims, &b.dims],
                problem,
            ));
        }
        let products = a
            .values
            .iter()
            .zip(&*b.values)
            .map(|(a, b)| f64::from(scale) * a * b);
        Ok(Array::new(&*a.dims, products.collect()))
    }

    fn scale_channels(&self, x: &Array, factors: &Array) -> Result<Array> {
        let (channels, sample) = (x.width(), x.values.len() / x.dims[0]);
        let scaled = |(i, x): (usize, &f64)| x * factors.values[i / sample * channels + i % channels];
        Ok(Array::new(
            &*x.dims,
            x.values.iter().enumerate().map(scaled).collect(),
        ))
    }

    fn with_lengths(&self, x: &Array, lengths: Matrix<'_, Vec<f64>>) -> Result<Array> {
        let lengths = &lengths.buffer[lengths.place.range()];
        let rows = x.values.chunks_exact(x.width()).zip(lengths);
        let values = rows.flat_map(|(row, length)| {
            let factor = length / (math::dot(row, row).sqrt() + f64::from(LENGTH_EPSILON));
            row.iter().map(move |x| factor * x)
        });
        Ok(Array::new(&*x.dims, values.collect()))
    }

    fn with_lengths_grad(&self, dy: &Array, x: &Array, lengths: Matrix<'_, Vec<f64>>) -> Result<[Array; 2]> {
        let wanted = &lengths.buffer[lengths.place.range()];
        let (mut dx, mut dlengths) = (Vec::new(), Vec::new());
        let rows = x.values.chunks_exact(x.width());
        for ((x, dy), length) in rows.zip(dy.values.chunks_exact(dy.width())).zip(wanted) {
            let norm = math::dot(x, x).sqrt();
            let divisor = norm + f64::from(LENGTH_EPSILON);
            let along = math::dot(dy, x);
            dlengths.push(along / divisor);
            dx.extend(dy.iter().zip(x).map(|(dy, x)| {
                // The length of the row moves with each of its numbers: ∂n/∂x = x / ‖x‖.
                length / divisor * dy - length * along / divisor.powi(2) * x / norm
            }));
        }
        let n_rows = dlengths.len();
        Ok([Array::new(&*x.dims, dx), Array::new([n_rows, 1], dlengths)])
    }

    fn kronecker(&self, a: &Array, b: &Array, n_pixels: usize, scale: f32) -> Result<Array> {
        let (p, q, r, s) = (a.dims[0], a.dims[1], b.dims[0], b.width() / n_pixels);
        let columns = n_pixels * q * s;
        let number = |at: usize| {
            let (row, column) = (at / columns, at % columns);
            let (pixel, j, l) = (column / (q * s), column / s % q, column % s);
            f64::from(scale) * a.values[row / r * q + j] * b.values[(row % r * n_pixels + pixel) * s + l]
        };
        Ok(Array::new(
            [p * r, columns],
            (0..p * r * columns).map(number).collect(),
        ))
    }

    fn kronecker_grad(
        &self,
        dy: &Array,
        [a, b]: [&Array; 2],
        n_pixels: usize,
        scale: f32,
    ) -> Result<[Array; 2]> {
        let (q, r, s) = (a.dims[1], b.dims[0], b.width() / n_pixels);
        let columns = dy.width();
        let (mut da, mut db) = (vec![0.0; a.values.len()], vec![0.0; b.values.len()]);
        for (at, dy) in dy.values.iter().enumerate() {
            let (row, column) = (at / columns, at % columns);
            let (pixel, j, l) = (column / (q * s), column / s % q, column % s);
            let (of_a, of_b) = (row / r * q + j, (row % r * n_pixels + pixel) * s + l);
            da[of_a] += f64::from(scale) * dy * b.values[of_b];
            db[of_b] += f64::from(scale) * dy * a.values[of_a];
        }
        Ok([Array::new(&*a.dims, da), Array::new(&*b.dims, db)])
    }
}
