//! Location of sd-scripts on this machine, from flags and variables.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use agent::{
    diffusers::Diffusers,
    gpu::Gpu,
    kohya::{Kohya, Precision, QUIET},
};
use anyhow::ensure;
use protocol::recipe::Engine;

use crate::{diffusers::DiffusersFlags, paths};

/// Flags of every command that can run sd-scripts.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct KohyaFlags {
    /// Folder of kohya-ss/sd-scripts, for the kohya engine
    #[arg(long, env = "MORPHEUS_KOHYA_DIR", value_name = "DIR")]
    pub(crate) kohya_dir: Option<PathBuf>,
    /// Python with the packages of sd-scripts [default: venv/bin/python in its folder, else python3]
    #[arg(
        long,
        env = "MORPHEUS_KOHYA_PYTHON",
        value_name = "PYTHON",
        requires = "kohya_dir"
    )]
    pub(crate) kohya_python: Option<PathBuf>,
    /// Precision of sd-scripts: bf16, fp16 for GPUs before Ampere, or no for a CPU
    #[arg(
        long,
        env = "MORPHEUS_KOHYA_PRECISION",
        value_name = "PRECISION",
        default_value = "bf16",
        value_parser = precision
    )]
    pub(crate) kohya_precision: Precision,
    /// Folder with both CLIP tokenizers, as sd-scripts' --tokenizer_cache_dir takes it [default: in ~/.cache/morpheus]
    #[arg(long, env = "MORPHEUS_KOHYA_TOKENIZERS", value_name = "DIR")]
    pub(crate) kohya_tokenizers: Option<PathBuf>,
    /// Stop sd-scripts after this long without output; loading a base model over a slow network takes minutes
    #[arg(
        long,
        env = "MORPHEUS_KOHYA_QUIET_SECONDS",
        value_name = "SECONDS",
        default_value_t = QUIET.as_secs(),
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub(crate) kohya_quiet_seconds: u64,
}

/// The name of an engine, on the command line.
pub(crate) fn engine(name: &str) -> Result<Engine, String> {
    let engine = serde_json::from_value(name.into());
    engine.map_err(|_| "must be native or kohya".to_owned())
}

impl KohyaFlags {
    /// The settings; `None` if no folder is given.
    pub(crate) fn setup(&self) -> Option<Kohya> {
        let dir = paths::absolute(self.kohya_dir.as_ref()?);
        let python = self.kohya_python.clone().unwrap_or_else(|| {
            let own = dir.join("venv/bin/python");
            if own.exists() { own } else { "python3".into() }
        });
        // A bare name is looked up in PATH.
        let python = if python.components().count() > 1 {
            paths::absolute(&python)
        } else {
            python
        };
        Some(Kohya {
            diffusers: Diffusers::new(python.clone()),
            python,
            dir,
            tokenizers: self.tokenizers(),
            precision: self.kohya_precision,
            quiet: Duration::from_secs(self.kohya_quiet_seconds),
            gpu: Gpu::of(&paths::work_dir()),
        })
    }

    /// The same, with another Python for diffusers if one is named.
    pub(crate) fn setup_with(&self, diffusers: &DiffusersFlags) -> Option<Kohya> {
        let kohya = self.setup()?;
        Some(match diffusers.setup() {
            Some(diffusers) => Kohya { diffusers, ..kohya },
            None => kohya,
        })
    }

    /// Folder of the tokenizers.
    pub(crate) fn tokenizers(&self) -> PathBuf {
        let named = self.kohya_tokenizers.clone();
        paths::absolute(&named.unwrap_or_else(|| paths::work_dir().join("kohya-tokenizers")))
    }
}

/// Checks that the folder is a checkout of sd-scripts.
pub(crate) fn check_dir(kohya: &Kohya) -> anyhow::Result<()> {
    let script: &Path = &kohya.script();
    ensure!(
        script.is_file(),
        "--kohya-dir: `{}` does not exist; use the folder of a checkout of kohya-ss/sd-scripts",
        script.display()
    );
    Ok(())
}

fn precision(text: &str) -> Result<Precision, String> {
    let known = [Precision::Bf16, Precision::Fp16, Precision::Full];
    let found = known.into_iter().find(|precision| precision.word() == text);
    found.ok_or_else(|| "must be bf16, fp16 or no".to_owned())
}
