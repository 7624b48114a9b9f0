//! Processes an upload of pictures, captions and archives into normalized pictures with captions.
//!
//! An upload is one [`Batch`]. Files are added one by one; each picture is passed on as soon as it is decoded,
//! so that they are never all in memory at the same time. At the end captions and loss masks are matched with pictures by
//! name (`zora.txt` and `zora-masklabel.png` belong to `zora.png`), and every rejected file is reported with the reason.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let picture = dataset::picture::encode_png(&image::RgbImage::new(64, 64));
//! use std::io::Cursor;
//! let mut batch = dataset::ingest::Batch::default();
//! let mut stored = Vec::new();
//! let mut store = |picture: &dataset::picture::NormalizedPicture| {
//!     stored.push(picture.sha256.clone());
//!     Ok::<(), std::io::Error>(())
//! };
//! batch.add("zora.png", Cursor::new(picture), &mut store)?;
//! batch.add("zora.txt", Cursor::new("zora, smiling"), &mut store)?;
//! batch.add("notes.md", Cursor::new("# Notes"), &mut store)?;
//! let report = batch.finish();
//! assert_eq!(report.items[0].caption, "zora, smiling");
//! assert_eq!(report.items[0].sha256, stored[0]);
//! assert_eq!(report.refused[0].file_name, "notes.md");
//! # Ok(())
//! # }
//! ```

use std::{
    collections::{HashMap, HashSet},
    io::{self, Read, Seek, SeekFrom},
};

use protocol::{dataset::RefusedFile, finding::Measures, limits};

use crate::{
    caption::{self, Caption},
    decoder::{DecodeError, Decoder},
    picture::{self, NormalizedPicture, OwnWords},
    sniff::{self, Kind},
};

mod archive;
mod encoding;
mod lists;
mod masks;
mod matching;
mod name;

pub use archive::{ArchiveError, Limits, open_archive};
pub use encoding::readable;
pub use masks::{JoinedFile, Mask, NewMask, note_mask};
use masks::{
    MaskPlace::{Beside, Within},
    PendingMask,
};
pub use name::{displayable, showing};

/// Largest single file that is read, in bytes.
pub use protocol::limits::MAX_UPLOADED_FILE_BYTES as MAX_FILE_BYTES;

/// One upload in progress.
#[derive(Debug, Default)]
pub struct Batch {
    limits: Limits,
    decoder: Decoder,
    known: Vec<KnownPicture>,
    /// What the pictures of the dataset are called.
    known_stems: HashSet<String>,
    pictures: Vec<Pending>,
    /// Pictures of this batch by the hash of their pixels.
    by_pixels: HashMap<String, usize>,
    /// Pictures of this batch by where they lie and what they are called.
    by_stem: HashMap<Stem, usize>,
    captions: HashMap<Stem, PendingCaption>,
    /// Those of lists, which count where a picture has no file of its own.
    listed: HashMap<Stem, PendingCaption>,
    /// What other trainers keep beside pictures, and nobody wants here.
    side_files: Vec<String>,
    /// By the picture that they belong to.
    masks: HashMap<Stem, PendingMask>,
    again: Vec<SamePicture>,
    /// Hashes of pictures that the dataset has, by the names that they have in this upload.
    again_by_stem: HashMap<Stem, String>,
    n_caption_bytes: usize,
    /// What pictures say about themselves, which takes no room from captions.
    n_own_bytes: usize,
    /// Files so far, those of archives among them.
    n_files: usize,
    refused: Vec<RefusedFile>,
    /// Width and height of the pictures of the dataset that have a mask, by the hashes of their files.
    masked: HashMap<String, (u32, u32)>,
}

/// A picture that is already in the dataset.
#[derive(Debug, Clone)]
pub struct KnownPicture {
    /// Its file name at upload.
    pub file_name: String,
    /// SHA-256 of its stored file, in hexadecimal.
    pub sha256: String,
}

