//! Reads pictures and captions from a folder or an archive, as an upload would.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use dataset::{
    decoder::Decoder,
    export::is_held_out,
    findings::{self, Purpose, Subject},
    folder::Folder,
    ingest::{Batch, IngestReport, IngestedItem},
    picture::NormalizedPicture,
    split,
};
use protocol::{
    DatasetVersionId, ItemId,
    dataset::{Manifest, ManifestItem, RefusedFile, Split},
    finding::Finding,
    limits::MAX_PROMPT_CHARS,
    recipe::Recipe,
};

use crate::decoding;

/// Normalized pictures in a folder of their own, and the manifest over them.
pub(super) struct Pictures {
    pub(super) manifest: Manifest,
    pub(super) refused: Vec<RefusedFile>,
    notes: BTreeMap<String, Vec<String>>,
    /// What was accepted, and what it was given for.
    accepted: Vec<(Split, IngestedItem)>,
    folder: tempfile::TempDir,
}

/// Preview pictures when the recipe names no prompts.
const N_SAMPLE_PROMPTS: usize = 4;

impl Pictures {
    /// Reads what is trained on, and what is held out if that lies somewhere else.
    pub(super) fn read(dataset: &Path, held_out: Option<&Path>) -> anyhow::Result<Self> {
        Self::read_with(&decoding::decoder()?, dataset, held_out)
    }

    fn read_with(decoder: &Decoder, dataset: &Path, held_out: Option<&Path>) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("failed to create a folder for the pictures")?;
        let mut items = Vec::new();
        let mut refused = Vec::new();
        let mut notes: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut accepted = Vec::new();
        for (path, split) in [(Some(dataset), Split::Train), (held_out, Split::HeldOut)] {
            let Some(path) = path else { continue };
            let report = ingest(path, folder.path(), decoder)?;
            if report.items.is_empty() {
                bail!("{}: {}", path.display(), nothing_taken(&report));
            }
            refused.extend(report.refused);
            for item in &report.items {
                for note in &item.notes {
                    let files = notes.entry(note.clone()).or_default();
                    files.push(item.file_name.clone());
                }
            }
            items.extend(report.items.iter().map(|item| ManifestItem {
                id: id_of(&item.sha256),
                sha256: item.sha256.clone(),
                width: item.width,
                height: item.height,
                caption: item.caption.clone(),
                split: use_of(item, split),
                showing: dataset::ingest::showing(&item.file_name),
            }));
            accepted.extend(report.items.into_iter().map(|item| (use_of(&item, split), item)));
        }
        let manifest = split::freeze(DatasetVersionId::new(), items)?;
        Ok(Self {
            manifest,
            refused,
            notes,
            accepted,
            folder,
        })
    }

    /// What was changed or found about pictures and captions, each behind the files that it is about.
    pub(super) fn notes(&self) -> impl Iterator<Item = String> {
        self.notes
            .iter()
            .map(|(note, files)| format!("{}: {note}", in_words(files)))
    }

    /// What the checks find for this training: the same as `dataset check` and the job form.
    pub(super) fn findings(&self, recipe: &Recipe) -> Vec<Finding> {
        let subjects: Vec<Subject<'_>> = self
            .accepted
            .iter()
            .map(|(split, item)| Subject {
                id: Some(id_of(&item.sha256)),
                ..Subject::ingested(item, *split)
            })
            .collect();
        findings::find(&subjects, &Purpose::of(recipe))
    }

    /// Finds the file of a picture by its SHA-256.
    pub(super) fn finder(&self) -> agent::engine::Pictures {
        let folder = self.folder.path().to_owned();
        Box::new(move |sha256| file_of(&folder, sha256))
    }

    /// Captions to render previews of; of held-out pictures if there are any.
    pub(super) fn captions(&self) -> Vec<String> {
        let of = |split| {
            let is_meant = move |item: &&ManifestItem| item.split == split && !item.showing.regularization;
            let items = self.manifest.items.iter().filter(is_meant);
            items
                .map(|item| item.caption.chars().take(MAX_PROMPT_CHARS).collect::<String>())
                .filter(|caption| !caption.is_empty())
        };
        of(Split::HeldOut)
            .chain(of(Split::Train))
            .take(N_SAMPLE_PROMPTS)
            .collect()
    }

    /// How many pictures there are of each use.
    pub(super) fn count(&self, split: Split) -> usize {
        self.manifest
            .items
            .iter()
            .filter(|item| item.split == split)
            .count()
    }
}

fn ingest(path: &Path, folder: &Path, decoder: &Decoder) -> anyhow::Result<IngestReport> {
    let mut batch = Batch::default().with_decoder(decoder.clone());
    let store = |picture: &NormalizedPicture| fs::write(file_of(folder, &picture.sha256), &picture.png);
    let mut files = Folder::list(path)?;
    for (name, path) in std::mem::take(&mut files.files) {
        if let Some(file) = files.open(&name, &path)? {
            batch.add(&name, file, store)?;
        }
    }
    let load = |sha256: &str| fs::read(file_of(folder, sha256)).map(|file| Some(file.into()));
    let mut report = batch.finish_with(load, store)?;
    report.refused.splice(0..0, files.refused);
    Ok(report)
}

/// The first few names, and how many more there are.
pub(super) fn in_words(files: &[String]) -> String {
    const N_SHOWN: usize = 3;
    let shown = files[..files.len().min(N_SHOWN)].join(", ");
    match files.len().saturating_sub(N_SHOWN) {
        0 => shown,
        n_more => format!("{shown} and {n_more} more"),
    }
}

/// What a picture is used for: a folder `held_out` says it, as in an upload.
fn use_of(item: &IngestedItem, split: Split) -> Split {
    match is_held_out(&item.file_name) {
        true => Split::HeldOut,
        false => split,
    }
}

fn nothing_taken(report: &IngestReport) -> String {
    match report.refused.first() {
        Some(RefusedFile { file_name, reason }) => format!("no picture was accepted: {file_name}: {reason}"),
        None => "there are no pictures; add PNG or JPEG files with .txt captions next to them".into(),
    }
}

fn file_of(folder: &Path, sha256: &str) -> PathBuf {
    folder.join(format!("{sha256}.png"))
}

/// The same picture has the same id in every run, so that a training can be repeated.
fn id_of(sha256: &str) -> ItemId {
    let digits = sha256.get(..32).unwrap_or(sha256);
    ItemId(uuid::Uuid::from_u128(
        u128::from_str_radix(digits, 16).unwrap_or_default(),
    ))
}

#[cfg(test)]
mod tests;
