//! Adafactor (Shazeer and Stern 2018), with the modes of `transformers.optimization.Adafactor`: second moments are kept as one
//! mean for each row and each column of a matrix, and steps may find their own size.

use candle_core::Tensor;
use diffusion::{
    device::{Device, DeviceError, TrainingDevice},
    operation::{AdafactorUpdate, Place, Running},
};

use super::{
    Optimizer, Rates,
    saved::{Export, Import, Row},
};
use crate::{
    network::{Gradients, LoraNetwork, Parameter},
    state::{Lookup, StateError},
};

/// The optimizer's name in checkpoints.
pub(super) const NAME: &str = "adafactor";

/// Constants of Adafactor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdafactorConfig {
    /// Steps take their size from their number, 1/√t, and not from the learning rate.
    pub is_relative: bool,
    /// Steps are scaled by the size of the matrix.
    pub scales_by_size: bool,
    /// Relative steps begin small.
    pub warms_up: bool,
    /// Root mean square that a direction is scaled down to.
    pub clip_threshold: f64,
    /// The decay of the second moments is 1 minus this power of the step's number; at most 0.
    pub decay_rate: f64,
    /// Decay of the momentum; 0 for none.
    pub beta1: f64,
    /// Added to squared gradients, and the least size of a matrix that steps are scaled by.
    pub eps: [f64; 2],
    /// Share of the weights, times the learning rate, that each step takes off.
    pub weight_decay: f64,
}

/// Adafactor and its means of squared gradients.
#[derive(Debug)]
pub(super) struct Adafactor<D: Device> {
    config: AdafactorConfig,
    n_steps: u32,
    momentum: Option<D::Buffer>,
    rows: Vec<Row>,
    /// For each matrix its means of rows, then of columns.
    means: D::Buffer,
}

/// Names in a saved state.
const N_STEPS: &str = "n_steps";
const MOMENTUM: &str = "momentum";
const MEANS: &str = "means";

/// Where the means of matrices lie: `n` of rows and columns for each matrix.
pub(super) fn rows_of<D: TrainingDevice>(network: &LoraNetwork<D>, n: usize) -> Vec<Row> {
    let mut start = 0;
    let row = |Parameter { name, place, .. }: Parameter| {
        let len = n * (place.rows + place.columns);
        start += len;
        Row {
            name,
            start: start - len,
            len,
        }
    };
    network.parameters().map(row).collect()
}

impl<D: TrainingDevice> Adafactor<D> {
    pub(super) fn new(network: &LoraNetwork<D>, config: AdafactorConfig) -> Result<Self, DeviceError> {
        let rows = rows_of(network, 1);
        let len = rows.iter().map(|row| row.len).sum();
        let zeros = |len: usize| network.device().buffer(vec![0.0; len]);
        let has_momentum = config.beta1 > 0.0;
        Ok(Self {
            config,
            n_steps: 0,
            momentum: has_momentum.then(|| zeros(network.n_parameters())).transpose()?,
            means: zeros(len)?,
            rows,
        })
    }

    pub(super) fn import(
        network: &LoraNetwork<D>,
        config: AdafactorConfig,
        lookup: Lookup<'_>,
    ) -> Result<Self, StateError> {
        let (import, rows) = (Import::of(network, lookup), rows_of(network, 1));
        Ok(Self {
            config,
            n_steps: import.count(N_STEPS)?,
            momentum: (config.beta1 > 0.0)
                .then(|| import.parallel(MOMENTUM))
                .transpose()?,
            means: import.rows(MEANS, &rows)?,
            rows,
        })
    }
}

impl AdafactorConfig {
    /// The learning rate of a step, counted from 1, before it is scaled by the size of a matrix.
    fn rate(&self, step: u32, rate: f64) -> f64 {
        if !self.is_relative {
            return rate;
        }
        let least = if self.warms_up {
            1e-6 * f64::from(step)
        } else {
            1e-2
        };
        least.min(1.0 / f64::from(step).sqrt())
    }
}

impl<D: TrainingDevice> Optimizer<D> for Adafactor<D> {
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
        let config = &self.config;
        let rate = config.rate(self.n_steps, rates.rate);
        let device = network.device().clone();
        let places: Vec<Place> = network.parameters().map(|parameter| parameter.place).collect();
        for (place, row) in places.into_iter().zip(&self.rows) {
            let factor = rates.factor(place.start);
            if factor == 0.0 {
                continue;
            }
            let update = AdafactorUpdate {
                first: (config.beta1 > 0.0).then(|| Running::of(config.beta1)),
                second: Running::of(1.0 - f64::from(self.n_steps).powf(config.decay_rate)),
                eps: config.eps[0] as f32,
                clip: config.clip_threshold as f32,
                rate: (rate * factor) as f32,
                floor: config.scales_by_size.then_some(config.eps[1] as f32),
                weight_decay: config.weight_decay as f32,
            };
            let (momentum, means) = (self.momentum.as_mut(), (&mut self.means, row.start));
            let values = network.values_mut();
            device.adafactor(&update, place, values, gradients.values(), momentum, means)?;
        }
        Ok(())
    }

    fn effective_rate(&self, rate: f64) -> f64 {
        self.config.rate(self.n_steps.max(1), rate)
    }

    fn export(&self, network: &LoraNetwork<D>) -> candle_core::Result<Vec<(String, Tensor)>> {
        let mut export = Export::of(network).count(N_STEPS, self.n_steps)?;
        if let Some(momentum) = &self.momentum {
            export = export.parallel(MOMENTUM, momentum)?;
        }
        Ok(export.rows(MEANS, &self.rows, &self.means)?.into_tensors())
    }
}
