//! What is wrong with a dataset: pictures and captions on one side, what a training wants on the other, findings in between.
//!
//! The page, the job form, the API, `morpheus dataset check` and `morpheus train` all call [`find`], so that all of them say
//! the same. Nothing here reads a file: pixels were measured when they were decoded ([`Measures`]).

use std::collections::BTreeMap;

use protocol::{
    DatasetVersionId, ItemId,
    dataset::{ManifestItem, Showing, Split},
    finding::{Finding, FindingCode, FoundPicture, Measures, Severity},
    preset::Preset,
    recipe::Recipe,
};
use sha2::{Digest as _, Sha256};

use crate::{
    caption::rules::CaptionRules,
    ingest::{IngestedItem, showing},
    split,
};

mod captions;
mod near;
mod pictures;
mod tags;
mod words;

/// A picture and what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject<'a> {
    /// Its id, if it is in a dataset.
    pub id: Option<ItemId>,
    /// Its file name.
    pub file_name: &'a str,
    /// SHA-256 of its file, in hexadecimal.
    pub sha256: &'a str,
    /// Its caption; empty if it has none.
    pub caption: &'a str,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// What it is marked to be used for.
    pub split: Split,
    /// How often it is shown, and as what.
    pub showing: Showing,
    /// What was changed at upload.
    pub notes: &'a [String],
    /// What its pixels were measured to be; checks of pixels pass over a picture without.
    pub measures: Option<Measures>,
}

impl<'a> Subject<'a> {
    /// A picture that is in no dataset.
    pub fn ingested(item: &'a IngestedItem, split: Split) -> Self {
        Self {
            id: None,
            file_name: &item.file_name,
            sha256: &item.sha256,
            caption: &item.caption,
            width: item.width,
            height: item.height,
            split,
            showing: showing(&item.file_name),
            notes: &item.notes,
            measures: item.measures,
        }
    }
}

/// What the pictures are to be trained for.
#[derive(Debug, Clone)]
pub struct Purpose {
    /// What the LoRA is for.
    pub preset: Preset,
    /// Resolution of the training, in pixels.
    pub resolution: u32,
    /// Bucket step of the training, in pixels.
    pub bucket_step: u32,
    /// Pictures in a batch.
    pub batch_size: u16,
    /// Tokens of a caption that are read: 75, 150 or 225.
    pub max_tokens: u16,
    /// The trigger word; empty for none.
    pub trigger_word: String,
    /// How captions are changed before they are read, if that is known.
    pub rules: Option<CaptionRules>,
}

impl Purpose {
    /// That of a job.
    pub fn of(recipe: &Recipe) -> Self {
        let p = recipe.parameters();
        Self {
            preset: recipe.preset(),
            resolution: p.resolution,
            bucket_step: p.bucket_step,
            batch_size: p.batch_size,
            max_tokens: p.max_tokens,
            trigger_word: recipe.trigger_word().unwrap_or_default().trim().to_owned(),
            rules: Some(CaptionRules::of(recipe)),
        }
    }
}

