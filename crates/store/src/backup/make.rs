//! Making a backup while servers run.
//!
//! Most objects are copied before the snapshot of the rows, which takes long; objects added since then are copied after
//! it, which is quick. So no object that the rows refer to can have been deleted in the meantime, and rows are read in
//! one short transaction.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, stream};
use protocol::{audit::AuditAction, problem::chain};
use serde::Serialize;
use uuid::Uuid;

use super::{
    Backup, BackupError, Earlier, Fault, Lost, Manifest, Progress, Step, Watcher,
    manifest::{FORMAT, Object, Rows},
    needs,
    open::problem_of,
    target::{Finished, Incoming, PutError, Target, is_archive},
};
use crate::{
    BlobKey, BlobStore, StoreBuilder, StoreError, audit,
    db::copy::Row,
    maintenance::{Snapshot, TableStatus, TransferError},
    now,
    objects::BlobError,
};

/// Objects that are asked for at the same time; a bucket takes its time for each.
const N_FETCHES: usize = 8;

/// Objects of at most this size are fetched ahead of time.
const SMALL_BYTES: u64 = 4 << 20;

/// Of what refers to a lost object, so much is named.
const N_USERS_NAMED: usize = 3;

/// Options for a backup.
#[derive(Debug, Default)]
pub struct Options {
    /// Objects in this earlier backup are omitted from a file. A folder stores each object once anyway.
    pub since: Option<PathBuf>,
}

/// A completed and verified backup.
#[derive(Debug, Clone, Serialize)]
pub struct Made {
    /// The file or folder.
    pub path: PathBuf,
    /// Its name in a folder of backups.
    pub snapshot: Option<String>,
    /// Its id.
    pub id: Uuid,
    /// The time of its snapshot.
    pub created_at: chrono::DateTime<chrono::Utc>,
    /// Rows of each table.
    pub tables: Vec<TableStatus>,
    /// Objects that the rows refer to.
    pub n_objects: usize,
    /// Their size.
    pub objects_bytes: u64,
    /// Those that were copied now.
    pub n_copied: usize,
    /// Their size.
    pub copied_bytes: u64,
    /// Objects that rows refer to but that could not be copied.
    pub lost: Vec<Lost>,
    /// Earlier backups that are also needed.
    pub earlier: Vec<Earlier>,
    /// Why the audit log does not say that it was made.
    #[serde(skip)]
    pub unrecorded: Option<String>,
}

impl StoreBuilder {
    /// Writes everything that is needed to go on elsewhere into an archive (`….tar`) or a folder, and reads it back.
    /// The audit log then says that whoever acts here made it.
    pub async fn back_up(
        &self,
        to: &Path,
        options: &Options,
        watcher: Watcher<'_>,
    ) -> Result<Made, BackupError> {
        let earlier = match &options.since {
            Some(_) if !is_archive(to) => {
                return Err(BackupError::Kind {
                    path: to.to_owned(),
                    problem: "stores each object only once anyway: omit --since, or choose a file ending in `.tar`",
                });
            }
            Some(path) => Some(Backup::open(path, None)?),
            None => None,
        };
        // A database that is not there, or is newer, is told of before anything is written.
        let database = self.source().await?;
        drop(database.snapshot().await?);
        let mut maker = Maker {
            source: self.open_objects(true).await?,
            target: Target::create(to)?,
            earlier,
            kept: BTreeMap::new(),
            lost: BTreeMap::new(),
            n_copied: 0,
            copied_bytes: 0,
        };
        maker.target.tidy().await?;
        let most = maker.keys_of(&database.snapshot().await?).await?;
        maker.copy(&most, watcher).await?;
        let (created_at, snapshot) = (now(), database.snapshot().await?);
        let moment = maker.write_rows(&snapshot, watcher).await?;
        drop(snapshot);
        maker.lost.clear();
        maker.copy(&moment.keys, watcher).await?;
        maker.mend(&moment.keys, watcher).await?;
        let used_by = |key: &BlobKey| moment.users.get(key).cloned().unwrap_or_default();
        let lost = maker.lost.iter().map(|(key, fault)| Lost {
            key: key.clone(),
            fault: *fault,
            used_by: used_by(key),
        });
        let objects = moment.keys.iter().filter_map(|key| maker.kept.get(key));
        let objects: Vec<Object> = objects.cloned().collect();
        let manifest = Manifest {
            format: FORMAT.to_owned(),
            id: Uuid::now_v7(),
            created_at,
            morpheus: env!("CARGO_PKG_VERSION").to_owned(),
            deployment: moment.deployment,
            schema: moment.schema,
            rows: moment.rows,
            lost: lost.collect(),
            earlier: maker.earlier_of(&objects),
            objects,
        };
        let mut made = maker.finish(manifest, watcher)?;
        let subject = to.display().to_string();
        // The backup is whole, and what it was made of may be a database that takes no writes.
        if let Err(err) = audit::record_whole(&database.database, AuditAction::BackupMade, &subject).await {
            made.unrecorded = Some(chain(&err));
        }
        Ok(made)
    }
}

