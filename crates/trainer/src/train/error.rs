//! Why a training fails.

use std::path::PathBuf;

use diffusion::{
    device::DeviceError,
    pipeline::{InvalidPictureSize, PipelineError},
};
use protocol::ItemId;

use super::start::StartError;
use crate::{
    checkpoint::CheckpointError, data::DataError, evaluate::EvaluateError, network::StateError,
    tensor_file::WriteError,
};

/// Why a training fails.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The pictures could not be prepared.
    #[error(transparent)]
    Data(DataError),
    /// The training cannot begin with a LoRA.
    #[error(transparent)]
    Start(StartError),
    /// The checkpoint cannot be gone on from.
    #[error(transparent)]
    Checkpoint(CheckpointError),
    /// The checkpoint's tensors are not those of this training.
    #[error("failed to go on from the checkpoint `{path}`")]
    Restore {
        /// The checkpoint.
        path: PathBuf,
        /// What does not fit.
        #[source]
        err: StateError,
    },
    /// A file could not be written.
    #[error(transparent)]
    Write(WriteError),
    /// The trained file could not be read again.
    #[error("failed to read the trained file `{path}`")]
    ReadAgain {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        err: std::io::Error,
    },
    /// The training broke down.
    #[error(
        "the {what} of step {step} is not finite (pictures {}): lower the learning rate, or look at these \
         pictures; {}", listed(.items), match .last_checkpoint {
            Some(path) => format!("`{}` holds the last good state", path.display()),
            None => "there is no checkpoint yet".to_owned(),
        }
    )]
    NotFinite {
        /// `loss` or `gradient`.
        what: &'static str,
        /// The step, from 1.
        step: u32,
        /// The pictures of its batches.
        items: Vec<ItemId>,
        /// The newest checkpoint.
        last_checkpoint: Option<PathBuf>,
    },
    /// The untrained network changes nothing, so that the base model alone made these numbers.
    #[error(
        "the base model is broken: with a LoRA that changes nothing yet, its {what} is not finite; the file is damaged, or \
         was merged or converted badly"
    )]
    BrokenBase {
        /// `loss`, `gradient` or `validation loss`.
        what: &'static str,
    },
    /// The recipe's resolution cannot be rendered.
    #[error("the recipe's resolution cannot be rendered")]
    SampleSize(#[source] InvalidPictureSize),
    /// A sample could not be rendered.
    #[error("failed to render a sample")]
    Render(#[source] PipelineError),
    /// The result could not be judged.
    #[error("failed to validate the trained file")]
    Evaluate(#[source] EvaluateError),
    /// The network could not be applied to the base.
    #[error("failed to apply the LoRA to the base")]
    Apply(#[source] candle_core::Error),
    /// An operation on what is trained failed.
    #[error("failed to move the network")]
    Device(#[from] DeviceError),
    /// A computation failed.
    #[error("failed to compute {what}")]
    Compute {
        /// What.
        what: &'static str,
        /// Why.
        #[source]
        err: candle_core::Error,
    },
}

fn listed(items: &[ItemId]) -> String {
    let ids: Vec<String> = items.iter().map(ToString::to_string).collect();
    ids.join(", ")
}
