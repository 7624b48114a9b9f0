//! Frozen dataset versions: exactly what an engine trains on.

use protocol::{
    DatasetId, DatasetVersionId, OwnerId,
    dataset::{Manifest, ManifestItem},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use sha2::{Digest, Sha256};

use crate::{
    Read, Result, StoreError, Tx,
    db::{entities::dataset_version, insert},
    error::Doing,
    now,
    words::{from_json, json},
};

/// Keeps a version; when the dataset has one with the same pictures already, that one is returned instead.
pub async fn freeze(tx: &Tx, id: DatasetId, manifest: Manifest) -> Result<Manifest> {
    let hash = content_hash(&manifest.items);
    let same = dataset_version::Entity::find()
        .filter(dataset_version::Column::DatasetId.eq(id.0))
        .filter(dataset_version::Column::ManifestSha256.eq(&hash))
        .one(tx.connection())
        .await
        .doing("look for the same dataset version")?;
    if let Some(same) = same {
        return from_json("dataset_versions.manifest", same.manifest);
    }
    let row = dataset_version::Model {
        id: manifest.id.0,
        dataset_id: id.0,
        n_items: manifest.items.len() as i64,
        manifest: json(&manifest),
        manifest_sha256: hash,
        created_at: now(),
    };
    insert(tx.connection(), row, "store a dataset version").await?;
    Ok(manifest)
}

/// The pictures of a frozen version.
pub async fn manifest(db: &impl Read, id: DatasetVersionId) -> Result<Manifest> {
    let row = dataset_version::Entity::find_by_id(id.0)
        .one(db.connection())
        .await
        .doing("read a dataset version")?
        .ok_or_else(|| StoreError::not_found("dataset version", id))?;
    from_json("dataset_versions.manifest", row.manifest)
}

/// The pictures of a frozen version of an owner's dataset.
pub async fn version(
    db: &impl Read,
    owner: OwnerId,
    id: DatasetId,
    version: DatasetVersionId,
) -> Result<Manifest> {
    super::row(db, owner, id).await?;
    let row = dataset_version::Entity::find_by_id(version.0)
        .filter(dataset_version::Column::DatasetId.eq(id.0))
        .one(db.connection())
        .await
        .doing("read a dataset version")?
        .ok_or_else(|| StoreError::not_found("dataset version", version))?;
    from_json("dataset_versions.manifest", row.manifest)
}

/// SHA-256 over the pictures of a version, without its id: equal content, equal hash.
pub fn content_hash(items: &[ManifestItem]) -> String {
    hex::encode(Sha256::digest(json(&items).to_string()))
}
