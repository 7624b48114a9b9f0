//! Checks a folder or an archive: all problems that an upload or a training would report.

use std::{collections::BTreeMap, path::Path};

use protocol::{
    dataset::Split,
    finding::{Finding, Severity},
};
use serde::{Deserialize, Serialize};

use crate::{
    buckets::{Buckets, Size},
    caption,
    decoder::Decoder,
    export::is_held_out,
    findings::{self, Purpose, Subject},
    folder::{Folder, FolderError},
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
    #[error(transparent)]
    Read(FolderError),
    /// An uploaded file could not be read to its end.
    #[error("failed to check the dataset")]
    Ingest(#[source] IngestError<std::convert::Infallible>),
}

/// Checks a folder of pictures and captions, or an archive of them.
pub fn check(path: &Path, options: &CheckOptions) -> Result<CheckReport, CheckError> {
    let mut folder = Folder::list(path).map_err(CheckError::Read)?;
    let mut batch = Batch::default().with_decoder(options.decoder.clone());
    for (name, path) in std::mem::take(&mut folder.files) {
        if let Some(file) = folder.open(&name, &path).map_err(CheckError::Read)? {
            let discard = |_: &NormalizedPicture| Ok(());
            batch.add(&name, file, discard).map_err(CheckError::Ingest)?;
        }
    }
    let ingested = batch.finish();
    let refused = folder.refused.into_iter().chain(ingested.refused);
    let refused = refused.map(|file| (file.file_name, file.reason));
    let subjects: Vec<Subject<'_>> = ingested
        .items
        .iter()
        .map(|item| {
            let split = match is_held_out(&item.file_name) {
                true => Split::HeldOut,
                false => Split::Train,
            };
            Subject::ingested(item, split)
        })
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
        n_held_out: n_held_out(&subjects),
        findings,
        buckets: buckets(&ingested.items, &options.purpose),
    })
}

/// How many a version would hold out: those that are marked, or else some of all.
fn n_held_out(subjects: &[Subject<'_>]) -> usize {
    let marked = subjects.iter().filter(|subject| subject.split == Split::HeldOut);
    match marked.count() {
        0 => {
            let shown = subjects.iter().filter(|subject| !subject.showing.regularization);
            split::default_held_out(shown.count())
        }
        n_marked => n_marked,
    }
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
