//! Prodigy without a schedule, with the arithmetic of `prodigyplus.ProdigyPlusScheduleFree` 2.0 with second moments in full
//! (`factored=False`) and one estimate for all parts (`split_groups=False`), its other options as they are by default: schedule-free AdamW whose learning rate is
//! Prodigy's estimate d, times the recipe's, which is usually 1.

use candle_core::Tensor;
use diffusion::{
    device::{Device, DeviceError, TrainingDevice, Wandering},
    operation::{Estimate, Place, ProdigyScheduleFreeUpdate, Running, ScheduleFreeMove},
};

use super::{
    Optimizer, Rates,
    adamw_schedule_free::{average, share},
    saved::{Export, Import},
};
use crate::{
    network::{Gradients, LoraNetwork},
    state::{Lookup, StateError},
};

/// The optimizer's name in checkpoints.
pub(super) const NAME: &str = "prodigy_schedule_free";

/// Only every eleventh parameter counts for the estimate.
const STRIDE: usize = 11;

/// Constants of schedule-free Prodigy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProdigyScheduleFreeConfig {
    /// Where gradients are taken: the share of the average.
    pub beta1: f64,
    /// Decay of the second moment. Its root is the decay of the estimate.
    pub beta2: f64,
    /// Added to the denominator, times d.
    pub eps: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// d at the beginning.
    pub d0: f64,
    /// Factor of the estimate.
    pub d_coef: f64,
    /// The estimate stays as it is from this step on, counted from 1; 0 for never.
    pub n_adapting_steps: u32,
}

/// Schedule-free Prodigy and its state. The network holds y.
#[derive(Debug)]
pub(super) struct ProdigyScheduleFree<D: Device> {
    config: ProdigyScheduleFreeConfig,
    n_steps: u32,
    d: f64,
    numerator: f64,
    /// Sum of the weights of all steps in the average.
    weight_sum: f64,
    /// d in the last step.
    multiplier: f64,
    /// The parameters as they began.
    origin: D::Buffer,
    z: D::Buffer,
    second: D::Buffer,
    sum: D::Buffer,
}

/// Most that the estimate grows by in one step (`d_limiter`).
const MAX_GROWTH: f64 = 1.189_207_115_002_721; // 2^¼

/// Names in a saved state.
const N_STEPS: &str = "n_steps";
const ESTIMATE: &str = "estimate";
const ORIGIN: &str = "origin";
const Z: &str = "z";
const SECOND: &str = "second_moment";
const SUM: &str = "gradient_sum";

impl<D: TrainingDevice> ProdigyScheduleFree<D> {
    pub(super) fn new(
        network: &LoraNetwork<D>,
        config: ProdigyScheduleFreeConfig,
    ) -> Result<Self, DeviceError> {
        let zeros = || network.device().buffer(vec![0.0; network.n_parameters()]);
        Ok(Self {
            config,
            n_steps: 0,
            d: config.d0,
            numerator: 0.0,
            weight_sum: 0.0,
            multiplier: config.d0,
            origin: network.values().clone(),
            z: network.values().clone(),
            second: zeros()?,
            sum: zeros()?,
        })
    }

    pub(super) fn import(
        network: &LoraNetwork<D>,
        config: ProdigyScheduleFreeConfig,
        lookup: Lookup<'_>,
    ) -> Result<Self, StateError> {
        let import = Import::of(network, lookup);
        let [d, numerator, weight_sum, multiplier] = import.numbers(ESTIMATE)?;
        Ok(Self {
            config,
            n_steps: import.count(N_STEPS)?,
            d,
            numerator,
            weight_sum,
            multiplier,
            origin: import.parallel(ORIGIN)?,
            z: import.parallel(Z)?,
            second: import.parallel(SECOND)?,
            sum: import.parallel(SUM)?,
        })
    }

    /// Takes an estimate in, whose product counts `weight`.
    fn adapt(&mut self, estimate: Estimate, weight: f64) {
        let config = &self.config;
        self.numerator *= config.beta2.sqrt();
        let product = weight * estimate.product;
        // Before there is any progress, what leads away from it is not remembered.
        if self.d > config.d0 || product > 0.0 {
            self.numerator += product;
        }
        if estimate.magnitude > 0.0 {
            let found = (self.numerator / estimate.magnitude).min(self.d * MAX_GROWTH);
            self.d = self.d.max(found * config.d_coef);
        }
    }
}

impl<D: TrainingDevice> Optimizer<D> for ProdigyScheduleFree<D> {
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
        self.multiplier = d;
        let weight = (d * rates.rate).powi(2);
        self.weight_sum += weight;
        let share = share(weight, self.weight_sum);
        let taken = d * d / config.d0.sqrt();
        let device = network.device().clone();
        let places: Vec<Place> = network.parameters().map(|parameter| parameter.place).collect();
        let mut estimate = Estimate::default();
        for place in places {
            let factor = rates.factor(place.start);
            if factor == 0.0 {
                continue;
            }
            let rate = d * rates.rate * factor;
            let update = ProdigyScheduleFreeUpdate {
                d: d as f32,
                second: Running::scaled(config.beta2, d * d),
                sum: Running {
                    keep: config.beta2.sqrt() as f32,
                    take: taken as f32,
                },
                eps: (d * config.eps) as f32,
                stride: STRIDE,
                step: ScheduleFreeMove::new(rate, share, config.beta1, config.weight_decay),
            };
            let state = Wandering {
                origin: &self.origin,
                z: &mut self.z,
                second: &mut self.second,
                sum: &mut self.sum,
            };
            let values = network.values_mut();
            estimate += device.prodigy_schedule_free(&update, place, values, gradients.values(), state)?;
        }
        self.n_steps += 1;
        if config.n_adapting_steps == 0 || self.n_steps < config.n_adapting_steps {
            self.adapt(estimate, taken);
        }
        Ok(())
    }

    fn effective_rate(&self, rate: f64) -> f64 {
        self.multiplier * rate
    }

    fn averaged(&self, network: &LoraNetwork<D>) -> Result<Option<D::Buffer>, DeviceError> {
        average(network, &self.z, self.config.beta1).map(Some)
    }

    fn export(&self, network: &LoraNetwork<D>) -> candle_core::Result<Vec<(String, Tensor)>> {
        let numbers = [self.d, self.numerator, self.weight_sum, self.multiplier];
        let export = Export::of(network)
            .count(N_STEPS, self.n_steps)?
            .numbers(ESTIMATE, &numbers)?
            .parallel(ORIGIN, &self.origin)?
            .parallel(Z, &self.z)?
            .parallel(SECOND, &self.second)?
            .parallel(SUM, &self.sum)?;
        Ok(export.into_tensors())
    }
}
