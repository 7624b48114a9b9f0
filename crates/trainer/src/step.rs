//! One forward and backward pass over a batch.

use candle_core::{Result, Tensor};
use diffusion::{
    graph::Graph,
    unet::{Conditioning, Unet},
};
use rayon::prelude::*;

use crate::{
    loss::{Loss, mean_squared_error},
    network::{Gradients, LoraNetwork},
    tape::Tape,
};

/// Noisy latents and what the U-Net should say about them.
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
    /// Loss weight of each sample.
    pub weights: Vec<f32>,
}

/// Result of one pass.
#[derive(Debug)]
pub struct StepGradients {
    /// Loss of the batch.
    pub loss: f64,
    /// Its gradients.
    pub gradients: Gradients,
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
            weights: self.weights[start..start + len].to_vec(),
        })
    }
}

/// Loss of a batch and the gradients of every LoRA parameter.
pub fn forward_backward(unet: &Unet, network: &LoraNetwork, batch: &Batch) -> Result<StepGradients> {
    let n_samples = batch.len();
    let n_parts = unet.n_parts(batch.noisy.dims());
    let part_len = n_samples.div_ceil(n_parts);
    let starts: Vec<usize> = (0..n_samples).step_by(part_len).collect();
    let mut parts: Vec<StepGradients> = starts
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
        sum.gradients.add(&part.gradients);
    }
    Ok(sum)
}

fn part_backward(
    unet: &Unet,
    network: &LoraNetwork,
    part: &Batch,
    n_samples: usize,
) -> Result<StepGradients> {
    let mut tape = Tape::new(network);
    let timesteps: Vec<f32> = part.timesteps.iter().map(|&t| t as f32).collect();
    let prediction = unet.forward(&mut tape, &part.noisy, &timesteps, &part.conditioning)?;
    let target = part.target.permute((0, 2, 3, 1))?.contiguous()?;
    let Loss { value, gradient } =
        mean_squared_error(tape.tensor(&prediction), &target, &part.weights, n_samples)?;
    let mut gradients = Gradients::zeros(network);
    tape.backward(&prediction, gradient, &mut gradients)?;
    Ok(StepGradients {
        loss: value,
        gradients,
    })
}
