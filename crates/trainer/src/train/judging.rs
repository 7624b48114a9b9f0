//! Judging what a training has made so far, within a share of its time.

use std::{
    error::Error,
    fs, io,
    ops::ControlFlow,
    path::Path,
    time::{Duration, Instant},
};

use diffusion::device::TrainingDevice;
use image::RgbImage;
use protocol::{
    agent::{ArtifactKind, Report},
    event::LogLevel,
    judgement::Judgement,
    problem::chain,
};

use super::{TrainEvent, TrainJob};
use crate::{
    data::{Stage, TrainingData},
    evaluate::Painter,
    judge::{BasePictures, Budget, JudgeError, Task, judge_result},
    tensor_file::write_atomically,
};

/// The share of a training's time that judging its checkpoints and its result may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JudgeShare(f64);

impl JudgeShare {
    /// In percent, where nothing else is said.
    pub const DEFAULT_PERCENT: u8 = 10;

    /// Nothing is judged.
    pub const NONE: Self = Self(0.0);

    /// Of percent; more than 100 is 100.
    pub fn percent(percent: u8) -> Self {
        Self(f64::from(percent.min(100)) / 100.0)
    }

    fn is_none(self) -> bool {
        self.0 == 0.0
    }
}

impl Default for JudgeShare {
    fn default() -> Self {
        Self::percent(Self::DEFAULT_PERCENT)
    }
}

/// The result of even a short training is worth this time, and it is kept for it after the checkpoints took the share.
const FOR_A_RESULT: Duration = Duration::from_secs(300);
/// It is said this often that judging goes on.
const SAY_EVERY: Duration = Duration::from_secs(5);

/// What is judged: a LoRA file after so many steps.
pub(super) struct Subject<'a, D: TrainingDevice> {
    pub(super) job: &'a TrainJob<'a, D>,
    pub(super) data: &'a TrainingData,
    pub(super) lora: &'a Path,
    pub(super) step: u32,
}

/// The time that one judgement has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time {
    /// No more pictures are begun with after it, clearly before `most`: what has begun by then may end.
    enough: Duration,
    /// It is given up after it.
    most: Duration,
}

/// The judge of one training, and the time that it has.
pub(super) struct Judging {
    share: JudgeShare,
    began: Instant,
    spent: Duration,
    /// The longest time that was not enough: at least twice of it is needed.
    too_short: Duration,
    kept: BasePictures,
}

impl Judging {
    /// Of a training that has run for a time already.
    pub(super) fn begin(share: JudgeShare, trained: Duration) -> Self {
        let now = Instant::now();
        Self {
            share,
            began: now.checked_sub(trained).unwrap_or(now),
            spent: Duration::ZERO,
            too_short: Duration::ZERO,
            kept: BasePictures::default(),
        }
    }

    /// The time to judge a checkpoint in, if there is enough.
    pub(super) fn time_for_checkpoint(&self) -> Option<Time> {
        let left = time_left(self.share, self.began.elapsed(), self.spent)?;
        // Little more would most likely be too short as well.
        (left >= 2 * self.too_short).then_some(Time {
            enough: left / 2,
            most: left,
        })
    }

    /// The time to judge the result in, unless nothing is to be judged: what the checkpoints left of the share, and at least
    /// [`FOR_A_RESULT`].
    pub(super) fn time_for_result(&self) -> Option<Time> {
        if self.share.is_none() {
            return None;
        }
        let left = time_left(self.share, self.began.elapsed(), self.spent).unwrap_or_default();
        let most = left.max(FOR_A_RESULT);
        Some(Time {
            enough: left.min(most / 2),
            most,
        })
    }

    /// Judges a file within this time. Its pictures are written and handed over, and then the judgement is told. `go_on` is
    /// asked between pictures. That something cannot be judged is no reason to end a training, and is told.
    pub(super) fn judge<D: TrainingDevice>(
        &mut self,
        subject: &Subject<'_, D>,
        time: Time,
        painter: Option<&mut dyn Painter>,
        events: &mut impl FnMut(TrainEvent),
        go_on: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Option<Judgement> {
        let started = Instant::now();
        let step = subject.step;
        let task = Task {
            base: subject.job.base,
            recipe: subject.job.recipe,
            data: subject.data,
            lora: subject.lora,
            budget: Budget {
                seconds: time.enough.as_secs_f64(),
            },
        };
        let mut said_at: Option<Instant> = None;
        let mut is_late = false;
        let mut in_time = || {
            if said_at.is_none_or(|at| at.elapsed() >= SAY_EVERY) {
                said_at = Some(Instant::now());
                events(TrainEvent::stage(Stage {
                    name: "judging what the LoRA does to pictures",
                    done: 0,
                    total: 0,
                }));
            }
            is_late = started.elapsed() >= time.most;
            if is_late { ControlFlow::Break(()) } else { go_on() }
        };
        let judged = judge_result(&task, painter, &mut self.kept, &mut in_time);
        self.spent += started.elapsed();
        let judged = match judged {
            Ok(judged) => judged,
            Err(JudgeError::Stopped) if is_late => {
                self.too_short = self.too_short.max(time.most);
                let seconds = time.most.as_secs_f64();
                let message = format!(
                    "the LoRA of step {step} is not judged, since {seconds:.0} s were not enough for it: \
                     MORPHEUS_JUDGE_SHARE gives it more"
                );
                events(TrainEvent::log(message));
                return None;
            }
            // There is something more urgent to do.
            Err(JudgeError::Stopped) => return None,
            Err(err) => {
                events(not_judged(step, &err));
                return None;
            }
        };
        for (name, picture) in &judged.pictures {
            let path = subject.job.folder.join(format!("evidence-{step:06}-{name}.png"));
            if let Err(err) = write(&path, picture) {
                events(warning(format!("failed to keep a picture of a judgement: {err}")));
                continue;
            }
            let name = name.clone();
            let kind = ArtifactKind::Evidence { step, name };
            events(TrainEvent::Wrote { kind, path });
        }
        events(TrainEvent::Report(Report::Judged {
            step,
            judgement: Some(judged.judgement.clone()),
        }));
        Some(judged.judgement)
    }
}

/// What is left of a share of the time.
fn time_left(share: JudgeShare, elapsed: Duration, spent: Duration) -> Option<Duration> {
    let left = elapsed.mul_f64(share.0).checked_sub(spent)?;
    (!left.is_zero()).then_some(left)
}

fn write(path: &Path, picture: &RgbImage) -> Result<(), String> {
    let png = dataset::picture::encode_png(picture);
    write_atomically(path, |out: &mut dyn io::Write| out.write_all(&png)).map_err(|err| chain(&err))
}

/// Removes a file that was made to be judged.
pub(super) fn remove(path: &Path) {
    // The folder goes with the attempt.
    let _ = fs::remove_file(path);
}

/// Says that a LoRA is not judged, and why.
pub(super) fn not_judged(step: u32, err: &(dyn Error + 'static)) -> TrainEvent {
    warning(format!("the LoRA of step {step} is not judged: {}", chain(err)))
}

fn warning(message: String) -> TrainEvent {
    let level = LogLevel::Warning;
    TrainEvent::Report(Report::Log { level, message })
}

#[cfg(test)]
mod tests;
