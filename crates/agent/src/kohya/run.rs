//! Runs sd-scripts: starts it, watches it, carries out orders, and collects its files.
//!
//! A job that resumes from a checkpoint is a run of the remaining steps; what sd-scripts counts and names within that
//! run is counted and named within the whole training here.
//!
//! sd-scripts accepts no orders. Stopping it means ending it, with the newest state it saved; a requested checkpoint
//! is written at the next checkpoint step of the recipe. It looks for sample prompts every few steps, and finds them
//! when samples are due or requested.

mod child;
mod watch;

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use protocol::{
    agent::{Directive, Report},
    event::LogLevel,
};
use tokio::sync::mpsc;
use trainer::{
    origin::Training,
    train::{Ended, TrainEvent},
};

use self::watch::{Watch, Watched};
use super::{
    Kohya, Precision,
    base::Located,
    checkpoint::{Resumed, unpack},
    failure::{Excerpt, Failure},
    files,
    header::is_complete,
    judge::judged,
    plan::{Memory, Plan, Request, Resume},
};
use crate::{gpu::Hold, job::Job, thread};

/// Trains a job with sd-scripts, from the pictures to the evaluated file.
///
/// # Errors
/// If the recipe is rejected, sd-scripts fails, or its result is unusable.
pub async fn run(
    job: Job,
    kohya: Option<Kohya>,
    events: mpsc::UnboundedSender<TrainEvent>,
    mut orders: mpsc::UnboundedReceiver<Directive>,
) -> Result<Ended, Failure> {
    let Some(kohya) = kohya else {
        return Err(Failure::Machine(
            "this agent has no sd-scripts: start it with --kohya-dir and --kohya-python, or choose the native engine"
                .into(),
        ));
    };
    let mut tell = Teller(events);
    let began = Instant::now();
    // sd-scripts runs in a folder of its own.
    let folder = std::path::absolute(&job.folder)
        .map_err(on_disk(&job.folder))?
        .join("kohya");
    tell.report(Report::Stage {
        name: "hashing the base model".into(),
        done: 0,
        total: 1,
    });
    let (base, options, measurements, name, to) = (
        job.base.clone(),
        job.base_options.clone(),
        job.measurements.clone(),
        job.recipe.base_model().to_owned(),
        folder.clone(),
    );
    let located = tokio::task::spawn_blocking(move || {
        let located = Located::find(&base, &options, &measurements, (&name, &to))?;
        located.lay_out()?;
        Ok::<_, Failure>(located)
    })
    .await;
    let base = located.map_err(|panic| Failure::Machine(format!("hashing panicked: {panic}")))??;
    if let Some(news) = base.news {
        tell.report(news);
    }
    for warning in base.warnings {
        tell.log(LogLevel::Warning, warning);
    }
    let training = Training::of(&job.recipe, &job.manifest, base.hash.clone());
    let mut resumed = match &job.resume_from {
        Some(checkpoint) => Some(unpack(checkpoint, &training, &folder.join("resume"))?),
        None => None,
    };
    if let Some(message) = resumed.as_mut().and_then(|resumed| resumed.new_schedule.take()) {
        tell.log(LogLevel::Info, message);
    }
    let p = job.recipe.parameters();
    if let Some(Resumed { step, .. }) = &resumed
        && p.token_warmup_steps > *step
    {
        let message = "sd-scripts begins the warm-up of tags anew in each run: it goes on with as many tags in every \
                       caption as the average one had";
        tell.log(LogLevel::Info, message.to_owned());
    }
    let plan_for = |memory, resumed: Option<&Resumed>| {
        let plan = Plan::new(&Request {
            recipe: &job.recipe,
            manifest: &job.manifest,
            base: &base.path,
            vae: base.vae.as_deref(),
            prediction: base.prediction,
            base_hash: &base.hash,
            folder: &folder,
            tokenizers: &kohya.tokenizers,
            precision: kohya.precision,
            memory,
            start_from: job.start_from.as_deref(),
            // Nothing is left to train after the last step.
            resume: resumed.map(|resumed| Resume {
                state: &resumed.state,
                step: resumed.step,
            }),
            is_start_drawn: job.is_start_drawn,
        });
        plan.map_err(|err| Failure::Machine(format!("sd-scripts cannot train this recipe: {err}")))
    };
    let mut plan = plan_for(Memory::Planned, resumed.as_ref())?;
    // Kept to the end: the verdict's pictures are drawn there too.
    let mut is_finishing = false;
    let _gpu = match take_gpu(&kohya, &tell, &mut orders, &mut is_finishing).await {
        ControlFlow::Continue(hold) => hold,
        ControlFlow::Break(ended) => return Ok(ended),
    };
    // An order to finish with this checkpoint is the first that there is.
    if resumed.is_some()
        && let Ok(order) = orders.try_recv()
    {
        match order {
            Directive::Cancel => return Ok(Ended::Cancelled),
            Directive::Stop => return Ok(Ended::Stopped),
            Directive::Finish => is_finishing = true,
            Directive::Checkpoint | Directive::Sample => {}
        }
    }
    if let Some(last) = resumed
        .as_ref()
        .filter(|resumed| is_finishing || resumed.step == job.recipe.parameters().n_steps)
    {
        // It was interrupted between its last step and the evaluation, or is to end with this checkpoint.
        let written = (last.lora.clone(), last.step);
        return finish((job, kohya, began), written, &tell, &mut orders).await;
    }
    for module in plan.modules {
        if !child::is_absent(module, &kohya).await {
            continue;
        }
        let python = kohya.python.display();
        return Err(Failure::Machine(format!(
            "this recipe's optimizer needs the Python module `{module}`, which `{python}` lacks: install it there, or \
             choose the native engine"
        )));
    }
    files::lay_out_pictures(&plan, &job.pictures).map_err(on_disk(&plan.picture_folder))?;

    let mut memory = Memory::Planned;
    loop {
        files::prepare(&plan).map_err(on_disk(&folder))?;
        let mut watch = Watch::new(&kohya, &plan, &job, training.origin(), &base.made, &mut tell);
        match watch.run(&mut orders, &mut is_finishing).await {
            Ok(Watched::Done) => break,
            Ok(Watched::Finished(newest)) => {
                let last = unpack(&newest, &training, &folder.join("resume"))?;
                return finish((job, kohya, began), (last.lora, last.step), &tell, &mut orders).await;
            }
            Ok(Watched::Stopped) => return Ok(Ended::Stopped),
            Ok(Watched::Cancelled) => return Ok(Ended::Cancelled),
            Err(Failure::OutOfMemory(excerpt)) => {
                let cheaper = memory.cheaper(job.recipe.parameters(), kohya.precision);
                // Once: what does not fit then is the recipe's fault, and every try costs minutes of a rented GPU.
                let Some(cheaper) = cheaper.filter(|_| memory == Memory::Planned) else {
                    return Err(Failure::OutOfMemory(excerpt));
                };
                if let Some(newest) = watch.newest_checkpoint.take() {
                    resumed = Some(unpack(&newest, &training, &folder.join("resume"))?);
                }
                let how = cheaper.describe();
                let from = resumed.as_ref().map_or(0, |resumed| resumed.step);
                tell.log(
                    LogLevel::Warning,
                    format!("the GPU's memory was too small; retrying after step {from} with {how}"),
                );
                memory = cheaper;
                plan = plan_for(memory, resumed.as_ref())?;
            }
            Err(failure) => return Err(failure),
        }
    }
    let written = plan.output.join(format!("{}.safetensors", job.recipe.name()));
    let n_steps = job.recipe.parameters().n_steps;
    finish((job, kohya, began), (written, n_steps), &tell, &mut orders).await
}

