//! What a training carries from step to step: network, optimizer and progress.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
    time::Instant,
};

use diffusion::{base::BaseModel, device::TrainingDevice, graph::AdapterSet};
use protocol::{
    agent::ArtifactKind,
    event::StepMetrics,
    recipe::{Parameters, Recipe},
};

use super::{TrainError, TrainJob, seen::Seen, start::begin_with};
use crate::{
    checkpoint::{Checkpoint, Progress},
    data::{BatchPlan, Place, TrainingData, View},
    ema::Ema,
    network::{Accumulator, Gradients, LoraNetwork, StateError},
    optimizers::{Optimizer, OptimizerConfig, Part, Rates},
    origin::Training,
    schedule::LearningRate,
    seeds,
    step::{Batch, Models, StepGradients, forward_backward},
    targets,
    validation::{mean, validation_losses},
};

/// A training between two steps.
pub(super) struct Run<'a, D: TrainingDevice> {
    job: &'a TrainJob<'a, D>,
    data: &'a TrainingData,
    pub(super) plan: BatchPlan,
    network: LoraNetwork<D>,
    optimizer: Box<dyn Optimizer<D>>,
    ema: Option<Ema<D>>,
    learning_rate: LearningRate,
    /// Where the learning rate counts for how much.
    parts: Vec<Part>,
    progress: Progress,
    training: Training,
    /// What to say about how it begins: a schedule that is not the one of the checkpoint, or modules that the LoRA to
    /// begin with does not have.
    pub(super) remark: Option<String>,
    last_checkpoint: Option<PathBuf>,
    /// Pictures of steps that are not reported yet.
    pub(super) seen: Seen,
    /// Steps that another run had done, and since when this one does its own.
    begun: (u32, Instant),
}

impl<'a, D: TrainingDevice> Run<'a, D> {
    /// A fresh network, or that of the checkpoint to go on from.
    pub(super) fn begin(job: &'a TrainJob<'a, D>, data: &'a TrainingData) -> Result<Self, TrainError> {
        let p = job.recipe.parameters();
        let planned = targets::measured(job.base, targets::planned(job.base, job.recipe));
        let planned = planned.map_err(computing("the lengths that the LoRA begins with"))?;
        let mut random = seeds::random(format_args!("network {}", p.seed));
        let mut network = LoraNetwork::start(job.base.device(), planned, &mut random)?;
        let remark = match job.start_from {
            Some(path) if job.resume_from.is_none() => begun_with(&mut network, path)?,
            _ => None,
        };
        let optimizer = OptimizerConfig::of(p);
        let mut run = Self {
            job,
            data,
            plan: data.plan(job.recipe),
            optimizer: optimizer.start(&network)?,
            ema: (p.ema_decay > 0.0).then(|| Ema::start(&network, p.ema_decay)),
            parts: parts(&network, p.lora_plus_ratio),
            network,
            learning_rate: LearningRate::of(p),
            progress: Progress::default(),
            training: Training::of(job.recipe, job.manifest, job.base.fingerprint()),
            remark,
            last_checkpoint: None,
            seen: Seen::new(data, job.manifest),
            begun: (0, Instant::now()),
        };
        if let Some(path) = job.resume_from {
            let checkpoint = Checkpoint::load(path, &run.training).map_err(TrainError::Checkpoint)?;
            run.restore(&checkpoint, optimizer)
                .map_err(|err| TrainError::Restore {
                    path: path.to_owned(),
                    err,
                })?;
            let step = checkpoint.progress.step;
            run.remark = run.training.new_schedule(&checkpoint.origin, step);
            run.progress = checkpoint.progress;
            run.last_checkpoint = Some(path.to_owned());
            run.begun = (run.progress.step, Instant::now());
        }
        Ok(run)
    }

    /// Takes network, optimizer and mean from a checkpoint.
    fn restore(&mut self, checkpoint: &Checkpoint, optimizer: OptimizerConfig) -> Result<(), StateError> {
        self.optimizer = checkpoint.restore(&mut self.network, optimizer)?;
        let decay = self.parameters().ema_decay;
        if self.ema.is_some() {
            let values = checkpoint.lora(&self.network)?;
            self.ema = Some(Ema::resume(&self.network, decay, values)?);
        }
        Ok(())
    }

