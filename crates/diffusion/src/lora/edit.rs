//! Makes LoRA files out of LoRA files and checkpoints: merges, resizes, extracts, renames and weighs them.
//!
//! Everything here reads open files and computes tensors in memory; the caller writes them. A file is taken as it
//! is stored, tensor by tensor, so that what an edit does not touch is carried over to the bit. What an edit cannot keep
//! is refused with its name, or told in [`Edited::notes`].

pub mod apply;
pub mod blocks;
pub mod convert;
pub mod extract;
pub mod keep;
pub mod merge;
pub mod resize;
pub mod weigh;

mod context;
mod factors;
mod matrices;
mod metadata;
mod source;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use safetensors::Dtype;
use serde::Serialize;

pub use self::{
    context::{Context, Progress},
    factors::Factors,
    source::Source,
};
use crate::{
    assets,
    base::BaseModel,
    layers::WeightError,
    lora::{LoraError, name_of},
    weights::{Checkpoint, FileError, Rounding, Stored},
};

/// A LoRA file to be written.
#[derive(Debug, Clone)]
pub struct Edited {
    /// Its tensors by name.
    pub tensors: BTreeMap<String, Stored>,
    /// Its metadata, but for the hashes of the tensors.
    pub metadata: BTreeMap<String, String>,
    /// What was done, in numbers.
    pub summary: Summary,
    /// What a person should know: what was left out, added or could not be kept to the bit.
    pub notes: Vec<String>,
}

/// An edit in numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Modules in the new file.
    pub n_modules: usize,
    /// Their smallest rank.
    pub rank_min: usize,
    /// Their largest rank.
    pub rank_max: usize,
    /// Share of the Frobenius norm that is left, where something was cut: of the whole, and of the module that lost most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<Kept>,
}

/// Shares of Frobenius norms, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Kept {
    /// Of all modules as one long vector.
    pub whole: f64,
    /// Of the module that lost most.
    pub least: f64,
}

/// How the numbers of a new file are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Storage {
    /// In half precision, unless a number is too large for it: then in single precision.
    #[default]
    Fitting,
    /// Always so.
    Fixed(Rounding),
}

/// Why an edit cannot be done. Nothing has been written.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A base model's tensor cannot be read.
    #[error(transparent)]
    Weight(#[from] WeightError),
    /// A LoRA file cannot be used.
    #[error(transparent)]
    Lora(#[from] LoraError),
    /// The file has something that is not used, and so would be lost.
    #[error("`{path}` holds `{name}`, which is {reason} and would be lost ({n} such parts)")]
    Leftover {
        /// The file.
        path: PathBuf,
        /// The first of them.
        name: String,
        /// Why it is not used.
        reason: String,
        /// How many.
        n: usize,
    },
    /// A relative of LoRA that the edit cannot keep.
    #[error("module `{module}` of `{path}` is {kind}, which cannot be {edit} without changing what it does")]
    Kind {
        /// The file.
        path: PathBuf,
        /// The module.
        module: String,
        /// What it is.
        kind: String,
        /// What was asked: `merged`.
        edit: &'static str,
    },
    /// Another program's file cannot say what a module is.
    #[error("module `{module}` of `{path}` is {kind}, {reason}")]
    NotHeld {
        /// The file.
        path: PathBuf,
        /// The module.
        module: String,
        /// What it is.
        kind: String,
        /// Whose names cannot hold it, and what would work.
        reason: String,
    },
    /// A change that only the base's weight makes one.
    #[error(
        "module `{module}` of `{path}` is a {kind}, whose change depends on the base model's weight: name the base model"
    )]
    NeedsBase {
        /// The file.
        path: PathBuf,
        /// The module.
        module: String,
        /// What it is.
        kind: String,
    },
    /// No two matrices of a sensible width equal this.
    #[error(
        "module `{module}` of `{path}` is a {kind}, which is as wide as its layer or wider than {widest} columns: merge by \
         SVD with a rank, or resize it first"
    )]
    Wide {
        /// The file.
        path: PathBuf,
        /// The module.
        module: String,
        /// What it is.
        kind: String,
        /// The largest rank that is made.
        widest: usize,
    },
    /// Whoever asked for it wants it no more.
    #[error("canceled")]
    Stopped,
    /// A matrix is missing, of the wrong shape, or not finite.
    #[error("module `{module}` of `{path}` {problem}")]
    Module {
        /// The file.
        path: PathBuf,
        /// The module.
        module: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Two files have a module for layers of different sizes.
    #[error(
        "module `{module}` changes a layer of shape {found:?} in `{path}`, but {expected:?} in `{other}`"
    )]
    Sizes {
        /// The module.
        module: String,
        /// A file or base model.
        path: PathBuf,
        /// Another one.
        other: PathBuf,
        /// Output and input features of the first.
        found: [usize; 2],
        /// The same of the other.
        expected: [usize; 2],
    },
    /// The base model has no such layer.
    #[error(
        "base model `{base}` has no layer for module `{module}` of `{path}` ({n_unknown} of {n_modules} modules are unknown)"
    )]
    NoLayer {
        /// The base model.
        base: PathBuf,
        /// The first module.
        module: String,
        /// Its file.
        path: PathBuf,
        /// How many are unknown.
        n_unknown: usize,
        /// How many there are.
        n_modules: usize,
    },
    /// A layer is stored in numbers that a change cannot be added to.
    #[error("tensor `{name}` of `{path}` is stored as {found:?}, expected F32, F16 or BF16")]
    Numbers {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its numbers.
        found: Dtype,
    },
    /// A number became too large for its kind.
    #[error("tensor `{name}` does not fit {found:?} any more: a number is too large")]
    TooLarge {
        /// The tensor.
        name: String,
        /// What it should be stored as.
        found: Dtype,
    },
    /// The result would be a file that does nothing.
    #[error("nothing would be left: {reason}")]
    Nothing {
        /// Why.
        reason: String,
    },
    /// A module has no name there.
    #[error("module `{module}` of `{path}` has no name in {names}")]
    NoName {
        /// The file.
        path: PathBuf,
        /// The module.
        module: String,
        /// Where.
        names: &'static str,
    },
    /// Block weights that no one can mean.
    #[error("block weights `{text}` cannot be read: {problem}")]
    Blocks {
        /// As given.
        text: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A product of matrices failed.
    #[error("failed to compute module `{module}`")]
    Compute {
        /// The module.
        module: String,
        /// Why.
        #[source]
        err: candle_core::Error,
    },
}

