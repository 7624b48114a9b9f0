//! Pictures and captions laid out as other trainers read them, in a zip archive that is written piece by piece.
//!
//! Every format has folders `10_zora`, with repeats and group, below a folder that says what the pictures are for:
//!
//! | | trained on | regularization | held out | captions | loss masks |
//! |---|---|---|---|---|---|
//! | kohya | `img` | `reg` | `held_out` | `001.txt` | `conditioning_data/001.png` |
//! | diffusers | `train` | `reg` | `held_out` | `metadata.jsonl` | in the file of the picture |
//! | OneTrainer | `train` | `reg` | `held_out` | `001.txt` | `001-masklabel.png` |
//!
//! [`ingest`](crate::ingest) reads all three again.

use std::collections::{BTreeMap, HashMap, HashSet};

use protocol::dataset::{ExportFormat, Showing, Split};
use serde_json::json;
use unicode_normalization::UnicodeNormalization as _;

use crate::caption;

mod archive;

pub use archive::Archive;

/// The folder of pictures that are never trained on.
pub(crate) const HELD_OUT: &str = "held_out";
/// The folder of regularization pictures.
const REGULARIZATION: &str = "reg";
/// The end of a mask's name. A picture must not be taken for one.
const MASK_SUFFIX: &str = "-masklabel";
/// Longest name of a picture without its extension, in bytes: `-masklabel.png` fits behind it everywhere.
const MAX_STEM_BYTES: usize = 100;
/// Longest name of a group's folder, in bytes. Linux takes 255.
const MAX_GROUP_BYTES: usize = 200;

/// A picture to export.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject<'a> {
    /// Its file name at upload; its folders do not count.
    pub file_name: &'a str,
    /// Its caption; empty if it has none.
    pub caption: &'a str,
    /// What it is used for.
    pub split: Split,
    /// Its group and repeats, and whether it is for regularization.
    pub showing: Showing,
}

/// The files of an export.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The pictures, in their order.
    pub pictures: Vec<PlannedPicture>,
    /// Lists of captions: name and content.
    pub lists: Vec<(String, String)>,
}

/// The files of one picture. Names are unique in the archive, whatever a file system makes of upper and lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedPicture {
    /// Name of the picture.
    pub name: String,
    /// Name of its loss mask, if it has one; absent where the mask stays in the picture's own file.
    pub mask: Option<String>,
    /// Name and content of the file with its caption.
    pub caption: Option<(String, String)>,
}

/// Whether a picture is held out by the folder that it lies in.
pub fn is_held_out(file_name: &str) -> bool {
    let folders = file_name.rsplit_once('/').map_or("", |(folders, _)| folders);
    folders
        .split('/')
        .any(|folder| folder.eq_ignore_ascii_case(HELD_OUT))
}

