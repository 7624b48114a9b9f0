//! A backup in one file: a plain tar archive, which can be unpacked without Morpheus.

use std::{
    collections::HashMap,
    fs::{self, File, TryLockError},
    io::{self, BufWriter, Seek as _, SeekFrom, Write},
    path::{Path, PathBuf},
};

use tar::{Archive, EntryType, Header};
use tempfile::{NamedTempFile, TempPath};

use super::{
    BackupError,
    manifest::{MANIFEST, OBJECTS, ROWS, SUM},
    open::Piece,
};
use crate::BlobKey;

/// Tar's unit.
const BLOCK_BYTES: u64 = 512;

/// What the names of archives begin with that are not complete.
const UNFINISHED: &str = ".unfinished-backup-";

/// Names of entries that a message shows.
const SHOWN_CHARS: usize = 80;

/// An archive being written, beside the place where it will be.
pub(super) struct Writer {
    out: BufWriter<File>,
    unfinished: TempPath,
    path: PathBuf,
    n_bytes: u64,
    /// Where each object's bytes begin, and how many there are.
    objects: HashMap<BlobKey, (u64, u64)>,
}

/// An entry that is being written.
pub(super) struct Entry {
    name: String,
    starts_at: u64,
}

impl Writer {
    pub(super) fn create(path: &Path) -> Result<Self, BackupError> {
        let path = std::path::absolute(path).map_err(|source| failed("find", path, source))?;
        if path.symlink_metadata().is_ok() {
            return Err(BackupError::Exists { path });
        }
        let folder = path.parent().unwrap_or(Path::new("/"));
        // Secrets are in it: a temporary file can be read by its owner alone, and stays so.
        remove_leftovers(folder);
        let unfinished = make_held(folder).map_err(|source| failed("write", &path, source))?;
        let (file, unfinished) = unfinished.into_parts();
        Ok(Self {
            out: BufWriter::with_capacity(1 << 20, file),
            unfinished,
            path,
            n_bytes: 0,
            objects: HashMap::new(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn size_of(&self, key: &BlobKey) -> Option<u64> {
        self.objects.get(key).map(|(_, size_bytes)| *size_bytes)
    }

    /// Begins an entry; its size may be put right at its end.
    pub(super) fn begin(&mut self, name: &str) -> io::Result<Entry> {
        let starts_at = self.n_bytes;
        self.write_all(header(name, 0)?.as_bytes())?;
        Ok(Entry {
            name: name.to_owned(),
            starts_at,
        })
    }

    pub(super) fn end(&mut self, entry: Entry) -> io::Result<()> {
        let starts_at = entry.starts_at + BLOCK_BYTES;
        let size_bytes = self.n_bytes - starts_at;
        let padding = size_bytes.next_multiple_of(BLOCK_BYTES) - size_bytes;
        self.write_all(&[0; BLOCK_BYTES as usize][..padding as usize])?;
        self.out.seek(SeekFrom::Start(entry.starts_at))?;
        self.out.write_all(header(&entry.name, size_bytes)?.as_bytes())?;
        self.out.seek(SeekFrom::Start(self.n_bytes))?;
        let key = entry
            .name
            .strip_prefix(OBJECTS)
            .and_then(|key| key.strip_prefix('/'));
        if let Some(key) = key.and_then(|key| key.parse().ok()) {
            self.objects.insert(key, (starts_at, size_bytes));
        }
        Ok(())
    }

    /// Takes back what was written of an entry.
    pub(super) fn abandon(&mut self, entry: Entry) -> io::Result<()> {
        self.out.seek(SeekFrom::Start(entry.starts_at))?;
        self.out.get_mut().set_len(entry.starts_at)?;
        self.n_bytes = entry.starts_at;
        Ok(())
    }

    pub(super) fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let entry = self.begin(name)?;
        self.write_all(bytes)?;
        self.end(entry)
    }

    /// Ends the archive, which does not have its name yet.
    pub(super) fn finish(mut self) -> Result<Finished, BackupError> {
        let path = self.path.clone();
        let ended = self
            .write_all(&[0; 2 * BLOCK_BYTES as usize])
            .and_then(|()| self.out.flush())
            .and_then(|()| self.out.get_ref().sync_all());
        ended.map_err(|source| failed("write", &path, source))?;
        let (file, _) = self.out.into_parts();
        Ok(Finished {
            unfinished: NamedTempFile::from_parts(file, self.unfinished),
            path,
        })
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.out.write(bytes)?;
        self.n_bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Makes the file of an archive, and holds it for as long as it is open, so that nobody takes it for a leftover.
fn make_held(folder: &Path) -> io::Result<NamedTempFile> {
    loop {
        let made = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
        match made.as_file().try_lock() {
            // Somebody who looked for leftovers was quicker.
            Err(TryLockError::WouldBlock) => {}
            Ok(()) if !made.path().exists() => {}
            Ok(()) => return Ok(made),
            // Where files cannot be held, nobody removes one either.
            Err(TryLockError::Error(error)) => {
                tracing::debug!(path = %made.path().display(), %error, "the file cannot be locked");
                return Ok(made);
            }
        }
    }
}

/// Removes what backups left behind that were killed: archives without a name that no process holds.
fn remove_leftovers(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(UNFINISHED)
            && entry.file_type().is_ok_and(|kind| kind.is_file());
        if !is_ours {
            continue;
        }
        let path = entry.path();
        // Held until it is gone.
        let Ok(left) = File::open(&path) else {
            continue;
        };
        if left.try_lock().is_err() {
            continue;
        }
        match fs::remove_file(&path) {
            Ok(()) => {
                tracing::info!(path = %path.display(), "removed what an interrupted backup left behind")
            }
            Err(error) => {
                tracing::warn!(
                    path = %path.display(),
                    %error,
                    "what an interrupted backup left behind cannot be removed"
                );
            }
        }
    }
}

/// A complete archive that waits for its name.
pub(super) struct Finished {
    unfinished: NamedTempFile,
    path: PathBuf,
}

impl Finished {
    pub(super) fn unfinished_path(&self) -> &Path {
        self.unfinished.path()
    }

    pub(super) fn publish(self) -> Result<PathBuf, BackupError> {
        let Self { unfinished, path } = self;
        unfinished
            .persist_noclobber(&path)
            .map_err(|err| match err.error {
                source if source.kind() == io::ErrorKind::AlreadyExists => {
                    BackupError::Exists { path: path.clone() }
                }
                source => failed("write", &path, source),
            })?;
        super::folder::sync(path.parent().unwrap_or(Path::new("/")))?;
        Ok(path)
    }
}

fn header(name: &str, size_bytes: u64) -> io::Result<Header> {
    let mut header = Header::new_gnu();
    header.set_path(name)?;
    header.set_entry_type(EntryType::Regular);
    header.set_size(size_bytes);
    header.set_mode(0o600);
    header.set_mtime(0);
    header.set_cksum();
    Ok(header)
}

/// Where everything is in an archive.
pub(super) struct Index {
    pub(super) rows: Option<Piece>,
    pub(super) manifest: Option<Piece>,
    pub(super) sum: Option<Piece>,
    pub(super) objects: HashMap<BlobKey, Piece>,
}

/// Looks through an archive. Names in it are compared with those that we know, and lead nowhere else.
pub(super) fn index(path: &Path) -> Result<Index, BackupError> {
    let no_backup = |problem: String| BackupError::NoBackup {
        path: path.to_owned(),
        problem,
    };
    let damaged = |problem: String| BackupError::Damaged {
        path: path.to_owned(),
        problems: vec![problem],
    };
    let open = || File::open(path).map_err(|source| failed("open", path, source));
    let (file, n_bytes) = (std::sync::Arc::new(open()?), size(path)?);
    let mut index = Index {
        rows: None,
        manifest: None,
        sum: None,
        objects: HashMap::new(),
    };
    let mut archive = Archive::new(open()?);
    let entries = archive
        .entries_with_seek()
        .map_err(|source| failed("read", path, source))?;
    let mut last = None;
    // Names and sizes are taken from the headers as they are: we write no extensions, and read none.
    for entry in entries.raw(true) {
        let entry = entry.map_err(|err| match &last {
            None => no_backup(err.to_string()),
            Some(last) => damaged(format!("it cannot be read beyond `{last}`: {err}")),
        })?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let piece = Piece {
            file: file.clone(),
            starts_at: entry.raw_file_position(),
            size_bytes: entry.size(),
        };
        let ends_at = piece.starts_at.checked_add(piece.size_bytes);
        if ends_at.is_none_or(|ends_at| ends_at > n_bytes) {
            return Err(damaged(format!("it was cut off within `{}`", shown(&name))));
        }
        let key = name.strip_prefix(OBJECTS).and_then(|key| key.strip_prefix('/'));
        let replaced = match (name.as_str(), key.map(str::parse::<BlobKey>)) {
            _ if entry.header().entry_type() != EntryType::Regular => {
                return Err(no_backup(format!("`{}` in it is not a plain file", shown(&name))));
            }
            (ROWS, _) => index.rows.replace(piece),
            (MANIFEST, _) => index.manifest.replace(piece),
            (SUM, _) => index.sum.replace(piece),
            (_, Some(Ok(key))) => index.objects.insert(key, piece),
            _ => {
                return Err(no_backup(format!(
                    "it contains `{}`, which does not belong in a backup",
                    shown(&name)
                )));
            }
        };
        if replaced.is_some() {
            return Err(damaged(format!("it contains `{}` twice", shown(&name))));
        }
        last = Some(name);
    }
    Ok(index)
}

fn size(path: &Path) -> Result<u64, BackupError> {
    let meta = path.metadata().map_err(|source| failed("open", path, source))?;
    Ok(meta.len())
}

fn shown(name: &str) -> String {
    name.escape_default().take(SHOWN_CHARS).collect()
}

fn failed(doing: &'static str, path: &Path, source: io::Error) -> BackupError {
    BackupError::Disk {
        doing,
        path: path.to_owned(),
        source,
    }
}