/// Takes the GPU, as soon as what is being drawn there is done; nothing if it trains on the processor.
async fn take_gpu(
    kohya: &Kohya,
    tell: &Teller,
    orders: &mut mpsc::UnboundedReceiver<Directive>,
    is_finishing: &mut bool,
) -> ControlFlow<Ended, Option<Hold>> {
    if kohya.precision == Precision::Full {
        return ControlFlow::Continue(None);
    }
    let hold = match kohya.gpu.want() {
        Ok(hold) => hold,
        Err(err) => {
            let message =
                format!("pictures may be drawn on the GPU meanwhile, since it could not be locked: {err}");
            tell.log(LogLevel::Warning, message);
            return ControlFlow::Continue(None);
        }
    };
    if kohya.gpu.is_drawn_on() {
        tell.report(Report::Stage {
            name: "waiting for the picture that is being drawn on this GPU".into(),
            done: 0,
            total: 0,
        });
    }
    loop {
        tokio::select! {
            () = kohya.gpu.until_undrawn() => return ControlFlow::Continue(Some(hold)),
            order = orders.recv() => match order {
                Some(Directive::Cancel) | None => return ControlFlow::Break(Ended::Cancelled),
                Some(Directive::Stop) => return ControlFlow::Break(Ended::Stopped),
                Some(Directive::Finish) => *is_finishing = true,
                Some(Directive::Checkpoint | Directive::Sample) => {}
            },
        }
    }
}