/// Opens the weights of a base model that a person names: a built-in one, a single-file checkpoint or a diffusers folder.
///
/// # Errors
/// If there is nothing of that name, or something else.
pub fn open_base(name_or_path: &str) -> Result<Checkpoint, FileError> {
    if BaseModel::BUILT_IN.contains(&name_or_path) {
        Checkpoint::built_in("tiny-xl", assets::TINY_XL, None)
    } else {
        Checkpoint::open(Path::new(name_or_path))
    }
}

/// Modules on their way into a file with kohya's names.
fn kohya_tensors(
    modules: &BTreeMap<String, Factors>,
    storage: Storage,
) -> Result<BTreeMap<String, Stored>, EditError> {
    let fits = |rounding: Rounding, module: &Factors| {
        rounding.holds(&module.down) && rounding.holds(&module.up) && rounding.holds(&[module.alpha() as f32])
    };
    let rounding = match storage {
        Storage::Fixed(rounding) => rounding,
        Storage::Fitting if modules.values().all(|module| fits(Rounding::F16, module)) => Rounding::F16,
        Storage::Fitting => Rounding::F32,
    };
    let mut tensors = BTreeMap::new();
    for (name, module) in modules {
        if !fits(rounding, module) {
            return Err(EditError::TooLarge {
                name: name.clone(),
                found: rounding.dtype(),
            });
        }
        let [down, up] = module.shapes();
        let alpha = module.alpha() as f32;
        tensors.extend([
            (
                format!("{name}.lora_down.weight"),
                Stored::new(&module.down, down, rounding),
            ),
            (
                format!("{name}.lora_up.weight"),
                Stored::new(&module.up, up, rounding),
            ),
            (format!("{name}.alpha"), Stored::number(alpha, rounding)),
        ]);
    }
    Ok(tensors)
}

fn summary<'a>(modules: impl Iterator<Item = &'a Factors> + Clone) -> Summary {
    let ranks = modules.map(Factors::rank);
    Summary {
        n_modules: ranks.clone().count(),
        rank_min: ranks.clone().min().unwrap_or(0),
        rank_max: ranks.max().unwrap_or(0),
        kept: None,
    }
}

/// A file's name without folder and ending, for comments.
fn stem(path: &Path) -> String {
    name_of(path)
}

#[cfg(test)]
mod tests;
