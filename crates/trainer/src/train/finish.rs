//! After the last step: the LoRA file, and what it is worth.

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use diffusion::device::TrainingDevice;
use protocol::{made::MadeLora, model::Verdict};

use super::{
    TrainError, TrainEvent, TrainJob,
    run::{Run, computing},
    samples::Studio,
};
use crate::{
    data::TrainingData,
    evaluate::{Painter, Subject, evaluate},
    made::{LoraHashes, PROGRAM},
    metadata::{self, BaseFacts, Facts},
};

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

/// Writes the LoRA and judges the written file.
pub(super) fn finish<D: TrainingDevice>(
    job: &TrainJob<'_, D>,
    data: &TrainingData,
    run: &Run<'_, D>,
    studio: &Studio<'_, D>,
    started_at: SystemTime,
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
    } = judge_file(job, data, studio, (&lora, None))?;
    Ok(Trained {
        lora,
        n_steps: run.n_done(),
        verdict,
        metadata,
        before,
        after,
    })
}

/// Judges a LoRA file that another program trained for this job, as the native engine's own files are judged. A painter
/// draws the pictures in place of the native engine.
///
/// # Errors
/// If the pictures cannot be prepared, or the judging itself fails. A bad file gets a verdict that says so.
pub fn judge<D: TrainingDevice>(
    job: &TrainJob<'_, D>,
    (lora, painter): (&Path, Option<&mut dyn Painter>),
    mut events: impl FnMut(TrainEvent),
) -> Result<Judged, TrainError> {
    let mut on_stage = |stage| {
        events(TrainEvent::stage(stage));
        ControlFlow::Continue(())
    };
    let data = TrainingData::prepare(job.base, job.recipe, job.manifest, job.pictures, &mut on_stage);
    let data = data.map_err(TrainError::Data)?;
    judge_file(job, &data, &Studio::new(job, &data)?, (lora, painter))
}

/// [`judge`] on the processor; see [`train_on_cpu`](super::train_on_cpu).
///
/// # Errors
/// As [`judge`].
pub fn judge_on_cpu(
    job: &TrainJob<'_>,
    lora: (&Path, Option<&mut dyn Painter>),
    events: &mut dyn FnMut(TrainEvent),
) -> Result<Judged, TrainError> {
    judge(job, lora, events)
}

fn judge_file<D: TrainingDevice>(
    job: &TrainJob<'_, D>,
    data: &TrainingData,
    studio: &Studio<'_, D>,
    (lora, painter): (&Path, Option<&mut dyn Painter>),
) -> Result<Judged, TrainError> {
    let request = studio.request(0);
    let subject = Subject::of(job.base, job.recipe);
    let evaluation = evaluate(&subject, lora, data, (&request, painter)).map_err(TrainError::Evaluate)?;
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
        let program = evaluation.program.as_deref().unwrap_or(PROGRAM);
        let write = |name: &str, picture, loras| {
            studio.write(job.folder.join(name), picture, &request, (loras, program))
        };
        before = Some(write("before.png", &pictures[0], Vec::new())?);
        after = Some(write("after.png", &pictures[1], vec![applied])?);
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
    started_at: SystemTime,
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
        started_at: seconds_since_1970(started_at),
        finished_at: seconds_since_1970(SystemTime::now()),
        scheduler: &job.base.scheduler,
    }
}

fn seconds_since_1970(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0.0, |elapsed| elapsed.as_secs_f64())
}
