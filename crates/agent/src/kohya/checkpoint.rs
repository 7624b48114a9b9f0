//! A checkpoint of this engine: a LoRA, the state that sd-scripts saved beside it, and a note on what they belong to,
//! in one archive.
//!
//! sd-scripts counts from zero again when it goes on, and does not look at what it goes on from; the note has the step,
//! and what must be the same. The archive comes from elsewhere: it may hold the files that a state has, under plain
//! names, and nothing else. The pickles among them are handed to sd-scripts, and never read here.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use protocol::{dataset::Manifest, recipe::Recipe};
use serde::{Deserialize, Serialize};
use trainer::checkpoint::dataset_fingerprint;
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

use super::header::is_complete;

/// Name of the note in the archive.
const NOTE: &str = "morpheus.json";
const FORMAT: &str = "morpheus kohya checkpoint 2";
/// A note has a few kilobytes.
const MAX_NOTE_BYTES: u64 = 1 << 20;
/// The LoRA's name in the archive.
const LORA: &str = "lora.safetensors";
/// Folder of the state in the archive.
const STATE: &str = "state/";
/// What accelerate writes into every state, in its order.
pub(super) const STATE_FILES: [&str; 5] = [
    "train_state.json",
    "model.safetensors",
    "optimizer.bin",
    "scheduler.bin",
    "random_states_0.pkl",
];
/// And with fp16.
const SCALER: &str = "scaler.pt";
/// Parameters that say when files are written, and nothing on what is trained.
const FREE_PARAMETERS: [&str; 2] = ["checkpoint_every_n_steps", "sample_every_n_steps"];

/// What differs when a base model was exchanged under its name.
const BASE_MODEL: &str = "base model";

/// Why a training cannot go on from a checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The disk said no.
    #[error("failed to read the checkpoint `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        err: io::Error,
    },
    /// It is something else, or damaged.
    #[error("`{path}` is not a checkpoint of the kohya engine: {problem}")]
    NotACheckpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// It is one of another training.
    #[error(
        "checkpoint `{path}` was made with another {what}: go on with the one that it was made with, or start anew"
    )]
    OtherOrigin {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: String,
    },
}

impl CheckpointError {
    /// Whether the file is to blame, so that an older checkpoint may do. All checkpoints of a training were made with
    /// the same base model, and a disk that cannot be read has no better file.
    pub(crate) fn is_of_this_file(&self) -> bool {
        match self {
            Self::Read { .. } => false,
            Self::NotACheckpoint { .. } => true,
            Self::OtherOrigin { what, .. } => !what.starts_with(BASE_MODEL),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Note {
    format: String,
    step: u32,
    #[serde(flatten)]
    origin: Origin,
}

/// What a training trains: two with the same origin may continue each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Origin {
    base_model: String,
    /// Fingerprint of its weights: the name may come to mean others.
    base: String,
    /// SHA-256 of the pictures with their captions and uses.
    dataset: String,
    /// Each as text: numbers that are read and written again may differ in their last digit.
    parameters: BTreeMap<String, String>,
    #[serde(skip)]
    n_steps: u32,
}

impl Origin {
    /// The origin of a training on the base with this fingerprint.
    pub(super) fn of(recipe: &Recipe, manifest: &Manifest, base: String) -> Self {
        let parameters = serde_json::to_value(&recipe.parameters).expect("numbers and words are JSON");
        let texts = parameters.as_object().into_iter().flatten();
        Self {
            base_model: recipe.base_model.clone(),
            base,
            dataset: dataset_fingerprint(manifest),
            parameters: texts
                .map(|(name, value)| (name.clone(), value.to_string()))
                .collect(),
            n_steps: recipe.parameters.n_steps,
        }
    }

    /// What the origin of a checkpoint has otherwise.
    fn difference(&self, other: &Self) -> Option<String> {
        if self.base_model != other.base_model {
            return Some("base_model".into());
        }
        if self.base != other.base {
            return Some(format!("{BASE_MODEL} of the name `{}`", self.base_model));
        }
        if self.dataset != other.dataset {
            return Some("dataset".into());
        }
        let mut counting = self
            .parameters
            .iter()
            .filter(|(name, _)| !FREE_PARAMETERS.contains(&name.as_str()));
        counting
            .find(|(name, value)| other.parameters.get(*name) != Some(*value))
            .map(|(name, _)| name.clone())
    }
}

/// What a training goes on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resumed {
    /// Steps that are done.
    pub(super) step: u32,
    /// The LoRA after them.
    pub(super) lora: PathBuf,
    /// Folder with the state, for `--resume`.
    pub(super) state: PathBuf,
}

/// Where the checkpoint of a step is written.
pub(super) fn path_of(folder: &Path, step: u32) -> PathBuf {
    folder.join(format!("checkpoint-{step:06}.zip"))
}

/// A LoRA and the state beside it as one file: an archive without compression, since weights do not shrink.
pub(super) fn archive(origin: &Origin, step: u32, lora: &Path, state: &Path, to: &Path) -> io::Result<()> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .large_file(true);
    let temporary = to.with_extension("part");
    let mut archive = ZipWriter::new(File::create(&temporary)?);
    archive.start_file(NOTE, options)?;
    let note = Note {
        format: FORMAT.into(),
        step,
        origin: origin.clone(),
    };
    serde_json::to_writer(&mut archive, &note)?;
    archive.start_file(LORA, options)?;
    io::copy(&mut File::open(lora)?, &mut archive)?;
    for name in STATE_FILES.into_iter().chain([SCALER]) {
        let path = state.join(name);
        if path.exists() {
            archive.start_file(format!("{STATE}{name}"), options)?;
            io::copy(&mut File::open(path)?, &mut archive)?;
        }
    }
    archive.finish()?.sync_all()?;
    fs::rename(&temporary, to)
}

