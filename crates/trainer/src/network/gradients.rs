//! Gradients of a network, their norm, and their sum over several batches.

use diffusion::{
    cpu::Cpu,
    device::{Device, DeviceError, TrainingDevice},
};

use super::LoraNetwork;

/// Gradients, parallel to [`LoraNetwork::values`].
#[derive(Debug, Clone)]
pub struct Gradients<D: Device = Cpu> {
    device: D,
    values: D::Buffer,
}

impl<D: TrainingDevice> Gradients<D> {
    /// Zeros for every parameter.
    ///
    /// # Errors
    /// If the device cannot hold them.
    pub fn zeros(network: &LoraNetwork<D>) -> Result<Self, DeviceError> {
        Self::from_values(network, vec![0.0; network.n_parameters()])
    }

    /// From numbers in the order of [`LoraNetwork::values`].
    ///
    /// # Errors
    /// If the device cannot hold them.
    ///
    /// # Panics
    /// If there are not as many as the network has parameters.
    pub fn from_values(network: &LoraNetwork<D>, values: Vec<f32>) -> Result<Self, DeviceError> {
        assert_eq!(values.len(), network.n_parameters());
        Ok(Self {
            device: network.device().clone(),
            values: network.device().buffer(values)?,
        })
    }

    /// All numbers, in the order of [`LoraNetwork::values`].
    pub fn values(&self) -> &D::Buffer {
        &self.values
    }

    /// All numbers, to be changed.
    pub fn values_mut(&mut self) -> &mut D::Buffer {
        &mut self.values
    }

    /// Adds the gradients of another part of the batch.
    ///
    /// # Errors
    /// If the device fails.
    pub fn add(&mut self, other: &Self) -> Result<(), DeviceError> {
        self.device.add_buffer(&mut self.values, &other.values)
    }

    /// Multiplies by a number.
    ///
    /// # Errors
    /// If the device fails.
    pub fn scale(&mut self, factor: f32) -> Result<(), DeviceError> {
        self.device.scale_buffer(&mut self.values, factor)
    }

    /// Length of all gradients taken together. NaN or infinite as soon as one of them is.
    ///
    /// # Errors
    /// If the device fails.
    pub fn norm(&self) -> Result<f64, DeviceError> {
        self.device.norm(&self.values)
    }

    /// Scales down to `max_norm` if `norm` exceeds it, as `torch.nn.utils.clip_grad_norm_`.
    ///
    /// # Errors
    /// If the device fails.
    pub fn clip(&mut self, norm: f64, max_norm: f64) -> Result<(), DeviceError> {
        const EPS: f64 = 1e-6; // torch/nn/utils/clip_grad.py
        let factor = max_norm / (norm + EPS);
        if factor < 1.0 {
            self.scale(factor as f32)?;
        }
        Ok(())
    }
}

/// Averages the gradients of several batches into one optimizer step.
///
/// Each batch counts 1/n even where an epoch ends early, as in sd-scripts.
#[derive(Debug)]
pub struct Accumulator<D: Device = Cpu> {
    n_batches: u16,
    done: u16,
    sum: Option<Gradients<D>>,
}

impl<D: TrainingDevice> Accumulator<D> {
    /// For `n_batches` batches to a step.
    ///
    /// # Panics
    /// If `n_batches` is 0.
    pub fn new(n_batches: u16) -> Self {
        assert!(n_batches > 0, "a step needs a batch");
        Self {
            n_batches,
            done: 0,
            sum: None,
        }
    }

    /// Adds one batch; returns the mean once the step is complete.
    ///
    /// # Errors
    /// If the device fails.
    pub fn add(&mut self, mut gradients: Gradients<D>) -> Result<Option<Gradients<D>>, DeviceError> {
        if self.n_batches > 1 {
            gradients.scale(1.0 / f32::from(self.n_batches))?;
        }
        match &mut self.sum {
            Some(sum) => sum.add(&gradients)?,
            None => self.sum = Some(gradients),
        }
        self.done += 1;
        if self.done < self.n_batches {
            return Ok(None);
        }
        Ok(self.flush())
    }

    /// What has been added since the last step, if anything.
    pub fn flush(&mut self) -> Option<Gradients<D>> {
        self.done = 0;
        self.sum.take()
    }
}
