//! Watches one run of sd-scripts to its end.

use std::{
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use protocol::{
    agent::{ArtifactKind, Directive, Report},
    event::LogLevel,
    made::MadeBase,
    problem::chain,
    recipe::Recipe,
};
use tokio::{sync::mpsc, time::Instant};
use trainer::{
    origin::Origin,
    train::{TrainEvent, sample_path},
};

use super::{Teller, child::Child};
use crate::{
    job::Job,
    kohya::{
        Kohya, checkpoint,
        failure::{Failure, Seen, diagnose, stalled},
        files::{self, Found, Outputs},
        header,
        log::{self, Line, Reader, Stream},
        metrics::Metrics,
        plan::{Plan, Precision},
        samples,
        tensorboard::Follower,
    },
};

/// Between two looks at its files.
const LOOK: Duration = Duration::from_millis(500);
/// From the request to end to the end by force; an agent that is told to end has 5 s itself.
const GRACE: Duration = Duration::from_secs(3);
/// What it printed last may still be on its way when it has ended.
const DRAIN: Duration = Duration::from_secs(5);

/// How a run ended, when it did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Watched {
    /// It says that it is done.
    Done,
    /// As it was told, with this checkpoint to make the result of.
    Finished(PathBuf),
    /// As it was told; states that were saved have been handed over.
    Stopped,
    /// As it was told.
    Cancelled,
}

/// Why it is being ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Stop,
    Finish,
    Cancel,
    Broken,
    Stall,
}

/// One run.
pub(super) struct Watch<'a> {
    kohya: &'a Kohya,
    plan: &'a Plan,
    folder: &'a Path,
    tell: &'a mut Teller,
    recipe: &'a Recipe,
    origin: &'a Origin,
    base: &'a MadeBase,
    metrics: Metrics,
    outputs: Outputs,
    scalars: Scalars,
    seen: Seen,
    stage: Option<&'static str>,
    has_begun: bool,
    /// What this run kept last.
    pub(super) newest_checkpoint: Option<PathBuf>,
    /// Samples are asked for, and none have come since this step.
    sample_asked_at: Option<u32>,
    heard_at: Instant,
}

/// The event file: not there yet, followed, or given up.
enum Scalars {
    Awaited,
    Followed(Follower),
    Broken,
}

impl<'a> Watch<'a> {
    pub(super) fn new(
        kohya: &'a Kohya,
        plan: &'a Plan,
        job: &'a Job,
        origin: &'a Origin,
        base: &'a MadeBase,
        tell: &'a mut Teller,
    ) -> Self {
        let recipe = &job.recipe;
        Self {
            kohya,
            plan,
            folder: &job.folder,
            tell,
            recipe,
            origin,
            base,
            metrics: Metrics::new(recipe.parameters(), plan.n_before),
            outputs: Outputs::new(plan, recipe.name(), recipe.parameters().n_steps),
            scalars: Scalars::Awaited,
            seen: Seen::default(),
            stage: None,
            has_begun: false,
            newest_checkpoint: None,
            sample_asked_at: None,
            heard_at: Instant::now(),
        }
    }

