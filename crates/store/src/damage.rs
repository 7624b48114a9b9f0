//! Missing or damaged objects; [`crate::dependents`] says what depends on them.
//!
//! A mark is stored by the hash of the bytes, so that it applies to everything that refers to them: a picture of a
//! dataset and of its frozen versions, a checkpoint, the LoRA of a model version. It is removed when the bytes are
//! stored again.

use std::collections::{BTreeMap, BTreeSet};

use protocol::damage::Damage;
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QuerySelect,
    sea_query::{OnConflict, Query, SelectStatement},
};

use crate::{
    BlobKey, Read, Result, StoreError, Tx,
    db::entities::damaged_object as damaged,
    error::Doing,
    now,
    words::{unword, word},
};

/// Objects that one statement asks for. SQLite takes 32,766 values, some of ours three for an object.
pub(crate) const AT_ONCE: usize = 1000;

/// Marks an object as damaged.
pub async fn mark(tx: &Tx, key: &BlobKey, damage: Damage) -> Result<()> {
    let row = damaged::Model {
        sha256: key.sha256(),
        damage: word(&damage),
        found_at: now(),
    };
    let replace = OnConflict::column(damaged::Column::Sha256)
        .update_column(damaged::Column::Damage)
        .to_owned();
    damaged::Entity::insert(damaged::ActiveModel::from(row))
        .on_conflict(replace)
        .exec_without_returning(tx.connection())
        .await
        .doing("note that an object is damaged")?;
    Ok(())
}

/// Removes the marks of objects that are intact or unreferenced; returns how many had one.
pub async fn clear<'a>(tx: &Tx, keys: impl IntoIterator<Item = &'a BlobKey>) -> Result<u64> {
    let hashes: Vec<String> = keys.into_iter().map(BlobKey::sha256).collect();
    let mut n_cleared = 0;
    for part in hashes.chunks(AT_ONCE) {
        let done = damaged::Entity::delete_many()
            .filter(damaged::Column::Sha256.is_in(part.iter().cloned()))
            .exec(tx.connection())
            .await
            .doing("note that objects are whole")?;
        n_cleared += done.rows_affected;
    }
    Ok(n_cleared)
}

/// All marks. There are few, or something is very wrong.
pub async fn all(db: &impl Read) -> Result<BTreeMap<BlobKey, Damage>> {
    let rows = damaged::Entity::find()
        .all(db.connection())
        .await
        .doing("list damaged objects")?;
    rows.into_iter().map(to_mark).collect()
}

/// The marks of some objects.
pub async fn among(db: &impl Read, keys: &BTreeSet<BlobKey>) -> Result<BTreeMap<BlobKey, Damage>> {
    let mut marks = all(db).await?;
    marks.retain(|key, _| keys.contains(key));
    Ok(marks)
}

/// The mark of one object.
pub async fn of(db: &impl Read, key: &BlobKey) -> Result<Option<Damage>> {
    let row = damaged::Entity::find_by_id(key.sha256())
        .one(db.connection())
        .await
        .doing("look whether an object is damaged")?;
    Ok(row.map(to_mark).transpose()?.map(|(_, damage)| damage))
}

/// The hashes of all marked objects, for conditions of other queries.
pub(crate) fn hashes() -> SelectStatement {
    Query::select()
        .column(damaged::Column::Sha256)
        .from(damaged::Entity)
        .to_owned()
}

/// The marks by hash, to show them with the rows.
pub async fn by_hash(
    db: &impl Read,
    hashes: impl IntoIterator<Item = String>,
) -> Result<BTreeMap<String, Damage>> {
    let rows: Vec<(String, String)> = damaged::Entity::find()
        .select_only()
        .columns([damaged::Column::Sha256, damaged::Column::Damage])
        .into_tuple()
        .all(db.connection())
        .await
        .doing("look for damaged objects")?;
    if rows.is_empty() {
        return Ok(BTreeMap::new());
    }
    let wanted: BTreeSet<String> = hashes.into_iter().collect();
    rows.into_iter()
        .filter(|(hash, _)| wanted.contains(hash))
        .map(|(hash, damage)| Ok((hash, unword("damaged_objects.damage", &damage)?)))
        .collect()
}

fn to_mark(row: damaged::Model) -> Result<(BlobKey, Damage)> {
    let key = BlobKey::from_sha256(&row.sha256)
        .map_err(|err| StoreError::corrupt("damaged_objects.sha256", err))?;
    Ok((key, unword("damaged_objects.damage", &row.damage)?))
}
