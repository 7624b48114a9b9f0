//! Names for the ways in which sd-scripts fails, with the relevant lines.

use std::{
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use std::os::unix::process::ExitStatusExt as _;

use protocol::problem::chain;

use super::checkpoint::CheckpointError;
use crate::disk_fault;
pub use crate::tail::{Excerpt, Tail};

/// Failures of a training with sd-scripts.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The GPU has too little memory for the recipe.
    #[error("the GPU's memory is too small for this recipe: lower batch_size, resolution or rank{0}")]
    OutOfMemory(Excerpt),
    /// The losses are NaN.
    #[error(
        "the loss is not a number (NaN) since step {step}: lower the learning rate, or look for a broken picture or base \
         model"
    )]
    NotFinite {
        /// The first of the steps in a row.
        step: u32,
    },
    /// A Python package is missing.
    #[error("the Python of sd-scripts lacks the module `{module}`: install its requirements{excerpt}")]
    MissingModule {
        /// The module.
        module: String,
        /// The relevant output.
        excerpt: Excerpt,
    },
    /// It found no pictures.
    #[error("sd-scripts found no pictures in its folder{0}")]
    NoPictures(Excerpt),
    /// sd-scripts does not support the base model.
    #[error("sd-scripts cannot load the base model: it supports full SDXL models only{0}")]
    BaseModel(Excerpt),
    /// It runs on the CPU instead of the GPU.
    #[error(
        "PyTorch sees no GPU, so sd-scripts would train on the CPU: the driver is too old for this PyTorch's CUDA, \
             or the container has no GPU; use --kohya-precision no to train on the CPU"
    )]
    NoGpu,
    /// The tokenizers are not on this machine and could not be downloaded.
    #[error(
        "the two CLIP tokenizers are not in `{}`, and could not be downloaded: deploy/worker/setup.sh creates them, \
             and --kohya-tokenizers sets their folder{excerpt}", .folder.display()
    )]
    Tokenizers {
        /// Their folder.
        folder: PathBuf,
        /// The relevant output.
        excerpt: Excerpt,
    },
    /// The checkpoint to resume from is unusable.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// It does not accept an option or its value.
    #[error("this version of sd-scripts does not accept the arguments{0}")]
    Arguments(Excerpt),
    /// It produced no output for too long.
    #[error("sd-scripts made no output and no progress for {} s, and was stopped{excerpt}", .after.as_secs())]
    Stalled {
        /// The duration.
        after: Duration,
        /// The last output.
        excerpt: Excerpt,
    },
    /// It exited with an error.
    #[error("sd-scripts ended with {how}{excerpt}")]
    Crashed {
        /// `exit status: 1`, `signal: 9 (SIGKILL)`.
        how: String,
        /// The last output.
        excerpt: Excerpt,
    },
    /// It exited without an error but is incomplete.
    #[error("sd-scripts ended without an error, but {what}{excerpt}")]
    Unfinished {
        /// What is missing.
        what: String,
        /// The last output.
        excerpt: Excerpt,
    },
    /// The file it wrote is unusable.
    #[error("sd-scripts wrote an unusable LoRA: {0}")]
    BrokenFile(String),
    /// It could not be started, or handling its files failed.
    #[error("{0}")]
    Machine(String),
}

impl Failure {
    /// Whether the disk of this machine is to blame, by what sd-scripts or this program said of it.
    pub(crate) fn is_of_disk(&self) -> bool {
        matches!(
            self,
            Self::Crashed { .. } | Self::Unfinished { .. } | Self::Machine(_) | Self::Checkpoint(_)
        ) && disk_fault::is_told(&chain(self))
    }
}

/// What is known about a run when it ends.
#[derive(Debug, Default)]
pub struct Seen {
    /// Its last lines.
    pub tail: Tail,
    /// `model saved.`
    pub model_saved: bool,
    /// `No data found`
    pub no_data: bool,
    /// It runs on the CPU instead of the GPU.
    pub lacks_gpu: bool,
    /// Its last steps had losses that are no numbers, since this one.
    pub broken_since: Option<u32>,
}

/// Why a run that exited has failed; `None` if it reports success.
pub fn diagnose(status: ExitStatus, seen: &Seen, tokenizers: &Path) -> Option<Failure> {
    let tail = &seen.tail;
    let excerpt = || tail.excerpt();
    if seen.lacks_gpu {
        return Some(Failure::NoGpu);
    }
    if let Some(step) = seen.broken_since {
        return Some(Failure::NotFinite { step });
    }
    if seen.no_data {
        let line = tail.find(|line| line.starts_with("ignore subset").then(|| line.to_owned()));
        return Some(Failure::NoPictures(Excerpt::of(line)));
    }
    if status.success() {
        return (!seen.model_saved).then(|| Failure::Unfinished {
            what: "it did not report that the model was saved".into(),
            excerpt: excerpt(),
        });
    }
    if tail.has("CUDA out of memory") || tail.has("OutOfMemoryError") {
        return Some(Failure::OutOfMemory(excerpt()));
    }
    let missing = tail.find(|line| {
        let rest = line.split_once("ModuleNotFoundError: No module named ")?.1;
        Some(rest.trim().trim_matches('\'').to_owned())
    });
    // sd-scripts' own words for packages that only some options need.
    let missing = missing.or_else(|| {
        tail.find(|line| {
            let name = line.strip_prefix("ImportError: No ")?;
            Some(name.split([' ', '/']).next().unwrap_or(name).to_owned())
        })
    });
    if let Some(module) = missing {
        let excerpt = excerpt();
        return Some(Failure::MissingModule { module, excerpt });
    }
    if tail.has("in loading state_dict for") || tail.has("is neither a valid local path nor a valid repo id")
    {
        return Some(Failure::BaseModel(excerpt()));
    }
    // The words of several versions of transformers.
    let no_tokenizers = [
        "Can't load tokenizer for",
        "connect to 'https://huggingface.co'",
        "host='huggingface.co'",
    ];
    if no_tokenizers.iter().any(|words| tail.has(words)) {
        let (folder, excerpt) = (tokenizers.to_owned(), excerpt());
        return Some(Failure::Tokenizers { folder, excerpt });
    }
    if status.code() == Some(2) && tail.has("error: ") {
        return Some(Failure::Arguments(excerpt()));
    }
    let how = match status.signal() {
        // The kernel's own way to say that the machine's memory is full.
        Some(9) => "signal 9, which something else sent: was the machine's memory full?".to_owned(),
        Some(signal) => format!("signal {signal}"),
        None => format!("exit code {}", status.code().unwrap_or(-1)),
    };
    Some(Failure::Crashed {
        how,
        excerpt: excerpt(),
    })
}

/// Why a run that had to be stopped has failed.
pub fn stalled(after: Duration, tail: &Tail) -> Failure {
    Failure::Stalled {
        after,
        excerpt: tail.excerpt(),
    }
}

#[cfg(test)]
mod tests;
