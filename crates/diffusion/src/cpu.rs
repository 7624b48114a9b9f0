//! The processor: [`kernels`](crate::kernels) on slices of `f32`.
//!
//! The only place that names kernels. Tensors are host tensors, so taking one in and giving one out copies nothing.

mod backward;
mod dense;
mod forward;
mod training;
mod weight;

use candle_core::{CpuStorage, InplaceOp2, Layout, Tensor, bail};

use crate::{
    device::{Affine, Device, DeviceError, Frozen, Matrix, Result},
    kernels::norm::Moments,
    operation::{Activation, ConvGeometry, ConvShape, Grouping, Mask, Place},
};

/// The processor that the program runs on, all of its cores.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cpu;

pub use self::weight::CpuWeight;
pub(crate) use self::weight::SMALL_WEIGHT;

/// Turns what went wrong into an error that says what was computed.
fn failed<'a>(
    operation: &'static str,
    shapes: &'a [&'a [usize]],
) -> impl FnOnce(candle_core::Error) -> DeviceError + 'a {
    move |problem| DeviceError::new(&Cpu, operation, shapes, problem)
}

/// The numbers of a matrix in a buffer.
fn rows_of(matrix: Matrix<'_, Vec<f32>>) -> candle_core::Result<&[f32]> {
    match matrix.buffer.get(matrix.place.range()) {
        Some(values) => Ok(values),
        None => bail!("{:?} is not in a buffer of {}", matrix.place, matrix.buffer.len()),
    }
}

impl Device for Cpu {
    type Tensor = Tensor;
    type Weight = CpuWeight;
    type Moments = Moments;
    type Buffer = Vec<f32>;

    fn name(&self) -> &str {
        "the CPU"
    }

    fn upload(&self, host: &Tensor) -> Result<Tensor> {
        Ok(host.clone())
    }

    fn download(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.clone())
    }

    fn dims<'a>(&self, x: &'a Tensor) -> &'a [usize] {
        x.dims()
    }

    fn weight(&self, host: Tensor) -> Result<CpuWeight> {
        Ok(CpuWeight::host(host))
    }

    fn frozen_weight(&self, frozen: Frozen) -> Result<CpuWeight> {
        Ok(CpuWeight::frozen(frozen))
    }

    fn buffer(&self, values: Vec<f32>) -> Result<Vec<f32>> {
        Ok(values)
    }

    fn values(&self, buffer: &Vec<f32>) -> Result<Vec<f32>> {
        Ok(buffer.clone())
    }

    fn linear(&self, x: &Tensor, weight: &CpuWeight, bias: Option<&Tensor>) -> Result<Tensor> {
        let shapes = [x.dims(), weight.dims()];
        forward::linear(x, weight, bias).map_err(failed("a linear layer", &shapes))
    }

    fn project(&self, x: &Tensor, matrix: Matrix<'_, Vec<f32>>) -> Result<Tensor> {
        let shapes = [x.dims(), &[matrix.place.rows, matrix.place.columns]];
        forward::project(x, matrix).map_err(failed("a projection", &shapes))
    }

    fn add_projected(
        &self,
        y: Tensor,
        x: &Tensor,
        matrix: Matrix<'_, Vec<f32>>,
        scale: f32,
    ) -> Result<Tensor> {
        let shapes = [y.dims(), x.dims(), &[matrix.place.rows, matrix.place.columns]];
        forward::add_projected(&y, x, matrix, scale).map_err(failed("a sum with a projection", &shapes))?;
        Ok(y)
    }

    fn conv2d(
        &self,
        x: &Tensor,
        weight: &CpuWeight,
        bias: &Tensor,
        geometry: ConvGeometry,
    ) -> Result<Tensor> {
        let shapes = [x.dims(), weight.dims()];
        forward::conv2d(x, weight, bias, geometry).map_err(failed("a convolution", &shapes))
    }

    fn group_norm(
        &self,
        x: &Tensor,
        affine: Affine<'_, Tensor>,
        grouping: Grouping,
    ) -> Result<(Tensor, Moments)> {
        forward::group_norm(x, affine, grouping).map_err(failed("a group norm", &[x.dims()]))
    }

    fn group_moments(&self, strips: &[&Tensor], grouping: Grouping) -> Result<Moments> {
        let shapes: Vec<&[usize]> = strips.iter().map(|strip| strip.dims()).collect();
        forward::group_moments(strips, grouping).map_err(failed("moments of groups", &shapes))
    }

    fn group_norm_by(
        &self,
        x: &Tensor,
        affine: Affine<'_, Tensor>,
        grouping: Grouping,
        moments: &Moments,
    ) -> Result<Tensor> {
        let normed = forward::group_norm_by(x, affine, grouping, moments);
        normed.map_err(failed("a group norm of a strip", &[x.dims()]))
    }

    fn layer_norm(&self, x: &Tensor, affine: Affine<'_, Tensor>, eps: f32) -> Result<(Tensor, Moments)> {
        forward::layer_norm(x, affine, eps).map_err(failed("a layer norm", &[x.dims()]))
    }

    fn attention(&self, [q, k, v]: [&Tensor; 3], n_heads: usize, mask: Mask) -> Result<(Tensor, Tensor)> {
        let shapes = [q.dims(), k.dims(), v.dims()];
        forward::attention([q, k, v], n_heads, mask).map_err(failed("an attention", &shapes))
    }

    fn geglu(&self, x: &Tensor) -> Result<Tensor> {
        forward::geglu(x).map_err(failed("GEGLU", &[x.dims()]))
    }

    fn activate(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        forward::activate(x, activation).map_err(failed("an activation", &[x.dims()]))
    }

    fn add(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        forward::add(a, b).map_err(failed("a sum", &[a.dims(), b.dims()]))
    }

    fn add_channels(&self, x: &Tensor, bias: &Tensor) -> Result<Tensor> {
        forward::add_channels(x, bias).map_err(failed("a sum with channels", &[x.dims(), bias.dims()]))
    }

    fn concat(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        forward::concat(a, b).map_err(failed("a concatenation", &[a.dims(), b.dims()]))
    }

    fn upsample_2x(&self, x: &Tensor, size: (usize, usize)) -> Result<Tensor> {
        forward::upsample_2x(x, size).map_err(failed("an upsampling", &[x.dims()]))
    }

    fn reshape(&self, x: &Tensor, shape: &[usize]) -> Result<Tensor> {
        x.reshape(shape).map_err(failed("a reshape", &[x.dims(), shape]))
    }

    fn gather(&self, x: &Tensor, rows: &[usize]) -> Result<Tensor> {
        forward::gather(x, rows).map_err(failed("a choice of rows", &[x.dims(), &[rows.len()]]))
    }

    fn weigh(&self, x: &Tensor, weights: &[f32]) -> Result<Tensor> {
        forward::weigh(x, weights).map_err(failed("weighted rows", &[x.dims(), &[weights.len()]]))
    }

    fn convolve(&self, x: &Tensor, matrix: Matrix<'_, Vec<f32>>, geometry: ConvGeometry) -> Result<Tensor> {
        let shapes = [x.dims(), &[matrix.place.rows, matrix.place.columns]];
        forward::convolve(x, matrix, geometry).map_err(failed("a convolution with a matrix", &shapes))
    }
}