    /// Starts sd-scripts and stays with it until it has ended.
    pub(super) async fn run(
        &mut self,
        orders: &mut mpsc::UnboundedReceiver<Directive>,
        is_finishing: &mut bool,
    ) -> Result<Watched, Failure> {
        self.tell.report(Report::Stage {
            name: "starting sd-scripts".into(),
            done: 0,
            total: 1,
        });
        let (mut child, mut output) = Child::start(self.kohya, self.plan)?;
        let (mut out, mut err) = (Reader::default(), Reader::default());
        let mut looks = tokio::time::interval(LOOK);
        let mut reason = None;
        // What was kept when it was told to finish.
        let mut before_order: Option<PathBuf> = None;
        let mut kill_at: Option<Instant> = None;
        let mut status: Option<ExitStatus> = None;
        let mut drain_until = Instant::now();
        let mut is_open = true;
        while status.is_none() || (is_open && Instant::now() < drain_until) {
            tokio::select! {
                () = tokio::time::sleep_until(drain_until), if status.is_some() => {}
                chunk = output.recv(), if is_open => match chunk {
                    Some((stream, bytes)) => {
                        self.heard_at = Instant::now();
                        let reader = if stream == Stream::Out { &mut out } else { &mut err };
                        for line in reader.push(&bytes) {
                            self.line(stream, line);
                        }
                    }
                    None => is_open = false,
                },
                ended = child.wait(), if status.is_none() => {
                    status = Some(ended.map_err(|err| Failure::Machine(format!("failed to wait for sd-scripts: {err}")))?);
                    // Data loaders that it left behind hold its streams open.
                    child.end_stragglers();
                    drain_until = Instant::now() + DRAIN;
                }
                order = orders.recv(), if reason != Some(Reason::Cancel) => match order {
                    Some(Directive::Stop) => reason = Some(Reason::Stop),
                    Some(Directive::Finish) if *is_finishing => {}
                    Some(Directive::Finish) => {
                        *is_finishing = true;
                        before_order.clone_from(&self.newest_checkpoint);
                        let message = "it ends with the next state that sd-scripts saves";
                        self.tell.log(LogLevel::Info, message.into());
                    }
                    Some(Directive::Sample) => self.sample_out_of_turn(),
                    Some(Directive::Checkpoint) => self.checkpoint_out_of_turn(),
                    // The channel is closed: the work was dropped.
                    Some(Directive::Cancel) | None => reason = Some(Reason::Cancel),
                },
                // After it has ended, its output is handled first.
                _ = looks.tick(), if status.is_none() => {
                    self.read_scalars();
                    self.pick_up(false).await;
                    self.offer_prompts();
                }
            }
            if reason.is_none() && (self.metrics.broken_since().is_some() || self.seen.lacks_gpu) {
                reason = Some(Reason::Broken);
            }
            if reason.is_none() && self.heard_at.elapsed() > self.kohya.quiet {
                reason = Some(Reason::Stall);
            }
            // It saves a state when its time has come, and takes no orders.
            if reason.is_none() && *is_finishing && self.newest_checkpoint != before_order {
                reason = Some(Reason::Finish);
            }
            match (reason, kill_at) {
                (None, _) => {}
                (Some(Reason::Cancel), _) => child.kill(),
                (Some(_), None) => {
                    child.terminate();
                    kill_at = Some(Instant::now() + GRACE);
                }
                (Some(_), Some(at)) if Instant::now() >= at => child.kill(),
                (Some(_), Some(_)) => {}
            }
        }
        for (stream, reader) in [(Stream::Out, out), (Stream::Err, err)] {
            for line in reader.finish() {
                self.line(stream, line);
            }
        }
        self.read_scalars();
        self.report_step(|metrics| metrics.finish());
        if reason != Some(Reason::Cancel) {
            self.pick_up(true).await;
        }
        self.end(reason, status.expect("the loop ends with it"))
    }

    fn end(&mut self, reason: Option<Reason>, status: ExitStatus) -> Result<Watched, Failure> {
        match reason {
            Some(Reason::Cancel) => return Ok(Watched::Cancelled),
            Some(Reason::Stop) => return Ok(Watched::Stopped),
            Some(Reason::Finish) => {
                let newest = self.newest_checkpoint.take();
                return Ok(newest.map_or(Watched::Stopped, Watched::Finished));
            }
            Some(Reason::Stall) => return Err(stalled(self.kohya.quiet, &self.seen.tail)),
            Some(Reason::Broken) | None => self.seen.broken_since = self.metrics.ended_broken(),
        }
        if let Some(failure) = diagnose(status, &self.seen, &self.kohya.tokenizers) {
            return Err(failure);
        }
        let lora = self
            .plan
            .output
            .join(format!("{}.safetensors", self.recipe.name()));
        if let Some(totals) = self.totals(self.recipe.parameters().n_steps)
            && header::is_complete(&lora)
        {
            let mended = header::mend(&lora, &totals);
            mended.map_err(|err| Failure::Machine(format!("failed to write `{}`: {err}", lora.display())))?;
        }
        Ok(Watched::Done)
    }

