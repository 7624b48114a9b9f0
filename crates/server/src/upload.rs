//! Takes an upload of pictures, captions and archives: spools each file to disk, checks it, stores what is good.
//!
//! The database learns of the pictures in one transaction at the end: an upload that breaks off leaves none.

use std::{
    collections::{BTreeSet, HashMap},
    io::{self, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use axum::extract::{
    Multipart,
    multipart::{Field, MultipartError},
};
use bytes::Bytes;
use dataset::{
    ingest::{Batch, IngestError, IngestReport, KnownPicture, MAX_FILE_BYTES},
    picture::NormalizedPicture,
};
use protocol::{
    DatasetId, OwnerId,
    dataset::{Item, RefusedFile, Split, UpdateItem, UploadReport},
};
use store::{
    BlobKey, BlobStore,
    datasets::{AddedItem, NewItem},
    objects::BlobError,
};
use tokio::runtime::Handle;

use crate::{
    error::{ApiError, ApiResult},
    state::AppState,
};

/// Largest uploaded file: an archive may hold a gigabyte of pictures, and these hardly get smaller in it.
const MAX_PART_BYTES: u64 = (1 << 30) + MAX_FILE_BYTES;

/// Takes a whole upload.
pub(crate) async fn receive(
    state: &AppState,
    owner: OwnerId,
    id: DatasetId,
    mut multipart: Multipart,
) -> ApiResult<UploadReport> {
    let known = store::datasets::items(state.store(), owner, id).await?;
    let mut upload = Upload::new(state, &known);
    let mut n_files = 0_u32;
    while let Some(field) = multipart.next_field().await.map_err(broken)? {
        match field.file_name().map(str::to_owned) {
            Some(file_name) => {
                n_files += 1;
                upload = upload.take(&file_name, field).await?;
            }
            None if field.name() == Some("split") => upload.split = parse_split(field).await?,
            None => {
                let name = field.name().unwrap_or_default().to_owned();
                return Err(ApiError::field(
                    name,
                    "is neither a file nor `split`: send files with a file name",
                ));
            }
        }
    }
    if n_files == 0 {
        return Err(ApiError::field(
            "files",
            "the upload holds no file: send pictures, `.txt` captions or `.zip` archives of them",
        ));
    }
    let Upload {
        batch,
        splits,
        restored,
        oversized,
        ..
    } = upload;
    let mut report = batch.finish();
    report.refused.extend(oversized);
    let taken = Taken {
        report,
        splits,
        restored,
    };
    record(state, owner, id, &known, taken).await
}

/// An upload in progress.
struct Upload {
    batch: Batch,
    objects: BlobStore,
    /// Where files wait to be checked: on the disk that they will be stored on.
    spool_dir: PathBuf,
    /// What the files that come now are used for.
    split: Split,
    /// What each new picture is used for, by its hash.
    splits: HashMap<String, Split>,
    /// Hashes of the pictures that the dataset has already.
    known: BTreeSet<String>,
    /// Those of them whose stored file was lost or damaged, and is whole again.
    restored: BTreeSet<String>,
    oversized: Vec<RefusedFile>,
}

/// What an upload brought.
struct Taken {
    report: IngestReport,
    splits: HashMap<String, Split>,
    restored: BTreeSet<String>,
}

impl Upload {
    fn new(state: &AppState, known: &[Item]) -> Self {
        let pictures = known.iter().map(|item| KnownPicture {
            file_name: item.file_name.clone(),
            sha256: item.sha256.clone(),
        });
        Self {
            batch: Batch::into_dataset(pictures.collect()),
            known: known.iter().map(|item| item.sha256.clone()).collect(),
            restored: BTreeSet::new(),
            objects: state.store().objects().clone(),
            spool_dir: state.store().data_dir().to_owned(),
            split: Split::Train,
            splits: HashMap::new(),
            oversized: Vec::new(),
        }
    }

    /// Takes one file; what is wrong with it is noted, and the next may come.
    async fn take(mut self, file_name: &str, field: Field<'_>) -> ApiResult<Self> {
        let Some(file) = spool(field, &self.spool_dir).await? else {
            self.oversized.push(RefusedFile {
                file_name: file_name.to_owned(),
                reason: format!(
                    "is too large: an archive has at most {} MiB",
                    MAX_PART_BYTES >> 20
                ),
            });
            return Ok(self);
        };
        let file_name = file_name.to_owned();
        let runtime = Handle::current();
        let checking = tokio::task::spawn_blocking(move || {
            let Self {
                batch,
                objects,
                split,
                splits,
                known,
                restored,
                ..
            } = &mut self;
            let result = batch.add(&file_name, file, |picture: &NormalizedPicture| {
                splits.insert(picture.sha256.clone(), *split);
                let is_known = known.contains(&picture.sha256);
                if runtime.block_on(keep(objects, picture, is_known))? {
                    restored.insert(picture.sha256.clone());
                }
                Ok::<(), BlobError>(())
            });
            result.map(|()| self)
        });
        match checking.await {
            Ok(Ok(upload)) => Ok(upload),
            Ok(Err(error)) => Err(error.into()),
            Err(panic) => Err(ApiError::internal(panic)),
        }
    }
}

/// Stores a picture. One that the dataset has already is stored again if its file is lost or damaged; tells whether
/// it was.
async fn keep(objects: &BlobStore, picture: &NormalizedPicture, is_known: bool) -> Result<bool, BlobError> {
    if is_known {
        let key = BlobKey::from_sha256(&picture.sha256).expect("a digest is a valid hash");
        if objects.inspect(&key).await?.is_none() {
            return Ok(false);
        }
    }
    objects.put(Bytes::copy_from_slice(&picture.png)).await?;
    Ok(is_known)
}

/// Writes a file of the upload to the disk, since an archive is read from its end; `None` if it is too large.
async fn spool(mut field: Field<'_>, folder: &Path) -> ApiResult<Option<std::fs::File>> {
    let mut file = tempfile::tempfile_in(folder).map_err(ApiError::internal)?;
    let mut n_bytes = 0_u64;
    while let Some(part) = field.chunk().await.map_err(broken)? {
        n_bytes += part.len() as u64;
        // The rest is read all the same, so that the files after this one can be.
        if n_bytes <= MAX_PART_BYTES {
            file = write(file, part).await?;
        }
    }
    if n_bytes > MAX_PART_BYTES {
        return Ok(None);
    }
    file.rewind().map_err(ApiError::internal)?;
    Ok(Some(file))
}

async fn write(mut file: std::fs::File, part: Bytes) -> ApiResult<std::fs::File> {
    let writing = tokio::task::spawn_blocking(move || file.write_all(&part).map(|()| file));
    match writing.await {
        Ok(Ok(file)) => Ok(file),
        Ok(Err(error)) if error.kind() == io::ErrorKind::StorageFull => Err(ApiError::Full(error.into())),
        Ok(Err(error)) => Err(ApiError::internal(error)),
        Err(panic) => Err(ApiError::internal(panic)),
    }
}

async fn parse_split(field: Field<'_>) -> ApiResult<Split> {
    let text = field.text().await.map_err(broken)?;
    match text.trim() {
        "train" => Ok(Split::Train),
        "held_out" => Ok(Split::HeldOut),
        other => Err(ApiError::field(
            "split",
            format!("must be one of `train`, `held_out`, not `{other}`"),
        )),
    }
}

fn broken(error: MultipartError) -> ApiError {
    ApiError::InvalidRequest(format!(
        "the upload ended early or is malformed: {}; nothing of it was kept, send it again",
        error.body_text()
    ))
}

/// Puts what was taken into the database, all at once.
async fn record(
    state: &AppState,
    owner: OwnerId,
    id: DatasetId,
    known: &[Item],
    taken: Taken,
) -> ApiResult<UploadReport> {
    let Taken {
        report,
        splits,
        restored: is_restored,
    } = taken;
    let IngestReport {
        items,
        again,
        captions,
        mut refused,
    } = report;
    let hashes = items
        .iter()
        .map(|item| &item.sha256)
        .chain(again.iter().map(|same| &same.sha256));
    let keys: Vec<BlobKey> = hashes
        .map(|hash| BlobKey::from_sha256(hash).expect("a digest is a valid hash"))
        .collect();
    let tx = state.store().begin().await?;
    // All of them are whole now, whatever was known of them.
    store::damage::clear(&tx, &keys).await?;
    let mut restored: Vec<Item> = Vec::new();
    for same in again {
        let item = known.iter().find(|item| item.sha256 == same.sha256);
        match item.filter(|_| is_restored.contains(&same.sha256)) {
            Some(item) if restored.iter().all(|other| other.id != item.id) => {
                restored.push(store::datasets::item(&tx, owner, id, item.id).await?);
            }
            _ => refused.push(RefusedFile {
                reason: same.reason(),
                file_name: same.file_name,
            }),
        }
    }
    let mut accepted = Vec::with_capacity(items.len() + captions.len());
    for item in items {
        let item = NewItem {
            split: splits.get(&item.sha256).copied().unwrap_or_default(),
            file_name: item.file_name,
            caption: item.caption,
            width: item.width,
            height: item.height,
            size_bytes: item.size_bytes,
            sha256: item.sha256,
            notes: item.notes,
        };
        let file_name = item.file_name.clone();
        match store::datasets::add_item(&tx, owner, id, item).await? {
            AddedItem::Added(item) => accepted.push(item),
            // Another upload was quicker.
            AddedItem::Duplicate(same) => refused.push(RefusedFile {
                file_name,
                reason: format!(
                    "shows the same pixels as `{}`: a picture counts once",
                    same.file_name
                ),
            }),
        }
    }
    for caption in captions {
        let Some(owner_item) = known.iter().find(|item| item.sha256 == caption.sha256) else {
            continue;
        };
        let change = UpdateItem {
            caption: Some(caption.caption),
            split: None,
        };
        accepted.push(store::datasets::update_item(&tx, owner, id, owner_item.id, change).await?);
    }
    let dataset = store::datasets::get(&tx, owner, id).await?;
    tx.commit().await?;
    Ok(UploadReport {
        dataset,
        accepted,
        restored,
        refused,
    })
}

impl From<IngestError<BlobError>> for ApiError {
    fn from(error: IngestError<BlobError>) -> Self {
        match error {
            IngestError::Store {
                file_name,
                err: err @ BlobError::TooLarge { .. },
            } => Self::TooLarge(format!("`{file_name}`: {err}")),
            IngestError::Store { err, .. } => err.into(),
            IngestError::Read { .. } => Self::internal(error),
        }
    }
}
