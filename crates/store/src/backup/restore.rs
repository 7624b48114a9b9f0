//! Restoring a backup into an empty installation with any database and object store.
//!
//! Everything is checked before anything is written, and rows come last, in one transaction: an installation that has
//! rows has all of its objects. An interrupted restore can be started again.

use std::path::Path;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use protocol::{
    base::{BaseSource, BaseState},
    damage::Damage,
};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};
use serde::Serialize;
use uuid::Uuid;

use super::{Backup, BackupError, Fault, Lost, Progress, Step, Watcher, manifest::Object};
use crate::{
    BlobStore, StoreBuilder,
    db::{
        Transaction, copy,
        entities::{base_model, damaged_object, rented_instance},
        insert,
    },
    error::Doing,
    maintenance::{Import, TableStatus, TransferError},
    now,
    objects::{BlobError, mark},
    settings::{self, Restoration},
    words::word,
};

/// Objects that are written at the same time.
const N_WRITES: usize = 4;

/// A restored installation.
#[derive(Debug, Clone, Serialize)]
pub struct Restored {
    /// The id of the backup.
    pub id: Uuid,
    /// The time of the snapshot.
    pub created_at: chrono::DateTime<chrono::Utc>,
    /// The installation.
    pub deployment: Uuid,
    /// Rows of each table in the backup.
    pub tables: Vec<TableStatus>,
    /// Number of objects written or already present.
    pub n_objects: usize,
    /// Their size.
    pub objects_bytes: u64,
    /// Objects that rows refer to, and that were lost before the backup was made.
    pub lost: Vec<Lost>,
    /// Machines that were rented at that time.
    pub machines: Vec<String>,
    /// Base models that are files of the machine, and are not on this one.
    pub absent_bases: Vec<String>,
    /// Whether the objects were those of the installation that the backup is of.
    pub took_over: bool,
    /// Until then nothing in the object store that is newer than the backup is deleted.
    pub keeps_until: chrono::DateTime<chrono::Utc>,
}

impl StoreBuilder {
    /// Restores a backup. Database and objects must be empty, but for objects of this very installation.
    pub async fn restore(&self, backup: &Backup, watcher: Watcher<'_>) -> Result<Restored, BackupError> {
        self.refuse_a_full_database().await?;
        backup.check(watcher)?;
        let manifest = &backup.manifest;
        let objects = self.open_objects(false).await?;
        // Before anything is written: the installation that the backup is of must delete nothing from now on.
        let mark = mark::of_restored(manifest.deployment);
        let took_over = objects.take_over(manifest.deployment, &mark).await?;
        write(backup, &objects, watcher).await?;
        check(&manifest.objects, &objects, watcher).await?;
        let n_objects = manifest.n_objects();
        watcher(Progress {
            step: Step::Rows,
            n_done: n_objects,
            n_objects,
        });
        let import = self.import(backup.read_rows()).await?;
        count(&import).await?;
        let tx = import.connection();
        move_objects(tx, &objects).await?;
        mark_lost(tx, &manifest.lost).await?;
        let absent_bases = look_at_bases_again(tx).await?;
        let machines = machines(tx).await?;
        let restoration = Restoration {
            moment: manifest.created_at,
            at: now(),
        };
        let noted = settings::note_restoration(tx, restoration, &mark).await;
        noted.map_err(TransferError::from)?;
        let restored = Restored {
            id: manifest.id,
            created_at: manifest.created_at,
            deployment: manifest.deployment,
            tables: import.tables.clone(),
            n_objects,
            objects_bytes: manifest.objects_bytes(),
            lost: manifest.lost.clone(),
            machines,
            absent_bases,
            took_over,
            keeps_until: restoration.keeps_until(),
        };
        import.commit().await?;
        Ok(restored)
    }
}

/// Writes all objects; those that are there already are left to the check.
async fn write(backup: &Backup, objects: &BlobStore, watcher: Watcher<'_>) -> Result<(), BackupError> {
    let all = &backup.manifest.objects;
    let writes = stream::iter(all).map(|object| write_one(backup, objects, object));
    let mut writes = std::pin::pin!(writes.buffer_unordered(N_WRITES));
    let mut n_done = 0;
    while writes.try_next().await?.is_some() {
        n_done += 1;
        watcher(Progress {
            step: Step::Copy,
            n_done,
            n_objects: all.len(),
        });
    }
    Ok(())
}

async fn write_one(backup: &Backup, objects: &BlobStore, object: &Object) -> Result<(), BackupError> {
    if objects.size(&object.key).await? == Some(object.size_bytes) && is_whole(objects, object).await? {
        return Ok(());
    }
    let Some(piece) = backup.find(&object.key)? else {
        return Err(BackupError::Wrong {
            problem: format!("the object `{}` is no longer in the backup", object.key),
        });
    };
    objects
        .put_stream(&object.key, object.size_bytes, piece.stream())
        .await?;
    Ok(())
}

