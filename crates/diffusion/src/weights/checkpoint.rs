//! A whole base model as it is stored: one file, a diffusers folder, or a folder inside the program.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::de::DeserializeOwned;

use super::{Component, FileError, Part, TensorFile, names};

/// What a file or folder must hold, for errors.
const EXPECTED: &str = "a single-file SDXL checkpoint (safetensors with `model.diffusion_model.`, \
     `conditioner.embedders.` and `first_stage_model.` tensors) or a diffusers folder with unet, text_encoder, \
     text_encoder_2 and vae";

/// Folders of a diffusers folder that hold tensors.
pub const PARTS: [&str; 4] = ["unet", "text_encoder", "text_encoder_2", "vae"];

/// The tensors of a base model, sorted into its parts, and where its configuration lies.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// The denoiser.
    pub unet: Component,
    /// CLIP-L.
    pub text_encoder: Component,
    /// OpenCLIP-bigG with its projection.
    pub text_encoder_2: Component,
    /// The picture codec.
    pub vae: Component,
    /// Every file, the largest part first.
    pub files: Vec<Arc<TensorFile>>,
    /// The folder with `config.json` files; a single file has none.
    pub folder: Option<Folder>,
}

impl Checkpoint {
    /// Opens a single-file checkpoint or a diffusers folder.
    ///
    /// # Errors
    /// If there is nothing, or something else.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        if path.is_dir() {
            Self::from_folder(Folder::Disk(path.to_owned()))
        } else {
            Self::from_file(TensorFile::open(path)?)
        }
    }

    /// Opens a diffusers folder that is part of the program.
    ///
    /// # Errors
    /// If it is incomplete.
    pub fn built_in(
        name: &'static str,
        files: &'static [(&'static str, &'static [u8])],
    ) -> Result<Self, FileError> {
        Self::from_folder(Folder::BuiltIn { name, files })
    }

    fn from_file(file: TensorFile) -> Result<Self, FileError> {
        let file = Arc::new(file);
        let path = file.path().to_owned();
        let mut parts = [(); 4].map(|()| Component::new(path.clone()));
        let [unet, text_encoder, text_encoder_2, vae] = &mut parts;
        let n_levels = vae_levels(&file);
        for key in file.names() {
            if let Some(name) = key.strip_prefix("model.diffusion_model.") {
                unet.list(name.to_owned(), &file, key, Part::Whole);
            } else if let Some(name) = key.strip_prefix("conditioner.embedders.0.transformer.") {
                text_encoder.list(name.to_owned(), &file, key, Part::Whole);
            } else if let Some(name) = key.strip_prefix("conditioner.embedders.1.model.") {
                for (name, part) in names::text_from_open_clip(name) {
                    text_encoder_2.list(name, &file, key, part);
                }
            } else if let Some(name) = key.strip_prefix("first_stage_model.")
                && let Some((name, part)) = names::vae_from_single_file(name, n_levels)
            {
                vae.list(name, &file, key, part);
            }
        }
        if parts.iter().any(Component::is_empty) {
            return Err(FileError::NotSdxl {
                path,
                found: describe(&file, &parts),
                expected: EXPECTED,
            });
        }
        let [unet, text_encoder, text_encoder_2, vae] = parts;
        Ok(Self {
            unet,
            text_encoder,
            text_encoder_2,
            vae,
            files: vec![file],
            folder: None,
        })
    }

    fn from_folder(folder: Folder) -> Result<Self, FileError> {
        let mut files = Vec::new();
        let mut open = |part: &str| -> Result<Vec<Arc<TensorFile>>, FileError> {
            let opened = folder.weight_files(part)?;
            files.extend(opened.iter().cloned());
            Ok(opened)
        };
        let path = folder.path();

        let mut unet = Component::new(path.join("unet"));
        // SDXL and its relatives have two residual blocks to a down block; other numbers are named alike.
        let n_layers = folder.json::<UnetLayers>("unet/config.json")?.layers_per_block;
        for file in open("unet")? {
            for key in file.names() {
                if let Some(name) = names::unet_from_diffusers(key, n_layers) {
                    unet.list(name, &file, key, Part::Whole);
                }
            }
        }
        let [mut text_encoder, mut text_encoder_2] =
            ["text_encoder", "text_encoder_2"].map(|part| Component::new(path.join(part)));
        for (part, component) in [
            ("text_encoder", &mut text_encoder),
            ("text_encoder_2", &mut text_encoder_2),
        ] {
            for file in open(part)? {
                for key in file.names() {
                    component.list(names::text_from_transformers(key), &file, key, Part::Whole);
                }
            }
        }
        let mut vae = Component::new(path.join("vae"));
        for file in open("vae")? {
            for key in file.names() {
                let (name, part) = names::vae_from_diffusers(key);
                vae.list(name, &file, key, part);
            }
        }
        Ok(Self {
            unet,
            text_encoder,
            text_encoder_2,
            vae,
            files,
            folder: Some(folder),
        })
    }
}

#[derive(serde::Deserialize)]
struct UnetLayers {
    layers_per_block: usize,
}

/// How many resolutions the VAE of a single file has.
fn vae_levels(file: &TensorFile) -> usize {
    (0..=16)
        .take_while(|level| {
            let key = format!("first_stage_model.decoder.up.{level}.block.0.conv1.weight");
            file.info(&key).is_some()
        })
        .count()
}

