//! The proof that something can be written: a row, a small object. What was written is read again.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use object_store::{ObjectStoreExt as _, path::Path as ObjectPath};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait, QueryFilter as _, sea_query::OnConflict,
};
use uuid::Uuid;

use crate::{
    OpenError, Result, Store, StoreBuilder, StoreError,
    db::{Database, Place, entities::setting, migrations},
    error::Doing,
    now,
    objects::{self, BlobError, BlobStore, SigningKey},
    settings,
};

/// What the keys of our rows begin with; the name of who writes follows.
const KEY: &str = "heartbeat.";

/// A heartbeat that is older is nobody's: its server was given another data folder, or is gone.
const KEPT_FOR: TimeDelta = TimeDelta::days(1);

impl Store {
    /// Proves that the database keeps what is written: commits a row, and reads it over another connection.
    pub async fn prove_database(&self) -> Result<()> {
        prove(self.database(), &self.server().to_string(), now()).await
    }

    /// Proves that the object store keeps what is written.
    pub async fn prove_objects(&self) -> objects::Result<()> {
        self.objects().prove(&self.server().to_string()).await
    }
}

impl StoreBuilder {
    /// The mark that the objects must have; `None` when it was never written.
    pub async fn objects_mark(&self) -> std::result::Result<Option<String>, OpenError> {
        let place = self.place()?;
        if matches!(&place, Place::Sqlite(path) if !path.exists()) {
            return Ok(None);
        }
        let database = Database::connect(&place).await?;
        let mark = async {
            let tx = database.snapshot().await.doing("begin a transaction")?;
            let applied = migrations::applied(&tx).await.doing("look at the schema")?;
            if applied.is_empty() {
                return Ok(None);
            }
            settings::written_mark(&tx).await
        };
        mark.await.map_err(OpenError::Prepare)
    }

    /// Proves that the database keeps what is written, without a server, in a database with the schema of this
    /// version.
    pub async fn prove_database(&self) -> std::result::Result<(), OpenError> {
        let place: Place = self.place()?;
        let database = Database::connect(&place).await?;
        let name = Uuid::now_v7().to_string();
        let proof = async {
            prove(&database, &name, now()).await?;
            let tx = database.begin().await.doing("begin a transaction")?;
            setting::Entity::delete_by_id(format!("{KEY}{name}"))
                .exec(&tx)
                .await
                .doing("delete a heartbeat")?;
            tx.commit().await.doing("commit a transaction")
        };
        proof.await.map_err(OpenError::Prepare)
    }
}

impl BlobStore {
    /// Proves that objects are kept in a folder, without a server. `mark` is what must be there.
    pub async fn prove_folder(folder: &Path, mark: Option<String>) -> objects::Result<()> {
        let opened = Self::local(folder, SigningKey::random());
        let objects = opened.map_err(|source| BlobError::Slot {
            doing: "open",
            path: folder.display().to_string(),
            source,
        })?;
        let objects = match mark {
            Some(mark) => objects.guarded(mark, true),
            None => objects,
        };
        objects.prove("doctor").await
    }

    /// Proves that objects are kept: writes a small one, and reads it. `name` tells those who do so from each other.
    pub async fn prove(&self, name: &str) -> objects::Result<()> {
        self.check_mark().await?;
        let path = ObjectPath::from(format!("probe/{name}"));
        let written = Uuid::now_v7().to_string();
        let failed = |doing| {
            let path = path.to_string();
            move |source| BlobError::Slot { doing, path, source }
        };
        let put = self.backend().put(&path, written.clone().into()).await;
        put.map_err(failed("write"))?;
        let found = self.backend().get(&path).await.map_err(failed("read"))?;
        let read = found.bytes().await.map_err(failed("read"))?;
        if read != written.as_bytes() {
            return Err(BlobError::NotKept {
                path: path.to_string(),
            });
        }
        Ok(())
    }
}

async fn prove(database: &Database, name: &str, at: DateTime<Utc>) -> Result<()> {
    let (key, value) = (format!("{KEY}{name}"), stamp(at));
    let tx = database.begin().await.doing("begin a transaction")?;
    write(&tx, &key, &value, at).await?;
    tx.commit().await.doing("commit a transaction")?;
    let row = setting::Entity::find_by_id(key)
        .one(&database.readers)
        .await
        .doing("read a heartbeat")?;
    match row {
        // Somebody else with this name may have written since.
        Some(row) if row.value >= value => Ok(()),
        _ => Err(StoreError::corrupt(
            "settings.heartbeat",
            "what was committed is not there",
        )),
    }
}

async fn write(tx: &impl ConnectionTrait, key: &str, value: &str, at: DateTime<Utc>) -> Result<()> {
    setting::Entity::delete_many()
        .filter(setting::Column::Key.starts_with(KEY))
        .filter(setting::Column::Value.lt(stamp(at - KEPT_FOR)))
        .exec(tx)
        .await
        .doing("delete old heartbeats")?;
    let row = setting::ActiveModel {
        key: Set(key.to_owned()),
        value: Set(value.to_owned()),
    };
    let mut replace = OnConflict::column(setting::Column::Key);
    replace.update_column(setting::Column::Value);
    setting::Entity::insert(row)
        .on_conflict(replace)
        .exec_without_returning(tx)
        .await
        .doing("write a heartbeat")?;
    Ok(())
}

/// Microseconds, with as many digits at any time, so that texts compare as times do.
fn stamp(at: DateTime<Utc>) -> String {
    format!("{:020}", at.timestamp_micros())
}