    /// What a LoRA after so many steps says of the whole training, where sd-scripts knows only the end of it.
    fn totals(&self, step: u32) -> Option<[(&'static str, String); 5]> {
        let p = self.recipe.parameters();
        let (epoch, n_epochs) = self.metrics.epoch_of(step);
        (self.plan.n_before > 0).then(|| {
            [
                ("ss_steps", step.to_string()),
                ("ss_max_train_steps", p.n_steps.to_string()),
                ("ss_lr_warmup_steps", p.n_warmup_steps.to_string()),
                ("ss_epoch", epoch.to_string()),
                ("ss_num_epochs", n_epochs.to_string()),
            ]
        })
    }

    fn line(&mut self, stream: Stream, line: Line) {
        match line {
            Line::Steps(bar) => {
                self.begin();
                self.read_scalars();
                self.report_step(|metrics| metrics.bar(bar));
            }
            Line::Bar { done, total } => {
                if let Some(name) = self.stage.filter(|_| !self.has_begun) {
                    self.report_stage(name, done, total);
                }
            }
            Line::Epoch { epoch, n_epochs } => self.metrics.epoch(epoch, n_epochs),
            Line::Stage(log::RENDERING) if !self.finds_prompts() => {}
            Line::Stage(name) => {
                self.stage = Some(name);
                self.report_stage(name, 0, 0);
                self.seen.tail.push(stream, name.to_owned());
            }
            Line::Batches(n) => self.metrics.batches(n),
            Line::Accumulation(n) => self.metrics.accumulation(n),
            Line::Device(device) => {
                // A rented GPU would be idle for hours.
                self.seen.lacks_gpu = device == "cpu" && self.kohya.precision != Precision::Full;
            }
            Line::ModelSaved => self.seen.model_saved = true,
            Line::NoData => self.seen.no_data = true,
            Line::Text(text) if text.starts_with(log::NO_PROMPTS) => {}
            Line::Text(text) => self.seen.tail.push(stream, text),
        }
    }

    fn report_stage(&self, name: &str, done: u32, total: u32) {
        self.tell.report(Report::Stage {
            name: name.to_owned(),
            done,
            total,
        });
    }

    /// The first sight of its step bar: everything is loaded and cached.
    fn begin(&mut self) {
        if !self.has_begun {
            self.has_begun = true;
            files::caches_are_whole(self.plan);
        }
    }

    fn report_step(&mut self, next: impl FnOnce(&mut Metrics) -> Option<protocol::event::StepMetrics>) {
        if let Some(metrics) = next(&mut self.metrics) {
            self.tell.report(Report::Step(metrics));
        }
    }

    fn read_scalars(&mut self) {
        if matches!(self.scalars, Scalars::Awaited)
            && let Some(follower) = Follower::find(&self.plan.logs)
        {
            self.scalars = Scalars::Followed(follower);
        }
        let Scalars::Followed(follower) = &mut self.scalars else {
            return;
        };
        match follower.read() {
            Ok(scalars) => {
                if !scalars.is_empty() {
                    self.heard_at = Instant::now();
                }
                for scalar in scalars {
                    self.report_step(|metrics| metrics.scalar(&scalar));
                }
            }
            Err(err) => {
                self.tell.log(
                    LogLevel::Warning,
                    format!("losses can no longer be read: {}", chain(&err)),
                );
                self.scalars = Scalars::Broken;
            }
        }
    }

    /// Hands over what is complete.
    async fn pick_up(&mut self, is_over: bool) {
        for found in self.outputs.look(is_over) {
            match found {
                Found::Sample { kind, path } => {
                    if let ArtifactKind::Sample { step, .. } = kind
                        && self.sample_asked_at.is_some_and(|asked_at| step > asked_at)
                    {
                        self.sample_asked_at = None;
                    }
                    let path = self.keep_sample(&kind, path);
                    self.tell.event(TrainEvent::Wrote { kind, path });
                }
                Found::State { step, lora, state } => {
                    let to = checkpoint::path_of(self.folder, step);
                    let (path, origin) = (to.clone(), self.origin.clone());
                    let totals = self.totals(step);
                    let mut archiving = tokio::task::spawn_blocking(move || {
                        if let Some(totals) = totals {
                            header::mend(&lora, &totals)?;
                        }
                        checkpoint::archive(&origin, step, &lora, &state, &path)
                    });
                    // That takes seconds for a gigabyte, and sd-scripts goes on.
                    let archived = loop {
                        tokio::select! {
                            archived = &mut archiving => break archived,
                            () = tokio::time::sleep(LOOK) => {
                                self.read_scalars();
                                self.offer_prompts();
                            }
                        }
                    };
                    match archived {
                        Ok(Ok(())) => {
                            self.newest_checkpoint = self.newest_checkpoint.take().max(Some(to.clone()));
                            self.tell.event(TrainEvent::Wrote {
                                kind: ArtifactKind::Checkpoint { step },
                                path: to,
                            });
                        }
                        Ok(Err(err)) => {
                            let message = format!("failed to keep the checkpoint of step {step}: {err}");
                            self.tell.log(LogLevel::Warning, message);
                        }
                        // The runtime ends, and this run with it.
                        Err(_) => {}
                    }
                }
            }
        }
    }

    /// Has samples come at steps of the training, and not of this run, and when they are asked for. Until it trains it
    /// needs the prompts.
    fn offer_prompts(&self) {
        let is_wanted = self.sample_asked_at.is_some() || self.plan.wants_samples(self.metrics.newest_step());
        if self.has_begun
            && let Err(err) = files::offer_prompts(self.plan, is_wanted)
        {
            self.tell.log(
                LogLevel::Warning,
                format!("samples may be rendered at other steps: {err}"),
            );
        }
    }

    fn finds_prompts(&self) -> bool {
        let prompts = self.plan.prompts.as_ref();
        prompts.is_some_and(|(path, _)| path.exists())
    }

    /// Samples come the next time that sd-scripts looks for prompts.
    fn sample_out_of_turn(&mut self) {
        let step = self.metrics.newest_step();
        let next = self.plan.next_look(step);
        self.tell.log(
            LogLevel::Info,
            if next <= self.recipe.parameters().n_steps {
                self.sample_asked_at = Some(step);
                format!("samples will be rendered after step {next}")
            } else {
                "sd-scripts renders no more samples before the end".into()
            },
        );
    }

    /// It saves at the recipe's steps and at the end, and has no ear for orders.
    fn checkpoint_out_of_turn(&self) {
        let p = self.recipe.parameters();
        let next = match self.plan.checkpoint_every {
            0 => p.n_steps,
            every => (self.metrics.newest_step() / every + 1) * every,
        };
        self.tell.log(
            LogLevel::Info,
            format!(
                "sd-scripts cannot write a checkpoint on request; the next one is due at step {}",
                next.min(p.n_steps)
            ),
        );
    }

    /// Gives a sample the name that every engine gives it, since sd-scripts names it by the steps of this run, and the
    /// record of how it was made.
    fn keep_sample(&self, kind: &ArtifactKind, path: PathBuf) -> PathBuf {
        let ArtifactKind::Sample {
            step, prompt_index, ..
        } = kind
        else {
            return path;
        };
        let to = sample_path(self.folder, *step, *prompt_index);
        if let Some(sample) = self.plan.sample_prompts.get(*prompt_index as usize)
            && samples::keep(
                &path,
                &to,
                &samples::record(self.base, self.recipe, sample, *step),
            )
            .is_ok()
        {
            return to;
        }
        // What cannot be written is kept as it is, and what cannot be moved is as good where it is.
        std::fs::rename(&path, &to).map_or(path, |()| to)
    }
}
