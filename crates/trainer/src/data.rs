//! A frozen dataset, prepared for training: latents and text encodings in memory, and batches made of them.

use std::{collections::HashMap, io, ops::ControlFlow, sync::Arc};

use candle_core::Tensor;
use dataset::{
    buckets::{Buckets, Size},
    crop::TimeIds,
};
use diffusion::{
    base::BaseModel,
    conditioning::{PictureSizes, TextConditioning, TextEncoders, TextTokens, embedded_sizes, vector},
    device::{Device, floats, tensor},
    graph::AdapterSet,
    schedulers::{NoiseSchedule, PredictionType},
    unet::Conditioning,
};
use protocol::{
    ItemId,
    dataset::{Manifest, ManifestItem, Shown, Split},
    recipe::Recipe,
};

use crate::{
    kinds::Draws,
    losses::{Corners, Loss},
    noise::{Noise, Noising, Spot, Timesteps},
    seeds,
    step::{Batch, Told},
    weightings::Weightings,
};

mod captions;
mod error;
mod pictures;
mod plan;
mod preserved;
mod prior;
mod room;

pub use captions::MAX_ENCODING_BYTES;
use captions::{Captions, Changing};
pub use error::{DataError, Stage};
use pictures::{Encoded, Look, Looks, encode_picture, picture_sizes};
pub use plan::{BatchPlan, View};
use room::Room;

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
    captions: Captions,
    /// The empty caption, for caption dropout.
    empty: Arc<TextConditioning>,
    noise_schedule: NoiseSchedule,
    prediction: PredictionType,
}

/// One picture with its caption.
#[derive(Debug)]
pub struct Sample {
    /// Its id.
    pub id: ItemId,
    /// Its caption, trigger word included, with nothing drawn.
    pub caption: String,
    /// Its bucket.
    pub bucket: Size,
    /// How many times an epoch shows it.
    repeats: u32,
    /// What its loss is multiplied with, if it is a regularization picture.
    prior_loss_weight: Option<f32>,
    /// How much each place of the latents counts, `[h, w]` in rows, if that differs.
    mask: Option<Vec<f32>>,
    /// How it looks in views.
    looks: Looks,
    /// What its caption is drawn from, if it changes from view to view.
    changing: Option<Changing>,
    sha256: String,
    /// Scaled for the U-Net, `[1, 4, h, w]`.
    latents: Tensor,
    /// Encoding of `caption`.
    text: Arc<TextConditioning>,
    sizes: PictureSizes,
}

impl Sample {
    /// Scaled for the U-Net, `[1, 4, h, w]`.
    pub(crate) fn latents(&self) -> &Tensor {
        &self.latents
    }
}

