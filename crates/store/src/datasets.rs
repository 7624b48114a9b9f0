//! Datasets, their pictures, and the frozen versions that jobs train on.

mod caption_edits;
mod caption_runs;
mod caption_work;
mod checks;
mod items;
mod panels;
mod versions;

use std::collections::HashMap;

use protocol::{
    DatasetId, ItemId, OwnerId,
    dataset::{Dataset, thumbnail_path},
};
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, SimpleExpr},
};
use uuid::Uuid;

pub use caption_edits::{
    CaptionChange, find_caption_edit, keep_caption_edit, list_caption_edits, set_captions, undo_caption_edit,
};
pub use caption_runs::{
    NewCaptionRun, caption_proposals, create_caption_run, find_caption_run, has_running_caption_run,
    list_caption_runs, open_caption_proposals, settle_caption_proposals, stop_caption_run,
};
pub use caption_work::{
    CaptionWork, Described, claim_caption_work, end_caption_work, has_caption_work, is_caption_work_due,
    record_description, release_caption_work, renew_caption_work, waiting_captions,
};
pub use checks::{acknowledge, acknowledged, measures, set_measures};
pub use items::{
    AddedItem, NewItem, PictureFile, add_item, delete_item, item, items, items_after, set_file, update_group,
    update_item,
};
pub use panels::{KnownPanel, panels, set_panel};
pub use versions::{content_hash, freeze, manifest, version};

use crate::{
    BlobKey, Read, Result, StoreError, Tx, damage,
    db::{
        entities::{dataset, dataset_item},
        insert,
    },
    error::Doing,
    now,
    objects::UrlOptions,
    words::clean,
};

/// Pictures that a dataset is shown by.
const N_PREVIEWS: usize = 4;

/// Makes an empty dataset.
pub async fn create(tx: &Tx, owner: OwnerId, name: &str) -> Result<Dataset> {
    let (id, now) = (DatasetId::new(), now());
    let row = dataset::Model {
        id: id.0,
        owner_id: owner.0,
        name: name.to_owned(),
        created_at: now,
        updated_at: now,
        deleted_at: None,
    };
    insert(tx.connection(), row, "store a dataset").await?;
    get(tx, owner, id).await
}

/// An owner's datasets, the newest first: at most `limit` that are older than `after`.
pub async fn list(
    db: &impl Read,
    owner: OwnerId,
    after: Option<DatasetId>,
    limit: u64,
) -> Result<Vec<Dataset>> {
    let mut query = dataset::Entity::find()
        .filter(dataset::Column::OwnerId.eq(owner.0))
        .filter(dataset::Column::DeletedAt.is_null());
    if let Some(after) = after {
        query = query.filter(dataset::Column::Id.lt(after.0));
    }
    let rows = query
        .order_by_desc(dataset::Column::Id)
        .limit(limit)
        .all(db.connection())
        .await
        .doing("list datasets")?;
    complete(db, rows).await
}

/// One dataset.
pub async fn get(db: &impl Read, owner: OwnerId, id: DatasetId) -> Result<Dataset> {
    let row = row(db, owner, id).await?;
    let mut datasets = complete(db, vec![row]).await?;
    datasets.pop().ok_or_else(|| StoreError::not_found("dataset", id))
}

/// Gives a dataset another name.
pub async fn rename(tx: &Tx, owner: OwnerId, id: DatasetId, name: &str) -> Result<Dataset> {
    row(tx, owner, id).await?;
    dataset::Entity::update_many()
        .col_expr(dataset::Column::Name, Expr::value(clean(name)))
        .col_expr(dataset::Column::UpdatedAt, Expr::value(now()))
        .filter(dataset::Column::Id.eq(id.0))
        .exec(tx.connection())
        .await
        .doing("rename a dataset")?;
    get(tx, owner, id).await
}

/// Deletes a dataset with its pictures; versions that jobs were trained on stay.
pub async fn delete(tx: &Tx, owner: OwnerId, id: DatasetId) -> Result<()> {
    row(tx, owner, id).await?;
    caption_edits::delete_all(tx, id).await?;
    caption_runs::delete_all(tx, id).await?;
    checks::delete_all(tx, id).await?;
    dataset_item::Entity::delete_many()
        .filter(dataset_item::Column::DatasetId.eq(id.0))
        .exec(tx.connection())
        .await
        .doing("delete the pictures of a dataset")?;
    dataset::Entity::update_many()
        .col_expr(dataset::Column::DeletedAt, Expr::value(now()))
        .filter(dataset::Column::Id.eq(id.0))
        .exec(tx.connection())
        .await
        .doing("delete a dataset")?;
    Ok(())
}

