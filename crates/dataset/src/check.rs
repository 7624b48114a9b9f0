//! Checks a folder or an archive: all problems that an upload or a training would report.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use protocol::{
    dataset::Split,
    finding::{Finding, Severity},
};
use serde::{Deserialize, Serialize};

use crate::{
    buckets::{Buckets, Size},
    caption,
    decoder::Decoder,
    findings::{self, Purpose, Subject},
    ingest::{Batch, IngestError, IngestedItem},
    picture::NormalizedPicture,
    split,
};

/// Options for checking a dataset.
#[derive(Debug, Clone)]
pub struct CheckOptions {
    /// The picture decoder.
    pub decoder: Decoder,
    /// What the pictures are to be trained for.
    pub purpose: Purpose,
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
    let mut refused = Vec::new();
    for path in files {
        let shown = folder
            .and_then(|folder| path.strip_prefix(folder).ok())
            .unwrap_or(&path);
        let opened = open(&path).map_err(|err| CheckError::Read {
            path: path.clone(),
            err,
        })?;
        let Some(file) = opened else {
            refused.push((
                shown.to_string_lossy().into_owned(),
                "is neither a file nor a folder, but a pipe, a socket or a device: remove it".to_owned(),
            ));
            continue;
        };
        let discard = |_: &NormalizedPicture| Ok(());
        batch
            .add(&shown.to_string_lossy(), file, discard)
            .map_err(CheckError::Ingest)?;
    }
    let ingested = batch.finish();
    refused.extend(
        ingested
            .refused
            .into_iter()
            .map(|file| (file.file_name, file.reason)),
    );
    let subjects: Vec<Subject<'_>> = ingested
        .items
        .iter()
        .map(|item| Subject::ingested(item, Split::Train))
        .collect();
    let mut findings = findings::find(&subjects, &options.purpose);
    findings.extend(findings::refused(refused));
    findings::sort(&mut findings);
    Ok(CheckReport {
        passed: findings.iter().all(|finding| finding.severity != Severity::Error),
        n_pictures: subjects.len(),
        n_captioned: subjects
            .iter()
            .filter(|subject| !caption::says_nothing(subject.caption))
            .count(),
        n_held_out: split::default_held_out(
            subjects
                .iter()
                .filter(|subject| !subject.showing.regularization)
                .count(),
        ),
        findings,
        buckets: buckets(&ingested.items, &options.purpose),
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

fn buckets(items: &[IngestedItem], purpose: &Purpose) -> Vec<BucketPreview> {
    let grid = Buckets::new(purpose.resolution, purpose.bucket_step);
    let mut buckets: BTreeMap<Size, Vec<String>> = BTreeMap::new();
    for item in items {
        let placement = grid.place(Size::new(item.width, item.height));
        buckets
            .entry(placement.bucket)
            .or_default()
            .push(item.file_name.clone());
    }
    let preview = |(size, file_names): (Size, Vec<String>)| BucketPreview {
        width: size.width,
        height: size.height,
        file_names,
    };
    buckets.into_iter().map(preview).collect()
}

#[cfg(test)]
mod tests;
