//! Datasets as the API shows them, and the manifest of a frozen dataset version.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{DatasetId, DatasetVersionId, ItemId, damage::Damage};

/// What a picture is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Trained on; some are held out automatically if none is marked as held out.
    #[default]
    Train,
    /// Never trained on; measures whether the training generalizes.
    HeldOut,
}

/// Uploaded pictures with captions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Dataset {
    /// Its id.
    pub id: DatasetId,
    /// Its name.
    pub name: String,
    /// Number of pictures.
    pub n_items: u64,
    /// Number of pictures with a non-empty caption.
    pub n_captioned: u64,
    /// Number of pictures that are missing from the object store or damaged there: upload them again.
    #[serde(default)]
    pub n_damaged: u64,
    /// A few pictures for a preview: signed URLs, valid for one hour.
    pub preview_urls: Vec<String>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

/// Creates an empty dataset.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateDataset {
    /// Its name, 1 to 80 characters.
    #[schema(min_length = 1, max_length = 80)]
    pub name: String,
}

/// One picture of a dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Item {
    /// Its id.
    pub id: ItemId,
    /// File name at upload.
    pub file_name: String,
    /// What the picture shows, in the words of a prompt.
    pub caption: String,
    /// What it is used for.
    pub split: Split,
    /// Width of the normalized picture in pixels.
    pub width: u32,
    /// Height of the normalized picture in pixels.
    pub height: u32,
    /// Size of the stored file.
    pub size_bytes: u64,
    /// SHA-256 of the stored file, in hexadecimal.
    pub sha256: String,
    /// Signed URL of the picture, valid for one hour.
    pub url: String,
    /// Notes on what was changed at upload: `rotated as its EXIF tag says`.
    pub notes: Vec<String>,
    /// Damage of the stored picture, if known: upload it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damage: Option<Damage>,
}

/// Changes a picture's caption or use.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UpdateItem {
    /// The new caption, of at most 64 KiB.
    #[schema(max_length = 65_536)]
    pub caption: Option<String>,
    /// The caption that the new one replaces. With it, a caption that somebody else has changed in the meantime
    /// is kept: the request is rejected (412), and the response has the current caption in `current`.
    pub expected_caption: Option<String>,
    /// The new use.
    pub split: Option<Split>,
}

impl UpdateItem {
    /// Whether the caption is neither the expected one nor already the new one.
    pub fn conflicts_with(&self, caption: &str) -> bool {
        let is_wanted = |text: &Option<String>| text.as_deref() == Some(caption);
        self.expected_caption.is_some() && !is_wanted(&self.expected_caption) && !is_wanted(&self.caption)
    }
}

/// The result of an upload, file by file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UploadReport {
    /// The dataset after the upload.
    pub dataset: Dataset,
    /// Pictures that were added.
    pub accepted: Vec<Item>,
    /// Pictures already in the dataset whose lost or damaged file was restored.
    #[serde(default)]
    pub restored: Vec<Item>,
    /// Rejected files, each with its reason.
    pub refused: Vec<RefusedFile>,
}

/// A rejected file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusedFile {
    /// Its name as uploaded; within an archive `archive.zip/name.png`.
    pub file_name: String,
    /// What is wrong and how to fix it.
    pub reason: String,
}

/// A frozen dataset version: exactly what an engine trains on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Manifest {
    /// Id of the version.
    pub id: DatasetVersionId,
    /// The pictures, ordered by id.
    pub items: Vec<ManifestItem>,
}

/// One picture of a frozen dataset version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ManifestItem {
    /// Its id.
    pub id: ItemId,
    /// SHA-256 of the file, in hexadecimal; also its key in the object store.
    pub sha256: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Its caption.
    pub caption: String,
    /// What it is used for, decided when the version was frozen.
    pub split: Split,
}
