//! Evaluates the file that sd-scripts wrote, in the same way as files of the native engine.

use std::{
    ops::ControlFlow,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use protocol::{agent::Report, problem::chain};
use tokio::sync::mpsc;
use trainer::{
    evaluate::{self, Subject, inspect},
    train::{ForeignLora, TrainEvent, Trained, judge_on_cpu},
};

use super::{
    Kohya, Precision,
    failure::Failure,
    header,
    painter::{self, Painter},
};
use crate::job::Job;

/// Evaluates a LoRA file. The pictures are drawn by diffusers on the GPU that has trained, if it can, or else on this
/// machine's CPU, which measures the losses too. Hurried, it leaves out what the LoRA does to pictures.
///
/// # Errors
/// If the file is incomplete, not finite or zero, or the evaluation itself fails.
pub(super) fn judged(
    (job, kohya): (&Job, &Kohya),
    (lora, n_steps, trained): (PathBuf, u32, Duration),
    events: &mpsc::UnboundedSender<TrainEvent>,
    (is_dropped, is_hurried): (&AtomicBool, &AtomicBool),
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
    let mut painter = None;
    // What trains on the processor has no GPU to draw on.
    if kohya.precision != Precision::Full {
        match Painter::start(&kohya.diffusers, (job, &lora), events, is_dropped) {
            Ok(started) => painter = Some(started),
            Err(why) => tell(TrainEvent::Report(painter::instead(&why))),
        }
    }
    let foreign = ForeignLora {
        file: &lora,
        n_steps,
        trained,
    };
    let mut go_on = || match is_dropped.load(Ordering::Relaxed) || is_hurried.load(Ordering::Relaxed) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    let judged = job.train_job(&base, (None, false), |job| {
        let painter = painter
            .as_mut()
            .map(|painter| painter as &mut dyn evaluate::Painter);
        judge_on_cpu(job, &foreign, painter, &mut tell, &mut go_on)
    });
    let judged = judged.map_err(|err| Failure::Machine(chain(&err)))?;
    tell(TrainEvent::Report(Report::Validated {
        verdict: judged.verdict.clone(),
    }));
    Ok(Trained {
        lora,
        n_steps,
        verdict: judged.verdict,
        metadata,
        before: judged.before,
        after: judged.after,
        judgement: judged.judgement,
    })
}
