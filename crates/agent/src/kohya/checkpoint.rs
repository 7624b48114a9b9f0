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

use protocol::recipe::Identity;
use serde::{Deserialize, Serialize};
use trainer::origin::{Origin, Refusal, Training};
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

use super::header::is_complete;

/// Name of the note in the archive.
const NOTE: &str = "morpheus.json";
const FORMAT: &str = "morpheus kohya checkpoint 3";
const FORMAT_2: &str = "morpheus kohya checkpoint 2";
/// A note has a few kilobytes.
const MAX_NOTE_BYTES: u64 = 1 << 20;
/// The LoRA's name in the archive.
const LORA: &str = "lora.safetensors";
/// Folder of the state in the archive.
const STATE: &str = "state/";
/// What accelerate writes into every state, in its order.
pub(super) const STATE_FILES: [&str; 4] = [
    "train_state.json",
    "model.safetensors",
    "optimizer.bin",
    "random_states_0.pkl",
];
/// And before the last of them the schedule, which schedule-free optimizers do not have, and with fp16 the scaler.
const MORE_FILES: [&str; 2] = ["scheduler.bin", "scaler.pt"];

/// Why a training cannot resume from a checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// A file operation failed.
    #[error("failed to read the checkpoint `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        err: io::Error,
    },
    /// It is not a checkpoint, or damaged.
    #[error("`{path}` is not a checkpoint of the kohya engine: {problem}")]
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
    pub(crate) fn is_of_this_file(&self) -> bool {
        match self {
            Self::Read { .. } => false,
            Self::NotACheckpoint { .. } => true,
            Self::Refused { refusal, .. } => refusal.is_of_this_file(),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Note {
    format: String,
    step: u32,
    origin: Origin,
}

/// A note of format 2: it says nothing about the trigger word.
#[derive(Deserialize)]
struct NoteOfFormat2 {
    format: String,
    step: u32,
    base: String,
    dataset: String,
    parameters: BTreeMap<String, String>,
}

impl Note {
    fn read(bytes: &[u8]) -> Option<Self> {
        if let Ok(note) = serde_json::from_slice::<Self>(bytes) {
            return (note.format == FORMAT).then_some(note);
        }
        let old: NoteOfFormat2 = serde_json::from_slice(bytes).ok()?;
        let parameters = old.parameters.into_iter();
        let recipe =
            Identity::from_fields(parameters.map(|(name, value)| (format!("parameters.{name}"), value)));
        (old.format == FORMAT_2).then(|| Self {
            format: FORMAT.to_owned(),
            step: old.step,
            origin: Origin::new(recipe, old.dataset, old.base),
        })
    }
}

/// A checkpoint to resume from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resumed {
    /// Steps that are done.
    pub(super) step: u32,
    /// The LoRA after them.
    pub(super) lora: PathBuf,
    /// Folder with the state, for `--resume`.
    pub(super) state: PathBuf,
    /// What to say about a schedule that is not the one of the checkpoint.
    pub(super) new_schedule: Option<String>,
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
    for name in STATE_FILES.into_iter().chain(MORE_FILES) {
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
pub(super) fn unpack(path: &Path, training: &Training, to: &Path) -> Result<Resumed, CheckpointError> {
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
            "it is not a complete archive with a state of sd-scripts; checkpoints of the native engine only work \
                 with the native engine"
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
            note = Note::read(&bytes);
            continue;
        }
        let file = match name.strip_prefix(STATE) {
            Some(file) if STATE_FILES.contains(&file) || MORE_FILES.contains(&file) => state.join(file),
            None if name == LORA => to.join(LORA),
            _ => {
                return Err(refused(format!(
                    "it contains `{name}`, which does not belong in a state of sd-scripts"
                )));
            }
        };
        let mut out = File::create(&file).map_err(failed)?;
        io::copy(&mut entry, &mut out).map_err(|err| damaged(&err))?;
    }
    let note = note.ok_or_else(|| refused(format!("it has no note `{NOTE}` that this version can read")))?;
    let checked = training.check(&note.origin, note.step);
    checked.map_err(|refusal| CheckpointError::Refused {
        path: path.to_owned(),
        refusal,
    })?;
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
    if note.step == 0 {
        return Err(refused("it says that no step is done".into()));
    }
    Ok(Resumed {
        new_schedule: training.new_schedule(&note.origin, note.step),
        step: note.step,
        lora,
        state,
    })
}

#[cfg(test)]
mod tests;
