//! Keeping what a network adds to the base below a norm (sd-scripts' `scale_weight_norms`).

use diffusion::device::{DeviceError, TrainingDevice};

use super::LoraNetwork;
use crate::kinds::Module;

impl<D: TrainingDevice> LoraNetwork<D> {
    /// Scales every module down whose change has a larger norm, as `apply_max_norm_regularization` of sd-scripts'
    /// `networks/lora.py` and `apply_max_norm` of LyCORIS do. Returns how many were scaled.
    ///
    /// # Errors
    /// If the device fails.
    pub fn limit_norms(&mut self, max_norm: f64) -> Result<usize, DeviceError> {
        let mut values = self.device.values(&self.values)?;
        let mut n_scaled = 0;
        for module in &self.modules {
            n_scaled += usize::from(limit(module, &mut values, max_norm));
        }
        if n_scaled > 0 {
            self.values = self.device.buffer(values)?;
        }
        Ok(n_scaled)
    }
}

/// Whether the module had to be scaled.
fn limit(module: &Module, values: &mut [f32], max_norm: f64) -> bool {
    let norm = module.factors_norm(values);
    if norm <= max_norm {
        return false;
    }
    let ratio = max_norm / norm;
    let scaled = module.scaled_places();
    // Several matrices share the ratio, since their product is what has the norm.
    let factor = ratio.powf(1.0 / scaled.len() as f64) as f32;
    for place in scaled {
        values[place.range()]
            .iter_mut()
            .for_each(|value| *value *= factor);
    }
    true
}
