//! Optimizers: how a network moves against its gradients. A closed set, one file for each.
//!
//! An optimizer's state in a checkpoint carries its name, so that no other takes it for its own.

mod adafactor;
mod adamw;
mod adamw_8bit;
mod adamw_schedule_free;
mod came;
mod d_adaptation;
mod lion;
mod prodigy;
mod prodigy_schedule_free;
mod rates;
mod saved;

use candle_core::Tensor;
use diffusion::device::{DeviceError, TrainingDevice};
use protocol::{parameters, recipe::Parameters};

use self::{
    adafactor::Adafactor, adamw_8bit::AdamW8bit, adamw_schedule_free::AdamWScheduleFree, came::Came,
    d_adaptation::DAdaptation, lion::Lion, prodigy::Prodigy, prodigy_schedule_free::ProdigyScheduleFree,
};
pub use self::{
    adafactor::AdafactorConfig,
    adamw::{AdamW, AdamWConfig},
    adamw_8bit::AdamW8bitConfig,
    adamw_schedule_free::ScheduleFreeConfig,
    came::CameConfig,
    d_adaptation::DAdaptationConfig,
    lion::LionConfig,
    prodigy::ProdigyConfig,
    prodigy_schedule_free::ProdigyScheduleFreeConfig,
    rates::{Part, Rates},
};
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
        rates: Rates<'_>,
    ) -> Result<(), DeviceError>;

    /// The learning rate of the last step, for which the schedule said `rate`. Optimizers that find their own multiply it
    /// with what they found.
    fn effective_rate(&self, rate: f64) -> f64 {
        rate
    }

    /// The weights that the training is for, if they are not the ones that are trained.
    ///
    /// # Errors
    /// If the device fails.
    fn averaged(&self, network: &LoraNetwork<D>) -> Result<Option<D::Buffer>, DeviceError> {
        let _ = network;
        Ok(None)
    }

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
    /// AdamW with moments in eight bits.
    AdamW8bit(AdamW8bitConfig),
    /// Second moments as means of rows and columns.
    Adafactor(AdafactorConfig),
    /// The sign of a momentum.
    Lion(LionConfig),
    /// AdamW that finds its own learning rate.
    Prodigy(ProdigyConfig),
    /// Prodigy without a schedule.
    ProdigyScheduleFree(ProdigyScheduleFreeConfig),
    /// Adam that finds its own learning rate, by the older method.
    DAdaptation(DAdaptationConfig),
    /// AdamW without a schedule.
    AdamWScheduleFree(ScheduleFreeConfig),
    /// Adafactor that trusts its steps the less, the more they differ.
    Came(CameConfig),
}

