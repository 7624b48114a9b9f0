//! CAME (Luo et al. 2023, "CAME: Confidence-guided Adaptive Memory Efficient Optimization"): Adafactor with a momentum, which
//! counts less where the directions of steps disagree with it.

use candle_core::Tensor;
use diffusion::{
    device::{Device, DeviceError, TrainingDevice},
    operation::{CameUpdate, Place, Running},
};

use super::{
    Optimizer, Rates,
    adafactor::rows_of,
    saved::{Export, Import, Row},
};
use crate::{
    network::{Gradients, LoraNetwork},
    state::{Lookup, StateError},
};

/// The optimizer's name in checkpoints.
pub(super) const NAME: &str = "came";

/// Constants of CAME.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CameConfig {
    /// Decay of the momentum.
    pub beta1: f64,
    /// Decay of the means of squared gradients.
    pub beta2: f64,
    /// Decay of the means of the instability.
    pub beta3: f64,
    /// Root mean square that a direction is scaled down to.
    pub clip_threshold: f64,
    /// Added to squared gradients, and to the instability.
    pub eps: [f64; 2],
    /// Share of the weights, times the learning rate, that each step takes off.
    pub weight_decay: f64,
}

/// CAME, its momentum and its means.
#[derive(Debug)]
pub(super) struct Came<D: Device> {
    config: CameConfig,
    momentum: D::Buffer,
    rows: Vec<Row>,
    /// For each matrix its means of squared gradients, then those of the instability: of rows, then of columns.
    means: D::Buffer,
}

/// Names in a saved state.
const MOMENTUM: &str = "momentum";
const MEANS: &str = "means";

impl<D: TrainingDevice> Came<D> {
    pub(super) fn new(network: &LoraNetwork<D>, config: CameConfig) -> Result<Self, DeviceError> {
        let rows = rows_of(network, 2);
        let len = rows.iter().map(|row| row.len).sum();
        let zeros = |len: usize| network.device().buffer(vec![0.0; len]);
        Ok(Self {
            config,
            momentum: zeros(network.n_parameters())?,
            means: zeros(len)?,
            rows,
        })
    }

    pub(super) fn import(
        network: &LoraNetwork<D>,
        config: CameConfig,
        lookup: Lookup<'_>,
    ) -> Result<Self, StateError> {
        let (import, rows) = (Import::of(network, lookup), rows_of(network, 2));
        Ok(Self {
            config,
            momentum: import.parallel(MOMENTUM)?,
            means: import.rows(MEANS, &rows)?,
            rows,
        })
    }
}

impl<D: TrainingDevice> Optimizer<D> for Came<D> {
    fn name(&self) -> &'static str {
        NAME
    }

    fn step(
        &mut self,
        network: &mut LoraNetwork<D>,
        gradients: &Gradients<D>,
        rates: Rates<'_>,
    ) -> Result<(), DeviceError> {
        let config = &self.config;
        let device = network.device().clone();
        let places: Vec<Place> = network.parameters().map(|parameter| parameter.place).collect();
        for (place, row) in places.into_iter().zip(&self.rows) {
            let factor = rates.factor(place.start);
            if factor == 0.0 {
                continue;
            }
            let rate = rates.rate * factor;
            let update = CameUpdate {
                decay: (1.0 - rate * config.weight_decay) as f32,
                rate: rate as f32,
                first: Running::of(config.beta1),
                second: Running::of(config.beta2),
                third: Running::of(config.beta3),
                eps1: config.eps[0] as f32,
                eps2: config.eps[1] as f32,
                clip: config.clip_threshold as f32,
            };
            let (values, means) = (network.values_mut(), (&mut self.means, row.start));
            device.came(
                &update,
                place,
                values,
                gradients.values(),
                &mut self.momentum,
                means,
            )?;
        }
        Ok(())
    }

    fn export(&self, network: &LoraNetwork<D>) -> candle_core::Result<Vec<(String, Tensor)>> {
        let export = Export::of(network).parallel(MOMENTUM, &self.momentum)?;
        Ok(export.rows(MEANS, &self.rows, &self.means)?.into_tensors())
    }
}
