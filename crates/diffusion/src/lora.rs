//! LoRA files: reading them in every program's format, checking them against a base model, applying them by weight.
//!
//! In memory a module always has kohya's name. Nothing is merged into the base: [`adapters`] gives the set that the
//! pipeline applies beside it, and the base stays as it is. What a file holds beside modules that are applied is listed
//! with the reason ([`Lora::leftovers`], [`Lora::fit`]), and such a file is used only by an explicit yes.

pub mod change;
pub mod compare;
pub mod edit;
pub mod names;
pub mod roles;

mod alphas;
mod apply;
mod decomposition;
mod embedding;
mod foreign;
mod read;
mod spectrum;

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

use protocol::lora::{KindCount, Leftover, LoraFormat, LoraSummary};

pub use self::{
    apply::{Fit, LayerChange, Product, Weighted, adapters, changes, embeddings, with_change},
    change::{Change, LoraModule, LowRank},
    spectrum::singular_values,
};
use crate::{
    base::Layers,
    embeddings::Embedding,
    weights::{FileError, TensorFile, describe},
};

/// A LoRA in memory: what is read of it is whole and finite.
#[derive(Debug, Clone)]
pub struct Lora {
    path: PathBuf,
    modules: BTreeMap<String, LoraModule>,
    embeddings: Vec<Embedding>,
    leftovers: Vec<Leftover>,
    format: LoraFormat,
    metadata: HashMap<String, String>,
}

/// Why a LoRA cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoraError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file holds something else.
    #[error("`{path}` is not a LoRA: it holds {found}")]
    NotLora {
        /// The file.
        path: PathBuf,
        /// What is in it.
        found: String,
    },
    /// The file is a LoRA for another model.
    #[error("`{path}` is a LoRA for {model}, expected one for SDXL")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The model.
        model: &'static str,
    },
    /// Nothing in the file can be used.
    #[error("`{path}` is a LoRA of which nothing can be used: {words}")]
    Nothing {
        /// The file.
        path: PathBuf,
        /// What is wrong with its modules.
        words: String,
    },
    /// The training broke down and was saved all the same.
    #[error(
        "`{path}` is broken: {n_broken} of {n_tensors} tensors hold NaN or infinity, the first is `{first}`"
    )]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The first tensor in alphabetical order.
        first: String,
        /// How many hold NaN or infinity.
        n_broken: usize,
        /// How many there are.
        n_tensors: usize,
    },
    /// Two tensors are the same part of the same module.
    #[error(
        "`{path}` has `{first}` and `{second}`, which are the same part of module `{module}`: delete one"
    )]
    Twice {
        /// The file.
        path: PathBuf,
        /// The module.
        module: String,
        /// The first tensor.
        first: String,
        /// The second.
        second: String,
    },
    /// A tensor cannot be computed with.
    #[error("tensor `{tensor}` of `{path}` cannot be used")]
    Numbers {
        /// The file.
        path: PathBuf,
        /// The tensor or module.
        tensor: String,
        /// What failed.
        #[source]
        err: candle_core::Error,
    },
    /// A part of the file cannot be applied to this base, and nobody has said that it may be left out.
    #[error("`{path}` does not fit base model `{base}` as a whole: {words}")]
    LeftOut {
        /// The file.
        path: PathBuf,
        /// Name of the base.
        base: String,
        /// What is left out and why.
        words: String,
    },
    /// No part of the file can be applied to this base.
    #[error("`{path}` does not fit base model `{base}`: {words}")]
    Unfit {
        /// The file.
        path: PathBuf,
        /// Name of the base.
        base: String,
        /// What is left out and why.
        words: String,
    },
    /// Two files bring the same word.
    #[error("`{first}` and `{second}` both have a text embedding for `{word}`: use one of them")]
    Word {
        /// The word.
        word: String,
        /// The first file.
        first: PathBuf,
        /// The second.
        second: PathBuf,
    },
    /// The vectors of words cannot be put together.
    #[error("failed to use the text embeddings of the LoRAs")]
    Words(#[source] candle_core::Error),
    /// A device does not take a changed layer.
    #[error("failed to hand over the changed layer `{module}`")]
    Upload {
        /// The layer.
        module: String,
        /// What failed.
        #[source]
        err: candle_core::Error,
    },
    /// A weight of the base cannot be read again, or changed.
    #[error("failed to apply module `{module}` of `{path}`")]
    Apply {
        /// The file.
        path: PathBuf,
        /// The module.
        module: String,
        /// What failed.
        #[source]
        err: candle_core::Error,
    },
}

/// PEFT's name of a LoRA in a folder of its own.
const ADAPTER_MODEL: &str = "adapter_model.safetensors";

/// The file of a LoRA: of a folder that PEFT wrote, the one in it.
pub fn file_of(path: &Path) -> PathBuf {
    let within = path.join(ADAPTER_MODEL);
    match within.is_file() {
        true => within,
        false => path.to_owned(),
    }
}