/// Result of an upload.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct IngestReport {
    /// Accepted pictures, in upload order.
    pub items: Vec<IngestedItem>,
    /// Pictures that are already in the dataset; they were passed to `store` anyway.
    pub again: Vec<SamePicture>,
    /// Captions for pictures that are already in the dataset.
    pub captions: Vec<NewCaption>,
    /// Loss masks for pictures that are already in the dataset.
    pub masks: Vec<NewMask>,
    /// Rejected files.
    pub refused: Vec<RefusedFile>,
}

/// An accepted picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IngestedItem {
    /// Its file name at upload; within an archive its path there.
    pub file_name: String,
    /// Its caption; empty if there was none.
    pub caption: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Size of the file in bytes.
    pub size_bytes: u64,
    /// SHA-256 of the file, in hexadecimal: the normalized picture, after [`Batch::finish_with`] with its mask.
    pub sha256: String,
    /// SHA-256 of the normalized picture without its mask.
    pub pixels_sha256: String,
    /// Its loss mask.
    pub mask: Option<Mask>,
    /// Notes on changes of it and its caption.
    pub notes: Vec<String>,
    /// What its pixels were measured to be.
    pub measures: Option<Measures>,
}

/// A picture that is already in the dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SamePicture {
    /// The name it was uploaded under this time; within an archive `archive.zip/name.png`.
    pub file_name: String,
    /// The name it has in the dataset.
    pub known_as: String,
    /// SHA-256 of the normalized picture, in hexadecimal.
    pub sha256: String,
}

impl SamePicture {
    /// Why it is not added twice.
    pub fn reason(&self) -> String {
        same_pixels(&self.known_as)
    }
}

/// A caption for a picture that is already in the dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCaption {
    /// SHA-256 of the picture that it belongs to.
    pub sha256: String,
    /// The caption.
    pub caption: String,
    /// Notes on changes of it.
    pub notes: Vec<String>,
}

/// Why an upload failed as a whole. Invalid files are rejected in the report instead.
#[derive(Debug, thiserror::Error)]
pub enum IngestError<E> {
    /// The upload itself could not be read.
    #[error("failed to read the uploaded file `{file_name}`")]
    Read {
        /// The file.
        file_name: String,
        /// Why.
        #[source]
        err: io::Error,
    },
    /// Pictures cannot be decoded at the moment.
    #[error("failed to decode the picture `{file_name}`")]
    Decode {
        /// The file.
        file_name: String,
        /// Why.
        #[source]
        err: DecodeError,
    },
    /// The caller could not store a picture.
    #[error("failed to store the picture `{file_name}`")]
    Store {
        /// The file.
        file_name: String,
        /// Why.
        #[source]
        err: E,
    },
}

/// How a note begins at a picture that another of the dataset is called like.
const NAMESAKE: &str = "the dataset has another picture named";

/// How a note begins at a picture that is captioned by its own file.
const OWN_WORDS: &str = "caption taken from the picture itself";

/// Where a file lies and what it is called, without its extension; upper and lower case are the same.
type Stem = (String, String);

#[derive(Debug)]
struct Pending {
    item: IngestedItem,
    shown_name: String,
    stem: Stem,
    /// What its file says about it, for want of a caption.
    own_words: Option<Caption>,
    /// The document that it was taken from: `a Krita document`.
    document: Option<&'static str>,
    /// The picture of its name that was taken in its place.
    replaced_by: Option<String>,
}

#[derive(Debug)]
struct PendingCaption {
    shown_name: String,
    caption: Caption,
}

/// One file of the upload, loose or in an archive.
struct File<'a> {
    /// The archive that it lies in.
    archive: Option<&'a str>,
    /// Its name there.
    name: String,
    bytes: Vec<u8>,
    /// The document that the bytes were taken from.
    document: Option<&'static str>,
}

