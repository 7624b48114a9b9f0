//! Takes an upload of pictures, captions and archives: spools each file to disk, checks it, stores what is good.
//!
//! What becomes of the pictures is decided by the orchestrator, in one transaction at the end: an upload that breaks
//! off leaves none.

use std::{
    collections::{BTreeSet, HashMap},
    fs::File,
    io::{self, Cursor, Read, Seek, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use dataset::{
    ingest::{Batch, IngestError, KnownPicture, displayable},
    picture::NormalizedPicture,
};
use orchestrator::{Orchestrator, TakenPictures};
use protocol::{
    DatasetId, OwnerId,
    dataset::{Item, RefusedFile, Split, UploadReport},
    limits::MAX_ARCHIVE_BYTES,
};
use store::objects::BlobError;
use tokio::{
    runtime::Handle,
    sync::{Semaphore, mpsc},
};

use crate::{
    error::{ApiError, ApiResult},
    multipart::{Multipart, shortened},
    state::AppState,
};

/// Parts of a file that wait to be written.
const N_WAITING: usize = 4;

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
    while let Some(part) = multipart.next_part().await? {
        match part.file_name {
            Some(file_name) => {
                n_files += 1;
                // Of an unknown length, or beside others: the disk may have become short meanwhile.
                state.orchestrator.check_room(0)?;
                upload = upload.take(&file_name, &mut multipart).await?;
            }
            None if part.name == "split" => upload.split = parse_split(&multipart.text().await?)?,
            None => {
                return Err(ApiError::field(
                    shortened(&part.name),
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
    let taken = upload.finished().await?;
    Ok(state
        .orchestrator
        .record_pictures(owner, id, &known, taken)
        .await?)
}

/// The demo's pictures, checked and stored as if they were uploaded.
pub(crate) async fn demo(state: &AppState) -> ApiResult<TakenPictures> {
    state.orchestrator.check_room(0)?;
    let mut upload = Upload::new(state, &[]);
    for file in dataset::demo::files() {
        upload.split = file.split;
        upload = upload.check(file.name, Cursor::new(file.bytes)).await?;
    }
    upload.finished().await
}

/// An upload in progress.
struct Upload {
    batch: Batch,
    orchestrator: Orchestrator,
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
    /// Files of all uploads that are checked at the same time; each takes a thread.
    checking: Arc<Semaphore>,
}

impl Upload {
    fn new(state: &AppState, known: &[Item]) -> Self {
        let pictures = known.iter().map(|item| KnownPicture {
            file_name: item.file_name.clone(),
            sha256: item.sha256.clone(),
        });
        let masked = known.iter().filter(|item| item.has_mask);
        let masked = masked.map(|item| (item.sha256.clone(), (item.width, item.height)));
        Self {
            batch: Batch::into_dataset(pictures.collect())
                .with_masked(masked.collect())
                .with_decoder(state.decoder.clone()),
            known: known.iter().map(|item| item.sha256.clone()).collect(),
            restored: BTreeSet::new(),
            orchestrator: state.orchestrator.clone(),
            spool_dir: state.store().data_dir().to_owned(),
            split: Split::Train,
            splits: HashMap::new(),
            oversized: Vec::new(),
            checking: Arc::clone(&state.checking),
        }
    }

    /// Takes one file; what is wrong with it is noted, and the next may come.
    async fn take(mut self, file_name: &str, multipart: &mut Multipart) -> ApiResult<Self> {
        let Some(file) = spool(multipart, &self.spool_dir).await? else {
            self.oversized.push(RefusedFile {
                file_name: displayable(file_name),
                reason: format!(
                    "is too large: an archive has at most {} MiB",
                    MAX_ARCHIVE_BYTES >> 20
                ),
            });
            return Ok(self);
        };
        self.check(file_name.to_owned(), file).await
    }

    /// Checks one file, and stores its pictures.
    async fn check<R>(mut self, file_name: String, file: R) -> ApiResult<Self>
    where
        R: Read + Seek + Send + 'static,
    {
        let turn = Arc::clone(&self.checking).acquire_owned().await;
        let turn = turn.map_err(ApiError::internal)?;
        let runtime = Handle::current();
        let checking = tokio::task::spawn_blocking(move || {
            let Self {
                batch,
                orchestrator,
                split,
                splits,
                known,
                restored,
                ..
            } = &mut self;
            let result = batch.add(&file_name, file, |picture: &NormalizedPicture| {
                splits.insert(picture.sha256.clone(), *split);
                let is_known = known.contains(&picture.sha256);
                if runtime.block_on(orchestrator.keep_picture(picture, is_known))? {
                    restored.insert(picture.sha256.clone());
                }
                Ok::<(), BlobError>(())
            });
            drop(turn);
            result.map(|()| self)
        });
        match checking.await {
            Ok(Ok(upload)) => Ok(upload),
            Ok(Err(error)) => Err(error.into()),
            Err(panic) => Err(ApiError::internal(panic)),
        }
    }

    /// Finishes on a thread of its own: pictures with masks are read and written once more.
    async fn finished(self) -> ApiResult<TakenPictures> {
        let turn = Arc::clone(&self.checking).acquire_owned().await;
        let turn = turn.map_err(ApiError::internal)?;
        let runtime = Handle::current();
        let finishing = tokio::task::spawn_blocking(move || {
            let taken = self.finish(&runtime);
            drop(turn);
            taken
        });
        Ok(finishing.await.map_err(ApiError::internal)??)
    }

    /// Matches captions and masks with pictures; stores the files of pictures with their masks.
    fn finish(self, runtime: &Handle) -> Result<TakenPictures, IngestError<BlobError>> {
        let Self {
            batch,
            orchestrator,
            splits,
            known,
            mut restored,
            oversized,
            ..
        } = self;
        let load = |sha256: &str| runtime.block_on(orchestrator.whole_picture(sha256));
        let store = |picture: &NormalizedPicture| {
            let is_known = known.contains(&picture.sha256);
            if runtime.block_on(orchestrator.keep_picture(picture, is_known))? {
                restored.insert(picture.sha256.clone());
            }
            Ok::<(), BlobError>(())
        };
        let mut report = batch.finish_with(load, store)?;
        report.refused.extend(oversized);
        Ok(TakenPictures {
            report,
            splits,
            restored,
        })
    }
}

/// Writes a file of the upload to the disk, since an archive is read from its end; `None` if it is too large.
async fn spool(multipart: &mut Multipart, folder: &Path) -> ApiResult<Option<File>> {
    let mut file = tempfile::tempfile_in(folder).map_err(ApiError::file)?;
    let (to_disk, mut parts) = mpsc::channel::<Bytes>(N_WAITING);
    let writing = tokio::task::spawn_blocking(move || {
        while let Some(part) = parts.blocking_recv() {
            file.write_all(&part)?;
        }
        file.rewind()?;
        Ok::<_, io::Error>(file)
    });
    let mut n_bytes = 0_u64;
    while let Some(part) = multipart.chunk().await? {
        n_bytes += part.len() as u64;
        // The rest is read all the same, so that the files after this one can be.
        if n_bytes <= MAX_ARCHIVE_BYTES && to_disk.send(part).await.is_err() {
            break; // the disk has failed, and says so below
        }
    }
    drop(to_disk);
    let file = writing
        .await
        .map_err(ApiError::internal)?
        .map_err(ApiError::file)?;
    Ok((n_bytes <= MAX_ARCHIVE_BYTES).then_some(file))
}

fn parse_split(text: &str) -> ApiResult<Split> {
    match text.trim() {
        "train" => Ok(Split::Train),
        "held_out" => Ok(Split::HeldOut),
        other => Err(ApiError::field(
            "split",
            format!("must be one of `train`, `held_out`, not `{}`", shortened(other)),
        )),
    }
}

impl From<IngestError<BlobError>> for ApiError {
    fn from(error: IngestError<BlobError>) -> Self {
        match error {
            IngestError::Store {
                file_name,
                err: err @ BlobError::TooLarge { .. },
            } => Self::TooLarge(format!("`{file_name}`: {err}")),
            IngestError::Store { err, .. } => err.into(),
            IngestError::Read { .. } | IngestError::Decode { .. } => Self::internal(error),
        }
    }
}
