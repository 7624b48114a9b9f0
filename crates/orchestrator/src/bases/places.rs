//! Which places on this machine may hold base models, and which files are never read as one.
//!
//! A path is resolved once, including its links. Its target is checked through an `O_PATH` handle, and exactly this
//! file is then read. This matters most for the server's own database: SQLite loses its locks when any code of the
//! process closes one of its files, so such a file must not even be opened.

use std::{
    collections::HashSet,
    fs::File,
    io,
    os::fd::AsRawFd as _,
    path::{Component, Path, PathBuf},
    sync::{Arc, OnceLock},
};

use protocol::limits::MAX_BASE_FILE_BYTES;
use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, open, stat};

/// Folders of the kernel: their entries are not real files, and some of them never end.
const OF_THE_KERNEL: [&str; 3] = ["/proc", "/sys", "/dev"];

/// Suffixes of the files that SQLite keeps beside a database.
const BESIDE_A_DATABASE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Who named a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// The operator, at the start: any place but the server's own data is allowed.
    Settings,
    /// A user: it must be in a folder that the settings allow.
    Request,
}

/// Folders that may hold base models, and the server's own data.
#[derive(Debug, Clone, Default)]
pub struct Places {
    folders: Arc<[PathBuf]>,
    own: Arc<[PathBuf]>,
}

/// Why a path is not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PathError {
    #[error("`{}` is not an absolute path: start it with /, or use https://… or hf:OWNER/REPOSITORY", .0.display())]
    Relative(PathBuf),
    #[error("`{}` contains `..`: use a path without it", .0.display())]
    Upward(PathBuf),
    #[error("`{}` is not in a folder that is allowed for base models: {}", .path.display(), remedy(.folders, .path))]
    Outside { path: PathBuf, folders: Arc<[PathBuf]> },
    #[error(
        "`{}` leads out of the folders allowed for base models through a link: {}",
        .path.display(), remedy(.folders, .path)
    )]
    LeadsOut { path: PathBuf, folders: Arc<[PathBuf]> },
    #[error("`{}` belongs to the server's own data, which is never read as a base model: keep base models elsewhere", .0.display())]
    Own(PathBuf),
    #[error("`{}` is a kernel file and cannot be read", .0.display())]
    Kernel(PathBuf),
    #[error("`{}` is {found}: a base model must consist of regular files", .path.display())]
    Kind { path: PathBuf, found: &'static str },
    #[error("`{}` has {size_bytes} bytes, more than the {MAX_BASE_FILE_BYTES} that a file of a base model may have", .path.display())]
    Size { path: PathBuf, size_bytes: u64 },
    #[error("`{}` was replaced while it was being opened: check it again", .0.display())]
    Replaced(PathBuf),
    #[error("`{}` cannot be used", .path.display())]
    Unusable {
        path: PathBuf,
        #[source]
        err: io::Error,
    },
}

fn remedy(folders: &[PathBuf], path: &Path) -> String {
    let parent = path.parent().unwrap_or(path).display();
    let other = format!(
        "start the server with --base-folder {parent} (MORPHEUS_BASE_FOLDERS, or base_folders in the settings file), \
             or pass this one at startup with --base NAME={}",
        path.display()
    );
    if folders.is_empty() {
        return other;
    }
    let folders: Vec<String> = folders
        .iter()
        .map(|folder| format!("`{}`", folder.display()))
        .collect();
    format!("move it to {}, or {other}", folders.join(" or "))
}

impl Places {
    /// `folders` may hold base models; `own` are the folders and files of the server.
    pub fn new(folders: impl IntoIterator<Item = PathBuf>, own: impl IntoIterator<Item = PathBuf>) -> Self {
        Self {
            folders: folders.into_iter().collect(),
            own: own.into_iter().collect(),
        }
    }

    /// Whether a user may name this path, judged by the path alone. Does not access the disk: paths outside the
    /// allowed folders are not even looked up.
    pub(crate) fn permit(&self, path: &Path, by: By) -> Result<(), PathError> {
        if !path.is_absolute() {
            return Err(PathError::Relative(path.into()));
        }
        if by == By::Request {
            if path.components().any(|part| part == Component::ParentDir) {
                return Err(PathError::Upward(path.into()));
            }
            if !self.folders.iter().any(|folder| path.starts_with(folder)) {
                return Err(PathError::Outside {
                    path: path.into(),
                    folders: Arc::clone(&self.folders),
                });
            }
        }
        if self.own.iter().any(|own| path.starts_with(own)) {
            return Err(PathError::Own(path.into()));
        }
        Ok(())
    }

