//! Loss masks of an upload: which picture each belongs to, and the file that holds both.

use std::{
    collections::{HashMap, hash_map::Entry},
    io,
};

use bytes::Bytes;
use protocol::dataset::{MASK_NOTE, RefusedFile};
use sha2::{Digest as _, Sha256};

use super::{
    Batch, IngestError, IngestReport, IngestedItem, KnownPicture, NewCaption, SamePicture, Stem, by_stem,
    name,
};
use crate::picture::{self, NormalizedPicture};

/// A loss mask, which was stored as if it were a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    /// Its file name at upload; within an archive `archive.zip/name.png`.
    pub file_name: String,
    /// SHA-256 of the normalized mask, in hexadecimal.
    pub sha256: String,
}

/// A mask that waits for its picture.
#[derive(Debug)]
pub(super) struct PendingMask {
    mask: Mask,
    size: (u32, u32),
    place: MaskPlace,
}

/// Where a mask was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MaskPlace {
    /// In a file of its own.
    Beside,
    /// In the file of its picture; one of its own takes its place, whichever comes first.
    Within,
}

/// A loss mask for a picture that is already in the dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMask {
    /// SHA-256 of the picture that it belongs to, as the dataset has it.
    pub sha256: String,
    /// The mask.
    pub mask: Mask,
    /// The file that holds both, once [`Batch::finish_with`] has made it.
    pub joined: Option<JoinedFile>,
}

/// A file with a picture and its mask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinedFile {
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// Its size.
    pub size_bytes: u64,
}

/// Notes at a picture that it has a mask.
pub fn note_mask(notes: &mut Vec<String>) {
    if notes.iter().all(|note| note != MASK_NOTE) {
        notes.push(MASK_NOTE.to_owned());
    }
}

impl Batch {
    /// Takes a mask, which `store` gets as if it were a picture.
    pub(super) fn add_mask<E>(
        &mut self,
        shown_name: String,
        stem: Stem,
        bytes: &[u8],
        place: MaskPlace,
        store: &mut impl FnMut(&NormalizedPicture) -> Result<(), E>,
    ) -> Result<(), IngestError<E>> {
        let other = self.masks.get(&stem);
        if other.is_some_and(|other| other.place == MaskPlace::Beside) {
            self.refuse(
                shown_name,
                "is a second loss mask for the same picture: keep one".into(),
            );
            return Ok(());
        }
        let Some(mask) = self.decoded::<E>(&shown_name, bytes)? else {
            return Ok(());
        };
        if picture::is_masked(&mask.png) {
            let reason = "is the loss mask of a picture and transparent in places: a mask is opaque, white where the \
                          picture is learned and black where it is not";
            self.refuse(shown_name, reason.into());
            return Ok(());
        }
        store(&mask).map_err(|err| IngestError::Store {
            file_name: shown_name.clone(),
            err,
        })?;
        let size = (mask.width, mask.height);
        let mask = Mask {
            file_name: shown_name,
            sha256: mask.sha256,
        };
        self.masks.insert(stem, PendingMask { mask, size, place });
        Ok(())
    }

    /// Matches masks with pictures of the upload; returns those for pictures of the dataset.
    pub(super) fn match_masks(&mut self) -> Vec<NewMask> {
        for picture in &mut self.pictures {
            let Some(PendingMask { mask, size, .. }) = self.masks.remove(&picture.stem) else {
                continue;
            };
            let item = &mut picture.item;
            if size != (item.width, item.height) {
                let (width, height) = size;
                let reason = format!(
                    "is the loss mask of `{}` and {width}×{height}, but the picture is {}×{}: give both the same size",
                    picture.shown_name, item.width, item.height
                );
                self.refused.push(RefusedFile {
                    file_name: mask.file_name,
                    reason,
                });
                continue;
            }
            note_mask(&mut item.notes);
            item.mask = Some(mask);
        }
        let mut left: Vec<_> = self.masks.drain().collect();
        left.sort_by(|(_, a), (_, b)| a.mask.file_name.cmp(&b.mask.file_name));
        let known = by_stem(&self.known);
        let mut masks = Vec::new();
        for (stem, PendingMask { mask, .. }) in left {
            // A picture of this upload that the dataset has says which one is meant.
            let owners: Vec<&String> = match self.again_by_stem.get(&stem) {
                Some(owner) => vec![owner],
                None => known
                    .get(&stem.1)
                    .into_iter()
                    .flatten()
                    .map(|known| &known.sha256)
                    .collect(),
            };
            let reason = match owners.as_slice() {
                [owner] => {
                    masks.push(NewMask {
                        sha256: (*owner).clone(),
                        mask,
                        joined: None,
                    });
                    continue;
                }
                [] => format!(
                    "is the loss mask of a picture named `{}`, and none of that name was accepted; to train on it as a \
                     picture, give it a name without `{}` and put it into no folder named `{}`",
                    stem.1,
                    name::MASK_SUFFIX,
                    name::MASK_FOLDERS.join("` or `"),
                ),
                _ => "is the loss mask of more than one picture of the dataset: upload it together with its picture, \
                      or rename one of them"
                    .to_owned(),
            };
            self.refused.push(RefusedFile {
                file_name: mask.file_name,
                reason,
            });
        }
        masks
    }

