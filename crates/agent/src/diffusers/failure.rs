//! Names for the ways in which diffusers fails, with the relevant lines.

use std::{path::PathBuf, time::Duration};

use diffusion::{base::OutlineError, lora::LoraError};

use crate::tail::Excerpt;

/// Failures of a picture with diffusers.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The Python cannot be started.
    #[error("failed to start `{python}` (--diffusers-python)")]
    Start {
        /// The Python.
        python: PathBuf,
        /// Why.
        #[source]
        err: std::io::Error,
    },
    /// A package is missing.
    #[error(
        "`{python}` (--diffusers-python) lacks a package: {detail}; it needs torch, diffusers, transformers and safetensors"
    )]
    MissingModule {
        /// The Python.
        python: PathBuf,
        /// Python's words.
        detail: String,
    },
    /// A package is too old.
    #[error("`{python}` (--diffusers-python) has {package} {found}, and {needed} or newer is needed")]
    TooOld {
        /// The Python.
        python: PathBuf,
        /// The package.
        package: &'static str,
        /// Its version.
        found: String,
        /// The oldest that will do.
        needed: &'static str,
    },
    /// The base model is something else, or another that diffusers does not know.
    #[error(transparent)]
    Outline(#[from] OutlineError),
    /// A LoRA is unusable with the base model.
    #[error(transparent)]
    Lora(#[from] LoraError),
    /// The device's memory does not suffice for the cheapest way.
    #[error("{device}'s memory is too small for {what}: draw a smaller picture, or use the native engine")]
    OutOfMemory {
        /// The device.
        device: String,
        /// What was done.
        what: &'static str,
    },
    /// diffusers does not load the base model.
    #[error("diffusers cannot load the base model `{base}`: {detail}")]
    Base {
        /// Its name.
        base: String,
        /// What is wrong.
        detail: String,
    },
    /// A change of a LoRA has no place in diffusers' model.
    #[error("a LoRA does not fit `{base}` in diffusers: {detail}")]
    Misfit {
        /// Name of the base model.
        base: String,
        /// What is wrong.
        detail: String,
    },
    /// It was asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// A computation failed.
    #[error("diffusers failed to {what}: {detail}{excerpt}")]
    Internal {
        /// What was asked.
        what: &'static str,
        /// Python's words.
        detail: String,
        /// The last output.
        excerpt: Excerpt,
    },
    /// It ended.
    #[error("diffusers ended with {how}{excerpt}")]
    Crashed {
        /// `exit code 1`, `signal 9`.
        how: String,
        /// The last output.
        excerpt: Excerpt,
    },
    /// It lives, and its output has ended.
    #[error(
        "diffusers runs on but gives no more answers: its standard output was closed, or holds something else; it was ended{excerpt}"
    )]
    Mute {
        /// The last output.
        excerpt: Excerpt,
    },
    /// It does not read.
    #[error("diffusers did not read a request for {} s, and was ended{excerpt}", .after.as_secs())]
    Deaf {
        /// The duration.
        after: Duration,
        /// The last output.
        excerpt: Excerpt,
    },
    /// It gave no answer for too long.
    #[error("diffusers gave no answer for {} s, and was ended{excerpt}", .after.as_secs())]
    Hung {
        /// The duration.
        after: Duration,
        /// The last output.
        excerpt: Excerpt,
    },
    /// Its answer has no meaning.
    #[error("diffusers gave an answer that has no meaning: {answer}")]
    Answer {
        /// The beginning of the answer.
        answer: String,
    },
    /// A file that is exchanged with it could not be written or read.
    #[error("failed to exchange a file with diffusers")]
    File(#[source] std::io::Error),
    /// Numbers that are exchanged with it could not be written or read.
    #[error("failed to exchange numbers with diffusers")]
    Numbers(#[from] candle_core::Error),
}
