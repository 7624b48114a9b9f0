//! A backup that is there: what it holds, and whether all of it is as it was when it was made.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::File,
    io::{self, BufReader, Read},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use futures::{StreamExt as _, stream, stream::BoxStream};
use protocol::{limits::MAX_BACKUP_MANIFEST_BYTES, problem::chain};
use sha2::{Digest, Sha256};

use super::{
    BackupError, Manifest, Progress, Step, Watcher, archive, folder,
    manifest::{FORMAT, MANIFEST, Object, ROWS, SUM},
    needs,
};
use crate::{
    BlobKey,
    db::migrations,
    maintenance::{TransferError, lines},
};

/// Bytes that are read at once.
const PART_BYTES: usize = 1 << 20;

/// The line of `sha256sum` for the manifest.
const SUM_BYTES: u64 = 64 + 2 + MANIFEST.len() as u64 + 1;

/// A backup that was opened: its manifest is whole, the rest is looked at by [`Backup::check`].
#[derive(Debug)]
pub struct Backup {
    path: PathBuf,
    /// What is in it.
    pub manifest: Manifest,
    rows: Piece,
    objects: Objects,
    earlier: Vec<Backup>,
}

#[derive(Debug)]
enum Objects {
    Archive(HashMap<BlobKey, Piece>),
    Folder(PathBuf),
}

/// Some bytes of a file.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) file: Arc<File>,
    pub(super) starts_at: u64,
    pub(super) size_bytes: u64,
}

impl Backup {
    /// Opens a backup: an archive, or a folder with the name of one of its snapshots, the newest if none is named.
    pub fn open(path: &Path, snapshot: Option<&str>) -> Result<Self, BackupError> {
        let meta = path.metadata().map_err(|source| BackupError::Disk {
            doing: "open",
            path: path.to_owned(),
            source,
        })?;
        let no_backup = |problem: &str| BackupError::NoBackup {
            path: path.to_owned(),
            problem: problem.to_owned(),
        };
        if meta.is_dir() {
            let snapshots = folder::snapshots(path)?
                .ok_or_else(|| no_backup("it is a folder without a folder `snapshots`"))?;
            let name = match snapshot {
                Some(name) if snapshots.iter().any(|there| there == name) => name,
                Some(name) => return Err(no_backup(&format!("it has no snapshot `{name}`"))),
                None => snapshots
                    .last()
                    .map(String::as_str)
                    .ok_or_else(|| no_backup("it contains no completed backup"))?,
            };
            return Self::open_snapshot(path, &folder::snapshot(path, name));
        }
        if !meta.is_file() {
            return Err(no_backup("it is neither a file nor a folder"));
        }
        if snapshot.is_some() {
            return Err(no_backup("only folders have snapshots to choose from"));
        }
        let index = archive::index(path)?;
        let (Some(rows), Some(manifest), Some(sum)) = (index.rows, index.manifest, index.sum) else {
            return Err(incomplete(path));
        };
        Ok(Self {
            path: path.to_owned(),
            manifest: read_manifest(path, &manifest, &sum)?,
            rows,
            objects: Objects::Archive(index.objects),
            earlier: Vec::new(),
        })
    }

    /// Opens the backup whose files are in `snapshot`, and whose objects are in `path`.
    pub(super) fn open_snapshot(path: &Path, snapshot: &Path) -> Result<Self, BackupError> {
        let piece = |name: &str| folder::piece(&snapshot.join(name));
        let (Some(rows), Some(manifest), Some(sum)) = (piece(ROWS)?, piece(MANIFEST)?, piece(SUM)?) else {
            return Err(incomplete(snapshot));
        };
        Ok(Self {
            path: path.to_owned(),
            manifest: read_manifest(snapshot, &manifest, &sum)?,
            rows,
            objects: Objects::Folder(path.to_owned()),
            earlier: Vec::new(),
        })
    }