/// Takes the LoRA of so many steps out of sd-scripts' folder and judges it.
async fn finish(
    (job, kohya, began): (Job, Kohya, Instant),
    (written, n_steps): (PathBuf, u32),
    tell: &Teller,
    orders: &mut mpsc::UnboundedReceiver<Directive>,
) -> Result<Ended, Failure> {
    let file_name = format!("{}.safetensors", job.recipe.name());
    let lora = job.folder.join(&file_name);
    if !is_complete(&written) {
        return Err(Failure::Unfinished {
            what: format!("there is no complete file `{file_name}`"),
            excerpt: Excerpt::default(),
        });
    }
    std::fs::rename(&written, &lora).map_err(on_disk(&lora))?;
    tell.report(Report::Finalizing);
    let events = tell.0.clone();
    let is_hurried = Arc::new(AtomicBool::new(false));
    let hurried = Arc::clone(&is_hurried);
    let judging = thread::apart(move |is_dropped| {
        let trained = began.elapsed();
        judged(
            (&job, &kohya),
            (lora, n_steps, trained),
            &events,
            (is_dropped, &*hurried),
        )
    });
    let mut judging = std::pin::pin!(judging);
    loop {
        tokio::select! {
            judged = &mut judging => {
                let trained = judged.map_err(|panic| Failure::Machine(format!("the evaluation panicked: {panic}")))??;
                return Ok(Ended::Completed(Box::new(trained)));
            }
            order = orders.recv() => match order {
                Some(Directive::Cancel) | None => return Ok(Ended::Cancelled),
                // It is already trained; the evaluation finishes on its own, without what is not needed.
                Some(Directive::Stop) => is_hurried.store(true, Ordering::Relaxed),
                Some(_) => {}
            },
        }
    }
}

/// Tells what happens; nobody listens any more when the work was dropped.
pub(super) struct Teller(mpsc::UnboundedSender<TrainEvent>);

impl Teller {
    fn event(&self, event: TrainEvent) {
        let _ = self.0.send(event);
    }

    fn report(&self, report: Report) {
        self.event(TrainEvent::Report(report));
    }

    fn log(&self, level: LogLevel, message: String) {
        self.report(Report::Log { level, message });
    }
}

fn on_disk(path: &Path) -> impl Fn(std::io::Error) -> Failure + use<> {
    let path = path.to_owned();
    move |err| Failure::Machine(format!("failed to write or read `{}`: {err}", path.display()))
}