/// Reads all objects back.
async fn check(all: &[Object], objects: &BlobStore, watcher: Watcher<'_>) -> Result<(), BackupError> {
    let checks = stream::iter(all)
        .map(|object| async move { Ok::<_, BlobError>((object, is_whole(objects, object).await?)) });
    let mut checks = std::pin::pin!(checks.buffer_unordered(N_WRITES));
    let mut n_done = 0;
    while let Some((object, is_whole)) = checks.try_next().await.map_err(BackupError::Objects)? {
        n_done += 1;
        watcher(Progress {
            step: Step::Check,
            n_done,
            n_objects: all.len(),
        });
        if !is_whole {
            return Err(BackupError::Wrong {
                problem: format!("the object store returns other bytes for `{}`", object.key),
            });
        }
    }
    Ok(())
}

async fn is_whole(objects: &BlobStore, object: &Object) -> crate::objects::Result<bool> {
    match objects.look_at(&object.key, object.size_bytes).await {
        Ok(()) => Ok(true),
        Err(BlobError::HashMismatch { .. } | BlobError::SizeMismatch { .. } | BlobError::NotFound { .. }) => {
            Ok(false)
        }
        Err(err) => Err(err),
    }
}

/// Counts the rows that the database has now.
async fn count(import: &Import) -> Result<(), BackupError> {
    for table in copy::shapes(import.connection())
        .await
        .map_err(TransferError::from)?
    {
        let found = copy::count(import.connection(), table.name).await;
        let found = found.map_err(TransferError::from)?;
        // One that a later step of the schema has made is not in the backup.
        let expected = import.tables.iter().find(|expected| expected.name == table.name);
        if let Some(expected) = expected
            && expected.n_rows != found
        {
            return Err(BackupError::Wrong {
                problem: format!("`{}` has {found} rows instead of {}", table.name, expected.n_rows),
            });
        }
    }
    Ok(())
}

/// Rows say where objects are, for people who read the database.
async fn move_objects(tx: &Transaction, objects: &BlobStore) -> Result<(), TransferError> {
    let url = objects.url().replace('\'', "''");
    let updates = [
        format!("UPDATE artifacts SET url = '{url}/' || blob_key"),
        format!(
            "UPDATE model_versions \
             SET artifact_url = '{url}/sha256/' || substr(sha256, 1, 2) || '/' || substr(sha256, 3)"
        ),
        "UPDATE training_jobs SET artifact_url = \
         (SELECT v.artifact_url FROM model_versions v WHERE v.id = training_jobs.model_version_id) \
         WHERE model_version_id IS NOT NULL"
            .to_owned(),
    ];
    for update in updates {
        tx.execute_unprepared(&update)
            .await
            .doing("say where objects are now")?;
    }
    Ok(())
}

/// What was damaged in the store that the backup is of is whole here, but for what was lost there.
async fn mark_lost(tx: &Transaction, lost: &[Lost]) -> Result<(), TransferError> {
    let doing = "note which objects are lost";
    damaged_object::Entity::delete_many()
        .exec(tx)
        .await
        .doing(doing)?;
    for Lost { key, fault, .. } in lost {
        let damage = match fault {
            Fault::Missing => Damage::Missing,
            Fault::Damaged | Fault::Unreadable => Damage::Damaged,
        };
        let row = damaged_object::Model {
            sha256: key.sha256(),
            damage: word(&damage),
            found_at: now(),
        };
        insert(tx, row, doing).await?;
    }
    Ok(())
}

/// Nobody works on base models now, and those of another machine's disk may not be on this one: the server looks.
async fn look_at_bases_again(tx: &Transaction) -> Result<Vec<String>, TransferError> {
    use sea_orm::sea_query::Expr;
    let failed = "have base models checked again";
    let bases = base_model::Entity::find().all(tx).await.doing(failed)?;
    let mut absent = Vec::new();
    for base in bases {
        let path = match base.source.parse() {
            Ok(BaseSource::Path(path)) => Some(path),
            _ => None,
        };
        let mut update = base_model::Entity::update_many()
            .col_expr(
                base_model::Column::LeasedUntil,
                Expr::value(None::<chrono::DateTime<chrono::Utc>>),
            )
            .filter(base_model::Column::Id.eq(base.id));
        if let Some(path) = path {
            let checking = word(&BaseState::Checking);
            update = update.col_expr(base_model::Column::State, Expr::value(checking));
            if !Path::new(&path).exists() {
                absent.push(format!("{} ({path})", base.name));
            }
        }
        update.exec(tx).await.doing(failed)?;
    }
    Ok(absent)
}

/// Machines that cost money as far as the database knows.
async fn machines(tx: &Transaction) -> Result<Vec<String>, TransferError> {
    let names: Result<Vec<String>, DbErr> = rented_instance::Entity::find()
        .select_only()
        .column(rented_instance::Column::Name)
        .filter(rented_instance::Column::Phase.ne("gone"))
        .into_tuple()
        .all(tx)
        .await;
    Ok(names.doing("read rented machines")?)
}
