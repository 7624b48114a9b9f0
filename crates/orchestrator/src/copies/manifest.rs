//! The list of what was written into the folder, which lies in it.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use protocol::ModelVersionId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Its name in the folder.
const NAME: &str = ".morpheus-loras.json";
/// Files that are being written. They are removed by the next server that holds the folder.
pub(super) const PART_PREFIX: &str = ".morpheus-copy-";
pub(super) const PART_SUFFIX: &str = ".part";

/// What was written into a folder, and by which installation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The installation whose LoRAs are copied here.
    pub(super) installation: Uuid,
    /// By version.
    pub(super) versions: BTreeMap<ModelVersionId, Copied>,
}

/// The files of one version.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Copied {
    /// What their names begin with.
    pub(super) stem: String,
    /// By name.
    pub(super) files: BTreeMap<String, Written>,
}

/// A file that was written, or is about to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Written {
    /// SHA-256 of its content, in hexadecimal.
    pub(super) sha256: String,
    /// That of the content which this one replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) before: Option<String>,
    /// What it looked like when its content was last read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) seen: Option<Look>,
}

/// What changes whenever somebody writes a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Look {
    pub(super) size_bytes: u64,
    pub(super) modified_s: i64,
    pub(super) modified_ns: i64,
}

impl Manifest {
    pub(super) fn new(installation: Uuid) -> Self {
        Self {
            installation,
            versions: BTreeMap::new(),
        }
    }

    /// That of a folder, if it has one.
    pub(crate) fn read(folder: &Path) -> io::Result<Option<Self>> {
        let bytes = match fs::read(folder.join(NAME)) {
            Ok(bytes) => bytes,
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(err) => return Err(err),
        };
        let manifest: Self = serde_json::from_slice(&bytes)?;
        let outside = manifest.names().find(|name| !is_inside(name)).map(str::to_owned);
        match outside {
            None => Ok(Some(manifest)),
            Some(name) => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("it names `{name}`, which is not a file of this folder"),
            )),
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.versions.values().flat_map(|copied| {
            let files = copied.files.keys().map(String::as_str);
            std::iter::once(copied.stem.as_str()).chain(files)
        })
    }

    /// Writes it; after a crash there is the old one or the new one.
    pub(super) fn save(&self, folder: &Path, mode: u32) -> io::Result<()> {
        let mut file = tempfile::Builder::new()
            .prefix(PART_PREFIX)
            .suffix(PART_SUFFIX)
            .tempfile_in(folder)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
        file.as_file().sync_all()?;
        file.persist(folder.join(NAME)).map_err(|err| err.error)?;
        Ok(())
    }

    /// Name of the LoRA that was copied for a version.
    pub(crate) fn lora(&self, id: ModelVersionId) -> Option<String> {
        let copied = self.versions.get(&id)?;
        let name = format!("{}{}", copied.stem, super::sidecars::LORA);
        let is_there = copied.files.get(&name).is_some_and(|file| file.seen.is_some());
        is_there.then_some(name)
    }

    /// Whether a name, whatever its case, begins the files of another version.
    pub(super) fn is_taken(&self, stem: &str, by_other_than: ModelVersionId) -> bool {
        let stem = stem.to_lowercase();
        self.versions
            .iter()
            .any(|(id, copied)| *id != by_other_than && copied.stem.to_lowercase() == stem)
    }
}

/// Whether a name is that of a file in the folder: a person can write the list, too.
fn is_inside(name: &str) -> bool {
    Path::new(name).file_name().is_some_and(|own| own == name)
}