/// Lays pictures out.
pub fn plan(subjects: &[Subject<'_>], format: ExportFormat) -> Plan {
    let mut names = Names::default();
    let mut lists: BTreeMap<String, String> = BTreeMap::new();
    let mut pictures = Vec::with_capacity(subjects.len());
    for subject in subjects {
        let top = top(subject, format);
        let group = names.group(&subject.showing.group);
        let folder = format!("{}_{group}", subject.showing.repeats);
        let stem = names.stem(&format!("{top}/{folder}"), subject.file_name);
        let within = format!("{folder}/{stem}");
        let text = caption::cleaned(subject.caption);
        let (mask, caption) = match format {
            ExportFormat::Kohya => (
                Some(format!("{top}/{folder}/conditioning_data/{stem}.png")),
                Some(format!("{top}/{within}.txt")),
            ),
            ExportFormat::Onetrainer => (
                Some(format!("{top}/{within}{MASK_SUFFIX}.png")),
                Some(format!("{top}/{within}.txt")),
            ),
            ExportFormat::Diffusers => {
                let line = json!({"file_name": format!("{within}.png"), "text": text});
                let list = lists.entry(format!("{top}/metadata.jsonl")).or_default();
                list.push_str(&format!("{line}\n"));
                (None, None)
            }
        };
        pictures.push(PlannedPicture {
            name: format!("{top}/{within}.png"),
            mask,
            caption: caption
                .filter(|_| !text.is_empty())
                .map(|name| (name, format!("{text}\n"))),
        });
    }
    Plan {
        pictures,
        lists: lists.into_iter().collect(),
    }
}

/// The folders that say what a picture is for.
fn top(subject: &Subject<'_>, format: ExportFormat) -> String {
    let trained = match format {
        ExportFormat::Kohya => "img",
        ExportFormat::Diffusers | ExportFormat::Onetrainer => "train",
    };
    match (subject.split, subject.showing.regularization) {
        (Split::Train, false) => trained.to_owned(),
        (Split::Train, true) => REGULARIZATION.to_owned(),
        (Split::HeldOut, false) => HELD_OUT.to_owned(),
        (Split::HeldOut, true) => format!("{HELD_OUT}/{REGULARIZATION}"),
    }
}

/// Names that have been given.
#[derive(Default)]
struct Names {
    /// Names of folders, by group.
    groups: HashMap<String, String>,
    used_groups: Used,
    used_stems: Used,
}

/// Names and paths that are taken, as a file system may take them for the same.
#[derive(Default)]
struct Used {
    names: HashSet<String>,
    /// The number to try next, by the name that was wanted.
    next: HashMap<String, u32>,
    #[cfg(test)]
    n_tries: usize,
}

impl Names {
    fn group(&mut self, group: &str) -> String {
        if let Some(known) = self.groups.get(group) {
            return known.clone();
        }
        let wanted = ending_safely(fit_for_files(group.trim(), MAX_GROUP_BYTES));
        let name = self.used_groups.take("", &wanted);
        self.groups.insert(group.to_owned(), name.clone());
        name
    }

    fn stem(&mut self, folder: &str, file_name: &str) -> String {
        let base = file_name.rsplit('/').next().unwrap_or(file_name);
        let stem = match base.rsplit_once('.') {
            Some((stem, _)) if !stem.is_empty() => stem,
            _ => base,
        };
        let mut wanted = fit_for_files(stem, MAX_STEM_BYTES);
        if wanted.is_empty() || wanted.starts_with('.') || is_reserved(&wanted) {
            wanted.insert(0, '_');
        }
        if wanted.to_lowercase().ends_with(MASK_SUFFIX) {
            wanted.push('_');
        }
        self.used_stems.take(folder, &wanted)
    }
}

impl Used {
    /// The name, or the first of `name (2)`, `name (3)` … that no other in the folder has.
    fn take(&mut self, folder: &str, wanted: &str) -> String {
        let unified = |name: &str| -> String { format!("{folder}/{name}").to_lowercase().nfc().collect() };
        let next = self.next.entry(unified(wanted)).or_insert(1);
        loop {
            let name = match *next {
                1 => wanted.to_owned(),
                n => format!("{wanted} ({n})"),
            };
            *next += 1;
            #[cfg(test)]
            {
                self.n_tries += 1;
            }
            if self.names.insert(unified(&name)) {
                return name;
            }
        }
    }
}

/// A name of at most so many bytes that Windows takes, apart from its end. A character that cannot be becomes `_`.
pub fn fit_for_files(name: &str, most_bytes: usize) -> String {
    let mut fit = String::with_capacity(name.len().min(most_bytes));
    for c in name.chars() {
        let c = match c {
            '<' | '>' | ':' | '"' | '/' | '\\' | '|' | '?' | '*' => '_',
            c if c.is_control() => '_',
            c => c,
        };
        if fit.len() + c.len_utf8() > most_bytes {
            break;
        }
        fit.push(c);
    }
    fit
}

/// Windows drops dots and spaces at the end of a folder's name.
fn ending_safely(mut name: String) -> String {
    if name.ends_with(['.', ' ']) {
        name.pop();
        name.push('_');
    }
    name
}

/// Whether Windows takes the name for a device, whatever comes behind a dot.
/// Source: <https://learn.microsoft.com/windows/win32/fileio/naming-a-file>.
fn is_reserved(name: &str) -> bool {
    let device = name.split('.').next().unwrap_or(name).trim_end().to_uppercase();
    if ["CON", "PRN", "AUX", "NUL"].contains(&device.as_str()) {
        return true;
    }
    let port = device.strip_prefix("COM").or_else(|| device.strip_prefix("LPT"));
    let mut digits = port.unwrap_or_default().chars();
    matches!(
        (digits.next(), digits.next()),
        (Some('0'..='9' | '¹' | '²' | '³'), None)
    )
}

#[cfg(test)]
mod tests;
