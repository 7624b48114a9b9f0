//! The pictures of a dataset.

use std::collections::HashSet;

use protocol::{
    DatasetId, ItemId, OwnerId,
    dataset::{GroupChange, Item, MASK_NOTE, PanelOf, Showing, Split, UpdateItem},
    finding::Measures,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr};

use super::{panels, picture_url, row, touch};
use crate::{
    Read, Result, StoreError, Tx, damage,
    db::{entities::dataset_item, insert},
    error::Doing,
    now,
    words::{clean, from_json, json, unword, word},
};

/// A picture to add; its bytes are in the object store already.
#[derive(Debug, Clone)]
pub struct NewItem {
    /// See [`Item::file_name`].
    pub file_name: String,
    /// See [`Item::caption`].
    pub caption: String,
    /// See [`Item::split`].
    pub split: Split,
    /// See [`Item::group`], [`Item::repeats`] and [`Item::regularization`].
    pub showing: Showing,
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

/// The file of a picture, with its loss mask or without.
#[derive(Debug, Clone)]
pub struct PictureFile {
    /// See [`Item::sha256`].
    pub sha256: String,
    /// See [`Item::size_bytes`].
    pub size_bytes: u64,
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

/// Adds a picture to a dataset.
pub async fn add_item(tx: &Tx, owner: OwnerId, id: DatasetId, item: NewItem) -> Result<AddedItem> {
    row(tx, owner, id).await?;
    if let Some(same) = with_hash(tx, id, &item.sha256).await? {
        return Ok(AddedItem::Duplicate(same));
    }
    let row = dataset_item::Model {
        id: ItemId::new().0,
        dataset_id: id.0,
        file_name: item.file_name,
        caption: item.caption,
        split: word(&item.split),
        width: i32::try_from(item.width).map_err(|err| StoreError::corrupt("dataset_items.width", err))?,
        height: i32::try_from(item.height).map_err(|err| StoreError::corrupt("dataset_items.height", err))?,
        size_bytes: item.size_bytes.cast_signed(),
        sha256: item.sha256,
        notes: json(&item.notes),
        created_at: now(),
        group_name: item.showing.group,
        repeats: item.showing.repeats.cast_signed(),
        regularization: item.showing.regularization,
        measures: None,
        page_item_id: None,
        panel: None,
        page_caption: None,
    };
    insert(tx.connection(), row.clone(), "store a picture").await?;
    touch(tx, id).await?;
    Ok(AddedItem::Added(to_item(tx, row).await?))
}

/// Gives a picture another file, with the same pixels and another loss mask or none. Frozen versions keep the file that they
/// have.
pub async fn set_file(
    tx: &Tx,
    owner: OwnerId,
    id: DatasetId,
    item: ItemId,
    file: PictureFile,
) -> Result<AddedItem> {
    self::item(tx, owner, id, item).await?;
    if let Some(same) = with_hash(tx, id, &file.sha256).await? {
        return Ok(AddedItem::Duplicate(same));
    }
    dataset_item::Entity::update_many()
        .col_expr(dataset_item::Column::Sha256, Expr::value(file.sha256))
        .col_expr(
            dataset_item::Column::SizeBytes,
            Expr::value(file.size_bytes.cast_signed()),
        )
        .col_expr(dataset_item::Column::Notes, Expr::value(json(&file.notes)))
        .filter(dataset_item::Column::Id.eq(item.0))
        .exec(tx.connection())
        .await
        .doing("change the loss mask of a picture")?;
    touch(tx, id).await?;
    Ok(AddedItem::Added(self::item(tx, owner, id, item).await?))
}

async fn with_hash(tx: &Tx, id: DatasetId, sha256: &str) -> Result<Option<Item>> {
    let same = dataset_item::Entity::find()
        .filter(dataset_item::Column::DatasetId.eq(id.0))
        .filter(dataset_item::Column::Sha256.eq(sha256))
        .one(tx.connection())
        .await
        .doing("look for the same picture")?;
    match same {
        Some(same) => Ok(Some(to_item(tx, same).await?)),
        None => Ok(None),
    }
}

/// All pictures of a dataset, in the order they were added.
pub async fn items(db: &impl Read, owner: OwnerId, id: DatasetId) -> Result<Vec<Item>> {
    row(db, owner, id).await?;
    let rows = dataset_item::Entity::find()
        .filter(dataset_item::Column::DatasetId.eq(id.0))
        .order_by_asc(dataset_item::Column::Id)
        .all(db.connection())
        .await
        .doing("read the pictures of a dataset")?;
    to_items(db, rows).await
}

/// The first `n` pictures of a dataset after one of them, or from the first one on, in the order they were added.
pub async fn items_after(
    db: &impl Read,
    owner: OwnerId,
    id: DatasetId,
    after: Option<ItemId>,
    n: u64,
) -> Result<Vec<Item>> {
    row(db, owner, id).await?;
    let mut wanted = dataset_item::Entity::find()
        .filter(dataset_item::Column::DatasetId.eq(id.0))
        .order_by_asc(dataset_item::Column::Id)
        .limit(n);
    if let Some(after) = after {
        wanted = wanted.filter(dataset_item::Column::Id.gt(after.0));
    }
    let rows = wanted
        .all(db.connection())
        .await
        .doing("read some pictures of a dataset")?;
    to_items(db, rows).await
}

/// One picture of a dataset.
pub async fn item(db: &impl Read, owner: OwnerId, id: DatasetId, item: ItemId) -> Result<Item> {
    row(db, owner, id).await?;
    let row = dataset_item::Entity::find_by_id(item.0)
        .filter(dataset_item::Column::DatasetId.eq(id.0))
        .one(db.connection())
        .await
        .doing("read a picture")?
        .ok_or_else(|| StoreError::not_found("picture", item))?;
    to_item(db, row).await
}

/// Changes a picture's caption or use.
pub async fn update_item(
    tx: &Tx,
    owner: OwnerId,
    id: DatasetId,
    item: ItemId,
    change: UpdateItem,
) -> Result<Item> {
    let before = self::item(tx, owner, id, item).await?;
    let caption = change.caption.unwrap_or(before.caption);
    let split = change.split.unwrap_or(before.split);
    let group = change.group.unwrap_or(before.group);
    let repeats = change.repeats.unwrap_or(before.repeats);
    let regularization = change.regularization.unwrap_or(before.regularization);
    dataset_item::Entity::update_many()
        .col_expr(dataset_item::Column::Caption, Expr::value(clean(&caption)))
        .col_expr(dataset_item::Column::Split, Expr::value(word(&split)))
        .col_expr(dataset_item::Column::GroupName, Expr::value(clean(group.trim())))
        .col_expr(dataset_item::Column::Repeats, Expr::value(repeats.cast_signed()))
        .col_expr(dataset_item::Column::Regularization, Expr::value(regularization))
        .filter(dataset_item::Column::Id.eq(item.0))
        .exec(tx.connection())
        .await
        .doing("change a picture")?;
    touch(tx, id).await?;
    self::item(tx, owner, id, item).await
}

/// Changes all pictures of a group; returns how many there are.
///
/// # Errors
/// If the dataset has no picture in the group.
pub async fn update_group(tx: &Tx, owner: OwnerId, id: DatasetId, change: &GroupChange) -> Result<u64> {
    row(tx, owner, id).await?;
    let mut update = dataset_item::Entity::update_many()
        // An update that sets nothing is not a statement.
        .col_expr(dataset_item::Column::GroupName, Expr::value(clean(&change.group)))
        .filter(dataset_item::Column::DatasetId.eq(id.0))
        .filter(dataset_item::Column::GroupName.eq(&change.group));
    if let Some(repeats) = change.repeats {
        update = update.col_expr(dataset_item::Column::Repeats, Expr::value(repeats.cast_signed()));
    }
    if let Some(regularization) = change.regularization {
        update = update.col_expr(dataset_item::Column::Regularization, Expr::value(regularization));
    }
    let done = update
        .exec(tx.connection())
        .await
        .doing("change a group of pictures")?;
    if done.rows_affected == 0 {
        return Err(StoreError::not_found("group", &change.group));
    }
    touch(tx, id).await?;
    Ok(done.rows_affected)
}

/// Takes a picture out of a dataset.
pub async fn delete_item(tx: &Tx, owner: OwnerId, id: DatasetId, item: ItemId) -> Result<()> {
    row(tx, owner, id).await?;
    let done = dataset_item::Entity::delete_many()
        .filter(dataset_item::Column::Id.eq(item.0))
        .filter(dataset_item::Column::DatasetId.eq(id.0))
        .exec(tx.connection())
        .await
        .doing("delete a picture")?;
    if done.rows_affected == 0 {
        return Err(StoreError::not_found("picture", item));
    }
    panels::forget_page(tx, id, item).await?;
    touch(tx, id).await
}

async fn to_item(db: &impl Read, row: dataset_item::Model) -> Result<Item> {
    let id = ItemId(row.id);
    let mut items = to_items(db, vec![row]).await?;
    items.pop().ok_or_else(|| StoreError::not_found("picture", id))
}

/// Pictures as the API has them, all of one dataset.
async fn to_items(db: &impl Read, rows: Vec<dataset_item::Model>) -> Result<Vec<Item>> {
    let damaged = damage::by_hash(db, rows.iter().map(|row| row.sha256.clone())).await?;
    let split = match rows.first() {
        Some(row) => panels::pages(db, DatasetId(row.dataset_id)).await?,
        None => HashSet::new(),
    };
    rows.into_iter()
        .map(|row| {
            let notes: Vec<String> = from_json("dataset_items.notes", row.notes)?;
            let measures: Option<Measures> = row
                .measures
                .map(|measures| from_json("dataset_items.measures", measures))
                .transpose()?;
            Ok(Item {
                id: ItemId(row.id),
                url: picture_url(db, &row.sha256)?,
                damage: damaged.get(&row.sha256).copied(),
                file_name: row.file_name,
                caption: row.caption,
                split: unword("dataset_items.split", &row.split)?,
                group: row.group_name,
                repeats: row.repeats.unsigned_abs(),
                regularization: row.regularization,
                panel: row.page_item_id.zip(row.panel).map(|(page, number)| PanelOf {
                    page_id: ItemId(page),
                    number: number.unsigned_abs(),
                }),
                set_aside: split.contains(&row.id),
                width: row.width.unsigned_abs(),
                height: row.height.unsigned_abs(),
                size_bytes: row.size_bytes.cast_unsigned(),
                sha256: row.sha256,
                sharpness: measures.and_then(|measures| measures.sharpness),
                has_mask: notes.iter().any(|note| note == MASK_NOTE),
                notes,
            })
        })
        .collect()
}