/// Checks pictures and captions; errors come first, then warnings, then notes.
pub fn find(subjects: &[Subject<'_>], purpose: &Purpose) -> Vec<Finding> {
    let mut found = Found::default();
    let splits = splits(subjects, &mut found);
    pictures::judge(subjects, &splits, purpose, &mut found);
    captions::judge(subjects, purpose, &mut found);
    for (index, subject) in subjects.iter().enumerate() {
        for note in subject.notes {
            found.of(FindingCode::Changed, index, note.clone());
        }
    }
    found.findings(subjects, purpose)
}

/// A finding about files that were not accepted, which are not among the pictures: their names and the reasons.
pub fn refused(files: impl IntoIterator<Item = (String, String)>) -> Option<Finding> {
    let pictures: Vec<FoundPicture> = files
        .into_iter()
        .map(|(file_name, detail)| FoundPicture {
            id: None,
            file_name,
            detail,
        })
        .collect();
    let code = FindingCode::FileRefused;
    if pictures.is_empty() {
        return None;
    }
    let about = pictures
        .iter()
        .map(|file| format!("{}\n{}", file.file_name, file.detail));
    Some(Finding {
        content: hash(code, about),
        message: words::message(code, pictures.len()),
        repair: words::repair(code, None).to_owned(),
        code,
        severity: code.severity(),
        about: code.about(),
        pictures,
        acknowledged: false,
    })
}

/// Sorts findings of several sources as [`find`] does.
pub fn sort(findings: &mut [Finding]) {
    findings.sort_by_key(|finding| (finding.severity, finding.code));
}

/// What each picture would be used for by a training; says why none can start.
fn splits(subjects: &[Subject<'_>], found: &mut Found) -> Vec<Split> {
    let ids: Vec<ItemId> = subjects
        .iter()
        .map(|subject| subject.id.unwrap_or_else(ItemId::new))
        .collect();
    let items = subjects.iter().zip(&ids).map(|(subject, id)| ManifestItem {
        id: *id,
        sha256: subject.sha256.to_owned(),
        width: subject.width,
        height: subject.height,
        caption: String::new(),
        split: subject.split,
        showing: subject.showing.clone(),
    });
    match split::freeze(DatasetVersionId::new(), items.collect()) {
        Ok(manifest) => {
            let splits: BTreeMap<ItemId, Split> =
                manifest.items.iter().map(|item| (item.id, item.split)).collect();
            ids.iter()
                .zip(subjects)
                .map(|(id, subject)| splits.get(id).copied().unwrap_or(subject.split))
                .collect()
        }
        Err(err) => {
            found.of_all(FindingCode::CannotTrain, err.to_string());
            subjects.iter().map(|subject| subject.split).collect()
        }
    }
}

/// What the checks have found so far.
#[derive(Default)]
struct Found {
    /// The pictures by their index, each with what is wrong with it.
    of_pictures: BTreeMap<FindingCode, Vec<(usize, String)>>,
    /// What is wrong with the dataset as a whole.
    of_all: Vec<(FindingCode, String)>,
}

impl Found {
    fn of(&mut self, code: FindingCode, index: usize, detail: impl Into<String>) {
        self.of_pictures
            .entry(code)
            .or_default()
            .push((index, detail.into()));
    }

    fn of_all(&mut self, code: FindingCode, what: impl Into<String>) {
        self.of_all.push((code, what.into()));
    }

    fn findings(self, subjects: &[Subject<'_>], purpose: &Purpose) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self
            .of_all
            .into_iter()
            .map(|(code, what)| Finding {
                code,
                severity: severity(code, subjects.len()),
                about: code.about(),
                content: hash(code, [what.clone()]),
                message: words::sentence(&what),
                repair: words::repair(code, Some(purpose)).to_owned(),
                pictures: Vec::new(),
                acknowledged: false,
            })
            .collect();
        for (code, pictures) in self.of_pictures {
            let about = pictures.iter().map(|(index, detail)| {
                let subject = &subjects[*index];
                // Either a new file or a new caption makes it another finding.
                format!("{}\n{}\n{detail}", subject.sha256, subject.caption)
            });
            findings.push(Finding {
                code,
                severity: code.severity(),
                about: code.about(),
                content: hash(code, about),
                message: words::message(code, n_distinct(&pictures)),
                repair: words::repair(code, Some(purpose)).to_owned(),
                pictures: pictures
                    .into_iter()
                    .map(|(index, detail)| FoundPicture {
                        id: subjects[index].id,
                        file_name: subjects[index].file_name.to_owned(),
                        detail,
                    })
                    .collect(),
                acknowledged: false,
            });
        }
        sort(&mut findings);
        findings
    }
}

/// That of its code; a dataset that could be larger is no danger unless it is tiny.
fn severity(code: FindingCode, n_pictures: usize) -> Severity {
    match code {
        FindingCode::FewPictures if n_pictures >= pictures::TINY => Severity::Note,
        _ => code.severity(),
    }
}

/// A picture may have several details of one code.
fn n_distinct(pictures: &[(usize, String)]) -> usize {
    let mut indices: Vec<usize> = pictures.iter().map(|(index, _)| *index).collect();
    indices.sort_unstable();
    indices.dedup();
    indices.len()
}

/// Hash of what a finding is about; the order of the pictures does not matter.
fn hash(code: FindingCode, about: impl IntoIterator<Item = String>) -> String {
    let mut about: Vec<String> = about
        .into_iter()
        .map(|about| hex::encode(Sha256::digest(about)))
        .collect();
    about.sort();
    hex::encode(Sha256::digest(format!("{code:?}\n{}", about.join("\n"))))
}

#[cfg(test)]
mod tests;
