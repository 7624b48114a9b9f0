//! The way back over the tape.

use candle_core::{Result, Tensor, bail};
use diffusion::ops::{self, grad};

use super::{Node, Op, Tape, Var, VarId};
use crate::network::Gradients;

/// Gradients of the variables that the caller brought in.
pub struct Slots(Vec<Option<Tensor>>);

impl Slots {
    /// Gradient of a variable made by [`Tape::variable`]; `None` if nothing flowed into it.
    pub fn of(&self, var: &Var) -> Option<&Tensor> {
        self.0[var.id?].as_ref()
    }

    /// Gradients are moved on the first write, and added where they lie afterwards.
    fn put(&mut self, id: Option<VarId>, gradient: impl FnOnce() -> Result<Tensor>) -> Result<()> {
        let Some(id) = id else { return Ok(()) };
        let gradient = gradient()?;
        match &self.0[id] {
            Some(sum) => grad::accumulate(sum, &gradient)?,
            None => self.0[id] = Some(gradient),
        }
        Ok(())
    }
}

impl Tape<'_> {
    /// Runs back from `output`, whose gradient is `dy`, and adds the gradients of the network to `gradients`.
    pub fn backward(self, output: &Var, dy: Tensor, gradients: &mut Gradients) -> Result<Slots> {
        if output.tensor.dims() != dy.dims() {
            bail!(
                "a gradient of shape {:?} for a value of shape {:?}",
                dy.dims(),
                output.tensor.dims()
            );
        }
        let mut slots = Slots(vec![None; self.n_vars]);
        slots.put(output.id, || Ok(dy))?;
        let network = self.network;
        for Node { op, inputs, output } in self.nodes.into_iter().rev() {
            let Some(dy) = slots.0[output].take() else {
                continue; // its result was never used
            };
            let [first, second, third] = inputs;
            match op {
                Op::Linear { layer } => slots.put(first, || grad::linear(&dy, &layer))?,
                Op::LoraLinear { layer, module, x, t } => {
                    let lora = network.module(module);
                    let node = grad::LoraLinear {
                        x: &x,
                        t: &t,
                        layer: &layer,
                        down: lora.down,
                        up: lora.up,
                        scale: lora.scale,
                    };
                    let (d_down, d_up) = gradients.module_mut(network, module);
                    if let Some(dx) = node.backward(&dy, d_down, d_up, first.is_some())? {
                        slots.put(first, || Ok(dx))?;
                    }
                }
                Op::Conv2d { layer, input } => slots.put(first, || grad::conv2d(&dy, &input, &layer))?,
                Op::GroupNorm {
                    layer,
                    silu,
                    x,
                    moments,
                } => slots.put(first, || grad::group_norm(&dy, &x, &layer, silu, &moments))?,
                Op::LayerNorm { layer, x, moments } => {
                    slots.put(first, || grad::layer_norm(&dy, &x, &layer, &moments))?;
                }
                Op::Attention {
                    qkv: [q, k, v],
                    lse,
                    n_heads,
                    causal,
                } => {
                    let node = grad::Attention {
                        q: &q,
                        k: &k,
                        v: &v,
                        lse: &lse,
                        n_heads,
                        causal,
                    };
                    let (dq, dk, dv) = node.backward(&dy)?;
                    slots.put(first, || Ok(dq))?;
                    slots.put(second, || Ok(dk))?;
                    slots.put(third, || Ok(dv))?;
                }
                Op::Geglu { x } => slots.put(first, || grad::geglu(&dy, &x))?,
                Op::Activate { activation, x } => {
                    slots.put(first, || grad::activate(&dy, &x, activation))?;
                }
                Op::Add => {
                    // Both inputs may go on adding to their gradient in place, so they must not share it.
                    if second.is_some() {
                        slots.put(first, || ops::copy(&dy))?;
                    } else {
                        slots.put(first, || Ok(dy.clone()))?;
                    }
                    slots.put(second, || Ok(dy))?;
                }
                Op::AddChannels => {
                    slots.put(second, || grad::sum_positions(&dy))?;
                    slots.put(first, || Ok(dy))?;
                }
                Op::Concat { first_width } => {
                    let (a, b) = grad::concat(&dy, first_width)?;
                    slots.put(first, || Ok(a))?;
                    slots.put(second, || Ok(b))?;
                }
                Op::Upsample { input } => slots.put(first, || grad::upsample_2x(&dy, input))?,
                // The output's slot is empty by now, so the input may have its storage.
                Op::Reshape { input } => slots.put(first, || dy.reshape(input))?,
            }
        }
        Ok(slots)
    }
}