/// Changes the values of `acc` where they lie, by those of `x`. Nothing else may hold `acc`'s storage.
fn update_in_place(acc: &Tensor, x: &Tensor, work: impl Fn(&mut [f32], &[f32])) -> candle_core::Result<()> {
    struct Update<F>(F);
    impl<F: Fn(&mut [f32], &[f32])> InplaceOp2 for Update<F> {
        fn name(&self) -> &'static str {
            "update in place"
        }

        fn cpu_fwd(
            &self,
            acc: &mut CpuStorage,
            acc_at: &Layout,
            x: &CpuStorage,
            x_at: &Layout,
        ) -> candle_core::Result<()> {
            let (CpuStorage::F32(acc), CpuStorage::F32(x)) = (acc, x) else {
                bail!("both values have to be f32");
            };
            let (Some((start, end)), Some((x_start, x_end))) =
                (acc_at.contiguous_offsets(), x_at.contiguous_offsets())
            else {
                bail!("both values have to be contiguous");
            };
            (self.0)(&mut acc[start..end], &x[x_start..x_end]);
            Ok(())
        }
    }
    acc.inplace_op2(x, &Update(work))
}

/// Sizes of a convolution of `x` with the kernels in the rows of a matrix.
fn matrix_shape(x: &[usize], place: Place, geometry: ConvGeometry) -> candle_core::Result<ConvShape> {
    let k = geometry.kernel;
    let weight = [place.rows, k, k, place.columns / (k * k)];
    ConvShape::of(x, &weight, geometry).map_err(candle_core::Error::msg)
}

/// Length of the last dimension.
fn last(x: &Tensor) -> usize {
    x.dims().last().copied().unwrap_or(1)
}

/// The shape of `x`, whose last dimension has to be `expected`, with `width` in its place.
fn with_last(x: &Tensor, expected: usize, width: usize) -> candle_core::Result<Vec<usize>> {
    let mut dims = x.dims().to_vec();
    match dims.last_mut() {
        Some(last) if *last == expected => *last = width,
        _ => bail!("rows of {expected} values are expected"),
    }
    Ok(dims)
}
