//! Writes a built-in base model out as a diffusers folder, for other programs.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::BaseError;
use crate::assets;

/// Why a built-in model could not be written out.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// There is none of that name.
    #[error(transparent)]
    Unknown(#[from] BaseError),
    /// A file could not be written.
    #[error("failed to write `{path}`")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        err: io::Error,
    },
}

/// Writes the built-in model `name` to `folder`, where diffusers' `from_pretrained` finds everything.
///
/// # Errors
/// If no built-in model has this name, or writing it fails.
pub fn export_built_in(name: &str, folder: &Path) -> Result<(), ExportError> {
    if name != "tiny-xl" {
        return Err(BaseError::UnknownBuiltIn(name.to_owned()).into());
    }
    for (file, bytes) in assets::TINY_XL {
        write(&folder.join(file), bytes)?;
        // Both tokenizers are the same; the program holds one.
        if let Some(file) = file.strip_prefix("tokenizer_2/") {
            write(&folder.join("tokenizer").join(file), bytes)?;
        }
    }
    for tokenizer in ["tokenizer", "tokenizer_2"] {
        write(
            &folder.join(tokenizer).join("tokenizer.json"),
            crate::tokenizer::CLIP_TOKENIZER,
        )?;
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), ExportError> {
    let outcome = path
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(path, bytes));
    outcome.map_err(|err| ExportError::Write {
        path: path.to_owned(),
        err,
    })
}
