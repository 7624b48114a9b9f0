//! A base model, loaded: everything that a picture needs beside a prompt and LoRAs.

mod behavior;
mod config;
mod contents;
mod export;
mod layers;
mod outline;
mod prediction;
mod weight_bytes;

use std::{
    collections::HashMap,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use protocol::base::{Measured, Prediction};
use sha2::{Digest, Sha256};

pub use self::{
    behavior::{Behavior, Reading},
    contents::Extras,
    export::{ExportError, export_built_in},
    layers::{BaseLayer, Layers},
    outline::{Outline, OutlineError, OutlinedPart},
    prediction::Predicts,
    weight_bytes::WeightBytes,
};
use crate::{
    assets,
    conditioning::TextEncoders,
    cpu::Cpu,
    device::Device,
    layers::{Loader, WeightError},
    schedulers::SchedulerConfig,
    text_encoder::TextEncoder,
    tokenizer::Padding,
    unet::Unet,
    vae::Vae,
    weights::{Checkpoint, Component, FileError, Folder, TensorFile},
};

/// The parts that the U-Net and the text encoders are, in the order of [`Layers`].
const UNET: Range<usize> = 0..1;
const TEXT_ENCODERS: Range<usize> = 1..3;

/// A base model in memory. Nothing ever changes it: LoRAs are applied beside it.
#[derive(Debug)]
pub struct BaseModel<D: Device = Cpu> {
    /// The denoiser.
    pub unet: Unet<D>,
    /// Both text encoders.
    pub text_encoders: TextEncoders<D>,
    /// The picture codec.
    pub vae: Vae<D>,
    /// How it was noised, and how its samplers choose timesteps.
    pub scheduler: SchedulerConfig,
    /// Facts about it.
    pub info: BaseInfo,
    files: Vec<Arc<TensorFile>>,
    layers: Layers,
}

/// Facts about a base model.
#[derive(Debug, Clone, PartialEq)]
pub struct BaseInfo {
    /// Name of the file or folder, or of the built-in model.
    pub name: String,
    /// Where it was loaded from; none if built in.
    pub path: Option<PathBuf>,
    /// Channels of the U-Net's first level: 320 for SDXL, 32 for tiny-xl.
    pub model_channels: usize,
    /// Side in pixels of the square pictures that it was trained for: 1024 for SDXL, 128 for tiny-xl.
    pub native_resolution: u32,
    /// Whether an absent negative prompt counts as zeros instead of as an empty text
    /// (`force_zeros_for_empty_prompt` in model_index.json; so in SDXL).
    pub absent_negative_is_zero: bool,
    /// What its U-Net predicts, and how that is known.
    pub predicts: Predicts,
    /// What its U-Net was measured to do, if that is known.
    pub measured: Option<Measured>,
    /// The title in the header of one of its files, as sd-scripts and others write it (`modelspec.title`).
    pub title: Option<String>,
    /// What its files hold beside the model.
    pub extras: Extras,
    /// The files with its tensors, and the VAE in place of its own; none that are part of the program.
    pub files: Vec<PathBuf>,
}

/// What a sampler must know about a base model.
#[derive(Debug, Clone)]
pub struct Facts {
    /// See [`BaseInfo::absent_negative_is_zero`](BaseInfo::absent_negative_is_zero).
    pub absent_negative_is_zero: bool,
    /// How it was noised, and how its samplers choose timesteps.
    pub scheduler: SchedulerConfig,
    /// Channels of the latents.
    pub n_channels: usize,
    /// What fills the second text encoder's chunks; the first one's are filled with the end token.
    pub second_padding: Padding,
}

/// What a person says about a base model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BaseOptions {
    /// A VAE in place of the model's own: a file or a folder.
    pub vae: Option<PathBuf>,
    /// What its U-Net predicts, whatever its files say.
    pub prediction: Option<Prediction>,
}

