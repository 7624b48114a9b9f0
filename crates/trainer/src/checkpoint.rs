//! Checkpoints: everything that a training needs to go on as if it had never stopped.
//!
//! One safetensors file with the LoRA, the optimizer's state under its name, and the counters. Everything random in a training is
//! a function of the seed, the step and the picture, so no state of a random generator has to be kept. Where a training is for
//! a mean of its weights, that is the LoRA, and the weights that are trained lie beside it.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::{Path, PathBuf},
};

use candle_core::Tensor;
use diffusion::device::{HOST, TrainingDevice};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use crate::{
    network::{LoraNetwork, StateError},
    optimizers::{Optimizer, OptimizerConfig},
    origin::{Origin, Refusal, Training},
    tensor_file::{Precision, TensorFile, WriteError, write_atomically},
};

/// The state of a training between two steps.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// What it belongs to.
    pub origin: Origin,
    /// How far it has come.
    pub progress: Progress,
    /// Whose state it holds.
    optimizer: String,
    /// The LoRA and the optimizer's state.
    tensors: Vec<(String, Tensor)>,
}

/// How far a training has come.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    /// Optimizer steps done.
    pub step: u32,
    /// Losses of the last epoch's worth of steps, for the average.
    pub recent_losses: Vec<f64>,
}

/// Why a checkpoint cannot be read or gone on from.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file cannot be read.
    #[error("failed to read the checkpoint `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        err: io::Error,
    },
    /// The file is not one of ours, or damaged.
    #[error("`{path}` is not a checkpoint of a training: {problem}")]
    NotACheckpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// This training cannot go on from it.
    #[error("checkpoint `{path}` {refusal}")]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        refusal: Refusal,
    },
}

impl CheckpointError {
    /// Whether the file is to blame, so that an older checkpoint may do. All checkpoints of a training were made with
    /// the same base model, and a disk that cannot be read has no better file.
    pub fn is_of_this_file(&self) -> bool {
        match self {
            Self::Read { .. } => false,
            Self::NotACheckpoint { .. } => true,
            Self::Refused { refusal, .. } => refusal.is_of_this_file(),
        }
    }
}

/// Metadata key that marks our checkpoints.
const KEY: &str = "morpheus.checkpoint";
/// Raised when the layout changes. Version 1 has a hash of the recipe in place of its fields.
const VERSION: u32 = 2;
/// The versions that are read.
const READ_VERSIONS: std::ops::RangeInclusive<u32> = 1..=VERSION;

/// What stands under [`KEY`].
#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    origin: Origin,
    /// The optimizer's name. The first checkpoints do not have it.
    #[serde(default = "first_optimizer")]
    optimizer: String,
    step: u32,
    /// As bits: not every JSON reader gives back the same f64.
    recent_losses: Vec<u64>,
}

/// What was there before checkpoints said it.
fn first_optimizer() -> String {
    "adamw".to_owned()
}

/// Prefix of the LoRA's tensors. That of the optimizer's is its name.
const LORA: &str = "lora.";
/// Prefix of the weights that are trained, where they are not the LoRA.
const WEIGHTS: &str = "weights.";

impl Checkpoint {
    /// The state of a training as it is now. `averaged` is the network that it is for, if it is not the one that is
    /// trained.
    pub fn new<D: TrainingDevice>(
        origin: Origin,
        progress: Progress,
        network: &LoraNetwork<D>,
        averaged: Option<&LoraNetwork<D>>,
        optimizer: &dyn Optimizer<D>,
    ) -> candle_core::Result<Self> {
        let prefixed = |prefix: String, tensors: Vec<(String, Tensor)>| {
            tensors
                .into_iter()
                .map(move |(name, tensor)| (format!("{prefix}{name}"), tensor))
        };
        let lora = averaged.unwrap_or(network).to_tensors()?;
        let mut tensors: Vec<_> = prefixed(LORA.to_owned(), lora).collect();
        if averaged.is_some() {
            tensors.extend(prefixed(WEIGHTS.to_owned(), network.named(network.values())?));
        }
        let optimizers = format!("{}.", optimizer.name());
        tensors.extend(prefixed(optimizers, optimizer.export(network)?));
        Ok(Self {
            origin,
            progress,
            optimizer: optimizer.name().to_owned(),
            tensors,
        })
    }

