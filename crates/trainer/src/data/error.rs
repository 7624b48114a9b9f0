//! How far the preparation of a dataset is, and why it fails.

use std::io;

use dataset::picture::PictureError;
use diffusion::pipeline::{InvalidPictureSize, PipelineError};
use protocol::ItemId;

use super::room::MAX_LOOKS_BYTES;

/// How far the preparation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// What is being done.
    pub name: &'static str,
    /// Finished parts.
    pub done: u32,
    /// All parts.
    pub total: u32,
}

/// Why a dataset cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The preparation was told to end.
    #[error("the preparation of the pictures was interrupted")]
    Interrupted,
    /// No picture is there to be trained on.
    #[error("the dataset version {0} has no picture to train on")]
    NothingToTrainOn(protocol::DatasetVersionId),
    /// The U-Net halves pictures of such sides unevenly.
    #[error(
        "bucket_step {found} does not fit the base model, which takes sides that are multiples of {expected}: use \
         a multiple of {expected}"
    )]
    BucketStep {
        /// The recipe's.
        found: u32,
        /// What the base model takes.
        expected: u32,
    },
    /// Looks are kept in memory.
    #[error(
        "n_looks {n_looks} takes more than the {} MiB of memory that there are for looks: {advice}",
        MAX_LOOKS_BYTES >> 20
    )]
    Looks {
        /// The recipe's.
        n_looks: u16,
        /// What would fit.
        advice: String,
    },
    /// The file is not there.
    #[error("failed to read picture {id}")]
    Read {
        /// The picture.
        id: ItemId,
        /// Why.
        #[source]
        err: io::Error,
    },
    /// The file is not the one that was frozen.
    #[error(
        "picture {id} is not the one that the dataset version was made of: its SHA-256 is {found}, expected {expected}"
    )]
    Changed {
        /// The picture.
        id: ItemId,
        /// Hash of the file.
        found: String,
        /// Hash in the manifest.
        expected: String,
    },
    /// The file does not decode.
    #[error("failed to decode picture {id}")]
    Decode {
        /// The picture.
        id: ItemId,
        /// Why.
        #[source]
        err: PictureError,
    },
    /// The VAE made numbers of it that are none.
    #[error(
        "the VAE of the base model turns picture {id} into numbers that are not finite: the base is broken"
    )]
    NotFinite {
        /// The picture.
        id: ItemId,
    },
    /// The base model draws no picture.
    #[error("failed to draw regularization picture {n}")]
    Draw {
        /// Its number, from 1.
        n: usize,
        /// Why.
        #[source]
        err: PipelineError,
    },
    /// Pictures have no such size.
    #[error("failed to draw regularization pictures")]
    DrawnSize(#[source] InvalidPictureSize),
    /// The computation failed.
    #[error("failed to encode {what}")]
    Compute {
        /// What was encoded.
        what: String,
        /// Why.
        #[source]
        err: candle_core::Error,
    },
}
