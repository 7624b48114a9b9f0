//! After the last step: the LoRA file, and what it is worth.

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use diffusion::device::TrainingDevice;
use protocol::{judgement::Judgement, made::MadeLora, model::Verdict};

use super::{
    TrainError, TrainEvent, TrainJob,
    judging::{self, Judging},
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
    /// What the LoRA does to pictures. Its pictures were handed over before.
    pub judgement: Option<Judgement>,
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
    /// What the LoRA does to pictures, unless it was not judged, or is too broken to draw with.
    pub judgement: Option<Judgement>,
}

/// What is finished: a training after its last step, or between two.
pub(super) struct Finishing<'a, D: TrainingDevice> {
    pub(super) job: &'a TrainJob<'a, D>,
    pub(super) data: &'a TrainingData,
    pub(super) run: &'a Run<'a, D>,
    pub(super) started_at: SystemTime,
}

impl<D: TrainingDevice> Finishing<'_, D> {
    /// Writes the LoRA as it is now; returns its metadata.
    fn write(&self, lora: &Path) -> Result<BTreeMap<String, String>, TrainError> {
        let tensors = self.run.result()?.file_tensors();
        let tensors = tensors.map_err(computing("the LoRA's tensors"))?;
        let described = metadata::describe(&facts(self.job, self.data, self.run, self.started_at));
        metadata::write_lora(lora, &tensors, described).map_err(TrainError::Write)
    }

    /// Judges the LoRA of a checkpoint, if there is time for it. That it cannot be written is no reason to end a training, and
    /// is told.
    pub(super) fn judge_checkpoint(
        &self,
        judging: &mut Judging,
        events: &mut impl FnMut(TrainEvent),
        go_on: &mut dyn FnMut() -> ControlFlow<()>,
    ) {
        let Some(time) = judging.time_for_checkpoint() else {
            return;
        };
        let step = self.run.n_done();
        let lora = self.job.folder.join("judged.safetensors");
        match self.write(&lora) {
            Ok(_) => {
                let subject = judging::Subject {
                    job: self.job,
                    data: self.data,
                    lora: &lora,
                    step,
                };
                judging.judge(&subject, time, None, events, go_on);
            }
            Err(err) => events(judging::not_judged(step, &err)),
        }
        judging::remove(&lora);
    }

    /// Writes the LoRA and judges the written file.
    pub(super) fn finish(
        &self,
        studio: &Studio<'_, D>,
        judging: &mut Judging,
        events: &mut impl FnMut(TrainEvent),
        go_on: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<Trained, TrainError> {
        let job = self.job;
        let lora = job.folder.join(format!("{}.safetensors", job.recipe.name()));
        let metadata = self.write(&lora)?;
        let subject = judging::Subject {
            job,
            data: self.data,
            lora: &lora,
            step: self.run.n_done(),
        };
        let Judged {
            verdict,
            before,
            after,
            judgement,
        } = judge_file(&subject, studio, judging, None, events, go_on)?;
        Ok(Trained {
            n_steps: subject.step,
            lora,
            verdict,
            metadata,
            before,
            after,
            judgement,
        })
    }
}

/// A LoRA file that another program trained.
#[derive(Debug, Clone, Copy)]
pub struct ForeignLora<'a> {
    /// The file.
    pub file: &'a Path,
    /// Optimizer steps done.
    pub n_steps: u32,
    /// How long they took, of which judging may take a share.
    pub trained: Duration,
}

/// Judges a LoRA file that another program trained for this job, as the native engine's own files are judged. A painter
/// draws the pictures in place of the native engine. `go_on` is asked between the pictures that show what the LoRA does;
/// without its consent they are left out.
///
/// # Errors
/// If the pictures cannot be prepared, or the judging itself fails. A bad file gets a verdict that says so.
pub fn judge<D: TrainingDevice>(
    job: &TrainJob<'_, D>,
    foreign: &ForeignLora<'_>,
    painter: Option<&mut dyn Painter>,
    mut events: impl FnMut(TrainEvent),
    go_on: &mut dyn FnMut() -> ControlFlow<()>,
) -> Result<Judged, TrainError> {
    let mut on_stage = |stage| {
        events(TrainEvent::stage(stage));
        ControlFlow::Continue(())
    };
    let data = TrainingData::prepare(job.base, job.recipe, job.manifest, job.pictures, &mut on_stage);
    let data = data.map_err(TrainError::Data)?;
    let subject = judging::Subject {
        job,
        data: &data,
        lora: foreign.file,
        step: foreign.n_steps,
    };
    let mut judging = Judging::begin(job.judging, foreign.trained);
    let studio = Studio::new(job, &data)?;
    judge_file(&subject, &studio, &mut judging, painter, &mut events, go_on)
}

/// [`judge`] on the processor; see [`train_on_cpu`](super::train_on_cpu).
///
/// # Errors
/// As [`judge`].
pub fn judge_on_cpu(
    job: &TrainJob<'_>,
    foreign: &ForeignLora<'_>,
    painter: Option<&mut dyn Painter>,
    events: &mut dyn FnMut(TrainEvent),
    go_on: &mut dyn FnMut() -> ControlFlow<()>,
) -> Result<Judged, TrainError> {
    judge(job, foreign, painter, events, go_on)
}

fn judge_file<D: TrainingDevice>(
    of: &judging::Subject<'_, D>,
    studio: &Studio<'_, D>,
    judging: &mut Judging,
    mut painter: Option<&mut dyn Painter>,
    events: &mut impl FnMut(TrainEvent),
    go_on: &mut dyn FnMut() -> ControlFlow<()>,
) -> Result<Judged, TrainError> {
    let judging::Subject { job, data, lora, .. } = *of;
    let request = studio.request(0);
    let subject = Subject::of(job.base, job.recipe);
    let evaluation = evaluate(&subject, lora, data, (&request, reborrowed(&mut painter)));
    let evaluation = evaluation.map_err(TrainError::Evaluate)?;
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
    let judgement = match judging.time_for_result() {
        Some(time) if evaluation.pictures.is_some() => judging.judge(of, time, painter, events, go_on),
        _ => None,
    };
    Ok(Judged {
        verdict: evaluation.verdict,
        before,
        after,
        judgement,
    })
}

/// The same painter once more.
fn reborrowed<'a>(painter: &'a mut Option<&mut dyn Painter>) -> Option<&'a mut dyn Painter> {
    painter.as_mut().map(|painter| &mut **painter as &mut dyn Painter)
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
