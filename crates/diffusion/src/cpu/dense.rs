//! Layers with weights that are values, on the processor.

use candle_core::{Error, Result as TensorResult, Tensor, bail};
use rayon::prelude::*;

use super::{Cpu, CpuWeight, failed, forward, last, rows_of, with_last};
use crate::{
    device::{DenseDevice, LENGTH_EPSILON, Matrix, Result, floats, tensor},
    kernels::{
        conv, elementwise,
        gemm::{self, Mat, Size, Threads},
    },
    operation::{ConvGeometry, ConvShape, Place},
};

impl DenseDevice for Cpu {
    fn weight_values(&self, weight: &CpuWeight) -> Result<Tensor> {
        let dims = weight.dims();
        let rows = dims.first().copied().unwrap_or(1);
        let columns = dims.iter().product::<usize>() / rows.max(1);
        let values = weight.values().and_then(|values| values.reshape((rows, columns)));
        values.map_err(failed("the numbers of a weight", &[dims]))
    }

    fn matrix(&self, matrix: Matrix<'_, Vec<f32>>) -> Result<Tensor> {
        let Place { rows, columns, .. } = matrix.place;
        rows_of(matrix)
            .and_then(|values| tensor(values.to_vec(), [rows, columns]))
            .map_err(failed("a copy of a matrix", &[&[rows, columns]]))
    }

    fn add_matrix(&self, buffer: &mut Vec<f32>, place: Place, x: &Tensor, scale: f32) -> Result<()> {
        let shapes = [x.dims(), &[place.rows, place.columns]];
        add_matrix(buffer, place, x, scale).map_err(failed("a sum with a matrix", &shapes))
    }

    fn dense(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: Option<&Tensor>,
        geometry: Option<ConvGeometry>,
    ) -> Result<Tensor> {
        let shapes = [x.dims(), weight.dims()];
        dense(x, weight, bias, geometry).map_err(failed("a layer with a changing weight", &shapes))
    }

    fn dense_grad(
        &self,
        dy: &Tensor,
        x: &[usize],
        weight: &Tensor,
        geometry: Option<ConvGeometry>,
    ) -> Result<Tensor> {
        let shapes = [dy.dims(), x, weight.dims()];
        dense_grad(dy, x, weight, geometry)
            .map_err(failed("the gradient of a layer with a changing weight", &shapes))
    }

    fn dense_weight_grad(&self, dy: &Tensor, x: &Tensor, geometry: Option<ConvGeometry>) -> Result<Tensor> {
        let shapes = [dy.dims(), x.dims()];
        dense_weight_grad(dy, x, geometry).map_err(failed("the gradient of a changing weight", &shapes))
    }

    fn hadamard(&self, a: &Tensor, b: &Tensor, scale: f32) -> Result<Tensor> {
        let shapes = [a.dims(), b.dims()];
        hadamard(a, b, scale).map_err(failed("a product of numbers", &shapes))
    }

    fn scale_channels(&self, x: &Tensor, factors: &Tensor) -> Result<Tensor> {
        let shapes = [x.dims(), factors.dims()];
        scale_channels(x, factors).map_err(failed("scaled channels", &shapes))
    }

    fn with_lengths(&self, x: &Tensor, lengths: Matrix<'_, Vec<f32>>) -> Result<Tensor> {
        let shapes = [x.dims(), &[lengths.place.rows, lengths.place.columns]];
        with_lengths(x, lengths).map_err(failed("rows of other lengths", &shapes))
    }

    fn with_lengths_grad(
        &self,
        dy: &Tensor,
        x: &Tensor,
        lengths: Matrix<'_, Vec<f32>>,
    ) -> Result<[Tensor; 2]> {
        let shapes = [dy.dims(), x.dims()];
        with_lengths_grad(dy, x, lengths).map_err(failed("the gradient of rows of other lengths", &shapes))
    }

