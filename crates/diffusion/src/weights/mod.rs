//! Weight files: safetensors, mapped into memory and read tensor by tensor, under one set of names.
//!
//! Files come from strangers. Nothing in here trusts a header, and no pickle is ever read.

mod bytes;
mod checkpoint;
mod component;
mod file;
mod kind;
pub mod names;
mod shapes;
mod single_file;
mod sniff;
mod stored;

use std::path::PathBuf;

pub use self::{
    checkpoint::{Checkpoint, Folder, OwnVae, weight_paths},
    component::{Component, Part},
    file::{TensorFile, TensorInfo},
    kind::describe,
    stored::{Rounding, Stored},
};

pub(crate) use self::{component::MAX_SIDE, shapes::Shapes};

/// Why a weight file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is nothing at the path.
    #[error("no file or folder at `{path}`")]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("failed to open `{path}`")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        err: std::io::Error,
    },
    /// The file is a pickle or a zip of pickles, which can run code when read.
    #[error(
        "`{path}` is a pickled checkpoint, which can run code when it is read; convert it to safetensors"
    )]
    Pickle {
        /// The file.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("`{path}` is {what}; expected a safetensors file")]
    Other {
        /// The file.
        path: PathBuf,
        /// What it is, and what to do about it.
        what: String,
    },
    /// A part of the file is missing, or there is more than its header says.
    #[error("`{path}` is {what}")]
    WrongLength {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do about it.
        what: String,
    },
    /// The file is not safetensors, or is damaged.
    #[error("`{path}` is not a whole safetensors file")]
    Header {
        /// The file.
        path: PathBuf,
        /// What the header lacks.
        #[source]
        err: safetensors::SafeTensorError,
    },
    /// A tensor that the model needs is not there.
    #[error("`{path}` has no tensor `{name}`")]
    MissingTensor {
        /// The file.
        path: PathBuf,
        /// The tensor's name in that file.
        name: String,
    },
    /// A tensor is stored in numbers that cannot be computed with.
    #[error("tensor `{name}` of `{path}` holds {found:?}, expected F32, F16, BF16 or F8")]
    Dtype {
        /// The file.
        path: PathBuf,
        /// The tensor's name in that file.
        name: String,
        /// Its numbers.
        found: safetensors::Dtype,
    },
    /// The file or folder holds something else than an SDXL model.
    #[error("`{path}` is not an SDXL base model: found {found}, expected {expected}")]
    NotSdxl {
        /// The file or folder.
        path: PathBuf,
        /// What is in it.
        found: String,
        /// What should be in it.
        expected: &'static str,
    },
    /// Tensors that SDXL needs are missing, or cannot be what they should be.
    #[error("`{path}` is not a complete SDXL base model: {problems}")]
    Incomplete {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong, by part.
        problems: String,
    },
    /// A configuration file is missing, is no JSON, or says something impossible.
    #[error("`{path}` is not a usable configuration: {reason}")]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

#[cfg(test)]
mod tests;
