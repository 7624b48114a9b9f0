//! Kinds of LoRA: what is trained beside a frozen layer. A closed set, one file for each.
//!
//! A kind says which matrices a module has, how they begin, what they add to the layer's result, and how a gradient
//! flows back. It is written in operations of a device, and in nothing else.

mod dense;
mod dora;
mod layer;
mod loha;
mod lokr;
mod lora;
mod moment;
mod parameter;

use std::fmt;

use candle_core::Tensor;
use diffusion::{
    device::{DeviceError, TrainingDevice},
    layers::LoraTarget,
    lora::LoraModule,
    operation::Place,
    random::Random,
};
use protocol::{parameters::LoraKind, recipe::Parameters};

pub(crate) use self::layer::Layer;
pub use self::{
    lokr::Division,
    moment::{Draws, Dropout, Moment},
    parameter::Parameter,
};
use crate::state::{Lookup, StateError};

/// Which kind of LoRA.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Kind {
    /// Two low-rank matrices (Hu et al. 2021).
    #[default]
    Lora,
    /// The same, with a learned length of each row of the weight (Liu et al. 2024).
    Dora,
    /// An elementwise product of two low-rank products (Hyeon-Woo et al. 2022).
    Loha,
    /// A Kronecker product (Edalati et al. 2022).
    Lokr {
        /// Most rows and columns of its smaller part; 0 divides as evenly as possible.
        factor: usize,
    },
    /// A LoRA whose rank shrinks towards noise (Soboleva et al. 2025).
    TLora {
        /// The rank that is left at pure noise.
        min_rank: usize,
        /// How fast it shrinks.
        power: f64,
    },
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lora => "LoRA",
            Self::Dora => "DoRA",
            Self::Loha => "LoHa",
            Self::Lokr { .. } => "LoKr",
            Self::TLora { .. } => "T-LoRA",
        })
    }
}

/// What is to be trained beside one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// How.
    pub kind: Kind,
    /// The layer.
    pub target: LoraTarget,
    /// Rank and alpha.
    pub sizes: Sizes,
    /// Its learning rate as a share of the recipe's. At 0 it stays as it begins.
    pub rate: f64,
    /// What is left out of it by chance.
    pub dropout: Dropout,
    /// Of a DoRA: the lengths of the rows of the layer's weight, which it begins with. They are measured last.
    pub lengths: Vec<f32>,
    /// Of a LoKr: how it divides the weight.
    pub division: Option<Division>,
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
    /// Its learning rate as a share of the recipe's.
    pub rate: f64,
    /// What is left out of it by chance.
    pub dropout: Dropout,
    /// Of a DoRA: the lengths that it begins with.
    lengths: Vec<f32>,
    /// Of a LoKr: how it divides the weight.
    division: Option<Division>,
    /// Where its first matrix begins in the buffer.
    pub start: usize,
}

/// Rank and alpha of a module.
#[derive(Debug, Clone, Copy, PartialEq)]
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
    /// Of the kinds that change the weight.
    Dense(dense::Saved<D>),
    /// Of a module that was left out: the layer's input.
    Skipped(D::Tensor),
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
    /// What a recipe asks for.
    pub fn of(p: &Parameters) -> Self {
        match p.kind {
            LoraKind::Lora => Self::Lora,
            LoraKind::Dora => Self::Dora,
            LoraKind::Loha => Self::Loha,
            LoraKind::Lokr => Self::Lokr {
                factor: usize::from(p.lokr_factor),
            },
            LoraKind::TLora => Self::TLora {
                min_rank: usize::from(p.t_lora_min_rank),
                power: p.t_lora_power,
            },
        }
    }

    /// A layer's module in a file, whatever its kind; `None` if the file has none.
    ///
    /// # Errors
    /// If its tensors do not fit the layer.
    pub(crate) fn find(target: LoraTarget, lookup: Lookup<'_>) -> Result<Option<Planned>, StateError> {
        // What says that a LoRA is a DoRA stands beside what every LoRA has.
        if let Some(sizes) = dora::find(&target, lookup)? {
            return Ok(Some(Planned::new(Self::Dora, target, sizes)));
        }
        if let Some(sizes) = lora::find(&target, lookup)? {
            return Ok(Some(Planned::new(Self::Lora, target, sizes)));
        }
        if let Some(sizes) = loha::find(&target, lookup)? {
            return Ok(Some(Planned::new(Self::Loha, target, sizes)));
        }
        let found = lokr::find(&target, lookup)?;
        Ok(found.map(|(sizes, division)| Planned {
            division: Some(division),
            ..Planned::new(Self::Lokr { factor: 0 }, target, sizes)
        }))
    }
}

