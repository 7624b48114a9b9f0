//! AdamW (Loshchilov and Hutter 2019), with the defaults and the arithmetic of `torch.optim.AdamW`.

#[cfg(test)]
mod tests;

use candle_core::{Device, Tensor};
use diffusion::kernels::simd::{Kernel, dispatch};

use crate::network::{Gradients, Lookup, LoraNetwork, StateError};

/// Constants of AdamW.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWConfig {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the denominator.
    pub eps: f64,
    /// Share of the weights, times the learning rate, that each step takes off.
    pub weight_decay: f64,
}

impl Default for AdamWConfig {
    /// `torch.optim.AdamW`'s defaults, which sd-scripts trains with.
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay: 0.01,
        }
    }
}

/// AdamW and its moments.
#[derive(Debug, Clone)]
pub struct AdamW {
    config: AdamWConfig,
    n_steps: u32,
    first: Vec<f32>,
    second: Vec<f32>,
}

/// Names in a saved state.
const FIRST: &str = "first_moment";
const SECOND: &str = "second_moment";
const N_STEPS: &str = "n_steps";

impl AdamW {
    /// No step done yet.
    pub fn new(network: &LoraNetwork, config: AdamWConfig) -> Self {
        let zeros = vec![0.0; network.n_parameters()];
        Self {
            config,
            n_steps: 0,
            first: zeros.clone(),
            second: zeros,
        }
    }

    /// Steps done.
    pub fn n_steps(&self) -> u32 {
        self.n_steps
    }

    /// Moves the network against the gradients.
    pub fn step(&mut self, network: &mut LoraNetwork, gradients: &Gradients, learning_rate: f64) {
        self.n_steps += 1;
        let AdamWConfig {
            beta1,
            beta2,
            eps,
            weight_decay,
        } = self.config;
        let correction1 = 1.0 - beta1.powf(f64::from(self.n_steps));
        let correction2 = 1.0 - beta2.powf(f64::from(self.n_steps));
        let factors = Factors {
            decay: (1.0 - learning_rate * weight_decay) as f32,
            first: (1.0 - beta1) as f32,
            beta2: beta2 as f32,
            second: (1.0 - beta2) as f32,
            inv_root2: (1.0 / correction2.sqrt()) as f32,
            eps: eps as f32,
            step: (learning_rate / correction1) as f32,
        };
        dispatch(Update {
            factors,
            values: network.values_mut(),
            gradients: gradients.values(),
            first: &mut self.first,
            second: &mut self.second,
        });
    }

    /// The state as named tensors: moments and `n_steps`.
    pub fn export(&self, network: &LoraNetwork) -> candle_core::Result<Vec<(String, Tensor)>> {
        let mut tensors = vec![(N_STEPS.to_owned(), Tensor::new(self.n_steps, &Device::Cpu)?)];
        for (prefix, moments) in [(FIRST, &self.first), (SECOND, &self.second)] {
            let named = network.named(moments)?.into_iter();
            tensors.extend(named.map(|(name, tensor)| (format!("{prefix}.{name}"), tensor)));
        }
        Ok(tensors)
    }

    /// Goes on from a saved state.
    pub fn import(network: &LoraNetwork, config: AdamWConfig, lookup: Lookup) -> Result<Self, StateError> {
        let n_steps = lookup(N_STEPS).ok_or_else(|| StateError::Missing { name: N_STEPS.into() })?;
        let n_steps = n_steps.to_scalar().map_err(|err| StateError::Read {
            name: N_STEPS.into(),
            err,
        })?;
        let moments = |prefix: &str| {
            network
                .collect(&|name| lookup(&format!("{prefix}.{name}")))
                .map_err(|err| match err {
                    StateError::Missing { name } => StateError::Missing {
                        name: format!("{prefix}.{name}"),
                    },
                    err => err,
                })
        };
        Ok(Self {
            config,
            n_steps,
            first: moments(FIRST)?,
            second: moments(SECOND)?,
        })
    }
}

#[derive(Clone, Copy)]
struct Factors {
    decay: f32,
    first: f32,
    beta2: f32,
    second: f32,
    inv_root2: f32,
    eps: f32,
    step: f32,
}

struct Update<'a> {
    factors: Factors,
    values: &'a mut [f32],
    gradients: &'a [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
}

impl Kernel for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let f = self.factors;
        let moments = self.first.iter_mut().zip(self.second);
        let weights = self.values.iter_mut().zip(self.gradients);
        for ((w, &g), (m, v)) in weights.zip(moments) {
            *m = (g - *m).mul_add(f.first, *m);
            *v = (g * g).mul_add(f.second, *v * f.beta2);
            let denominator = v.sqrt().mul_add(f.inv_root2, f.eps);
            *w = w.mul_add(f.decay, -f.step * (*m / denominator));
        }
    }
}
