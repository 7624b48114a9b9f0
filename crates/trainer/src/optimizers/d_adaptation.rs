//! D-Adaptation for Adam (Defazio and Mishchenko 2023, "Learning-Rate-Free Learning by D-Adaptation"), with the arithmetic of
//! `dadaptation.DAdaptAdam`: Adam that estimates its own learning rate d. The recipe's learning rate multiplies it, and is
//! usually 1. A part with its own share of the learning rate is what the package calls a layer with its own scale.

use candle_core::Tensor;
use diffusion::{
    device::{Adapting, Device, DeviceError, TrainingDevice},
    operation::{AdamMove, AdaptUpdate, Estimate, Running, Span},
};

use super::{
    Optimizer, Rates,
    prodigy::bias_correction,
    saved::{Export, Import},
};
use crate::{
    network::{Gradients, LoraNetwork},
    state::{Lookup, StateError},
};

/// The optimizer's name in checkpoints.
pub(super) const NAME: &str = "d_adaptation";

/// Constants of D-Adaptation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DAdaptationConfig {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment. Its root is the decay of the estimate.
    pub beta2: f64,
    /// Added to the denominator.
    pub eps: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// Weights decay by themselves, as in AdamW, and not through their gradients.
    pub is_decoupled: bool,
    /// Moments are corrected for having begun at zero.
    pub corrects_bias: bool,
    /// d at the beginning.
    pub d0: f64,
    /// Most that d grows by in one step.
    pub growth_rate: f64,
}

/// D-Adaptation and its state.
#[derive(Debug)]
pub(super) struct DAdaptation<D: Device> {
    config: DAdaptationConfig,
    n_steps: u32,
    d: f64,
    numerator: f64,
    /// What the learning rate was multiplied with in the last step.
    multiplier: f64,
    /// It holds steps, not gradients: the learning rate of each is in it.
    first: D::Buffer,
    second: D::Buffer,
    sum: D::Buffer,
}

/// Names in a saved state.
const N_STEPS: &str = "n_steps";
const ESTIMATE: &str = "estimate";
const FIRST: &str = "first_moment";
const SECOND: &str = "second_moment";
const SUM: &str = "gradient_sum";

impl<D: TrainingDevice> DAdaptation<D> {
    pub(super) fn new(network: &LoraNetwork<D>, config: DAdaptationConfig) -> Result<Self, DeviceError> {
        let zeros = || network.device().buffer(vec![0.0; network.n_parameters()]);
        Ok(Self {
            config,
            n_steps: 0,
            d: config.d0,
            numerator: 0.0,
            multiplier: config.d0,
            first: zeros()?,
            second: zeros()?,
            sum: zeros()?,
        })
    }

    pub(super) fn import(
        network: &LoraNetwork<D>,
        config: DAdaptationConfig,
        lookup: Lookup<'_>,
    ) -> Result<Self, StateError> {
        let import = Import::of(network, lookup);
        let [d, numerator, multiplier] = import.numbers(ESTIMATE)?;
        Ok(Self {
            config,
            n_steps: import.count(N_STEPS)?,
            d,
            numerator,
            multiplier,
            first: import.parallel(FIRST)?,
            second: import.parallel(SECOND)?,
            sum: import.parallel(SUM)?,
        })
    }
}

impl<D: TrainingDevice> Optimizer<D> for DAdaptation<D> {
    fn name(&self) -> &'static str {
        NAME
    }

    fn step(
        &mut self,
        network: &mut LoraNetwork<D>,
        gradients: &Gradients<D>,
        rates: Rates<'_>,
    ) -> Result<(), DeviceError> {
        let config = self.config;
        let correction = if config.corrects_bias {
            bias_correction(config.beta1, config.beta2, self.n_steps + 1)
        } else {
            1.0
        };
        self.multiplier = self.d * correction;
        let rate = self.multiplier * rates.rate;
        // The first step of a warm-up says nothing.
        if rate == 0.0 {
            return Ok(());
        }
        let (device, n_parameters) = (network.device().clone(), network.n_parameters());
        let root = config.beta2.sqrt();
        let coupled = if config.is_decoupled {
            0.0
        } else {
            config.weight_decay
        };
        let mut estimate = Estimate::default();
        for (range, factor) in rates.moving(n_parameters) {
            let update = AdaptUpdate {
                coupled: coupled as f32,
                first: Running::scaled(config.beta1, factor * rate),
                second: Running::of(config.beta2),
                sum: Running::scaled(root, rate),
                eps: config.eps as f32,
                stride: 1,
            };
            let (span, values) = (Span::parallel(range), network.values());
            let state = Adapting {
                first: &mut self.first,
                second: &mut self.second,
                sum: &mut self.sum,
            };
            let part = device.d_adaptation(&update, span, values, gradients.values(), state)?;
            estimate.product += factor * rate * part.product;
            estimate.magnitude += factor * part.magnitude;
        }
        if estimate.magnitude == 0.0 {
            return Ok(());
        }
        self.numerator = root * self.numerator + (1.0 - root) * estimate.product;
        let found = self.numerator / ((1.0 - root) * estimate.magnitude);
        self.d = self.d.max(found.min(self.d * config.growth_rate));
        for (range, _) in rates.moving(n_parameters) {
            let decay = if config.is_decoupled {
                config.weight_decay
            } else {
                0.0
            };
            let step = AdamMove {
                decay: (1.0 - decay * rate) as f32,
                step: 1.0,
                eps: config.eps as f32,
            };
            let moments = [&self.first, &self.second];
            device.adam_move(&step, Span::parallel(range), network.values_mut(), moments)?;
        }
        self.n_steps += 1;
        Ok(())
    }

    fn effective_rate(&self, rate: f64) -> f64 {
        self.multiplier * rate
    }

    fn export(&self, network: &LoraNetwork<D>) -> candle_core::Result<Vec<(String, Tensor)>> {
        let export = Export::of(network)
            .count(N_STEPS, self.n_steps)?
            .numbers(ESTIMATE, &[self.d, self.numerator, self.multiplier])?
            .parallel(FIRST, &self.first)?
            .parallel(SECOND, &self.second)?
            .parallel(SUM, &self.sum)?;
        Ok(export.into_tensors())
    }
}
