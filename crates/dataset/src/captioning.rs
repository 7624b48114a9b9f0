//! A folder of pictures whose captions a program proposes: reads what is there, and writes what was accepted.

use std::{
    collections::HashMap,
    convert::Infallible,
    ffi::OsString,
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use image::RgbImage;
use protocol::dataset::RefusedFile;

use crate::{
    caption::{
        self, CaptionError,
        proposals::{MEMORY_FILE, Memory, Origin, Policy, Proposal},
    },
    decoder::{DecodeError, Decoder},
    folder::{Folder, FolderError},
    ingest::{self, Batch, IngestError},
    picture::{self, PictureError},
};

/// A folder of pictures.
#[derive(Debug)]
pub struct CaptionFolder {
    path: PathBuf,
    decoder: Decoder,
    memory: Memory,
    /// The pictures that can be captioned.
    pub pictures: Vec<CaptionedPicture>,
    /// Files that are no pictures, and captions without one.
    pub refused: Vec<RefusedFile>,
}

/// A picture with its caption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptionedPicture {
    /// Its name within the folder, with `/` between folders.
    pub file_name: String,
    /// The caption that somebody gave it; empty if nobody did.
    pub caption: String,
    path: PathBuf,
}

/// Why the captions of a folder cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CaptioningError {
    /// It is a file, such as an archive.
    #[error("`{}` is not a folder: unpack an archive first", .0.display())]
    NotAFolder(PathBuf),
    /// The folder cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A file cannot be read to its end.
    #[error("failed to read the pictures")]
    Ingest(#[source] IngestError<Infallible>),
    /// The file of what programs wrote is damaged.
    #[error("`{}` is damaged: restore it, or remove it to forget which captions programs wrote", .path.display())]
    Memory {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        err: serde_json::Error,
    },
    /// A file cannot be read or written.
    #[error("failed to {action} `{}`", .path.display())]
    File {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        err: io::Error,
    },
    /// Somebody wrote a caption since it was read.
    #[error("`{}` was changed meanwhile, and stays as it is: run the command again", .0.display())]
    Changed(PathBuf),
    /// A caption that there is cannot be read, and is not overwritten.
    #[error("`{}` {err}", .path.display())]
    Caption {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        err: CaptionError,
    },
    /// The picture cannot be decoded.
    #[error("failed to decode `{file_name}`")]
    Decode {
        /// The picture.
        file_name: String,
        /// Why.
        #[source]
        err: DecodeError,
    },
    /// The picture cannot be read.
    #[error("failed to read the pixels of `{file_name}`")]
    Pixels {
        /// The picture.
        file_name: String,
        /// Why.
        #[source]
        err: PictureError,
    },
}

impl CaptioningError {
    /// What is wrong with one picture or its caption, so that the others can go on; none if it is wrong for all of them.
    pub fn of_picture(&self) -> Option<String> {
        match self {
            Self::Decode {
                err: DecodeError::Refused(reason),
                ..
            } => Some(reason.clone()),
            Self::Pixels { err, .. } => Some(err.to_string()),
            Self::Changed(_) => {
                Some("has a caption that was changed meanwhile: run the command again".to_owned())
            }
            Self::Caption { path, err } => {
                Some(format!("keeps the caption in `{}`, which {err}", path.display()))
            }
            Self::Decode {
                err: DecodeError::Unavailable(_),
                ..
            }
            | Self::NotAFolder(_)
            | Self::Folder(_)
            | Self::Ingest(_)
            | Self::Memory { .. }
            | Self::File { .. } => None,
        }
    }
}

