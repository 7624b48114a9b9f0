//! Checks of a dataset: all problems that an upload or a training would report.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use protocol::{
    DatasetVersionId, ItemId,
    dataset::{ManifestItem, Split},
};
use serde::{Deserialize, Serialize};

use crate::{
    buckets::{Buckets, Size},
    caption,
    decoder::Decoder,
    ingest::{Batch, IngestError, IngestedItem, showing},
    picture::NormalizedPicture,
    split,
};

/// Options for checking a dataset.
#[derive(Debug, Clone)]
pub struct CheckOptions {
    /// The picture decoder.
    pub decoder: Decoder,
    /// Resolution of the training, in pixels.
    pub resolution: u32,
    /// Bucket step of the training, in pixels.
    pub bucket_step: u32,
    /// Batch size.
    pub batch_size: u16,
    /// The trigger word, if there is one.
    pub trigger_word: Option<String>,
}

/// The findings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckReport {
    /// Whether there are no errors, so that a training can start.
    pub passed: bool,
    /// Number of accepted pictures.
    pub n_pictures: usize,
    /// Number of pictures with a caption.
    pub n_captioned: usize,
    /// Number of pictures that would be held out.
    pub n_held_out: usize,
    /// Findings, errors first.
    pub findings: Vec<Finding>,
    /// The buckets that the pictures fall into, by size.
    pub buckets: Vec<BucketPreview>,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Severity.
    pub severity: Severity,
    /// The file, or `None` for the whole dataset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// What is wrong and what is valid.
    pub message: String,
}

/// Severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The file was rejected, or no training can start.
    Error,
    /// A training can start, but the result will probably be worse.
    Warning,
    /// Worth knowing.
    Info,
}

/// One bucket with the pictures that fall into it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketPreview {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The pictures.
    pub file_names: Vec<String>,
}

/// Why a dataset could not be checked at all.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The path does not exist or cannot be read.
    #[error("failed to read `{path}`")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        err: io::Error,
    },
    /// An uploaded file could not be read to its end.
    #[error("failed to check the dataset")]
    Ingest(#[source] IngestError<std::convert::Infallible>),
}

/// Checks a folder of pictures and captions, or an archive of them.
pub fn check(path: &Path, options: &CheckOptions) -> Result<CheckReport, CheckError> {
    let mut files = Vec::new();
    list(path, &mut files)?;
    let folder = if path.is_dir() { Some(path) } else { path.parent() };
    let mut batch = Batch::default().with_decoder(options.decoder.clone());
    let mut findings = Vec::new();
    for path in files {
        let shown = folder
            .and_then(|folder| path.strip_prefix(folder).ok())
            .unwrap_or(&path);
        let opened = open(&path).map_err(|err| CheckError::Read {
            path: path.clone(),
            err,
        })?;
        let Some(file) = opened else {
            findings.push(Finding {
                severity: Severity::Error,
                file_name: Some(shown.to_string_lossy().into_owned()),
                message: "is neither a file nor a folder, but a pipe, a socket or a device: remove it"
                    .to_owned(),
            });
            continue;
        };
        let discard = |_: &NormalizedPicture| Ok(());
        batch
            .add(&shown.to_string_lossy(), file, discard)
            .map_err(CheckError::Ingest)?;
    }
    let ingested = batch.finish();
    findings.extend(ingested.refused.into_iter().map(|file| Finding {
        severity: Severity::Error,
        file_name: Some(file.file_name),
        message: file.reason,
    }));
    let (buckets, n_held_out) = judge(&ingested.items, options, &mut findings);
    findings.sort_by_key(|finding| finding.severity);
    Ok(CheckReport {
        passed: findings.iter().all(|finding| finding.severity != Severity::Error),
        n_pictures: ingested.items.len(),
        n_captioned: ingested
            .items
            .iter()
            .filter(|item| !item.caption.is_empty())
            .count(),
        n_held_out,
        findings,
        buckets,
    })
}

/// Opens a file; `None` for anything else, which is not opened: a pipe would be waited for.
fn open(path: &Path) -> io::Result<Option<File>> {
    if !std::fs::metadata(path)?.is_file() {
        return Ok(None);
    }
    // It may have been replaced since.
    let no_wait = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(no_wait).open(path)?;
    let is_file = file.metadata()?.is_file();
    Ok(is_file.then_some(file))
}