    /// The network that the training is for: that of the averaged weights, where there are some.
    pub(super) fn result(&self) -> Result<Cow<'_, LoraNetwork<D>>, TrainError> {
        let averaged = match &self.ema {
            Some(ema) => Some(ema.values().clone()),
            None => self.optimizer.averaged(&self.network)?,
        };
        Ok(match averaged {
            Some(values) => {
                let mut network = self.network.clone();
                *network.values_mut() = values;
                Cow::Owned(network)
            }
            None => Cow::Borrowed(&self.network),
        })
    }

    /// Steps done.
    pub(super) fn n_done(&self) -> u32 {
        self.progress.step
    }

    /// Whether something that is done at every so many steps (never, for 0) is to be done now.
    pub(super) fn is_due(&self, every: u32) -> bool {
        every > 0 && self.progress.step.is_multiple_of(every)
    }

    /// One optimizer step along the mean gradient of its batches, clipped.
    pub(super) fn step(&mut self) -> Result<StepMetrics, TrainError> {
        let p = self.parameters();
        let started = Instant::now();
        let batches = self.plan.step(self.progress.step);
        let (loss, mut gradients) = self.gradients(&batches)?;
        let gradient_norm = gradients.norm()?;
        self.check_finite("loss", loss, &batches)?;
        self.check_finite("gradient", gradient_norm, &batches)?;
        if p.max_gradient_norm > 0.0 {
            gradients.clip(gradient_norm, p.max_gradient_norm)?;
        }
        let rates = Rates {
            rate: self.learning_rate.at(self.progress.step),
            parts: &self.parts,
        };
        self.optimizer.step(&mut self.network, &gradients, rates)?;
        if p.max_weight_norm > 0.0 {
            self.network.limit_norms(p.max_weight_norm)?;
        }
        let learning_rate = self.optimizer.effective_rate(rates.rate);

        let epoch = self.plan.epoch(self.progress.step) + 1;
        self.progress.advance(loss, self.plan.n_steps_per_epoch());
        if let Some(ema) = &mut self.ema {
            ema.update(&self.network, self.progress.step)?;
        }
        let (n_before, since) = self.begun;
        let seconds_per_step = since.elapsed().as_secs_f64() / f64::from(self.progress.step - n_before);
        Ok(StepMetrics {
            step: self.progress.step,
            n_steps: p.n_steps,
            epoch,
            n_epochs: self.plan.epoch(p.n_steps - 1) + 1,
            loss,
            average_loss: mean(&self.progress.recent_losses),
            learning_rate,
            gradient_norm,
            step_ms: started.elapsed().as_secs_f64() * 1000.0,
            eta_seconds: seconds_per_step * f64::from(p.n_steps - self.progress.step),
        })
    }

    /// Mean loss and mean gradients of the batches of one step.
    fn gradients(&mut self, batches: &[Vec<View>]) -> Result<(f64, Gradients<D>), TrainError> {
        let mut accumulator = Accumulator::new(self.parameters().gradient_accumulation);
        let mut summed = None;
        let mut loss = 0.0;
        let mut n_seen = 0;
        let step = self.progress.step;
        for members in batches {
            let at = Place {
                step,
                epoch: self.plan.epoch(step),
                n_before: n_seen,
            };
            let batch = self
                .data
                .batch(self.job.recipe, &self.base().text_encoders, at, members);
            let batch = batch.map_err(computing("the gradients"))?;
            let pass = self.pass(at, members, &batch);
            let pass = pass.map_err(computing("the gradients"))?;
            self.seen
                .batch(step + 1, members, &batch.timesteps, &pass.of_samples);
            summed = accumulator.add(pass.gradients)?;
            loss += pass.loss / batches.len() as f64;
            n_seen += members.len();
        }
        // The last step of an epoch may have fewer batches than the others.
        let summed = summed.or_else(|| accumulator.flush());
        Ok((loss, summed.expect("a step has a batch")))
    }

    /// Loss and gradients of a batch, with those of what it is to preserve.
    fn pass(&self, at: Place, members: &[View], batch: &Batch) -> candle_core::Result<StepGradients<D>> {
        let models = Models::from(self.base()).recomputing(self.job.recomputes);
        let mut pass = forward_backward(models, &self.network, batch)?;
        let preserved = self
            .data
            .preserved(self.job.recipe, self.base(), (at, members), batch)?;
        if let Some(preserved) = preserved {
            let more = forward_backward(models, &self.network, &preserved)?;
            pass.loss += more.loss;
            pass.gradients.add(&more.gradients)?;
        }
        Ok(pass)
    }

    /// Whether the network leaves the base as it is: every LoRA begins with zeros at its end, unless it begins as another.
    pub(super) fn changes_nothing(&self) -> bool {
        self.progress.step == 0 && self.job.start_from.is_none()
    }

    fn check_finite(&self, what: &'static str, value: f64, batches: &[Vec<View>]) -> Result<(), TrainError> {
        if value.is_finite() {
            return Ok(());
        }
        if self.changes_nothing() {
            return Err(TrainError::BrokenBase { what });
        }
        let members = batches.iter().flatten();
        Err(TrainError::NotFinite {
            what,
            step: self.progress.step + 1,
            items: members.map(|view| self.data.trained[view.picture].id).collect(),
            last_checkpoint: self.last_checkpoint.clone(),
        })
    }

    /// Writes everything that another run needs to go on from here.
    pub(super) fn save_checkpoint(&mut self) -> Result<(ArtifactKind, PathBuf), TrainError> {
        let step = self.progress.step;
        let path = self.job.folder.join(format!("checkpoint-{step:06}.safetensors"));
        let averaged = match self.result()? {
            Cow::Owned(network) => Some(network),
            Cow::Borrowed(_) => None,
        };
        let checkpoint = Checkpoint::new(
            self.training.origin().clone(),
            self.progress.clone(),
            &self.network,
            averaged.as_ref(),
            self.optimizer.as_ref(),
        );
        let checkpoint = checkpoint.map_err(computing("the checkpoint"))?;
        checkpoint.save(&path).map_err(TrainError::Write)?;
        self.last_checkpoint = Some(path.clone());
        Ok((ArtifactKind::Checkpoint { step }, path))
    }

    /// Loss of the network as it is now on the held-out pictures, if there are any.
    pub(super) fn validation_loss(&self) -> Result<Option<f64>, TrainError> {
        if self.data.held_out.is_empty() {
            return Ok(None);
        }
        let adapters = applied(self.base(), self.result()?.as_ref(), 1.0)?;
        let losses = validation_losses(self.base(), &adapters, self.data, &self.data.held_out);
        Ok(Some(mean(&losses.map_err(computing("the validation loss"))?)))
    }

    fn base(&self) -> &'a BaseModel<D> {
        self.job.base
    }

    fn parameters(&self) -> &'a Parameters {
        let recipe: &'a Recipe = self.job.recipe;
        recipe.parameters()
    }
}

