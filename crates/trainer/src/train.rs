//! The training loop: events out, commands in.

mod error;
mod run;
mod samples;
mod start;

use std::{
    collections::{BTreeMap, VecDeque},
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
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
    made::MadeLora,
    model::Verdict,
    recipe::Recipe,
};

pub use self::{error::TrainError, samples::sample_path, start::StartError};
use self::{
    run::{Run, computing},
    samples::Studio,
};
use crate::{
    data::{DataError, MAX_ENCODING_BYTES, Pictures, Stage, TrainingData},
    evaluate::{Subject, evaluate},
    made::LoraHashes,
    metadata::{self, BaseFacts, Facts},
};

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

/// What was found out about a LoRA file.
#[derive(Debug)]
pub struct Judged {
    /// Whether it is fit for use.
    pub verdict: Verdict,
    /// The fixed-seed picture without the LoRA.
    pub before: Option<PathBuf>,
    /// The fixed-seed picture with the LoRA.
    pub after: Option<PathBuf>,
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
    let started_at = seconds_since_1970();
    let mut orders = VecDeque::new();
    let data = match prepare(job, &mut events, &mut commands, &mut orders)? {
        ControlFlow::Continue(data) => data,
        ControlFlow::Break(ended) => return Ok(ended),
    };
    if data.has_changing_captions() {
        events(TrainEvent::Report(Report::Log {
            level: LogLevel::Info,
            message: format!(
                "captions change from view to view: each is encoded when it is shown, and the newest encodings are kept, in at \
                 most {} MiB",
                MAX_ENCODING_BYTES >> 20
            ),
        }));
    }
    let mut run = Run::begin(job, &data)?;
    if let Some(message) = run.remark.take() {
        events(TrainEvent::Report(Report::Log {
            level: LogLevel::Info,
            message,
        }));
    }
    let studio = Studio::new(job, &data)?;
    if run.n_done() == 0 {
        report_validation_loss(&run, &mut events)?;
        if p.sample_at_start {
            // A LoRA that has learned nothing leaves the base as it is.
            studio.render_all(run.result()?.as_ref(), 0, &mut events)?;
        }
    }

    while run.n_done() < p.n_steps {
        orders.extend(std::iter::from_fn(&mut commands));
        while let Some(order) = orders.pop_front() {
            match order {
                Directive::Cancel => return Ok(Ended::Cancelled),
                Directive::Stop => {
                    save_checkpoint(&mut run, &mut events)?;
                    return Ok(Ended::Stopped);
                }
                Directive::Checkpoint => save_checkpoint(&mut run, &mut events)?,
                Directive::Sample => studio.render_all(run.result()?.as_ref(), run.n_done(), &mut events)?,
            }
        }

        let metrics = run.step()?;
        events(TrainEvent::Report(Report::Step(metrics)));

        let is_last = run.n_done() == p.n_steps;
        if is_last || run.is_due(p.checkpoint_every_n_steps) {
            save_checkpoint(&mut run, &mut events)?;
            report_validation_loss(&run, &mut events)?;
        }
        if p.sample_every_n_steps > 0 && (is_last || run.is_due(p.sample_every_n_steps)) {
            studio.render_all(run.result()?.as_ref(), run.n_done(), &mut events)?;
        }
    }

    events(TrainEvent::Report(Report::Finalizing));
    let trained = finish(job, &data, &run, &studio, started_at)?;
    events(TrainEvent::Report(Report::Validated {
        verdict: trained.verdict.clone(),
    }));
    Ok(Ended::Completed(Box::new(trained)))
}

