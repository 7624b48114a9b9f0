//! A base model on the server's machine: which files it has, and what they hold.

use std::{
    fs,
    io::{self, Read as _},
    path::Path,
    time::Duration,
};

use protocol::{
    base::{BaseFacts, Prediction},
    limits::{BASE_DISK_SILENCE, MAX_BASE_FOLDER_NAMES, MAX_BASE_TEXT_BYTES, MAX_TENSOR_HEADER_BYTES},
    problem::chain,
};
use store::bases::{File, Located};

use super::{
    Inspect,
    files::{self, Prefer},
    places::{By, Opened, OwnFiles, PathError, Places},
    skeleton::{self, NamedVae, Skeleton, Subject},
};

/// Bytes that are read of a file without a header.
const FIRST_BYTES: u64 = 64 << 10;

/// Reads base models of this machine.
#[derive(Debug)]
pub(crate) struct Disk {
    places: Places,
    by: By,
    own: OwnFiles,
}

/// An inspected base model.
#[derive(Debug)]
pub(crate) struct Looked {
    pub(crate) facts: BaseFacts,
    /// The file or folder and the VAE, with links resolved.
    pub(crate) located: Located,
    /// Its files, and the VAE.
    pub(crate) files: Vec<File>,
}

/// A VAE of this machine that is named beside a base model.
#[derive(Debug)]
pub(crate) struct VaeOnDisk {
    pub(crate) vae: NamedVae,
    /// The file, with links resolved.
    pub(crate) place: String,
}

impl Disk {
    pub(crate) fn new(places: &Places, by: By) -> Self {
        Self {
            places: places.clone(),
            by,
            own: places.own_files(),
        }
    }

    /// Reads the first bytes of a VAE, which is a single file.
    pub(crate) fn look_at_vae(&self, path: &Path) -> Result<VaeOnDisk, String> {
        let place = self.places.resolve(path, self.by).map_err(|err| chain(&err))?;
        if place.is_dir() {
            return Err(format!(
                "the VAE `{}` is a folder: name the safetensors file in it",
                path.display()
            ));
        }
        let mut opened = self.open_at(&place).map_err(|err| chain(&err))?;
        let start = start(&mut opened, true).map_err(|err| unreadable(path, &err))?;
        let file = File {
            path: skeleton::file_name(&place.to_string_lossy()),
            url: None,
            size_bytes: opened.size_bytes,
            sha256: None,
            is_vae: true,
            is_object: false,
        };
        let shown = path.display().to_string();
        Ok(VaeOnDisk {
            vae: NamedVae { file, start, shown },
            place: place.display().to_string(),
        })
    }

    /// Looks whether there is an SDXL model, and which files it is made of. Only headers are read.
    pub(crate) fn look(
        &self,
        path: &Path,
        prediction: Option<Prediction>,
        vae: Option<&VaeOnDisk>,
        inspect: Inspect,
    ) -> Result<Looked, String> {
        let named = vae.map(|vae| &vae.vae);
        let mut looked = self.look_beside(path, prediction, named, inspect)?;
        looked.located.vae_place = vae.map(|vae| vae.place.clone());
        Ok(looked)
    }

    /// The same with a VAE that may be elsewhere.
    pub(crate) fn look_beside(
        &self,
        path: &Path,
        prediction: Option<Prediction>,
        vae: Option<&NamedVae>,
        inspect: Inspect,
    ) -> Result<Looked, String> {
        let place = self.places.resolve(path, self.by).map_err(|err| chain(&err))?;
        let is_folder = place.is_dir();
        let names = if is_folder {
            wanted(&place).map_err(|err| format!("`{}` cannot be used: {err}", path.display()))?
        } else {
            vec![skeleton::file_name(&place.to_string_lossy())]
        };
        skeleton::check_number(names.len())?;
        let skeleton = Skeleton::new()?;
        let mut files = Vec::with_capacity(names.len());
        for name in names {
            let at = if is_folder {
                place.join(&name)
            } else {
                place.clone()
            };
            let mut opened = self.open_at(&at).map_err(|err| chain(&err))?;
            let is_tensors = !is_folder || name.ends_with(files::TENSORS);
            let start = start(&mut opened, is_tensors).map_err(|err| unreadable(&at, &err))?;
            skeleton.put(&name, &start, opened.size_bytes)?;
            files.push(File {
                path: name,
                url: None,
                size_bytes: opened.size_bytes,
                sha256: None,
                is_vae: false,
                is_object: false,
            });
        }
        let only = files
            .first()
            .filter(|_| !is_folder)
            .map(|file| file.path.as_str());
        let subject = Subject {
            file: only,
            shown: &path.display().to_string(),
            prediction,
            vae,
        };
        let facts = skeleton.inspect(&subject, inspect)?;
        files.extend(vae.map(|vae| vae.file.clone()));
        let located = Located {
            place: Some(place.display().to_string()),
            vae_place: None,
        };
        Ok(Looked {
            facts,
            located,
            files,
        })
    }