/// The learning rate of each module, and of the matrices that LoRA+ makes faster.
fn parts<D: TrainingDevice>(network: &LoraNetwork<D>, plus: f64) -> Vec<Part> {
    if plus == 1.0 {
        return Part::of(network, |module| module.rate);
    }
    Part::of_parameters(network, |module, parameter| {
        // As sd-scripts tells them apart (`assemble_params` in `networks/lora.py`).
        if parameter.name.contains("lora_up") {
            plus * module.rate
        } else {
            module.rate
        }
    })
}

/// Begins with a LoRA; says how many modules it does not have.
fn begun_with<D: TrainingDevice>(
    network: &mut LoraNetwork<D>,
    path: &Path,
) -> Result<Option<String>, TrainError> {
    let n_fresh = begin_with(network, path).map_err(TrainError::Start)?;
    let n_modules = network.n_modules();
    Ok((n_fresh > 0).then(|| {
        format!(
            "{n_fresh} of {n_modules} modules are not in the LoRA to begin with: they begin without a change"
        )
    }))
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

/// The network as something to render and measure with, applied this strongly.
pub(super) fn applied<D: TrainingDevice>(
    base: &BaseModel<D>,
    network: &LoraNetwork<D>,
    weight: f64,
) -> Result<AdapterSet<D>, TrainError> {
    network.applied(base, weight as f32).map_err(TrainError::Apply)
}

pub(super) fn computing(what: &'static str) -> impl Fn(candle_core::Error) -> TrainError {
    move |err| TrainError::Compute { what, err }
}
