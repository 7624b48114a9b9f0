//! Optimizers: how a network moves against its gradients. A closed set, one file for each.
//!
//! An optimizer's state in a checkpoint carries its name, so that no other takes it for its own.

mod adamw;

use candle_core::Tensor;
use diffusion::device::{DeviceError, TrainingDevice};
use protocol::recipe::Parameters;

pub use self::adamw::{AdamW, AdamWConfig};
use crate::{
    network::{Gradients, LoraNetwork},
    state::{Lookup, StateError},
};

/// An optimizer in the middle of a training.
pub trait Optimizer<D: TrainingDevice>: Send {
    /// Its name in checkpoints: that of its [`OptimizerConfig`].
    fn name(&self) -> &'static str;

    /// Moves the network against the gradients.
    ///
    /// # Errors
    /// If the device fails.
    fn step(
        &mut self,
        network: &mut LoraNetwork<D>,
        gradients: &Gradients<D>,
        learning_rate: f64,
    ) -> Result<(), DeviceError>;

    /// The state as named tensors, for a checkpoint.
    ///
    /// # Errors
    /// If the device fails.
    fn export(&self, network: &LoraNetwork<D>) -> candle_core::Result<Vec<(String, Tensor)>>;
}

/// Which optimizer, and its settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OptimizerConfig {
    /// Adam with decoupled weight decay: [`AdamW`].
    AdamW(AdamWConfig),
}

impl OptimizerConfig {
    /// What a recipe asks for.
    pub fn of(parameters: &Parameters) -> Self {
        Self::AdamW(AdamWConfig {
            weight_decay: parameters.weight_decay,
            ..AdamWConfig::default()
        })
    }

    /// The name of its state in checkpoints.
    pub fn name(self) -> &'static str {
        match self {
            Self::AdamW(_) => adamw::NAME,
        }
    }

    /// An optimizer that has done no step yet.
    ///
    /// # Errors
    /// If the device fails.
    pub fn start<D: TrainingDevice>(
        self,
        network: &LoraNetwork<D>,
    ) -> Result<Box<dyn Optimizer<D>>, DeviceError> {
        match self {
            Self::AdamW(config) => Ok(Box::new(AdamW::new(network, config)?)),
        }
    }

    /// An optimizer that goes on from a saved state.
    ///
    /// # Errors
    /// If the state does not fit the network.
    pub fn resume<D: TrainingDevice>(
        self,
        network: &LoraNetwork<D>,
        lookup: Lookup<'_>,
    ) -> Result<Box<dyn Optimizer<D>>, StateError> {
        match self {
            Self::AdamW(config) => Ok(Box::new(AdamW::import(network, config, lookup)?)),
        }
    }
}

#[cfg(test)]
mod tests;
