//! Prepares the base model for sd-scripts.
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
    base::{BaseError, BaseHashes, BaseInfo, BaseOptions, export_built_in},
    weights::{FileError, TensorFile, weight_paths},
};
use protocol::{
    agent::Report,
    base::{
        Prediction,
        weights::{NoWeights, PARTS, stem},
    },
    made::MadeBase,
    problem::chain,
};
use serde_json::json;
use trainer::made::plain_name;

use super::failure::Failure;
use crate::{job::Base, measured::Measurements};

/// Channels of outputs of SDXL's first level; a base with fewer is not one that sd-scripts has built in.
const SDXL_CHANNELS: usize = 320;

/// What weights are asked for: the plain ones, and those in half precision.
const VARIANTS: [&str; 2] = ["", ".fp16"];

/// A base model on this machine, and where sd-scripts finds it.
#[derive(Debug)]
pub struct Located {
    /// For `--pretrained_model_name_or_path`.
    pub path: PathBuf,
    /// A VAE in place of its own, for `--vae`.
    pub vae: Option<PathBuf>,
    /// Its prediction type.
    pub prediction: Prediction,
    /// A fingerprint of its weights.
    pub hash: String,
    /// What previews say of it.
    pub(super) made: MadeBase,
    /// What the server has to be told of it.
    pub(super) news: Option<Report>,
    /// Warnings for the user.
    pub(super) warnings: Vec<String>,
    from: Base,
}

impl Located {
    /// Looks at a base and hashes it. A folder is to be laid out below `folder`, and called `name` there, which stands
    /// in every LoRA's metadata.
    ///
    /// # Errors
    /// If there is none, or something else.
    pub fn find(
        base: &Base,
        options: &BaseOptions,
        measurements: &Measurements,
        (name, folder): (&str, &Path),
    ) -> Result<Self, Failure> {
        let wrong = |err: &dyn std::error::Error| Failure::Machine(chain(err));
        let (info, hashes) = known(base, options, measurements).map_err(|err| wrong(&err))?;
        let path = match base {
            // sd-scripts takes the path of a missing file for the name of a repository.
            Base::Path(path) if path.is_file() => std::path::absolute(path).map_err(|err| wrong(&err))?,
            _ => {
                let name = Path::new(name).file_name().unwrap_or("base".as_ref());
                folder.join("base").join(name)
            }
        };
        let mut warnings = info.warnings();
        warnings.extend((info.model_channels != SDXL_CHANNELS).then(|| {
            format!(
                "`{}` has other sizes than SDXL, which sd-scripts has built in: it fails to load it unless its Python \
                 is told other sizes",
                info.name
            )
        }));
        Ok(Self {
            path,
            vae: match &options.vae {
                Some(vae) => Some(std::path::absolute(vae).map_err(|err| wrong(&err))?),
                None => None,
            },
            prediction: info.predicts.prediction,
            hash: hashes.fingerprint.clone(),
            made: MadeBase {
                name: plain_name(&info.name),
                fingerprint: hashes.fingerprint,
                sha256: hashes.file_sha256,
                prediction: Some(info.predicts.prediction),
            },
            news: measurements.news(&info),
            warnings,
            from: base.clone(),
        })
    }

    /// Puts it where sd-scripts shall find it.
    pub(super) fn lay_out(&self) -> Result<(), Failure> {
        let laid_out = match &self.from {
            Base::BuiltIn(name) => export_built_in(name, &self.path).map_err(|err| chain(&err)),
            Base::Path(from) if from.is_dir() => lay_out(from, &self.path).map_err(|err| chain(&err)),
            Base::Path(_) => Ok(()),
        };
        laid_out.map_err(Failure::Machine)
    }
}

/// Facts about a base, with what it was measured to do, and its hashes.
fn known(
    base: &Base,
    options: &BaseOptions,
    measurements: &Measurements,
) -> Result<(BaseInfo, BaseHashes), BaseError> {
    if let Base::Path(path) = base {
        let mut info = BaseInfo::read_with(path, options)?;
        info.measured = measurements.known(&info);
        if info.measured.is_some() {
            return Ok((info, BaseInfo::hashes(path, options)?));
        }
    }
    // It is loaded once before the first training: this compares what the U-Net does with what its files say, and finds
    // a tensor with NaN, which sd-scripts would only show as a loss of NaN.
    let mut model = base.load(options)?;
    measurements.tell(&mut model)?;
    Ok((model.info.clone(), model.hashes()))
}

/// Why a folder could not be prepared.
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
    #[error(transparent)]
    Weights(#[from] NoWeights),
}

/// Links everything of a diffusers folder into another, each file under every name that is looked for.
fn lay_out(from: &Path, to: &Path) -> Result<(), LayOutError> {
    let disk = |err| LayOutError::Disk {
        path: to.to_owned(),
        err,
    };
    // Links lead from where it is, not from where we are.
    let from = &std::path::absolute(from).map_err(disk)?;
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
        let names = weight_paths(&from.join(part), part)?;
        let files: Vec<PathBuf> = names.iter().map(|name| from.join(part).join(name)).collect();
        if let [file] = files.as_slice() {
            for variant in VARIANTS {
                symlink(file, folder.join(format!("{stem}{variant}.safetensors"))).map_err(disk)?;
            }
            continue;
        }
        let mut lists = VARIANTS.map(|variant| (variant, BTreeMap::new()));
        for (file, number) in files.iter().zip(1..) {
            let tensors = TensorFile::open(file)?;
            for (variant, shard_of) in &mut lists {
                let name = format!("{stem}{variant}-{number:05}-of-{:05}.safetensors", files.len());
                symlink(file, folder.join(&name)).map_err(disk)?;
                shard_of.extend(tensors.names().map(|tensor| (tensor.to_owned(), name.clone())));
            }
        }
        for (variant, shard_of) in lists {
            let list = json!({ "metadata": {}, "weight_map": shard_of });
            let path = folder.join(format!("{stem}.safetensors.index{variant}.json"));
            fs::write(path, list.to_string()).map_err(disk)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