impl CaptionFolder {
    /// Reads a folder: its pictures, their captions in whatever form an upload takes them, and what programs wrote before.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn open(path: &Path, decoder: Decoder) -> Result<Self, CaptioningError> {
        let mut folder = Folder::list(path)?;
        if !path.is_dir() {
            return Err(CaptioningError::NotAFolder(path.to_owned()));
        }
        let mut paths = HashMap::new();
        let mut batch = Batch::default().with_decoder(decoder.clone());
        for (name, path) in std::mem::take(&mut folder.files) {
            let Some(file) = folder.open(&name, &path)? else {
                continue;
            };
            batch
                .add(&name, file, |_| Ok(()))
                .map_err(CaptioningError::Ingest)?;
            paths.insert(ingest::displayable(&name), path);
        }
        let ingested = batch.finish();
        let mut refused = folder.refused;
        refused.extend(ingested.refused);
        let mut pictures = Vec::with_capacity(ingested.items.len());
        for item in ingested.items {
            let Some(path) = paths.remove(&item.file_name) else {
                refused.push(RefusedFile {
                    file_name: item.file_name,
                    reason: "lies in an archive: unpack it first".to_owned(),
                });
                continue;
            };
            pictures.push(CaptionedPicture {
                caption: item.given_caption().to_owned(),
                file_name: item.file_name,
                path,
            });
        }
        pictures.sort_by(|a, b| a.file_name.cmp(&b.file_name));
        Ok(Self {
            memory: read_memory(&path.join(MEMORY_FILE))?,
            path: path.to_owned(),
            decoder,
            pictures,
            refused,
        })
    }

    /// What programs wrote here.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Whether a proposal for a picture could change anything: a person's words stay unless the policy says otherwise.
    pub fn is_open_to(&self, policy: Policy, picture: &CaptionedPicture) -> bool {
        policy != Policy::Keep
            || caption::says_nothing(&picture.caption)
            || self.memory.origin(&picture.file_name, &picture.caption) != Origin::Human
    }

    /// The pixels of a picture as engines see them: upright, sRGB, laid on white.
    ///
    /// # Errors
    /// If it cannot be read or decoded.
    pub fn pixels(&self, picture: &CaptionedPicture) -> Result<RgbImage, CaptioningError> {
        let bytes = read(&picture.path, ingest::MAX_FILE_BYTES)?.unwrap_or_default();
        let normalized = self.decoder.normalize(&bytes);
        let normalized = normalized.map_err(|err| CaptioningError::Decode {
            file_name: picture.file_name.clone(),
            err,
        })?;
        picture::read_normalized(&normalized.png).map_err(|err| CaptioningError::Pixels {
            file_name: picture.file_name.clone(),
            err,
        })
    }

    /// Writes the caption of a proposal beside its picture, and remembers who wrote it.
    ///
    /// # Errors
    /// If the caption was changed since the folder was read, or a file cannot be written.
    pub fn accept(
        &mut self,
        picture: &CaptionedPicture,
        proposal: &Proposal,
        writer: (Origin, &str),
    ) -> Result<(), CaptioningError> {
        let path = caption_path(&picture.path);
        if path.is_file() && written_in(&path)? != picture.caption {
            return Err(CaptioningError::Changed(path));
        }
        let mut text = proposal.new.clone();
        text.push('\n');
        write(&path, text.as_bytes())?;
        self.memory.note(proposal, writer);
        let path = self.path.join(MEMORY_FILE);
        let memory = serde_json::to_vec_pretty(&self.memory).map_err(|err| CaptioningError::Memory {
            path: path.clone(),
            err,
        })?;
        write(&path, &memory)
    }
}

fn read_memory(path: &Path) -> Result<Memory, CaptioningError> {
    match read(path, ingest::MAX_FILE_BYTES)? {
        None => Ok(Memory::default()),
        Some(bytes) => serde_json::from_slice(&bytes).map_err(|err| CaptioningError::Memory {
            path: path.to_owned(),
            err,
        }),
    }
}

/// The caption file of a picture that an upload would take, upper and lower case being the same: the one that there is, or
/// `zora.txt` of `zora.png`.
fn caption_path(picture: &Path) -> PathBuf {
    let beside = |extension: &str| {
        let mut full = OsString::from(picture);
        full.push(format!(".{extension}"));
        [picture.with_extension(extension), PathBuf::from(full)]
    };
    let candidates = ["txt", "caption"].map(beside).concat();
    let lower = |path: &Path| path.as_os_str().to_string_lossy().to_lowercase();
    let neighbors = fs::read_dir(picture.parent().unwrap_or(Path::new(".")));
    let neighbors = neighbors.into_iter().flatten().flatten();
    let neighbors: Vec<PathBuf> = neighbors.map(|entry| entry.path()).collect();
    let there = candidates
        .iter()
        .find_map(|path| neighbors.iter().find(|there| lower(there) == lower(path)));
    there.unwrap_or(&candidates[0]).clone()
}

/// The caption in a file; empty if the file is missing or blank.
fn written_in(path: &Path) -> Result<String, CaptioningError> {
    let Some(bytes) = read(path, caption::MAX_BYTES)? else {
        return Ok(String::new());
    };
    match caption::decode(&bytes) {
        Ok(caption) => Ok(caption.text),
        Err(CaptionError::Empty) => Ok(String::new()),
        Err(err) => Err(CaptioningError::Caption {
            path: path.to_owned(),
            err,
        }),
    }
}

/// At most so many bytes and one of a file; none if it does not exist.
fn read(path: &Path, max_bytes: u64) -> Result<Option<Vec<u8>>, CaptioningError> {
    let unreadable = |err| CaptioningError::File {
        action: "read",
        path: path.to_owned(),
        err,
    };
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(err) => return Err(unreadable(err)),
    };
    let mut bytes = Vec::new();
    file.take(max_bytes + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    Ok(Some(bytes))
}

/// Replaces a file atomically: readers see either the old or the new content.
fn write(path: &Path, bytes: &[u8]) -> Result<(), CaptioningError> {
    let mut part = OsString::from(path);
    part.push(".part");
    fs::write(&part, bytes)
        .and_then(|()| fs::rename(&part, path))
        .map_err(|err| CaptioningError::File {
            action: "write",
            path: path.to_owned(),
            err,
        })
}

#[cfg(test)]
mod tests;
