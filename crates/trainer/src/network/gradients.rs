//! Gradients of a network, their norm, and their sum over several batches.

use super::LoraNetwork;

/// Gradients, parallel to [`LoraNetwork::values`].
#[derive(Debug, Clone)]
pub struct Gradients(Vec<f32>);

impl Gradients {
    /// Zeros for every parameter.
    pub fn zeros(network: &LoraNetwork) -> Self {
        Self(vec![0.0; network.n_parameters()])
    }

    /// From numbers in the order of [`LoraNetwork::values`].
    ///
    /// # Panics
    /// If there are not as many as the network has parameters.
    pub fn from_values(network: &LoraNetwork, values: Vec<f32>) -> Self {
        assert_eq!(values.len(), network.n_parameters());
        Self(values)
    }

    /// All numbers, in the order of [`LoraNetwork::values`].
    pub fn values(&self) -> &[f32] {
        &self.0
    }

    /// All numbers, to be changed.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.0
    }

    /// Gradients of a module's `down` and `up`.
    pub(crate) fn module_mut(&mut self, network: &LoraNetwork, index: usize) -> (&mut [f32], &mut [f32]) {
        let module = &network.modules[index];
        let (down, up) = (module.down(), module.up());
        self.0[down.start..up.end].split_at_mut(down.len())
    }

    /// Adds the gradients of another part of the batch.
    pub fn add(&mut self, other: &Self) {
        diffusion::kernels::elementwise::accumulate(&mut self.0, &other.0);
    }

    /// Multiplies by a number.
    pub fn scale(&mut self, factor: f32) {
        for value in &mut self.0 {
            *value *= factor;
        }
    }

    /// Length of all gradients taken together. NaN or infinite as soon as one of them is.
    pub fn norm(&self) -> f64 {
        // Lanes so that it vectorizes; double precision so that a million terms lose nothing.
        let mut lanes = [0.0f64; 8];
        for chunk in self.0.chunks(8) {
            for (lane, &value) in lanes.iter_mut().zip(chunk) {
                *lane += f64::from(value) * f64::from(value);
            }
        }
        lanes.iter().sum::<f64>().sqrt()
    }

    /// Scales down to `max_norm` if `norm` exceeds it, as `torch.nn.utils.clip_grad_norm_`.
    pub fn clip(&mut self, norm: f64, max_norm: f64) {
        const EPS: f64 = 1e-6; // torch/nn/utils/clip_grad.py
        let factor = max_norm / (norm + EPS);
        if factor < 1.0 {
            self.scale(factor as f32);
        }
    }
}

/// Averages the gradients of several batches into one optimizer step.
///
/// Each batch counts 1/n even where an epoch ends early, as in sd-scripts.
#[derive(Debug)]
pub struct Accumulator {
    n_batches: u16,
    done: u16,
    sum: Option<Gradients>,
}

impl Accumulator {
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
    pub fn add(&mut self, mut gradients: Gradients) -> Option<Gradients> {
        if self.n_batches > 1 {
            gradients.scale(1.0 / f32::from(self.n_batches));
        }
        match &mut self.sum {
            Some(sum) => sum.add(&gradients),
            None => self.sum = Some(gradients),
        }
        self.done += 1;
        if self.done < self.n_batches {
            return None;
        }
        self.flush()
    }

    /// What has been added since the last step, if anything.
    pub fn flush(&mut self) -> Option<Gradients> {
        self.done = 0;
        self.sum.take()
    }
}
