//! AdamW (Loshchilov and Hutter 2019), with the defaults and the arithmetic of `torch.optim.AdamW`.

use candle_core::Tensor;
use diffusion::{
    cpu::Cpu,
    device::{Device, DeviceError, HOST, TrainingDevice},
    operation::AdamWUpdate,
};

use super::Optimizer;
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
        let n_steps = lookup(N_STEPS).ok_or_else(|| StateError::Missing { name: N_STEPS.into() })?;
        let n_steps = n_steps.to_scalar().map_err(|err| StateError::Read {
            name: N_STEPS.into(),
            err,
        })?;
        let moments = |prefix: &str| {
            let moments = network
                .collect(&|name| lookup(&format!("{prefix}.{name}")))
                .map_err(|err| match err {
                    StateError::Missing { name } => StateError::Missing {
                        name: format!("{prefix}.{name}"),
                    },
                    err => err,
                })?;
            network.device().buffer(moments).map_err(StateError::Device)
        };
        Ok(Self {
            config,
            n_steps,
            first: moments(FIRST)?,
            second: moments(SECOND)?,
        })
    }

    /// What the step whose number is counted already does to each weight.
    fn update(&self, learning_rate: f64) -> AdamWUpdate {
        let AdamWConfig {
            beta1,
            beta2,
            eps,
            weight_decay,
        } = self.config;
        let correction1 = 1.0 - beta1.powf(f64::from(self.n_steps));
        let correction2 = 1.0 - beta2.powf(f64::from(self.n_steps));
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
        learning_rate: f64,
    ) -> Result<(), DeviceError> {
        self.n_steps += 1;
        let update = self.update(learning_rate);
        let moments = [&mut self.first, &mut self.second];
        let device = network.device().clone();
        device.adamw(&update, network.values_mut(), gradients.values(), moments)
    }

    fn export(&self, network: &LoraNetwork<D>) -> candle_core::Result<Vec<(String, Tensor)>> {
        let mut tensors = vec![(N_STEPS.to_owned(), Tensor::new(self.n_steps, &HOST)?)];
        for (prefix, moments) in [(FIRST, &self.first), (SECOND, &self.second)] {
            let named = network.named(moments)?.into_iter();
            tensors.extend(named.map(|(name, tensor)| (format!("{prefix}.{name}"), tensor)));
        }
        Ok(tensors)
    }
}
