//! The training loop: events out, commands in.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use diffusion::{
    base::BaseModel,
    graph::{AdapterError, AdapterSet},
    pipeline::{self, InvalidPictureSize, PictureRequest, PictureSize, PipelineError},
    schedulers::{PredictionType, Sampler},
};
use image::RgbImage;
use protocol::{
    ItemId,
    agent::{ArtifactKind, Directive, Report},
    dataset::Manifest,
    event::StepMetrics,
    model::Verdict,
    recipe::Recipe,
};

use crate::{
    checkpoint::{Checkpoint, CheckpointError, Origin, Progress},
    data::{BatchPlan, DataError, Pictures, Stage, TrainingData},
    evaluate::{EvaluateError, evaluate},
    metadata::{self, BaseFacts, Facts},
    network::{Accumulator, LoraNetwork, StateError},
    optimizer::{AdamW, AdamWConfig},
    schedule::LearningRate,
    seeds,
    step::forward_backward,
    tensor_file::{WriteError, write_atomically},
    validation::{mean, validation_losses},
};

/// One training.
pub struct TrainJob<'a> {
    /// Its configuration.
    pub recipe: &'a Recipe,
    /// The base model, loaded.
    pub base: &'a BaseModel,
    /// The pictures to train on.
    pub manifest: &'a Manifest,
    /// Gives their files.
    pub pictures: Pictures<'a>,
    /// Where to write checkpoints, samples and the result. Files are named, and left there.
    pub folder: &'a Path,
    /// The checkpoint to go on from.
    pub resume_from: Option<&'a Path>,
}

/// What a training says while it runs.
#[derive(Debug, Clone)]
pub enum TrainEvent {
    /// Something happened.
    Report(Report),
    /// A file was written: a sample or a checkpoint.
    Wrote {
        /// What it is.
        kind: ArtifactKind,
        /// Where it is.
        path: PathBuf,
    },
}

/// How a training ends when nothing goes wrong.
#[derive(Debug)]
pub enum Ended {
    /// With a result.
    Completed(Box<Trained>),
    /// As it was told, with a checkpoint of all steps that were done.
    Stopped,
    /// As it was told, with nothing.
    Cancelled,
}

/// The result of a training.
#[derive(Debug)]
pub struct Trained {
    /// The LoRA file.
    pub lora: PathBuf,
    /// Optimizer steps done.
    pub n_steps: u32,
    /// Whether the file is fit for use.
    pub verdict: Verdict,
    /// The file's metadata.
    pub metadata: BTreeMap<String, String>,
    /// The fixed-seed picture without the LoRA.
    pub before: Option<PathBuf>,
    /// The fixed-seed picture with the LoRA.
    pub after: Option<PathBuf>,
}

