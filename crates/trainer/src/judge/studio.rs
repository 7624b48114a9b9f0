//! Draws the pictures of a judgement, and measures each by itself.

use std::{collections::HashMap, ops::ControlFlow};

use diffusion::{
    device::TrainingDevice,
    graph::AdapterSet,
    pipeline::{self, PictureRequest, PictureSize, PipelineError},
    schedulers::Sampler,
    tokenizer::TokenLength,
};
use image::RgbImage;
use prompt::Reading;
use protocol::sample::GUIDANCE;

use super::{
    JudgeError, Task, asked,
    bootstrap::mean,
    copies,
    dataset::Dataset,
    features::{Eye, Features, encoded, resized, small},
    follows,
    looks::Looks,
    measuring,
    suite::Prompt,
};
use crate::{evaluate::Painter, network::LoraNetwork};

/// Denoising steps: what differs between pictures is settled by then, and previews, which have more, are for looking at.
const N_STEPS: u32 = 12;

/// A drawn picture, and what was measured of it.
#[derive(Debug, Clone)]
pub(super) struct Picture {
    pub(super) pixels: RgbImage,
    /// Its latents at 16 × 16.
    pub(super) small: Vec<f32>,
    pub(super) features: Features,
    /// Mean likeness to the dataset.
    pub(super) likeness: f64,
    /// How clearly it shows its prompt ([`follows`]); absent for a prompt without a rival.
    pub(super) margin: Option<f64>,
    pub(super) looks: Looks,
}

/// Pictures of the base by prompt and seed.
pub(super) type Drawn = HashMap<(String, u64), Picture>;

/// Why there is no picture.
pub(super) enum Failure {
    /// The other engine failed.
    Painter(PipelineError),
    Judge(JudgeError),
}

impl From<JudgeError> for Failure {
    fn from(err: JudgeError) -> Self {
        Self::Judge(err)
    }
}

pub(super) struct Studio<'a, 'p, D: TrainingDevice> {
    pub(super) task: &'a Task<'a, D>,
    pub(super) network: &'a LoraNetwork<D>,
    pub(super) eye: &'a Eye<'a, D>,
    pub(super) dataset: &'a Dataset,
    pub(super) painter: Option<&'p mut (dyn Painter + 'p)>,
    pub(super) go_on: &'a mut dyn FnMut() -> ControlFlow<()>,
    /// The LoRA at the weight that was drawn last.
    pub(super) applied: Option<(f32, AdapterSet<D>)>,
}

impl<D: TrainingDevice> Studio<'_, '_, D> {
    /// The picture of a prompt with the LoRA at a weight, or without it. None if its numbers overflow.
    pub(super) fn picture(
        &mut self,
        prompt: &Prompt,
        seed: u64,
        weight: Option<f32>,
    ) -> Result<Option<Picture>, Failure> {
        asked(self.go_on)?;
        let request = self.request(&prompt.text, seed)?;
        let pixels = match self.draw(&request, weight) {
            Ok(pixels) => pixels,
            Err(Failure::Judge(JudgeError::Draw(PipelineError::NotFinite { .. }))) => return Ok(None),
            Err(failure) => return Err(failure),
        };
        Ok(Some(self.measured(prompt, pixels)?))
    }

    fn draw(&mut self, request: &PictureRequest, weight: Option<f32>) -> Result<RgbImage, Failure> {
        if let Some(painter) = &mut self.painter {
            return painter.draw(request, weight).map_err(|err| match err {
                PipelineError::Cancelled { .. } => JudgeError::Stopped.into(),
                // Half precision overflows where a native engine's numbers may not: the native engine draws.
                err => Failure::Painter(err),
            });
        }
        let nothing = AdapterSet::new();
        let adapters = match weight {
            None => &nothing,
            Some(weight) => {
                if self
                    .applied
                    .as_ref()
                    .is_none_or(|(applied, _)| *applied != weight)
                {
                    let adapters = self.network.applied(self.task.base, weight);
                    self.applied = Some((weight, adapters.map_err(measuring("the LoRA's effect"))?));
                }
                self.applied.as_ref().map_or(&nothing, |(_, adapters)| adapters)
            }
        };
        let go_on = &mut *self.go_on;
        let pictures = pipeline::generate(self.task.base, adapters, request, &mut |_, _| go_on());
        match pictures {
            Ok(mut pictures) => Ok(pictures.swap_remove(0)),
            Err(PipelineError::Cancelled { .. }) => Err(JudgeError::Stopped.into()),
            Err(err) => Err(JudgeError::Draw(err).into()),
        }
    }

    fn request(&self, text: &str, seed: u64) -> Result<PictureRequest, JudgeError> {
        let p = self.task.recipe.parameters();
        let size = PictureSize::new(p.resolution, p.resolution);
        Ok(PictureRequest {
            prompt: prompt_of(text),
            negative: None,
            reading: Reading::Language,
            length: TokenLength::try_from(u32::from(p.max_tokens)).expect("recipes are valid"),
            guidance: GUIDANCE,
            n_steps: N_STEPS.try_into().expect("within what samplers take"),
            size: size.unwrap_or_else(|_| PictureSize::native(self.task.base)),
            sampler: Sampler::Euler,
            seed,
            initial_noise: None,
        })
    }

    fn measured(&self, prompt: &Prompt, pixels: RgbImage) -> Result<Picture, JudgeError> {
        let Task { base, data, .. } = *self.task;
        let measure = || -> candle_core::Result<Picture> {
            let latents = encoded(base, &pixels)?;
            let seen = resized(&latents, self.eye.side)?;
            let features = self.eye.look(&seen)?;
            let rows = self.eye.alike(&[&features], &self.dataset.references())?;
            let margin = match &prompt.rival {
                None => None,
                Some(rival) => {
                    let own = data.encode(&base.text_encoders, &prompt.text)?;
                    let rival = data.encode(&base.text_encoders, rival)?;
                    Some(follows::margin(base, data, &seen, [&own, &rival])?)
                }
            };
            Ok(Picture {
                small: small(&latents)?,
                likeness: mean(rows.iter().flatten().copied()),
                looks: Looks::of(&pixels),
                margin,
                features,
                pixels: pixels.clone(),
            })
        };
        measure().map_err(measuring("a drawn picture"))
    }
}

/// A prompt as the prompt language writes these letters.
pub(super) fn prompt_of(text: &str) -> String {
    prompt::escaped(text)
}

impl Picture {
    /// How different two pictures are at 16 × 16.
    pub(super) fn apart(&self, other: &Self) -> f64 {
        copies::apart(&self.small, &other.small)
    }
}
