//! What the checks of a dataset need: measures of its pictures, and what its owner acknowledged.

use std::collections::{BTreeSet, HashMap};

use protocol::{
    DatasetId, ItemId, OwnerId,
    finding::{FindingCode, Measures},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, sea_query::Expr};
use serde_json::Value;
use uuid::Uuid;

use super::row;
use crate::{
    Read, Result, Tx,
    db::{
        entities::{dataset_item, finding_acknowledgement},
        insert,
    },
    error::Doing,
    now,
    words::{from_json, json, word},
};

/// Keeps what a picture was measured to be; nothing happens if it was deleted.
pub async fn set_measures(tx: &Tx, id: DatasetId, item: ItemId, measures: &Measures) -> Result<()> {
    dataset_item::Entity::update_many()
        .col_expr(dataset_item::Column::Measures, Expr::value(json(measures)))
        .filter(dataset_item::Column::Id.eq(item.0))
        .filter(dataset_item::Column::DatasetId.eq(id.0))
        .exec(tx.connection())
        .await
        .doing("keep what a picture was measured to be")?;
    Ok(())
}

/// What the pictures of a dataset were measured to be, as far as they were.
pub async fn measures(db: &impl Read, owner: OwnerId, id: DatasetId) -> Result<HashMap<ItemId, Measures>> {
    row(db, owner, id).await?;
    let rows: Vec<(Uuid, Option<Value>)> = dataset_item::Entity::find()
        .select_only()
        .column(dataset_item::Column::Id)
        .column(dataset_item::Column::Measures)
        .filter(dataset_item::Column::DatasetId.eq(id.0))
        .into_tuple()
        .all(db.connection())
        .await
        .doing("read what pictures were measured to be")?;
    rows.into_iter()
        .filter_map(|(id, measures)| Some((ItemId(id), measures?)))
        .map(|(id, measures)| Ok((id, from_json("dataset_items.measures", measures)?)))
        .collect()
}

/// Notes that an owner acknowledges a finding about this content.
pub async fn acknowledge(
    tx: &Tx,
    owner: OwnerId,
    id: DatasetId,
    code: FindingCode,
    content: &str,
) -> Result<()> {
    if acknowledged(tx, owner, id).await?.contains(content) {
        return Ok(());
    }
    let row = finding_acknowledgement::Model {
        id: Uuid::now_v7(),
        dataset_id: id.0,
        code: word(&code),
        content: content.to_owned(),
        created_at: now(),
    };
    insert(tx.connection(), row, "acknowledge a finding").await
}

/// The contents whose findings an owner has acknowledged.
pub async fn acknowledged(db: &impl Read, owner: OwnerId, id: DatasetId) -> Result<BTreeSet<String>> {
    row(db, owner, id).await?;
    let contents: Vec<String> = finding_acknowledgement::Entity::find()
        .select_only()
        .column(finding_acknowledgement::Column::Content)
        .filter(finding_acknowledgement::Column::DatasetId.eq(id.0))
        .into_tuple()
        .all(db.connection())
        .await
        .doing("read acknowledged findings")?;
    Ok(contents.into_iter().collect())
}

pub(super) async fn delete_all(tx: &Tx, id: DatasetId) -> Result<()> {
    finding_acknowledgement::Entity::delete_many()
        .filter(finding_acknowledgement::Column::DatasetId.eq(id.0))
        .exec(tx.connection())
        .await
        .doing("delete the acknowledgements of a dataset")?;
    Ok(())
}
