//! Presets of users' own.

use protocol::{
    OwnerId, PresetId,
    parameters::ParameterOverrides,
    preset::{Family, Preset},
    recipe::OwnPreset,
};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};

use crate::{
    Read, Result, StoreError, Tx,
    db::{entities::own_preset, insert},
    error::Doing,
    now,
    words::{from_json, json, unword, word},
};

/// A preset to keep.
#[derive(Debug, Clone)]
pub struct NewPreset {
    /// Its name, which no other of the owner's has.
    pub name: String,
    /// The preset that it starts from.
    pub preset: Preset,
    /// The family of base models that it is for.
    pub family: Family,
    /// What differs.
    pub parameters: ParameterOverrides,
}

/// An owner's presets, by name.
pub async fn list(db: &impl Read, owner: OwnerId) -> Result<Vec<OwnPreset>> {
    let rows = own_preset::Entity::find()
        .filter(own_preset::Column::OwnerId.eq(owner.0))
        .order_by_asc(own_preset::Column::Name)
        .all(db.connection())
        .await
        .doing("list presets")?;
    rows.into_iter().map(to_preset).collect()
}

/// How many an owner keeps.
pub async fn count(db: &impl Read, owner: OwnerId) -> Result<u64> {
    own_preset::Entity::find()
        .filter(own_preset::Column::OwnerId.eq(owner.0))
        .count(db.connection())
        .await
        .doing("count presets")
}

/// Whether an owner has one of this name.
pub async fn has(db: &impl Read, owner: OwnerId, name: &str) -> Result<bool> {
    let found = own_preset::Entity::find()
        .filter(own_preset::Column::OwnerId.eq(owner.0))
        .filter(own_preset::Column::Name.eq(name))
        .one(db.connection())
        .await
        .doing("look for a preset")?;
    Ok(found.is_some())
}

/// One of an owner's.
pub async fn get(db: &impl Read, owner: OwnerId, id: PresetId) -> Result<OwnPreset> {
    let row = own_preset::Entity::find_by_id(id.0)
        .filter(own_preset::Column::OwnerId.eq(owner.0))
        .one(db.connection())
        .await
        .doing("read a preset")?;
    to_preset(row.ok_or_else(|| StoreError::not_found("preset", id))?)
}

/// Keeps a preset.
pub async fn create(tx: &Tx, owner: OwnerId, new: NewPreset) -> Result<PresetId> {
    let id = PresetId::new();
    let row = own_preset::Model {
        id: id.0,
        owner_id: owner.0,
        name: new.name,
        preset: word(&new.preset),
        family: word(&new.family),
        parameters: json(&new.parameters),
        created_at: now(),
    };
    insert(tx.connection(), row, "keep a preset").await?;
    Ok(id)
}

/// Forgets a preset.
pub async fn delete(tx: &Tx, owner: OwnerId, id: PresetId) -> Result<()> {
    let done = own_preset::Entity::delete_many()
        .filter(own_preset::Column::Id.eq(id.0))
        .filter(own_preset::Column::OwnerId.eq(owner.0))
        .exec(tx.connection())
        .await
        .doing("delete a preset")?;
    if done.rows_affected == 0 {
        return Err(StoreError::not_found("preset", id));
    }
    Ok(())
}

fn to_preset(row: own_preset::Model) -> Result<OwnPreset> {
    Ok(OwnPreset {
        id: PresetId(row.id),
        name: row.name,
        preset: unword("own_presets.preset", &row.preset)?,
        family: unword("own_presets.family", &row.family)?,
        parameters: from_json("own_presets.parameters", row.parameters)?,
        created_at: row.created_at,
    })
}
