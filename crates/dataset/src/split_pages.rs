//! Splits the comic pages of a folder into panels, with their captions.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use protocol::{dataset::RefusedFile, page::PageFrame};
use serde::{Deserialize, Serialize};

use crate::{
    decoder::{DecodeError, Decoder, PageTask, SplitPage},
    folder::{Folder, FolderError},
    ingest::{self, Batch, IngestError, IngestedItem},
    picture::{NormalizedPicture, mask_in, without_mask},
};

/// The folder of the result that is a dataset.
pub const PANELS: &str = "panels";
/// The folder of the result with each page and its frames.
pub const CONTACT_SHEETS: &str = "contact-sheets";
/// Where pages lie while captions are matched with them.
const PAGES: &str = ".pages";

/// What was made of a folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SplitReport {
    /// Number of pictures that were split.
    pub n_pages: usize,
    /// Number of panels that were made of them.
    pub n_panels: usize,
    /// Every accepted picture.
    pub pictures: Vec<SplitPicture>,
    /// Rejected files.
    pub refused: Vec<RefusedFile>,
}

/// What was made of one picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SplitPicture {
    /// Its file name.
    pub file_name: String,
    /// Whether it is a whole page. Other pictures are copied with their masks.
    pub is_page: bool,
    /// What was made of it, in reading order.
    pub panels: Vec<MadePanel>,
    /// Its contact sheet, below the folder of the result; absent for a picture that is no page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_sheet: Option<PathBuf>,
}

/// A picture that was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MadePanel {
    /// Below the folder of the result.
    pub path: PathBuf,
    /// Where it is on its page, in pixels.
    pub frame: PageFrame,
    /// How certainly this is a panel, from 0 to 1.
    pub confidence: f32,
    /// Balloons in it that were masked or painted over.
    pub n_balloons: usize,
}

/// Why a folder was not split.
#[derive(Debug, thiserror::Error)]
pub enum SplitPagesError {
    /// The path does not exist or cannot be read.
    #[error(transparent)]
    Read(FolderError),
    /// The folder of the result is in use.
    #[error("`{0}` is not empty: name a new folder")]
    NotEmpty(PathBuf),
    /// A file of the result could not be written.
    #[error("failed to write `{path}`")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        err: io::Error,
    },
    /// A file could not be read to its end, or not kept.
    #[error("failed to read the pages")]
    Ingest(#[source] IngestError<io::Error>),
    /// A page could not be split.
    #[error("failed to split `{file_name}`")]
    Split {
        /// Its file name.
        file_name: String,
        /// Why.
        #[source]
        err: DecodeError,
    },
}

/// Splits every page of a folder or an archive into an empty folder. Pictures that are no pages are copied with their masks,
/// so that the result is a whole dataset. A panel has the caption that somebody gave its page; masks of pages are not taken
/// over, which the report says.
///
/// # Errors
/// If something cannot be read or written: then nothing of the result is left. Files that are no pictures, and pages that
/// cannot be split, are refused in the report instead.
pub fn split_pages(
    path: &Path,
    output: &Path,
    task: &PageTask,
    decoder: &Decoder,
) -> Result<SplitReport, SplitPagesError> {
    let mut folder = Folder::list(path).map_err(SplitPagesError::Read)?;
    let mut result = Output::new(output)?;
    let mut batch = Batch::default().with_decoder(decoder.clone());
    let mut sources = HashMap::new();
    for (name, path) in std::mem::take(&mut folder.files) {
        if let Some(file) = folder.open(&name, &path).map_err(SplitPagesError::Read)? {
            let keep = |picture: &NormalizedPicture| {
                sources.insert(picture.sha256.clone(), ingest::displayable(&name));
                fs::write(result.kept(&picture.sha256), &picture.png)
            };
            batch.add(&name, file, keep).map_err(SplitPagesError::Ingest)?;
        }
    }
    let ingested = batch.finish();
    let mut report = SplitReport {
        n_pages: 0,
        n_panels: 0,
        pictures: Vec::new(),
        refused: folder.refused.into_iter().chain(ingested.refused).collect(),
    };
    for item in &ingested.items {
        let source = sources.get(&item.pixels_sha256).map(String::as_str);
        let archive = source.filter(|source| *source != item.file_name);
        let picture = match result.split((item, archive), task, decoder)? {
            Ok(picture) => picture,
            Err(reason) => {
                report.refused.push(RefusedFile {
                    file_name: item.file_name.clone(),
                    reason,
                });
                continue;
            }
        };
        if picture.is_page {
            report.n_pages += 1;
            report.n_panels += picture.panels.len();
            report.refused.extend(item.mask.as_ref().map(|mask| RefusedFile {
                file_name: mask.file_name.clone(),
                reason: format!(
                    "is the loss mask of `{}`, which was split: its panels do not take it over",
                    item.file_name
                ),
            }));
        }
        report.pictures.push(picture);
    }
    result.is_whole = true;
    Ok(report)
}

