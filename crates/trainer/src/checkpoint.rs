//! Checkpoints: everything that a training needs to go on as if it had never stopped.
//!
//! One safetensors file with the LoRA, AdamW's moments and the counters. Everything random in a training is
//! a function of the seed, the step and the picture, so no state of a random generator has to be kept.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::{Path, PathBuf},
};

use candle_core::{Device, Tensor};
use protocol::{dataset::Manifest, recipe::Recipe};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    network::{LoraNetwork, StateError},
    optimizer::{AdamW, AdamWConfig},
    tensor_file::{Precision, TensorFile, WriteError, write_atomically},
};

/// The state of a training between two steps.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// What was being trained.
    pub origin: Origin,
    /// How far it has come.
    pub progress: Progress,
    /// The LoRA and the optimizer's state.
    tensors: Vec<(String, Tensor)>,
}

/// What a training trains: two with the same origin may continue each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// SHA-256 of the recipe.
    pub recipe: String,
    /// SHA-256 of the pictures with their captions and uses.
    pub dataset: String,
    /// Fingerprint of the base model's weights: the name in the recipe may come to mean others.
    pub base: String,
}

impl Origin {
    /// The origin of a training on the base with this fingerprint.
    pub fn of(recipe: &Recipe, manifest: &Manifest, base: String) -> Self {
        Self {
            recipe: fingerprint(&serde_json::json!(recipe)),
            dataset: dataset_fingerprint(manifest),
            base,
        }
    }
}

/// SHA-256 of the pictures with their captions and uses.
pub fn dataset_fingerprint(manifest: &Manifest) -> String {
    let items: Vec<_> = manifest
        .items
        .iter()
        .map(|item| serde_json::json!([item.sha256, item.caption, item.split]))
        .collect();
    fingerprint(&items.into())
}

fn fingerprint(value: &serde_json::Value) -> String {
    hex::encode(Sha256::digest(value.to_string()))
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
    /// It belongs to another training.
    #[error(
        "checkpoint `{path}` was made with another {what}: go on with the one that it was made with, or start anew"
    )]
    OtherOrigin {
        /// The file.
        path: PathBuf,
        /// `recipe`, `dataset` or `base model`.
        what: &'static str,
    },
}

impl CheckpointError {
    /// Whether the file is to blame, so that an older checkpoint may do. All checkpoints of a training were made with
    /// the same base model, and a disk that cannot be read has no better file.
    pub fn is_of_this_file(&self) -> bool {
        match self {
            Self::Read { .. } => false,
            Self::NotACheckpoint { .. } => true,
            Self::OtherOrigin { what, .. } => *what != BASE_MODEL,
        }
    }
}

/// What differs when a base model was exchanged under its name.
const BASE_MODEL: &str = "base model";

/// Metadata key that marks our checkpoints.
const KEY: &str = "morpheus.checkpoint";
/// Raised when the layout changes.
const VERSION: u32 = 1;

/// What stands under [`KEY`].
#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    origin: Origin,
    step: u32,
    /// As bits: not every JSON reader gives back the same f64.
    recent_losses: Vec<u64>,
}

/// Prefixes of the LoRA's tensors and of the optimizer's.
const LORA: &str = "lora.";
const ADAMW: &str = "adamw.";

impl Checkpoint {
    /// The state of a training as it is now.
    pub fn new(
        origin: Origin,
        progress: Progress,
        network: &LoraNetwork,
        optimizer: &AdamW,
    ) -> candle_core::Result<Self> {
        let prefixed = |prefix, tensors: Vec<(String, Tensor)>| {
            tensors
                .into_iter()
                .map(move |(name, tensor)| (format!("{prefix}{name}"), tensor))
        };
        let mut tensors: Vec<_> = prefixed(LORA, network.to_tensors()?).collect();
        tensors.extend(prefixed(ADAMW, optimizer.export(network)?));
        Ok(Self {
            origin,
            progress,
            tensors,
        })
    }

    /// Brings a network and its optimizer to this state.
    pub fn restore(&self, network: &mut LoraNetwork, config: AdamWConfig) -> Result<AdamW, StateError> {
        let tensors: HashMap<&str, &Tensor> = self
            .tensors
            .iter()
            .map(|(name, tensor)| (name.as_str(), tensor))
            .collect();
        let find =
            |prefix: &str, name: &str| tensors.get(format!("{prefix}{name}").as_str()).copied().cloned();
        network.import(&|name| find(LORA, name))?;
        AdamW::import(network, config, &|name| find(ADAMW, name))
    }

    /// Writes the checkpoint; the file is whole and on the disk when this returns, or as it was before.
    pub fn save(&self, path: &Path) -> Result<(), WriteError> {
        let header = Header {
            version: VERSION,
            origin: self.origin.clone(),
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
    pub fn load(path: &Path, origin: &Origin) -> Result<Self, CheckpointError> {
        let bytes = std::fs::read(path).map_err(|err| CheckpointError::Read {
            path: path.to_owned(),
            err,
        })?;
        let checkpoint = Self::parse(&bytes).map_err(|problem| CheckpointError::NotACheckpoint {
            path: path.to_owned(),
            problem,
        })?;
        let other = |what| CheckpointError::OtherOrigin {
            path: path.to_owned(),
            what,
        };
        if checkpoint.origin.recipe != origin.recipe {
            return Err(other("recipe"));
        }
        if checkpoint.origin.dataset != origin.dataset {
            return Err(other("dataset"));
        }
        if checkpoint.origin.base != origin.base {
            return Err(other(BASE_MODEL));
        }
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
        if header.version != VERSION {
            return Err(format!(
                "its layout is version {}, and this program reads {VERSION}",
                header.version
            ));
        }
        let tensors = candle_core::safetensors::load_buffer(bytes, &Device::Cpu);
        let tensors = tensors.map_err(|err| err.to_string())?.into_iter().collect();
        let progress = Progress {
            step: header.step,
            recent_losses: header.recent_losses.into_iter().map(f64::from_bits).collect(),
        };
        Ok(Self {
            origin: header.origin,
            progress,
            tensors,
        })
    }
}

#[cfg(test)]
mod tests;
