//! The `diffusers` engine: PyTorch, diffusers and transformers in a child process compute the networks of a base model, on
//! whatever device they find.
//!
//! - `engine.py` is the child. It decides nothing; how a picture is made is written once, in
//!   [`diffusion::pipeline`], over the seam [`Networks`](diffusion::networks::Networks);
//! - `engine` keeps it: what it has loaded, which weights LoRAs have changed, and what it does with little memory;
//! - `drawing` is that seam, and `handed` what the child is told of base models and LoRAs;
//! - `child` starts it, asks it, and ends it;
//! - `failure` names the ways in which it fails, with the relevant lines.

mod child;
mod drawing;
mod engine;
mod failure;
mod handed;

use std::{path::PathBuf, time::Duration};

pub use self::{
    child::Cancelled,
    drawing::Drawing,
    engine::{Engine, Hello},
    failure::Failure,
};

/// A base model of 7 GB that comes over a network takes minutes to load, and a step on a processor takes a minute.
pub const QUIET: Duration = Duration::from_secs(15 * 60);

/// The Python with diffusers on this machine, and its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diffusers {
    /// The Python with its packages.
    pub python: PathBuf,
    /// It is killed if an answer takes longer: [`QUIET`].
    pub quiet: Duration,
    /// It is killed if it takes longer to read a request.
    pub heed: Duration,
    /// It is killed if it does not stop this soon when it is told to.
    pub grace: Duration,
    /// It is ended if nothing was drawn for so long, and the memory of its device is free for others.
    pub rest_after: Duration,
}

impl Diffusers {
    /// With a Python and the usual patience.
    pub fn new(python: PathBuf) -> Self {
        Self {
            python,
            quiet: QUIET,
            heed: Duration::from_secs(60),
            grace: Duration::from_secs(10),
            rest_after: Duration::from_secs(120),
        }
    }
}