/// The folder of the result.
struct Output<'a> {
    path: &'a Path,
    /// Whether all was written: else nothing is left.
    is_whole: bool,
    /// Names of the result without extensions, in lower case.
    taken: HashSet<String>,
}

impl<'a> Output<'a> {
    fn new(path: &'a Path) -> Result<Self, SplitPagesError> {
        let unwritable = |err| SplitPagesError::Write {
            path: path.to_owned(),
            err,
        };
        fs::create_dir_all(path).map_err(unwritable)?;
        if fs::read_dir(path).map_err(unwritable)?.next().is_some() {
            return Err(SplitPagesError::NotEmpty(path.to_owned()));
        }
        fs::create_dir(path.join(PAGES)).map_err(unwritable)?;
        Ok(Self {
            path,
            is_whole: false,
            taken: HashSet::new(),
        })
    }

    /// Where a picture or a mask lies meanwhile.
    fn kept(&self, sha256: &str) -> PathBuf {
        self.path.join(PAGES).join(sha256)
    }

    fn read_kept(&self, sha256: &str) -> Result<Vec<u8>, SplitPagesError> {
        let path = self.kept(sha256);
        fs::read(&path).map_err(|err| SplitPagesError::Write { path, err })
    }

    /// Splits a picture, which may lie in an archive; the inner error says why it is refused.
    fn split(
        &mut self,
        (item, archive): (&IngestedItem, Option<&str>),
        task: &PageTask,
        decoder: &Decoder,
    ) -> Result<Result<SplitPicture, String>, SplitPagesError> {
        let page = self.read_kept(&item.pixels_sha256)?;
        let split = match decoder.page(&page, task) {
            Ok(split) => split,
            Err(DecodeError::Refused(reason)) => return Ok(Err(reason)),
            Err(err @ DecodeError::Unavailable(_)) => {
                return Err(SplitPagesError::Split {
                    file_name: item.file_name.clone(),
                    err,
                });
            }
        };
        match split.panels.is_empty() {
            true => self.copy((item, archive), &page).map(Ok),
            false => self.add_panels((item, archive), split).map(Ok),
        }
    }

    /// Writes the panels of a page, and its contact sheet.
    fn add_panels(
        &mut self,
        (item, archive): (&IngestedItem, Option<&str>),
        split: SplitPage,
    ) -> Result<SplitPicture, SplitPagesError> {
        let end = |number: usize| format!("-panel-{number}");
        let stem = self.free_stem((&item.file_name, archive), |stem| {
            let panels = split.panels.iter();
            let mut names: Vec<PathBuf> = panels
                .map(|panel| Path::new(PANELS).join(ended(stem, &end(panel.number))))
                .collect();
            names.push(Path::new(CONTACT_SHEETS).join(stem));
            names
        });
        let mut panels = Vec::with_capacity(split.panels.len());
        for panel in &split.panels {
            let png = &panel.picture.png;
            let mask = mask_in(png).map(<[u8]>::to_vec);
            let name = ended(&stem, &end(panel.number));
            panels.push(MadePanel {
                path: self.write_picture(&name, (&without_mask(png), mask), item.given_caption())?,
                frame: panel.frame,
                confidence: split.layout.panels[panel.number - 1].confidence,
                n_balloons: panel.n_balloons,
            });
        }
        let mut contact_sheet = None;
        if let Some(sheet) = &split.sheet {
            let path = Path::new(CONTACT_SHEETS).join(ended(&stem, ".png"));
            self.write(&path, &sheet.png)?;
            contact_sheet = Some(path);
        }
        Ok(SplitPicture {
            file_name: item.file_name.clone(),
            is_page: true,
            panels,
            contact_sheet,
        })
    }

