//! One forward and backward pass over a batch.

use candle_core::{Result, Tensor};
use diffusion::{
    base::BaseModel,
    conditioning::{TextEncoders, TextTokens},
    cpu::Cpu,
    device::{Device, TrainingDevice},
    graph::Graph as _,
    unet::{Conditioning, Unet},
};
use rayon::prelude::*;

use crate::{
    kinds::{Draws, Moment},
    losses::{Compared, Loss, Measured},
    network::{Gradients, LoraNetwork},
    tape::{Tape, Var},
};

/// Noisy latents and what the U-Net should say about them: host tensors.
#[derive(Debug, Clone)]
pub struct Batch {
    /// `[B, 4, h, w]`.
    pub noisy: Tensor,
    /// One of each sample; whole numbers, but for rectified flow.
    pub timesteps: Vec<f32>,
    /// Text, sizes and crop.
    pub told: Told,
    /// Noise or velocity, `[B, 4, h, w]`.
    pub target: Tensor,
    /// What measures how far off it is.
    pub loss: Loss,
    /// Loss weight of each sample.
    pub weights: Vec<f32>,
    /// Where a loss with a corner has it in each sample.
    pub corners: Vec<f32>,
    /// How much each place of each sample counts, `[B, h, w]` in rows; empty if all count alike.
    pub mask: Vec<f32>,
    /// What dropout is drawn from; none leaves nothing out.
    pub draws: Option<Draws>,
}

/// What the U-Net is told beside the noisy latents.
#[derive(Debug, Clone)]
pub enum Told {
    /// As frozen text encoders say it.
    Encoded(Conditioning),
    /// In tokens, for text encoders that are trained along.
    Tokens {
        /// The captions.
        texts: TextTokens,
        /// Sizes and crop as the U-Net's vector has them behind the pooled text, `[B, 6 · 256]`.
        sizes: Tensor,
    },
}

/// The parts of a base model that a pass goes through.
#[derive(Debug)]
pub struct Models<'a, D: Device = Cpu> {
    unet: &'a Unet<D>,
    text_encoders: Option<&'a TextEncoders<D>>,
    recomputes: bool,
}

/// Result of one pass.
#[derive(Debug)]
pub struct StepGradients<D: Device = Cpu> {
    /// Loss of the batch.
    pub loss: f64,
    /// Loss of each of its samples, without its weight.
    pub of_samples: Vec<f64>,
    /// Its gradients.
    pub gradients: Gradients<D>,
}

impl<D: Device> Clone for Models<'_, D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D: Device> Copy for Models<'_, D> {}

impl<'a, D: Device> From<&'a Unet<D>> for Models<'a, D> {
    fn from(unet: &'a Unet<D>) -> Self {
        Self {
            unet,
            text_encoders: None,
            recomputes: false,
        }
    }
}

impl<'a, D: Device> From<&'a BaseModel<D>> for Models<'a, D> {
    fn from(base: &'a BaseModel<D>) -> Self {
        Self {
            unet: &base.unet,
            text_encoders: Some(&base.text_encoders),
            recomputes: false,
        }
    }
}

impl<D: Device> Models<'_, D> {
    /// With gradient checkpointing: blocks are computed again on the way back, which takes less memory and more time.
    pub fn recomputing(self, recomputes: bool) -> Self {
        Self { recomputes, ..self }
    }
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
        Ok(Self {
            noisy: part(&self.noisy, start, len)?,
            timesteps: self.timesteps[start..start + len].to_vec(),
            told: self.told.part(start, len)?,
            target: part(&self.target, start, len)?,
            loss: self.loss,
            weights: self.weights[start..start + len].to_vec(),
            draws: self.draws.map(|draws| draws.behind(start)),
            corners: self.corners[start..start + len].to_vec(),
            mask: match self.mask.len() / self.len() {
                0 => Vec::new(),
                n_places => self.mask[start * n_places..(start + len) * n_places].to_vec(),
            },
        })
    }

    /// What modules depend on beside their input.
    fn moment(&self) -> Moment {
        Moment {
            timesteps: self.timesteps.clone(),
            draws: self.draws,
        }
    }

    /// What the U-Net says, `[B, h, w, 4]`.
    fn predict<D: TrainingDevice>(&self, tape: &mut Tape<'_, D>, models: Models<'_, D>) -> Result<Var<D>> {
        let [context, vector] = self.told.bring(tape, models)?;
        let told = [&context, &vector];
        models.unet.forward_told(tape, &self.noisy, &self.timesteps, told)
    }

    /// How far off a prediction is, and the gradient of that.
    fn compare<D: TrainingDevice>(
        &self,
        device: &D,
        prediction: &D::Tensor,
        n_samples: usize,
    ) -> Result<Measured<D::Tensor>> {
        let target = self.target.permute((0, 2, 3, 1))?.contiguous()?;
        let compared = Compared {
            prediction,
            target: &device.upload(&target)?,
            weights: &self.weights,
            corners: &self.corners,
            n_samples,
        };
        let measured = if self.mask.is_empty() {
            self.loss.compute(device, compared)
        } else {
            self.loss.compute_masked(device, compared, &self.mask)
        };
        Ok(measured?)
    }
}