/// What the moment's rows say.
struct Moment {
    rows: Rows,
    schema: Vec<String>,
    deployment: Uuid,
    keys: BTreeSet<BlobKey>,
    /// What refers to the objects that were lost by then.
    users: BTreeMap<BlobKey, Vec<String>>,
}

struct Maker {
    source: BlobStore,
    target: Target,
    earlier: Option<Backup>,
    kept: BTreeMap<BlobKey, Object>,
    lost: BTreeMap<BlobKey, Fault>,
    n_copied: usize,
    copied_bytes: u64,
}

/// An object as it came from the store.
enum Fetched {
    Whole(Bytes),
    /// Too large to wait in memory.
    Large,
    Failed(BlobError),
}

impl Maker {
    async fn keys_of(&self, snapshot: &Snapshot) -> Result<BTreeSet<BlobKey>, BackupError> {
        let mut keys = BTreeSet::new();
        let each = |table: &str, row: &Row| needs::collect(table, row, &mut keys);
        snapshot.read(&needs::REFERRING, each).await?;
        Ok(keys)
    }

    async fn write_rows(&mut self, snapshot: &Snapshot, watcher: Watcher<'_>) -> Result<Moment, BackupError> {
        watcher(Progress {
            step: Step::Rows,
            n_done: self.kept.len(),
            n_objects: self.kept.len(),
        });
        let (mut keys, mut users, mut deployment) = (BTreeSet::new(), BTreeMap::new(), None);
        let lost = &self.lost;
        let mut out = self.target.begin_rows()?;
        let each = |table: &str, row: &Row| {
            deployment = deployment.or_else(|| needs::deployment(table, row));
            let mut of_row = BTreeSet::new();
            needs::collect(table, row, &mut of_row)?;
            for key in of_row.iter().filter(|key| lost.contains_key(*key)) {
                let users: &mut Vec<String> = users.entry(key.clone()).or_default();
                if users.len() < N_USERS_NAMED {
                    users.push(needs::describe(table, row));
                }
            }
            keys.append(&mut of_row);
            Ok(())
        };
        let tables = snapshot.export(&mut out, each).await?;
        let written = out.end();
        let unknown = || TransferError::Store(StoreError::corrupt("settings.deployment", "it is missing"));
        Ok(Moment {
            rows: self.target.end_rows(written, tables)?,
            schema: snapshot.schema().to_vec(),
            deployment: deployment.ok_or_else(unknown)?,
            keys,
            users,
        })
    }

    /// Copies missing objects. Failures are recorded and do not end the backup.
    async fn copy(&mut self, keys: &BTreeSet<BlobKey>, watcher: Watcher<'_>) -> Result<(), BackupError> {
        let mut wanted = Vec::new();
        for key in keys {
            if !self.kept.contains_key(key) && !self.is_there(key).await? {
                wanted.push(key.clone());
            }
        }
        let (n_objects, source) = (wanted.len(), self.source.clone());
        let fetches = stream::iter(wanted).map(|key| {
            let source = source.clone();
            async move {
                let fetched = fetch(&source, &key).await.unwrap_or_else(Fetched::Failed);
                (key, fetched)
            }
        });
        let mut fetches = std::pin::pin!(fetches.buffered(N_FETCHES));
        let mut n_done = 0;
        while let Some((key, fetched)) = fetches.next().await {
            let step = Step::Copy;
            watcher(Progress {
                step,
                n_done,
                n_objects,
            });
            n_done += 1;
            self.take(&key, fetched).await?;
        }
        Ok(())
    }

    /// Whether an object need not be copied: the folder has it, or the earlier backup.
    async fn is_there(&mut self, key: &BlobKey) -> Result<bool, BackupError> {
        let mut object = Object {
            key: key.clone(),
            size_bytes: 0,
            within: None,
        };
        if let Some(size_bytes) = self.target.size_of(key).await? {
            object.size_bytes = size_bytes;
        } else {
            let Some(earlier) = &self.earlier else {
                return Ok(false);
            };
            let Some(known) = earlier.known(key)? else {
                return Ok(false);
            };
            object = known;
        }
        self.kept.insert(key.clone(), object);
        Ok(true)
    }

