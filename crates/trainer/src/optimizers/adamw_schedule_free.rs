//! AdamW without a schedule (Defazio et al. 2024, "The Road Less Scheduled"), with the arithmetic of
//! `schedulefree.AdamWScheduleFree`: gradients are taken at y, between the point z of gradient descent and the average x of
//! all z. What the training is for is x.

use candle_core::Tensor;
use diffusion::{
    device::{Device, DeviceError, TrainingDevice},
    operation::{Running, ScheduleFreeMove, ScheduleFreeUpdate, Span},
};

use super::{
    AdamWConfig, Optimizer, Rates,
    saved::{Export, Import},
};
use crate::{
    network::{Gradients, LoraNetwork},
    state::{Lookup, StateError},
};

/// The optimizer's name in checkpoints.
pub(super) const NAME: &str = "adamw_schedule_free";

/// Constants of schedule-free AdamW.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScheduleFreeConfig {
    /// Those of AdamW.
    pub adamw: AdamWConfig,
    /// Later steps count more in the average: the power of their number.
    pub power: f64,
    /// Steps of a warm-up count less: the power of the highest learning rate so far.
    pub rate_power: f64,
}

/// Schedule-free AdamW and its state. The network holds y.
#[derive(Debug)]
pub(super) struct AdamWScheduleFree<D: Device> {
    config: ScheduleFreeConfig,
    n_steps: u32,
    /// The highest learning rate so far.
    highest_rate: f64,
    /// Sum of the weights of all steps in the average.
    weight_sum: f64,
    second: D::Buffer,
    z: D::Buffer,
}

/// Names in a saved state.
const N_STEPS: &str = "n_steps";
const AVERAGE: &str = "average";
const SECOND: &str = "second_moment";
const Z: &str = "z";

impl<D: TrainingDevice> AdamWScheduleFree<D> {
    pub(super) fn new(network: &LoraNetwork<D>, config: ScheduleFreeConfig) -> Result<Self, DeviceError> {
        Ok(Self {
            config,
            n_steps: 0,
            highest_rate: 0.0,
            weight_sum: 0.0,
            second: network.device().buffer(vec![0.0; network.n_parameters()])?,
            z: network.values().clone(),
        })
    }

    pub(super) fn import(
        network: &LoraNetwork<D>,
        config: ScheduleFreeConfig,
        lookup: Lookup<'_>,
    ) -> Result<Self, StateError> {
        let import = Import::of(network, lookup);
        let [highest_rate, weight_sum] = import.numbers(AVERAGE)?;
        Ok(Self {
            config,
            n_steps: import.count(N_STEPS)?,
            highest_rate,
            weight_sum,
            second: import.parallel(SECOND)?,
            z: import.parallel(Z)?,
        })
    }
}

/// The share of a step of this weight in an average whose weights sum to `sum`, with it. Nothing has a weight before the
/// first step of a warm-up is over.
pub(super) fn share(weight: f64, sum: f64) -> f64 {
    if sum > 0.0 { weight / sum } else { 0.0 }
}

/// The average x of a network that holds y = (1 − β₁) z + β₁ x.
pub(super) fn average<D: TrainingDevice>(
    network: &LoraNetwork<D>,
    z: &D::Buffer,
    beta1: f64,
) -> Result<D::Buffer, DeviceError> {
    let mut x = network.values().clone();
    // With a β₁ of zero y is z, and x is not to be had from it.
    if beta1 > 0.0 {
        network.device().approach(&mut x, z, (1.0 - 1.0 / beta1) as f32)?;
    }
    Ok(x)
}

impl<D: TrainingDevice> Optimizer<D> for AdamWScheduleFree<D> {
    fn name(&self) -> &'static str {
        NAME
    }

    fn step(
        &mut self,
        network: &mut LoraNetwork<D>,
        gradients: &Gradients<D>,
        rates: Rates<'_>,
    ) -> Result<(), DeviceError> {
        let ScheduleFreeConfig {
            adamw: config,
            power,
            rate_power,
        } = self.config;
        self.n_steps += 1;
        self.highest_rate = self.highest_rate.max(rates.rate);
        let weight = f64::from(self.n_steps).powf(power) * self.highest_rate.powf(rate_power);
        self.weight_sum += weight;
        let share = share(weight, self.weight_sum);
        let device = network.device().clone();
        for (range, factor) in rates.moving(network.n_parameters()) {
            let rate = rates.rate * factor;
            let update = ScheduleFreeUpdate {
                second: Running::of(config.beta2),
                inv2: (1.0 / (1.0 - config.beta2.powf(f64::from(self.n_steps)))) as f32,
                eps: config.eps as f32,
                step: ScheduleFreeMove::new(rate, share, config.beta1, config.weight_decay),
            };
            let (span, values) = (Span::parallel(range), network.values_mut());
            let (second, z) = (&mut self.second, &mut self.z);
            device.adamw_schedule_free(&update, span, values, gradients.values(), second, z)?;
        }
        Ok(())
    }

    fn averaged(&self, network: &LoraNetwork<D>) -> Result<Option<D::Buffer>, DeviceError> {
        average(network, &self.z, self.config.adamw.beta1).map(Some)
    }

    fn export(&self, network: &LoraNetwork<D>) -> candle_core::Result<Vec<(String, Tensor)>> {
        let export = Export::of(network)
            .count(N_STEPS, self.n_steps)?
            .numbers(AVERAGE, &[self.highest_rate, self.weight_sum])?
            .parallel(SECOND, &self.second)?
            .parallel(Z, &self.z)?;
        Ok(export.into_tensors())
    }
}