impl Batch {
    /// Starts an upload into a dataset with existing pictures: these are not added twice, and a caption that
    /// arrives after its picture is matched with it.
    pub fn into_dataset(known: Vec<KnownPicture>) -> Self {
        Self {
            known_stems: known.iter().map(|known| name::stem(&known.file_name)).collect(),
            known,
            ..Self::default()
        }
    }

    /// Names the pictures of the dataset that have a mask, by the hashes of their files, with width and height in pixels:
    /// their hashes are not those of their pixels alone.
    pub fn with_masked(self, masked: HashMap<String, (u32, u32)>) -> Self {
        Self { masked, ..self }
    }

    /// Replaces the limits for archives.
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Sets the decoder; without it, pictures are decoded in this process.
    pub fn with_decoder(self, decoder: Decoder) -> Self {
        Self { decoder, ..self }
    }

    /// Adds one uploaded file. `store` immediately gets each picture in it, even one that is already in the dataset,
    /// because its stored file may have been lost.
    ///
    /// An invalid file is recorded in the report and is not an error here.
    pub fn add<R: Read + Seek, E>(
        &mut self,
        file_name: &str,
        mut file: R,
        mut store: impl FnMut(&NormalizedPicture) -> Result<(), E>,
    ) -> Result<(), IngestError<E>> {
        let name = name::displayable(file_name);
        let unreadable = |err| IngestError::Read {
            file_name: name.clone(),
            err,
        };
        if name::is_clutter(&name) {
            return Ok(());
        }
        if name::is_side_file(&name) {
            self.n_files += 1;
            self.side_files.push(name);
            return Ok(());
        }
        let mut head = Vec::new();
        file.by_ref()
            .take(sniff::HEAD_BYTES as u64)
            .read_to_end(&mut head)
            .map_err(unreadable)?;
        file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
        if let Some(what) = sniff::packed_document(&head) {
            return self.add_document(name, what, file, &mut store);
        }
        if sniff::sniff(&head) == Kind::Zip {
            return self.add_archive(&name, file, &mut store);
        }
        self.n_files += 1;
        let mut bytes = Vec::new();
        file.take(MAX_FILE_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            self.refuse(
                name,
                format!("is too large: a file has at most {} MiB", MAX_FILE_BYTES >> 20),
            );
            return Ok(());
        }
        self.add_file(
            File {
                archive: None,
                name,
                bytes,
                document: None,
            },
            &mut store,
        )
    }

    /// Finishes the upload: matches captions and masks with pictures. Masks stay files of their own.
    pub fn finish(mut self) -> IngestReport {
        self.matched()
    }

