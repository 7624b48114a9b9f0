//! Sample pictures, rendered while a LoRA is trained.

use std::{
    io,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use diffusion::{
    device::{Device, TrainingDevice},
    pipeline::{self, PictureRequest, PictureSize},
    schedulers::Sampler,
};
use image::RgbImage;
use protocol::agent::ArtifactKind;

use super::{TrainError, TrainEvent, TrainJob, run::applied};
use crate::{data::TrainingData, network::LoraNetwork, tensor_file::write_atomically};

/// Denoising steps of samples and of the verdict's pictures: enough for Euler to show what was learned.
const N_SAMPLE_STEPS: u32 = 20;
/// Classifier-free guidance of samples: the default of diffusers' SDXL pipeline.
const SAMPLE_GUIDANCE: f64 = 5.0;
/// Captions that stand in for sample prompts when the recipe has none.
const N_DEFAULT_PROMPTS: usize = 2;

/// Renders the sample prompts.
pub(super) struct Studio<'a, D: Device> {
    job: &'a TrainJob<'a, D>,
    prompts: Vec<String>,
    size: PictureSize,
}

impl<'a, D: TrainingDevice> Studio<'a, D> {
    pub(super) fn new(job: &'a TrainJob<'a, D>, data: &TrainingData) -> Result<Self, TrainError> {
        let recipe = job.recipe;
        let prompts = match recipe.sample_prompts() {
            [] => {
                // Captions of held-out pictures first: what they show was not learned by heart.
                let captions = data
                    .held_out
                    .iter()
                    .chain(&data.trained)
                    .map(|sample| sample.caption.clone());
                captions.take(N_DEFAULT_PROMPTS).collect()
            }
            prompts => prompts.to_vec(),
        };
        let side = recipe.parameters().resolution;
        let size = PictureSize::new(side, side).map_err(TrainError::SampleSize)?;
        Ok(Self { job, prompts, size })
    }

    /// The fixed-seed picture of a prompt.
    pub(super) fn request(&self, prompt_index: usize) -> PictureRequest {
        PictureRequest {
            prompt: self.prompts[prompt_index].clone(),
            negative: None,
            guidance: SAMPLE_GUIDANCE,
            n_steps: N_SAMPLE_STEPS.try_into().expect("within what samplers take"),
            size: self.size,
            sampler: Sampler::Euler,
            seed: u64::from(self.job.recipe.parameters().seed) + prompt_index as u64,
            initial_noise: None,
        }
    }

    /// Renders every prompt with the network as it is now.
    pub(super) fn render_all(
        &self,
        network: &LoraNetwork<D>,
        step: u32,
        events: &mut impl FnMut(TrainEvent),
    ) -> Result<(), TrainError> {
        let adapters = applied(network)?;
        for (index, prompt) in self.prompts.iter().enumerate() {
            let request = self.request(index);
            let go_on = &mut |_, _| ControlFlow::Continue(());
            let pictures = pipeline::generate(self.job.base, &adapters, &request, go_on);
            let pictures = pictures.map_err(TrainError::Render)?;
            let path = sample_path(self.job.folder, step, index as u32);
            let kind = ArtifactKind::Sample {
                step,
                prompt_index: index as u32,
                prompt: prompt.clone(),
                seed: request.seed,
            };
            events(TrainEvent::Wrote {
                kind,
                path: write_picture(path, &pictures[0])?,
            });
        }
        Ok(())
    }
}

/// Where the sample of a prompt after so many steps is written.
pub fn sample_path(folder: &Path, step: u32, prompt_index: u32) -> PathBuf {
    folder.join(format!("sample-{step:06}-{prompt_index}.png"))
}

pub(super) fn write_picture(path: PathBuf, picture: &RgbImage) -> Result<PathBuf, TrainError> {
    let png = dataset::picture::encode_png(picture);
    write_atomically(&path, |out: &mut dyn io::Write| out.write_all(&png)).map_err(TrainError::Write)?;
    Ok(path)
}