    /// Opens a file of a base that was looked at.
    pub(crate) fn open(&self, place: &Path, file: &File) -> Result<Opened, String> {
        let at = if place.is_dir() && !file.is_vae {
            place.join(&file.path)
        } else {
            place.to_owned()
        };
        self.open_at(&at).map_err(|err| chain(&err))
    }

    fn open_at(&self, path: &Path) -> Result<Opened, PathError> {
        let resolved = self.places.resolve(path, self.by)?;
        self.own.open_other(&resolved)
    }
}

/// The files of a diffusers folder.
fn wanted(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    let mut n_names = 0;
    let mut counted = |entry: io::Result<fs::DirEntry>| {
        n_names += 1;
        if n_names > MAX_BASE_FOLDER_NAMES {
            return Err(io::Error::other(format!(
                "it has more than {MAX_BASE_FOLDER_NAMES} files: use the folder of the model itself"
            )));
        }
        entry
    };
    for entry in fs::read_dir(folder)? {
        let entry = counted(entry)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !entry.path().is_dir() {
            names.push(name);
        } else if files::FOLDERS.contains(&name.as_str()) {
            for inner in fs::read_dir(entry.path())? {
                names.push(format!(
                    "{name}/{}",
                    counted(inner)?.file_name().to_string_lossy()
                ));
            }
        }
    }
    let present = files::present(names.iter().map(String::as_str), Prefer::Full);
    Ok(present.into_iter().map(str::to_owned).collect())
}

/// The part that describes the file: its header, or all of a text file.
fn start(opened: &mut Opened, is_tensors: bool) -> io::Result<Vec<u8>> {
    let size_bytes = opened.size_bytes;
    if !is_tensors {
        if size_bytes > MAX_BASE_TEXT_BYTES {
            return Err(io::Error::other(format!(
                "it has {size_bytes} bytes, too many for a text file"
            )));
        }
        return read(opened, size_bytes);
    }
    let mut start = read(opened, 8.min(size_bytes))?;
    let length = start.as_slice().try_into().map(u64::from_le_bytes).ok();
    let length = length
        .filter(|length| *length <= MAX_TENSOR_HEADER_BYTES)
        .unwrap_or(FIRST_BYTES);
    let more = length.min(size_bytes.saturating_sub(8));
    start.extend(read(opened, more)?);
    Ok(start)
}

fn read(opened: &mut Opened, n_bytes: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    (&mut opened.file).take(n_bytes).read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < n_bytes {
        return Err(io::Error::other("it was truncated while it was read"));
    }
    Ok(bytes)
}

fn unreadable(path: &Path, err: &io::Error) -> String {
    format!("`{}` cannot be used: {err}", path.display())
}

/// Does what may hang, as a network drive that is gone does, without waiting for it for ever.
pub(crate) async fn patiently<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    match tokio::time::timeout(BASE_DISK_SILENCE, tokio::task::spawn_blocking(work)).await {
        Ok(Ok(done)) => done,
        Ok(Err(panic)) => Err(format!("`{}` broke the reader: {panic}", path.display())),
        Err(_) => Err(silent(path, BASE_DISK_SILENCE)),
    }
}

/// What is said of a disk that does not answer.
pub(crate) fn silent(path: &Path, waited: Duration) -> String {
    format!(
        "`{}` did not respond for {} s: is it on a disconnected network drive? Check it again when it is available",
        path.display(),
        waited.as_secs()
    )
}
