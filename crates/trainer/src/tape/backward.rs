//! The way back over the tape.

use candle_core::{Result, bail};
use diffusion::{
    cpu::Cpu,
    device::{self, Device, TrainingDevice},
};

use super::{Node, Op, Tape, Var, VarId};
use crate::{kinds::Passed, network::Gradients};

/// Gradients of the variables that the caller brought in.
pub struct Slots<D: Device = Cpu> {
    device: D,
    gradients: Vec<Option<D::Tensor>>,
}

impl<D: TrainingDevice> Slots<D> {
    /// Gradient of a variable made by [`Tape::variable`]; `None` if nothing flowed into it.
    pub fn of(&self, var: &Var<D>) -> Option<&D::Tensor> {
        self.gradients[var.id?].as_ref()
    }

    /// Gradients are moved on the first write, and added where they lie afterwards.
    fn put(
        &mut self,
        id: Option<VarId>,
        gradient: impl FnOnce() -> device::Result<D::Tensor>,
    ) -> device::Result<()> {
        let Some(id) = id else { return Ok(()) };
        let gradient = gradient()?;
        match &mut self.gradients[id] {
            Some(sum) => self.device.accumulate(sum, &gradient)?,
            None => self.gradients[id] = Some(gradient),
        }
        Ok(())
    }
}

impl<D: TrainingDevice> Tape<'_, D> {
    /// Runs back from `output`, whose gradient is `dy`, and adds the gradients of the network to `gradients`.
    ///
    /// # Errors
    /// If `dy` has another shape than `output`, or the device fails.
    pub fn backward(self, output: &Var<D>, dy: D::Tensor, gradients: &mut Gradients<D>) -> Result<Slots<D>> {
        let device = self.device();
        if device.dims(&output.tensor) != device.dims(&dy) {
            bail!(
                "a gradient of shape {:?} for a value of shape {:?}",
                device.dims(&dy),
                device.dims(&output.tensor)
            );
        }
        let slots = Slots {
            device: device.clone(),
            gradients: vec![None; self.n_vars],
        };
        self.backward_into(output, dy, slots, gradients)
    }

    /// Runs back with gradients that have come from elsewhere in their slots already.
    fn backward_into(
        mut self,
        output: &Var<D>,
        dy: D::Tensor,
        mut slots: Slots<D>,
        gradients: &mut Gradients<D>,
    ) -> Result<Slots<D>> {
        let (network, device) = (self.network, self.device());
        slots.put(output.id, || Ok(dy))?;
        for Node { op, inputs, output } in std::mem::take(&mut self.nodes).into_iter().rev() {
            let Some(dy) = slots.gradients[output].take() else {
                continue; // its result was never used
            };
            let [first, second, third] = inputs;
            match op {
                Op::Linear { layer } => slots.put(first, || device.linear_grad(&dy, layer.weight()))?,
                Op::Trained { layer, module, saved } => {
                    let passed = Passed {
                        layer: &layer,
                        saved: &saved,
                        wants_input: first.is_some(),
                    };
                    let (module, numbers) = (network.module(module), network.numbers());
                    let dx = module.backward(numbers, passed, &dy, gradients.values_mut())?;
                    if let Some(dx) = dx {
                        slots.put(first, || Ok(dx))?;
                    }
                }
                Op::Conv2d { layer, input } => {
                    let (weight, geometry) = (layer.weight(), layer.geometry());
                    slots.put(first, || device.conv2d_grad(&dy, &input, weight, geometry))?;
                }
                Op::GroupNorm {
                    layer,
                    after,
                    x,
                    moments,
                } => {
                    let (affine, grouping) = (layer.affine(), layer.grouping(after));
                    slots.put(first, || {
                        device.group_norm_grad(&dy, &x, &moments, affine, grouping)
                    })?;
                }
                Op::LayerNorm { layer, x, moments } => {
                    slots.put(first, || {
                        device.layer_norm_grad(&dy, &x, &moments, layer.affine())
                    })?;
                }
                Op::Attention {
                    qkv,
                    lse,
                    n_heads,
                    mask,
                } => {
                    let saved = device::Saved {
                        qkv: qkv.each_ref(),
                        lse: &lse,
                    };
                    let [dq, dk, dv] = device.attention_grad(&dy, saved, n_heads, mask)?;
                    slots.put(first, || Ok(dq))?;
                    slots.put(second, || Ok(dk))?;
                    slots.put(third, || Ok(dv))?;
                }
                Op::Geglu { x } => slots.put(first, || device.geglu_grad(&dy, &x))?,
                Op::Activate { activation, x } => {
                    slots.put(first, || device.activate_grad(&dy, &x, activation))?;
                }
                Op::Add => {
                    // Both inputs may go on adding to their gradient in place, so they must not share it.
                    if second.is_some() {
                        slots.put(first, || device.copy(&dy))?;
                    } else {
                        slots.put(first, || Ok(dy.clone()))?;
                    }
                    slots.put(second, || Ok(dy))?;
                }
                Op::AddChannels => {
                    slots.put(second, || device.add_channels_grad(&dy))?;
                    slots.put(first, || Ok(dy))?;
                }
                Op::Concat { first_width } => {
                    let [a, b] = device.concat_grad(&dy, first_width)?;
                    slots.put(first, || Ok(a))?;
                    slots.put(second, || Ok(b))?;
                }
                Op::Upsample { input } => slots.put(first, || device.upsample_2x_grad(&dy, input))?,
                // The output's slot is empty by now, so the input may have its storage.
                Op::Reshape { input } => slots.put(first, || device.reshape(&dy, &input))?,
                Op::Part { again, inputs } => {
                    let ids = [first, second];
                    let needs = [0, 1].map(|i| (&inputs[i], ids[i].is_some()));
                    let (mut inner, vars) = self.inner(needs);
                    let y = again(&mut inner, vars.each_ref())?;
                    let mut inside = Slots {
                        device: device.clone(),
                        gradients: vec![None; inner.n_vars],
                    };
                    // What has come from elsewhere goes in and comes out again, so that sums are added in the order that
                    // they have without parts.
                    let pairs = || ids.iter().zip(&vars).filter_map(|(id, var)| (*id).zip(var.id));
                    for (outer, inner) in pairs() {
                        inside.gradients[inner] = slots.gradients[outer].take();
                    }
                    let mut inside = inner.backward_into(&y, dy, inside, gradients)?;
                    for (outer, inner) in pairs() {
                        slots.gradients[outer] = inside.gradients[inner].take();
                    }
                }
                Op::Weigh { weights } => slots.put(first, || device.weigh(&dy, &weights))?,
                Op::Gather { input, rows } => {
                    slots.put(first, || device.gather_grad(&dy, &input, &rows))?;
                }
            }
        }
        Ok(slots)
    }
}