impl Planned {
    /// With the recipe's own learning rate.
    pub fn new(kind: Kind, target: LoraTarget, sizes: Sizes) -> Self {
        let division = match kind {
            Kind::Lokr { factor } => Some(Division::new(&target, sizes.rank, factor)),
            Kind::Lora | Kind::TLora { .. } | Kind::Dora | Kind::Loha => None,
        };
        Self {
            kind,
            target,
            sizes,
            rate: 1.0,
            dropout: Dropout::default(),
            lengths: Vec::new(),
            division,
        }
    }

    /// The module, whose numbers begin at `start` in the buffer.
    pub(crate) fn place(self, start: usize) -> Module {
        let Self {
            kind,
            target,
            sizes: Sizes { rank, alpha },
            rate,
            dropout,
            lengths,
            division,
        } = self;
        Module {
            kind,
            target,
            rank,
            alpha,
            rate,
            dropout,
            lengths,
            division,
            start,
        }
    }
}

impl Module {
    /// Its matrices, in the order in which they lie in the buffer.
    pub fn parameters(&self) -> Vec<Parameter> {
        match self.kind {
            Kind::Lora | Kind::TLora { .. } => lora::parameters(self),
            Kind::Dora => dora::parameters(self),
            Kind::Loha => loha::parameters(self),
            Kind::Lokr { .. } => lokr::parameters(self),
        }
    }

    /// What its product is multiplied by.
    pub(crate) fn scale(&self) -> f64 {
        match self.kind {
            Kind::Lokr { .. } => f64::from(lokr::scale(self)),
            Kind::Lora | Kind::TLora { .. } | Kind::Dora | Kind::Loha => self.alpha / self.rank as f64,
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
            Kind::Lora | Kind::TLora { .. } => lora::initialize(self, values, random),
            Kind::Dora => dora::initialize(self, values, random),
            Kind::Loha => loha::initialize(self, values, random),
            Kind::Lokr { .. } => lokr::initialize(self, values, random),
        }
    }

    /// The result of the layer for its input with the module.
    pub(crate) fn forward<D: TrainingDevice>(
        &self,
        numbers: Numbers<'_, D>,
        pass: Pass<'_, D>,
    ) -> Result<(D::Tensor, Saved<D>), DeviceError> {
        if pass.moment.skips(self) {
            let y = pass.layer.forward(numbers.device, pass.x)?;
            return Ok((y, Saved::Skipped(pass.x.clone())));
        }
        match self.kind {
            Kind::Lora | Kind::TLora { .. } => {
                let (y, saved) = lora::forward(self, numbers, pass)?;
                Ok((y, Saved::Lora(saved)))
            }
            Kind::Dora | Kind::Loha | Kind::Lokr { .. } => {
                let (y, saved) = dense::forward(self, numbers, pass)?;
                Ok((y, Saved::Dense(saved)))
            }
        }
    }

    /// Adds the gradients of the module's matrices to `gradients`, and gives the gradient of its input where one is
    /// wanted.
    pub(crate) fn backward<D: TrainingDevice>(
        &self,
        numbers: Numbers<'_, D>,
        passed: Passed<'_, D>,
        dy: &D::Tensor,
        gradients: &mut D::Buffer,
    ) -> Result<Option<D::Tensor>, DeviceError> {
        match passed.saved {
            Saved::Lora(saved) => lora::backward(self, numbers, (passed, saved), dy, gradients),
            Saved::Dense(saved) => dense::backward(self, numbers, (passed, saved), dy, gradients),
            Saved::Skipped(x) => passed
                .wants_input
                .then(|| passed.layer.grad(numbers.device, dy, x))
                .transpose(),
        }
    }

