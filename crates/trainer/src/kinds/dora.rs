//! DoRA (Liu et al. 2024): a LoRA whose layer's rows have learned lengths, as LyCORIS has it with `dora_wd`.
//!
//! `W' = m · (W + ΔW) / (‖W + ΔW‖ + ε)` row by row. Gradients flow through the norm, as in LyCORIS.

use diffusion::{
    device::{DeviceError, Matrix, TrainingDevice},
    layers::LoraTarget,
    lora::{LoraModule, change::Magnitude},
    operation::Place,
    random::Random,
};

use super::{Module, Numbers, Parameter, Sizes, lora};
use crate::state::{Lookup, StateError};

/// The length of each row, behind the matrices of the LoRA.
fn lengths(module: &Module) -> Place {
    let [_, up] = lora::places(module);
    Place {
        start: up.range().end,
        rows: module.target.n_out,
        columns: 1,
    }
}

fn scale_name(target: &LoraTarget) -> String {
    format!("{}.dora_scale", target.key)
}

/// `[out, 1]`, or of a convolution `[out, 1, 1, 1]`.
fn shape(target: &LoraTarget) -> Vec<usize> {
    let mut shape = vec![target.n_out, 1];
    if target.geometry.is_some() {
        shape.extend([1, 1]);
    }
    shape
}

pub(super) fn find(target: &LoraTarget, lookup: Lookup<'_>) -> Result<Option<Sizes>, StateError> {
    match lookup(&scale_name(target)) {
        Some(_) => lora::find(target, lookup),
        None => Ok(None),
    }
}

pub(super) fn parameters(module: &Module) -> Vec<Parameter> {
    let mut parameters = lora::parameters(module);
    let target = &module.target;
    parameters.push(Parameter::shaped(
        scale_name(target),
        lengths(module),
        shape(target),
    ));
    parameters
}

/// A LoRA that changes nothing, and the lengths that the layer's rows have.
pub(super) fn initialize(module: &Module, values: &mut [f32], random: &mut Random) {
    lora::initialize(module, values, random);
    let lengths = &mut values[lengths(module).range()];
    assert_eq!(
        lengths.len(),
        module.lengths.len(),
        "a DoRA begins with its layer's lengths"
    );
    lengths.copy_from_slice(&module.lengths);
}

fn matrix<'a, D: TrainingDevice>(numbers: Numbers<'a, D>, place: Place) -> Matrix<'a, D::Buffer> {
    Matrix {
        buffer: numbers.values,
        place,
    }
}

/// `W + scale · up · down`.
fn summed<D: TrainingDevice>(
    module: &Module,
    numbers: Numbers<'_, D>,
    base: &D::Tensor,
) -> Result<D::Tensor, DeviceError> {
    let device = numbers.device;
    let [down, up] = lora::places(module).map(|place| matrix(numbers, place));
    let change = device.project_grad(&device.matrix(up)?, down, lora::scale(module))?;
    device.add(base, &change)
}

pub(super) fn weight<D: TrainingDevice>(
    module: &Module,
    numbers: Numbers<'_, D>,
    base: &D::Tensor,
) -> Result<D::Tensor, DeviceError> {
    let summed = summed(module, numbers, base)?;
    numbers
        .device
        .with_lengths(&summed, matrix(numbers, lengths(module)))
}

pub(super) fn backward<D: TrainingDevice>(
    module: &Module,
    numbers: Numbers<'_, D>,
    (base, dw): (&D::Tensor, &D::Tensor),
    gradients: &mut D::Buffer,
) -> Result<(), DeviceError> {
    let (device, scale) = (numbers.device, lora::scale(module));
    let summed = summed(module, numbers, base)?;
    let lengths = matrix(numbers, lengths(module));
    let [dsummed, dlengths] = device.with_lengths_grad(dw, &summed, lengths)?;
    device.add_matrix(gradients, lengths.place, &dlengths, 1.0)?;
    let [down, up] = lora::places(module).map(|place| matrix(numbers, place));
    // Of scale · up · down: the gradient of up is scale · d · downᵀ, that of down is scale · upᵀ · d.
    device.add_matrix(gradients, up.place, &device.project(&dsummed, down)?, scale)?;
    device.add_matrix_grad(gradients, down.place, &device.matrix(up)?, &dsummed, scale)
}

pub(super) fn change(module: &Module, values: &[f32]) -> candle_core::Result<LoraModule> {
    let lengths = values[lengths(module).range()].to_vec();
    let magnitude = Magnitude::from_dora_scale(&shape(&module.target), lengths);
    Ok(LoraModule {
        magnitude: Some(magnitude.map_err(candle_core::Error::msg)?),
        ..lora::change(module, values)?
    })
}
