//! Draws the pictures of a verdict with diffusers, on the GPU that has trained.

use std::{
    error::Error,
    ops::ControlFlow,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use diffusion::{
    base::Outline,
    lora::{Lora, Weighted},
    pipeline::{self, PictureRequest, PipelineError},
};
use image::RgbImage;
use protocol::{agent::Report, event::LogLevel, problem::chain};
use tokio::sync::mpsc;
use trainer::{evaluate, made, train::TrainEvent};

use crate::{
    diffusers::{Diffusers, Engine, Failure, Hello},
    job::Job,
};

/// What is said while it works.
const STAGE: &str = "rendering the pictures of the verdict with diffusers";
/// Without the LoRA, at weight 0, and at weight 1.
const N_PICTURES: u32 = 3;

/// The child, what it draws with, and where it is told of.
pub(super) struct Painter<'a> {
    engine: Engine,
    hello: Hello,
    outline: Outline,
    lora: Lora,
    n_drawn: u32,
    events: &'a mpsc::UnboundedSender<TrainEvent>,
    is_dropped: &'a AtomicBool,
}

impl<'a> Painter<'a> {
    /// Starts the child; nothing is loaded yet. The error is text for people.
    pub(super) fn start(
        settings: &Diffusers,
        (job, lora): (&Job, &Path),
        events: &'a mpsc::UnboundedSender<TrainEvent>,
        is_dropped: &'a AtomicBool,
    ) -> Result<Self, String> {
        let is_cancelled = || is_dropped.load(Ordering::Relaxed);
        let mut engine = Engine::new(settings.clone()).map_err(|err| chain(&err))?;
        let hello = engine.greet(&is_cancelled).map_err(|err| chain(&err))?;
        let outline = engine.outline(&job.base.to_string(), &job.base_options);
        Ok(Self {
            hello,
            outline: outline.map_err(|err| chain(&err))?,
            engine,
            lora: Lora::open(lora).map_err(|err| chain(&err))?,
            n_drawn: 0,
            events,
            is_dropped,
        })
    }

    fn report(&self, report: Report) {
        // Nobody listens any more when the work was dropped.
        let _ = self.events.send(TrainEvent::Report(report));
    }

    fn paint(&mut self, picture: &PictureRequest, weight: Option<f32>) -> Result<RgbImage, PipelineError> {
        let is_cancelled = || self.is_dropped.load(Ordering::Relaxed);
        let lora = weight.map(|weight| Weighted {
            lora: &self.lora,
            weight,
            partial: false,
        });
        let n_steps = picture.n_steps.get();
        let drawing = self.engine.prepare(&self.outline, lora, &is_cancelled);
        let mut drawing = drawing.map_err(|failure| match failure {
            Failure::Cancelled => PipelineError::Cancelled { n_done: 0, n_steps },
            failure => PipelineError::Compute {
                what: "load the base model and the LoRA",
                err: failure.into(),
            },
        })?;
        let go_on = &mut |_, _| ControlFlow::Continue(());
        let mut pictures = pipeline::draw(&mut drawing, picture, go_on)?;
        Ok(pictures.swap_remove(0))
    }
}

impl evaluate::Painter for Painter<'_> {
    fn draw(&mut self, picture: &PictureRequest, weight: Option<f32>) -> Result<RgbImage, PipelineError> {
        // What the LoRA does is judged by more of them, which the judge tells.
        if self.n_drawn < N_PICTURES {
            self.report(Report::Stage {
                name: STAGE.to_owned(),
                done: self.n_drawn,
                total: N_PICTURES,
            });
        }
        let painted = self.paint(picture, weight);
        for message in self.engine.take_notes() {
            let level = LogLevel::Warning;
            self.report(Report::Log { level, message });
        }
        self.n_drawn += 1;
        painted
    }

    fn failed(&mut self, why: &dyn Error) {
        self.report(instead(&chain(why)));
        self.engine.unload();
    }

    fn program(&self) -> String {
        made::program_with(&self.hello.describe())
    }
}

/// Says that the processor draws, and why.
pub(super) fn instead(why: &str) -> Report {
    Report::Log {
        level: LogLevel::Warning,
        message: format!(
            "the processor renders the pictures of the verdict, which takes longer, because diffusers cannot: {why}"
        ),
    }
}
