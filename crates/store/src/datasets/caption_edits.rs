//! Edits of many captions of a dataset, each of which can be undone.

use protocol::{
    CaptionEditId, DatasetId, ItemId, OwnerId,
    caption_edit::{CaptionEdit, CaptionOperation},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr};
use uuid::Uuid;

use super::{row, touch};
use crate::{
    Read, Result, StoreError, Tx,
    db::{
        entities::{caption_change, caption_edit, dataset_item},
        insert,
    },
    error::Doing,
    now,
    words::{clean, from_json, json},
};

/// Edits of a dataset that are kept; older ones cannot be undone any more.
const N_KEPT: u64 = 50;
/// Rows of one statement; SQLite takes 32,766 values.
const ROWS_PER_INSERT: usize = 1000;

/// What an edit does to one caption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptionChange {
    /// The picture.
    pub item: ItemId,
    /// Its caption before.
    pub before: String,
    /// Its caption after.
    pub after: String,
}

/// Writes captions, each only if it is still what it was before; returns the pictures whose caption is another one.
pub async fn set_captions(
    tx: &Tx,
    owner: OwnerId,
    id: DatasetId,
    changes: &[CaptionChange],
) -> Result<Vec<ItemId>> {
    row(tx, owner, id).await?;
    let mut others = Vec::new();
    for change in changes {
        let done = dataset_item::Entity::update_many()
            .col_expr(dataset_item::Column::Caption, Expr::value(clean(&change.after)))
            .filter(dataset_item::Column::Id.eq(change.item.0))
            .filter(dataset_item::Column::DatasetId.eq(id.0))
            .filter(dataset_item::Column::Caption.eq(clean(&change.before)))
            .exec(tx.connection())
            .await
            .doing("change a caption")?;
        if done.rows_affected == 0 {
            others.push(change.item);
        }
    }
    touch(tx, id).await?;
    Ok(others)
}

/// Keeps an edit with its changes, and forgets the oldest.
pub async fn keep_caption_edit(
    tx: &Tx,
    owner: OwnerId,
    id: DatasetId,
    operation: &CaptionOperation,
    changes: &[CaptionChange],
) -> Result<CaptionEdit> {
    row(tx, owner, id).await?;
    let edit = CaptionEditId(Uuid::now_v7());
    let of_edit = caption_edit::Model {
        id: edit.0,
        dataset_id: id.0,
        operation: json(operation),
        n_changed: changes.len() as i64,
        created_at: now(),
        undone_at: None,
    };
    insert(tx.connection(), of_edit.clone(), "keep an edit of captions").await?;
    for changes in changes.chunks(ROWS_PER_INSERT) {
        let rows = changes.iter().map(|change| {
            caption_change::ActiveModel::from(caption_change::Model {
                id: Uuid::now_v7(),
                edit_id: edit.0,
                item_id: change.item.0,
                caption_before: clean(&change.before),
                caption_after: clean(&change.after),
            })
        });
        caption_change::Entity::insert_many(rows)
            .exec_without_returning(tx.connection())
            .await
            .doing("keep what an edit did to captions")?;
    }
    forget_old(tx, id).await?;
    to_edit(of_edit)
}

/// The edits of a dataset's captions, the newest first.
pub async fn list_caption_edits(db: &impl Read, owner: OwnerId, id: DatasetId) -> Result<Vec<CaptionEdit>> {
    row(db, owner, id).await?;
    let rows = caption_edit::Entity::find()
        .filter(caption_edit::Column::DatasetId.eq(id.0))
        .order_by_desc(caption_edit::Column::Id)
        .all(db.connection())
        .await
        .doing("list the edits of captions")?;
    rows.into_iter().map(to_edit).collect()
}

/// One edit with what it did.
pub async fn find_caption_edit(
    db: &impl Read,
    owner: OwnerId,
    id: DatasetId,
    edit: CaptionEditId,
) -> Result<(CaptionEdit, Vec<CaptionChange>)> {
    row(db, owner, id).await?;
    let found = db
        .hold(caption_edit::Entity::find_by_id(edit.0))
        .filter(caption_edit::Column::DatasetId.eq(id.0))
        .one(db.connection())
        .await
        .doing("read an edit of captions")?
        .ok_or_else(|| StoreError::not_found("caption edit", edit))?;
    let changes = caption_change::Entity::find()
        .filter(caption_change::Column::EditId.eq(edit.0))
        .order_by_asc(caption_change::Column::Id)
        .all(db.connection())
        .await
        .doing("read what an edit did to captions")?;
    let changes = changes
        .into_iter()
        .map(|change| CaptionChange {
            item: ItemId(change.item_id),
            before: change.caption_before,
            after: change.caption_after,
        })
        .collect();
    Ok((to_edit(found)?, changes))
}

/// Notes that an edit was undone.
pub async fn undo_caption_edit(
    tx: &Tx,
    owner: OwnerId,
    id: DatasetId,
    edit: CaptionEditId,
) -> Result<CaptionEdit> {
    caption_edit::Entity::update_many()
        .col_expr(caption_edit::Column::UndoneAt, Expr::value(now()))
        .filter(caption_edit::Column::Id.eq(edit.0))
        .filter(caption_edit::Column::DatasetId.eq(id.0))
        .exec(tx.connection())
        .await
        .doing("undo an edit of captions")?;
    let (edit, _) = find_caption_edit(tx, owner, id, edit).await?;
    Ok(edit)
}

async fn forget_old(tx: &Tx, id: DatasetId) -> Result<()> {
    let kept: Vec<Uuid> = caption_edit::Entity::find()
        .select_only()
        .column(caption_edit::Column::Id)
        .filter(caption_edit::Column::DatasetId.eq(id.0))
        .order_by_desc(caption_edit::Column::Id)
        .limit(N_KEPT)
        .into_tuple()
        .all(tx.connection())
        .await
        .doing("find the newest edits of captions")?;
    delete(tx, id, &kept).await
}

pub(super) async fn delete_all(tx: &Tx, id: DatasetId) -> Result<()> {
    delete(tx, id, &[]).await
}

/// Deletes the edits of a dataset but these.
async fn delete(tx: &Tx, id: DatasetId, kept: &[Uuid]) -> Result<()> {
    let old: Vec<Uuid> = caption_edit::Entity::find()
        .select_only()
        .column(caption_edit::Column::Id)
        .filter(caption_edit::Column::DatasetId.eq(id.0))
        .filter(caption_edit::Column::Id.is_not_in(kept.to_vec()))
        .into_tuple()
        .all(tx.connection())
        .await
        .doing("find old edits of captions")?;
    if old.is_empty() {
        return Ok(());
    }
    caption_change::Entity::delete_many()
        .filter(caption_change::Column::EditId.is_in(old.clone()))
        .exec(tx.connection())
        .await
        .doing("forget what edits did to captions")?;
    caption_edit::Entity::delete_many()
        .filter(caption_edit::Column::Id.is_in(old))
        .exec(tx.connection())
        .await
        .doing("forget edits of captions")?;
    Ok(())
}

fn to_edit(row: caption_edit::Model) -> Result<CaptionEdit> {
    let operation: CaptionOperation = from_json("caption_edits.operation", row.operation)?;
    Ok(CaptionEdit {
        id: CaptionEditId(row.id),
        description: operation.to_string(),
        operation,
        n_changed: row.n_changed.unsigned_abs(),
        created_at: row.created_at,
        undone_at: row.undone_at,
    })
}
