//! The loss of diffusion training: mean squared error, weighted by timestep.

#[cfg(test)]
mod tests;

use candle_core::{Result, Tensor, bail};
use diffusion::{
    ops::{floats, tensor},
    schedulers::{NoiseSchedule, PredictionType},
};

/// Loss of a batch and its gradient.
#[derive(Debug)]
pub struct Loss {
    /// Mean over the samples of weight times mean squared error.
    pub value: f64,
    /// Gradient of `value` with respect to the prediction, in its shape.
    pub gradient: Tensor,
}

/// Sum over samples of weight times mean squared error, divided by `n_samples`, which is the size of the whole batch
/// where `prediction` is a part of it.
pub fn mean_squared_error(
    prediction: &Tensor,
    target: &Tensor,
    weights: &[f32],
    n_samples: usize,
) -> Result<Loss> {
    if prediction.dims() != target.dims() || prediction.dims().first() != Some(&weights.len()) {
        bail!(
            "a loss of prediction {:?}, target {:?} and {} weights",
            prediction.dims(),
            target.dims(),
            weights.len()
        );
    }
    let (p, t) = (floats(prediction)?, floats(target)?);
    let len = p.len() / weights.len();
    let mut gradient = Vec::with_capacity(p.len());
    let mut value = 0.0;
    for ((p, t), &weight) in p.chunks_exact(len).zip(t.chunks_exact(len)).zip(weights) {
        let factor = 2.0 * weight / (len * n_samples) as f32;
        let mut squares = 0.0;
        for (p, t) in p.iter().zip(t) {
            let difference = p - t;
            squares += f64::from(difference) * f64::from(difference);
            gradient.push(factor * difference);
        }
        value += f64::from(weight) * squares / (len * n_samples) as f64;
    }
    Ok(Loss {
        value,
        gradient: tensor(gradient, prediction.dims())?,
    })
}

/// Weight of each sample by min-SNR (Hang et al. 2023): min(snr, γ) / snr for noise prediction, and over snr + 1 for
/// velocity, as sd-scripts has it. A γ of 0 gives 1 everywhere.
pub fn min_snr_weights(
    schedule: &NoiseSchedule,
    prediction: PredictionType,
    timesteps: &[u32],
    gamma: f64,
) -> Vec<f32> {
    let weight = |&timestep: &u32| {
        if gamma == 0.0 {
            return 1.0;
        }
        let snr = schedule.snr(timestep as usize);
        let denominator = match prediction {
            PredictionType::Epsilon => snr,
            PredictionType::VPrediction => snr + 1.0,
        };
        (snr.min(gamma) / denominator) as f32
    };
    timesteps.iter().map(weight).collect()
}
