//! The `kohya` engine: drives kohya-ss/sd-scripts' `sdxl_train_network.py` as a child process.
//!
//! sd-scripts is widely trusted on GPUs, but its defaults are often surprising. Here
//!
//! - [`plan`] turns a recipe and a frozen dataset version into its arguments and its dataset file, explicit wherever
//!   a default is surprising, and rejects early what sd-scripts would reject after minutes of rented time;
//! - [`log`], [`tensorboard`] and [`metrics`] turn its output into our events;
//! - [`failure`] names the ways in which it fails, with the relevant lines;
//! - [`run`] starts and watches it, carries out orders, and collects its files.
//!
//! Its exit code is not trusted: it is 0 even without a single picture, and after training with only NaN losses.
//! Nothing that it pickles is ever read.

pub mod base;
pub mod failure;
pub mod log;
pub mod metrics;
pub mod plan;
pub mod run;
pub mod tensorboard;

mod checkpoint;
mod files;
mod header;
mod judge;
mod painter;
mod samples;

use std::{path::PathBuf, time::Duration};

pub use self::plan::Precision;
use crate::{diffusers::Diffusers, gpu::Gpu};

/// The script that trains LoRAs for SDXL, in sd-scripts' folder.
pub const SCRIPT: &str = "sdxl_train_network.py";

/// sd-scripts' names for its copies of both tokenizers.
const TOKENIZERS: [&str; 2] = [
    "openai_clip-vit-large-patch14",
    "laion_CLIP-ViT-bigG-14-laion2B-39B-b160k",
];

/// A base model of 7 GB that comes over a network takes minutes to load, and nothing is printed meanwhile.
pub const QUIET: Duration = Duration::from_secs(15 * 60);

/// The installation of sd-scripts on this machine, and its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kohya {
    /// Its folder, which holds [`SCRIPT`].
    pub dir: PathBuf,
    /// The Python with its packages.
    pub python: PathBuf,
    /// Folder with both CLIP tokenizers; sd-scripts downloads them into it if it is empty.
    pub tokenizers: PathBuf,
    /// Precision of the U-Net.
    pub precision: Precision,
    /// It is stopped after this long without output: [`QUIET`].
    pub quiet: Duration,
    /// The Python with diffusers, which is sd-scripts' own unless another is named: it draws the pictures of verdicts, on
    /// the GPU that has trained.
    pub diffusers: Diffusers,
    /// The GPU that it trains on, unless its precision is for the processor.
    pub gpu: Gpu,
}

impl Kohya {
    /// The script's path.
    pub fn script(&self) -> PathBuf {
        self.dir.join(SCRIPT)
    }

    /// Names of missing tokenizer folders, which sd-scripts would download.
    pub fn missing_tokenizers(&self) -> Vec<&'static str> {
        let is_missing = |name: &&str| !self.tokenizers.join(name).is_dir();
        TOKENIZERS.into_iter().filter(is_missing).collect()
    }
}
