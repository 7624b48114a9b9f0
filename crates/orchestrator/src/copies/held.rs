//! The folder, while this server alone writes into it. Everything here blocks.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use protocol::ModelVersionId;
use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256};
use store::BlobKey;
use uuid::Uuid;

use super::{
    Unusable, Wanted,
    manifest::{Copied, Look, Manifest, PART_PREFIX, PART_SUFFIX, Written},
    name, sidecars,
};

/// The server that writes into the folder holds the lock on this file.
const LOCK: &str = ".morpheus-loras.lock";
/// Mode of the copies: every account that can read the folder can read them.
const READABLE: u32 = 0o666;

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Held {
    folder: PathBuf,
    manifest: Manifest,
    /// Permissions of copies.
    mode: u32,
    /// Unlocked when it is closed, as it is when its process ends in whatever way.
    _lock: File,
}

/// A file of a version that is not in the folder, and whose content is an object.
#[derive(Debug, Clone)]
pub(crate) struct Missing {
    pub(crate) version: ModelVersionId,
    /// Its name in the folder.
    pub(crate) name: String,
    /// Its content.
    pub(crate) key: BlobKey,
    /// The LoRA itself; without it there is no copy.
    pub(crate) is_lora: bool,
}

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct Part {
    file: tempfile::NamedTempFile,
    hash: Sha256,
}

/// A file that is completely written and not yet in its place.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) part: Part,
    pub(crate) missing: Missing,
}

/// What lies where a file of ours belongs.
enum Place {
    Empty,
    /// The wanted content, written by us.
    Same,
    /// Another content, written by us: its SHA-256.
    Older(String),
    /// Something that we did not write, with the wanted content.
    Alike,
    /// Something that we did not write, or that was changed.
    Foreign,
}

