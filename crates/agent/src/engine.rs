//! An engine at work, with channels for what comes out of it and what it is told.

use std::{
    fs,
    path::{Path, PathBuf},
};

use diffusion::base::{BaseError, BaseModel};
use protocol::{
    agent::{Directive, Report},
    dataset::{Manifest, ManifestItem},
    problem::chain,
    recipe::{self, Recipe},
};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
pub use trainer::train::{Ended, TrainEvent, Trained};
use trainer::train::{TrainError, TrainJob, train};

use crate::kohya::{self, Kohya};

/// Finds the file of a picture by its SHA-256.
pub type Pictures = Box<dyn Fn(&str) -> PathBuf + Send>;

/// A base model, on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// Part of the program.
    BuiltIn(String),
    /// A single-file checkpoint or a diffusers folder.
    Path(PathBuf),
}

/// Everything that a training needs, on this machine.
pub struct Job {
    /// Its configuration.
    pub recipe: Recipe,
    /// The base model.
    pub base: Base,
    /// The pictures to train on.
    pub manifest: Manifest,
    /// Finds their files.
    pub pictures: Pictures,
    /// The checkpoint to go on from.
    pub resume_from: Option<PathBuf>,
    /// Where the engine writes its files.
    pub folder: PathBuf,
    /// Where sd-scripts is; needed by recipes for the kohya engine.
    pub kohya: Option<Kohya>,
}

/// What an engine does with what happens.
pub type Tell<'a> = &'a dyn Fn(TrainEvent);

/// Where an engine gets its next order.
pub type Next<'a> = &'a mut dyn FnMut() -> Option<Directive>;

/// Why an engine could not train. The texts are for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The checkpoint that it was to go on from is of no use; an older one may be.
    #[error("{0}")]
    Checkpoint(String),
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
    /// Closed when the engine has ended.
    pub events: mpsc::UnboundedReceiver<TrainEvent>,
    commands: mpsc::UnboundedSender<Directive>,
    task: AbortOnDropHandle<Result<Ended, EngineError>>,
}

impl Engine {
    /// Starts a training: `train` on a thread of the runtime's that may block, or sd-scripts as a child for recipes
    /// that ask for it.
    pub fn start(train: Train, job: Job) -> Self {
        let (events_in, events) = mpsc::unbounded_channel();
        let (commands, mut commands_out) = mpsc::unbounded_channel();
        let task = match job.recipe.engine {
            recipe::Engine::Native => {
                tokio::task::spawn_blocking(move || run(train, &job, &events_in, &mut commands_out))
            }
            recipe::Engine::Kohya => tokio::spawn(async move {
                let ended = kohya::run::run(job, events_in, commands_out).await;
                ended.map_err(|err| match err {
                    kohya::failure::Failure::Checkpoint(ref of) if of.is_of_this_file() => {
                        EngineError::Checkpoint(chain(&err))
                    }
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

    /// Gives an order; it is carried out after the step at hand.
    pub fn tell(&self, order: Directive) {
        // An engine that has ended needs no orders.
        let _ = self.commands.send(order);
    }

    /// How it ended.
    pub async fn end(self) -> Result<Ended, EngineError> {
        match self.task.await {
            Ok(ended) => ended,
            Err(panic) => Err(format!("the engine broke off: {panic}").into()),
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

/// Loads a base model.
pub(crate) fn load_base(base: &Base) -> Result<BaseModel, BaseError> {
    match base {
        Base::BuiltIn(name) => BaseModel::built_in(name),
        Base::Path(path) => BaseModel::load(path),
    }
}

/// The native engine.
pub fn native(job: &Job, tell: Tell<'_>, next_order: Next<'_>) -> Result<Ended, EngineError> {
    tell(TrainEvent::Report(Report::Stage {
        name: "loading the base model".into(),
        done: 0,
        total: 1,
    }));
    let base = load_base(&job.base).map_err(|err| chain(&err))?;
    let pictures = |item: &ManifestItem| fs::read((job.pictures)(&item.sha256));
    let train_job = TrainJob {
        recipe: &job.recipe,
        base: &base,
        manifest: &job.manifest,
        pictures: &pictures,
        folder: &job.folder,
        resume_from: job.resume_from.as_deref(),
    };
    train(&train_job, tell, next_order).map_err(|err| match err {
        TrainError::Checkpoint(ref of) if of.is_of_this_file() => EngineError::Checkpoint(chain(&err)),
        TrainError::Restore { .. } => EngineError::Checkpoint(chain(&err)),
        err => EngineError::Work(chain(&err)),
    })
}

fn run(
    train: Train,
    job: &Job,
    events: &mpsc::UnboundedSender<TrainEvent>,
    commands: &mut mpsc::UnboundedReceiver<Directive>,
) -> Result<Ended, EngineError> {
    // Nobody listens any more when the work was dropped; the order to end comes by its own channel.
    let tell = |event| drop(events.send(event));
    let mut is_dropped = false;
    let mut next_order = || match commands.try_recv() {
        Ok(order) => Some(order),
        Err(mpsc::error::TryRecvError::Empty) => None,
        // Whoever gives orders is gone: the work was dropped. Said once, for the caller asks until there is none.
        Err(mpsc::error::TryRecvError::Disconnected) => {
            (!std::mem::replace(&mut is_dropped, true)).then_some(Directive::Cancel)
        }
    };
    train(job, &tell, &mut next_order)
}
