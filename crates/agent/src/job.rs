//! The inputs of a training on this machine, whichever engine computes it.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use diffusion::{
    base::{BaseError, BaseModel, BaseOptions},
    cpu::Cpu,
};
use protocol::{
    dataset::{Manifest, ManifestItem},
    recipe::Recipe,
};
use trainer::train::{JudgeShare, TrainJob};

use crate::{measured::Measurements, memory::Room};

/// Finds the file of a picture by its SHA-256.
pub type Pictures = Box<dyn Fn(&str) -> PathBuf + Send>;

/// A base model, on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// Built into the program.
    BuiltIn(String),
    /// A single-file checkpoint or a diffusers folder.
    Path(PathBuf),
}

/// As a person names it: the name of a built-in one, or the path.
impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn(name) => f.write_str(name),
            Self::Path(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Base {
    /// Loads the model.
    pub(crate) fn load(&self, options: &BaseOptions) -> Result<BaseModel, BaseError> {
        match self {
            Self::BuiltIn(name) => BaseModel::built_in_on(&Cpu, name, options),
            Self::Path(path) => BaseModel::load_on(&Cpu, path, options),
        }
    }
}

/// The inputs of a training on this machine.
pub struct Job {
    /// Its configuration.
    pub recipe: Recipe,
    /// The base model.
    pub base: Base,
    /// What a person says about it.
    pub base_options: BaseOptions,
    /// What is known of what it does.
    pub measurements: Measurements,
    /// The pictures to train on.
    pub manifest: Manifest,
    /// Locates their files.
    pub pictures: Pictures,
    /// The LoRA to begin with, in place of one that changes nothing.
    pub start_from: Option<PathBuf>,
    /// The checkpoint to resume from.
    pub resume_from: Option<PathBuf>,
    /// The previews of before the first step exist already.
    pub is_start_drawn: bool,
    /// The output folder of the engine.
    pub folder: PathBuf,
    /// Whether it has to fit into the memory that is free.
    pub room: Room,
    /// How much of its time judging what it makes may take.
    pub judging: JudgeShare,
}

impl Job {
    /// Calls `work` with the job as the trainer takes it, on the loaded base: going on from a checkpoint, and with
    /// gradient checkpointing or without.
    pub(crate) fn train_job<T>(
        &self,
        base: &BaseModel,
        (resume_from, recomputes): (Option<&Path>, bool),
        work: impl FnOnce(&TrainJob<'_>) -> T,
    ) -> T {
        let pictures = |item: &ManifestItem| fs::read((self.pictures)(&item.sha256));
        work(&TrainJob {
            recipe: &self.recipe,
            base,
            manifest: &self.manifest,
            pictures: &pictures,
            folder: &self.folder,
            start_from: self.start_from.as_deref(),
            resume_from,
            is_start_drawn: self.is_start_drawn,
            recomputes,
            judging: self.judging,
        })
    }
}