/// Why a training fails.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The pictures could not be prepared.
    #[error(transparent)]
    Data(DataError),
    /// The checkpoint cannot be gone on from.
    #[error(transparent)]
    Checkpoint(CheckpointError),
    /// The checkpoint's tensors are not those of this training.
    #[error("failed to go on from the checkpoint `{path}`")]
    Restore {
        /// The checkpoint.
        path: PathBuf,
        /// What does not fit.
        #[source]
        err: StateError,
    },
    /// A file could not be written.
    #[error(transparent)]
    Write(WriteError),
    /// The training broke down.
    #[error(
        "the {what} of step {step} is not finite (pictures {items:?}): lower the learning rate, or look at these \
         pictures; {}", match .last_checkpoint {
            Some(path) => format!("`{}` holds the last good state", path.display()),
            None => "there is no checkpoint yet".to_owned(),
        }
    )]
    NotFinite {
        /// `loss` or `gradient`.
        what: &'static str,
        /// The step, from 1.
        step: u32,
        /// The pictures of its batches.
        items: Vec<ItemId>,
        /// The newest checkpoint.
        last_checkpoint: Option<PathBuf>,
    },
    /// The recipe's resolution cannot be rendered.
    #[error("the recipe's resolution cannot be rendered")]
    SampleSize(#[source] InvalidPictureSize),
    /// A sample could not be rendered.
    #[error("failed to render a sample")]
    Render(#[source] PipelineError),
    /// The result could not be judged.
    #[error("failed to validate the trained file")]
    Evaluate(#[source] EvaluateError),
    /// The network could not be applied to the base.
    #[error("failed to apply the LoRA to the base")]
    Apply(#[source] AdapterError),
    /// A computation failed.
    #[error("failed to compute {what}")]
    Compute {
        /// What.
        what: &'static str,
        /// Why.
        #[source]
        err: candle_core::Error,
    },
}

/// Denoising steps of samples and of the verdict's pictures: enough for Euler to show what was learned.
const N_SAMPLE_STEPS: u32 = 20;
/// Classifier-free guidance of samples: the default of diffusers' SDXL pipeline.
const SAMPLE_GUIDANCE: f64 = 5.0;
/// Captions that stand in for sample prompts when the recipe has none.
const N_DEFAULT_PROMPTS: usize = 2;

/// Trains a LoRA, from the pictures to the judged file.
///
/// `commands` is asked between any two steps until it has no more. Everything random is a function of the
/// recipe's seed, so the same job gives the same file, with or without interruptions.
///
/// # Errors
/// If something cannot be read, computed or written. Checkpoints that were reported stay as they are.
pub fn train(
    job: &TrainJob<'_>,
    mut events: impl FnMut(TrainEvent),
    mut commands: impl FnMut() -> Option<Directive>,
) -> Result<Ended, TrainError> {
    let TrainJob {
        recipe,
        base,
        manifest,
        ..
    } = *job;
    let p = &recipe.parameters;
    let started_at = seconds_since_1970();

    // Prepare: pictures and captions into memory. An order to end is obeyed here already; others wait.
    let mut orders = VecDeque::new();
    let data = TrainingData::prepare(base, recipe, manifest, job.pictures, &mut |stage| {
        let Stage { name, done, total } = stage;
        events(TrainEvent::Report(Report::Stage {
            name: name.to_owned(),
            done,
            total,
        }));
        orders.extend(std::iter::from_fn(&mut commands));
        if orders.iter().any(|order| ends(*order)) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    let data = match data {
        Err(DataError::Interrupted) if orders.contains(&Directive::Cancel) => return Ok(Ended::Cancelled),
        Err(DataError::Interrupted) => return Ok(Ended::Stopped),
        data => data.map_err(TrainError::Data)?,
    };
    let plan = data.plan(recipe);
    let n_epochs = plan.epoch(p.n_steps - 1) + 1;
    let origin = Origin::of(recipe, manifest);

    // The network under training, fresh or from a checkpoint.
    let targets = base.unet.config().lora_targets();
    let mut random = seeds::random(format_args!("network {}", p.seed));
    let mut network = LoraNetwork::new(targets, recipe.rank(), p.alpha, &mut random);
    let config = AdamWConfig {
        weight_decay: p.weight_decay,
        ..AdamWConfig::default()
    };
    let mut optimizer = AdamW::new(&network, config);
    let mut progress = Progress::default();
    let mut last_checkpoint = None;
    if let Some(path) = job.resume_from {
        let checkpoint = Checkpoint::load(path, &origin).map_err(TrainError::Checkpoint)?;
        let restored = checkpoint.restore(&mut network, config);
        optimizer = restored.map_err(|err| TrainError::Restore {
            path: path.to_owned(),
            err,
        })?;
        progress = checkpoint.progress;
        last_checkpoint = Some(path.to_owned());
    }
    let learning_rate = LearningRate {
        peak: p.learning_rate,
        schedule: p.lr_schedule,
        n_warmup_steps: p.n_warmup_steps,
        n_steps: p.n_steps,
    };
    let studio = Studio::new(job, &data)?;
    if progress.step == 0 {
        report_validation_loss(job, &data, &network, 0, &mut events)?;
    }

    // The steps.
    let n_steps_before = progress.step;
    let first_step_at = Instant::now();
    while progress.step < p.n_steps {
        orders.extend(std::iter::from_fn(&mut commands));
        while let Some(order) = orders.pop_front() {
            match order {
                Directive::Cancel => return Ok(Ended::Cancelled),
                Directive::Stop => {
                    save_checkpoint(job, &origin, &progress, &network, &optimizer, &mut events)?;
                    return Ok(Ended::Stopped);
                }
                Directive::Checkpoint => {
                    let path = save_checkpoint(job, &origin, &progress, &network, &optimizer, &mut events)?;
                    last_checkpoint = Some(path);
                }
                Directive::Sample => studio.render_all(&network, progress.step, &mut events)?,
            }
        }

        let step_at = Instant::now();
        let batches = plan.step(progress.step);
        let mut accumulator = Accumulator::new(p.gradient_accumulation);
        let mut summed = None;
        let mut loss = 0.0;
        let mut n_seen = 0;
        for members in &batches {
            let batch = data.batch(recipe, progress.step, n_seen, members);
            let pass = batch.and_then(|batch| forward_backward(&base.unet, &network, &batch));
            let pass = pass.map_err(|err| TrainError::Compute {
                what: "the gradients",
                err,
            })?;
            summed = accumulator.add(pass.gradients);
            loss += pass.loss / batches.len() as f64;
            n_seen += members.len();
        }
        // The last step of an epoch may have fewer batches than the others.
        let mut gradients = summed
            .or_else(|| accumulator.flush())
            .expect("a step has a batch");
        let gradient_norm = gradients.norm();
        for (what, value) in [("loss", loss), ("gradient", gradient_norm)] {
            if !value.is_finite() {
                let items = batches
                    .iter()
                    .flatten()
                    .map(|&member| data.trained[member].id)
                    .collect();
                return Err(TrainError::NotFinite {
                    what,
                    step: progress.step + 1,
                    items,
                    last_checkpoint,
                });
            }
        }
        if p.max_gradient_norm > 0.0 {
            gradients.clip(gradient_norm, p.max_gradient_norm);
        }
        let rate = learning_rate.at(progress.step);
        optimizer.step(&mut network, &gradients, rate);

        let epoch = plan.epoch(progress.step) + 1;
        progress.advance(loss, plan.n_steps_per_epoch());
        let seconds_per_step =
            first_step_at.elapsed().as_secs_f64() / f64::from(progress.step - n_steps_before);
        events(TrainEvent::Report(Report::Step(StepMetrics {
            step: progress.step,
            n_steps: p.n_steps,
            epoch,
            n_epochs,
            loss,
            average_loss: mean(&progress.recent_losses),
            learning_rate: rate,
            gradient_norm,
            step_ms: step_at.elapsed().as_secs_f64() * 1000.0,
            eta_seconds: seconds_per_step * f64::from(p.n_steps - progress.step),
        })));

        let is_due = |every: u32| every > 0 && progress.step % every == 0;
        let is_last = progress.step == p.n_steps;
        if is_due(p.checkpoint_every_n_steps) || is_last {
            let path = save_checkpoint(job, &origin, &progress, &network, &optimizer, &mut events)?;
            last_checkpoint = Some(path);
            report_validation_loss(job, &data, &network, progress.step, &mut events)?;
        }
        if is_due(p.sample_every_n_steps) || (is_last && p.sample_every_n_steps > 0) {
            studio.render_all(&network, progress.step, &mut events)?;
        }
    }

    // The result.
    events(TrainEvent::Report(Report::Finalizing));
    let lora = job.folder.join(format!("{}.safetensors", recipe.name));
    let facts = facts(job, &data, &plan, progress.step, started_at);
    let tensors = network.to_tensors().map_err(|err| TrainError::Compute {
        what: "the LoRA's tensors",
        err,
    })?;
    let metadata =
        metadata::write_lora(&lora, &tensors, metadata::describe(&facts)).map_err(TrainError::Write)?;
    let evaluation = evaluate(base, &lora, &data, &studio.request(0)).map_err(TrainError::Evaluate)?;
    let (mut before, mut after) = (None, None);
    if let Some(pictures) = &evaluation.pictures {
        before = Some(write_picture(job.folder.join("before.png"), &pictures[0])?);
        after = Some(write_picture(job.folder.join("after.png"), &pictures[1])?);
    }
    events(TrainEvent::Report(Report::Validated {
        verdict: evaluation.verdict.clone(),
    }));
    let trained = Trained {
        lora,
        n_steps: progress.step,
        verdict: evaluation.verdict,
        metadata,
        before,
        after,
    };
    Ok(Ended::Completed(Box::new(trained)))
}

fn ends(order: Directive) -> bool {
    matches!(order, Directive::Stop | Directive::Cancel)
}

impl Progress {
    /// One more step is done; keeps the losses of the last `n_recent`.
    fn advance(&mut self, loss: f64, n_recent: u32) {
        self.step += 1;
        self.recent_losses.push(loss);
        let n_surplus = self.recent_losses.len().saturating_sub(n_recent as usize);
        self.recent_losses.drain(..n_surplus);
    }
}

fn save_checkpoint(
    job: &TrainJob<'_>,
    origin: &Origin,
    progress: &Progress,
    network: &LoraNetwork,
    optimizer: &AdamW,
    events: &mut impl FnMut(TrainEvent),
) -> Result<PathBuf, TrainError> {
    let step = progress.step;
    let path = job.folder.join(format!("checkpoint-{step:06}.safetensors"));
    let checkpoint = Checkpoint::new(origin.clone(), progress.clone(), network, optimizer);
    let checkpoint = checkpoint.map_err(|err| TrainError::Compute {
        what: "the checkpoint",
        err,
    })?;
    checkpoint.save(&path).map_err(TrainError::Write)?;
    events(TrainEvent::Wrote {
        kind: ArtifactKind::Checkpoint { step },
        path: path.clone(),
    });
    Ok(path)
}

/// Measures the network as it is now on the held-out pictures, if there are any.
fn report_validation_loss(
    job: &TrainJob<'_>,
    data: &TrainingData,
    network: &LoraNetwork,
    step: u32,
    events: &mut impl FnMut(TrainEvent),
) -> Result<(), TrainError> {
    if data.held_out.is_empty() {
        return Ok(());
    }
    let losses = validation_losses(job.base, &applied(network)?, data, &data.held_out);
    let losses = losses.map_err(|err| TrainError::Compute {
        what: "the validation loss",
        err,
    })?;
    events(TrainEvent::Report(Report::ValidationLoss {
        step,
        loss: mean(&losses),
    }));
    Ok(())
}

fn applied(network: &LoraNetwork) -> Result<AdapterSet, TrainError> {
    let mut adapters = AdapterSet::new();
    adapters.add(network.adapters().map_err(TrainError::Apply)?, 1.0);
    Ok(adapters)
}

/// Renders the sample prompts.
struct Studio<'a> {
    job: &'a TrainJob<'a>,
    prompts: Vec<String>,
    size: PictureSize,
}

impl<'a> Studio<'a> {
    fn new(job: &'a TrainJob<'a>, data: &TrainingData) -> Result<Self, TrainError> {
        let recipe = job.recipe;
        let prompts = match recipe.sample_prompts.as_slice() {
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
        let side = recipe.parameters.resolution;
        let size = PictureSize::new(side, side).map_err(TrainError::SampleSize)?;
        Ok(Self { job, prompts, size })
    }

    fn request(&self, prompt_index: usize) -> PictureRequest {
        PictureRequest {
            prompt: self.prompts[prompt_index].clone(),
            negative: None,
            guidance: SAMPLE_GUIDANCE,
            n_steps: N_SAMPLE_STEPS.try_into().expect("within what samplers take"),
            size: self.size,
            sampler: Sampler::Euler,
            seed: u64::from(self.job.recipe.parameters.seed) + prompt_index as u64,
            initial_noise: None,
        }
    }

    fn render_all(
        &self,
        network: &LoraNetwork,
        step: u32,
        events: &mut impl FnMut(TrainEvent),
    ) -> Result<(), TrainError> {
        let adapters = applied(network)?;
        for (index, prompt) in self.prompts.iter().enumerate() {
            let request = self.request(index);
            let go_on = &mut |_, _| ControlFlow::Continue(());
            let pictures = pipeline::generate(self.job.base, &adapters, &request, go_on);
            let pictures = pictures.map_err(TrainError::Render)?;
            let path = self.job.folder.join(format!("sample-{step:06}-{index}.png"));
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

fn write_picture(path: PathBuf, picture: &RgbImage) -> Result<PathBuf, TrainError> {
    let png = dataset::picture::encode_png(picture);
    write_atomically(&path, |out: &mut dyn io::Write| out.write_all(&png)).map_err(TrainError::Write)?;
    Ok(path)
}

fn facts<'a>(
    job: &TrainJob<'a>,
    data: &'a TrainingData,
    plan: &BatchPlan,
    n_steps: u32,
    started_at: f64,
) -> Facts<'a> {
    Facts {
        recipe: job.recipe,
        base: BaseFacts {
            file_name: job.base.info.name.clone(),
            legacy_hash: job.base.short_hash(),
            sha256: job.base.file_sha256(),
        },
        items: &job.manifest.items,
        buckets: &data.buckets,
        n_steps,
        n_batches_per_epoch: plan.n_batches_per_epoch(),
        n_epochs: plan.epoch(n_steps - 1) + 1,
        started_at,
        finished_at: seconds_since_1970(),
        predicts_velocity: data.prediction() == PredictionType::VPrediction,
    }
}

fn seconds_since_1970() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |elapsed| elapsed.as_secs_f64())
}

#[cfg(test)]
mod tests;