    /// Writes a picture that is no page as it is, with its mask.
    fn copy(
        &mut self,
        (item, archive): (&IngestedItem, Option<&str>),
        png: &[u8],
    ) -> Result<SplitPicture, SplitPagesError> {
        let stem = self.free_stem((&item.file_name, archive), |stem| {
            vec![Path::new(PANELS).join(stem)]
        });
        let mask = match &item.mask {
            Some(mask) => Some(self.read_kept(&mask.sha256)?),
            None => None,
        };
        let copy = MadePanel {
            path: self.write_picture(&stem, (png, mask), item.given_caption())?,
            frame: PageFrame {
                left: 0,
                top: 0,
                width: item.width,
                height: item.height,
            },
            confidence: 1.0,
            n_balloons: 0,
        };
        Ok(SplitPicture {
            file_name: item.file_name.clone(),
            is_page: false,
            panels: vec![copy],
            contact_sheet: None,
        })
    }

    /// Takes a name, upper and lower case being the same: that of the picture, else with its archive before it, else with a
    /// number behind it. `names` says what is written under it.
    fn free_stem(
        &mut self,
        (file_name, archive): (&str, Option<&str>),
        names: impl Fn(&Path) -> Vec<PathBuf>,
    ) -> PathBuf {
        let lower = |stem: &Path| -> Vec<String> {
            let names = names(stem).into_iter();
            names.map(|name| name.to_string_lossy().to_lowercase()).collect()
        };
        let own = stem(file_name);
        let archived = archive.map(|archive| began(&own, archive));
        let last = archived.as_ref().unwrap_or(&own).clone();
        let mut free = own;
        let mut others = archived
            .into_iter()
            .chain((2_u32..).map(|number| ended(&last, &format!("-{number}"))));
        while lower(&free).iter().any(|name| self.taken.contains(name)) {
            free = others.next().expect("numbers go on");
        }
        self.taken.extend(lower(&free));
        free
    }

    /// Writes a picture with its mask and caption; returns where it lies.
    fn write_picture(
        &self,
        stem: &Path,
        (png, mask): (&[u8], Option<Vec<u8>>),
        caption: &str,
    ) -> Result<PathBuf, SplitPagesError> {
        let stem = Path::new(PANELS).join(stem);
        if let Some(mask) = mask {
            self.write(&ended(&stem, "-masklabel.png"), &mask)?;
        }
        if !caption.is_empty() {
            self.write(&ended(&stem, ".txt"), format!("{caption}\n").as_bytes())?;
        }
        let path = ended(&stem, ".png");
        self.write(&path, png)?;
        Ok(path)
    }

    /// Writes a new file, and the folders that it lies in.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), SplitPagesError> {
        let path = self.path.join(path);
        let written = || {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            File::create_new(&path)?.write_all(bytes)
        };
        written().map_err(|err| SplitPagesError::Write {
            path: path.clone(),
            err,
        })
    }
}

impl Drop for Output<'_> {
    fn drop(&mut self) {
        // Copies only.
        let _ = fs::remove_dir_all(self.path.join(PAGES));
        if !self.is_whole {
            // The folder was empty, and is so again.
            let _ = fs::remove_dir_all(self.path.join(PANELS));
            let _ = fs::remove_dir_all(self.path.join(CONTACT_SHEETS));
        }
    }
}

/// A path with more at its end.
fn ended(stem: &Path, end: &str) -> PathBuf {
    let mut name = stem.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// A path whose last name begins with that of an archive.
fn began(path: &Path, archive: &str) -> PathBuf {
    let archive = stem(archive);
    let mut name = archive.file_name().unwrap_or_default().to_owned();
    name.push("-");
    name.push(path.file_name().unwrap_or_default());
    path.with_file_name(name)
}

/// The name without its extension. Only names of folders and files count: it cannot lead out of a folder.
fn stem(file_name: &str) -> PathBuf {
    let names = file_name
        .split('/')
        .filter(|name| !matches!(*name, "" | "." | ".."));
    let path: PathBuf = names.collect();
    path.with_extension("")
}

#[cfg(test)]
mod tests;
