//! Kinds whose layer computes with a changed weight instead of a second path beside its own: DoRA, LoHa and LoKr.
//!
//! The weight is made anew in the backward pass, so that none is kept.

use diffusion::device::{DeviceError, TrainingDevice};

use super::{Kind, Module, Numbers, Pass, Passed, dora, loha, lokr};

/// What the backward pass needs.
#[derive(Debug)]
pub struct Saved<D: TrainingDevice> {
    /// The layer's input.
    x: D::Tensor,
}

/// The weight that stands in place of the layer's own, whose numbers are `base`: `[out, columns]`.
fn weight<D: TrainingDevice>(
    module: &Module,
    numbers: Numbers<'_, D>,
    base: &D::Tensor,
) -> Result<D::Tensor, DeviceError> {
    match module.kind {
        Kind::Dora => dora::weight(module, numbers, base),
        Kind::Loha => numbers.device.add(base, &loha::change_of(module, numbers)?),
        Kind::Lokr { .. } => numbers.device.add(base, &lokr::change_of(module, numbers)?),
        Kind::Lora | Kind::TLora { .. } => unreachable!("a LoRA has a path of its own"),
    }
}

pub(super) fn forward<D: TrainingDevice>(
    module: &Module,
    numbers: Numbers<'_, D>,
    Pass { layer, x, .. }: Pass<'_, D>,
) -> Result<(D::Tensor, Saved<D>), DeviceError> {
    let device = numbers.device;
    let weight = weight(module, numbers, &layer.weight(device)?)?;
    let y = device.dense(x, &weight, layer.bias(), module.target.geometry)?;
    Ok((y, Saved { x: x.clone() }))
}

pub(super) fn backward<D: TrainingDevice>(
    module: &Module,
    numbers: Numbers<'_, D>,
    (passed, saved): (Passed<'_, D>, &Saved<D>),
    dy: &D::Tensor,
    gradients: &mut D::Buffer,
) -> Result<Option<D::Tensor>, DeviceError> {
    let (device, geometry) = (numbers.device, module.target.geometry);
    let base = passed.layer.weight(device)?;
    let dw = device.dense_weight_grad(dy, &saved.x, geometry)?;
    match module.kind {
        Kind::Dora => dora::backward(module, numbers, (&base, &dw), gradients)?,
        Kind::Loha => loha::backward(module, numbers, &dw, gradients)?,
        Kind::Lokr { .. } => lokr::backward(module, numbers, &dw, gradients)?,
        Kind::Lora | Kind::TLora { .. } => unreachable!("a LoRA has a path of its own"),
    }
    if !passed.wants_input {
        return Ok(None);
    }
    let weight = weight(module, numbers, &base)?;
    let x = device.dims(&saved.x);
    device.dense_grad(dy, x, &weight, geometry).map(Some)
}
