//! Downloaded base models: cached by hash for later jobs, deleted when space is needed.
//!
//! Each base has a folder `bases/KEY` with its files, which have temporary names during the download. A base in use
//! is locked, so that several agents can share the folder. Interrupted downloads are
//! resumed.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use diffusion::base::BaseOptions;
use protocol::{
    agent::{BaseFile, BaseLocation, KnownOfBase},
    base::is_relative,
};
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest as _, Sha256};

use crate::{
    client::{Client, Patience},
    job::Base,
    transfer::{self, Kept, TransferError},
};

/// Default cache size: five bases of SDXL's size.
pub const DEFAULT_CACHE_BYTES: u64 = 40_000_000_000;

/// Polling interval while another agent downloads the base.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Disk space reserved for the training itself.
const SPARE_BYTES: u64 = 2_000_000_000;

/// Cache of downloaded bases.
#[derive(Debug, Clone)]
pub(crate) struct Bases {
    folder: PathBuf,
    /// Maximum total size in bytes.
    max_bytes: u64,
    /// Client for downloads from user-provided URLs.
    web: fetch::Client,
}

/// A base on this machine; it is kept as long as this value exists.
#[derive(Debug)]
pub(crate) struct Located {
    pub(crate) base: Base,
    _lock: Option<File>,
}

/// A base with what is said about it; its files are kept as long as this value exists.
#[derive(Debug)]
pub(crate) struct Furnished {
    pub(crate) base: Base,
    pub(crate) options: BaseOptions,
    _files: Vec<Located>,
}

/// Why a base could not be downloaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BaseError {
    /// It exceeds the cache size.
    #[error(
        "the base model has {} GB, but the limit for base models on this machine is {} GB: start its agent with a larger \
         --base-cache-gb",
        gb(*.needed), gb(*.limit)
    )]
    TooLarge {
        /// Its bytes.
        needed: u64,
        /// The cache size.
        limit: u64,
    },
    /// The disk is full.
    #[error(
        "the base model needs {} GB of disk, and only {} GB are free at `{}`: free space, or give the machine a \
             larger disk",
        gb(*.needed), gb(*.free), .folder.display()
    )]
    DiskFull {
        /// Its missing bytes plus the space reserved for training.
        needed: u64,
        /// Free bytes.
        free: u64,
        /// The folder.
        folder: PathBuf,
    },
    /// The server sent an invalid file name.
    #[error("the server gave the base model a file with the name `{0}`, which leads out of its folder")]
    BadName(String),
    /// A download failed.
    #[error("the base model could not be downloaded")]
    Transfer(#[source] TransferError),
    /// The folder cannot be used.
    #[error("failed to use the folder of base models `{path}`")]
    Disk {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        err: io::Error,
    },
}

fn gb(n_bytes: u64) -> String {
    format!("{:.1}", n_bytes as f64 / 1e9)
}

impl Bases {
    pub(crate) fn new(folder: PathBuf, max_bytes: u64, web: fetch::Client) -> Self {
        Self {
            folder,
            max_bytes,
            web,
        }
    }