    fn kronecker(&self, a: &Tensor, b: &Tensor, n_pixels: usize, scale: f32) -> Result<Tensor> {
        let shapes = [a.dims(), b.dims()];
        kronecker(a, b, n_pixels, scale).map_err(failed("a Kronecker product", &shapes))
    }

    fn kronecker_grad(
        &self,
        dy: &Tensor,
        [a, b]: [&Tensor; 2],
        n_pixels: usize,
        scale: f32,
    ) -> Result<[Tensor; 2]> {
        let shapes = [dy.dims(), a.dims(), b.dims()];
        kronecker_grad(dy, [a, b], n_pixels, scale)
            .map_err(failed("the gradient of a Kronecker product", &shapes))
    }
}

fn add_matrix(buffer: &mut [f32], place: Place, x: &Tensor, scale: f32) -> TensorResult<()> {
    let n = buffer.len();
    let Some(sums) = buffer.get_mut(place.range()) else {
        bail!("{place:?} is not in a buffer of {n}");
    };
    let x = floats(x)?;
    if x.len() != sums.len() {
        bail!("{place:?} does not fit");
    }
    sums.iter_mut()
        .zip(x.iter())
        .for_each(|(sum, x)| *sum += scale * x);
    Ok(())
}

/// Sizes of a convolution with a weight that is a value.
fn conv_shape(x: &[usize], weight: &[usize], geometry: ConvGeometry) -> TensorResult<ConvShape> {
    let &[n_out, columns] = weight else {
        bail!("a weight [out, columns] is expected");
    };
    let k = geometry.kernel;
    ConvShape::of(x, &[n_out, k, k, columns / (k * k)], geometry).map_err(Error::msg)
}

fn dense(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    geometry: Option<ConvGeometry>,
) -> TensorResult<Tensor> {
    let bias = bias.map(floats).transpose()?;
    let Some(geometry) = geometry else {
        let (n_out, n_in) = weight.dims2()?;
        let shape = with_last(x, n_in, n_out)?;
        let mut y = forward::matmul_transposed(&floats(x)?, &floats(weight)?, n_in);
        if let Some(bias) = bias {
            elementwise::add_bias(&mut y, &bias);
        }
        return tensor(y, shape);
    };
    let shape = conv_shape(x.dims(), weight.dims(), geometry)?;
    let y = conv::forward(shape, &floats(x)?, &floats(weight)?, bias.as_deref());
    let (h, w) = shape.output;
    tensor(y, [shape.batch, h, w, shape.out_channels])
}

fn dense_grad(
    dy: &Tensor,
    x: &[usize],
    weight: &Tensor,
    geometry: Option<ConvGeometry>,
) -> TensorResult<Tensor> {
    let (dy_values, values) = (floats(dy)?, floats(weight)?);
    if let Some(geometry) = geometry {
        let shape = conv_shape(x, weight.dims(), geometry)?;
        let (h, w) = shape.output;
        if dy.dims() != [shape.batch, h, w, shape.out_channels] {
            bail!("the gradient is not that of this convolution's result");
        }
        return tensor(conv::backward(shape, &dy_values, &values), x);
    }
    let (n_out, n_in) = weight.dims2()?;
    if with_last(dy, n_out, n_in)? != x {
        bail!("the gradient does not fit the input");
    }
    let size = Size {
        m: dy_values.len() / n_out,
        n: n_in,
        k: n_out,
    };
    let product = gemm::product(
        size,
        Mat::rows(&dy_values, n_out),
        Mat::rows(&values, n_in),
        Threads::All,
    );
    tensor(product, x)
}