/// Why a base model could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    /// No such model is part of the program.
    #[error("no built-in base model `{0}`, expected tiny-xl")]
    UnknownBuiltIn(String),
    /// A file could not be read, or is something else.
    #[error(transparent)]
    File(#[from] FileError),
    /// The U-Net could not be asked.
    #[error("failed to measure what the U-Net predicts")]
    Measure(#[source] candle_core::Error),
    /// The tensors do not fit together.
    #[error(transparent)]
    Weights(#[from] WeightError),
}

impl BaseModel {
    /// Names of the models that are part of the program.
    pub const BUILT_IN: [&str; 1] = ["tiny-xl"];

    /// Loads what a person names, onto the CPU: a built-in model, or the path of a file or folder.
    ///
    /// # Errors
    /// If there is nothing of that name, or something else than an SDXL model.
    pub fn open(name_or_path: &str) -> Result<Self, BaseError> {
        Self::open_with(name_or_path, &BaseOptions::default())
    }

    /// Loads what a person names, as [`open`](Self::open) does, with what they say about it.
    ///
    /// # Errors
    /// If there is nothing of that name, or something else than an SDXL model.
    pub fn open_with(name_or_path: &str, options: &BaseOptions) -> Result<Self, BaseError> {
        if Self::BUILT_IN.contains(&name_or_path) {
            Self::built_in_on(&Cpu, name_or_path, options)
        } else {
            Self::load_on(&Cpu, Path::new(name_or_path), options)
        }
    }

    /// Loads a single-file SDXL checkpoint (safetensors) or a diffusers folder onto the CPU.
    ///
    /// # Errors
    /// If there is nothing at the path, or something else than an SDXL model.
    pub fn load(path: &Path) -> Result<Self, BaseError> {
        Self::load_on(&Cpu, path, &BaseOptions::default())
    }

    /// Loads a model that is part of the program onto the CPU, from any working directory.
    ///
    /// # Errors
    /// If no built-in model has this name.
    pub fn built_in(name: &str) -> Result<Self, BaseError> {
        Self::built_in_on(&Cpu, name, &BaseOptions::default())
    }
}

impl<D: Device> BaseModel<D> {
    /// Loads a single-file SDXL checkpoint (safetensors) or a diffusers folder onto a device.
    ///
    /// # Errors
    /// If there is nothing at the path, or something else than an SDXL model.
    pub fn load_on(device: &D, path: &Path, options: &BaseOptions) -> Result<Self, BaseError> {
        let checkpoint = Checkpoint::open_with(path, options.vae.as_deref())?;
        let looked = BaseInfo::look(&checkpoint, options, file_name(path), Some(path.to_owned()))?;
        Self::from_checkpoint(device, checkpoint, looked)
    }

    /// Loads a model that is part of the program onto a device, from any working directory.
    ///
    /// # Errors
    /// If no built-in model has this name.
    pub fn built_in_on(device: &D, name: &str, options: &BaseOptions) -> Result<Self, BaseError> {
        if name != "tiny-xl" {
            return Err(BaseError::UnknownBuiltIn(name.to_owned()));
        }
        let checkpoint = Checkpoint::built_in("tiny-xl", assets::TINY_XL, options.vae.as_deref())?;
        let looked = BaseInfo::look(&checkpoint, options, name.to_owned(), None)?;
        Self::from_checkpoint(device, checkpoint, looked)
    }

    fn from_checkpoint(
        device: &D,
        checkpoint: Checkpoint,
        (info, sizes): (BaseInfo, config::Sizes),
    ) -> Result<Self, BaseError> {
        let [of_unet, of_first, of_second] = layers::LORA_PREFIXES;
        let unet = Loader::new(device, &checkpoint.unet).keyed(of_unet);
        let first = Loader::new(device, &checkpoint.text_encoder).keyed(of_first);
        let second = Loader::new(device, &checkpoint.text_encoder_2).keyed(of_second);
        let parts = [
            &checkpoint.unet,
            &checkpoint.text_encoder,
            &checkpoint.text_encoder_2,
        ]
        .map(Component::clone);
        let layers = Layers::new(info.name.clone(), parts, sizes.text_encoder.n_layers);
        // Loading looks at every number once. What it read need not stay in memory until it is computed with.
        let unet = Unet::load(&unet, sizes.unet)?;
        layers.release(UNET);
        let text_encoders = TextEncoders {
            first: TextEncoder::load(&first, sizes.text_encoder)?,
            second: TextEncoder::load(&second, sizes.text_encoder_2)?,
            second_padding: sizes.second_padding,
        };
        layers.release(TEXT_ENCODERS);
        let vae = Vae::load(&Loader::new(device, &checkpoint.vae), sizes.vae)?;
        checkpoint.vae.release();
        Ok(Self {
            unet,
            text_encoders,
            vae,
            scheduler: sizes.scheduler,
            info,
            files: checkpoint.files,
            layers,
        })
    }

    /// What a sampler must know about it.
    pub fn facts(&self) -> Facts {
        Facts {
            absent_negative_is_zero: self.info.absent_negative_is_zero,
            scheduler: self.scheduler.clone(),
            n_channels: self.unet.config().in_channels,
            second_padding: self.text_encoders.second_padding,
        }
    }

    /// What computes.
    pub fn device(&self) -> &D {
        self.unet.device()
    }

    /// Gives back the memory that holds the weights of the text encoders, as far as they are computed with where their
    /// file is mapped. They can be used again at any time, and are read from the file then.
    pub fn release_text_encoders(&self) {
        self.layers.release(TEXT_ENCODERS);
    }

    /// The same for the U-Net.
    pub fn release_unet(&self) {
        self.layers.release(UNET);
    }

    /// The layers that a LoRA can address: kohya's names, inputs and outputs.
    pub fn lora_layers(&self) -> HashMap<String, (usize, usize)> {
        let texts = [&self.text_encoders.first, &self.text_encoders.second];
        let texts = texts
            .into_iter()
            .flat_map(TextEncoder::linears)
            .filter_map(|layer| Some((layer.lora_key()?.to_owned(), (layer.n_in(), layer.n_out()))));
        let unet = self.unet.config().lora_targets().into_iter();
        unet.map(|target| (target.key, (target.n_in, target.n_out)))
            .chain(texts)
            .collect()
    }

    /// SHA-256 of a single-file checkpoint, for `ss_new_sd_model_hash`. Reads all of it; folders have none.
    pub fn file_sha256(&self) -> Option<String> {
        self.single_file().map(TensorFile::sha256)
    }

    /// The short hash of a single-file checkpoint, for `ss_sd_model_hash`. Folders have none.
    pub fn short_hash(&self) -> Option<String> {
        self.single_file().map(TensorFile::short_hash)
    }

    /// SHA-256 over the hashes of all weight files: the same for the same weights, wherever they lie. Reads all.
    pub fn fingerprint(&self) -> String {
        self.hashes().fingerprint
    }

    /// What tells its weights from others. Reads all of them, once.
    pub fn hashes(&self) -> BaseHashes {
        BaseHashes::of(&self.files)
    }

    fn single_file(&self) -> Option<&TensorFile> {
        match self.files.as_slice() {
            [file] => Some(file),
            _ => None,
        }
    }
}

/// Hashes of a base model's weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseHashes {
    /// See [`BaseModel::fingerprint`].
    pub fingerprint: String,
    /// See [`BaseModel::file_sha256`].
    pub file_sha256: Option<String>,
}

impl BaseHashes {
    fn of(files: &[Arc<TensorFile>]) -> Self {
        let files: Vec<String> = files.iter().map(|file| file.sha256()).collect();
        Self {
            fingerprint: fingerprint_of(&files),
            file_sha256: <[String; 1]>::try_from(files).ok().map(|[hash]| hash),
        }
    }
}

fn fingerprint_of(hashes: &[String]) -> String {
    let mut hasher = Sha256::new();
    for hash in hashes {
        hasher.update(hash);
    }
    hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

impl BaseInfo {
    /// The [hashes](BaseModel::hashes) of a model that need not be loaded for them.
    ///
    /// # Errors
    /// If there is nothing at the path, or something else than an SDXL model.
    pub fn hashes(path: &Path, options: &BaseOptions) -> Result<BaseHashes, BaseError> {
        let checkpoint = Checkpoint::open_with(path, options.vae.as_deref())?;
        Ok(BaseHashes::of(&checkpoint.files))
    }

    /// Looks at a single-file checkpoint or a diffusers folder without reading its tensors: whether each that the model
    /// needs is there, has its shape and can be read.
    ///
    /// # Errors
    /// If there is nothing at the path, or something else than a whole SDXL model.
    pub fn read(path: &Path) -> Result<Self, BaseError> {
        Self::read_with(path, &BaseOptions::default())
    }

    /// Looks at a model, as [`read`](Self::read) does, with what a person says about it.
    ///
    /// # Errors
    /// If there is nothing at the path, or something else than a whole SDXL model.
    pub fn read_with(path: &Path, options: &BaseOptions) -> Result<Self, BaseError> {
        let checkpoint = Checkpoint::open_with(path, options.vae.as_deref())?;
        let (info, _) = Self::look(&checkpoint, options, file_name(path), Some(path.to_owned()))?;
        Ok(info)
    }

    /// What a person should know about it before using it, as sentences.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self.extras.warning().into_iter().collect();
        let taken = self.predicts.prediction;
        warnings.extend(
            self.predicts
                .conflicts
                .iter()
                .map(|conflict| format!("{conflict}; it is taken as {}", taken.describe())),
        );
        let said_by = self.predicts.said_by.as_deref();
        let measured = self.measured.as_ref();
        warnings.extend(measured.and_then(|measured| measured.contradiction(taken, said_by)));
        warnings
    }

    fn look(
        checkpoint: &Checkpoint,
        options: &BaseOptions,
        name: String,
        path: Option<PathBuf>,
    ) -> Result<(Self, config::Sizes), FileError> {
        let (sizes, predicts) = config::read(checkpoint, options.prediction)?;
        let extras = contents::check(checkpoint, &sizes)?;
        let info = Self {
            name,
            path,
            model_channels: sizes.unet.model_channels(),
            native_resolution: sizes.native_resolution,
            absent_negative_is_zero: sizes.absent_negative_is_zero,
            predicts,
            measured: None,
            title: (checkpoint.files.iter())
                .find_map(|file| file.metadata().get("modelspec.title"))
                .cloned(),
            extras,
            files: match &checkpoint.folder {
                Some(Folder::BuiltIn { .. }) => Vec::new(),
                _ => checkpoint
                    .files
                    .iter()
                    .map(|file| file.path().to_owned())
                    .collect(),
            },
        };
        Ok((info, sizes))
    }
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;