/// Where in a training a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Optimizer steps that are done.
    pub step: u32,
    /// The step's epoch, counted from 0.
    pub epoch: u32,
    /// Pictures of the step in batches before this one.
    pub n_before: usize,
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
        let buckets = Buckets::of(p);
        let captions = Captions::of(recipe);
        let mut encoded: HashMap<String, Arc<TextConditioning>> = HashMap::new();
        let mut encode =
            |caption: &str, what: &dyn Fn() -> String| -> Result<Arc<TextConditioning>, DataError> {
                if let Some(encoding) = encoded.get(caption) {
                    return Ok(encoding.clone());
                }
                let encoding = captions.encode(&base.text_encoders, caption);
                let encoding = Arc::new(encoding.map_err(|err| DataError::Compute { what: what(), err })?);
                encoded.insert(caption.to_owned(), encoding.clone());
                Ok(encoding)
            };
        let (mut trained, mut held_out): (Vec<Sample>, Vec<Sample>) = (Vec::new(), Vec::new());
        let Shown { items, drawn } = Shown::of(&manifest.items, p.n_prior_pictures);
        let mut room = Room::of(p, &buckets, base.vae.config().downscale() as u32, &items)?;
        let repeats: HashMap<ItemId, u32> = items
            .into_iter()
            .map(|(item, repeats)| (item.id, repeats))
            .collect();
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
            let repeats = repeats.get(&item.id).copied().unwrap_or(1);
            if repeats == 0 {
                continue;
            }
            let rules = captions.rules(item);
            let written = rules.written(&item.caption);
            let caption = rules.settled(&written);
            let Encoded {
                latents,
                placement,
                mask,
                looks,
            } = encode_picture(base, &buckets, p, (item, pictures), &mut room)?;
            let sample = Sample {
                id: item.id,
                bucket: placement.bucket,
                sha256: item.sha256.clone(),
                latents,
                text: encode(&caption, &|| format!("the caption of picture {}", item.id))?,
                sizes: picture_sizes(TimeIds::of(&placement)),
                changing: rules.changes(&written).then(|| Changing {
                    written,
                    rules: rules.clone(),
                }),
                repeats,
                mask,
                looks,
                prior_loss_weight: item.is_regularization().then_some(p.prior_loss_weight as f32),
                caption,
            };
            match item.split {
                Split::Train => trained.push(sample),
                Split::HeldOut => held_out.push(sample),
            }
        }
        // Those that a LoRA is measured by come first.
        trained.sort_by_key(|sample| sample.prior_loss_weight.is_some());
        if trained
            .first()
            .is_none_or(|sample| sample.prior_loss_weight.is_some())
        {
            return Err(DataError::NothingToTrainOn(manifest.id));
        }
        let _ = on_stage(Stage {
            name: "encoding pictures and captions",
            done: total,
            total,
        });
        for (index, repeats) in drawn.iter().enumerate() {
            let stage = Stage {
                name: "drawing regularization pictures",
                done: index as u32,
                total: drawn.len() as u32,
            };
            if on_stage(stage).is_break() {
                return Err(DataError::Interrupted);
            }
            if *repeats == 0 {
                continue;
            }
            let what = || format!("regularization picture {}", index + 1);
            let text = encode(&p.prior_prompt, &what)?;
            let size = buckets.square();
            let latents = prior::draw(base, p, size, index)?;
            trained.push(Sample {
                id: ItemId::new(),
                bucket: size,
                sha256: format!("drawn {index}"),
                latents,
                text,
                sizes: PictureSizes::whole(size.height, size.width),
                changing: None,
                repeats: *repeats,
                mask: None,
                looks: Looks::Plain,
                prior_loss_weight: Some(p.prior_loss_weight as f32),
                caption: p.prior_prompt.clone(),
            });
        }
        let empty = encode("", &|| "the empty caption".to_owned())?;
        Ok(Self {
            trained,
            held_out,
            buckets,
            captions,
            empty,
            noise_schedule: NoiseSchedule::for_training(&base.scheduler),
            prediction: base.scheduler.prediction_type,
        })
    }

    /// The batches of every step.
    pub fn plan(&self, recipe: &Recipe) -> BatchPlan {
        BatchPlan::new(
            self.trained.iter().map(|sample| (sample.bucket, sample.repeats)),
            recipe.parameters(),
        )
    }

    /// The pictures to train on without those for regularization, which come behind them.
    pub fn subjects(&self) -> &[Sample] {
        let is_subject = |sample: &Sample| sample.prior_loss_weight.is_none();
        &self.trained[..self.trained.partition_point(is_subject)]
    }

    /// What the network predicts.
    pub fn prediction(&self) -> PredictionType {
        self.prediction
    }

    /// How much noise each timestep has.
    pub(crate) fn noise_schedule(&self) -> &NoiseSchedule {
        &self.noise_schedule
    }

    /// What the base's text encoders say about the empty caption.
    pub(crate) fn empty(&self) -> &TextConditioning {
        &self.empty
    }

    /// What the base's text encoders say about any text, read as captions are.
    ///
    /// # Errors
    /// If it cannot be computed.
    pub(crate) fn encode<D: Device>(
        &self,
        encoders: &TextEncoders<D>,
        text: &str,
    ) -> candle_core::Result<Arc<TextConditioning>> {
        self.captions.encode_again(encoders, text)
    }

    /// Whether captions are drawn, so that they are encoded while the training runs.
    pub fn has_changing_captions(&self) -> bool {
        self.trained.iter().any(|sample| sample.changing.is_some())
    }

    /// One batch of a step: noise, timesteps and dropped captions are functions of the recipe's seed, the step and
    /// the picture's place in the step; what else is drawn of a caption is one of seed, epoch, picture and turn.
    pub fn batch<D: Device>(
        &self,
        recipe: &Recipe,
        encoders: &TextEncoders<D>,
        at: Place,
        members: &[View],
    ) -> candle_core::Result<Batch> {
        let p = recipe.parameters();
        let trains_text = p.trains_text_encoders();
        let (noising, timesteps) = (Noising::of(p), Timesteps::of(p));
        let mut draws = Vec::with_capacity(members.len());
        let mut texts = Vec::new();
        for (place, &view) in members.iter().enumerate() {
            let sample = &self.trained[view.picture];
            let place = at.n_before + place;
            let spot = Spot {
                seed: p.seed,
                step: at.step,
                place,
            };
            let mut random = spot.random("step");
            let timestep = timesteps.draw(&mut random, spot, &self.noise_schedule);
            let is_dropped = f64::from(random.uniform()) < p.caption_dropout;
            let look = sample.looks.of(p.seed, at, sample, view);
            let (_, channels, height, width) = sample.latents.dims4()?;
            let latents = floats(look.map_or(&sample.latents, |look| &look.latents))?;
            let noise = noising.draw(&mut random, spot, &latents, [channels, height, width]);
            let says = self.says(view, at, is_dropped);
            let text = match &says {
                Says::Nothing => self.empty.clone(),
                // Trained text encoders encode it in the step.
                Says::Drawn(text) if !trains_text => self.captions.encode_again(encoders, text)?,
                Says::Settled | Says::Drawn(_) => sample.text.clone(),
            };
            if trains_text {
                let text = match &says {
                    Says::Nothing => "",
                    Says::Settled => &sample.caption,
                    Says::Drawn(text) => text,
                };
                texts.push(self.captions.laid_out(encoders, text));
            }
            draws.push(Draw {
                sample,
                look,
                text,
                timestep,
                noise,
            });
        }
        noising.normalize(draws.iter_mut().map(|draw| &mut draw.noise));
        let timesteps: Vec<f32> = draws.iter().map(|draw| draw.timestep).collect();
        let mut weights = Weightings::of(p).weights(&self.noise_schedule, self.prediction, &timesteps);
        for (weight, draw) in weights.iter_mut().zip(&draws) {
            if let Some(prior) = draw.sample.prior_loss_weight {
                *weight *= prior;
            }
        }
        let told = if trains_text {
            Told::Tokens {
                texts: TextTokens::cat(&texts),
                sizes: embedded_sizes(&sizes_of(&draws))?,
            }
        } else {
            encoded(&draws)?
        };
        let has_dropout = [p.network_dropout, p.rank_dropout, p.module_dropout] != [0.0; 3];
        let chance = Draws {
            seed: p.seed,
            step: at.step,
            batch: at.n_before,
            first: at.n_before,
        };
        Ok(Batch {
            draws: has_dropout.then_some(chance),
            loss: Loss::of(p),
            corners: Corners::of(p).at(&self.noise_schedule, &timesteps),
            mask: mask_of(&draws),
            ..self.assemble(&draws, told, weights)?
        })
    }

    /// What the caption of a picture says in one view.
    fn says(&self, view: View, at: Place, is_dropped: bool) -> Says {
        let sample = &self.trained[view.picture];
        if is_dropped || self.captions.drops_epoch(at.epoch) {
            return Says::Nothing;
        }
        match &sample.changing {
            None => Says::Settled,
            Some(changing) => Says::Drawn(self.captions.draw(changing, &sample.sha256, at, view.turn)),
        }
    }

    /// Pictures at one timestep with noise that depends on nothing but picture and timestep, so that losses of
    /// different trainings can be compared. All have to be of one bucket. With each comes what the text encoders say
    /// about its caption.
    pub(crate) fn probe(
        &self,
        samples: &[(&Sample, Arc<TextConditioning>)],
        timestep: u32,
    ) -> candle_core::Result<Batch> {
        let draws = samples.iter().map(|(sample, text)| {
            let mut random = seeds::random(format_args!("validation {} {timestep}", sample.sha256));
            let noise = Noise::plain(random.normal(sample.latents.elem_count()));
            Draw {
                sample,
                look: None,
                text: text.clone(),
                timestep: timestep as f32,
                noise,
            }
        });
        let draws: Vec<Draw<'_>> = draws.collect();
        self.assemble(&draws, encoded(&draws)?, vec![1.0; samples.len()])
    }

    /// What the text encoders say about the caption of a picture, with LoRAs applied.
    ///
    /// # Errors
    /// If a LoRA does not fit.
    pub(crate) fn text<D: Device>(
        &self,
        sample: &Sample,
        encoders: &TextEncoders<D>,
        adapters: &AdapterSet<D>,
    ) -> candle_core::Result<Arc<TextConditioning>> {
        if !encoders.are_changed(adapters) {
            return Ok(sample.text.clone());
        }
        let tokens = self.captions.laid_out(encoders, &sample.caption);
        Ok(Arc::new(encoders.encode_laid_out(&tokens, adapters)?))
    }

    fn assemble(&self, draws: &[Draw<'_>], told: Told, weights: Vec<f32>) -> candle_core::Result<Batch> {
        let (mut noisy, mut target) = (Vec::new(), Vec::new());
        for draw in draws {
            let (signal, noise) = self.noise_schedule.mix_at(draw.timestep);
            let (signal, amount) = (signal as f32, noise as f32);
            let latents = floats(draw.latents())?;
            for (at, (&x, &noise)) in latents.iter().zip(&draw.noise.values).enumerate() {
                noisy.push(signal * x + amount * draw.noise.mixed_in(at));
                target.push(self.prediction.target((signal, amount), x, noise));
            }
        }
        let mut shape = draws[0].sample.latents.dims().to_vec();
        shape[0] = draws.len();
        Ok(Batch {
            noisy: tensor(noisy, &shape)?,
            timesteps: draws.iter().map(|draw| draw.timestep).collect(),
            told,
            target: tensor(target, &shape)?,
            loss: Loss::default(),
            corners: vec![1.0; weights.len()],
            mask: Vec::new(),
            draws: None,
            weights,
        })
    }
}

