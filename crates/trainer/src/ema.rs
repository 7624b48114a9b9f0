//! The exponential moving average of the weights, which the training is for where a recipe asks for it.

use diffusion::device::{Device, DeviceError, TrainingDevice};

use crate::{network::LoraNetwork, state::StateError};

/// A running mean of all parameters of a network.
#[derive(Debug)]
pub(crate) struct Ema<D: Device> {
    decay: f64,
    values: D::Buffer,
}

impl<D: TrainingDevice> Ema<D> {
    /// The mean of a network before its first step.
    pub(crate) fn start(network: &LoraNetwork<D>, decay: f64) -> Self {
        Self {
            decay,
            values: network.values().clone(),
        }
    }

    /// A mean that was saved.
    ///
    /// # Errors
    /// If the device fails.
    pub(crate) fn resume(network: &LoraNetwork<D>, decay: f64, values: Vec<f32>) -> Result<Self, StateError> {
        let values = network.device().buffer(values).map_err(StateError::Device)?;
        Ok(Self { decay, values })
    }

    /// Takes in the weights after so many steps. The first means are those of few steps, so that the beginning is soon
    /// forgotten (diffusers' `EMAModel`).
    ///
    /// # Errors
    /// If the device fails.
    pub(crate) fn update(&mut self, network: &LoraNetwork<D>, n_steps: u32) -> Result<(), DeviceError> {
        let n_before = f64::from(n_steps.saturating_sub(1));
        let early = if n_before == 0.0 {
            0.0
        } else {
            (1.0 + n_before) / (10.0 + n_before)
        };
        let share = (1.0 - self.decay.min(early)) as f32;
        network
            .device()
            .approach(&mut self.values, network.values(), share)
    }

    /// The mean, parallel to [`LoraNetwork::values`].
    pub(crate) fn values(&self) -> &D::Buffer {
        &self.values
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use diffusion::{layers::LoraTarget, random::Random};

    use super::*;

    /// As diffusers' `EMAModel(decay=0.6)` moves: its decay is 0, 2/11, 3/12, 4/13, …, and never above 0.6.
    #[test]
    fn follows_the_weights_of_few_steps_at_first() {
        let targets = vec![LoraTarget::linear("m", 2, 2)];
        let mut network = LoraNetwork::new(targets, NonZeroU16::MIN, 1.0, &mut Random::from_seed(1));
        let mut ema = Ema::start(&network, 0.6);
        let mut expected = 0.0;
        for (n_steps, decay) in (1..).zip([0.0, 2.0 / 11.0, 3.0 / 12.0, 4.0 / 13.0]) {
            let weight = n_steps as f32;
            network.values_mut().fill(weight);
            ema.update(&network, n_steps).unwrap();
            expected = decay * expected + (1.0 - decay) * f64::from(weight);
            assert!((f64::from(ema.values()[0]) - expected).abs() < 1e-6);
        }
        network.values_mut().fill(0.0);
        ema.update(&network, 1000).unwrap();
        assert!((f64::from(ema.values()[0]) - 0.6 * expected).abs() < 1e-6);
    }
}
