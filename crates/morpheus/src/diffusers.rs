//! The Python with diffusers on this machine, from flags and variables.

use std::path::PathBuf;

use agent::diffusers::Diffusers;

use crate::paths;

/// Flags of every command that can draw with diffusers.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct DiffusersFlags {
    /// Python with torch, diffusers, transformers and safetensors, for the diffusers engine
    #[arg(long, env = "MORPHEUS_DIFFUSERS_PYTHON", value_name = "PYTHON")]
    pub(crate) diffusers_python: Option<PathBuf>,
}

impl DiffusersFlags {
    /// The settings; `None` if no Python is given.
    pub(crate) fn setup(&self) -> Option<Diffusers> {
        let python = self
            .diffusers_python
            .as_ref()
            .filter(|python| !python.as_os_str().is_empty())?;
        // A bare name is looked up in PATH.
        Some(Diffusers::new(if python.components().count() > 1 {
            paths::absolute(python)
        } else {
            python.clone()
        }))
    }
}