/// What a caption says in one view.
enum Says {
    Nothing,
    /// [`Sample::caption`].
    Settled,
    Drawn(String),
}

/// What is drawn for one picture of a batch.
struct Draw<'a> {
    sample: &'a Sample,
    look: Option<&'a Look>,
    text: Arc<TextConditioning>,
    timestep: f32,
    noise: Noise,
}

impl Draw<'_> {
    fn latents(&self) -> &Tensor {
        self.look.map_or(&self.sample.latents, |look| &look.latents)
    }

    fn sizes(&self) -> PictureSizes {
        self.look.map_or(self.sample.sizes, |look| look.sizes)
    }

    fn mask(&self) -> Option<&Vec<f32>> {
        self.look.map_or(&self.sample.mask, |look| &look.mask).as_ref()
    }
}

/// The masks of the pictures; empty if none has one.
fn mask_of(draws: &[Draw<'_>]) -> Vec<f32> {
    if draws.iter().all(|draw| draw.mask().is_none()) {
        return Vec::new();
    }
    let n_places = |sample: &Sample| sample.latents.dims()[2..].iter().product();
    let of = |draw: &Draw<'_>| match draw.mask() {
        Some(mask) => mask.clone(),
        None => vec![1.0; n_places(draw.sample)],
    };
    draws.iter().flat_map(of).collect()
}

fn sizes_of(draws: &[Draw<'_>]) -> Vec<PictureSizes> {
    draws.iter().map(Draw::sizes).collect()
}

/// What frozen text encoders say about the captions, with sizes and crop.
fn encoded(draws: &[Draw<'_>]) -> candle_core::Result<Told> {
    let cat = |part: fn(&TextConditioning) -> &Tensor| {
        Tensor::cat(&draws.iter().map(|draw| part(&draw.text)).collect::<Vec<_>>(), 0)
    };
    Ok(Told::Encoded(Conditioning {
        context: cat(|text| &text.context)?,
        vector: vector(&cat(|text| &text.pooled)?, &sizes_of(draws))?,
    }))
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