    fn add_file<E>(
        &mut self,
        File {
            archive,
            name,
            bytes,
            document,
        }: File<'_>,
        store: &mut impl FnMut(&NormalizedPicture) -> Result<(), E>,
    ) -> Result<(), IngestError<E>> {
        let shown_name = archive.map_or_else(|| name.clone(), |archive| format!("{archive}/{name}"));
        let stem: Stem = (archive.unwrap_or_default().to_owned(), name::stem(&name));
        let kind = sniff::sniff(&bytes[..bytes.len().min(sniff::HEAD_BYTES)]);
        if kind == Kind::Unknown && name::is_caption(&name) {
            self.add_caption(shown_name, stem, &bytes);
            return Ok(());
        }
        if kind == Kind::Unknown && name::is_list(&name) {
            self.add_list(shown_name, archive, &name, &bytes);
            return Ok(());
        }
        if matches!(kind, Kind::Picture(_))
            && let Some(picture) = name::masked_stem(&name)
        {
            return self.add_mask(shown_name, (stem.0, picture), &bytes, Beside, store);
        }
        let namesake = match kind {
            Kind::Picture(_) => self.by_stem.get(&stem).copied(),
            _ => None,
        };
        // Who paints exports a picture beside the document, and means that one.
        let giving_way =
            namesake.filter(|&other| document.is_none() && self.pictures[other].document.is_some());
        if giving_way.is_none()
            && let Some(reason) = self.same_name(&name, &stem, document, namesake)
        {
            self.refuse(shown_name, reason);
            return Ok(());
        }
        let Some(picture) = self.decoded::<E>(&shown_name, &bytes)? else {
            return Ok(());
        };
        let own_words = own_caption(&bytes);
        // A file of ours that comes back has its mask with it.
        let own_mask = picture::mask_in(&bytes).map(<[u8]>::to_vec);
        drop(bytes);
        if let Some(&other) = self.by_pixels.get(&picture.sha256)
            && giving_way != Some(other)
        {
            let reason = same_pixels(&self.pictures[other].shown_name);
            self.refuse(shown_name, reason);
            return Ok(());
        }
        store(&picture).map_err(|err| IngestError::Store {
            file_name: shown_name.clone(),
            err,
        })?;
        if let Some(mask) = own_mask
            && !self.masks.contains_key(&stem)
        {
            self.add_mask(shown_name.clone(), stem.clone(), &mask, Within, store)?;
        }
        if let Some(other) = giving_way {
            self.by_stem.remove(&stem);
            self.by_pixels.remove(&self.pictures[other].item.pixels_sha256);
            self.pictures[other].replaced_by = Some(shown_name.clone());
        }
        if let Some(known) = self.known.iter().find(|known| known.sha256 == picture.sha256) {
            self.again.push(SamePicture {
                file_name: shown_name,
                known_as: known.file_name.clone(),
                sha256: picture.sha256.clone(),
            });
            self.again_by_stem.insert(stem, picture.sha256);
            return Ok(());
        }
        let index = self.pictures.len();
        self.by_pixels.insert(picture.sha256.clone(), index);
        self.by_stem.insert(stem.clone(), index);
        let NormalizedPicture {
            png,
            width,
            height,
            sha256,
            mut notes,
            measures,
            ..
        } = picture;
        if self.known_stems.contains(&stem.1) {
            notes.push(format!(
                "{NAMESAKE} `{}`: delete the older one if this replaces it",
                stem.1
            ));
        }
        let size_bytes = png.len() as u64;
        let item = IngestedItem {
            file_name: name,
            caption: String::new(),
            width,
            height,
            size_bytes,
            pixels_sha256: sha256.clone(),
            sha256,
            mask: None,
            notes,
            measures,
        };
        let own_words = own_words.filter(|caption| takes_room(&mut self.n_own_bytes, &caption.text));
        self.pictures.push(Pending {
            item,
            shown_name,
            stem,
            own_words,
            document,
            replaced_by: None,
        });
        Ok(())
    }

    /// Why a picture is refused for the name of another one.
    fn same_name(
        &self,
        name: &str,
        stem: &Stem,
        document: Option<&str>,
        namesake: Option<usize>,
    ) -> Option<String> {
        let Some(other) = namesake.map(|index| &self.pictures[index]) else {
            // The picture may be one that the dataset has.
            let what = document?;
            let known = self.again_by_stem.get(stem)?;
            let same = self.again.iter().rfind(|same| same.sha256 == *known)?;
            return Some(beside(what, &same.file_name));
        };
        if let Some(what) = document
            && other.document.is_none()
        {
            return Some(beside(what, &other.shown_name));
        }
        let what = match other.item.file_name.to_lowercase() == name.to_lowercase() {
            true => "upper and lower case",
            false => "the extension",
        };
        Some(format!(
            "has the same name as `{}` apart from {what}, so a caption could belong to either: rename one",
            other.shown_name
        ))
    }

    /// Whether all captions together have room for one more, which then is one of them.
    fn has_room_for(&mut self, text: &str) -> bool {
        takes_room(&mut self.n_caption_bytes, text)
    }

