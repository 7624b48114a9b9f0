//! The LoRA of a linear layer (Hu et al. 2021): adds `alpha / rank · (x downᵀ) upᵀ`. That of a convolution is the same
//! with a smaller convolution for `down`, as in kohya's `conv_dim`.

use candle_core::Tensor;
use diffusion::{
    device::{DeviceError, HOST, Matrix, TrainingDevice, tensor},
    layers::{ConvGeometry, LoraTarget},
    lora::{LoraModule, LowRank},
    operation::Place,
    random::Random,
};

use super::{
    Kind, Module, Numbers, Parameter, Pass, Passed, Sizes,
    moment::{self, Mask},
};
use crate::state::{Lookup, StateError, read};

/// What the backward pass needs.
#[derive(Debug)]
pub struct Saved<D: TrainingDevice> {
    /// The layer's input.
    x: D::Tensor,
    /// `x downᵀ`, as far as it is not left out.
    t: D::Tensor,
    /// What was left out.
    masks: Vec<Mask<D>>,
}

/// The convolution that `down` is; none where it is a matrix over the last dimension, as beside a kernel of one pixel.
fn convolution(target: &LoraTarget) -> Option<ConvGeometry> {
    target
        .geometry
        .filter(|geometry| *geometry != ConvGeometry::POINTWISE)
}

/// `down [rank, in · kernel · kernel]` and `up [out, rank]`.
pub(super) fn places(module: &Module) -> [Place; 2] {
    let down = Place {
        start: module.start,
        rows: module.rank,
        columns: module.target.patch(),
    };
    let up = Place {
        start: down.range().end,
        rows: module.target.n_out,
        columns: module.rank,
    };
    [down, up]
}

pub(super) fn scale(module: &Module) -> f32 {
    (module.alpha / module.rank as f64) as f32
}

fn matrices<'a, D: TrainingDevice>(module: &Module, numbers: Numbers<'a, D>) -> [Matrix<'a, D::Buffer>; 2] {
    places(module).map(|place| Matrix {
        buffer: numbers.values,
        place,
    })
}

fn down_name(target: &LoraTarget) -> String {
    format!("{}.lora_down.weight", target.key)
}

fn up_name(target: &LoraTarget) -> String {
    format!("{}.lora_up.weight", target.key)
}

pub(super) fn alpha_name(target: &LoraTarget) -> String {
    format!("{}.alpha", target.key)
}

/// Rank and alpha by the matrices' kohya names; an alpha that is not there is the rank.
pub(super) fn find(target: &LoraTarget, lookup: Lookup<'_>) -> Result<Option<Sizes>, StateError> {
    let name = down_name(target);
    let Some(down) = lookup(&name) else {
        return Ok(None);
    };
    let rank = down.dims().first().copied().unwrap_or(0);
    if rank == 0 {
        return Err(StateError::Shape {
            name,
            found: down.dims().to_vec(),
            expected: shapes(target, 1)[0].clone(),
        });
    }
    Ok(Some(Sizes {
        rank,
        alpha: stored_alpha(target, lookup)?.unwrap_or(rank as f64),
    }))
}

/// A module's alpha in a file, if there is one.
pub(super) fn stored_alpha(target: &LoraTarget, lookup: Lookup<'_>) -> Result<Option<f64>, StateError> {
    let name = alpha_name(target);
    let alpha = match lookup(&name) {
        Some(alpha) => read(&alpha, &name, &[])?.into_iter().next(),
        None => None,
    };
    Ok(alpha.map(f64::from))
}

/// Shapes of `down` and `up` in files.
fn shapes(target: &LoraTarget, rank: usize) -> [Vec<usize>; 2] {
    match target.geometry {
        None => [vec![rank, target.n_in], vec![target.n_out, rank]],
        Some(ConvGeometry { kernel, .. }) => [
            vec![rank, target.n_in, kernel, kernel],
            vec![target.n_out, rank, 1, 1],
        ],
    }
}

pub(super) fn parameters(module: &Module) -> Vec<Parameter> {
    let (target, [down, up]) = (&module.target, places(module));
    let [down_shape, up_shape] = shapes(target, module.rank);
    vec![
        Parameter::shaped(down_name(target), down, down_shape).kernels(target, target.n_in),
        Parameter::shaped(up_name(target), up, up_shape),
    ]
}

pub(super) fn constants(module: &Module) -> candle_core::Result<Vec<(String, Tensor)>> {
    let alpha = Tensor::new(module.alpha as f32, &HOST)?;
    Ok(vec![(alpha_name(&module.target), alpha)])
}

/// `down` uniform in ±1/√(in · kernel · kernel), which is `kaiming_uniform(a = √5)` (sd-scripts, networks/lora.py), `up` zero.
pub(super) fn initialize(module: &Module, values: &mut [f32], random: &mut Random) {
    let [down, up] = places(module);
    let bound = 1.0 / (module.target.patch() as f32).sqrt();
    for value in &mut values[down.range()] {
        *value = (2.0 * random.uniform() - 1.0) * bound;
    }
    values[up.range()].fill(0.0);
}

