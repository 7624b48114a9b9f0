//! A running engine, with channels for its events and for orders.

use std::{
    fs,
    path::{Path, PathBuf},
};

use protocol::{
    agent::{Directive, Report},
    event::LogLevel,
    problem::chain,
    recipe,
};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
pub use trainer::train::{Ended, JudgeShare, TrainEvent, Trained};
use trainer::train::{TrainError, train_on_cpu};

pub use crate::job::{Base, Job, Pictures};
use crate::{
    disk_fault,
    kohya::{self, Kohya},
};

/// Receiver of an engine's events.
pub type Tell<'a> = &'a dyn Fn(TrainEvent);

/// Source of orders for an engine.
pub type Next<'a> = &'a mut dyn FnMut() -> Option<Directive>;

/// Why an engine could not train. The texts are for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The checkpoint to resume from is unusable; an older one may work.
    #[error("{0}")]
    Checkpoint(String),
    /// The disk of this machine takes no writes; the same may work once it does.
    #[error("{0}")]
    Disk(String),
    /// Anything else.
    #[error("{0}")]
    Work(String),
}

impl From<String> for EngineError {
    fn from(detail: String) -> Self {
        Self::Work(detail)
    }
}

impl From<&str> for EngineError {
    fn from(detail: &str) -> Self {
        Self::Work(detail.to_owned())
    }
}

/// Trains a job in this process. The product has one such engine, [`native`]; tests of
/// the control plane have one that only pretends.
pub type Train = fn(&Job, Tell<'_>, Next<'_>) -> Result<Ended, EngineError>;

/// A running engine.
pub struct Engine {
    /// Closed after the engine has ended.
    pub events: mpsc::UnboundedReceiver<TrainEvent>,
    commands: mpsc::UnboundedSender<Directive>,
    task: AbortOnDropHandle<Result<Ended, EngineError>>,
}

impl Engine {
    /// Starts a training: `train` on a thread of the runtime's that may block, or sd-scripts as a child for recipes
    /// that ask for it; `kohya` says where it is.
    pub fn start(train: Train, job: Job, kohya: Option<Kohya>) -> Self {
        let (events_in, events) = mpsc::unbounded_channel();
        let (commands, mut commands_out) = mpsc::unbounded_channel();
        let task = match job.recipe.engine() {
            recipe::Engine::Native => {
                tokio::task::spawn_blocking(move || run(train, &job, &events_in, &mut commands_out))
            }
            recipe::Engine::Kohya => tokio::spawn(async move {
                let ended = kohya::run::run(job, kohya, events_in, commands_out).await;
                ended.map_err(|err| match err {
                    kohya::failure::Failure::Checkpoint(ref of) if of.is_of_this_file() => {
                        EngineError::Checkpoint(chain(&err))
                    }
                    err if err.is_of_disk() => EngineError::Disk(chain(&err)),
                    err => EngineError::Work(chain(&err)),
                })
            }),
        };
        Self {
            events,
            commands,
            task: AbortOnDropHandle::new(task),
        }
    }

    /// Sends an order, which is carried out after the current step.
    pub fn tell(&self, order: Directive) {
        // An engine that has ended needs no orders.
        let _ = self.commands.send(order);
    }

    /// How it ended.
    pub async fn end(self) -> Result<Ended, EngineError> {
        match self.task.await {
            Ok(ended) => ended,
            Err(panic) => Err(format!("the engine panicked: {panic}").into()),
        }
    }
}

/// The newest checkpoint of an engine in a folder that it wrote into.
pub fn newest_checkpoint(folder: &Path, engine: recipe::Engine) -> Option<PathBuf> {
    let extension = match engine {
        recipe::Engine::Native => ".safetensors",
        recipe::Engine::Kohya => ".zip",
    };
    let entries = fs::read_dir(folder).ok()?.flatten();
    let checkpoints = entries.map(|entry| entry.path()).filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("checkpoint-") && name.ends_with(extension)
    });
    // Their names hold the step, with leading zeros.
    checkpoints.max()
}

/// The native engine.
pub fn native(job: &Job, tell: Tell<'_>, next_order: Next<'_>) -> Result<Ended, EngineError> {
    tell(TrainEvent::Report(Report::Stage {
        name: "loading the base model".into(),
        done: 0,
        total: 1,
    }));
    let mut base = job.base.load(&job.base_options).map_err(|err| chain(&err))?;
    job.measurements.tell(&mut base).map_err(|err| chain(&err))?;
    if let Some(news) = job.measurements.news(&base.info) {
        tell(TrainEvent::Report(news));
    }
    for message in base.info.warnings() {
        tell(TrainEvent::Report(Report::Log {
            level: LogLevel::Warning,
            message,
        }));
    }
    let fitting = job
        .room
        .check_training(&base, &job.recipe, job.manifest.items.len())?;
    for message in fitting.said {
        tell(TrainEvent::Report(Report::Log {
            level: LogLevel::Info,
            message,
        }));
    }
    let mut events = tell;
    let how = (job.resume_from.as_deref(), fitting.way.recomputes);
    let trained = job.train_job(&base, how, |job| train_on_cpu(job, &mut events, next_order));
    trained.map_err(|err| match err {
        TrainError::Checkpoint(ref of) if of.is_of_this_file() => EngineError::Checkpoint(chain(&err)),
        TrainError::Restore { .. } => EngineError::Checkpoint(chain(&err)),
        err if disk_fault::is_cause(&err) => EngineError::Disk(chain(&err)),
        err => EngineError::Work(chain(&err)),
    })
}

fn run(
    train: Train,
    job: &Job,
    events: &mpsc::UnboundedSender<TrainEvent>,
    commands: &mut mpsc::UnboundedReceiver<Directive>,
) -> Result<Ended, EngineError> {
    // There is no receiver if the work was dropped; the order to end uses its own channel.
    let tell = |event| drop(events.send(event));
    let mut is_dropped = false;
    let mut next_order = || match commands.try_recv() {
        Ok(order) => Some(order),
        Err(mpsc::error::TryRecvError::Empty) => None,
        // The channel is closed: the work was dropped. Returned once, since the caller polls until there is no order.
        Err(mpsc::error::TryRecvError::Disconnected) => {
            (!std::mem::replace(&mut is_dropped, true)).then_some(Directive::Cancel)
        }
    };
    train(job, &tell, &mut next_order)
}