    /// Decodes a picture; one that is refused is noted.
    fn decoded<E>(
        &mut self,
        shown_name: &str,
        bytes: &[u8],
    ) -> Result<Option<NormalizedPicture>, IngestError<E>> {
        match self.decoder.normalize(bytes) {
            Ok(picture) => Ok(Some(picture)),
            Err(DecodeError::Refused(reason)) => {
                self.refuse(shown_name.to_owned(), reason);
                Ok(None)
            }
            Err(err @ DecodeError::Unavailable(_)) => Err(IngestError::Decode {
                file_name: shown_name.to_owned(),
                err,
            }),
        }
    }

    fn add_caption(&mut self, shown_name: String, stem: Stem, bytes: &[u8]) {
        match caption::decode(bytes) {
            Err(err) => self.refuse(shown_name, err.to_string()),
            Ok(_) if self.captions.contains_key(&stem) => {
                self.refuse(
                    shown_name,
                    "is a second caption for the same picture: keep one".into(),
                );
            }
            Ok(caption) if !self.has_room_for(&caption.text) => {
                let reason = format!(
                    "exceeds the limit of {} MiB for all captions of one upload; send it in another upload",
                    limits::MAX_CAPTIONS_BYTES >> 20
                );
                self.refuse(shown_name, reason);
            }
            Ok(caption) => {
                self.captions.insert(stem, PendingCaption { shown_name, caption });
            }
        }
    }

    fn refuse(&mut self, file_name: String, reason: String) {
        self.refused.push(RefusedFile { file_name, reason });
    }

    /// Forgets all that came after a point of time, for an archive that turns out to be hostile.
    fn roll_back(&mut self, n_pictures: usize, n_refused: usize, archive: &str) {
        self.pictures.truncate(n_pictures);
        self.refused.truncate(n_refused);
        let inside = format!("{archive}/");
        self.again.retain(|same| !same.file_name.starts_with(&inside));
        self.by_pixels.retain(|_, index| *index < n_pictures);
        self.by_stem.retain(|_, index| *index < n_pictures);
        self.captions.retain(|(holder, _), _| holder != archive);
        self.listed.retain(|(holder, _), _| holder != archive);
        self.side_files.retain(|name| !name.starts_with(&inside));
        self.masks.retain(|(holder, _), _| holder != archive);
        self.again_by_stem.retain(|(holder, _), _| holder != archive);
    }
}

/// Pictures of the dataset by their [stems](name::stem). An upload and a dataset may have thousands, so that nothing looks
/// through all of one for each of the other.
fn by_stem(known: &[KnownPicture]) -> HashMap<String, Vec<&KnownPicture>> {
    let mut named: HashMap<String, Vec<&KnownPicture>> = HashMap::new();
    for picture in known {
        let stem = name::stem(&picture.file_name);
        named.entry(stem).or_default().push(picture);
    }
    named
}

/// The caption of a picture by what its file says about it.
fn own_caption(bytes: &[u8]) -> Option<Caption> {
    let OwnWords { text, origin } = picture::own_words(bytes)?;
    let text = caption::cleaned(&text);
    if text.is_empty() || text.len() as u64 > caption::MAX_BYTES {
        return None;
    }
    let mut notes = vec![format!("{OWN_WORDS}: {origin}")];
    if text.contains('\n') {
        notes.push(caption::SEVERAL_LINES.to_owned());
    }
    Some(Caption { text, notes })
}

/// Whether a text fits in beside so many bytes, which then are more.
fn takes_room(n_bytes: &mut usize, text: &str) -> bool {
    let has_room = *n_bytes + text.len() <= limits::MAX_CAPTIONS_BYTES;
    if has_room {
        *n_bytes += text.len();
    }
    has_room
}

/// Why a document is refused whose picture was taken from another file.
fn beside(what: &str, taken: &str) -> String {
    format!("is {what} beside `{taken}`, which was taken")
}

fn same_pixels(other: &str) -> String {
    format!("shows the same pixels as `{other}`: a picture counts once")
}

#[cfg(test)]
mod tests;