fn dense_weight_grad(dy: &Tensor, x: &Tensor, geometry: Option<ConvGeometry>) -> TensorResult<Tensor> {
    let (n_out, n_in) = (last(dy), last(x));
    if let Some(geometry) = geometry {
        let columns = geometry.kernel * geometry.kernel * n_in;
        let shape = conv_shape(x.dims(), &[n_out, columns], geometry)?;
        let mut gradient = vec![0.0; n_out * columns];
        conv::add_kernel_gradient(shape, &floats(x)?, &floats(dy)?, &mut gradient);
        return tensor(gradient, [n_out, columns]);
    }
    if with_last(dy, n_out, n_in)? != x.dims() {
        bail!("the gradient does not fit the input");
    }
    let (dy, x) = (floats(dy)?, floats(x)?);
    let size = Size {
        m: n_out,
        n: n_in,
        k: x.len() / n_in,
    };
    let product = gemm::product(
        size,
        Mat::rows(&dy, n_out).transposed(),
        Mat::rows(&x, n_in),
        Threads::All,
    );
    tensor(product, [n_out, n_in])
}

fn hadamard(a: &Tensor, b: &Tensor, scale: f32) -> TensorResult<Tensor> {
    if a.dims() != b.dims() {
        bail!("both shapes have to be the same");
    }
    let (x, y) = (floats(a)?, floats(b)?);
    let products = x.iter().zip(y.iter()).map(|(x, y)| scale * x * y);
    tensor(products.collect(), a.dims())
}

fn scale_channels(x: &Tensor, factors: &Tensor) -> TensorResult<Tensor> {
    let (batch, channels) = factors.dims2()?;
    if x.dims().first() != Some(&batch) || last(x) != channels {
        bail!("a factor for each channel of each sample is expected");
    }
    let mut y = floats(x)?.to_vec();
    let sample_len = y.len() / batch.max(1);
    let factors = floats(factors)?;
    for (sample, factors) in y
        .chunks_exact_mut(sample_len.max(1))
        .zip(factors.chunks_exact(channels))
    {
        for row in sample.chunks_exact_mut(channels) {
            row.iter_mut()
                .zip(factors)
                .for_each(|(value, factor)| *value *= factor);
        }
    }
    tensor(y, x.dims())
}

/// A row's length, with what keeps it from being zero. Summed in `f64`.
fn length(row: &[f32]) -> f64 {
    let squares: f64 = row.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
    squares.sqrt()
}

fn with_lengths(x: &Tensor, lengths: Matrix<'_, Vec<f32>>) -> TensorResult<Tensor> {
    let (n_rows, columns) = x.dims2()?;
    let lengths = rows_of(lengths)?;
    if lengths.len() != n_rows {
        bail!("a length for each row is expected");
    }
    let mut y = floats(x)?.to_vec();
    y.par_chunks_mut(columns).zip(lengths).for_each(|(row, wanted)| {
        let factor = (f64::from(*wanted) / (length(row) + f64::from(LENGTH_EPSILON))) as f32;
        row.iter_mut().for_each(|x| *x *= factor);
    });
    tensor(y, [n_rows, columns])
}

/// With n = ‖x‖ + ε and y = m x / n: dx = m / n · (dy − x (dy · x) / (n ‖x‖)), dm = (dy · x) / n.
fn with_lengths_grad(dy: &Tensor, x: &Tensor, lengths: Matrix<'_, Vec<f32>>) -> TensorResult<[Tensor; 2]> {
    let (n_rows, columns) = x.dims2()?;
    let lengths = rows_of(lengths)?;
    if dy.dims() != x.dims() || lengths.len() != n_rows {
        bail!("a length and a gradient for each row are expected");
    }
    let (dy, x) = (floats(dy)?, floats(x)?);
    let (dy, x): (&[f32], &[f32]) = (&dy, &x);
    let mut dx = vec![0.0; x.len()];
    let mut dlengths = vec![0.0; n_rows];
    dx.par_chunks_mut(columns)
        .zip(&mut dlengths)
        .enumerate()
        .for_each(|(row, (dx, dlength))| {
            let range = row * columns..(row + 1) * columns;
            let (dy, x) = (&dy[range.clone()], &x[range]);
            let along: f64 = dy
                .iter()
                .zip(x)
                .map(|(dy, x)| f64::from(*dy) * f64::from(*x))
                .sum();
            let norm = length(x);
            let divisor = norm + f64::from(LENGTH_EPSILON);
            *dlength = (along / divisor) as f32;
            let factor = f64::from(lengths[row]) / divisor;
            let back = if norm > 0.0 { along / (divisor * norm) } else { 0.0 };
            for ((dx, dy), x) in dx.iter_mut().zip(dy).zip(x) {
                *dx = (factor * (f64::from(*dy) - f64::from(*x) * back)) as f32;
            }
        });
    Ok([tensor(dx, [n_rows, columns])?, tensor(dlengths, [n_rows, 1])?])
}

