//! A whole base model as it is stored: one file, a diffusers folder, or a folder inside the program.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
    sync::Arc,
};

use protocol::base::weights::{NoWeights, PARTS, Prefer, TENSORS, choose, stem};
use serde::de::DeserializeOwned;

use super::{Component, FileError, Part, TensorFile, names, single_file};

/// What a file or folder must hold, for errors.
const EXPECTED: &str = "a single-file SDXL checkpoint (safetensors with `model.diffusion_model.`, \
     `conditioner.embedders.` and `first_stage_model.` tensors) or a diffusers folder with unet, text_encoder, \
     text_encoder_2 and vae";

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
    /// The VAE that was named beside it, which stands in `vae` and among the files too.
    pub own_vae: Option<OwnVae>,
}

impl Checkpoint {
    /// Opens a single-file checkpoint or a diffusers folder.
    ///
    /// # Errors
    /// If there is nothing, or something else.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        Self::open_with(path, None)
    }

    /// Opens a base model with a VAE of its own: a file or a folder, in place of the one that the model may hold.
    ///
    /// # Errors
    /// If there is nothing, or something else.
    pub fn open_with(path: &Path, vae: Option<&Path>) -> Result<Self, FileError> {
        let own_vae = vae.map(OwnVae::open).transpose()?;
        if path.is_dir() {
            Self::from_folder(Folder::Disk(path.to_owned()), own_vae)
        } else {
            Self::from_file(TensorFile::open(path)?, own_vae)
        }
    }

    /// Opens a diffusers folder that is part of the program.
    ///
    /// # Errors
    /// If it is incomplete.
    pub fn built_in(
        name: &'static str,
        files: &'static [(&'static str, &'static [u8])],
        vae: Option<&Path>,
    ) -> Result<Self, FileError> {
        let own_vae = vae.map(OwnVae::open).transpose()?;
        Self::from_folder(Folder::BuiltIn { name, files }, own_vae)
    }

    /// The file or folder.
    pub(crate) fn path(&self) -> PathBuf {
        match &self.folder {
            Some(folder) => folder.path(),
            None => self.unet.path().to_owned(),
        }
    }

    /// Its parts and what messages call them.
    pub(crate) fn parts(&self) -> [(&'static str, &Component); 4] {
        [
            ("U-Net", &self.unet),
            ("first text encoder", &self.text_encoder),
            ("second text encoder", &self.text_encoder_2),
            ("VAE", &self.vae),
        ]
    }

    /// What the file calls a canonical tensor of the part with this number.
    pub(crate) fn spelled(&self, part: usize, name: &str) -> String {
        let (_, component) = self.parts()[part];
        if self.folder.is_some() {
            return match part {
                0 => names::unet_to_diffusers(name, 2).unwrap_or_else(|| name.to_owned()),
                _ => name.to_owned(),
            };
        }
        single_file::spelled(part, name, component)
    }

    /// Why a stored tensor draws nothing, if that is known.
    pub(crate) fn harmless(&self, file: &TensorFile, key: &str) -> Option<&'static str> {
        let folder = file.path().parent().and_then(Path::file_name);
        let part = match self.folder {
            Some(_) => PARTS
                .iter()
                .position(|part| folder.is_some_and(|folder| folder == *part)),
            None => single_file::part(key),
        };
        let is_own = self.own_vae.as_ref().is_some_and(|vae| !vae.has(file));
        if is_own && part == Some(3) {
            return Some("another VAE was named");
        }
        single_file::harmless(key, part)
    }

    fn from_file(file: TensorFile, own_vae: Option<OwnVae>) -> Result<Self, FileError> {
        let file = Arc::new(file);
        let parts = single_file::sort(&file);
        if let Some(found) = single_file::something_else(&file, &parts) {
            return Err(FileError::NotSdxl {
                path: file.path().to_owned(),
                found,
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
            own_vae: None,
        }
        .with(own_vae))
    }

    /// Takes the VAE from elsewhere.
    fn with(mut self, own_vae: Option<OwnVae>) -> Self {
        if let Some(own) = &own_vae {
            self.vae = own.tensors.clone();
            self.files.extend(own.files.iter().cloned());
        }
        Self { own_vae, ..self }
    }

    fn from_folder(folder: Folder, own_vae: Option<OwnVae>) -> Result<Self, FileError> {
        let mut files = Vec::new();
        let mut open = |part: &'static str| -> Result<Vec<Arc<TensorFile>>, FileError> {
            let opened = folder.weight_files(part)?;
            files.extend(opened.iter().cloned());
            Ok(opened)
        };
        let path = folder.path();

        let mut unet = Component::new(path.join("unet"));
        // SDXL and its relatives have two residual blocks to a down block; other numbers are named alike.
        let n_layers = folder.json::<UnetLayers>("unet/config.json")?.layers_per_block;
        for file in open("unet")? {
            for key in sorted(&file) {
                if let Some(name) = names::unet(key, n_layers) {
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
                for key in sorted(&file) {
                    for (name, how) in names::text(key) {
                        component.list(name, &file, key, how);
                    }
                }
            }
        }
        let mut vae = Component::new(path.join("vae"));
        if own_vae.is_none() {
            for file in open("vae")? {
                for key in sorted(&file) {
                    let (name, part) = names::vae_from_diffusers(key);
                    vae.list(name, &file, key, part);
                }
            }
        }
        Ok(Self {
            unet,
            text_encoder,
            text_encoder_2,
            vae,
            files,
            folder: Some(folder),
            own_vae: None,
        }
        .with(own_vae))
    }
}