impl OptimizerConfig {
    /// What a recipe asks for.
    pub fn of(p: &Parameters) -> Self {
        use parameters::Optimizer;
        let argument = |name: &str| p.optimizer_number(name);
        let adamw = AdamWConfig {
            beta1: p.beta1,
            beta2: p.beta2,
            eps: p.epsilon,
            weight_decay: p.weight_decay,
        };
        match p.optimizer {
            Optimizer::Adamw => Self::AdamW(adamw),
            Optimizer::Adamw8bit => Self::AdamW8bit(AdamW8bitConfig {
                adamw,
                min_len: argument("min_8bit_size") as usize,
            }),
            Optimizer::Adafactor => Self::Adafactor(AdafactorConfig {
                is_relative: p.optimizer_switch("relative_step"),
                scales_by_size: p.optimizer_switch("scale_parameter"),
                warms_up: p.optimizer_switch("warmup_init"),
                clip_threshold: argument("clip_threshold"),
                decay_rate: argument("decay_rate"),
                beta1: argument("beta1"),
                eps: [argument("eps1"), argument("eps2")],
                weight_decay: p.weight_decay,
            }),
            Optimizer::Lion => Self::Lion(LionConfig {
                beta1: p.beta1,
                beta2: p.beta2,
                weight_decay: p.weight_decay,
            }),
            Optimizer::Prodigy => Self::Prodigy(ProdigyConfig {
                beta1: p.beta1,
                beta2: p.beta2,
                beta3: match argument("beta3") {
                    0.0 => p.beta2.sqrt(),
                    beta3 => beta3,
                },
                eps: p.epsilon,
                weight_decay: p.weight_decay,
                is_decoupled: p.optimizer_switch("decouple"),
                corrects_bias: p.optimizer_switch("use_bias_correction"),
                guards_warmup: p.optimizer_switch("safeguard_warmup"),
                d0: argument("d0"),
                d_coef: argument("d_coef"),
                growth_rate: argument("growth_rate"),
                stride: argument("slice_p").max(1.0) as usize,
            }),
            Optimizer::ProdigyScheduleFree => Self::ProdigyScheduleFree(ProdigyScheduleFreeConfig {
                beta1: p.beta1,
                beta2: p.beta2,
                eps: p.epsilon,
                weight_decay: p.weight_decay,
                d0: argument("d0"),
                d_coef: argument("d_coef"),
                n_adapting_steps: argument("prodigy_steps") as u32,
            }),
            Optimizer::DAdaptation => Self::DAdaptation(DAdaptationConfig {
                beta1: p.beta1,
                beta2: p.beta2,
                eps: p.epsilon,
                weight_decay: p.weight_decay,
                is_decoupled: p.optimizer_switch("decouple"),
                corrects_bias: p.optimizer_switch("use_bias_correction"),
                d0: argument("d0"),
                growth_rate: argument("growth_rate"),
            }),
            Optimizer::AdamwScheduleFree => Self::AdamWScheduleFree(ScheduleFreeConfig {
                adamw,
                power: argument("r"),
                rate_power: argument("weight_lr_power"),
            }),
            Optimizer::Came => Self::Came(CameConfig {
                beta1: p.beta1,
                beta2: p.beta2,
                beta3: argument("beta3"),
                clip_threshold: argument("clip_threshold"),
                eps: [argument("eps1"), argument("eps2")],
                weight_decay: p.weight_decay,
            }),
        }
    }

    /// The name of its state in checkpoints.
    pub fn name(self) -> &'static str {
        match self {
            Self::AdamW(_) => adamw::NAME,
            Self::AdamW8bit(_) => adamw_8bit::NAME,
            Self::Adafactor(_) => adafactor::NAME,
            Self::Lion(_) => lion::NAME,
            Self::Prodigy(_) => prodigy::NAME,
            Self::ProdigyScheduleFree(_) => prodigy_schedule_free::NAME,
            Self::DAdaptation(_) => d_adaptation::NAME,
            Self::AdamWScheduleFree(_) => adamw_schedule_free::NAME,
            Self::Came(_) => came::NAME,
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
        let optimizer: Box<dyn Optimizer<D>> = match self {
            Self::AdamW(config) => Box::new(AdamW::new(network, config)?),
            Self::AdamW8bit(config) => Box::new(AdamW8bit::new(network, config)?),
            Self::Adafactor(config) => Box::new(Adafactor::new(network, config)?),
            Self::Lion(config) => Box::new(Lion::new(network, config)?),
            Self::Prodigy(config) => Box::new(Prodigy::new(network, config)?),
            Self::ProdigyScheduleFree(config) => Box::new(ProdigyScheduleFree::new(network, config)?),
            Self::DAdaptation(config) => Box::new(DAdaptation::new(network, config)?),
            Self::AdamWScheduleFree(config) => Box::new(AdamWScheduleFree::new(network, config)?),
            Self::Came(config) => Box::new(Came::new(network, config)?),
        };
        Ok(optimizer)
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
        let optimizer: Box<dyn Optimizer<D>> = match self {
            Self::AdamW(config) => Box::new(AdamW::import(network, config, lookup)?),
            Self::AdamW8bit(config) => Box::new(AdamW8bit::import(network, config, lookup)?),
            Self::Adafactor(config) => Box::new(Adafactor::import(network, config, lookup)?),
            Self::Lion(config) => Box::new(Lion::import(network, config, lookup)?),
            Self::Prodigy(config) => Box::new(Prodigy::import(network, config, lookup)?),
            Self::ProdigyScheduleFree(config) => {
                Box::new(ProdigyScheduleFree::import(network, config, lookup)?)
            }
            Self::DAdaptation(config) => Box::new(DAdaptation::import(network, config, lookup)?),
            Self::AdamWScheduleFree(config) => Box::new(AdamWScheduleFree::import(network, config, lookup)?),
            Self::Came(config) => Box::new(Came::import(network, config, lookup)?),
        };
        Ok(optimizer)
    }
}

#[cfg(test)]
mod tests;