async fn row(db: &impl Read, owner: OwnerId, id: DatasetId) -> Result<dataset::Model> {
    db.hold(dataset::Entity::find_by_id(id.0))
        .filter(dataset::Column::OwnerId.eq(owner.0))
        .filter(dataset::Column::DeletedAt.is_null())
        .one(db.connection())
        .await
        .doing("read a dataset")?
        .ok_or_else(|| StoreError::not_found("dataset", id))
}

async fn touch(tx: &Tx, id: DatasetId) -> Result<()> {
    dataset::Entity::update_many()
        .col_expr(dataset::Column::UpdatedAt, Expr::value(now()))
        .filter(dataset::Column::Id.eq(id.0))
        .exec(tx.connection())
        .await
        .doing("note the change of a dataset")?;
    Ok(())
}

#[derive(FromQueryResult)]
struct Counts {
    dataset_id: Uuid,
    n_items: i64,
    n_captioned: i64,
}

/// Adds counts and previews to rows, keeping their order.
async fn complete(db: &impl Read, rows: Vec<dataset::Model>) -> Result<Vec<Dataset>> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let captioned: SimpleExpr = Expr::case(dataset_item::Column::Caption.ne(""), 1_i64)
        .finally(0_i64)
        .into();
    let counts: HashMap<Uuid, Counts> = dataset_item::Entity::find()
        .select_only()
        .column(dataset_item::Column::DatasetId)
        .column_as(dataset_item::Column::Id.count(), "n_items")
        // PostgreSQL sums BIGINT to NUMERIC.
        .column_as(captioned.sum().cast_as("BIGINT"), "n_captioned")
        .filter(dataset_item::Column::DatasetId.is_in(ids))
        .group_by(dataset_item::Column::DatasetId)
        .into_model::<Counts>()
        .all(db.connection())
        .await
        .doing("count the pictures of datasets")?
        .into_iter()
        .map(|counts| (counts.dataset_id, counts))
        .collect();
    let damaged = damaged(db, &counts).await?;
    let mut datasets = Vec::with_capacity(rows.len());
    for row in rows {
        let n_damaged = damaged.get(&row.id).copied().unwrap_or(0);
        let counts = counts.get(&row.id);
        datasets.push(Dataset {
            id: DatasetId(row.id),
            name: row.name,
            n_items: counts.map_or(0, |counts| counts.n_items.unsigned_abs()),
            n_captioned: counts.map_or(0, |counts| counts.n_captioned.unsigned_abs()),
            n_damaged: n_damaged.unsigned_abs(),
            preview_urls: previews(db, row.id).await?,
            created_at: row.created_at,
        });
    }
    Ok(datasets)
}

/// How many pictures of each dataset are known to be missing or damaged.
async fn damaged(db: &impl Read, counts: &HashMap<Uuid, Counts>) -> Result<HashMap<Uuid, i64>> {
    let rows: Vec<(Uuid, i64)> = dataset_item::Entity::find()
        .select_only()
        .column(dataset_item::Column::DatasetId)
        .column_as(dataset_item::Column::Id.count(), "n_damaged")
        .filter(dataset_item::Column::DatasetId.is_in(counts.keys().copied()))
        .filter(dataset_item::Column::Sha256.in_subquery(damage::hashes()))
        .group_by(dataset_item::Column::DatasetId)
        .into_tuple()
        .all(db.connection())
        .await
        .doing("count the damaged pictures of datasets")?;
    Ok(rows.into_iter().collect())
}

async fn previews(db: &impl Read, dataset: Uuid) -> Result<Vec<String>> {
    let pictures: Vec<(Uuid, String)> = dataset_item::Entity::find()
        .select_only()
        .columns([dataset_item::Column::Id, dataset_item::Column::Sha256])
        .filter(dataset_item::Column::DatasetId.eq(dataset))
        .order_by_asc(dataset_item::Column::Id)
        .limit(N_PREVIEWS as u64)
        .into_tuple()
        .all(db.connection())
        .await
        .doing("read the previews of a dataset")?;
    let path = |(item, sha256): (Uuid, String)| thumbnail_path(DatasetId(dataset), ItemId(item), &sha256);
    Ok(pictures.into_iter().map(path).collect())
}

fn picture_url(db: &impl Read, sha256: &str) -> Result<String> {
    let key = BlobKey::from_sha256(sha256).map_err(|err| StoreError::corrupt("dataset_items.sha256", err))?;
    Ok(db.objects().get_url(&key, &UrlOptions::picture()))
}
