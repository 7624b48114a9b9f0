//! A second device: plain loops in `f64`, which the CPU is compared with.
//!
//! It shares nothing with the CPU's kernels but the checks of shapes, and shows what another device has to write.

mod attention;
mod dense;
mod math;
mod norms;
mod training;
mod updates;

use std::sync::Arc;

use candle_core::Tensor;
use diffusion::{
    device::{Affine, Device, DeviceError, HOST, Matrix, Result, floats},
    operation::{Activation, ConvGeometry, ConvShape, Grouping, Mask, UpsampleShape},
};

use self::{math::Rows, norms::Moments};

/// The device.
#[derive(Debug, Clone)]
pub(crate) struct Reference;

/// A value: its shape and its numbers.
#[derive(Debug, Clone)]
pub(crate) struct Array {
    dims: Vec<usize>,
    values: Arc<Vec<f64>>,
}

impl Array {
    fn new(dims: impl Into<Vec<usize>>, values: Vec<f64>) -> Self {
        let dims = dims.into();
        assert_eq!(dims.iter().product::<usize>(), values.len());
        Self {
            dims,
            values: Arc::new(values),
        }
    }

    /// Length of the last dimension.
    fn width(&self) -> usize {
        self.dims.last().copied().unwrap_or(1)
    }

    /// The same shape with another last dimension.
    fn with_width(&self, width: usize) -> Vec<usize> {
        let mut dims = self.dims.clone();
        if let Some(last) = dims.last_mut() {
            *last = width;
        }
        dims
    }

    fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Self::new(&*self.dims, self.values.iter().map(|x| f(*x)).collect())
    }
}

