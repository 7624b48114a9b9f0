//! Sample pictures, rendered while a LoRA is trained.

use std::{
    cell::OnceCell,
    io,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use diffusion::{
    device::{Device, TrainingDevice},
    pipeline::{self, PictureRequest, PictureSize},
    tokenizer::TokenLength,
};
use image::RgbImage;
use prompt::{Prompt, Reading};
use protocol::{
    agent::ArtifactKind,
    made::{MadeBase, MadeLora},
    sample::{Sample, SamplePrompt},
};

use super::{TrainError, TrainEvent, TrainJob, run::applied};
use crate::{data::TrainingData, made, network::LoraNetwork, tensor_file::write_atomically};

/// Captions that stand in for sample prompts when the recipe has none.
const N_DEFAULT_PROMPTS: usize = 2;

/// Renders the sample prompts.
pub(super) struct Studio<'a, D: Device> {
    job: &'a TrainJob<'a, D>,
    samples: Vec<Sample>,
    /// The base model as pictures name it; its hashes are made with the first picture.
    base: OnceCell<MadeBase>,
    /// Previews read what training reads.
    length: TokenLength,
}

impl<'a, D: TrainingDevice> Studio<'a, D> {
    pub(super) fn new(job: &'a TrainJob<'a, D>, data: &TrainingData) -> Result<Self, TrainError> {
        let recipe = job.recipe;
        let prompts: Vec<SamplePrompt> = match recipe.sample_prompts() {
            [] => {
                // Captions of held-out pictures first: what they show was not learned by heart.
                let captions = data
                    .held_out
                    .iter()
                    .chain(&data.trained)
                    // Captions are letters, brackets among them.
                    .map(|sample| prompt::escaped(&sample.caption).into());
                captions.take(N_DEFAULT_PROMPTS).collect()
            }
            prompts => prompts.to_vec(),
        };
        let samples = prompts.iter().enumerate();
        let samples: Vec<Sample> = samples
            .map(|(index, prompt)| prompt.resolve(index, recipe.parameters()))
            .collect();
        for sample in &samples {
            PictureSize::new(sample.width, sample.height).map_err(TrainError::SampleSize)?;
        }
        let length = u32::from(recipe.parameters().max_tokens).try_into();
        Ok(Self {
            job,
            samples,
            base: OnceCell::new(),
            length: length.expect("recipes are valid"),
        })
    }

    /// The fixed-seed picture of a prompt.
    pub(super) fn request(&self, prompt_index: usize) -> PictureRequest {
        let sample = &self.samples[prompt_index];
        let has_tag = |text: &str| Prompt::read(text, Reading::Language).first_tag().is_some();
        // A recipe of before prompts were read may hold a LoRA tag; those that are made now are refused with one.
        let is_literal = has_tag(&sample.prompt) || sample.negative_prompt.as_deref().is_some_and(has_tag);
        PictureRequest {
            prompt: sample.prompt.clone(),
            negative: sample.negative_prompt.clone(),
            reading: Reading::of(is_literal),
            length: self.length,
            guidance: sample.guidance,
            n_steps: sample.n_steps.try_into().expect("recipes are valid"),
            size: PictureSize::new(sample.width, sample.height).expect("checked by new"),
            sampler: made::sampler(sample.sampler),
            seed: sample.seed,
            initial_noise: None,
        }
    }

    /// The recipe's LoRA in the record of a picture.
    pub(super) fn lora(&self) -> MadeLora {
        MadeLora {
            name: made::plain_name(self.job.recipe.name()),
            weight: 1.0,
            partial: false,
            sha256: None,
            data_sha256: None,
            model_version_id: None,
            trained_steps: None,
        }
    }

    /// Writes a picture of a request, with how it was made: its LoRAs, and the program.
    pub(super) fn write(
        &self,
        path: PathBuf,
        picture: &RgbImage,
        request: &PictureRequest,
        (loras, program): (Vec<MadeLora>, &str),
    ) -> Result<PathBuf, TrainError> {
        let base = self.base.get_or_init(|| made::base(self.job.base));
        let mut record = made::record(base.clone(), request, loras);
        record.program = program.to_owned();
        let png = made::png(picture, &record);
        write_atomically(&path, |out: &mut dyn io::Write| out.write_all(&png)).map_err(TrainError::Write)?;
        Ok(path)
    }

    /// Renders every prompt with the network as it is now.
    pub(super) fn render_all(
        &self,
        network: &LoraNetwork<D>,
        step: u32,
        events: &mut impl FnMut(TrainEvent),
    ) -> Result<(), TrainError> {
        for (index, sample) in self.samples.iter().enumerate() {
            let weight = sample.lora_weight;
            let adapters = applied(self.job.base, network, weight)?;
            let lora = MadeLora {
                trained_steps: Some(step),
                weight,
                ..self.lora()
            };
            let request = self.request(index);
            let go_on = &mut |_, _| ControlFlow::Continue(());
            let pictures = pipeline::generate(self.job.base, &adapters, &request, go_on);
            let pictures = pictures.map_err(TrainError::Render)?;
            let path = sample_path(self.job.folder, step, index as u32);
            let kind = ArtifactKind::Sample {
                step,
                prompt_index: index as u32,
                prompt: sample.prompt.clone(),
                seed: request.seed,
            };
            events(TrainEvent::Wrote {
                kind,
                path: self.write(path, &pictures[0], &request, (vec![lora], made::PROGRAM))?,
            });
        }
        Ok(())
    }
}

/// Where the sample of a prompt after so many steps is written.
pub fn sample_path(folder: &Path, step: u32, prompt_index: u32) -> PathBuf {
    folder.join(format!("sample-{step:06}-{prompt_index}.png"))
}
