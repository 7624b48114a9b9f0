//! Which caption belongs to which picture, once all files of an upload are there.

use std::{collections::BTreeMap, mem};

use protocol::dataset::RefusedFile;

use super::{Batch, IngestReport, IngestedItem, NewCaption, PendingCaption, beside, by_stem, name};

/// What is noted of a picture that got the words of its folder.
const CLASS_WORDS: &str = "captioned with the words of its folder, as sd-scripts does";
/// Pictures that are named of a list.
const N_NAMED: usize = 3;

/// Whether a note says that nobody gave a picture its caption as such.
pub(super) fn is_stopgap(note: &str) -> bool {
    note == CLASS_WORDS || note.starts_with(super::OWN_WORDS)
}

impl IngestedItem {
    /// The caption that somebody gave the picture; empty if it has only words of its folder or of its own file.
    pub fn given_caption(&self) -> &str {
        match self.notes.iter().any(|note| is_stopgap(note)) {
            true => "",
            false => &self.caption,
        }
    }
}

impl Batch {
    pub(super) fn matched(&mut self) -> IngestReport {
        self.drop_documents();
        let masks = self.match_masks();
        self.take_full_names();
        for picture in &mut self.pictures {
            let own = self.captions.remove(&picture.stem);
            let listed = self.listed.remove(&picture.stem);
            if let Some(PendingCaption { caption, .. }) = own.or(listed) {
                picture.item.caption = caption.text;
                picture.item.notes.extend(caption.notes);
            } else if let Some(words) = name::class_words(&picture.item.file_name) {
                picture.item.caption = words.to_owned();
                picture.item.notes.push(CLASS_WORDS.to_owned());
            } else if let Some(caption) = picture.own_words.take() {
                picture.item.caption = caption.text;
                picture.item.notes.extend(caption.notes);
            }
        }
        let captions = self.match_known();
        self.side_files.sort();
        if let Some(first) = self.side_files.first() {
            let reason = match self.side_files.len() - 1 {
                0 => "is a cache of another trainer, and was left out".to_owned(),
                n_more => format!("and {n_more} more files are caches of other trainers, and were left out"),
            };
            self.refused.push(RefusedFile {
                file_name: first.clone(),
                reason,
            });
        }
        IngestReport {
            items: self.pictures.drain(..).map(|picture| picture.item).collect(),
            captions,
            masks,
            again: mem::take(&mut self.again),
            refused: mem::take(&mut self.refused),
        }
    }

    /// Drops the documents whose pictures were taken from the files beside them.
    fn drop_documents(&mut self) {
        let refused = &mut self.refused;
        self.pictures.retain(|picture| {
            let (Some(what), Some(taken)) = (picture.document, &picture.replaced_by) else {
                return true;
            };
            refused.push(RefusedFile {
                file_name: picture.shown_name.clone(),
                reason: beside(what, taken),
            });
            false
        });
    }

    /// `zora.png.txt` is the caption of `zora.png`, if that has no `zora.txt`.
    fn take_full_names(&mut self) {
        for captions in [&mut self.captions, &mut self.listed] {
            let full: Vec<_> = captions
                .keys()
                .filter(|stem| name::has_picture_extension(&stem.1) && !self.by_stem.contains_key(*stem))
                .cloned()
                .collect();
            for (holder, stem) in full {
                let of_picture = (holder.clone(), name::stem(&stem));
                if !captions.contains_key(&of_picture)
                    && let Some(caption) = captions.remove(&(holder, stem))
                {
                    captions.insert(of_picture, caption);
                }
            }
        }
    }

    /// Captions for pictures that the dataset has; the others are refused.
    fn match_known(&mut self) -> Vec<NewCaption> {
        let mut left: Vec<_> = self.captions.drain().collect();
        left.sort_by(|(_, a), (_, b)| a.shown_name.cmp(&b.shown_name));
        let known = by_stem(&self.known);
        let mut captions = Vec::new();
        for ((_, stem), PendingCaption { shown_name, caption }) in left {
            match known.get(&stem).map(Vec::as_slice).unwrap_or_default() {
                [owner] => captions.push(NewCaption {
                    sha256: owner.sha256.clone(),
                    caption: caption.text,
                    notes: caption.notes,
                }),
                [] if name::has_picture_extension(&stem) => self.refused.push(RefusedFile {
                    file_name: shown_name,
                    reason: format!(
                        "is a caption without a picture, or a second one: no picture named `{stem}` was accepted that \
                         lacks a caption"
                    ),
                }),
                [] => self.refused.push(RefusedFile {
                    file_name: shown_name,
                    reason: format!(
                        "is a caption without a picture: no picture named `{stem}` was accepted; give both the same \
                         name"
                    ),
                }),
                _ => self.refused.push(RefusedFile {
                    file_name: shown_name,
                    reason: "belongs to more than one picture of the dataset: edit the captions there".into(),
                }),
            }
        }
        // A list may name thousands: those that are missing are told together.
        let mut missing: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for ((_, stem), PendingCaption { shown_name, caption }) in self.listed.drain() {
            match known.get(&stem).map(Vec::as_slice).unwrap_or_default() {
                [owner] => captions.push(NewCaption {
                    sha256: owner.sha256.clone(),
                    caption: caption.text,
                    notes: caption.notes,
                }),
                _ => missing.entry(shown_name).or_default().push(stem),
            }
        }
        for (file_name, mut stems) in missing {
            stems.sort();
            let named: Vec<String> = stems
                .iter()
                .take(N_NAMED)
                .map(|stem| format!("`{stem}`"))
                .collect();
            let more = match stems.len().saturating_sub(N_NAMED) {
                0 => String::new(),
                n_more => format!(" and {n_more} more"),
            };
            let reason = format!(
                "has captions for {} pictures that were not accepted: {}{more}",
                stems.len(),
                named.join(", ")
            );
            self.refused.push(RefusedFile { file_name, reason });
        }
        captions.sort_by(|a, b| a.sha256.cmp(&b.sha256));
        captions
    }
}