    /// Also looks for objects in an earlier backup.
    pub fn with_earlier(mut self, earlier: Self) -> Self {
        self.earlier.push(earlier);
        self
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads all of it, and names everything that is missing or not what it was.
    pub fn check(&self, watcher: Watcher<'_>) -> Result<(), BackupError> {
        let mut problems = self.problems_of_rows()?;
        let mut needed: BTreeMap<uuid::Uuid, usize> = BTreeMap::new();
        let n_objects = self.manifest.objects.len();
        for (n_done, object) in self.manifest.objects.iter().enumerate() {
            let step = Step::Check;
            watcher(Progress {
                step,
                n_done,
                n_objects,
            });
            match (self.find(&object.key)?, object.within) {
                (Some(piece), _) => problems.extend(problem_of(object, &piece)),
                (None, Some(within)) => *needed.entry(within).or_default() += 1,
                (None, None) => problems.push(format!("the object `{}` is not in it", object.key)),
            }
        }
        if !problems.is_empty() {
            return Err(self.damaged(problems));
        }
        match needed.into_iter().next() {
            None => Ok(()),
            Some((id, n_objects)) => {
                let known = self.manifest.earlier.iter().find(|earlier| earlier.id == id);
                Err(BackupError::NeedsEarlier {
                    path: self.path.clone(),
                    n_objects,
                    name: known.map(|earlier| earlier.name.clone()).unwrap_or_default(),
                    id,
                })
            }
        }
    }

    /// Reads the rows back, and compares them with the manifest.
    pub(super) fn check_rows(&self) -> Result<(), BackupError> {
        match self.problems_of_rows()? {
            problems if problems.is_empty() => Ok(()),
            problems => Err(self.damaged(problems)),
        }
    }

    fn problems_of_rows(&self) -> Result<Vec<String>, BackupError> {
        let expected = &self.manifest.rows;
        let found = self.rows.sha256();
        match found {
            Err(err) => return Ok(vec![format!("`{ROWS}` in it cannot be read: {err}")]),
            Ok(found) if found != expected.sha256 || self.rows.size_bytes != expected.size_bytes => {
                return Ok(vec![format!("`{ROWS}` in it was changed")]);
            }
            Ok(_) => {}
        }
        let mut keys = BTreeSet::new();
        let checked = lines::check(self.read_rows(), |table, row| {
            needs::collect(table.name, row, &mut keys)
        });
        let checked = match checked {
            Ok(checked) => checked,
            Err(TransferError::OtherSchema { found, .. }) => {
                return Err(self.newer(format!("its schema is `{found}`")));
            }
            Err(err) => return Ok(vec![format!("`{ROWS}` in it: {}", chain(&err))]),
        };
        let mut problems = Vec::new();
        if checked.tables != expected.tables || checked.schema != self.manifest.schema {
            problems.push(format!("`{ROWS}` in it does not match `{MANIFEST}`"));
        }
        let kept = self.manifest.objects.iter().map(|object| &object.key);
        let lost = self.manifest.lost.iter().map(|lost| &lost.key);
        if !kept.chain(lost).collect::<BTreeSet<_>>().into_iter().eq(&keys) {
            problems.push(format!(
                "`{MANIFEST}` in it does not list the objects that the rows need"
            ));
        }
        Ok(problems)
    }

    /// An object that a later backup need not hold, since this one does, or an earlier one that this one names.
    pub(super) fn known(&self, key: &BlobKey) -> Result<Option<Object>, BackupError> {
        // They are written in the order of their keys.
        let objects = &self.manifest.objects;
        let Ok(index) = objects.binary_search_by(|object| object.key.cmp(key)) else {
            return Ok(None);
        };
        let object = &objects[index];
        if object.within.is_some() {
            return Ok(Some(object.clone()));
        }
        let whole = self
            .find(key)?
            .filter(|piece| problem_of(object, piece).is_none());
        Ok(whole.map(|_| Object {
            within: Some(self.manifest.id),
            ..object.clone()
        }))
    }

    fn damaged(&self, problems: Vec<String>) -> BackupError {
        BackupError::Damaged {
            path: self.path.clone(),
            problems,
        }
    }

    fn newer(&self, found: String) -> BackupError {
        BackupError::Newer {
            path: self.path.clone(),
            found,
        }
    }

    pub(super) fn read_rows(&self) -> BufReader<impl Read + use<>> {
        BufReader::with_capacity(PART_BYTES, self.rows.clone().reader())
    }

    /// An object of it, or of an earlier one that was named; its bytes are not looked at.
    pub(super) fn find(&self, key: &BlobKey) -> Result<Option<Piece>, BackupError> {
        let own = match &self.objects {
            Objects::Archive(objects) => objects.get(key).cloned(),
            Objects::Folder(folder) => folder::piece(&folder::object(folder, key))?,
        };
        if own.is_some() {
            return Ok(own);
        }
        for earlier in &self.earlier {
            if let Some(piece) = earlier.find(key)? {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }
}

impl Piece {
    pub(super) fn reader(self) -> impl Read + use<> {
        PieceReader {
            piece: self,
            n_read: 0,
        }
    }

    pub(super) fn sha256(&self) -> io::Result<String> {
        let (mut hash, mut reader) = (Sha256::new(), self.clone().reader());
        let mut part = vec![0; PART_BYTES];
        loop {
            match reader.read(&mut part)? {
                0 => return Ok(hex::encode(hash.finalize())),
                n => hash.update(&part[..n]),
            }
        }
    }

    pub(super) fn stream(self) -> BoxStream<'static, io::Result<Bytes>> {
        let parts = stream::try_unfold(self.reader(), async |mut reader| {
            let mut part = vec![0; PART_BYTES];
            let n = reader.read(&mut part)?;
            part.truncate(n);
            Ok((n > 0).then(|| (Bytes::from(part), reader)))
        });
        parts.boxed()
    }
}

struct PieceReader {
    piece: Piece,
    n_read: u64,
}

impl Read for PieceReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_left = self.piece.size_bytes - self.n_read;
        let most = buffer.len().min(usize::try_from(n_left).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(0);
        }
        let at = self.piece.starts_at + self.n_read;
        let n = self.piece.file.read_at(&mut buffer[..most], at)?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.n_read += n as u64;
        Ok(n)
    }
}