    async fn take(&mut self, key: &BlobKey, fetched: Fetched) -> Result<(), BackupError> {
        let incoming = match fetched {
            Fetched::Whole(bytes) => Ok(Incoming {
                size_bytes: bytes.len() as u64,
                stream: stream::iter([Ok(bytes)]).boxed(),
            }),
            Fetched::Large => self.source.read(key, None).await.map(|reader| Incoming {
                size_bytes: reader.size_bytes,
                stream: reader.stream,
            }),
            Fetched::Failed(err) => Err(err),
        };
        let put = match incoming {
            Ok(incoming) => self.target.put(key, incoming).await,
            Err(err) => Err(PutError::Source(err)),
        };
        match put {
            Ok(size_bytes) => {
                self.n_copied += 1;
                self.copied_bytes += size_bytes;
                let object = Object {
                    key: key.clone(),
                    size_bytes,
                    within: None,
                };
                self.kept.insert(key.clone(), object);
                Ok(())
            }
            Err(PutError::Source(err)) => {
                self.lost.insert(key.clone(), fault(&self.source, err)?);
                Ok(())
            }
            Err(PutError::Target(err)) => Err(err),
        }
    }

    /// Reads back what a folder holds, and copies again what turned out damaged there.
    async fn mend(&mut self, keys: &BTreeSet<BlobKey>, watcher: Watcher<'_>) -> Result<(), BackupError> {
        let Target::Folder(folder) = &self.target else {
            return Ok(());
        };
        let folder = folder.path().to_owned();
        let mut damaged = BTreeSet::new();
        let n_objects = self.kept.len();
        for (n_done, object) in self.kept.values().enumerate() {
            let step = Step::Check;
            watcher(Progress {
                step,
                n_done,
                n_objects,
            });
            // What only the objects of a moment before referred to is not part of the backup.
            if !keys.contains(&object.key) {
                continue;
            }
            let piece = super::folder::piece(&super::folder::object(&folder, &object.key))?;
            if piece.is_none_or(|piece| problem_of(object, &piece).is_some()) {
                damaged.insert(object.key.clone());
            }
        }
        for key in &damaged {
            tracing::warn!(%key, folder = %folder.display(), "damaged in the backup; copying it again");
            self.target.remove(key).await?;
            self.kept.remove(key);
        }
        self.copy(&damaged, watcher).await
    }

    /// The earlier backups that hold some of the objects.
    fn earlier_of(&self, objects: &[Object]) -> Vec<Earlier> {
        let Some(earlier) = &self.earlier else {
            return Vec::new();
        };
        let name = earlier.path().file_name().unwrap_or_default();
        let itself = Earlier {
            id: earlier.manifest.id,
            name: name.to_string_lossy().into_owned(),
            created_at: earlier.manifest.created_at,
            n_objects: 0,
        };
        let known = std::iter::once(&itself).chain(&earlier.manifest.earlier);
        let counted = known.map(|known| Earlier {
            n_objects: objects
                .iter()
                .filter(|object| object.within == Some(known.id))
                .count(),
            ..known.clone()
        });
        counted.filter(|earlier| earlier.n_objects > 0).collect()
    }

    /// Ends the backup, reads it back, and gives it its name.
    fn finish(self, manifest: Manifest, watcher: Watcher<'_>) -> Result<Made, BackupError> {
        let finished = self.target.finish(&manifest)?;
        match &finished {
            Finished::Archive(archive) => {
                let written = Backup::open(archive.unfinished_path(), None)?;
                let written = match self.earlier {
                    Some(earlier) => written.with_earlier(earlier),
                    None => written,
                };
                match written.check(watcher) {
                    // What is in earlier ones than that was looked at when it was made.
                    Ok(()) | Err(BackupError::NeedsEarlier { .. }) => {}
                    Err(err) => return Err(err),
                }
            }
            Finished::Folder(folder) => {
                Backup::open_snapshot(folder.path(), folder.partial())?.check_rows()?;
            }
        }
        let (path, snapshot) = finished.publish(&manifest)?;
        Ok(Made {
            path,
            snapshot,
            id: manifest.id,
            created_at: manifest.created_at,
            n_objects: manifest.n_objects(),
            objects_bytes: manifest.objects_bytes(),
            tables: manifest.rows.tables,
            n_copied: self.n_copied,
            copied_bytes: self.copied_bytes,
            lost: manifest.lost,
            earlier: manifest.earlier,
            unrecorded: None,
        })
    }
}

async fn fetch(source: &BlobStore, key: &BlobKey) -> Result<Fetched, BlobError> {
    let mut reader = source.read(key, None).await?;
    if reader.size_bytes > SMALL_BYTES {
        return Ok(Fetched::Large);
    }
    let mut bytes = BytesMut::new();
    while let Some(part) = reader.stream.next().await {
        bytes.extend_from_slice(&part?);
    }
    Ok(Fetched::Whole(bytes.freeze()))
}

/// Why an object was not copied. An unreachable bucket is a different error.
fn fault(source: &BlobStore, err: BlobError) -> Result<Fault, BackupError> {
    match err {
        BlobError::NotFound { .. } => Ok(Fault::Missing),
        BlobError::HashMismatch { .. } | BlobError::SizeMismatch { .. } => Ok(Fault::Damaged),
        BlobError::Store { .. } | BlobError::Broken(_) if source.public_origin().is_none() => {
            Ok(Fault::Unreadable)
        }
        err => Err(err.into()),
    }
}