impl Told {
    fn part(&self, start: usize, len: usize) -> Result<Self> {
        Ok(match self {
            Self::Encoded(Conditioning { context, vector }) => Self::Encoded(Conditioning {
                context: part(context, start, len)?,
                vector: part(vector, start, len)?,
            }),
            Self::Tokens { texts, sizes } => Self::Tokens {
                texts: texts.part(start, len),
                sizes: part(sizes, start, len)?,
            },
        })
    }

    /// Context and vector on the tape. Gradients flow into them where the text encoders are trained.
    fn bring<D: TrainingDevice>(&self, tape: &mut Tape<'_, D>, models: Models<'_, D>) -> Result<[Var<D>; 2]> {
        match self {
            Self::Encoded(Conditioning { context, vector }) => {
                Ok([tape.constant(context)?, tape.constant(vector)?])
            }
            Self::Tokens { texts, sizes } => {
                let Some(text_encoders) = models.text_encoders else {
                    candle_core::bail!("a batch of tokens needs text encoders");
                };
                let values = text_encoders.forward(tape, texts)?;
                let sizes = tape.constant(sizes)?;
                let vector = tape.concat(&values.pooled, &sizes)?;
                Ok([values.context, vector])
            }
        }
    }
}

fn part(tensor: &Tensor, start: usize, len: usize) -> Result<Tensor> {
    tensor.narrow(0, start, len)?.contiguous()
}

/// Loss of a batch and the gradients of every LoRA parameter.
///
/// # Errors
/// If the shapes do not fit, a batch of tokens comes without text encoders, or the device fails.
pub fn forward_backward<'a, D: TrainingDevice>(
    models: impl Into<Models<'a, D>>,
    network: &LoraNetwork<D>,
    batch: &Batch,
) -> Result<StepGradients<D>> {
    let models = models.into();
    let n_samples = batch.len();
    let n_parts = network
        .device()
        .n_parts(n_samples, models.unet.activation_len(&batch.noisy)?);
    let part_len = n_samples.div_ceil(n_parts);
    let starts: Vec<usize> = (0..n_samples).step_by(part_len).collect();
    let mut parts: Vec<StepGradients<D>> = starts
        .into_par_iter()
        .map(|start| {
            let part = batch.part(start, part_len.min(n_samples - start))?;
            part_backward(models, network, &part, n_samples)
        })
        .collect::<Result<_>>()?;
    // Summed in the order of the samples, whichever part was ready first.
    let mut sum = parts.remove(0);
    for part in &parts {
        sum.loss += part.loss;
        sum.of_samples.extend_from_slice(&part.of_samples);
        sum.gradients.add(&part.gradients)?;
    }
    Ok(sum)
}

/// Loss and gradients of a part of a batch of `n_samples`.
fn part_backward<D: TrainingDevice>(
    models: Models<'_, D>,
    network: &LoraNetwork<D>,
    part: &Batch,
    n_samples: usize,
) -> Result<StepGradients<D>> {
    let mut tape = Tape::at(network, part.moment()).recomputing(models.recomputes);
    let prediction = part.predict(&mut tape, models)?;
    let Measured {
        loss,
        of_samples,
        gradient,
    } = part.compare(network.device(), prediction.tensor(), n_samples)?;
    let mut gradients = Gradients::zeros(network)?;
    tape.backward(&prediction, gradient, &mut gradients)?;
    Ok(StepGradients {
        loss,
        of_samples,
        gradients,
    })
}