/// In an order, so that the same name of two tensors means the same one each time.
fn sorted(file: &TensorFile) -> Vec<&str> {
    let mut keys: Vec<&str> = file.names().collect();
    keys.sort_unstable();
    keys
}

/// A VAE that was named beside the base model.
#[derive(Debug, Clone)]
pub struct OwnVae {
    tensors: Component,
    files: Vec<Arc<TensorFile>>,
    /// The folder with its `config.json`, if it has one, and its path in there.
    pub(crate) config: Option<(Folder, &'static str)>,
}

impl OwnVae {
    /// Opens a file (diffusers' names, or those of single files with or without `first_stage_model.`), a folder with
    /// `config.json` and weights, or the folder of a whole model.
    fn open(path: &Path) -> Result<Self, FileError> {
        let not_vae = |found: String| FileError::NotSdxl {
            path: path.to_owned(),
            found,
            expected: "a VAE: a safetensors file with `decoder.` and `encoder.` tensors, or a diffusers folder with \
                       config.json and diffusion_pytorch_model.safetensors",
        };
        let (files, config) = if path.is_dir() {
            let is_whole = path.join("vae").is_dir();
            let (folder, file) = if is_whole {
                (path.join("vae"), "vae/config.json")
            } else {
                (path.to_owned(), "config.json")
            };
            let files = open_all(
                &folder,
                &weight_paths(&folder, "vae").map_err(|err| not_vae(err.to_string()))?,
            )?;
            (files, Some((Folder::Disk(path.to_owned()), file)))
        } else {
            (vec![Arc::new(TensorFile::open(path)?)], None)
        };
        let mut tensors = Component::new(path.to_owned());
        for file in &files {
            let [.., vae] = single_file::sort(file);
            tensors.take(vae);
        }
        if tensors.is_empty() {
            let keys = files.iter().flat_map(|file| sorted(file));
            let first = keys.clone().next().unwrap_or("none").to_owned();
            return Err(not_vae(format!(
                "{} other tensors such as `{first}`",
                keys.count()
            )));
        }
        Ok(Self {
            tensors,
            files,
            config,
        })
    }

    fn has(&self, file: &TensorFile) -> bool {
        self.files.iter().any(|own| own.path() == file.path())
    }
}

fn open_all(folder: &Path, names: &[String]) -> Result<Vec<Arc<TensorFile>>, FileError> {
    let files = names
        .iter()
        .map(|name| TensorFile::open(&folder.join(name)).map(Arc::new));
    files.collect()
}

#[derive(serde::Deserialize)]
struct UnetLayers {
    layers_per_block: usize,
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

    /// Whether it has a configuration file of this name.
    pub(crate) fn has(&self, file: &str) -> bool {
        self.read(file).is_some()
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
    fn weight_files(&self, part: &'static str) -> Result<Vec<Arc<TensorFile>>, FileError> {
        match self {
            Self::BuiltIn { name, files } => {
                let file = format!("{part}/{}{TENSORS}", stem(part));
                let Some((_, bytes)) = files.iter().find(|(name, _)| *name == file) else {
                    return Err(self.without(&file));
                };
                let file = TensorFile::built_in(&format!("{name}/{file}"), bytes)?;
                Ok(vec![Arc::new(file)])
            }
            Self::Disk(folder) => {
                let inside = folder.join(part);
                let names = weight_paths(&inside, part).map_err(|err| FileError::NotSdxl {
                    path: self.path(),
                    found: format!("a folder with {err}"),
                    expected: EXPECTED,
                })?;
                open_all(&inside, &names)
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

/// The names of the files with the tensors of one part, in the part's own folder: one that is whole, or all shards.
///
/// # Errors
/// If none is complete.
pub fn weight_paths(folder: &Path, part: &'static str) -> Result<Vec<String>, NoWeights> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let names: Vec<String> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            // Links lead to files as well.
            let is_file = entry.path().is_file();
            is_file.then(|| entry.file_name().into_string().ok())?
        })
        .collect();
    let chosen = choose(part, names.iter().map(String::as_str), Prefer::Full)?;
    Ok(chosen.into_iter().map(str::to_owned).collect())
}
