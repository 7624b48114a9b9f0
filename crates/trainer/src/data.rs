//! A frozen dataset, prepared for training: latents and text encodings in memory, and batches made of them.

use std::{io, ops::ControlFlow};

use candle_core::Tensor;
use dataset::{
    buckets::{Buckets, Placement, Size},
    caption,
    crop::{TimeIds, crop},
    picture::{self, PictureError},
};
use diffusion::{
    base::BaseModel,
    conditioning::{PictureSizes, TextConditioning, vector},
    device::{Device, floats, tensor},
    graph::AdapterSet,
    schedulers::{NoiseSchedule, PredictionType},
    tokenizer::TokenLength,
    unet::Conditioning,
};
use protocol::{
    ItemId,
    dataset::{Manifest, ManifestItem, Split},
    recipe::Recipe,
};
use sha2::{Digest as _, Sha256};

use crate::{losses::Loss, seeds, step::Batch, weightings::Weighting};

mod plan;

pub use plan::BatchPlan;

/// Gives the file of a picture.
pub type Pictures<'a> = &'a dyn Fn(&ManifestItem) -> io::Result<Vec<u8>>;

/// A dataset in memory, as the U-Net takes it.
#[derive(Debug)]
pub struct TrainingData {
    /// Pictures to train on.
    pub trained: Vec<Sample>,
    /// Pictures to measure by.
    pub held_out: Vec<Sample>,
    /// The sizes that pictures were brought to.
    pub buckets: Buckets,
    /// The empty caption, for caption dropout.
    empty: TextConditioning,
    noise_schedule: NoiseSchedule,
    prediction: PredictionType,
}

/// One picture with its caption.
#[derive(Debug)]
pub struct Sample {
    /// Its id.
    pub id: ItemId,
    /// Its caption, trigger word included.
    pub caption: String,
    /// Its bucket.
    pub bucket: Size,
    sha256: String,
    /// Scaled for the U-Net, `[1, 4, h, w]`.
    latents: Tensor,
    text: TextConditioning,
    sizes: PictureSizes,
}

/// How far the preparation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// What is being done.
    pub name: &'static str,
    /// Finished parts.
    pub done: u32,
    /// All parts.
    pub total: u32,
}

/// Why a dataset cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The preparation was told to end.
    #[error("the preparation of the pictures was interrupted")]
    Interrupted,
    /// No picture is there to be trained on.
    #[error("the dataset version {0} has no picture to train on")]
    NothingToTrainOn(protocol::DatasetVersionId),
    /// The U-Net halves pictures of such sides unevenly.
    #[error(
        "bucket_step {found} does not fit the base model, which takes sides that are multiples of {expected}: use \
         a multiple of {expected}"
    )]
    BucketStep {
        /// The recipe's.
        found: u32,
        /// What the base model takes.
        expected: u32,
    },
    /// The file is not there.
    #[error("failed to read picture {id}")]
    Read {
        /// The picture.
        id: ItemId,
        /// Why.
        #[source]
        err: io::Error,
    },
    /// The file is not the one that was frozen.
    #[error(
        "picture {id} is not the one that the dataset version was made of: its SHA-256 is {found}, expected {expected}"
    )]
    Changed {
        /// The picture.
        id: ItemId,
        /// Hash of the file.
        found: String,
        /// Hash in the manifest.
        expected: String,
    },
    /// The file does not decode.
    #[error("failed to decode picture {id}")]
    Decode {
        /// The picture.
        id: ItemId,
        /// Why.
        #[source]
        err: PictureError,
    },
    /// The VAE made numbers of it that are none.
    #[error(
        "the VAE of the base model turns picture {id} into numbers that are not finite: the base is broken"
    )]
    NotFinite {
        /// The picture.
        id: ItemId,
    },
    /// The computation failed.
    #[error("failed to encode {what}")]
    Compute {
        /// What was encoded.
        what: String,
        /// Why.
        #[source]
        err: candle_core::Error,
    },
}

