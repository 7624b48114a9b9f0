//! Backups in a folder: any number of them, and each object once.
//!
//! ```text
//! objects/sha256/ab/cdef…
//! snapshots/20261129T203000Z/{database.jsonl, manifest.json, manifest.json.sha256}
//! ```

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, BufWriter, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use chrono::{DateTime, Utc};

use super::{
    BackupError,
    manifest::{MANIFEST, OBJECTS, ROWS, SUM},
    open::Piece,
};
use crate::{BlobKey, BlobStore, objects::SigningKey};

const SNAPSHOTS: &str = "snapshots";
/// Ends the name of a snapshot that is not complete.
const PARTIAL: &str = ".partial";

/// A folder that a backup is written into.
pub(super) struct Writer {
    folder: PathBuf,
    /// Where the files of this backup are until it is complete.
    partial: PathBuf,
    pub(super) objects: BlobStore,
    rows: Option<BufWriter<File>>,
    _lock: File,
}

impl Writer {
    /// Prepares a folder, which may hold earlier backups.
    pub(super) fn create(folder: &Path) -> Result<Self, BackupError> {
        let folder = std::path::absolute(folder).map_err(|source| failed("find", folder, source))?;
        let snapshots = folder.join(SNAPSHOTS);
        if folder.is_dir() && !snapshots.is_dir() && !is_empty(&folder)? {
            return Err(BackupError::Kind {
                path: folder,
                problem: "is a folder with other contents: choose an empty or new folder, or a file ending in `.tar`",
            });
        }
        // Somebody who made the folder may have given it rights of its own.
        if !folder.is_dir() {
            make_private(&folder)?;
        }
        make_private(&snapshots)?;
        make_private(&folder.join(OBJECTS))?;
        let lock = lock(&folder)?;
        // What a backup that broke off left behind; nobody else writes here now.
        for name in names(&snapshots)? {
            if name.ends_with(PARTIAL) {
                let left = snapshots.join(name);
                fs::remove_dir_all(&left).map_err(|source| failed("remove", &left, source))?;
            }
        }
        let partial = snapshots.join(format!("new{PARTIAL}"));
        make_private(&partial)?;
        let objects = folder.join(OBJECTS);
        let objects = BlobStore::local(&objects, SigningKey::random())
            .map_err(|source| failed("open", &objects, io::Error::other(source)))?;
        Ok(Self {
            folder,
            partial,
            objects,
            rows: None,
            _lock: lock,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.folder
    }

    pub(super) fn partial(&self) -> &Path {
        &self.partial
    }

    pub(super) fn begin_rows(&mut self) -> Result<&mut BufWriter<File>, BackupError> {
        let path = self.partial.join(ROWS);
        let file = new_file(&path).map_err(|source| failed("write", &path, source))?;
        Ok(self.rows.insert(BufWriter::with_capacity(1 << 20, file)))
    }

    pub(super) fn end_rows(&mut self) -> Result<(), BackupError> {
        let Some(rows) = self.rows.take() else {
            return Ok(());
        };
        let ended = rows
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
            .and_then(|file| file.sync_all());
        ended.map_err(|source| failed("write", &self.partial.join(ROWS), source))
    }

    pub(super) fn write_manifest(&self, manifest: &[u8], sum: &str) -> Result<(), BackupError> {
        for (name, bytes) in [(MANIFEST, manifest), (SUM, sum.as_bytes())] {
            let path = self.partial.join(name);
            let written = new_file(&path).and_then(|mut file| {
                file.write_all(bytes)?;
                file.sync_all()
            });
            written.map_err(|source| failed("write", &path, source))?;
        }
        sync(&self.partial)
    }

    /// Gives a complete backup its name.
    pub(super) fn publish(&self, created_at: DateTime<Utc>) -> Result<String, BackupError> {
        let snapshots = self.folder.join(SNAPSHOTS);
        let stem = created_at.format("%Y%m%dT%H%M%SZ").to_string();
        let mut name = stem.clone();
        for n in 2.. {
            if !snapshots.join(&name).exists() {
                break;
            }
            name = format!("{stem}-{n}");
        }
        let path = snapshots.join(&name);
        fs::rename(&self.partial, &path).map_err(|source| failed("write", &path, source))?;
        sync(&snapshots)?;
        Ok(name)
    }
}

/// The snapshots of a folder by their names, the oldest first; `None` when it is no folder of backups.
pub(super) fn snapshots(folder: &Path) -> Result<Option<Vec<String>>, BackupError> {
    let folder = folder.join(SNAPSHOTS);
    if !folder.is_dir() {
        return Ok(None);
    }
    let mut names = names(&folder)?;
    names.retain(|name| is_name(name));
    names.sort();
    Ok(Some(names))
}

/// Whether this may be the name of a snapshot; it leads nowhere else.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
}

pub(super) fn snapshot(folder: &Path, name: &str) -> PathBuf {
    folder.join(SNAPSHOTS).join(name)
}

/// A file of a backup, if it is there.
pub(super) fn piece(path: &Path) -> Result<Option<Piece>, BackupError> {
    let meta = match path.symlink_metadata() {
        Ok(meta) => meta,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed("open", path, source)),
    };
    // Opening a pipe could wait for ever.
    if !meta.is_file() {
        return Ok(None);
    }
    let file = File::open(path).map_err(|source| failed("open", path, source))?;
    Ok(Some(Piece {
        file: Arc::new(file),
        starts_at: 0,
        size_bytes: meta.len(),
    }))
}

pub(super) fn object(folder: &Path, key: &BlobKey) -> PathBuf {
    folder.join(OBJECTS).join(key.as_str())
}

/// Has the disk keep the names in a folder.
pub(super) fn sync(folder: &Path) -> Result<(), BackupError> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|source| failed("write", folder, source))
}

/// Secrets are in it, so nobody else may look into it.
fn make_private(folder: &Path) -> Result<(), BackupError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    let made = made.and_then(|()| fs::set_permissions(folder, Permissions::from_mode(0o700)));
    made.map_err(|source| failed("make", folder, source))
}

fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

fn lock(folder: &Path) -> Result<File, BackupError> {
    let path = folder.join("backup.lock");
    let opened = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path);
    let file = opened.map_err(|source| failed("open", &path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(BackupError::InUse {
            path: folder.to_owned(),
        }),
        Err(fs::TryLockError::Error(source)) => Err(failed("lock", &path, source)),
    }
}

fn is_empty(folder: &Path) -> Result<bool, BackupError> {
    Ok(names(folder)?.is_empty())
}

fn names(folder: &Path) -> Result<Vec<String>, BackupError> {
    let listed = fs::read_dir(folder).and_then(|entries| {
        entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    });
    listed.map_err(|source| failed("look into", folder, source))
}

fn failed(doing: &'static str, path: &Path, source: io::Error) -> BackupError {
    BackupError::Disk {
        doing,
        path: path.to_owned(),
        source,
    }
}
