//! The disk guard: decides when the server's disk is too full for more data, and when there is space again.
//!
//! Nothing can be saved on a disk without a free byte: no checkpoint, no row. So work stops before. While a disk is
//! short of space, uploads are refused, jobs on this machine pause with a checkpoint, and nothing new is started;
//! everything continues when there is space.

#[cfg(test)]
mod tests;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use protocol::system::{DiskStatus, FolderStatus, default_min_free, is_short, resume_at};

use crate::{ServiceError, ServiceResult};

const GIB: u64 = 1 << 30;

const MOST_FREE_FILES: u64 = 2000;

/// Why a job waits, while the disk is short.
pub(crate) const WAITS: &str = "the server's disk is nearly full: the job starts when space is free";
/// Why a job was stopped, when the disk became short.
pub(crate) const PAUSED: &str =
    "paused with a checkpoint because the server's disk is nearly full: the job resumes when space is free";
/// What is free on a disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Space {
    /// Bytes that this account may still write.
    pub free_bytes: u64,
    /// Size of the disk.
    pub total_bytes: u64,
    /// Files that this account may still make.
    pub free_files: u64,
    /// Files that the disk can hold; 0 if it has no such limit.
    pub total_files: u64,
}

/// Measures disks; tests use one of their own.
#[derive(Clone)]
pub struct Gauge(Arc<dyn Fn(&Path) -> io::Result<Space> + Send + Sync>);

impl Gauge {
    /// Measures by this function.
    pub fn new(measure: impl Fn(&Path) -> io::Result<Space> + Send + Sync + 'static) -> Self {
        Self(Arc::new(measure))
    }

    /// Free space on the disk of a folder.
    pub fn measure(&self, folder: &Path) -> io::Result<Space> {
        (self.0)(folder)
    }
}

impl Default for Gauge {
    fn default() -> Self {
        Self::new(|folder| {
            let stat = rustix::fs::statvfs(folder)?;
            Ok(Space {
                free_bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
                total_bytes: stat.f_blocks.saturating_mul(stat.f_frsize),
                free_files: stat.f_favail,
                total_files: stat.f_files,
            })
        })
    }
}

impl fmt::Debug for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gauge")
    }
}

/// What is guarded.
#[derive(Debug, Clone, Default)]
pub struct DiskOptions {
    /// Folders that must stay writable, with their contents: `data`, `objects`. If there are none, nothing is
    /// guarded.
    pub folders: Vec<(&'static str, PathBuf)>,
    /// Bytes to keep free; a share of the disk if absent. 0 switches the guard off.
    pub min_free_bytes: Option<u64>,
    /// Measures them.
    pub gauge: Gauge,
}

/// What a disk is short of.
#[derive(Debug, Clone, Copy, Default)]
struct Short {
    bytes: bool,
    files: bool,
}

/// File entries that must stay free: two percent, but no more than the server creates in an hour.
fn min_free_files(total_files: u64) -> u64 {
    (total_files / 50).min(MOST_FREE_FILES)
}

/// The guard of this server's disks.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    options: DiskOptions,
    /// By folder, in the order of the options.
    short: Mutex<Vec<Short>>,
    is_short: AtomicBool,
    /// Space for the checkpoints that running jobs write when they pause.
    reserve_bytes: AtomicU64,
}

impl Disk {
    pub(crate) fn new(options: DiskOptions) -> Self {
        Self {
            short: Mutex::new(vec![Short::default(); options.folders.len()]),
            options,
            ..Self::default()
        }
    }

    /// Whether a disk was short of space at the last measurement.
    pub(crate) fn is_short(&self) -> bool {
        self.is_short.load(Ordering::Relaxed)
    }

    /// Keeps this many more bytes free.
    pub(crate) fn reserve(&self, n_bytes: u64) {
        self.reserve_bytes.store(n_bytes, Ordering::Relaxed);
    }

    /// Measures all folders. A folder that cannot be measured does not count as short of space: other operations will
    /// report the error.
    pub(crate) fn look(&self) -> DiskStatus {
        let mut short = self.short.lock().unwrap_or_else(PoisonError::into_inner);
        let mut folders = Vec::with_capacity(self.options.folders.len());
        for ((name, path), short) in self.options.folders.iter().zip(short.iter_mut()) {
            let space = match self.options.gauge.measure(path) {
                Ok(space) => space,
                Err(error) => {
                    tracing::debug!(path = %path.display(), %error, "the disk cannot be measured");
                    *short = Short::default();
                    continue;
                }
            };
            let wanted = match self.options.min_free_bytes {
                Some(0) => 0,
                set => {
                    let min_free = set.unwrap_or_else(|| default_min_free(space.total_bytes));
                    min_free.saturating_add(self.reserve_bytes.load(Ordering::Relaxed))
                }
            };
            short.bytes = is_short(short.bytes, space.free_bytes, wanted);
            let min_free_files = if wanted > 0 {
                min_free_files(space.total_files)
            } else {
                0
            };
            short.files = is_short(short.files, space.free_files, min_free_files);
            folders.push(FolderStatus {
                name: (*name).to_owned(),
                free_bytes: space.free_bytes,
                total_bytes: space.total_bytes,
                min_free_bytes: wanted,
                resume_at_bytes: resume_at(wanted),
                is_out_of_files: short.files,
                is_short: short.bytes || short.files,
            });
        }
        let is_short = folders.iter().any(|folder| folder.is_short);
        self.is_short.store(is_short, Ordering::Relaxed);
        DiskStatus { is_short, folders }
    }

    /// Refuses an upload for which there is no space; one of unknown size is refused while the disk is short of
    /// space.
    pub(crate) fn check_room(&self, n_bytes: u64) -> ServiceResult<()> {
        let status = self.look();
        let tight = status
            .folders
            .iter()
            .find(|folder| {
                folder.is_short || folder.free_bytes < folder.min_free_bytes.saturating_add(n_bytes)
            })
            .filter(|folder| folder.min_free_bytes > 0);
        match tight {
            None => Ok(()),
            Some(folder) => Err(ServiceError::NoRoom(no_room(folder, n_bytes))),
        }
    }
}

/// For a person, with figures and what to do.
fn no_room(folder: &FolderStatus, n_bytes: u64) -> String {
    if folder.is_out_of_files {
        return format!(
            "the server's disk can hold hardly any more files (its inodes are used up), although it has {} free: delete \
             files that are not needed, or give the server a disk for more files; then try again",
            bytes(folder.free_bytes)
        );
    }
    let needed = if folder.is_short {
        folder
            .resume_at_bytes
            .max(folder.min_free_bytes.saturating_add(n_bytes))
    } else {
        folder.min_free_bytes.saturating_add(n_bytes)
    };
    format!(
        "the server's disk has {} free, and {} are needed for this: delete what is not needed, or give the server a \
         larger disk; then try again",
        bytes(folder.free_bytes),
        bytes(needed)
    )
}

/// A size for a person: `1.5 GiB`.
pub fn bytes(n_bytes: u64) -> String {
    let (unit, per) = match n_bytes {
        n if n >= GIB => ("GiB", GIB),
        n if n >= 1 << 20 => ("MiB", 1 << 20),
        _ => ("KiB", 1 << 10),
    };
    format!("{:.1} {unit}", n_bytes as f64 / per as f64)
}