    /// Finds a base on this machine, or downloads it, and the VAE in place of its own.
    pub(crate) async fn furnish(
        &self,
        client: &Client,
        (location, known): (&BaseLocation, &KnownOfBase),
        patience: Patience,
        progress: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<Furnished, BaseError> {
        let base = self.locate(client, location, patience, progress).await?;
        let vae = match &known.vae {
            Some(vae) => Some(self.locate(client, vae, patience, &|_, _| {}).await?),
            None => None,
        };
        let options = BaseOptions {
            prediction: known.prediction,
            vae: vae.as_ref().map(|vae| match &vae.base {
                Base::Path(path) => path.clone(),
                Base::BuiltIn(name) => PathBuf::from(name),
            }),
        };
        Ok(Furnished {
            base: base.base.clone(),
            options,
            _files: std::iter::once(base).chain(vae).collect(),
        })
    }

    /// Finds a base on this machine, or downloads it; `progress` receives the downloaded and total bytes.
    pub(crate) async fn locate(
        &self,
        client: &Client,
        location: &BaseLocation,
        patience: Patience,
        progress: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<Located, BaseError> {
        let files = match location {
            BaseLocation::BuiltIn { name } => return Ok(Located::here(Base::BuiltIn(name.clone()))),
            BaseLocation::Path { path } => return Ok(Located::here(Base::Path(path.into()))),
            BaseLocation::Files { files } => files,
        };
        if let Some(bad) = files.iter().find(|file| !is_relative(&file.path)) {
            return Err(BaseError::BadName(bad.path.clone()));
        }
        let key = key(files);
        let folder = self.folder.join(&key);
        let disk = |err| BaseError::Disk {
            path: folder.clone(),
            err,
        };
        let sizes = files.iter().map(|file| file.file.size_bytes);
        let total = sizes.fold(0, u64::saturating_add);
        if total > self.max_bytes {
            return Err(BaseError::TooLarge {
                needed: total,
                limit: self.max_bytes,
            });
        }
        progress(0, total);
        let lock = self.lock_file(&key).map_err(disk)?;
        loop {
            wait_for(&lock, FlockOperation::NonBlockingLockShared)
                .await
                .map_err(disk)?;
            if files.iter().all(|file| is_whole(&folder, file)) {
                break;
            }
            // Only one downloads; the others find the files afterwards.
            wait_for(&lock, FlockOperation::NonBlockingLockExclusive)
                .await
                .map_err(disk)?;
            self.fetch(client, &key, files, patience, progress).await?;
        }
        // Marks it as recently used.
        lock.set_modified(SystemTime::now()).map_err(disk)?;
        progress(total, total);
        let path = match files.as_slice() {
            [only] => folder.join(&only.path),
            _ => folder,
        };
        Ok(Located {
            base: Base::Path(path),
            _lock: Some(lock),
        })
    }

    /// Downloads the missing files.
    async fn fetch(
        &self,
        client: &Client,
        key: &str,
        files: &[BaseFile],
        patience: Patience,
        progress: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<(), BaseError> {
        let folder = self.folder.join(key);
        let (missing, there): (Vec<_>, Vec<_>) = files.iter().partition(|file| !is_whole(&folder, file));
        let sum = |files: &[&BaseFile]| files.iter().map(|file| file.file.size_bytes).sum::<u64>();
        let total = sum(&missing) + sum(&there);
        let arrived: u64 = missing.iter().map(|file| size_of(&part(&folder, file))).sum();
        self.make_room(key, total, sum(&missing).saturating_sub(arrived))?;
        let mut done = sum(&there);
        for file in missing {
            let (path, part) = (folder.join(&file.path), part(&folder, file));
            // An older server does not send this, and the hub still needs the token.
            let is_foreign = file.is_foreign || self.web.is_of_hub(&file.file.url);
            let kept = Kept {
                path: &path,
                part: &part,
                web: is_foreign.then_some(&self.web),
                progress: &|n_bytes| progress(done + n_bytes, total),
            };
            transfer::download_kept(client, &file.file, kept, patience)
                .await
                .map_err(BaseError::Transfer)?;
            done += file.file.size_bytes;
        }
        Ok(())
    }

    fn lock_file(&self, key: &str) -> io::Result<File> {
        fs::create_dir_all(&self.folder)?;
        File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(self.folder.join(format!("{key}.lock")))
    }

    /// Deletes the least recently used bases until one of `total` bytes, of which `missing` are missing, fits.
    fn make_room(&self, key: &str, total: u64, missing: u64) -> Result<(), BaseError> {
        let disk = |err| BaseError::Disk {
            path: self.folder.clone(),
            err,
        };
        let mut others = self.others(key).map_err(disk)?;
        others.sort_by_key(|other| other.used_at);
        let mut others = others.into_iter();
        loop {
            let kept: u64 = others.as_slice().iter().map(|other| other.n_bytes).sum();
            let free = free_bytes(&self.folder).map_err(disk)?;
            let needed = missing + SPARE_BYTES;
            if kept + total <= self.max_bytes && free >= needed {
                return Ok(());
            }
            let Some(oldest) = others.next() else {
                return Err(BaseError::DiskFull {
                    needed,
                    free,
                    folder: self.folder.clone(),
                });
            };
            let lock = self.lock_file(&oldest.key).map_err(disk)?;
            // One in use is kept regardless of the limit: its space cannot be freed now.
            if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
                tracing::info!(
                    key = oldest.key,
                    n_bytes = oldest.n_bytes,
                    "deleting the least recently used base model"
                );
                fs::remove_dir_all(self.folder.join(&oldest.key)).map_err(disk)?;
            }
        }
    }

    fn others(&self, key: &str) -> io::Result<Vec<Other>> {
        let mut others = Vec::new();
        for entry in fs::read_dir(&self.folder)?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name == key || !entry.path().is_dir() {
                continue;
            }
            let lock = self.folder.join(format!("{name}.lock"));
            others.push(Other {
                used_at: fs::metadata(lock).and_then(|meta| meta.modified()).ok(),
                n_bytes: folder_bytes(&entry.path()),
                key: name,
            });
        }
        Ok(others)
    }
}

/// Another cached base.
struct Other {
    key: String,
    used_at: Option<SystemTime>,
    n_bytes: u64,
}

impl Located {
    fn here(base: Base) -> Self {
        Self { base, _lock: None }
    }
}

/// There is no event for it: the lock is another process's.
async fn wait_for(lock: &File, operation: FlockOperation) -> io::Result<()> {
    loop {
        match flock(lock, operation) {
            Ok(()) => return Ok(()),
            Err(rustix::io::Errno::WOULDBLOCK) => tokio::time::sleep(LOOK_AGAIN).await,
            Err(err) => return Err(err.into()),
        }
    }
}

/// Folder name of a base: the hash of its file, or of its file list.
fn key(files: &[BaseFile]) -> String {
    if let [only] = files {
        return only.file.sha256.clone();
    }
    let mut hasher = Sha256::new();
    for file in files {
        hasher.update(format!("{} {}\n", file.file.sha256, file.path));
    }
    hex::encode(hasher.finalize())
}

/// A file gets its name when its hash was right; its size tells whether somebody has cut it since.
fn is_whole(folder: &Path, file: &BaseFile) -> bool {
    let path = folder.join(&file.path);
    path.is_file() && size_of(&path) == file.file.size_bytes
}

/// Where a file arrives.
fn part(folder: &Path, file: &BaseFile) -> PathBuf {
    folder.join(format!("{}.part", file.path))
}

fn size_of(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}

fn folder_bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| {
            let path = entry.path();
            if path.is_dir() {
                folder_bytes(&path)
            } else {
                size_of(&path)
            }
        })
        .sum()
}

fn free_bytes(folder: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(folder)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(test)]
mod tests;