/// All files below a path, in the order of their names; symbolic links are not followed.
fn list(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), CheckError> {
    let unreadable = |err| CheckError::Read {
        path: path.to_owned(),
        err,
    };
    if !std::fs::metadata(path).map_err(unreadable)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if !entry.file_type().map_err(unreadable)?.is_symlink() {
            entries.push(entry.path());
        }
    }
    entries.sort();
    entries.iter().try_for_each(|entry| list(entry, files))
}

/// Checks the accepted pictures; returns their buckets, and how many would be held out.
fn judge(
    items: &[IngestedItem],
    options: &CheckOptions,
    findings: &mut Vec<Finding>,
) -> (Vec<BucketPreview>, usize) {
    let mut find = |severity, file_name: Option<&str>, message: String| {
        findings.push(Finding {
            severity,
            file_name: file_name.map(str::to_owned),
            message,
        });
    };
    let manifest = split::freeze(DatasetVersionId::new(), items.iter().map(manifest_item).collect());
    let n_held_out = match &manifest {
        Ok(manifest) => manifest
            .items
            .iter()
            .filter(|item| item.split == Split::HeldOut)
            .count(),
        Err(err) => {
            find(Severity::Error, None, err.to_string());
            0
        }
    };
    let grid = Buckets::new(options.resolution, options.bucket_step);
    let mut buckets: BTreeMap<Size, Vec<String>> = BTreeMap::new();
    for item in items {
        let name = Some(item.file_name.as_str());
        for note in &item.notes {
            find(Severity::Info, name, note.clone());
        }
        if item.caption.is_empty() {
            find(
                Severity::Warning,
                name,
                "has no caption: add a .txt file of the same name".into(),
            );
        } else if let Some(trigger) = &options.trigger_word
            && !showing(&item.file_name).regularization
            && !caption::holds_word(&item.caption, trigger)
        {
            find(
                Severity::Info,
                name,
                format!("its caption lacks `{trigger}`, which will be prepended"),
            );
        }
        let placement = grid.place(Size::new(item.width, item.height));
        // Thresholds: enlarging by more than a third shows; more than a third cut off loses limbs.
        if placement.scale() > 4.0 / 3.0 {
            let message = format!(
                "is {}×{} and will be enlarged {:.1} times to {}: use a larger picture for a sharper result",
                item.width,
                item.height,
                placement.scale(),
                placement.resized
            );
            find(Severity::Warning, name, message);
        }
        if placement.crop_loss() > 0.35 {
            let message = format!(
                "loses {:.0} % to the crop to {}",
                100.0 * placement.crop_loss(),
                placement.bucket
            );
            find(Severity::Warning, name, message);
        }
        buckets
            .entry(placement.bucket)
            .or_default()
            .push(item.file_name.clone());
    }
    if (1..4).contains(&items.len()) {
        find(
            Severity::Warning,
            None,
            format!("has {} pictures: 15 to 30 are usual for a character", items.len()),
        );
    }
    if items.len() > 3
        && items
            .iter()
            .all(|item| !item.caption.is_empty() && item.caption == items[0].caption)
    {
        find(
            Severity::Warning,
            None,
            "all captions are the same: describe how the pictures differ".into(),
        );
    }
    for (size, names) in &buckets {
        if buckets.len() > 1 && names.len() < usize::from(options.batch_size) {
            let message = format!(
                "bucket {size} has {} pictures, so its batches are smaller than {}",
                names.len(),
                options.batch_size
            );
            find(Severity::Info, None, message);
        }
    }
    let preview = |(size, file_names): (Size, Vec<String>)| BucketPreview {
        width: size.width,
        height: size.height,
        file_names,
    };
    (buckets.into_iter().map(preview).collect(), n_held_out)
}

fn manifest_item(item: &IngestedItem) -> ManifestItem {
    ManifestItem {
        id: ItemId::new(),
        sha256: item.sha256.clone(),
        width: item.width,
        height: item.height,
        caption: item.caption.clone(),
        split: Split::Train,
        showing: showing(&item.file_name),
    }
}

#[cfg(test)]
mod tests;
