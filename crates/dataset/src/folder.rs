//! The files of a folder, by the names that an upload of the folder would give them.

use std::{
    fs::{self, File},
    io,
    os::unix::{ffi::OsStrExt as _, fs::OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use protocol::dataset::RefusedFile;

use crate::ingest::readable;

/// What is in a folder and the folders within it.
#[derive(Debug, Default)]
pub struct Folder {
    /// Names, with `/` between folders, and paths of files, by name.
    pub files: Vec<(String, PathBuf)>,
    /// What is neither a file nor a folder, and links to files that cannot be read.
    pub refused: Vec<RefusedFile>,
}

/// A path that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("failed to read `{path}`")]
pub struct FolderError {
    /// The file or folder.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub err: io::Error,
}

const NO_FILE: &str = "is neither a file nor a folder, but a pipe, a socket or a device: remove it";

impl Folder {
    /// Lists a folder; of a file, it is the only one. Links to files are followed, links to folders are not.
    ///
    /// # Errors
    /// If the path does not exist, or a folder cannot be read.
    pub fn list(path: &Path) -> Result<Self, FolderError> {
        let mut folder = Self::default();
        let unreadable = |err| FolderError {
            path: path.to_owned(),
            err,
        };
        if fs::metadata(path).map_err(unreadable)?.is_dir() {
            folder.add(path, "")?;
        } else {
            let name = path.file_name().unwrap_or_default().as_bytes();
            folder
                .files
                .push((readable(name, None).into_owned(), path.to_owned()));
        }
        folder.files.sort();
        Ok(folder)
    }

    fn add(&mut self, path: &Path, within: &str) -> Result<(), FolderError> {
        let unreadable = |err| FolderError {
            path: path.to_owned(),
            err,
        };
        for entry in fs::read_dir(path).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = format!("{within}{}", readable(entry.file_name().as_bytes(), None));
            let kind = entry.file_type().map_err(unreadable)?;
            if kind.is_dir() {
                self.add(&entry.path(), &format!("{name}/"))?;
                continue;
            }
            match fs::metadata(entry.path()) {
                Ok(of_target) if kind.is_symlink() && of_target.is_dir() => {}
                Err(err) if kind.is_symlink() => self.refused.push(RefusedFile {
                    file_name: name,
                    reason: broken(&err),
                }),
                _ => self.files.push((name, entry.path())),
            }
        }
        Ok(())
    }

    /// Opens a file of the list; anything else is not opened, since a pipe would be waited for, and is refused. So is a link
    /// to a file that cannot be opened.
    ///
    /// # Errors
    /// If it cannot be opened and is no link.
    pub fn open(&mut self, name: &str, path: &Path) -> Result<Option<File>, FolderError> {
        let unreadable = |err| FolderError {
            path: path.to_owned(),
            err,
        };
        let reason = match open(path) {
            Ok(Some(file)) => return Ok(Some(file)),
            Ok(None) => NO_FILE.to_owned(),
            Err(err) if path.is_symlink() => broken(&err),
            Err(err) => return Err(unreadable(err)),
        };
        self.refused.push(RefusedFile {
            file_name: name.to_owned(),
            reason,
        });
        Ok(None)
    }
}

/// Why a link is refused.
fn broken(err: &io::Error) -> String {
    match err.kind() {
        io::ErrorKind::NotFound => "is a link to a file that is not there".to_owned(),
        _ => format!("is a link to a file that cannot be read: {err}"),
    }
}

fn open(path: &Path) -> io::Result<Option<File>> {
    if !fs::metadata(path)?.is_file() {
        return Ok(None);
    }
    // It may have been replaced since.
    let no_wait = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(no_wait).open(path)?;
    let is_file = file.metadata()?.is_file();
    Ok(is_file.then_some(file))
}

#[cfg(test)]
mod tests;
