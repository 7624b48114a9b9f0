//! Kinds of LoRA: what is trained beside a frozen linear layer. A closed set, one file for each.
//!
//! A kind says which matrices a module has, how they begin, what they add to the layer's result, and how a gradient
//! flows back. It is written in operations of a device, and in nothing else.

mod lora;

use candle_core::Tensor;
use diffusion::{
    device::{DeviceError, TrainingDevice},
    graph::{Adapter, AdapterError},
    operation::Place,
    random::Random,
    unet::LoraTarget,
};

use crate::state::{Lookup, StateError};

/// Which kind of LoRA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// Two low-rank matrices (Hu et al. 2021).
    #[default]
    Lora,
}

/// One layer's share of a network.
#[derive(Debug, Clone)]
pub struct Module {
    /// What is trained.
    pub kind: Kind,
    /// The layer.
    pub target: LoraTarget,
    /// Width of the bottleneck.
    pub rank: usize,
    /// The change is scaled by alpha / rank.
    pub alpha: f64,
    /// Where its first matrix begins in the buffer.
    pub start: usize,
}

/// One trained matrix.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Kohya's name.
    pub name: String,
    /// Where it lies in the buffer.
    pub place: Place,
}

/// Rank and alpha of a module in a file.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Width of the bottleneck.
    pub rank: usize,
    /// Numerator of the scale.
    pub alpha: f64,
}

/// What a module's forward pass keeps for its backward pass.
#[derive(Debug)]
pub enum Saved<D: TrainingDevice> {
    /// Of [`Kind::Lora`].
    Lora(lora::Saved<D>),
}

/// A network's numbers on their device.
#[derive(Debug)]
pub struct Numbers<'a, D: TrainingDevice> {
    /// Where they lie.
    pub device: &'a D,
    /// All parameters of the network.
    pub values: &'a D::Buffer,
}

impl<D: TrainingDevice> Clone for Numbers<'_, D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D: TrainingDevice> Copy for Numbers<'_, D> {}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 1] = [Self::Lora];

    /// Rank and alpha of this kind's module in a file; `None` if the file has no such module.
    pub(crate) fn find(self, target: &LoraTarget, lookup: Lookup<'_>) -> Result<Option<Sizes>, StateError> {
        match self {
            Self::Lora => lora::find(target, lookup),
        }
    }
}

impl Module {
    /// Its matrices, in the order in which they lie in the buffer.
    pub fn parameters(&self) -> Vec<Parameter> {
        match self.kind {
            Kind::Lora => lora::parameters(self),
        }
    }

    /// Where its last matrix ends in the buffer.
    pub fn end(&self) -> usize {
        let ends = self.parameters().into_iter().map(|p| p.place.range().end);
        ends.max().unwrap_or(self.start)
    }

    /// The matrices of a fresh module into `values`, the buffer of the network. They change nothing yet.
    pub(crate) fn initialize(&self, values: &mut [f32], random: &mut Random) {
        match self.kind {
            Kind::Lora => lora::initialize(self, values, random),
        }
    }

    /// What the module adds to `y`, the result of its layer for `x`. Nothing else may share the memory of `y`.
    pub(crate) fn forward<D: TrainingDevice>(
        &self,
        numbers: Numbers<'_, D>,
        x: &D::Tensor,
        y: D::Tensor,
    ) -> Result<(D::Tensor, Saved<D>), DeviceError> {
        match self.kind {
            Kind::Lora => {
                let (y, saved) = lora::forward(self, numbers, x, y)?;
                Ok((y, Saved::Lora(saved)))
            }
        }
    }

    /// Adds the gradients of the module's matrices to `gradients`, and that of its input to `dx`, the gradient that
    /// flowed through the frozen layer, if there is one.
    pub(crate) fn backward<D: TrainingDevice>(
        &self,
        numbers: Numbers<'_, D>,
        saved: &Saved<D>,
        dy: &D::Tensor,
        gradients: &mut D::Buffer,
        dx: Option<D::Tensor>,
    ) -> Result<Option<D::Tensor>, DeviceError> {
        match saved {
            Saved::Lora(saved) => lora::backward(self, numbers, saved, dy, gradients, dx),
        }
    }

    /// The module as it is now, for inference. `values` are all numbers of the network.
    pub(crate) fn adapter<D: TrainingDevice>(
        &self,
        device: &D,
        values: &[f32],
    ) -> Result<Adapter<D>, AdapterError> {
        match self.kind {
            Kind::Lora => lora::adapter(self, device, values),
        }
    }

    /// What a file holds beside the matrices.
    pub(crate) fn constants(&self) -> candle_core::Result<Vec<(String, Tensor)>> {
        match self.kind {
            Kind::Lora => lora::constants(self),
        }
    }

    /// Norm of what the module adds to its layer's weight. `values` are all numbers of the network.
    pub fn change_norm(&self, values: &[f32]) -> f64 {
        match self.kind {
            Kind::Lora => lora::change_norm(self, values),
        }
    }
}

#[cfg(test)]
mod tests;
