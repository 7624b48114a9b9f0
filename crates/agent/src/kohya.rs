//! The `kohya` engine: drives kohya-ss/sd-scripts' `sdxl_train_network.py` as a child process.
//!
//! sd-scripts is what people trust on a GPU, and its defaults are what they stumble over. Here
//!
//! - [`plan`] turns a recipe and a frozen dataset version into its arguments and its dataset file, explicit wherever
//!   a default is a trap, and refuses beforehand what sd-scripts would refuse after minutes of rented time;
//! - [`log`], [`tensorboard`] and [`metrics`] read what it prints and writes, and make our events of it;
//! - [`failure`] gives names to the ways in which it fails, with the lines that matter;
//! - [`run`] starts it, watches it, obeys orders, and hands over what it leaves behind.
//!
//! Its exit code is not believed: it ends with 0 without a single picture, and after a training of nothing but NaN.
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

use std::{path::PathBuf, time::Duration};

pub use self::plan::Precision;

/// The script that trains LoRAs for SDXL, in sd-scripts' folder.
pub const SCRIPT: &str = "sdxl_train_network.py";

/// sd-scripts' names for its copies of both tokenizers.
const TOKENIZERS: [&str; 2] = [
    "openai_clip-vit-large-patch14",
    "laion_CLIP-ViT-bigG-14-laion2B-39B-b160k",
];

/// A base model of 7 GB that comes over a network takes minutes to load, and nothing is printed meanwhile.
pub const QUIET: Duration = Duration::from_secs(15 * 60);

/// Where sd-scripts is on this machine, and how it computes there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kohya {
    /// Its folder, which holds [`SCRIPT`].
    pub dir: PathBuf,
    /// The Python that has its packages.
    pub python: PathBuf,
    /// Folder with both CLIP tokenizers; sd-scripts fetches them into it when it is empty.
    pub tokenizers: PathBuf,
    /// What the U-Net computes in.
    pub precision: Precision,
    /// It is ended when nothing was heard of it for this long: [`QUIET`].
    pub quiet: Duration,
}

impl Kohya {
    /// The script's path.
    pub fn script(&self) -> PathBuf {
        self.dir.join(SCRIPT)
    }

    /// Names of the folders of tokenizers that are not there; sd-scripts then fetches them.
    pub fn missing_tokenizers(&self) -> Vec<&'static str> {
        let is_missing = |name: &&str| !self.tokenizers.join(name).is_dir();
        TOKENIZERS.into_iter().filter(is_missing).collect()
    }
}