/// Unpacks a checkpoint of this training into a folder; anything else is refused.
pub(super) fn unpack(path: &Path, origin: &Origin, to: &Path) -> Result<Resumed, CheckpointError> {
    let refused = |problem: String| CheckpointError::NotACheckpoint {
        path: path.to_owned(),
        problem,
    };
    let failed = |err| CheckpointError::Read {
        path: path.to_owned(),
        err,
    };
    if to.exists() {
        fs::remove_dir_all(to).map_err(failed)?;
    }
    let state = to.join(STATE);
    fs::create_dir_all(&state).map_err(failed)?;
    let file = File::open(path).map_err(failed)?;
    let Ok(mut archive) = ZipArchive::new(file) else {
        return Err(refused(
            "it is no whole archive with a state of sd-scripts; checkpoints of the native engine are good for that one \
             only"
                .into(),
        ));
    };
    let mut note = None;
    for index in 0..archive.len() {
        let damaged = |err: &dyn std::error::Error| refused(format!("it is damaged: {err}"));
        let mut entry = archive.by_index(index).map_err(|err| damaged(&err))?;
        let name = entry.name().map_err(|err| damaged(&err))?.into_owned();
        // Nothing that it holds can then be larger than itself.
        if entry.compression() != CompressionMethod::Stored {
            return Err(refused(format!("`{name}` in it is compressed")));
        }
        if name == NOTE {
            let mut bytes = Vec::new();
            let read = entry.by_ref().take(MAX_NOTE_BYTES).read_to_end(&mut bytes);
            read.map_err(|err| damaged(&err))?;
            note = serde_json::from_slice::<Note>(&bytes).ok();
            continue;
        }
        let file = match name.strip_prefix(STATE) {
            Some(file) if file == SCALER || STATE_FILES.contains(&file) => state.join(file),
            None if name == LORA => to.join(LORA),
            _ => {
                return Err(refused(format!(
                    "it holds `{name}`, which no state of sd-scripts has"
                )));
            }
        };
        let mut out = File::create(&file).map_err(failed)?;
        io::copy(&mut entry, &mut out).map_err(|err| damaged(&err))?;
    }
    let note = note.filter(|note| note.format == FORMAT);
    let note = note.ok_or_else(|| refused(format!("it has no note `{NOTE}` that this version can read")))?;
    if let Some(what) = origin.difference(&note.origin) {
        return Err(CheckpointError::OtherOrigin {
            path: path.to_owned(),
            what,
        });
    }
    let lora = to.join(LORA);
    for file in STATE_FILES {
        if !state.join(file).exists() {
            return Err(refused(format!("its state lacks `{file}`")));
        }
    }
    for file in [&lora, &state.join("model.safetensors")] {
        if !is_complete(file) {
            let name = file.file_name().unwrap_or_default().display();
            return Err(refused(format!("`{name}` in it is not complete")));
        }
    }
    if note.step == 0 || note.step > origin.n_steps {
        return Err(refused(format!("it says that {} steps are done", note.step)));
    }
    Ok(Resumed {
        step: note.step,
        lora,
        state,
    })
}

#[cfg(test)]
mod tests;