/// The matrix that lies at a place of a buffer.
fn rows_of(matrix: Matrix<'_, Vec<f64>>) -> Rows<'_> {
    Rows::new(&matrix.buffer[matrix.place.range()], matrix.place.columns)
}

/// The kernels in the rows of a matrix, as a convolution's weight.
fn kernels_of(matrix: Matrix<'_, Vec<f64>>, geometry: ConvGeometry) -> Array {
    let (k, place) = (geometry.kernel, matrix.place);
    let values = matrix.buffer[place.range()].to_vec();
    Array::new([place.rows, k, k, place.columns / (k * k)], values)
}

impl Reference {
    /// Refuses rows of another width.
    fn expect_width(&self, operation: &'static str, x: &Array, expected: usize) -> Result<()> {
        if x.width() == expected {
            return Ok(());
        }
        let problem = format!("rows of {expected} values are expected");
        Err(DeviceError::new(self, operation, &[&x.dims], problem))
    }

    fn wrong(&self, operation: &'static str, x: &Array) -> impl FnOnce(String) -> DeviceError {
        let (device, dims) = (self.clone(), x.dims.clone());
        move |problem| DeviceError::new(&device, operation, &[&dims], problem)
    }
}

impl Device for Reference {
    type Tensor = Array;
    type Weight = Array;
    type Moments = Moments;
    type Buffer = Vec<f64>;

    fn name(&self) -> &str {
        "the reference"
    }

    fn upload(&self, host: &Tensor) -> Result<Array> {
        let failed = |err| DeviceError::new(self, "an upload", &[host.dims()], err);
        let values = floats(host).map_err(failed)?;
        Ok(Array::new(
            host.dims(),
            values.iter().map(|x| f64::from(*x)).collect(),
        ))
    }

    fn download(&self, x: &Array) -> Result<Tensor> {
        let failed = |err| DeviceError::new(self, "a download", &[&x.dims], err);
        let values: Vec<f32> = x.values.iter().map(|x| *x as f32).collect();
        Tensor::from_vec(values, &*x.dims, &HOST).map_err(failed)
    }

    fn dims<'a>(&self, x: &'a Array) -> &'a [usize] {
        &x.dims
    }

    fn weight(&self, host: Tensor) -> Result<Array> {
        self.upload(&host)
    }

    fn buffer(&self, values: Vec<f32>) -> Result<Vec<f64>> {
        Ok(values.into_iter().map(f64::from).collect())
    }

    fn values(&self, buffer: &Vec<f64>) -> Result<Vec<f32>> {
        Ok(buffer.iter().map(|x| *x as f32).collect())
    }

    fn linear(&self, x: &Array, weight: &Array, bias: Option<&Array>) -> Result<Array> {
        self.expect_width("a linear layer", x, weight.width())?;
        let mut y = Rows::new(&weight.values, weight.width()).times(&x.values);
        if let Some(bias) = bias {
            for row in y.chunks_exact_mut(bias.values.len()) {
                row.iter_mut().zip(&*bias.values).for_each(|(y, b)| *y += b);
            }
        }
        Ok(Array::new(x.with_width(weight.dims[0]), y))
    }

    fn project(&self, x: &Array, matrix: Matrix<'_, Vec<f64>>) -> Result<Array> {
        self.expect_width("a projection", x, matrix.place.columns)?;
        Ok(Array::new(
            x.with_width(matrix.place.rows),
            rows_of(matrix).times(&x.values),
        ))
    }

    fn add_projected(&self, y: Array, x: &Array, matrix: Matrix<'_, Vec<f64>>, scale: f32) -> Result<Array> {
        let added = self.project(x, matrix)?;
        self.add(&y, &added.map(|value| f64::from(scale) * value))
    }

    fn conv2d(&self, x: &Array, weight: &Array, bias: &Array, geometry: ConvGeometry) -> Result<Array> {
        let shape = ConvShape::of(&x.dims, &weight.dims, geometry).map_err(self.wrong("a convolution", x))?;
        let (height, width) = shape.output;
        let pixels = shape.batch * height * width;
        let mut y: Vec<f64> = std::iter::repeat_n(&*bias.values, pixels)
            .flatten()
            .copied()
            .collect();
        math::for_each_tap(shape, |pixel, input, tap| {
            let x = &x.values[input * shape.in_channels..][..shape.in_channels];
            let y = &mut y[pixel * shape.out_channels..][..shape.out_channels];
            for (o, y) in y.iter_mut().enumerate() {
                *y += math::dot(x, math::kernel_row(shape, &weight.values, o, tap));
            }
        });
        Ok(Array::new([shape.batch, height, width, shape.out_channels], y))
    }

    fn group_norm(
        &self,
        x: &Array,
        affine: Affine<'_, Array>,
        grouping: Grouping,
    ) -> Result<(Array, Moments)> {
        norms::group_norm(self, x, affine, grouping)
    }

    fn group_moments(&self, strips: &[&Array], grouping: Grouping) -> Result<Moments> {
        norms::group_moments(self, strips, grouping)
    }

    fn group_norm_by(
        &self,
        x: &Array,
        affine: Affine<'_, Array>,
        grouping: Grouping,
        moments: &Moments,
    ) -> Result<Array> {
        norms::group_norm_by(self, x, affine, (grouping, moments))
    }

    fn layer_norm(&self, x: &Array, affine: Affine<'_, Array>, eps: f32) -> Result<(Array, Moments)> {
        self.expect_width("a layer norm", x, affine.weight.values.len())?;
        Ok(norms::layer_norm(x, affine, eps))
    }

    fn attention(&self, qkv: [&Array; 3], n_heads: usize, mask: Mask) -> Result<(Array, Array)> {
        attention::forward(self, qkv, n_heads, mask)
    }

    fn geglu(&self, x: &Array) -> Result<Array> {
        let half = x.width() / 2;
        self.expect_width("GEGLU", x, 2 * half)?;
        let rows = x.values.chunks_exact(2 * half);
        let y = rows.flat_map(|row| (0..half).map(|i| row[i] * math::gelu(row[half + i]).0));
        Ok(Array::new(x.with_width(half), y.collect()))
    }

    fn activate(&self, x: &Array, activation: Activation) -> Result<Array> {
        Ok(x.map(|x| math::activation(activation, x).0))
    }

    fn add(&self, a: &Array, b: &Array) -> Result<Array> {
        if a.dims != b.dims {
            let problem = "both shapes have to be the same";
            return Err(DeviceError::new(self, "a sum", &[&a.dims, &b.dims], problem));
        }
        let sums = a.values.iter().zip(&*b.values).map(|(a, b)| a + b);
        Ok(Array::new(&*a.dims, sums.collect()))
    }

    fn add_channels(&self, x: &Array, bias: &Array) -> Result<Array> {
        self.expect_width("a sum with channels", x, bias.width())?;
        let (channels, picture) = (x.width(), x.values.len() / x.dims[0]);
        let sum = |(i, x): (usize, &f64)| x + bias.values[i / picture * channels + i % channels];
        Ok(Array::new(
            &*x.dims,
            x.values.iter().enumerate().map(sum).collect(),
        ))
    }

    fn concat(&self, a: &Array, b: &Array) -> Result<Array> {
        let rows = a
            .values
            .chunks_exact(a.width())
            .zip(b.values.chunks_exact(b.width()));
        let values = rows.flat_map(|(a, b)| a.iter().chain(b)).copied().collect();
        Ok(Array::new(a.with_width(a.width() + b.width()), values))
    }

    fn upsample_2x(&self, x: &Array, size: (usize, usize)) -> Result<Array> {
        let (height, width, channels) = (x.dims[1], x.dims[2], x.width());
        UpsampleShape::of((height, width), size, channels).map_err(self.wrong("an upsampling", x))?;
        let mut y = Vec::new();
        for pixel in math::upsampled(x.dims[0], (height, width), size) {
            y.extend_from_slice(&x.values[pixel * channels..][..channels]);
        }
        Ok(Array::new([x.dims[0], size.0, size.1, channels], y))
    }

    fn reshape(&self, x: &Array, shape: &[usize]) -> Result<Array> {
        Ok(Array {
            dims: shape.to_vec(),
            values: Arc::clone(&x.values),
        })
    }

    fn gather(&self, x: &Array, rows: &[usize]) -> Result<Array> {
        let width = x.width();
        let rows_of_x = rows
            .iter()
            .flat_map(|row| &x.values[row * width..(row + 1) * width]);
        Ok(Array::new([rows.len(), width], rows_of_x.copied().collect()))
    }

    fn weigh(&self, x: &Array, weights: &[f32]) -> Result<Array> {
        let width = x.width();
        let values = x.values.iter().enumerate();
        let weighed = values.map(|(i, x)| x * f64::from(weights[i / width]));
        Ok(Array::new(&*x.dims, weighed.collect()))
    }

    fn convolve(&self, x: &Array, matrix: Matrix<'_, Vec<f64>>, geometry: ConvGeometry) -> Result<Array> {
        let weight = kernels_of(matrix, geometry);
        let bias = Array::new([matrix.place.rows], vec![0.0; matrix.place.rows]);
        self.conv2d(x, &weight, &bias, geometry)
    }
}
