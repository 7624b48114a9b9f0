//! Exports of datasets: which pictures, and where each is in the archive.

use std::collections::HashMap;

use bytes::Bytes;
use dataset::{
    export::{Archive, Plan, PlannedPicture, Subject, fit_for_files, plan},
    picture::{mask_in, without_mask},
};
use protocol::{
    DatasetId, DatasetVersionId, OwnerId,
    dataset::{ExportFormat, Showing, Split},
    problem,
};
use store::{damage, datasets};

use super::checks::aside;
use crate::{Orchestrator, ServiceError, ServiceResult};

/// Longest name of a dataset in the name of a file, in bytes.
const MAX_NAME_BYTES: usize = 150;
/// Pictures that are named of those that are lost.
const N_NAMED: usize = 3;

/// An export that was begun. Its archive comes piece by piece, one picture at a time.
#[derive(Debug)]
pub struct Export {
    /// Name of the archive: `Zora-kohya.zip`.
    pub file_name: String,
    orchestrator: Orchestrator,
    pictures: std::vec::IntoIter<(PlannedPicture, Picture)>,
    lists: Vec<(String, String)>,
    /// None when it is finished.
    archive: Option<Archive>,
}

/// What is known of a picture to export.
#[derive(Debug)]
struct Picture {
    file_name: String,
    caption: String,
    split: Split,
    showing: Showing,
    sha256: String,
}

/// Why an export broke off.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The file of a picture is lost or damaged.
    #[error("the file of `{file_name}` is lost or damaged")]
    Lost {
        /// The picture.
        file_name: String,
    },
    /// The object store failed.
    #[error("failed to read the file of `{file_name}`")]
    Read {
        /// The picture.
        file_name: String,
        /// Why.
        #[source]
        err: store::objects::BlobError,
    },
    /// The archive could not be written.
    #[error("failed to write the archive")]
    Archive(#[source] std::io::Error),
}

impl Orchestrator {
    /// Begins the export of a dataset, or of a frozen version of it.
    ///
    /// # Errors
    /// If it has no pictures, or some are known to be lost or damaged.
    pub async fn export(
        &self,
        owner: OwnerId,
        id: DatasetId,
        version: Option<DatasetVersionId>,
        format: ExportFormat,
    ) -> ServiceResult<Export> {
        let dataset = datasets::get(&self.store, owner, id).await?;
        let pictures = match version {
            None => self.pictures_now(owner, id).await?,
            Some(version) => self.pictures_of(owner, id, version).await?,
        };
        if pictures.is_empty() {
            return Err(ServiceError::Conflict(format!(
                "`{}` has no pictures: upload some, then export it",
                dataset.name
            )));
        }
        self.refuse_lost(&pictures).await?;
        // There may be thousands, each with a caption.
        let (pictures, lists) = aside(move || laid_out(pictures, format)).await?;
        Ok(Export {
            file_name: format!(
                "{}-{}.zip",
                fit_for_files(&dataset.name, MAX_NAME_BYTES),
                format.name()
            ),
            orchestrator: self.clone(),
            pictures: pictures.into_iter(),
            lists,
            archive: Some(Archive::default()),
        })
    }

    async fn pictures_now(&self, owner: OwnerId, id: DatasetId) -> ServiceResult<Vec<Picture>> {
        let items = datasets::items(&self.store, owner, id).await?;
        let trained_on = items.into_iter().filter(|item| !item.set_aside);
        let pictures = trained_on.map(|item| Picture {
            file_name: item.file_name,
            caption: item.caption,
            split: item.split,
            showing: Showing {
                group: item.group,
                repeats: item.repeats,
                regularization: item.regularization,
            },
            sha256: item.sha256,
        });
        Ok(pictures.collect())
    }