/// Pictures and captions into memory. An order to end is obeyed here already; others wait in `orders`.
fn prepare<D: Device>(
    job: &TrainJob<'_, D>,
    events: &mut impl FnMut(TrainEvent),
    commands: &mut impl FnMut() -> Option<Directive>,
    orders: &mut VecDeque<Directive>,
) -> Result<ControlFlow<Ended, TrainingData>, TrainError> {
    let mut on_stage = |Stage { name, done, total }: Stage| {
        events(TrainEvent::Report(Report::Stage {
            name: name.to_owned(),
            done,
            total,
        }));
        orders.extend(std::iter::from_fn(&mut *commands));
        let is_end = |order: &Directive| matches!(order, Directive::Stop | Directive::Cancel);
        if orders.iter().any(is_end) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    match TrainingData::prepare(job.base, job.recipe, job.manifest, job.pictures, &mut on_stage) {
        Ok(data) => Ok(ControlFlow::Continue(data)),
        Err(DataError::Interrupted) if orders.contains(&Directive::Cancel) => {
            Ok(ControlFlow::Break(Ended::Cancelled))
        }
        Err(DataError::Interrupted) => Ok(ControlFlow::Break(Ended::Stopped)),
        Err(err) => Err(TrainError::Data(err)),
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

fn report_validation_loss<D: TrainingDevice>(
    run: &Run<'_, D>,
    events: &mut impl FnMut(TrainEvent),
) -> Result<(), TrainError> {
    if let Some(loss) = run.validation_loss()? {
        let step = run.n_done();
        events(TrainEvent::Report(Report::ValidationLoss { step, loss }));
    }
    Ok(())
}

/// Writes the LoRA and judges the written file.
fn finish<D: TrainingDevice>(
    job: &TrainJob<'_, D>,
    data: &TrainingData,
    run: &Run<'_, D>,
    studio: &Studio<'_, D>,
    started_at: f64,
) -> Result<Trained, TrainError> {
    let lora = job.folder.join(format!("{}.safetensors", job.recipe.name()));
    let tensors = run
        .result()?
        .file_tensors()
        .map_err(computing("the LoRA's tensors"))?;
    let described = metadata::describe(&facts(job, data, run, started_at));
    let metadata = metadata::write_lora(&lora, &tensors, described).map_err(TrainError::Write)?;
    let Judged {
        verdict,
        before,
        after,
    } = judge_file(job, data, studio, &lora)?;
    Ok(Trained {
        lora,
        n_steps: run.n_done(),
        verdict,
        metadata,
        before,
        after,
    })
}

/// Judges a LoRA file that another program trained for this job, as the native engine's own files are judged.
///
/// # Errors
/// If the pictures cannot be prepared, or the judging itself fails. A bad file gets a verdict that says so.
pub fn judge<D: TrainingDevice>(
    job: &TrainJob<'_, D>,
    lora: &Path,
    mut events: impl FnMut(TrainEvent),
) -> Result<Judged, TrainError> {
    let mut on_stage = |Stage { name, done, total }: Stage| {
        events(TrainEvent::Report(Report::Stage {
            name: name.to_owned(),
            done,
            total,
        }));
        ControlFlow::Continue(())
    };
    let data = TrainingData::prepare(job.base, job.recipe, job.manifest, job.pictures, &mut on_stage);
    let data = data.map_err(TrainError::Data)?;
    judge_file(job, &data, &Studio::new(job, &data)?, lora)
}

fn judge_file<D: TrainingDevice>(
    job: &TrainJob<'_, D>,
    data: &TrainingData,
    studio: &Studio<'_, D>,
    lora: &Path,
) -> Result<Judged, TrainError> {
    let request = studio.request(0);
    let subject = Subject::of(job.base, job.recipe);
    let evaluation = evaluate(&subject, lora, data, &request).map_err(TrainError::Evaluate)?;
    let (mut before, mut after) = (None, None);
    if let Some(pictures) = &evaluation.pictures {
        let hashes = LoraHashes::of(lora).map_err(|err| TrainError::ReadAgain {
            path: lora.to_owned(),
            err,
        })?;
        let applied = MadeLora {
            sha256: Some(hashes.sha256),
            data_sha256: Some(hashes.data_sha256),
            ..studio.lora()
        };
        before = Some(studio.write(job.folder.join("before.png"), &pictures[0], &request, Vec::new())?);
        after = Some(studio.write(
            job.folder.join("after.png"),
            &pictures[1],
            &request,
            vec![applied],
        )?);
    }
    Ok(Judged {
        verdict: evaluation.verdict,
        before,
        after,
    })
}

fn facts<'a, D: TrainingDevice>(
    job: &TrainJob<'a, D>,
    data: &'a TrainingData,
    run: &Run<'_, D>,
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
        n_steps: run.n_done(),
        n_batches_per_epoch: run.plan.n_batches_per_epoch(),
        n_epochs: run.plan.epoch(run.n_done() - 1) + 1,
        started_at,
        finished_at: seconds_since_1970(),
        scheduler: &job.base.scheduler,
    }
}

fn seconds_since_1970() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |elapsed| elapsed.as_secs_f64())
}

#[cfg(test)]
mod tests;
