//! Prodigy (Mishchenko and Defazio 2023, "Prodigy: An Expeditiously Adaptive Parameter-Free Learner"), with the arithmetic of
//! the package prodigyopt: AdamW that estimates its own learning rate d from how far it has come. The recipe's learning rate
//! multiplies it, and is usually 1.
//!
//! d is estimated from all parts that move, as if they had one learning rate; each part then moves with its own share of it.

use std::ops::Range;

use candle_core::Tensor;
use diffusion::{
    device::{Adapting, Device, DeviceError, TrainingDevice},
    operation::{AdamMove, AdaptUpdate, Estimate, Running, Span},
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
pub(super) const NAME: &str = "prodigy";

/// Constants of Prodigy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProdigyConfig {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Decay of the estimate; usually the root of β₂.
    pub beta3: f64,
    /// Added to the denominator, times d.
    pub eps: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// Weights decay by themselves, as in AdamW, and not through their gradients.
    pub is_decoupled: bool,
    /// Moments are corrected for having begun at zero.
    pub corrects_bias: bool,
    /// The estimate leaves the learning rate out of its denominator, so that a warm-up does not make it too large.
    pub guards_warmup: bool,
    /// d at the beginning.
    pub d0: f64,
    /// Factor of the estimate.
    pub d_coef: f64,
    /// Most that d grows by in one step.
    pub growth_rate: f64,
    /// d is estimated from every so many values of a matrix (`slice_p`).
    pub stride: usize,
}

/// Prodigy and its state.
#[derive(Debug)]
pub(super) struct Prodigy<D: Device> {
    config: ProdigyConfig,
    n_steps: u32,
    d: f64,
    /// The largest estimate so far.
    d_max: f64,
    numerator: f64,
    /// What the learning rate was multiplied with in the last step.
    multiplier: f64,
    /// The parameters as they began.
    origin: D::Buffer,
    first: D::Buffer,
    second: D::Buffer,
    sum: D::Buffer,
}

/// Names in a saved state.
const N_STEPS: &str = "n_steps";
const ESTIMATE: &str = "estimate";
const ORIGIN: &str = "origin";
const FIRST: &str = "first_moment";
const SECOND: &str = "second_moment";
const SUM: &str = "gradient_sum";

impl<D: TrainingDevice> Prodigy<D> {
    pub(super) fn new(network: &LoraNetwork<D>, config: ProdigyConfig) -> Result<Self, DeviceError> {
        let zeros = || network.device().buffer(vec![0.0; network.n_parameters()]);
        Ok(Self {
            config,
            n_steps: 0,
            d: config.d0,
            d_max: config.d0,
            numerator: 0.0,
            multiplier: config.d0,
            origin: network.values().clone(),
            first: zeros()?,
            second: zeros()?,
            sum: zeros()?,
        })
    }

    pub(super) fn import(
        network: &LoraNetwork<D>,
        config: ProdigyConfig,
        lookup: Lookup<'_>,
    ) -> Result<Self, StateError> {
        let import = Import::of(network, lookup);
        let [d, d_max, numerator, multiplier] = import.numbers(ESTIMATE)?;
        Ok(Self {
            config,
            n_steps: import.count(N_STEPS)?,
            d,
            d_max,
            numerator,
            multiplier,
            origin: import.parallel(ORIGIN)?,
            first: import.parallel(FIRST)?,
            second: import.parallel(SECOND)?,
            sum: import.parallel(SUM)?,
        })
    }

    /// Takes an estimate in, whose product counts `weight`.
    fn adapt(&mut self, estimate: Estimate, weight: f64) {
        let config = &self.config;
        self.numerator = self.numerator * config.beta3 + weight * estimate.product;
        let found = config.d_coef * self.numerator / estimate.magnitude;
        if self.d == config.d0 {
            self.d = self.d.max(found);
        }
        self.d_max = self.d_max.max(found);
        self.d = self.d_max.min(self.d * config.growth_rate);
    }
}

/// √(1 − β₂ᵗ) / (1 − β₁ᵗ), for moments that began at zero.
pub(super) fn bias_correction(beta1: f64, beta2: f64, step: u32) -> f64 {
    let step = f64::from(step);
    (1.0 - beta2.powf(step)).sqrt() / (1.0 - beta1.powf(step))
}

impl<D: TrainingDevice> Optimizer<D> for Prodigy<D> {
    fn name(&self) -> &'static str {
        NAME
    }

    fn step(
        &mut self,
        network: &mut LoraNetwork<D>,
        gradients: &Gradients<D>,
        rates: Rates<'_>,
    ) -> Result<(), DeviceError> {
        let (config, d) = (self.config, self.d);
        let correction = if config.corrects_bias {
            bias_correction(config.beta1, config.beta2, self.n_steps + 1)
        } else {
            1.0
        };
        self.multiplier = d * correction;
        let rate = self.multiplier * rates.rate;
        // The first step of a warm-up says nothing.
        if rate == 0.0 {
            return Ok(());
        }
        let (device, n_parameters) = (network.device().clone(), network.n_parameters());
        let sum = d / config.d0 * if config.guards_warmup { d } else { rate };
        let coupled = if config.is_decoupled {
            0.0
        } else {
            config.weight_decay
        };
        let update = AdaptUpdate {
            coupled: coupled as f32,
            first: Running::scaled(config.beta1, d),
            second: Running::scaled(config.beta2, d * d),
            sum: Running {
                keep: config.beta3 as f32,
                take: sum as f32,
            },
            eps: 0.0,
            stride: config.stride,
        };
        let mut estimate = Estimate::default();
        // Values are counted from the first of each matrix, unless all count.
        let spans: Vec<Range<usize>> = match config.stride {
            1 => rates.moving(n_parameters).map(|(range, _)| range).collect(),
            _ => {
                let ranges = network.parameters().map(|parameter| parameter.place.range());
                ranges.filter(|range| rates.factor(range.start) > 0.0).collect()
            }
        };
        for range in spans {
            let (span, values) = (Span::parallel(range), network.values());
            let state = Adapting {
                first: &mut self.first,
                second: &mut self.second,
                sum: &mut self.sum,
            };
            estimate += device.prodigy(&update, span, values, gradients.values(), &self.origin, state)?;
        }
        if estimate.magnitude == 0.0 {
            return Ok(());
        }
        self.adapt(estimate, d / config.d0 * rate);
        for (range, factor) in rates.moving(n_parameters) {
            let decay = if config.is_decoupled {
                config.weight_decay
            } else {
                0.0
            };
            let step = AdamMove {
                decay: (1.0 - decay * rate * factor) as f32,
                step: (rate * factor) as f32,
                eps: (self.d * config.eps) as f32,
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
        let numbers = [self.d, self.d_max, self.numerator, self.multiplier];
        let export = Export::of(network)
            .count(N_STEPS, self.n_steps)?
            .numbers(ESTIMATE, &numbers)?
            .parallel(ORIGIN, &self.origin)?
            .parallel(FIRST, &self.first)?
            .parallel(SECOND, &self.second)?
            .parallel(SUM, &self.sum)?;
        Ok(export.into_tensors())
    }
}