    /// Pictures of a frozen version. One that the dataset has no more is named by its id.
    async fn pictures_of(
        &self,
        owner: OwnerId,
        id: DatasetId,
        version: DatasetVersionId,
    ) -> ServiceResult<Vec<Picture>> {
        let manifest = datasets::version(&self.store, owner, id, version).await?;
        let items = datasets::items(&self.store, owner, id).await?;
        let mut names: HashMap<_, _> = items.into_iter().map(|item| (item.id, item.file_name)).collect();
        let pictures = manifest.items.into_iter().map(|item| Picture {
            file_name: names
                .remove(&item.id)
                .unwrap_or_else(|| format!("{}.png", item.id)),
            caption: item.caption,
            split: item.split,
            showing: item.showing,
            sha256: item.sha256,
        });
        Ok(pictures.collect())
    }

    async fn refuse_lost(&self, pictures: &[Picture]) -> ServiceResult<()> {
        let hashes = pictures.iter().map(|picture| picture.sha256.clone());
        let damaged = damage::by_hash(&self.store, hashes).await?;
        let lost: Vec<&str> = pictures
            .iter()
            .filter(|picture| damaged.contains_key(&picture.sha256))
            .map(|picture| picture.file_name.as_str())
            .collect();
        if lost.is_empty() {
            return Ok(());
        }
        let named: Vec<String> = lost
            .iter()
            .take(N_NAMED)
            .map(|name| format!("`{name}`"))
            .collect();
        let more = match lost.len().saturating_sub(N_NAMED) {
            0 => String::new(),
            n_more => format!(" and {n_more} more"),
        };
        Err(ServiceError::Conflict(format!(
            "the files of {}{more} are lost or damaged: upload these pictures again, or delete them, then export",
            named.join(", ")
        )))
    }
}

impl Export {
    /// The next bytes of the archive; nothing after its end. After an error it has no end, so that nobody takes what was
    /// sent for all of it.
    ///
    /// # Errors
    /// If a picture cannot be read whole.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ExportError> {
        while let Some(mut archive) = self.archive.take() {
            let bytes = match self.pictures.next() {
                Some((planned, picture)) => {
                    let file = self.read(&picture).await?;
                    add(&mut archive, &planned, &file).map_err(ExportError::Archive)?;
                    let bytes = archive.take();
                    self.archive = Some(archive);
                    bytes
                }
                None => {
                    for (name, text) in std::mem::take(&mut self.lists) {
                        let added = archive.add(&name, text.as_bytes());
                        added.map_err(ExportError::Archive)?;
                    }
                    archive.finish().map_err(ExportError::Archive)?
                }
            };
            // A first picture of one file is complete when the next one comes.
            if !bytes.is_empty() {
                return Ok(Some(bytes.into()));
            }
        }
        Ok(None)
    }

    async fn read(&self, picture: &Picture) -> Result<Bytes, ExportError> {
        let file = self.orchestrator.whole_picture(&picture.sha256).await;
        let file_name = picture.file_name.clone();
        let failure = match file {
            Ok(Some(file)) => return Ok(file),
            Ok(None) => ExportError::Lost { file_name },
            Err(err) => ExportError::Read { file_name, err },
        };
        tracing::error!(error = problem::chain(&failure), "an export broke off");
        Err(failure)
    }
}

/// The pictures with their places in the archive, and the lists of their captions.
fn laid_out(
    pictures: Vec<Picture>,
    format: ExportFormat,
) -> (Vec<(PlannedPicture, Picture)>, Vec<(String, String)>) {
    let subjects: Vec<Subject<'_>> = pictures
        .iter()
        .map(|picture| Subject {
            file_name: &picture.file_name,
            caption: &picture.caption,
            split: picture.split,
            showing: picture.showing.clone(),
        })
        .collect();
    let Plan {
        pictures: planned,
        lists,
    } = plan(&subjects, format);
    drop(subjects);
    (planned.into_iter().zip(pictures).collect(), lists)
}

fn add(archive: &mut Archive, planned: &PlannedPicture, file: &[u8]) -> std::io::Result<()> {
    match (&planned.mask, mask_in(file)) {
        (Some(name), Some(mask)) => {
            archive.add(&planned.name, &without_mask(file))?;
            archive.add(name, mask)?;
        }
        _ => archive.add(&planned.name, file)?,
    }
    if let Some((name, text)) = &planned.caption {
        archive.add(name, text.as_bytes())?;
    }
    Ok(())
}
