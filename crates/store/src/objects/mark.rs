//! The mark that says whose the objects are. Nothing is written where it is missing or another's: the folder may be
//! that of a disk that is not mounted, or a restored installation may have taken the objects over.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use object_store::{ObjectStoreExt as _, path::Path as ObjectPath};
use protocol::problem::chain;
use uuid::Uuid;

use super::{BlobError, BlobStore, Place, Result};
use crate::{file_id::FileId, log_once::LogOnce};

/// The object that holds the mark: the installation's id, and after a `.` what a restoration added to it.
const NAME: &str = "deployment";

/// A mark that was found is not read again for so long, unless the folder is another one.
const GOOD_FOR: Duration = Duration::from_secs(30);

/// What the objects of a server must have.
#[derive(Debug)]
pub(super) struct Guard {
    mark: String,
    /// Whether the mark was written: from then on, objects without it are not ours.
    is_claimed: AtomicBool,
    refusing: LogOnce,
    found: Mutex<Option<Found>>,
}

/// A mark that was right.
#[derive(Debug)]
struct Found {
    at: Instant,
    folder: Option<FileId>,
}

impl Guard {
    fn is_good(&self, folder: Option<FileId>) -> bool {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let found = found.as_ref();
        found.is_some_and(|found| found.folder == folder && found.at.elapsed() < GOOD_FOR)
    }

    fn note(&self, found: Option<Found>) {
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = found;
    }
}

/// The mark of an installation that was restored from a backup of this one, now.
pub(crate) fn of_restored(deployment: Uuid) -> String {
    format!("{deployment}.{}", Uuid::now_v7())
}

impl BlobStore {
    /// The same objects, written to only where the mark is this one. `is_claimed` says whether it was ever written.
    pub(crate) fn guarded(mut self, mark: String, is_claimed: bool) -> Self {
        self.guard = Some(std::sync::Arc::new(Guard {
            mark,
            is_claimed: AtomicBool::new(is_claimed),
            refusing: LogOnce::default(),
            found: Mutex::new(None),
        }));
        self
    }

    /// Whether the mark is known to have been written.
    pub(crate) fn is_claimed(&self) -> bool {
        let guard = self.guard.as_ref();
        guard.is_some_and(|guard| guard.is_claimed.load(Ordering::Relaxed))
    }

    /// From now on, nothing is written where the mark is not.
    pub(crate) fn note_claimed(&self) {
        if let Some(guard) = &self.guard {
            guard.is_claimed.store(true, Ordering::Relaxed);
        }
    }

    /// Makes sure that the objects are this installation's, so that one never deletes what another keeps.
    /// Objects that nobody has claimed yet are claimed, unless this is only a look, or they were claimed once.
    pub async fn claim(&self, mark: &str, only_look: bool) -> Result<()> {
        let refused = match self.read_mark().await? {
            Some(found) if found == mark => return Ok(()),
            None if !self.is_claimed() && only_look => return Ok(()),
            None if !self.is_claimed() => return self.write_mark(mark).await,
            Some(other) => self.foreign(other),
            None => self.unmarked(mark),
        };
        if let Some(guard) = &self.guard {
            guard.note(None);
        }
        // Whoever they belong to would collect what is written there.
        self.note_claimed();
        Err(refused)
    }

    /// Takes objects of this deployment over, or such as nobody has claimed. Returns whether anybody had.
    pub(crate) async fn take_over(&self, deployment: Uuid, mark: &str) -> Result<bool> {
        let found = self.read_mark().await?;
        let id = deployment.to_string();
        if let Some(other) = &found
            && other.split('.').next() != Some(id.as_str())
        {
            return Err(self.foreign(other.clone()));
        }
        self.write_mark(mark).await?;
        Ok(found.is_some())
    }

    /// Refuses to write where the mark is not ours. Most of the time this costs one look at the folder.
    pub(super) async fn refuse_astray(&self) -> Result<()> {
        let Some(guard) = &self.guard else {
            return Ok(());
        };
        let folder = self.folder_id().await;
        if !guard.is_claimed.load(Ordering::Relaxed) || guard.is_good(folder) {
            return Ok(());
        }
        self.look_at_mark(guard, folder).await
    }

    /// The same, however lately the mark was read.
    pub(crate) async fn check_mark(&self) -> Result<()> {
        match &self.guard {
            Some(guard) if guard.is_claimed.load(Ordering::Relaxed) => {
                let folder = self.folder_id().await;
                self.look_at_mark(guard, folder).await
            }
            _ => Ok(()),
        }
    }

    async fn look_at_mark(&self, guard: &Guard, folder: Option<FileId>) -> Result<()> {
        let refused = match self.read_mark().await? {
            Some(found) if found == guard.mark => {
                let at = Instant::now();
                guard.note(Some(Found { at, folder }));
                if guard.refusing.end() {
                    tracing::info!(
                        url = self.url(),
                        "the object store is ours again: writes are accepted"
                    );
                }
                return Ok(());
            }
            Some(other) => self.foreign(other),
            None => self.unmarked(&guard.mark),
        };
        guard.note(None);
        if guard.refusing.begin() {
            tracing::error!(error = chain(&refused), "writes to the object store are refused");
        }
        Err(refused)
    }

    async fn folder_id(&self) -> Option<FileId> {
        match &self.place {
            Place::Folder { folder, .. } => {
                let folder = folder.clone();
                let looking = tokio::task::spawn_blocking(move || FileId::of(&folder));
                looking.await.ok().flatten()
            }
            Place::Bucket(_) => None,
        }
    }

    async fn read_mark(&self) -> Result<Option<String>> {
        let failed = |source| BlobError::Slot {
            doing: "read",
            path: NAME.to_owned(),
            source,
        };
        let found = match self.backend.get(&ObjectPath::from(NAME)).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(source) => return Err(failed(source)),
        };
        let bytes = found.bytes().await.map_err(failed)?;
        Ok(Some(String::from_utf8_lossy(&bytes).trim().to_owned()))
    }

    async fn write_mark(&self, mark: &str) -> Result<()> {
        let put = self
            .backend
            .put(&ObjectPath::from(NAME), mark.to_owned().into())
            .await;
        put.map(drop).map_err(|source| BlobError::Slot {
            doing: "write",
            path: NAME.to_owned(),
            source,
        })
    }

    fn foreign(&self, other: String) -> BlobError {
        BlobError::Foreign {
            url: self.url().to_owned(),
            other,
        }
    }

    fn unmarked(&self, mark: &str) -> BlobError {
        BlobError::Unmarked {
            url: self.url().to_owned(),
            mark: mark.to_owned(),
        }
    }
}
