//! The training loop: events out, commands in.

mod error;
mod finish;
mod judging;
mod run;
mod samples;
mod seen;
mod start;

use std::{
    collections::VecDeque,
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use diffusion::{
    base::BaseModel,
    cpu::Cpu,
    device::{Device, TrainingDevice},
};
use protocol::{
    agent::{ArtifactKind, Directive, Report},
    dataset::Manifest,
    event::LogLevel,
    recipe::Recipe,
};

pub use self::{
    error::TrainError,
    finish::{ForeignLora, Judged, Trained, judge, judge_on_cpu},
    judging::JudgeShare,
    samples::sample_path,
    start::StartError,
};
use self::{finish::Finishing, judging::Judging, run::Run, samples::Studio};
use crate::data::{DataError, MAX_ENCODING_BYTES, Pictures, Stage, TrainingData};

/// One training.
pub struct TrainJob<'a, D: Device = Cpu> {
    /// Its configuration.
    pub recipe: &'a Recipe,
    /// The base model, loaded onto the device that trains.
    pub base: &'a BaseModel<D>,
    /// The pictures to train on.
    pub manifest: &'a Manifest,
    /// Gives their files.
    pub pictures: Pictures<'a>,
    /// Where to write checkpoints, samples and the result. Files are named, and left there.
    pub folder: &'a Path,
    /// The LoRA to begin with, in place of one that changes nothing. A checkpoint goes before it.
    pub start_from: Option<&'a Path>,
    /// The checkpoint to go on from.
    pub resume_from: Option<&'a Path>,
    /// The samples of before the first step exist already, from a run that did not get far.
    pub is_start_drawn: bool,
    /// Whether parts of the U-Net are computed again on the way back, to take less memory; what the recipe says, or more.
    /// The numbers are the same.
    pub recomputes: bool,
    /// How much of its time judging what it makes may take.
    pub judging: JudgeShare,
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

impl TrainEvent {
    fn log(message: String) -> Self {
        let level = LogLevel::Info;
        Self::Report(Report::Log { level, message })
    }

    fn stage(Stage { name, done, total }: Stage) -> Self {
        let name = name.to_owned();
        Self::Report(Report::Stage { name, done, total })
    }
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

/// Trains a LoRA, from the pictures to the judged file.
///
/// `commands` is asked between any two steps until it has no more. Everything random is a function of the
/// recipe's seed, so the same job gives the same file, with or without interruptions.
///
/// # Errors
/// If something cannot be read, computed or written. Checkpoints that were reported stay as they are.
pub fn train<D: TrainingDevice>(
    job: &TrainJob<'_, D>,
    mut events: impl FnMut(TrainEvent),
    mut commands: impl FnMut() -> Option<Directive>,
) -> Result<Ended, TrainError> {
    let p = job.recipe.parameters();
    let started_at = SystemTime::now();
    let mut orders = VecDeque::new();
    let data = match prepare(job, &mut events, &mut commands, &mut orders)? {
        ControlFlow::Continue(data) => data,
        ControlFlow::Break(ended) => return Ok(ended),
    };
    if data.has_changing_captions() {
        let message = format!(
            "captions change from view to view: each is encoded when it is shown, and the newest encodings are kept, in at \
             most {} MiB",
            MAX_ENCODING_BYTES >> 20
        );
        events(TrainEvent::log(message));
    }
    let mut run = Run::begin(job, &data)?;
    if let Some(message) = run.remark.take() {
        events(TrainEvent::log(message));
    }
    let studio = Studio::new(job, &data)?;
    let mut judging = Judging::begin(job.judging, Duration::ZERO);
    if run.n_done() == 0 {
        report_validation_loss(&run, &mut events)?;
        if p.sample_at_start && !job.is_start_drawn {
            // A LoRA that has learned nothing leaves the base as it is. Nothing is drawn from a generator that the steps draw
            // from, so they are the same.
            render_samples(&run, &studio, &mut events)?;
        }
    }

    let per_epoch = run.plan.n_steps_per_epoch();
    let checkpoint_every = p.checkpoint_every(per_epoch);
    let validate_every = p.validate_every(per_epoch);
    let sample_every = p.sample_every(per_epoch);
    let n_begun = run.n_done();
    let mut is_finishing = false;
    while run.n_done() < p.n_steps {
        orders.extend(std::iter::from_fn(&mut commands));
        while let Some(order) = orders.pop_front() {
            match order {
                Directive::Cancel => return Ok(Ended::Cancelled),
                Directive::Stop => {
                    report(run.seen.all(), &mut events);
                    save_checkpoint(&mut run, &mut events)?;
                    return Ok(Ended::Stopped);
                }
                Directive::Checkpoint => {
                    report(run.seen.all(), &mut events);
                    save_checkpoint(&mut run, &mut events)?;
                }
                Directive::Sample => render_samples(&run, &studio, &mut events)?,
                Directive::Finish => is_finishing = true,
            }
        }
        // The checkpoint that it goes on from is what it is to be finished with.
        if is_finishing && n_begun > 0 && run.n_done() == n_begun {
            break;
        }

        let metrics = run.step()?;
        events(TrainEvent::Report(Report::Step(metrics)));

        let is_last = is_finishing || run.n_done() == p.n_steps;
        let is_checkpoint = is_last || run.is_due(checkpoint_every);
        // Those that go on from a checkpoint report the steps behind it.
        let seen = if is_checkpoint {
            run.seen.all()
        } else {
            run.seen.due()
        };
        report(seen, &mut events);
        if is_checkpoint {
            save_checkpoint(&mut run, &mut events)?;
        }
        // At 0 it is measured with each checkpoint.
        if is_last || run.is_due(validate_every) || validate_every == 0 && is_checkpoint {
            report_validation_loss(&run, &mut events)?;
        }
        // At 0 there are none, not even of the last step.
        if sample_every > 0 && (is_last || run.is_due(sample_every)) {
            render_samples(&run, &studio, &mut events)?;
        }
        if is_last {
            break;
        }
        if is_checkpoint {
            let finishing = Finishing {
                job,
                data: &data,
                run: &run,
                started_at,
            };
            // Whatever is ordered meanwhile goes first.
            let mut go_on = || {
                orders.extend(std::iter::from_fn(&mut commands));
                if orders.is_empty() {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            };
            finishing.judge_checkpoint(&mut judging, &mut events, &mut go_on);
        }
    }

    events(TrainEvent::Report(Report::Finalizing));
    let finishing = Finishing {
        job,
        data: &data,
        run: &run,
        started_at,
    };
    // An order to end leaves out what is left of judging.
    let mut go_on = || {
        orders.extend(std::iter::from_fn(&mut commands));
        let is_end = |order: &Directive| matches!(order, Directive::Stop | Directive::Cancel);
        if orders.iter().any(is_end) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let trained = finishing.finish(&studio, &mut judging, &mut events, &mut go_on)?;
    if orders.contains(&Directive::Cancel) {
        return Ok(Ended::Cancelled);
    }
    let verdict = trained.verdict.clone();
    events(TrainEvent::Report(Report::Validated { verdict }));
    Ok(Ended::Completed(Box::new(trained)))
}

/// [`train`] on the processor. Nothing about it is generic, so that what computes is compiled with this crate, once and
/// optimized, and not with each crate that calls it.
///
/// # Errors
/// As [`train`].
pub fn train_on_cpu(
    job: &TrainJob<'_>,
    events: &mut dyn FnMut(TrainEvent),
    commands: &mut dyn FnMut() -> Option<Directive>,
) -> Result<Ended, TrainError> {
    train(job, events, commands)
}

/// Pictures and captions into memory. An order to end is obeyed here already; others wait in `orders`.
fn prepare<D: Device>(
    job: &TrainJob<'_, D>,
    events: &mut impl FnMut(TrainEvent),
    commands: &mut impl FnMut() -> Option<Directive>,
    orders: &mut VecDeque<Directive>,
) -> Result<ControlFlow<Ended, TrainingData>, TrainError> {
    let mut on_stage = |stage| {
        events(TrainEvent::stage(stage));
        orders.extend(std::iter::from_fn(&mut *commands));
        let is_end = |order: &Directive| matches!(order, Directive::Stop | Directive::Cancel);
        if orders.iter().any(is_end) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    match TrainingData::prepare(job.base, job.recipe, job.manifest, job.pictures, &mut on_stage) {
        Ok(data) => {
            // What is not trained has said what it had to say; samples read it from the file again.
            job.base.release_text_encoders();
            Ok(ControlFlow::Continue(data))
        }
        Err(DataError::Interrupted) if orders.contains(&Directive::Cancel) => {
            Ok(ControlFlow::Break(Ended::Cancelled))
        }
        Err(DataError::Interrupted) => Ok(ControlFlow::Break(Ended::Stopped)),
        Err(err) => Err(TrainError::Data(err)),
    }
}

fn report(report: Option<Report>, events: &mut impl FnMut(TrainEvent)) {
    if let Some(report) = report {
        events(TrainEvent::Report(report));
    }
}

fn save_checkpoint<D: TrainingDevice>(
    run: &mut Run<'_, D>,
    events: &mut impl FnMut(TrainEvent),
) -> Result<(), TrainError> {
    let (kind, path) = run.save_checkpoint()?;
    events(TrainEvent::Wrote { kind, path });
    Ok(())
}

fn render_samples<D: TrainingDevice>(
    run: &Run<'_, D>,
    studio: &Studio<'_, D>,
    events: &mut impl FnMut(TrainEvent),
) -> Result<(), TrainError> {
    studio.render_all(run.result()?.as_ref(), run.n_done(), events)
}

fn report_validation_loss<D: TrainingDevice>(
    run: &Run<'_, D>,
    events: &mut impl FnMut(TrainEvent),
) -> Result<(), TrainError> {
    let Some(loss) = run.validation_loss()? else {
        return Ok(());
    };
    let step = run.n_done();
    if loss.is_finite() {
        events(TrainEvent::Report(Report::ValidationLoss { step, loss }));
        return Ok(());
    }
    if run.changes_nothing() {
        return Err(TrainError::BrokenBase {
            what: "validation loss",
        });
    }
    // No message can carry the number, and the training may recover.
    events(TrainEvent::Report(Report::Log {
        level: LogLevel::Warning,
        message: format!("the validation loss after step {step} is not finite: lower the learning rate"),
    }));
    Ok(())
}

#[cfg(test)]
mod tests;
