//! The base model as sd-scripts can read it.
//!
//! It takes a single file as it is. Of a diffusers folder it finds weights under their plain names only; if it trains
//! in fp16 it asks for those of half precision, and gives up if there are none; and it finds shards by a list of their
//! tensors. Our folders may hold half precision alone, which is half as much to fetch, and shards without their list.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use diffusion::{
    base::{BaseInfo, export_built_in},
    schedulers::PredictionType,
    weights::{FileError, PARTS, TensorFile, stem, weight_paths},
};
use protocol::problem::chain;
use serde_json::json;

use super::failure::Failure;
use crate::engine::Base;

/// Channels of outputs of SDXL's first level; a base with fewer is not one that sd-scripts has built in.
const SDXL_CHANNELS: usize = 320;

/// What weights are asked for: the plain ones, and those in half precision.
const VARIANTS: [&str; 2] = ["", ".fp16"];

/// A base model on this machine.
#[derive(Debug)]
pub(super) struct Located {
    /// For `--pretrained_model_name_or_path`.
    pub(super) path: PathBuf,
    /// What it predicts.
    pub(super) prediction: PredictionType,
    /// A fingerprint of its weights.
    pub(super) hash: String,
    /// What a user should know before it is loaded.
    pub(super) warning: Option<String>,
}

/// Finds the base, hashes it, and lays it out below `folder` where sd-scripts cannot read it as it is. What it is called
/// there stands in every LoRA's metadata.
pub(super) fn locate(base: &Base, name: &str, folder: &Path) -> Result<Located, Failure> {
    let wrong = |err: &dyn std::error::Error| Failure::Machine(chain(err));
    let source = match base {
        Base::BuiltIn(name) => {
            let path = folder.join(name);
            export_built_in(name, &path).map_err(|err| wrong(&err))?;
            path
        }
        // sd-scripts takes the path of a missing file for the name of a repository.
        Base::Path(path) => std::path::absolute(path).map_err(|err| wrong(&err))?,
    };
    let info = BaseInfo::read(&source).map_err(|err| wrong(&err))?;
    let hash = BaseInfo::fingerprint(&source).map_err(|err| wrong(&err))?;
    let path = if matches!(base, Base::Path(_)) && source.is_dir() {
        let name = Path::new(name).file_name().unwrap_or("base".as_ref());
        let path = folder.join("base").join(name);
        lay_out(&source, &path).map_err(|err| wrong(&err))?;
        path
    } else {
        source
    };
    let warning = (info.model_channels != SDXL_CHANNELS).then(|| {
        format!(
            "`{}` has other sizes than SDXL, which sd-scripts has built in: it fails to load it unless its Python is \
             told other sizes",
            info.name
        )
    });
    Ok(Located {
        path,
        prediction: info.prediction_type,
        hash,
        warning,
    })
}

/// Why a folder could not be laid out.
#[derive(Debug, thiserror::Error)]
enum LayOutError {
    #[error("failed to lay out the base model in `{path}`")]
    Disk {
        path: PathBuf,
        #[source]
        err: io::Error,
    },
    #[error(transparent)]
    File(#[from] FileError),
}

/// Links everything of a diffusers folder into another, each file under every name that is looked for.
fn lay_out(from: &Path, to: &Path) -> Result<(), LayOutError> {
    let disk = |err| LayOutError::Disk {
        path: to.to_owned(),
        err,
    };
    if to.exists() {
        fs::remove_dir_all(to).map_err(disk)?;
    }
    fs::create_dir_all(to).map_err(disk)?;
    for entry in fs::read_dir(from).map_err(disk)? {
        let entry = entry.map_err(disk)?;
        if !PARTS.iter().any(|part| entry.file_name() == *part) {
            symlink(entry.path(), to.join(entry.file_name())).map_err(disk)?;
        }
    }
    for part in PARTS {
        let folder = to.join(part);
        fs::create_dir(&folder).map_err(disk)?;
        symlink(from.join(part).join("config.json"), folder.join("config.json")).map_err(disk)?;
        let stem = stem(part);
        let files = weight_paths(from, part);
        for variant in VARIANTS {
            let mut shard_of = BTreeMap::new();
            for file in &files {
                // `-00001-of-00002.safetensors` is left of a shard's name.
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                let name = match name.strip_prefix(stem).filter(|_| files.len() > 1) {
                    Some(ending) => format!("{stem}{variant}{ending}"),
                    None => format!("{stem}{variant}.safetensors"),
                };
                symlink(file, folder.join(&name)).map_err(disk)?;
                if files.len() > 1 {
                    let tensors = TensorFile::open(file)?;
                    shard_of.extend(tensors.names().map(|tensor| (tensor.to_owned(), name.clone())));
                }
            }
            if !shard_of.is_empty() {
                let list = json!({ "metadata": {}, "weight_map": shard_of });
                let path = folder.join(format!("{stem}.safetensors.index{variant}.json"));
                fs::write(path, list.to_string()).map_err(disk)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
