//! The manifest of a backup: its last written file, which lists the contents.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{BlobKey, maintenance::TableStatus};

/// The format that this version writes and reads.
pub(super) const FORMAT: &str = "morpheus-backup-1";

/// Names of the files of a backup.
pub(super) const ROWS: &str = "database.jsonl";
pub(super) const MANIFEST: &str = "manifest.json";
/// The manifest's own hash, as `sha256sum` writes and checks it.
pub(super) const SUM: &str = "manifest.json.sha256";
/// Before the keys of objects.
pub(super) const OBJECTS: &str = "objects";

/// Contents of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub(super) format: String,
    /// Unique id of this backup.
    pub id: Uuid,
    /// The time of its snapshot.
    pub created_at: DateTime<Utc>,
    /// The version of Morpheus that wrote it.
    pub morpheus: String,
    /// The installation.
    pub deployment: Uuid,
    /// The steps that the schema had gone.
    pub schema: Vec<String>,
    pub(super) rows: Rows,
    /// All objects that the rows refer to, but those that are lost.
    pub(super) objects: Vec<Object>,
    /// Objects that rows refer to but that could not be copied.
    pub lost: Vec<Lost>,
    /// Earlier backups that hold some of the objects.
    pub earlier: Vec<Earlier>,
}

/// The file with the rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rows {
    pub(super) sha256: String,
    pub(super) size_bytes: u64,
    pub(super) tables: Vec<TableStatus>,
}

/// An object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Object {
    #[serde(rename = "sha256", with = "by_hash")]
    pub(super) key: BlobKey,
    pub(super) size_bytes: u64,
    /// The earlier backup that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) within: Option<Uuid>,
}

/// An object that could not be copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lost {
    /// Its key.
    #[serde(rename = "sha256", with = "by_hash")]
    pub key: BlobKey,
    /// What was wrong with it.
    pub fault: Fault,
    /// Some of the things that refer to it, for people.
    pub used_by: Vec<String>,
}

/// What is wrong with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The object store does not have it.
    Missing,
    /// Its bytes do not have the hash that they were stored under.
    Damaged,
    /// It cannot be read.
    Unreadable,
}

impl Fault {
    /// Text for people.
    pub fn as_text(self) -> &'static str {
        match self {
            Self::Missing => "missing from the object store",
            Self::Damaged => "damaged in the object store",
            Self::Unreadable => "unreadable in the object store",
        }
    }
}

/// A backup that another one was made on top of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Earlier {
    /// Its id.
    pub id: Uuid,
    /// What its file or folder was called.
    pub name: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Objects that are in it.
    pub n_objects: usize,
}

impl Manifest {
    /// Objects of the backup, also those that are in earlier ones.
    pub fn n_objects(&self) -> usize {
        self.objects.len()
    }

    /// Size of these objects.
    pub fn objects_bytes(&self) -> u64 {
        self.objects.iter().map(|object| object.size_bytes).sum()
    }

    /// Rows of each table.
    pub fn tables(&self) -> &[TableStatus] {
        &self.rows.tables
    }
}

/// A key as the hash that it is made of.
mod by_hash {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::BlobKey;

    pub(super) fn serialize<S: Serializer>(key: &BlobKey, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&key.sha256())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BlobKey, D::Error> {
        let hash = String::deserialize(deserializer)?;
        BlobKey::from_sha256(&hash).map_err(D::Error::custom)
    }
}