impl TrainingData {
    /// Decodes, crops and encodes all pictures, and encodes their captions.
    ///
    /// The latents of a picture are drawn once from the VAE's posterior, as sd-scripts does when it caches them.
    pub fn prepare<D: Device>(
        base: &BaseModel<D>,
        recipe: &Recipe,
        manifest: &Manifest,
        pictures: Pictures<'_>,
        on_stage: &mut dyn FnMut(Stage) -> ControlFlow<()>,
    ) -> Result<Self, DataError> {
        let p = recipe.parameters();
        // The VAE and each level of the U-Net but the last halve the sides once more.
        let expected = (base.vae.config().downscale() << (base.unet.config().levels.len() - 1)) as u32;
        check_bucket_step(p.bucket_step, expected)?;
        let buckets = Buckets::new(p.resolution, p.bucket_step);
        let length = TokenLength::try_from(u32::from(p.max_tokens)).expect("recipes are valid");
        let encode = |caption: &str, what: String| {
            let encoded = base.text_encoders.encode(&[caption], length, &AdapterSet::new());
            encoded.map_err(|err| DataError::Compute { what, err })
        };
        let (mut trained, mut held_out) = (Vec::new(), Vec::new());
        let total = manifest.items.len() as u32;
        for (done, item) in manifest.items.iter().enumerate() {
            let stage = Stage {
                name: "encoding pictures and captions",
                done: done as u32,
                total,
            };
            if on_stage(stage).is_break() {
                return Err(DataError::Interrupted);
            }
            let caption = caption::with_trigger(&item.caption, recipe.trigger_word().unwrap_or_default());
            let (latents, placement) = encode_picture(base, &buckets, p.seed, item, pictures)?;
            let sample = Sample {
                id: item.id,
                bucket: placement.bucket,
                sha256: item.sha256.clone(),
                latents,
                text: encode(&caption, format!("the caption of picture {}", item.id))?,
                sizes: picture_sizes(TimeIds::of(&placement)),
                caption: caption.into_owned(),
            };
            match item.split {
                Split::Train => trained.push(sample),
                Split::HeldOut => held_out.push(sample),
            }
        }
        if trained.is_empty() {
            return Err(DataError::NothingToTrainOn(manifest.id));
        }
        let _ = on_stage(Stage {
            name: "encoding pictures and captions",
            done: total,
            total,
        });
        Ok(Self {
            trained,
            held_out,
            buckets,
            empty: encode("", "the empty caption".to_owned())?,
            noise_schedule: NoiseSchedule::new(&base.scheduler),
            prediction: base.scheduler.prediction_type,
        })
    }

    /// The batches of every step.
    pub fn plan(&self, recipe: &Recipe) -> BatchPlan {
        BatchPlan::new(
            self.trained.iter().map(|sample| sample.bucket),
            recipe.parameters(),
        )
    }

    /// What the network predicts.
    pub fn prediction(&self) -> PredictionType {
        self.prediction
    }

    /// One batch of a step: noise, timesteps and dropped captions are functions of the recipe's seed, the step and
    /// the picture's place in the step, which begins at `first_place` here.
    pub fn batch(
        &self,
        recipe: &Recipe,
        step: u32,
        first_place: usize,
        members: &[usize],
    ) -> candle_core::Result<Batch> {
        let p = recipe.parameters();
        let n_timesteps = self.noise_schedule.n_timesteps() as u32;
        let mut draws = Vec::with_capacity(members.len());
        for (place, &member) in members.iter().enumerate() {
            let sample = &self.trained[member];
            let place = first_place + place;
            let mut random = seeds::random(format_args!("step {} {step} {place}", p.seed));
            let timestep = random.integer(0..n_timesteps);
            let is_dropped = f64::from(random.uniform()) < p.caption_dropout;
            let n_values = sample.latents.elem_count();
            let mut noise = random.normal(n_values);
            if p.noise_offset > 0.0 {
                // A constant per channel on top (Guttenberg 2023, "Diffusion with offset noise").
                let channels = sample.latents.dims()[1];
                let offsets = random.normal(channels);
                for (values, offset) in noise.chunks_exact_mut(n_values / channels).zip(offsets) {
                    values
                        .iter_mut()
                        .for_each(|value| *value += p.noise_offset as f32 * offset);
                }
            }
            let text = if is_dropped { &self.empty } else { &sample.text };
            draws.push(Draw {
                sample,
                text,
                timestep,
                noise,
            });
        }
        let timesteps: Vec<u32> = draws.iter().map(|draw| draw.timestep).collect();
        let weights = Weighting::of(p).weights(&self.noise_schedule, self.prediction, &timesteps);
        self.assemble(draws, weights)
    }