pub(super) fn forward<D: TrainingDevice>(
    module: &Module,
    numbers: Numbers<'_, D>,
    Pass { layer, x, moment }: Pass<'_, D>,
) -> Result<(D::Tensor, Saved<D>), DeviceError> {
    let device = numbers.device;
    let [down, up] = matrices(module, numbers);
    let mut t = match convolution(&module.target) {
        None => device.project(x, down)?,
        Some(geometry) => device.convolve(x, down, geometry)?,
    };
    let masks = moment.masks(module, device, &t)?;
    for mask in &masks {
        t = mask.apply(device, &t)?;
    }
    // Last, so that the sum finds it in the cache.
    let y = layer.forward(device, x)?;
    let y = device.add_projected(y, &t, up, scale(module))?;
    let x = x.clone();
    Ok((y, Saved { x, t, masks }))
}

pub(super) fn backward<D: TrainingDevice>(
    module: &Module,
    numbers: Numbers<'_, D>,
    (passed, saved): (Passed<'_, D>, &Saved<D>),
    dy: &D::Tensor,
    gradients: &mut D::Buffer,
) -> Result<Option<D::Tensor>, DeviceError> {
    let (device, scale) = (numbers.device, scale(module));
    let [down, up] = matrices(module, numbers);
    let mut dt = device.project_grad(dy, up, scale)?;
    for mask in saved.masks.iter().rev() {
        dt = mask.apply(device, &dt)?;
    }
    device.add_matrix_grad(gradients, up.place, dy, &saved.t, scale)?;
    let convolution = convolution(&module.target);
    match convolution {
        None => device.add_matrix_grad(gradients, down.place, &dt, &saved.x, 1.0)?,
        Some(geometry) => device.add_kernel_grad(gradients, down.place, &dt, &saved.x, geometry)?,
    }
    if !passed.wants_input {
        return Ok(None);
    }
    // Last, so that the sum finds it in the cache.
    let dx = passed.layer.grad(device, dy, &saved.x)?;
    let dx = match convolution {
        None => device.add_project_grad(dx, &dt, down)?,
        Some(geometry) => device.add_convolve_grad(dx, &dt, down, geometry)?,
    };
    Ok(Some(dx))
}

pub(super) fn change(module: &Module, values: &[f32]) -> candle_core::Result<LoraModule> {
    let mut tensors = Vec::new();
    for parameter in parameters(module) {
        let tensor = parameter.tensor(values)?;
        tensors.push((parameter.name, tensor));
    }
    settle(module, &mut tensors)?;
    let [(_, down), (_, up)] = &tensors[..] else {
        candle_core::bail!("a LoRA has two matrices");
    };
    let low_rank = LowRank::new(down.clone(), None, up.clone(), Some(module.alpha));
    Ok(LoraModule::low_rank(low_rank.map_err(candle_core::Error::msg)?))
}

/// Settles `down` and `up` of a T-LoRA for all timesteps at once, since other programs know no timesteps: each rank counts
/// by its share of them. Of all changes that are the same at every timestep, this mean is nearest to what was trained.
pub(super) fn settle(module: &Module, tensors: &mut [(String, Tensor)]) -> candle_core::Result<()> {
    if !matches!(module.kind, Kind::TLora { .. }) {
        return Ok(());
    }
    let Some((_, up)) = tensors.get_mut(1) else {
        return Ok(());
    };
    let shares = tensor(moment::shares(module), [1, module.rank])?;
    let dims = up.dims().to_vec();
    let matrix = up.reshape((module.target.n_out, module.rank))?;
    *up = matrix.broadcast_mul(&shares)?.reshape(dims)?;
    Ok(())
}

/// |scale| · ‖up · down‖.
pub(super) fn change_norm(module: &Module, values: &[f32]) -> f64 {
    let matrices = places(module).map(|place| &values[place.range()]);
    f64::from(scale(module)).abs() * product_norm(matrices, module.rank)
}

/// ‖up · down‖ without forming the product: ‖UD‖² = tr(UᵀU · DDᵀ), two matrices of rank × rank.
pub(super) fn product_norm([down, up]: [&[f32]; 2], rank: usize) -> f64 {
    let n_in = down.len() / rank;
    let mut sum = 0.0;
    for i in 0..rank {
        for j in 0..rank {
            let rows = down[i * n_in..][..n_in].iter().zip(&down[j * n_in..][..n_in]);
            let rows: f64 = rows.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
            let columns: f64 = up
                .chunks_exact(rank)
                .map(|row| f64::from(row[i]) * f64::from(row[j]))
                .sum();
            sum += rows * columns;
        }
    }
    sum.max(0.0).sqrt()
}
