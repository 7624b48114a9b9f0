//! Evaluates the file that sd-scripts wrote, in the same way as files of the native engine.

use std::path::PathBuf;

use protocol::{agent::Report, problem::chain};
use tokio::sync::mpsc;
use trainer::{
    evaluate::{Subject, inspect},
    train::{TrainEvent, Trained, judge_on_cpu},
};

use super::{failure::Failure, header};
use crate::job::Job;

/// Evaluates a LoRA file; takes as long as rendering three pictures on this machine's CPU.
///
/// # Errors
/// If the file is incomplete, not finite or zero, or the evaluation itself fails.
pub(super) fn judged(
    job: &Job,
    lora: PathBuf,
    events: &mpsc::UnboundedSender<TrainEvent>,
) -> Result<Trained, Failure> {
    let mut tell = |event| drop(events.send(event));
    let broken = |err: &dyn std::error::Error| Failure::BrokenFile(chain(err));
    let base = job
        .base
        .load(&job.base_options)
        .map_err(|err| Failure::Machine(chain(&err)))?;
    let verdict = inspect(&Subject::of(&base, &job.recipe), &lora);
    if let Some(check) = verdict.checks.iter().find(|check| !check.passed) {
        return Err(Failure::BrokenFile(check.detail.clone()));
    }
    let metadata = header::metadata(&lora).map_err(|err| broken(&err))?;
    let judged = job.train_job(&base, None, |job| judge_on_cpu(job, &lora, &mut tell));
    let judged = judged.map_err(|err| Failure::Machine(chain(&err)))?;
    tell(TrainEvent::Report(Report::Validated {
        verdict: judged.verdict.clone(),
    }));
    Ok(Trained {
        lora,
        n_steps: job.recipe.parameters().n_steps,
        verdict: judged.verdict,
        metadata,
        before: judged.before,
        after: judged.after,
    })
}