/// Says in words what a file that is no SDXL checkpoint seems to be.
fn describe(file: &TensorFile, parts: &[Component; 4]) -> String {
    let has = |prefix: &str| file.names().any(|name| name.starts_with(prefix));
    let known = [
        ("lora_", "a LoRA"),
        ("unet.", "a LoRA in diffusers' format"),
        ("cond_stage_model.transformer.", "a Stable Diffusion 1 checkpoint"),
        ("cond_stage_model.model.", "a Stable Diffusion 2 checkpoint"),
        ("conditioner.embedders.0.model.", "an SDXL refiner"),
        ("double_blocks.", "a Flux model"),
        ("model.diffusion_model.double_blocks.", "a Flux model"),
        (
            "model.diffusion_model.joint_blocks.",
            "a Stable Diffusion 3 checkpoint",
        ),
        ("down_blocks.", "a U-Net alone in diffusers' format"),
    ];
    if let Some((_, what)) = known.into_iter().find(|(prefix, _)| has(prefix)) {
        return what.to_owned();
    }
    let missing: Vec<&str> = ["unet", "text encoder 1", "text encoder 2", "vae"]
        .into_iter()
        .zip(parts)
        .filter_map(|(name, part)| part.is_empty().then_some(name))
        .collect();
    if missing.len() < parts.len() {
        return format!("a checkpoint without {}", missing.join(", "));
    }
    match file.names().min() {
        Some(name) => format!("{} other tensors such as `{name}`", file.names().count()),
        None => "no tensors".to_owned(),
    }
}

/// A diffusers folder.
#[derive(Debug, Clone)]
pub enum Folder {
    /// On disk.
    Disk(PathBuf),
    /// In the program.
    BuiltIn {
        /// What it is called in errors.
        name: &'static str,
        /// Relative paths and contents.
        files: &'static [(&'static str, &'static [u8])],
    },
}

/// A configuration file is a page of text.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

impl Folder {
    /// Its path, or the name of a built-in one.
    pub fn path(&self) -> PathBuf {
        match self {
            Self::Disk(path) => path.clone(),
            Self::BuiltIn { name, .. } => PathBuf::from(name),
        }
    }

    /// Reads a configuration file.
    ///
    /// # Errors
    /// If it is missing, or not what it should be.
    pub fn json<T: DeserializeOwned>(&self, file: &str) -> Result<T, FileError> {
        let path = self.path().join(file);
        let Some(bytes) = self.read(file) else {
            return Err(FileError::NotSdxl {
                path: self.path(),
                found: format!("a folder without `{file}`"),
                expected: EXPECTED,
            });
        };
        serde_json::from_slice(&bytes).map_err(|err| FileError::Config {
            path,
            reason: err.to_string(),
        })
    }

    /// Reads a configuration file that need not be there.
    ///
    /// # Errors
    /// If it is there, but not what it should be.
    pub fn json_or_default<T: DeserializeOwned + Default>(&self, file: &str) -> Result<T, FileError> {
        if self.read(file).is_some() {
            self.json(file)
        } else {
            Ok(T::default())
        }
    }

    fn read(&self, file: &str) -> Option<Cow<'static, [u8]>> {
        match self {
            Self::Disk(folder) => {
                let path = folder.join(file);
                let found = std::fs::metadata(&path).ok()?;
                (found.is_file() && found.len() <= MAX_CONFIG_BYTES)
                    .then(|| std::fs::read(&path).ok().map(Cow::Owned))
                    .flatten()
            }
            Self::BuiltIn { files, .. } => files
                .iter()
                .find(|(name, _)| *name == file)
                .map(|(_, bytes)| Cow::Borrowed(*bytes)),
        }
    }

    /// Opens the weights of one part.
    fn weight_files(&self, part: &str) -> Result<Vec<Arc<TensorFile>>, FileError> {
        let file = format!("{part}/{}.safetensors", stem(part));
        match self {
            Self::BuiltIn { name, files } => {
                let Some((_, bytes)) = files.iter().find(|(name, _)| *name == file) else {
                    return Err(self.without(&file));
                };
                let file = TensorFile::built_in(&format!("{name}/{file}"), bytes)?;
                Ok(vec![Arc::new(file)])
            }
            Self::Disk(folder) => {
                let paths = weight_paths(folder, part);
                if paths.is_empty() {
                    return Err(self.without(&file));
                }
                paths
                    .iter()
                    .map(|path| TensorFile::open(path).map(Arc::new))
                    .collect()
            }
        }
    }

    fn without(&self, file: &str) -> FileError {
        FileError::NotSdxl {
            path: self.path(),
            found: format!("a folder without `{file}`"),
            expected: EXPECTED,
        }
    }
}

/// Beginning of the names of a part's files with tensors.
pub fn stem(part: &str) -> &'static str {
    if part.starts_with("text") {
        "model"
    } else {
        "diffusion_pytorch_model"
    }
}

/// The files with the tensors of one part of a diffusers folder: one that is whole, one in half precision, or several.
pub fn weight_paths(folder: &Path, part: &str) -> Vec<PathBuf> {
    let (folder, stem) = (folder.join(part), stem(part));
    let mut whole = [".safetensors", ".fp16.safetensors"]
        .map(|ending| folder.join(format!("{stem}{ending}")))
        .into_iter();
    match whole.find(|path| path.is_file()) {
        Some(path) => vec![path],
        None => shards(&folder, stem),
    }
}

/// Files like `diffusion_pytorch_model-00001-of-00002.safetensors`, in order.
fn shards(folder: &Path, stem: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut shards: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.file_name()
                .and_then(|name| name.to_str())
                .and_then(|name| name.strip_prefix(stem)?.strip_suffix(".safetensors"))
                .is_some_and(|middle| middle.starts_with('-') && middle.contains("-of-"))
        })
        .collect();
    shards.sort();
    shards
}