    /// Pictures at one timestep with noise that depends on nothing but picture and timestep, so that losses of
    /// different trainings can be compared. All have to be of one bucket.
    pub(crate) fn probe(&self, samples: &[&Sample], timestep: u32) -> candle_core::Result<Batch> {
        let draws = samples.iter().map(|&sample| {
            let mut random = seeds::random(format_args!("validation {} {timestep}", sample.sha256));
            let noise = random.normal(sample.latents.elem_count());
            Draw {
                sample,
                text: &sample.text,
                timestep,
                noise,
            }
        });
        self.assemble(draws.collect(), vec![1.0; samples.len()])
    }

    fn assemble(&self, draws: Vec<Draw<'_>>, weights: Vec<f32>) -> candle_core::Result<Batch> {
        let (mut noisy, mut target) = (Vec::new(), Vec::new());
        for draw in &draws {
            let (signal, noise) = self.noise_schedule.mix(draw.timestep as usize);
            let (signal, amount) = (signal as f32, noise as f32);
            let latents = floats(&draw.sample.latents)?;
            for (&x, &noise) in latents.iter().zip(&draw.noise) {
                noisy.push(signal * x + amount * noise);
                target.push(self.prediction.target((signal, amount), x, noise));
            }
        }
        let mut shape = draws[0].sample.latents.dims().to_vec();
        shape[0] = draws.len();
        let cat = |part: fn(&TextConditioning) -> &Tensor| {
            Tensor::cat(&draws.iter().map(|draw| part(draw.text)).collect::<Vec<_>>(), 0)
        };
        let sizes: Vec<PictureSizes> = draws.iter().map(|draw| draw.sample.sizes).collect();
        Ok(Batch {
            noisy: tensor(noisy, &shape)?,
            timesteps: draws.iter().map(|draw| draw.timestep).collect(),
            conditioning: Conditioning {
                context: cat(|text| &text.context)?,
                vector: vector(&cat(|text| &text.pooled)?, &sizes)?,
            },
            target: tensor(target, &shape)?,
            loss: Loss::default(),
            weights,
        })
    }
}

/// What is drawn for one picture of a batch.
struct Draw<'a> {
    sample: &'a Sample,
    text: &'a TextConditioning,
    timestep: u32,
    noise: Vec<f32>,
}

fn encode_picture<D: Device>(
    base: &BaseModel<D>,
    buckets: &Buckets,
    seed: u32,
    item: &ManifestItem,
    pictures: Pictures<'_>,
) -> Result<(Tensor, Placement), DataError> {
    let id = item.id;
    let png = pictures(item).map_err(|err| DataError::Read { id, err })?;
    let found = hex::encode(Sha256::digest(&png));
    if found != item.sha256 {
        return Err(DataError::Changed {
            id,
            found,
            expected: item.sha256.clone(),
        });
    }
    let picture = picture::read_normalized(&png).map_err(|err| DataError::Decode { id, err })?;
    let placement = buckets.place(Size::new(picture.width(), picture.height()));
    let pixels = crop(&picture, &placement).pixels;
    let Size { width, height } = placement.bucket;
    let mut random = seeds::random(format_args!("posterior {seed} {}", item.sha256));
    let latents = || -> candle_core::Result<Tensor> {
        let pixels = tensor(pixels, [1, 3, height as usize, width as usize])?;
        let posterior = base.vae.encode(&pixels)?;
        let noise = random.normal_tensor(posterior.mean()?.shape())?;
        posterior.sample(&noise)?.contiguous()
    };
    let latents = latents().map_err(|err| DataError::Compute {
        what: format!("picture {id}"),
        err,
    })?;
    let is_finite = floats(&latents).is_ok_and(|values| values.iter().all(|value| value.is_finite()));
    if !is_finite {
        return Err(DataError::NotFinite { id });
    }
    Ok((latents, placement))
}

fn picture_sizes(ids: TimeIds) -> PictureSizes {
    PictureSizes {
        original: (ids.original.height, ids.original.width),
        crop: (ids.crop_top, ids.crop_left),
        target: (ids.target.height, ids.target.width),
    }
}

fn check_bucket_step(found: u32, expected: u32) -> Result<(), DataError> {
    if found.is_multiple_of(expected) {
        Ok(())
    } else {
        Err(DataError::BucketStep { found, expected })
    }
}

#[cfg(test)]
mod tests;
