//! Datasets, their pictures, and the frozen versions that jobs train on.

use protocol::{
    DatasetId, DatasetVersionId, ItemId, OwnerId,
    dataset::{Dataset, Item, Manifest, ManifestItem, Split, UpdateItem},
};

use crate::{Read, Result, Tx};

/// A picture to add; its bytes are in the object store already.
#[derive(Debug, Clone)]
pub struct NewItem {
    /// See [`Item::file_name`].
    pub file_name: String,
    /// See [`Item::caption`].
    pub caption: String,
    /// See [`Item::split`].
    pub split: Split,
    /// See [`Item::width`].
    pub width: u32,
    /// See [`Item::height`].
    pub height: u32,
    /// See [`Item::size_bytes`].
    pub size_bytes: u64,
    /// See [`Item::sha256`].
    pub sha256: String,
    /// See [`Item::notes`].
    pub notes: Vec<String>,
}

/// What became of a picture that was to be added.
#[derive(Debug, Clone, PartialEq)]
pub enum AddedItem {
    /// It is new.
    Added(Item),
    /// The dataset has the very same picture already: this one.
    Duplicate(Item),
}

/// Makes an empty dataset.
pub async fn create(tx: &Tx, owner: OwnerId, name: &str) -> Result<Dataset> {
    let _ = (tx, owner, name);
    todo!()
}

/// An owner's datasets, the newest first.
pub async fn list(db: &impl Read, owner: OwnerId) -> Result<Vec<Dataset>> {
    let _ = (db, owner);
    todo!()
}

/// One dataset.
pub async fn get(db: &impl Read, owner: OwnerId, id: DatasetId) -> Result<Dataset> {
    let _ = (db, owner, id);
    todo!()
}

/// Deletes a dataset; versions that jobs were trained on stay.
pub async fn delete(tx: &Tx, owner: OwnerId, id: DatasetId) -> Result<()> {
    let _ = (tx, owner, id);
    todo!()
}

/// Adds a picture to a dataset.
pub async fn add_item(tx: &Tx, owner: OwnerId, id: DatasetId, item: NewItem) -> Result<AddedItem> {
    let _ = (tx, owner, id, item);
    todo!()
}

/// All pictures of a dataset, in the order they were added.
pub async fn items(db: &impl Read, owner: OwnerId, id: DatasetId) -> Result<Vec<Item>> {
    let _ = (db, owner, id);
    todo!()
}

/// One picture of a dataset.
pub async fn item(db: &impl Read, owner: OwnerId, id: DatasetId, item: ItemId) -> Result<Item> {
    let _ = (db, owner, id, item);
    todo!()
}

/// Changes a picture's caption or use.
pub async fn update_item(
    tx: &Tx,
    owner: OwnerId,
    id: DatasetId,
    item: ItemId,
    change: UpdateItem,
) -> Result<Item> {
    let _ = (tx, owner, id, item, change);
    todo!()
}

/// Takes a picture out of a dataset.
pub async fn delete_item(tx: &Tx, owner: OwnerId, id: DatasetId, item: ItemId) -> Result<()> {
    let _ = (tx, owner, id, item);
    todo!()
}

/// Freezes these pictures as a version; the same pictures give the same version again.
pub async fn freeze(tx: &Tx, id: DatasetId, items: Vec<ManifestItem>) -> Result<Manifest> {
    let _ = (tx, id, items);
    todo!()
}

/// The pictures of a frozen version.
pub async fn manifest(db: &impl Read, id: DatasetVersionId) -> Result<Manifest> {
    let _ = (db, id);
    todo!()
}