/// What is wrong with the bytes of an object.
pub(super) fn problem_of(object: &Object, piece: &Piece) -> Option<String> {
    let key = &object.key;
    if piece.size_bytes != object.size_bytes {
        return Some(format!(
            "the object `{key}` in it has {} bytes instead of {}",
            piece.size_bytes, object.size_bytes
        ));
    }
    match piece.sha256() {
        Ok(found) if found == key.sha256() => None,
        Ok(_) => Some(format!(
            "the contents of the object `{key}` in it do not match its name"
        )),
        Err(err) => Some(format!("the object `{key}` in it cannot be read: {err}")),
    }
}

fn read_manifest(path: &Path, manifest: &Piece, sum: &Piece) -> Result<Manifest, BackupError> {
    #[derive(serde::Deserialize)]
    struct Outline {
        format: String,
        #[serde(default)]
        schema: Vec<String>,
    }
    let damaged = |problem: String| BackupError::Damaged {
        path: path.to_owned(),
        problems: vec![problem],
    };
    if manifest.size_bytes > MAX_BACKUP_MANIFEST_BYTES || sum.size_bytes != SUM_BYTES {
        return Err(damaged(format!(
            "`{MANIFEST}` or `{SUM}` in it has an invalid size"
        )));
    }
    let read = |piece: &Piece| {
        let mut bytes = Vec::new();
        let read = piece.clone().reader().read_to_end(&mut bytes);
        read.map(|_| bytes)
            .map_err(|err| damaged(format!("`{MANIFEST}` in it cannot be read: {err}")))
    };
    let (bytes, sum) = (read(manifest)?, read(sum)?);
    let expected = format!("{}  {MANIFEST}\n", hex::encode(Sha256::digest(&bytes)));
    if sum != expected.as_bytes() {
        return Err(damaged(format!(
            "`{MANIFEST}` in it does not have the hash in `{SUM}`"
        )));
    }
    let newer = |found: String| BackupError::Newer {
        path: path.to_owned(),
        found,
    };
    let unreadable = |err: serde_json::Error| damaged(format!("`{MANIFEST}` in it: {err}"));
    let outline: Outline = serde_json::from_slice(&bytes).map_err(unreadable)?;
    if outline.format != FORMAT {
        return Err(newer(format!("its format is `{}`", outline.format)));
    }
    if let Err((found, _)) = migrations::n_steps(&outline.schema) {
        return Err(newer(format!("its schema is `{found}`")));
    }
    serde_json::from_slice(&bytes).map_err(unreadable)
}

fn incomplete(path: &Path) -> BackupError {
    BackupError::NoBackup {
        path: path.to_owned(),
        problem: format!(
            "`{ROWS}`, `{MANIFEST}` and `{SUM}` are not all in it: it is truncated or was never completed"
        ),
    }
}