    /// Brings a network and its optimizer to this state.
    pub fn restore<D: TrainingDevice>(
        &self,
        network: &mut LoraNetwork<D>,
        config: OptimizerConfig,
    ) -> Result<Box<dyn Optimizer<D>>, StateError> {
        if self.optimizer != config.name() {
            return Err(StateError::Optimizer {
                found: self.optimizer.clone(),
                expected: config.name(),
            });
        }
        let tensors = self.by_name();
        let find = |prefix: &str, name: &str| tensors.get(&format!("{prefix}{name}")).copied().cloned();
        network.import(&|name| find(WEIGHTS, name).or_else(|| find(LORA, name)))?;
        let prefix = format!("{}.", config.name());
        config.resume(network, &|name| find(&prefix, name))
    }

    /// The numbers of the LoRA, in the order of a network's parameters.
    ///
    /// # Errors
    /// If the LoRA is not of this network.
    pub fn lora<D: TrainingDevice>(&self, network: &LoraNetwork<D>) -> Result<Vec<f32>, StateError> {
        let tensors = self.by_name();
        network.collect(&|name| tensors.get(&format!("{LORA}{name}")).copied().cloned())
    }

    fn by_name(&self) -> HashMap<&String, &Tensor> {
        self.tensors.iter().map(|(name, tensor)| (name, tensor)).collect()
    }

    /// Writes the checkpoint; the file is whole and on the disk when this returns, or as it was before.
    pub fn save(&self, path: &Path) -> Result<(), WriteError> {
        let header = Header {
            version: VERSION,
            origin: self.origin.clone(),
            optimizer: self.optimizer.clone(),
            step: self.progress.step,
            recent_losses: self
                .progress
                .recent_losses
                .iter()
                .map(|loss| loss.to_bits())
                .collect(),
        };
        let metadata = BTreeMap::from([(KEY.to_owned(), serde_json::json!(header).to_string())]);
        write_atomically(path, |out| {
            TensorFile::new(&self.tensors, Precision::F32).write(&metadata, out)
        })
    }

    /// Reads a checkpoint of this training; one of another is refused.
    pub fn load(path: &Path, training: &Training) -> Result<Self, CheckpointError> {
        let bytes = std::fs::read(path).map_err(|err| CheckpointError::Read {
            path: path.to_owned(),
            err,
        })?;
        let checkpoint = Self::parse(&bytes).map_err(|problem| CheckpointError::NotACheckpoint {
            path: path.to_owned(),
            problem,
        })?;
        let checked = training.check(&checkpoint.origin, checkpoint.progress.step);
        checked.map_err(|refusal| CheckpointError::Refused {
            path: path.to_owned(),
            refusal,
        })?;
        Ok(checkpoint)
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|err| err.to_string())?;
        let header = metadata
            .metadata()
            .as_ref()
            .and_then(|metadata| metadata.get(KEY));
        let header = header.ok_or_else(|| format!("it has no `{KEY}` in its metadata"))?;
        let header: Header =
            serde_json::from_str(header).map_err(|err| format!("`{KEY}` is broken: {err}"))?;
        if !READ_VERSIONS.contains(&header.version) {
            return Err(format!(
                "its layout is version {}, and this program reads those up to {VERSION}",
                header.version
            ));
        }
        let tensors = candle_core::safetensors::load_buffer(bytes, &HOST);
        let tensors = tensors.map_err(|err| err.to_string())?.into_iter().collect();
        let progress = Progress {
            step: header.step,
            recent_losses: header.recent_losses.into_iter().map(f64::from_bits).collect(),
        };
        Ok(Self {
            origin: header.origin,
            progress,
            optimizer: header.optimizer,
            tensors,
        })
    }
}

#[cfg(test)]
mod tests;
