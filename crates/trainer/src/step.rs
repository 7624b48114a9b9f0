//! One forward and backward pass over a batch.

use candle_core::{Result, Tensor};
use diffusion::{
    cpu::Cpu,
    device::{Device, TrainingDevice},
    unet::{Conditioning, Unet},
};
use rayon::prelude::*;

use crate::{
    losses::{Compared, Loss},
    network::{Gradients, LoraNetwork},
    tape::Tape,
};

/// Noisy latents and what the U-Net should say about them: host tensors.
#[derive(Debug, Clone)]
pub struct Batch {
    /// `[B, 4, h, w]`.
    pub noisy: Tensor,
    /// One of each sample.
    pub timesteps: Vec<u32>,
    /// Text, sizes and crop.
    pub conditioning: Conditioning,
    /// Noise or velocity, `[B, 4, h, w]`.
    pub target: Tensor,
    /// What measures how far off it is.
    pub loss: Loss,
    /// Loss weight of each sample.
    pub weights: Vec<f32>,
}

/// Result of one pass.
#[derive(Debug)]
pub struct StepGradients<D: Device = Cpu> {
    /// Loss of the batch.
    pub loss: f64,
    /// Its gradients.
    pub gradients: Gradients<D>,
}

impl Batch {
    /// Number of samples.
    pub fn len(&self) -> usize {
        self.timesteps.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.timesteps.is_empty()
    }

    /// Some of the samples.
    fn part(&self, start: usize, len: usize) -> Result<Self> {
        let part = |tensor: &Tensor| tensor.narrow(0, start, len)?.contiguous();
        Ok(Self {
            noisy: part(&self.noisy)?,
            timesteps: self.timesteps[start..start + len].to_vec(),
            conditioning: Conditioning {
                context: part(&self.conditioning.context)?,
                vector: part(&self.conditioning.vector)?,
            },
            target: part(&self.target)?,
            loss: self.loss,
            weights: self.weights[start..start + len].to_vec(),
        })
    }
}

/// Loss of a batch and the gradients of every LoRA parameter.
pub fn forward_backward<D: TrainingDevice>(
    unet: &Unet<D>,
    network: &LoraNetwork<D>,
    batch: &Batch,
) -> Result<StepGradients<D>> {
    let n_samples = batch.len();
    let n_parts = network
        .device()
        .n_parts(n_samples, unet.activation_len(&batch.noisy)?);
    let part_len = n_samples.div_ceil(n_parts);
    let starts: Vec<usize> = (0..n_samples).step_by(part_len).collect();
    let mut parts: Vec<StepGradients<D>> = starts
        .into_par_iter()
        .map(|start| {
            let part = batch.part(start, part_len.min(n_samples - start))?;
            part_backward(unet, network, &part, n_samples)
        })
        .collect::<Result<_>>()?;
    // Summed in the order of the samples, whichever part was ready first.
    let mut sum = parts.remove(0);
    for part in &parts {
        sum.loss += part.loss;
        sum.gradients.add(&part.gradients)?;
    }
    Ok(sum)
}

fn part_backward<D: TrainingDevice>(
    unet: &Unet<D>,
    network: &LoraNetwork<D>,
    part: &Batch,
    n_samples: usize,
) -> Result<StepGradients<D>> {
    let device = network.device();
    let mut tape = Tape::new(network);
    let timesteps: Vec<f32> = part.timesteps.iter().map(|&t| t as f32).collect();
    let prediction = unet.forward(&mut tape, &part.noisy, &timesteps, &part.conditioning)?;
    let target = part.target.permute((0, 2, 3, 1))?.contiguous()?;
    let compared = Compared {
        prediction: prediction.tensor(),
        target: &device.upload(&target)?,
        weights: &part.weights,
        n_samples,
    };
    let (loss, dy) = part.loss.compute(device, compared)?;
    let mut gradients = Gradients::zeros(network)?;
    tape.backward(&prediction, dy, &mut gradients)?;
    Ok(StepGradients { loss, gradients })
}
