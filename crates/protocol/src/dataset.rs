//! Datasets as the API shows them, and the manifest of a frozen dataset version.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    DatasetId, DatasetVersionId, ItemId,
    damage::Damage,
    problem::{FieldError, InvalidFields},
    text,
};

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
    /// A few pictures for a preview: the URLs of their thumbnails.
    pub preview_urls: Vec<String>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

/// Where the thumbnail of a picture is. The hash of its file is there for browsers, which keep what a URL has shown.
pub fn thumbnail_path(dataset: DatasetId, item: ItemId, sha256: &str) -> String {
    format!("/api/v1/datasets/{dataset}/items/{item}/thumbnail?of={sha256}")
}

/// How an exported dataset is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExportFormat {
    /// Folders `10_zora` of sd-scripts and kohya_ss, with captions beside the pictures and masks in `conditioning_data`.
    Kohya,
    /// Folders with a `metadata.jsonl`, as diffusers' training scripts and Hugging Face's `datasets` read them.
    Diffusers,
    /// Folders with captions and `-masklabel.png` beside the pictures.
    Onetrainer,
}

impl ExportFormat {
    /// All formats.
    pub const ALL: [Self; 3] = [Self::Kohya, Self::Diffusers, Self::Onetrainer];

    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kohya => "kohya",
            Self::Diffusers => "diffusers",
            Self::Onetrainer => "onetrainer",
        }
    }
}

/// Creates an empty dataset.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateDataset {
    /// Its name, 1 to 80 characters.
    #[schema(min_length = 1, max_length = 80)]
    pub name: String,
}

/// What is noted at a picture that has a mask picture.
pub const MASK_NOTE: &str = "has a loss mask, which counts where masked_loss is on";

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
    /// The group that it belongs to; empty if to none. A folder of an uploaded archive is one.
    #[serde(default)]
    #[schema(default = "")]
    pub group: String,
    /// How many times an epoch shows it.
    #[serde(default = "once")]
    #[schema(minimum = 1, maximum = 1000, default = 1)]
    pub repeats: u32,
    /// It shows what the trigger word is not: it is trained on without the word, so that the rest of its kind stays as it
    /// is. See `prior_loss_weight`.
    #[serde(default)]
    #[schema(default = false)]
    pub regularization: bool,
    /// It has a mask picture, which says where it is learned: `GET …/items/{item_id}/mask`.
    #[serde(default)]
    #[schema(default = false)]
    pub has_mask: bool,
    /// The comic page that it was cut out of; absent if it was cut out of none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub panel: Option<PanelOf>,
    /// It is a comic page that was split: its panels are trained on instead of it.
    #[serde(default)]
    #[schema(default = false)]
    pub set_aside: bool,
    /// Width of the normalized picture in pixels.
    pub width: u32,
    /// Height of the normalized picture in pixels.
    pub height: u32,
    /// Size of the stored file.
    pub size_bytes: u64,
    /// SHA-256 of the stored file, in hexadecimal.
    pub sha256: String,
    /// How steep the sharpest edges of the picture are, in thousandths of a step from one pixel to the next at about 1024
    /// pixels; absent where it has no edges, or was not measured yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharpness: Option<u16>,
    /// Signed URL of the picture, valid for one hour.
    pub url: String,
    /// Notes on what was changed at upload: `rotated as its EXIF tag says`.
    pub notes: Vec<String>,
    /// Damage of the stored picture, if known: upload it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damage: Option<Damage>,
}

/// Where a picture was cut out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PanelOf {
    /// The page.
    pub page_id: ItemId,
    /// Its place in the reading order, from 1.
    #[schema(minimum = 1)]
    pub number: u32,
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
    /// The new group, of at most 80 characters; empty for none.
    #[schema(max_length = 80)]
    pub group: Option<String>,
    /// How many times an epoch shows it.
    #[schema(minimum = 1, maximum = 1000)]
    pub repeats: Option<u32>,
    /// Whether it is a regularization picture.
    pub regularization: Option<bool>,
}

impl UpdateItem {
    /// Whether the caption is neither the expected one nor already the new one.
    pub fn conflicts_with(&self, caption: &str) -> bool {
        let is_wanted = |text: &Option<String>| text.as_deref() == Some(caption);
        self.expected_caption.is_some() && !is_wanted(&self.expected_caption) && !is_wanted(&self.caption)
    }
}

impl UpdateItem {
    /// Checks what limits the fields have.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn validate(&self) -> Result<(), InvalidFields> {
        let group = self.group.as_deref().and_then(unfit_group);
        let repeats = self.repeats.and_then(unfit_repeats);
        let found = [("group", group), ("repeats", repeats)].into_iter();
        let errors: Vec<FieldError> = found
            .filter_map(|(field, problem)| Some(FieldError::new(field, problem?)))
            .collect();
        if errors.is_empty() {
            Ok(())
        } else {
            Err(InvalidFields(errors))
        }
    }
}

/// Changes all pictures of groups.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateGroups {
    /// The groups, at most 1000.
    #[schema(max_items = 1000)]
    pub groups: Vec<GroupChange>,
}