/// What a LoRA is called: its file without ending, or PEFT's folder.
fn name_of(path: &Path) -> String {
    let is_in_folder = path.file_name().is_some_and(|name| name == ADAPTER_MODEL);
    let folder = path.parent().and_then(Path::file_name).filter(|_| is_in_folder);
    let name = folder.or(path.file_stem()).unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

impl Lora {
    /// Reads a LoRA or a relative of it, with the names of any program.
    ///
    /// # Errors
    /// If it cannot be read, is something else or for another model than SDXL, holds NaN or infinity, names a module
    /// twice, or has nothing that can be used. What cannot be used beside what can is in [`leftovers`](Self::leftovers).
    pub fn open(path: &Path) -> Result<Self, LoraError> {
        Self::from_file(&TensorFile::open(&file_of(path))?)
    }

    /// Like [`open`](Self::open), of an open file.
    ///
    /// # Errors
    /// The same.
    pub fn from_file(file: &TensorFile) -> Result<Self, LoraError> {
        let path = file.path().to_owned();
        if let Some(parts) = embedding::alone(file) {
            return Self::of_embedding(file, &parts);
        }
        if let Some(model) = foreign::model_of(file) {
            return Err(LoraError::Foreign { path, model });
        }
        if !file.names().any(|key| roles::split(key).is_some()) {
            return Err(LoraError::NotLora {
                found: describe(file),
                path,
            });
        }
        let contents = read::read(file)?;
        if contents.modules.is_empty() {
            let words = protocol::lora::left_out(0, &contents.leftovers).unwrap_or_default();
            return Err(LoraError::Nothing { path, words });
        }
        Ok(Self {
            path,
            modules: contents.modules,
            embeddings: contents.embeddings,
            leftovers: contents.leftovers,
            format: contents.format,
            metadata: file.metadata().clone(),
        })
    }

    /// A text embedding by itself: its file's name is the word that calls it up.
    fn of_embedding(file: &TensorFile, parts: &embedding::Parts) -> Result<Self, LoraError> {
        let path = file.path().to_owned();
        let word = name_of(&path);
        match embedding::read(file, &word, parts) {
            Ok(embedding) => Ok(Self {
                path,
                modules: BTreeMap::new(),
                embeddings: vec![embedding],
                leftovers: Vec::new(),
                format: LoraFormat::Other,
                metadata: file.metadata().clone(),
            }),
            Err(reason) => Err(LoraError::Nothing {
                path,
                words: format!("it is {reason}"),
            }),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The strings in the file's header.
    pub fn metadata(&self) -> &HashMap<String, String> {
        &self.metadata
    }

    /// The modules by kohya's names, in alphabetical order.
    pub fn modules(&self) -> &BTreeMap<String, LoraModule> {
        &self.modules
    }

    /// Words that it brings along, with vectors of their own.
    pub fn embeddings(&self) -> &[Embedding] {
        &self.embeddings
    }

    /// What of the file cannot be used with any base, and why.
    pub fn leftovers(&self) -> &[Leftover] {
        &self.leftovers
    }

    /// The smallest and the largest rank; 0 where nothing has one.
    pub fn ranks(&self) -> (usize, usize) {
        let ranks = self.modules.values().filter_map(LoraModule::rank);
        (ranks.clone().min().unwrap_or(0), ranks.max().unwrap_or(0))
    }

    /// Whether it changes nothing: training never began, or was saved before its first step.
    ///
    /// # Errors
    /// If the tensors cannot be read.
    pub fn is_zero(&self) -> candle_core::Result<bool> {
        for module in self.modules.values() {
            if !module.is_zero()? {
                return Ok(false);
            }
        }
        Ok(self.embeddings.is_empty())
    }

    /// What it holds, without regard to a base.
    pub fn summary(&self) -> LoraSummary {
        self.summary_of(self.modules.values(), self.leftovers.clone())
    }

    /// What of it is used with a base.
    pub fn summary_for(&self, base: &impl AsRef<Layers>) -> LoraSummary {
        let fit = self.fit(base);
        let applied = fit.applied.iter().filter_map(|key| self.modules.get(*key));
        self.summary_of(applied, fit.leftovers)
    }

    fn summary_of<'a>(
        &self,
        modules: impl Iterator<Item = &'a LoraModule>,
        leftovers: Vec<Leftover>,
    ) -> LoraSummary {
        let mut kinds = BTreeMap::new();
        let (mut n_modules, mut ranks) = (0, Vec::new());
        for module in modules {
            *kinds.entry(module.kind()).or_default() += 1;
            n_modules += 1;
            ranks.extend(module.rank());
        }
        let kinds = kinds
            .into_iter()
            .map(|(kind, n_modules)| KindCount { kind, n_modules });
        LoraSummary {
            format: self.format,
            kinds: kinds.collect(),
            n_modules,
            rank_min: ranks.iter().min().copied(),
            rank_max: ranks.iter().max().copied(),
            leftovers,
            trained_on: self.trained_on(),
            trigger_words: self.trigger_words(),
        }
    }

    /// As sd-scripts, or else as a model card in the header has it.
    fn trained_on(&self) -> Option<String> {
        [
            "ss_sd_model_name",
            "ss_base_model_version",
            "modelspec.architecture",
        ]
        .into_iter()
        .find_map(|key| self.metadata.get(key).filter(|name| !name.trim().is_empty()))
        .cloned()
    }

    fn trigger_words(&self) -> Vec<String> {
        let stored = [
            "modelspec.trigger_phrase",
            "ss_trigger_words",
            "trigger_words",
            "trigger_word",
        ];
        let words = stored
            .into_iter()
            .filter_map(|key| self.metadata.get(key))
            .flat_map(|words| words.split(','));
        let own = self.embeddings.iter().map(|embedding| embedding.word.as_str());
        let mut found = Vec::new();
        for word in own.chain(words).map(|word| word.trim().to_owned()) {
            if !word.is_empty() && !found.contains(&word) {
                found.push(word);
            }
        }
        found
    }

    /// Checks that all of it fits the base.
    ///
    /// # Errors
    /// If a module is unknown or has another size, or the file has leftovers that need a yes.
    pub fn check(&self, base: &impl AsRef<Layers>) -> Result<(), LoraError> {
        self.fit(base).consented(self, base.as_ref().base(), false)
    }
}

#[cfg(test)]
mod tests;