    /// The module as it is now, as a file has it. `values` are all numbers of the network.
    pub(crate) fn change(&self, values: &[f32]) -> candle_core::Result<LoraModule> {
        match self.kind {
            Kind::Lora | Kind::TLora { .. } => lora::change(self, values),
            Kind::Dora => dora::change(self, values),
            Kind::Loha => loha::change(self, values),
            Kind::Lokr { .. } => lokr::change(self, values),
        }
    }

    /// The module's tensors in the file that people use: what is applied in inference. Only a T-LoRA has others in a
    /// checkpoint.
    pub(crate) fn file_tensors(&self, values: &[f32]) -> candle_core::Result<Vec<(String, Tensor)>> {
        let mut tensors = Vec::new();
        for parameter in self.parameters() {
            let tensor = parameter.tensor(values)?;
            tensors.push((parameter.name, tensor));
        }
        if let Kind::TLora { .. } = self.kind {
            lora::settle(self, &mut tensors)?;
        }
        tensors.extend(self.constants()?);
        Ok(tensors)
    }

    /// What a file holds beside the matrices.
    pub(crate) fn constants(&self) -> candle_core::Result<Vec<(String, Tensor)>> {
        match self.kind {
            Kind::Lora | Kind::TLora { .. } | Kind::Dora | Kind::Loha => lora::constants(self),
            Kind::Lokr { .. } => lokr::constants(self),
        }
    }

    /// Norm of what the module's matrices make, before a DoRA brings the rows to their lengths. `values` are all numbers
    /// of the network.
    pub(crate) fn factors_norm(&self, values: &[f32]) -> f64 {
        match self.kind {
            Kind::Lora | Kind::TLora { .. } | Kind::Dora => lora::change_norm(self, values),
            Kind::Loha => loha::change_norm(self, values),
            Kind::Lokr { .. } => lokr::change_norm(self, values),
        }
    }

    /// The matrices that are scaled to scale what the module adds.
    pub(crate) fn scaled_places(&self) -> Vec<Place> {
        match self.kind {
            Kind::Lora | Kind::TLora { .. } | Kind::Dora => lora::places(self).into(),
            // The first matrix alone, as LyCORIS' `scalar` does.
            Kind::Loha | Kind::Lokr { .. } => self.parameters()[..1].iter().map(|p| p.place).collect(),
        }
    }

    /// Norm of what the module adds to its layer's weight. `values` are all numbers of the network; `weight` gives the
    /// layer's own where the change hangs on it, or would have to be formed.
    ///
    /// # Errors
    /// If the weight cannot be read.
    pub(crate) fn change_norm(
        &self,
        values: &[f32],
        weight: impl FnOnce() -> candle_core::Result<Tensor>,
    ) -> candle_core::Result<f64> {
        if let Kind::Lora | Kind::Loha | Kind::Lokr { .. } = self.kind {
            return Ok(self.factors_norm(values));
        }
        let Some(delta) = self.change(values)?.delta_for(&weight()?)? else {
            return Ok(0.0);
        };
        let numbers: Vec<f32> = delta.flatten_all()?.to_vec1()?;
        let squares: f64 = numbers.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
        Ok(squares.sqrt())
    }
}

/// What a forward pass goes through.
#[derive(Debug)]
pub(crate) struct Pass<'a, D: TrainingDevice> {
    /// The frozen layer.
    pub(crate) layer: &'a Layer<D>,
    /// Its input.
    pub(crate) x: &'a D::Tensor,
    /// What else the result depends on.
    pub(crate) moment: &'a Moment,
}

impl<D: TrainingDevice> Clone for Pass<'_, D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D: TrainingDevice> Copy for Pass<'_, D> {}

/// What a backward pass comes back to.
#[derive(Debug)]
pub(crate) struct Passed<'a, D: TrainingDevice> {
    /// The frozen layer.
    pub(crate) layer: &'a Layer<D>,
    /// What the forward pass kept.
    pub(crate) saved: &'a Saved<D>,
    /// Whether the input needs a gradient.
    pub(crate) wants_input: bool,
}

impl<D: TrainingDevice> Clone for Passed<'_, D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D: TrainingDevice> Copy for Passed<'_, D> {}

#[cfg(test)]
mod tests;