/// Sizes of a Kronecker product: `a [p, q]`, `b [r, pixels · s]`.
struct Kron {
    p: usize,
    q: usize,
    r: usize,
    s: usize,
    n_pixels: usize,
}

impl Kron {
    fn of(a: &Tensor, b: &Tensor, n_pixels: usize) -> TensorResult<Self> {
        let ((p, q), (r, columns)) = (a.dims2()?, b.dims2()?);
        if n_pixels == 0 || !columns.is_multiple_of(n_pixels) {
            bail!("{columns} columns are not those of {n_pixels} pixels");
        }
        Ok(Self {
            p,
            q,
            r,
            s: columns / n_pixels,
            n_pixels,
        })
    }

    fn columns(&self) -> usize {
        self.n_pixels * self.q * self.s
    }

    /// Calls `work` for each run of `s` numbers: its row and first column in the product, the place of its factor in `a`,
    /// and where its numbers begin in `b`.
    fn for_each_run(&self, row: usize, mut work: impl FnMut(usize, usize, usize)) {
        let (i, k) = (row / self.r, row % self.r);
        for pixel in 0..self.n_pixels {
            for j in 0..self.q {
                let column = (pixel * self.q + j) * self.s;
                work(column, i * self.q + j, (k * self.n_pixels + pixel) * self.s);
            }
        }
    }
}

fn kronecker(a: &Tensor, b: &Tensor, n_pixels: usize, scale: f32) -> TensorResult<Tensor> {
    let kron = Kron::of(a, b, n_pixels)?;
    let (a, b) = (floats(a)?, floats(b)?);
    let (a, b): (&[f32], &[f32]) = (&a, &b);
    let mut out = vec![0.0; kron.p * kron.r * kron.columns()];
    out.par_chunks_mut(kron.columns())
        .enumerate()
        .for_each(|(row, out)| {
            kron.for_each_run(row, |column, of_a, of_b| {
                let factor = scale * a[of_a];
                let run = out[column..column + kron.s].iter_mut();
                run.zip(&b[of_b..]).for_each(|(out, b)| *out = factor * b);
            });
        });
    tensor(out, [kron.p * kron.r, kron.columns()])
}

fn kronecker_grad(
    dy: &Tensor,
    [a, b]: [&Tensor; 2],
    n_pixels: usize,
    scale: f32,
) -> TensorResult<[Tensor; 2]> {
    let kron = Kron::of(a, b, n_pixels)?;
    if dy.dims() != [kron.p * kron.r, kron.columns()] {
        bail!("the gradient is not that of this product");
    }
    let (da_dims, db_dims) = (a.dims(), b.dims());
    let (dy, a, b) = (floats(dy)?, floats(a)?, floats(b)?);
    let (mut da, mut db) = (vec![0.0; a.len()], vec![0.0; b.len()]);
    for (row, dy) in dy.chunks_exact(kron.columns()).enumerate() {
        kron.for_each_run(row, |column, of_a, of_b| {
            let dy = &dy[column..column + kron.s];
            let along: f32 = dy.iter().zip(&b[of_b..]).map(|(dy, b)| dy * b).sum();
            da[of_a] += scale * along;
            let factor = scale * a[of_a];
            let run = db[of_b..of_b + kron.s].iter_mut();
            run.zip(dy).for_each(|(db, dy)| *db += factor * dy);
        });
    }
    Ok([tensor(da, da_dims)?, tensor(db, db_dims)?])
}
