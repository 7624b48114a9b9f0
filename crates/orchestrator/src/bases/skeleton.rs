//! A folder with files like those of a base model, but with only their headers and small text files. The loader
//! accepts them as the model, so it never opens a file that others can reach, replace or truncate.

use std::{
    fs,
    io::{self, Seek as _, SeekFrom, Write as _},
    path::Path,
};

use protocol::{
    base::{BaseFacts, Prediction},
    limits::{MAX_BASE_FILE_BYTES, MAX_BASE_FILES},
};
use tempfile::TempDir;

use store::bases::File;

use super::{Beside, Inspect, files};

/// Where a VAE lies that is named beside a base model.
const VAE_FOLDER: &str = "named-vae";

/// The first bytes of a VAE that is named beside a base model.
#[derive(Debug)]
pub(crate) struct NamedVae {
    pub(crate) file: File,
    pub(crate) start: Vec<u8>,
    /// As messages call it.
    pub(crate) shown: String,
}

/// What is looked at in a skeleton.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    /// One of its files, or all of it.
    pub(crate) file: Option<&'a str>,
    /// As messages call it.
    pub(crate) shown: &'a str,
    /// What its owner says that it predicts.
    pub(crate) prediction: Option<Prediction>,
    /// A VAE in place of its own.
    pub(crate) vae: Option<&'a NamedVae>,
}

/// The folder; it is deleted when this value is dropped.
#[derive(Debug)]
pub(crate) struct Skeleton(TempDir);

impl Skeleton {
    pub(crate) fn new() -> Result<Self, String> {
        let folder = tempfile::tempdir();
        let folder = folder.map_err(|err| format!("the folder for temporary files cannot be used: {err}"))?;
        Ok(Self(folder))
    }

    /// Puts a file there that begins with these bytes and has this size.
    pub(crate) fn put(&self, name: &str, start: &[u8], size_bytes: u64) -> Result<(), String> {
        if size_bytes > MAX_BASE_FILE_BYTES {
            return Err(format!(
                "`{name}` has {size_bytes} bytes, more than the {MAX_BASE_FILE_BYTES} that a file of a base model may have"
            ));
        }
        let path = self.0.path().join(name);
        write(&path, start, size_bytes).map_err(|err| format!("`{}` cannot be used: {err}", path.display()))
    }

    /// Looks at a base model.
    pub(crate) fn inspect(&self, subject: &Subject<'_>, inspect: Inspect) -> Result<BaseFacts, String> {
        let path = match subject.file {
            Some(file) => self.0.path().join(file),
            None => self.0.path().to_owned(),
        };
        let vae = match subject.vae {
            Some(vae) => {
                let name = format!("{VAE_FOLDER}/{}", file_name(&vae.file.path));
                self.put(&name, &vae.start, vae.file.size_bytes)?;
                Some(self.0.path().join(name))
            }
            None => None,
        };
        let beside = Beside {
            prediction: subject.prediction,
            vae: vae.as_deref(),
        };
        inspect(&path, beside).map_err(|problem| {
            // The folder of the model is above that of the VAE.
            let problem = match (&vae, subject.vae) {
                (Some(path), Some(vae)) => problem.replace(&path.display().to_string(), &vae.shown),
                _ => problem,
            };
            problem.replace(&path.display().to_string(), subject.shown)
        })
    }
}

fn write(path: &Path, bytes: &[u8], size_bytes: u64) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = fs::File::create(path)?;
    file.write_all(bytes)?;
    file.set_len(size_bytes)?;
    file.seek(SeekFrom::Start(0)).map(drop)
}

/// A base model that would keep the server busy for ever is not begun.
pub(crate) fn check_number(n_files: usize) -> Result<(), String> {
    if n_files > MAX_BASE_FILES {
        return Err(format!(
            "it has {n_files} files, more than the {MAX_BASE_FILES} that a base model may have"
        ));
    }
    Ok(())
}

/// Last part of an address or path, without what follows `?`, as the name of a file that loaders know by its ending.
pub(crate) fn file_name(address: &str) -> String {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._- ()+".contains(c);
    let name: String = name.chars().filter(|c| is_plain(*c)).collect();
    let stem = name.strip_suffix(files::TENSORS).unwrap_or(&name);
    let stem = stem.trim_matches(['.', ' ']);
    // File systems have names of at most 255 bytes, and parts of downloads have longer ones.
    let stem = &stem[..stem.len().min(200)];
    let stem = if stem.is_empty() { "base" } else { stem };
    format!("{stem}{}", files::TENSORS)
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn a_file_gets_a_name_that_loaders_know() {
        let long = "a".repeat(300);
        for (address, name) in [
            ("https://a.example/b/sd xl.safetensors", "sd xl.safetensors"),
            (
                "https://a.example/api/download/models/128078?type=Model",
                "128078.safetensors",
            ),
            ("https://a.example/", "base.safetensors"),
            ("/models/..", "base.safetensors"),
            (&long, &format!("{}.safetensors", &long[..200])),
        ] {
            assert_eq!(file_name(address), name);
        }
    }
}
