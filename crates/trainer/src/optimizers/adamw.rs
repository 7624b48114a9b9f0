//! AdamW (Loshchilov and Hutter 2019), with the defaults and the arithmetic of `torch.optim.AdamW`.

use candle_core::Tensor;
use diffusion::{
    cpu::Cpu,
    device::{Device, DeviceError, TrainingDevice},
    operation::{AdamWUpdate, Span},
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
pub(super) const NAME: &str = "adamw";

/// Constants of AdamW.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWConfig {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the denominator.
    pub eps: f64,
    /// Share of the weights, times the learning rate, that each step takes off.
    pub weight_decay: f64,
}

impl AdamWConfig {
    /// `torch.optim.AdamW`'s defaults, which sd-scripts trains with.
    pub const DEFAULT: Self = Self {
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
        weight_decay: 0.01,
    };
}

impl Default for AdamWConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// AdamW and its moments.
#[derive(Debug, Clone)]
pub struct AdamW<D: Device = Cpu> {
    config: AdamWConfig,
    n_steps: u32,
    first: D::Buffer,
    second: D::Buffer,
}

/// Names in a saved state.
const FIRST: &str = "first_moment";
const SECOND: &str = "second_moment";
const N_STEPS: &str = "n_steps";

impl<D: TrainingDevice> AdamW<D> {
    /// No step done yet.
    ///
    /// # Errors
    /// If the device fails.
    pub fn new(network: &LoraNetwork<D>, config: AdamWConfig) -> Result<Self, DeviceError> {
        let zeros = || network.device().buffer(vec![0.0; network.n_parameters()]);
        Ok(Self {
            config,
            n_steps: 0,
            first: zeros()?,
            second: zeros()?,
        })
    }

    /// Steps done.
    pub fn n_steps(&self) -> u32 {
        self.n_steps
    }

    /// Goes on from a saved state.
    ///
    /// # Errors
    /// If the state does not fit the network.
    pub fn import(
        network: &LoraNetwork<D>,
        config: AdamWConfig,
        lookup: Lookup<'_>,
    ) -> Result<Self, StateError> {
        let import = Import::of(network, lookup);
        Ok(Self {
            config,
            n_steps: import.count(N_STEPS)?,
            first: import.parallel(FIRST)?,
            second: import.parallel(SECOND)?,
        })
    }
}

impl AdamWConfig {
    /// What a step, counted from 1, does to each weight.
    pub(super) fn update(&self, step: u32, learning_rate: f64) -> AdamWUpdate {
        let Self {
            beta1,
            beta2,
            eps,
            weight_decay,
        } = *self;
        let correction1 = 1.0 - beta1.powf(f64::from(step));
        let correction2 = 1.0 - beta2.powf(f64::from(step));
        AdamWUpdate {
            decay: (1.0 - learning_rate * weight_decay) as f32,
            first: (1.0 - beta1) as f32,
            beta2: beta2 as f32,
            second: (1.0 - beta2) as f32,
            inv_root2: (1.0 / correction2.sqrt()) as f32,
            eps: eps as f32,
            step: (learning_rate / correction1) as f32,
        }
    }
}

impl<D: TrainingDevice> Optimizer<D> for AdamW<D> {
    fn name(&self) -> &'static str {
        NAME
    }

    fn step(
        &mut self,
        network: &mut LoraNetwork<D>,
        gradients: &Gradients<D>,
        rates: Rates<'_>,
    ) -> Result<(), DeviceError> {
        self.n_steps += 1;
        let device = network.device().clone();
        for (range, factor) in rates.moving(network.n_parameters()) {
            let update = self.config.update(self.n_steps, rates.rate * factor);
            let moments = [&mut self.first, &mut self.second];
            let (span, values) = (Span::parallel(range), network.values_mut());
            device.adamw(&update, span, values, gradients.values(), moments)?;
        }
        Ok(())
    }

    fn export(&self, network: &LoraNetwork<D>) -> candle_core::Result<Vec<(String, Tensor)>> {
        let export = Export::of(network).count(N_STEPS, self.n_steps)?;
        let export = export
            .parallel(FIRST, &self.first)?
            .parallel(SECOND, &self.second)?;
        Ok(export.into_tensors())
    }
}
