//! Lion (Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms"): every weight moves by the learning rate, in the
//! direction of a sign. A tenth to a third of AdamW's learning rate is usual.

use candle_core::Tensor;
use diffusion::{
    device::{Device, DeviceError, TrainingDevice},
    operation::{LionUpdate, Running, Span},
};

use super::{
    Optimizer, Rates,
    saved::{Export, Import},
};
use crate::{
    network::{Gradients, LoraNetwork},
    state::{Lookup, StateError},
};

/// The optimizer's name in checkpoints.
pub(super) const NAME: &str = "lion";

/// Constants of Lion.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LionConfig {
    /// How far the momentum looks ahead.
    pub beta1: f64,
    /// Decay of the momentum.
    pub beta2: f64,
    /// Share of the weights, times the learning rate, that each step takes off.
    pub weight_decay: f64,
}

/// Lion and its momentum.
#[derive(Debug)]
pub(super) struct Lion<D: Device> {
    config: LionConfig,
    momentum: D::Buffer,
}

const MOMENTUM: &str = "momentum";

impl<D: TrainingDevice> Lion<D> {
    pub(super) fn new(network: &LoraNetwork<D>, config: LionConfig) -> Result<Self, DeviceError> {
        let momentum = network.device().buffer(vec![0.0; network.n_parameters()])?;
        Ok(Self { config, momentum })
    }

    pub(super) fn import(
        network: &LoraNetwork<D>,
        config: LionConfig,
        lookup: Lookup<'_>,
    ) -> Result<Self, StateError> {
        let momentum = Import::of(network, lookup).parallel(MOMENTUM)?;
        Ok(Self { config, momentum })
    }
}

impl<D: TrainingDevice> Optimizer<D> for Lion<D> {
    fn name(&self) -> &'static str {
        NAME
    }

    fn step(
        &mut self,
        network: &mut LoraNetwork<D>,
        gradients: &Gradients<D>,
        rates: Rates<'_>,
    ) -> Result<(), DeviceError> {
        let device = network.device().clone();
        for (range, factor) in rates.moving(network.n_parameters()) {
            let rate = rates.rate * factor;
            let update = LionUpdate {
                decay: (1.0 - rate * self.config.weight_decay) as f32,
                rate: rate as f32,
                ahead: Running::of(self.config.beta1),
                first: Running::of(self.config.beta2),
            };
            let (span, values) = (Span::parallel(range), network.values_mut());
            device.lion(&update, span, values, gradients.values(), &mut self.momentum)?;
        }
        Ok(())
    }

    fn export(&self, network: &LoraNetwork<D>) -> candle_core::Result<Vec<(String, Tensor)>> {
        Ok(Export::of(network)
            .parallel(MOMENTUM, &self.momentum)?
            .into_tensors())
    }
}