    /// Finishes the upload like [`Batch::finish`], and puts each mask into the file of its picture.
    ///
    /// `load` gives a file that was passed to `store`, or that is a picture of the dataset; nothing if it was lost. `store`
    /// gets the files with both.
    pub fn finish_with<E>(
        mut self,
        mut load: impl FnMut(&str) -> Result<Option<Bytes>, E>,
        mut store: impl FnMut(&NormalizedPicture) -> Result<(), E>,
    ) -> Result<IngestReport, IngestError<E>> {
        let mut report = self.matched();
        let mut masked = MaskedPictures {
            known: &self.known,
            sizes: &self.masked,
            pixels: HashMap::new(),
        };
        for mut item in std::mem::take(&mut report.items) {
            let same = masked.same(&item, &mut load).map_err(failed(&item.file_name))?;
            if let Some(known) = same {
                known_again(&mut report, known, item);
                continue;
            }
            let Some(mask) = item.mask.clone() else {
                report.items.push(item);
                continue;
            };
            let joined = join(&item.sha256, &mask.sha256, &mut load).map_err(failed(&item.file_name))?;
            let Some(joined) = joined else {
                return Err(IngestError::Read {
                    file_name: item.file_name,
                    err: io::ErrorKind::NotFound.into(),
                });
            };
            store(&joined).map_err(failed(&item.file_name))?;
            if let Some(known) = self.known.iter().find(|known| known.sha256 == joined.sha256) {
                item.mask = None;
                known_again(&mut report, known, item);
                continue;
            }
            item.size_bytes = joined.png.len() as u64;
            item.sha256 = joined.sha256;
            report.items.push(item);
        }
        for mut new in std::mem::take(&mut report.masks) {
            let joined =
                join(&new.sha256, &new.mask.sha256, &mut load).map_err(failed(&new.mask.file_name))?;
            let reason = match joined {
                Some(joined) if joined.sha256 == new.sha256 => {
                    "is the loss mask that its picture has already"
                }
                Some(joined) => {
                    store(&joined).map_err(failed(&new.mask.file_name))?;
                    new.joined = Some(JoinedFile {
                        size_bytes: joined.png.len() as u64,
                        sha256: joined.sha256,
                    });
                    report.masks.push(new);
                    continue;
                }
                None => {
                    "is the loss mask of a picture of the dataset that has another size or was lost: give both the same \
                     size, or upload the picture again"
                }
            };
            report.refused.push(RefusedFile {
                file_name: new.mask.file_name,
                reason: reason.to_owned(),
            });
        }
        Ok(report)
    }
}

fn failed<E>(file_name: &str) -> impl FnOnce(E) -> IngestError<E> + use<E> {
    let file_name = file_name.to_owned();
    move |err| IngestError::Store { file_name, err }
}

/// The pictures of the dataset that have a mask, by their pixels. A file is read at most once, and only if a picture of the
/// upload has its size.
struct MaskedPictures<'a> {
    known: &'a [KnownPicture],
    sizes: &'a HashMap<String, (u32, u32)>,
    /// Hash of the pixels by the hash of the file; none for a file that was lost.
    pixels: HashMap<&'a str, Option<String>>,
}

impl<'a> MaskedPictures<'a> {
    /// The one that has the same pixels.
    fn same<E>(
        &mut self,
        item: &IngestedItem,
        load: &mut impl FnMut(&str) -> Result<Option<Bytes>, E>,
    ) -> Result<Option<&'a KnownPicture>, E> {
        let (known, sizes, size) = (self.known, self.sizes, (item.width, item.height));
        for known in known
            .iter()
            .filter(|known| sizes.get(&known.sha256) == Some(&size))
        {
            let pixels = match self.pixels.entry(&known.sha256) {
                Entry::Occupied(read) => read.into_mut(),
                Entry::Vacant(unread) => {
                    let file = load(&known.sha256)?;
                    let hash = |file: Bytes| hex::encode(Sha256::digest(picture::without_mask(&file)));
                    unread.insert(file.map(hash))
                }
            };
            if pixels.as_ref() == Some(&item.pixels_sha256) {
                return Ok(Some(known));
            }
        }
        Ok(None)
    }
}

/// Notes that a picture of the upload is one of the dataset, whose caption and mask may be new.
fn known_again(report: &mut IngestReport, known: &KnownPicture, item: IngestedItem) {
    if let Some(mask) = item.mask {
        report.masks.push(NewMask {
            sha256: known.sha256.clone(),
            mask,
            joined: None,
        });
    }
    report.again.push(SamePicture {
        file_name: item.file_name,
        known_as: known.file_name.clone(),
        sha256: known.sha256.clone(),
    });
    // The dataset's caption is somebody's own, or is missing on purpose.
    let is_stopgap = item.notes.iter().any(|note| super::matching::is_stopgap(note));
    if !item.caption.is_empty() && !is_stopgap {
        report.captions.push(NewCaption {
            sha256: known.sha256.clone(),
            caption: item.caption,
            // It turned out to be the very picture that it is called like.
            notes: item
                .notes
                .into_iter()
                .filter(|note| !note.starts_with(super::NAMESAKE))
                .collect(),
        });
    }
}

/// The file with both; `None` if one of them was lost, or their sizes differ.
fn join<E>(
    picture: &str,
    mask: &str,
    load: &mut impl FnMut(&str) -> Result<Option<Bytes>, E>,
) -> Result<Option<NormalizedPicture>, E> {
    let (Some(picture), Some(mask)) = (load(picture)?, load(mask)?) else {
        return Ok(None);
    };
    Ok(picture::joined(&picture, &mask))
}

#[cfg(test)]
mod tests;