impl Held {
    /// Holds the folder; `None` if another server does.
    pub(crate) fn open(folder: &Path, installation: Uuid) -> Result<Option<Self>, Unusable> {
        let mode = readable(folder)?;
        let shown = folder.display();
        let failed = |err: io::Error| Unusable(unwritable(folder, &err));
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        let lock = no_link(&mut options).open(folder.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(err)) => return Err(failed(err)),
        }
        if let Err(err) = lock.set_permissions(fs::Permissions::from_mode(mode)) {
            // It is another account's, which has set them.
            tracing::debug!(error = %err, "the lock of the folder of copies keeps its permissions");
        }
        let manifest = Manifest::read(folder)
            .map_err(|err| Unusable(format!("the list of copies in `{shown}` cannot be read: {err}")))?
            .unwrap_or_else(|| Manifest::new(installation));
        if manifest.installation != installation {
            return Err(Unusable(format!(
                "`{shown}` holds the copies of another installation of Morpheus: set --lora-folder to another folder"
            )));
        }
        let held = Self {
            folder: folder.to_owned(),
            manifest,
            mode,
            _lock: lock,
        };
        held.discard_parts().map_err(failed)?;
        Ok(Some(held))
    }

    /// Removes what is no longer wanted and writes the texts of what is. Returns the files to fetch; `problems` gets what
    /// prevents a copy.
    pub(crate) fn settle(
        &mut self,
        wanted: &[Wanted],
        problems: &mut Vec<(ModelVersionId, String)>,
    ) -> Result<Vec<Missing>, Unusable> {
        self.remove_others(wanted)?;
        let mut missing = Vec::new();
        let mut texts = Vec::new();
        for one in wanted {
            self.plan(one, problems, &mut missing, &mut texts);
        }
        // From here on every file that is written is known to be ours.
        self.save()?;
        for (id, name, content) in texts {
            if let Err(err) = self.write(&name, &content) {
                problems.push((id, unwritable(&self.folder.join(&name), &err)));
            }
        }
        Ok(missing)
    }

    /// A file to write an object to.
    pub(crate) fn part(&self) -> io::Result<Part> {
        let part = tempfile::Builder::new()
            .prefix(PART_PREFIX)
            .suffix(PART_SUFFIX)
            .tempfile_in(&self.folder)?;
        Ok(Part {
            file: part,
            hash: Sha256::new(),
        })
    }

    /// Puts a file into its place. The error is for people.
    pub(crate) fn place(&mut self, fetched: Fetched) -> Result<(), String> {
        let Fetched { part, missing } = fetched;
        let path = self.folder.join(&missing.name);
        self.install(part.file, &missing.name)
            .map_err(|err| unwritable(&path, &err))
    }

    /// Notes what the files look like now.
    pub(crate) fn finish(&mut self) -> Result<(), Unusable> {
        for copied in self.manifest.versions.values_mut() {
            for (name, written) in &mut copied.files {
                if written.seen.is_some() {
                    continue;
                }
                let path = self.folder.join(name);
                if let Ok(Some((look, sha256))) = read(&path)
                    && sha256 == written.sha256
                {
                    (written.seen, written.before) = (Some(look), None);
                }
            }
        }
        self.save()
    }

    /// Name of the LoRA of a version.
    pub(crate) fn name_of(&self, id: ModelVersionId) -> String {
        let stem = self.manifest.versions.get(&id).map(|copied| copied.stem.as_str());
        format!("{}{}", stem.unwrap_or_default(), sidecars::LORA)
    }

    /// Chooses the name of a version's files, and finds out which have to be written.
    fn plan(
        &mut self,
        wanted: &Wanted,
        problems: &mut Vec<(ModelVersionId, String)>,
        missing: &mut Vec<Missing>,
        texts: &mut Vec<(ModelVersionId, String, Vec<u8>)>,
    ) {
        let id = wanted.version.id;
        let stem = self.stem(wanted);
        let mut copied = self.manifest.versions.remove(&id).unwrap_or_default();
        copied.stem.clone_from(&stem);
        let lora = format!("{stem}{}", sidecars::LORA);
        let objects = [
            (lora.clone(), Some(&wanted.file)),
            (format!("{stem}{}", sidecars::PICTURE), wanted.picture.as_ref()),
        ];
        for (name, key) in objects {
            let Some(key) = key else { continue };
            let is_lora = name == lora;
            match self.claim(&mut copied, &name, &key.sha256()) {
                Ok(Place::Empty | Place::Older(_)) => missing.push(Missing {
                    version: id,
                    name,
                    key: key.clone(),
                    is_lora,
                }),
                Ok(Place::Foreign) if is_lora => {
                    let path = self.folder.join(&name);
                    let problem = format!(
                        "`{}` was not written by Morpheus, or was changed: move it away to get the copy",
                        path.display()
                    );
                    problems.push((id, problem));
                    // Texts beside it would be about another file.
                    self.manifest.versions.insert(id, copied);
                    return;
                }
                // Managers exchange pictures and texts, which is what they are for.
                Ok(Place::Same | Place::Alike | Place::Foreign) => {}
                Err(err) => problems.push((id, unwritable(&self.folder.join(&name), &err))),
            }
        }
        for (ending, content) in sidecars::texts(wanted, &stem) {
            let name = format!("{stem}{ending}");
            match self.claim(&mut copied, &name, &hex::encode(Sha256::digest(&content))) {
                Ok(Place::Empty | Place::Older(_)) => texts.push((id, name, content)),
                Ok(Place::Same | Place::Alike | Place::Foreign) => {}
                Err(err) => problems.push((id, unwritable(&self.folder.join(&name), &err))),
            }
        }
        self.manifest.versions.insert(id, copied);
    }

    /// The name that a version has, or a free one.
    fn stem(&self, wanted: &Wanted) -> String {
        let id = wanted.version.id;
        if let Some(copied) = self.manifest.versions.get(&id) {
            return copied.stem.clone();
        }
        let stem = name::stem(&wanted.version.name, wanted.version.version);
        if !self.manifest.is_taken(&stem, id) {
            return stem;
        }
        // Models whose names differ in what a file's name cannot say. The end of an id is random.
        let model = wanted.version.model_id.0.simple().to_string();
        format!("{stem}-{}", &model[model.len() - 8..])
    }

    /// Looks at the place of a file, and notes it as ours if it is to be written.
    fn claim(&self, copied: &mut Copied, name: &str, sha256: &str) -> io::Result<Place> {
        let known = copied.files.get(name).cloned();
        let path = self.folder.join(name);
        let found = look(&path)?;
        let ours = |hash: &str| {
            known
                .as_ref()
                .is_some_and(|known| known.sha256 == hash || known.before.as_deref() == Some(hash))
        };
        let place = match found {
            Found::Nothing => Place::Empty,
            Found::NoFile => Place::Foreign,
            Found::File(seen)
                if known
                    .as_ref()
                    .is_some_and(|known| known.seen == Some(seen) && known.sha256 == sha256) =>
            {
                Place::Same
            }
            Found::File(_) => match read(&path)? {
                None => Place::Foreign,
                Some((_, found)) if found == sha256 && known.is_some() => Place::Same,
                Some((_, found)) if found == sha256 => Place::Alike,
                Some((_, found)) if ours(&found) => Place::Older(found),
                Some(_) => Place::Foreign,
            },
        };
        let before = match &place {
            Place::Older(found) => Some(found.clone()),
            Place::Empty => None,
            // Those of others are not noted, and those of ours are noted already.
            _ => return Ok(place),
        };
        let written = Written {
            sha256: sha256.to_owned(),
            before,
            seen: None,
        };
        copied.files.insert(name.to_owned(), written);
        Ok(place)
    }

    /// Removes the files of versions that are not wanted, as far as they are as they were written.
    fn remove_others(&mut self, wanted: &[Wanted]) -> Result<(), Unusable> {
        let is_wanted = |id: &ModelVersionId| wanted.iter().any(|wanted| wanted.version.id == *id);
        let others: Vec<ModelVersionId> = self
            .manifest
            .versions
            .keys()
            .filter(|id| !is_wanted(id))
            .copied()
            .collect();
        for id in others {
            let Some(copied) = self.manifest.versions.get(&id).cloned() else {
                continue;
            };
            for (name, written) in &copied.files {
                let path = self.folder.join(name);
                let failed = |err: io::Error| Unusable(unwritable(&path, &err));
                let Some((_, found)) = read(&path).map_err(failed)? else {
                    continue;
                };
                if found != written.sha256 && written.before.as_deref() != Some(found.as_str()) {
                    tracing::warn!(path = %path.display(), "a copy was changed by somebody else and is left there");
                    continue;
                }
                fs::remove_file(&path).map_err(failed)?;
            }
            tracing::info!(model_version.id = %id, stem = copied.stem, "the copy of a version was removed");
            self.manifest.versions.remove(&id);
            self.save()?;
        }
        Ok(())
    }

    fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let mut part = self.part()?.file;
        part.write_all(content)?;
        self.install(part, name)
    }

    /// Moves a written file to its place, in which there is nothing or something older of ours.
    fn install(&self, part: tempfile::NamedTempFile, name: &str) -> io::Result<()> {
        let path = self.folder.join(name);
        part.as_file()
            .set_permissions(fs::Permissions::from_mode(self.mode))?;
        part.as_file().sync_all()?;
        let replaces = self
            .manifest
            .versions
            .values()
            .filter_map(|copied| copied.files.get(name))
            .any(|written| written.before.is_some());
        let placed = if replaces {
            part.persist(&path)
        } else {
            part.persist_noclobber(&path)
        };
        placed.map_err(|err| err.error)?;
        File::open(&self.folder)?.sync_all()
    }

    fn save(&self) -> Result<(), Unusable> {
        self.manifest
            .save(&self.folder, self.mode)
            .map_err(|err| Unusable(unwritable(&self.folder, &err)))
    }

    /// Removes what servers were writing when they were killed.
    fn discard_parts(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(PART_PREFIX) && name.ends_with(PART_SUFFIX) && entry.file_type()?.is_file() {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

impl Part {
    /// Adds bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.file.write_all(bytes)
    }

    /// SHA-256 of what was written so far, in hexadecimal.
    pub(crate) fn sha256(&self) -> String {
        hex::encode(self.hash.clone().finalize())
    }
}

/// Whether copies can be written into a folder; the error is for people.
pub fn check_lora_folder(folder: &Path) -> Result<(), String> {
    readable(folder).map_err(|Unusable(problem)| problem)?;
    tempfile::Builder::new()
        .prefix(PART_PREFIX)
        .suffix(PART_SUFFIX)
        .tempfile_in(folder)
        .map(drop)
        .map_err(|err| unwritable(folder, &err))
}

/// Permissions of the files in a folder, if it is one.
fn readable(folder: &Path) -> Result<u32, Unusable> {
    let shown = folder.display();
    let found = fs::metadata(folder).map_err(|err| {
        Unusable(match err.kind() {
            io::ErrorKind::NotFound => {
                format!("`{shown}` does not exist: create it, or connect the drive that it is on")
            }
            _ => format!("`{shown}` cannot be opened: {err}"),
        })
    })?;
    if !found.is_dir() {
        return Err(Unusable(format!(
            "`{shown}` is a file: set --lora-folder to a folder"
        )));
    }
    Ok(found.permissions().mode() & READABLE)
}

enum Found {
    Nothing,
    /// A folder, a link or something else that is never opened.
    NoFile,
    File(Look),
}

fn look(path: &Path) -> io::Result<Found> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => Ok(Found::File(look_of(&found))),
        Ok(_) => Ok(Found::NoFile),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(Found::Nothing),
        Err(err) => Err(err),
    }
}

fn look_of(found: &fs::Metadata) -> Look {
    Look {
        size_bytes: found.len(),
        modified_s: found.mtime(),
        modified_ns: found.mtime_nsec(),
    }
}

/// What a file looks like, and the SHA-256 of its content; `None` if there is no file.
fn read(path: &Path) -> io::Result<Option<(Look, String)>> {
    if !matches!(look(path)?, Found::File(_)) {
        return Ok(None);
    }
    let mut file = no_link(OpenOptions::new().read(true)).open(path)?;
    let look = look_of(&file.metadata()?);
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Some((look, hex::encode(hash.finalize())))),
            n => hash.update(&buffer[..n]),
        }
    }
}

/// Opens no link, which might lead out of the folder.
fn no_link(options: &mut OpenOptions) -> &mut OpenOptions {
    options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
}

fn unwritable(path: &Path, err: &io::Error) -> String {
    let shown = path.display();
    match err.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            format!("the disk of `{shown}` is full: free space on it")
        }
        io::ErrorKind::PermissionDenied => {
            format!("`{shown}` cannot be written: this account has no permission to write there")
        }
        _ => format!("`{shown}` cannot be written: {err}"),
    }
}

#[cfg(test)]
mod tests;
