//! What a training carries from step to step: network, optimizer and progress.

use std::{path::PathBuf, time::Instant};

use diffusion::{base::BaseModel, device::TrainingDevice, graph::AdapterSet};
use protocol::{
    agent::ArtifactKind,
    event::StepMetrics,
    recipe::{Parameters, Recipe},
};

use super::{TrainError, TrainJob};
use crate::{
    checkpoint::{Checkpoint, Progress},
    data::{BatchPlan, TrainingData},
    kinds::{Kind, Sizes},
    network::{Accumulator, Gradients, LoraNetwork},
    optimizers::{Optimizer, OptimizerConfig},
    origin::Training,
    schedule::LearningRate,
    seeds,
    step::forward_backward,
    validation::{mean, validation_losses},
};

/// A training between two steps.
pub(super) struct Run<'a, D: TrainingDevice> {
    job: &'a TrainJob<'a, D>,
    data: &'a TrainingData,
    pub(super) plan: BatchPlan,
    pub(super) network: LoraNetwork<D>,
    optimizer: Box<dyn Optimizer<D>>,
    learning_rate: LearningRate,
    progress: Progress,
    training: Training,
    /// What to say about a schedule that is not the one of the checkpoint.
    pub(super) new_schedule: Option<String>,
    last_checkpoint: Option<PathBuf>,
    /// Steps that another run had done, and since when this one does its own.
    begun: (u32, Instant),
}

impl<'a, D: TrainingDevice> Run<'a, D> {
    /// A fresh network, or that of the checkpoint to go on from.
    pub(super) fn begin(job: &'a TrainJob<'a, D>, data: &'a TrainingData) -> Result<Self, TrainError> {
        let p = job.recipe.parameters();
        let targets = job.base.unet.config().lora_targets();
        let mut random = seeds::random(format_args!("network {}", p.seed));
        let sizes = Sizes {
            rank: usize::from(job.recipe.rank().get()),
            alpha: p.alpha,
        };
        let network = LoraNetwork::start(job.base.device(), Kind::default(), targets, sizes, &mut random)?;
        let optimizer = OptimizerConfig::of(p);
        let mut run = Self {
            job,
            data,
            plan: data.plan(job.recipe),
            optimizer: optimizer.start(&network)?,
            network,
            learning_rate: LearningRate::of(p),
            progress: Progress::default(),
            training: Training::of(job.recipe, job.manifest, job.base.fingerprint()),
            new_schedule: None,
            last_checkpoint: None,
            begun: (0, Instant::now()),
        };
        if let Some(path) = job.resume_from {
            let checkpoint = Checkpoint::load(path, &run.training).map_err(TrainError::Checkpoint)?;
            let restored = checkpoint.restore(&mut run.network, optimizer);
            run.optimizer = restored.map_err(|err| TrainError::Restore {
                path: path.to_owned(),
                err,
            })?;
            let step = checkpoint.progress.step;
            run.new_schedule = run.training.new_schedule(&checkpoint.origin, step);
            run.progress = checkpoint.progress;
            run.last_checkpoint = Some(path.to_owned());
            run.begun = (run.progress.step, Instant::now());
        }
        Ok(run)
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
        let learning_rate = self.learning_rate.at(self.progress.step);
        self.optimizer
            .step(&mut self.network, &gradients, learning_rate)?;

        let epoch = self.plan.epoch(self.progress.step) + 1;
        self.progress.advance(loss, self.plan.n_steps_per_epoch());
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
    fn gradients(&self, batches: &[Vec<usize>]) -> Result<(f64, Gradients<D>), TrainError> {
        let mut accumulator = Accumulator::new(self.parameters().gradient_accumulation);
        let mut summed = None;
        let mut loss = 0.0;
        let mut n_seen = 0;
        for members in batches {
            let batch = self
                .data
                .batch(self.job.recipe, self.progress.step, n_seen, members);
            let pass = batch.and_then(|batch| forward_backward(&self.base().unet, &self.network, &batch));
            let pass = pass.map_err(computing("the gradients"))?;
            summed = accumulator.add(pass.gradients)?;
            loss += pass.loss / batches.len() as f64;
            n_seen += members.len();
        }
        // The last step of an epoch may have fewer batches than the others.
        let summed = summed.or_else(|| accumulator.flush());
        Ok((loss, summed.expect("a step has a batch")))
    }

    fn check_finite(&self, what: &'static str, value: f64, batches: &[Vec<usize>]) -> Result<(), TrainError> {
        if value.is_finite() {
            return Ok(());
        }
        // Every LoRA begins with zeros at its end.
        if self.progress.step == 0 {
            return Err(TrainError::BrokenBase { what });
        }
        let members = batches.iter().flatten();
        Err(TrainError::NotFinite {
            what,
            step: self.progress.step + 1,
            items: members.map(|&member| self.data.trained[member].id).collect(),
            last_checkpoint: self.last_checkpoint.clone(),
        })
    }

    /// Writes everything that another run needs to go on from here.
    pub(super) fn save_checkpoint(&mut self) -> Result<(ArtifactKind, PathBuf), TrainError> {
        let step = self.progress.step;
        let path = self.job.folder.join(format!("checkpoint-{step:06}.safetensors"));
        let checkpoint = Checkpoint::new(
            self.training.origin().clone(),
            self.progress.clone(),
            &self.network,
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
        let adapters = applied(&self.network)?;
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

impl Progress {
    /// One more step is done; keeps the losses of the last `n_recent`.
    fn advance(&mut self, loss: f64, n_recent: u32) {
        self.step += 1;
        self.recent_losses.push(loss);
        let n_surplus = self.recent_losses.len().saturating_sub(n_recent as usize);
        self.recent_losses.drain(..n_surplus);
    }
}

/// The network as something to render and measure with.
pub(super) fn applied<D: TrainingDevice>(network: &LoraNetwork<D>) -> Result<AdapterSet<D>, TrainError> {
    let mut adapters = AdapterSet::new();
    adapters.add(network.adapters().map_err(TrainError::Apply)?, 1.0);
    Ok(adapters)
}

pub(super) fn computing(what: &'static str) -> impl Fn(candle_core::Error) -> TrainError {
    move |err| TrainError::Compute { what, err }
}