/// Changes all pictures of one group.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupChange {
    /// The group; empty for the pictures of no group.
    pub group: String,
    /// How many times an epoch shows each of its pictures.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1000)]
    pub repeats: Option<u32>,
    /// Whether its pictures are regularization pictures.
    #[serde(default)]
    pub regularization: Option<bool>,
}

impl UpdateGroups {
    /// Checks what limits the fields have.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn validate(&self) -> Result<(), InvalidFields> {
        if self.groups.len() > MAX_GROUPS {
            let message = format!("must be at most {MAX_GROUPS}, not {}", self.groups.len());
            return Err(InvalidFields(vec![FieldError::new("groups", message)]));
        }
        let found = self.groups.iter().enumerate().filter_map(|(index, change)| {
            let problem = change.repeats.and_then(unfit_repeats)?;
            Some(FieldError::new(format!("groups[{index}].repeats"), problem))
        });
        let errors: Vec<FieldError> = found.collect();
        if errors.is_empty() {
            Ok(())
        } else {
            Err(InvalidFields(errors))
        }
    }
}

/// Most groups in one request.
const MAX_GROUPS: usize = 1000;
/// Longest name of a group.
pub const MAX_GROUP_CHARS: usize = 80;

fn unfit_group(group: &str) -> Option<String> {
    if group.chars().count() > MAX_GROUP_CHARS {
        return Some(format!("must have at most {MAX_GROUP_CHARS} characters"));
    }
    text::check_line(group).err().map(|unfit| unfit.to_string())
}

fn unfit_repeats(repeats: u32) -> Option<String> {
    (!(1..=1000).contains(&repeats)).then(|| format!("must be from 1 to 1000, not {repeats}"))
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
    /// How often it is shown, and as what.
    #[serde(flatten)]
    pub showing: Showing,
}

/// How often a training shows a picture, and as what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Showing {
    /// Its group; empty if it is in none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// How many times an epoch shows it.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub repeats: u32,
    /// Whether it is a regularization picture: without the trigger word, and with a loss weight of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub regularization: bool,
}

impl Default for Showing {
    fn default() -> Self {
        Self {
            group: String::new(),
            repeats: 1,
            regularization: false,
        }
    }
}

impl Manifest {
    /// Whether agents that know neither repeats nor regularization pictures would train on something else.
    pub fn is_uneven(&self) -> bool {
        let is_uneven = |showing: &Showing| showing.repeats != 1 || showing.regularization;
        self.items.iter().any(|item| is_uneven(&item.showing))
    }
}

impl ManifestItem {
    /// Whether it is trained on for what it shows: neither held out nor for regularization.
    pub fn is_subject(&self) -> bool {
        self.split == Split::Train && !self.showing.regularization
    }

    /// Whether it is a regularization picture that is trained on.
    pub fn is_regularization(&self) -> bool {
        self.split == Split::Train && self.showing.regularization
    }
}

/// What an epoch shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown<'a> {
    /// The pictures that are trained on, each with how many times it is shown: regularization pictures come last, and
    /// some of them may not be shown at all.
    pub items: Vec<(&'a ManifestItem, u32)>,
    /// How many times each picture is shown that the base model has drawn.
    pub drawn: Vec<u32>,
}

impl<'a> Shown<'a> {
    /// Of a version's pictures and so many that the base model draws, which are for regularization too.
    pub fn of(items: &'a [ManifestItem], n_drawn: u16) -> Self {
        let subjects = items.iter().filter(|item| item.is_subject());
        let mut shown: Vec<_> = subjects.map(|item| (item, item.showing.repeats)).collect();
        let n_subjects = shown.iter().map(|(_, repeats)| repeats).sum();
        let others: Vec<_> = items.iter().filter(|item| item.is_regularization()).collect();
        let mut repeats: Vec<u32> = others.iter().map(|item| item.showing.repeats).collect();
        repeats.resize(others.len() + usize::from(n_drawn), 1);
        let mut repeats = regularization_repeats(n_subjects, &repeats);
        let drawn = repeats.split_off(others.len());
        shown.extend(others.into_iter().zip(repeats));
        Self { items: shown, drawn }
    }
}

/// How many times an epoch shows each regularization picture, given how often it shows the others together.
///
/// As in sd-scripts (`DreamBoothDataset` in `library/train_util.py`): in their order each gets its repeats, and then one
/// more in turn, until they are as many as the others. Those that come after that are not shown.
fn regularization_repeats(n_others: u32, repeats: &[u32]) -> Vec<u32> {
    let mut all = vec![0; repeats.len()];
    let mut n = 0;
    let mut round = 0;
    while n < n_others && !repeats.is_empty() {
        for (now, own) in all.iter_mut().zip(repeats) {
            let more = if round == 0 { *own } else { 1 };
            *now += more;
            n += more;
            if n >= n_others {
                break;
            }
        }
        round += 1;
    }
    all
}

fn once() -> u32 {
    1
}

fn is_once(repeats: &u32) -> bool {
    *repeats == 1
}

#[cfg(test)]
mod tests;