    /// The target of a path, if it may be read.
    pub(crate) fn resolve(&self, path: &Path, by: By) -> Result<PathBuf, PathError> {
        self.permit(path, by)?;
        let resolved = path.canonicalize().map_err(|err| PathError::Unusable {
            path: path.into(),
            err,
        })?;
        if OF_THE_KERNEL.iter().any(|folder| resolved.starts_with(folder)) {
            return Err(PathError::Kernel(path.into()));
        }
        if real(&self.own).any(|own| resolved.starts_with(own)) {
            return Err(PathError::Own(path.into()));
        }
        if by == By::Request && !real(&self.folders).any(|folder| resolved.starts_with(folder)) {
            return Err(PathError::LeadsOut {
                path: path.into(),
                folders: Arc::clone(&self.folders),
            });
        }
        Ok(resolved)
    }

    /// The server's own files as they are now.
    pub(crate) fn own_files(&self) -> OwnFiles {
        OwnFiles {
            places: self.clone(),
            found: OnceLock::new(),
        }
    }
}

/// The paths with their links resolved; one that does not exist has no files.
fn real(paths: &[PathBuf]) -> impl Iterator<Item = PathBuf> {
    paths.iter().filter_map(|path| path.canonicalize().ok())
}

/// Identifies a file independently of its path: device and inode number.
type FileId = (u64, u64);

fn id(stat: &Stat) -> FileId {
    (stat.st_dev, stat.st_ino)
}

/// The server's own files. Hard links and other mounts of them are recognized only by these numbers.
#[derive(Debug)]
pub(crate) struct OwnFiles {
    places: Places,
    found: OnceLock<HashSet<FileId>>,
}

/// A file that may be read.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) file: File,
    pub(crate) size_bytes: u64,
}

impl OwnFiles {
    /// Opens what [`Places::resolve`] has found, if it is a regular file and not one of the server's own. Never
    /// blocks, as opening a pipe would.
    pub(crate) fn open_other(&self, resolved: &Path) -> Result<Opened, PathError> {
        let unusable = |err: rustix::io::Errno| PathError::Unusable {
            path: resolved.into(),
            err: err.into(),
        };
        // Such a handle does not open the file: it only refers to it.
        let handle = open(
            resolved,
            OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
        );
        let handle = handle.map_err(unusable)?;
        let found = fstat(&handle).map_err(unusable)?;
        let kind = FileType::from_raw_mode(found.st_mode);
        if kind != FileType::RegularFile {
            return Err(PathError::Kind {
                path: resolved.into(),
                found: name_of(kind),
            });
        }
        if self.has(id(&found)) {
            return Err(PathError::Own(resolved.into()));
        }
        let size_bytes = found.st_size.unsigned_abs();
        if size_bytes > MAX_BASE_FILE_BYTES {
            return Err(PathError::Size {
                path: resolved.into(),
                size_bytes,
            });
        }
        let held = PathBuf::from(format!("/proc/self/fd/{}", handle.as_raw_fd()));
        let leads_to = std::fs::read_link(&held).map_err(|err| PathError::Unusable {
            path: resolved.into(),
            err,
        })?;
        if leads_to != resolved {
            return Err(PathError::Replaced(resolved.into()));
        }
        let file = open(
            &held,
            OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC,
            Mode::empty(),
        );
        Ok(Opened {
            file: file.map_err(unusable)?.into(),
            size_bytes,
        })
    }

    fn has(&self, file: FileId) -> bool {
        let found = self.found.get_or_init(|| {
            let mut found = HashSet::new();
            for root in real(&self.places.own) {
                collect(root, &mut found);
            }
            found
        });
        // SQLite may have recreated a file since.
        found.contains(&file) || self.databases().any(|other| other == file)
    }

    fn databases(&self) -> impl Iterator<Item = FileId> {
        self.places.own.iter().flat_map(|path| {
            let beside = BESIDE_A_DATABASE.iter().map(|ending| {
                let mut name = path.as_os_str().to_owned();
                name.push(ending);
                PathBuf::from(name)
            });
            std::iter::once(path.clone())
                .chain(beside)
                .filter_map(|path| stat(&path).ok())
                .map(|found| id(&found))
        })
    }
}

/// The files below a folder, or the file itself.
fn collect(root: PathBuf, found: &mut HashSet<FileId>) {
    let mut waiting = vec![root];
    while let Some(path) = waiting.pop() {
        let Ok(here) = rustix::fs::lstat(&path) else {
            continue;
        };
        match FileType::from_raw_mode(here.st_mode) {
            FileType::Directory => {
                let entries = std::fs::read_dir(&path).into_iter().flatten().flatten();
                waiting.extend(entries.map(|entry| entry.path()));
            }
            FileType::RegularFile => {
                found.insert(id(&here));
            }
            _ => {}
        }
    }
}

fn name_of(kind: FileType) -> &'static str {
    match kind {
        FileType::Directory => "a folder",
        FileType::Fifo => "a pipe",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Symlink => "a link",
        _ => "something else",
    }
}

#[cfg(test)]
mod tests;
