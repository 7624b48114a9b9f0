//! A base model, loaded: everything that a picture needs beside a prompt and LoRAs.

mod config;
mod export;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest, Sha256};

pub use self::export::{ExportError, export_built_in};
use crate::{
    assets,
    conditioning::TextEncoders,
    cpu::Cpu,
    device::Device,
    layers::{Loader, WeightError},
    schedulers::{PredictionType, SchedulerConfig},
    text_encoder::TextEncoder,
    unet::Unet,
    vae::Vae,
    weights::{Checkpoint, FileError, TensorFile},
};

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
}

/// Facts about a base model.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// What its U-Net predicts.
    pub prediction_type: PredictionType,
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
        if Self::BUILT_IN.contains(&name_or_path) {
            Self::built_in(name_or_path)
        } else {
            Self::load(Path::new(name_or_path))
        }
    }

    /// Loads a single-file SDXL checkpoint (safetensors) or a diffusers folder onto the CPU.
    ///
    /// # Errors
    /// If there is nothing at the path, or something else than an SDXL model.
    pub fn load(path: &Path) -> Result<Self, BaseError> {
        Self::load_on(&Cpu, path)
    }

    /// Loads a model that is part of the program onto the CPU, from any working directory.
    ///
    /// # Errors
    /// If no built-in model has this name.
    pub fn built_in(name: &str) -> Result<Self, BaseError> {
        Self::built_in_on(&Cpu, name)
    }
}

impl<D: Device> BaseModel<D> {
    /// Loads a single-file SDXL checkpoint (safetensors) or a diffusers folder onto a device.
    ///
    /// # Errors
    /// If there is nothing at the path, or something else than an SDXL model.
    pub fn load_on(device: &D, path: &Path) -> Result<Self, BaseError> {
        let checkpoint = Checkpoint::open(path)?;
        Self::from_checkpoint(device, checkpoint, file_name(path), Some(path.to_owned()))
    }

    /// Loads a model that is part of the program onto a device, from any working directory.
    ///
    /// # Errors
    /// If no built-in model has this name.
    pub fn built_in_on(device: &D, name: &str) -> Result<Self, BaseError> {
        if name != "tiny-xl" {
            return Err(BaseError::UnknownBuiltIn(name.to_owned()));
        }
        let checkpoint = Checkpoint::built_in("tiny-xl", assets::TINY_XL)?;
        Self::from_checkpoint(device, checkpoint, name.to_owned(), None)
    }

    fn from_checkpoint(
        device: &D,
        checkpoint: Checkpoint,
        name: String,
        path: Option<PathBuf>,
    ) -> Result<Self, BaseError> {
        let sizes = config::read(&checkpoint)?;
        let info = BaseInfo::new(&sizes, name, path);
        let first = Loader::new(device, &checkpoint.text_encoder);
        let second = Loader::new(device, &checkpoint.text_encoder_2);
        Ok(Self {
            unet: Unet::load(&Loader::new(device, &checkpoint.unet), sizes.unet)?,
            text_encoders: TextEncoders {
                first: TextEncoder::load(&first, sizes.text_encoder, "lora_te1")?,
                second: TextEncoder::load(&second, sizes.text_encoder_2, "lora_te2")?,
                second_padding: sizes.second_padding,
            },
            vae: Vae::load(&Loader::new(device, &checkpoint.vae), sizes.vae)?,
            scheduler: sizes.scheduler,
            info,
            files: checkpoint.files,
        })
    }

    /// What computes.
    pub fn device(&self) -> &D {
        self.unet.device()
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
        fingerprint(&self.files)
    }

    fn single_file(&self) -> Option<&TensorFile> {
        match self.files.as_slice() {
            [file] => Some(file),
            _ => None,
        }
    }
}

fn fingerprint(files: &[Arc<TensorFile>]) -> String {
    let mut hasher = Sha256::new();
    for file in files {
        hasher.update(file.sha256());
    }
    hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

impl BaseInfo {
    /// The [fingerprint](BaseModel::fingerprint) of a model that need not be loaded for it.
    ///
    /// # Errors
    /// If there is nothing at the path, or something else than an SDXL model.
    pub fn fingerprint(path: &Path) -> Result<String, BaseError> {
        Ok(fingerprint(&Checkpoint::open(path)?.files))
    }

    /// Looks at a single-file checkpoint or a diffusers folder without reading its tensors.
    ///
    /// # Errors
    /// If there is nothing at the path, or something else than an SDXL model.
    pub fn read(path: &Path) -> Result<Self, BaseError> {
        let sizes = config::read(&Checkpoint::open(path)?)?;
        Ok(Self::new(&sizes, file_name(path), Some(path.to_owned())))
    }

    fn new(sizes: &config::Sizes, name: String, path: Option<PathBuf>) -> Self {
        Self {
            name,
            path,
            model_channels: sizes.unet.model_channels(),
            native_resolution: sizes.native_resolution,
            absent_negative_is_zero: sizes.absent_negative_is_zero,
            prediction_type: sizes.scheduler.prediction_type,
        }
    }
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;
