//! The validation loss: how well the noise is predicted in given pictures, at fixed timesteps with fixed noise.
//!
//! The training loss says little, since timestep and noise vary far more than the network gets better; with
//! both fixed the same number falls steadily (the method of sd-scripts' `docs/validation.md`).

use std::{collections::BTreeMap, ops::ControlFlow};

use candle_core::bail;
use diffusion::{
    base::BaseModel,
    device::{Device, floats},
    graph::AdapterSet,
};

use crate::{
    data::{Sample, TrainingData},
    step::Told,
};

/// The timesteps that are measured: from nearly clean to nearly noise.
pub const TIMESTEPS: [u32; 5] = [100, 300, 500, 700, 900];

/// Pictures in one forward pass.
const BATCH_SIZE: usize = 4;

/// Mean squared error over the pictures at each of [`TIMESTEPS`], without any weighting.
///
/// # Errors
/// If a LoRA does not fit the base.
pub fn validation_losses<D: Device>(
    base: &BaseModel<D>,
    adapters: &AdapterSet<D>,
    data: &TrainingData,
    samples: &[Sample],
) -> candle_core::Result<Vec<f64>> {
    let losses = validation_losses_while(base, adapters, data, samples, &mut || ControlFlow::Continue(()))?;
    Ok(losses.expect("nothing stops it"))
}

/// [`validation_losses`], with `go_on` asked before each caption and each forward pass. None without its consent.
///
/// # Errors
/// As [`validation_losses`].
pub(crate) fn validation_losses_while<D: Device>(
    base: &BaseModel<D>,
    adapters: &AdapterSet<D>,
    data: &TrainingData,
    samples: &[Sample],
    go_on: &mut dyn FnMut() -> ControlFlow<()>,
) -> candle_core::Result<Option<Vec<f64>>> {
    let mut by_bucket: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for sample in samples {
        if go_on().is_break() {
            return Ok(None);
        }
        let text = data.text(sample, &base.text_encoders, adapters)?;
        by_bucket.entry(sample.bucket).or_default().push((sample, text));
    }
    let mut losses = Vec::with_capacity(TIMESTEPS.len());
    for timestep in TIMESTEPS {
        let mut sum = 0.0;
        for batch in by_bucket.values().flat_map(|bucket| bucket.chunks(BATCH_SIZE)) {
            if go_on().is_break() {
                return Ok(None);
            }
            let probe = data.probe(batch, timestep)?;
            let Told::Encoded(conditioning) = &probe.told else {
                bail!("a probe is made of encoded captions");
            };
            let prediction = base
                .unet
                .predict(adapters, &probe.noisy, &probe.timesteps, conditioning)?;
            let (prediction, target) = (floats(&prediction)?, floats(&probe.target)?);
            let squares: f64 = prediction
                .iter()
                .zip(target.iter())
                .map(|(p, t)| f64::from(p - t).powi(2))
                .sum();
            sum += squares / (target.len() / batch.len()) as f64;
        }
        losses.push(sum / samples.len() as f64);
    }
    Ok(Some(losses))
}

/// Mean of losses.
pub fn mean(losses: &[f64]) -> f64 {
    losses.iter().sum::<f64>() / losses.len().max(1) as f64
}
