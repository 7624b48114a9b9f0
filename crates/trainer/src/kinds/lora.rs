//! The LoRA of a linear layer (Hu et al. 2021): adds `alpha / rank · (x downᵀ) upᵀ`.

use candle_core::Tensor;
use diffusion::{
    device::{DeviceError, HOST, Matrix, TrainingDevice, tensor},
    graph::{Adapter, AdapterError, low_rank},
    operation::Place,
    random::Random,
    unet::LoraTarget,
};

use super::{Module, Numbers, Parameter, Sizes};
use crate::state::{Lookup, StateError, read};

/// What the backward pass needs.
#[derive(Debug)]
pub struct Saved<D: TrainingDevice> {
    /// The layer's input.
    x: D::Tensor,
    /// `x downᵀ`.
    t: D::Tensor,
}

/// `down [rank, in]` and `up [out, rank]`.
fn places(module: &Module) -> [Place; 2] {
    let down = Place {
        start: module.start,
        rows: module.rank,
        columns: module.target.n_in,
    };
    let up = Place {
        start: down.range().end,
        rows: module.target.n_out,
        columns: module.rank,
    };
    [down, up]
}

fn scale(module: &Module) -> f32 {
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

fn alpha_name(target: &LoraTarget) -> String {
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
            expected: vec![1, target.n_in],
        });
    }
    let name = alpha_name(target);
    let alpha = match lookup(&name) {
        Some(alpha) => read(&alpha, &name, &[])?.into_iter().next(),
        None => None,
    };
    Ok(Some(Sizes {
        rank,
        alpha: alpha.map_or(rank as f64, f64::from),
    }))
}

pub(super) fn parameters(module: &Module) -> Vec<Parameter> {
    let [down, up] = places(module);
    vec![
        Parameter {
            name: down_name(&module.target),
            place: down,
        },
        Parameter {
            name: up_name(&module.target),
            place: up,
        },
    ]
}

pub(super) fn constants(module: &Module) -> candle_core::Result<Vec<(String, Tensor)>> {
    let alpha = Tensor::new(module.alpha as f32, &HOST)?;
    Ok(vec![(alpha_name(&module.target), alpha)])
}

/// `down` uniform in ±1/√in, which is `kaiming_uniform(a = √5)` (sd-scripts, networks/lora.py), `up` zero.
pub(super) fn initialize(module: &Module, values: &mut [f32], random: &mut Random) {
    let [down, up] = places(module);
    let bound = 1.0 / (module.target.n_in as f32).sqrt();
    for value in &mut values[down.range()] {
        *value = (2.0 * random.uniform() - 1.0) * bound;
    }
    values[up.range()].fill(0.0);
}

pub(super) fn forward<D: TrainingDevice>(
    module: &Module,
    numbers: Numbers<'_, D>,
    x: &D::Tensor,
    y: D::Tensor,
) -> Result<(D::Tensor, Saved<D>), DeviceError> {
    let (y, t) = low_rank(numbers.device, x, y, matrices(module, numbers), scale(module))?;
    Ok((y, Saved { x: x.clone(), t }))
}

pub(super) fn backward<D: TrainingDevice>(
    module: &Module,
    numbers: Numbers<'_, D>,
    saved: &Saved<D>,
    dy: &D::Tensor,
    gradients: &mut D::Buffer,
    dx: Option<D::Tensor>,
) -> Result<Option<D::Tensor>, DeviceError> {
    let (device, scale) = (numbers.device, scale(module));
    let [down, up] = matrices(module, numbers);
    let dt = device.project_grad(dy, up, scale)?;
    device.add_matrix_grad(gradients, up.place, dy, &saved.t, scale)?;
    device.add_matrix_grad(gradients, down.place, &dt, &saved.x, 1.0)?;
    dx.map(|dx| device.add_project_grad(dx, &dt, down)).transpose()
}

pub(super) fn adapter<D: TrainingDevice>(
    module: &Module,
    device: &D,
    values: &[f32],
) -> Result<Adapter<D>, AdapterError> {
    let matrix = |place: Place| {
        tensor(values[place.range()].to_vec(), [place.rows, place.columns])
            .map_err(|err| AdapterError::Convert { err })
    };
    let [down, up] = places(module);
    Adapter::on(device, &matrix(down)?, &matrix(up)?, Some(module.alpha))
}

/// |scale| · ‖up · down‖, without forming the product: ‖UD‖² = tr(UᵀU · DDᵀ), two matrices of rank × rank.
pub(super) fn change_norm(module: &Module, values: &[f32]) -> f64 {
    let [down, up] = places(module).map(|place| &values[place.range()]);
    let (rank, n_in) = (module.rank, module.target.n_in);
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
    f64::from(scale(module)).abs() * sum.max(0.0).sqrt()
}
