//! Writes a base model that LoRA files were merged into.

use std::{
    collections::{BTreeMap, HashSet},
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use diffusion::{
    base::export_built_in,
    lora::edit::apply::Applied,
    weights::{Checkpoint, Folder, TensorFile as OpenFile},
};

use crate::tensor_file::{Content, TensorFile, WriteError, write_atomically};

/// Folders within a diffusers folder are one deep, and those of caches deeper than anyone looks.
const MAX_DEPTH: usize = 4;
/// Files of weights. Those that were not read would still be the base's.
const WEIGHTS: [&str; 7] = ["safetensors", "bin", "ckpt", "pt", "pth", "msgpack", "onnx"];

/// Writes the base model with its changes: a file if the base is one, or else a folder. There must be no folder at `out`.
/// Returns the files of the base's folder that were left out, because they hold its old weights in another format.
///
/// # Errors
/// If a tensor cannot be computed or a file not be written; then there is nothing new at `out`.
pub fn write_merged(
    base: &Checkpoint,
    applied: &Applied<'_>,
    out: &Path,
) -> Result<Vec<PathBuf>, WriteError> {
    let failed = |err| WriteError {
        path: out.to_owned(),
        err,
    };
    let Some(folder) = &base.folder else {
        let [file] = base.files.as_slice() else {
            return Err(failed(io::Error::other(
                "a base model without a folder is one file",
            )));
        };
        write_file(file, applied, out)?;
        return Ok(Vec::new());
    };
    let beside = out
        .parent()
        .filter(|path| !path.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    // With the rights that any folder of this user has.
    let temporary = tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(0o777))
        .tempdir_in(beside)
        .map_err(failed)?;
    let left_out = write_folder(base, folder, applied, temporary.path())?;
    let written = temporary.keep();
    // A folder is never replaced: one that is not empty makes this fail.
    if let Err(err) = fs::rename(&written, out) {
        let _ = fs::remove_dir_all(&written);
        return Err(failed(err));
    }
    fs::File::open(beside)
        .and_then(|folder| folder.sync_all())
        .map_err(failed)?;
    Ok(left_out)
}

fn write_folder(
    base: &Checkpoint,
    folder: &Folder,
    applied: &Applied<'_>,
    out: &Path,
) -> Result<Vec<PathBuf>, WriteError> {
    let failed = |path: &Path, err| WriteError {
        path: path.to_owned(),
        err,
    };
    if let Folder::BuiltIn { name, .. } = folder {
        export_built_in(name, out).map_err(|err| failed(out, io::Error::other(err)))?;
    }
    let mut weights = HashSet::new();
    for file in &base.files {
        let within = file.path().strip_prefix(folder.path()).unwrap_or(file.path());
        let path = out.join(within);
        let parent = path.parent().unwrap_or(out);
        fs::create_dir_all(parent).map_err(|err| failed(parent, err))?;
        write_file(file, applied, &path)?;
        weights.insert(within.to_owned());
    }
    let Folder::Disk(root) = folder else {
        return Ok(Vec::new());
    };
    let mut left_out = Vec::new();
    for within in files_within(root).map_err(|err| failed(root, err))? {
        let is_weights = within
            .extension()
            .is_some_and(|extension| WEIGHTS.iter().any(|known| extension == *known));
        if weights.contains(&within) {
            continue;
        }
        if is_weights {
            left_out.push(within);
            continue;
        }
        let path = out.join(&within);
        let parent = path.parent().unwrap_or(out);
        fs::create_dir_all(parent)
            .and_then(|()| fs::copy(root.join(&within), &path))
            .map_err(|err| failed(&path, err))?;
    }
    Ok(left_out)
}

/// Relative paths of the regular files, hidden ones left out.
fn files_within(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![(PathBuf::new(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            let within = folder.join(entry.file_name());
            // Through links: caches of the Hugging Face Hub are made of them.
            let kind = fs::metadata(root.join(&within))?;
            if kind.is_dir() && depth < MAX_DEPTH {
                folders.push((within, depth + 1));
            } else if kind.is_file() {
                files.push(within);
            }
        }
    }
    files.sort();
    Ok(files)
}

fn write_file(file: &OpenFile, applied: &Applied<'_>, out: &Path) -> Result<(), WriteError> {
    let mut metadata: BTreeMap<String, String> = file.metadata().clone().into_iter().collect();
    metadata.remove("modelspec.hash_sha256");
    metadata.insert("modelspec.merged_from".to_owned(), applied.done.clone());
    let tensors = file.names().filter_map(|name| {
        let info = file.info(name)?;
        let content = if applied.changes(file, name) {
            Content::Computed(Box::new(move || {
                applied.bytes(file, name).map_err(io::Error::other)
            }))
        } else {
            Content::Bytes(file.bytes(name).ok()?)
        };
        Some((name, info.dtype, info.shape.as_slice(), content))
    });
    let tensors = TensorFile::of_kinds(tensors);
    write_atomically(out, |out| tensors.write(&metadata, out))
}

#[cfg(test)]
mod tests;
