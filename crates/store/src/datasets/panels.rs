//! Panels that were cut out of the comic pages of a dataset.

use std::collections::HashSet;

use protocol::{DatasetId, ItemId, OwnerId, dataset::PanelOf};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr};
use uuid::Uuid;

use super::row;
use crate::{Read, Result, Tx, db::entities::dataset_item, error::Doing, words::clean};

/// A panel that a page was split into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPanel {
    /// Its id.
    pub id: ItemId,
    /// SHA-256 of its file, in hexadecimal.
    pub sha256: String,
    /// Whether its caption was edited since the page was split.
    pub is_edited: bool,
}

/// The panels of a page, in reading order.
pub async fn panels(db: &impl Read, owner: OwnerId, id: DatasetId, page: ItemId) -> Result<Vec<KnownPanel>> {
    row(db, owner, id).await?;
    let rows = dataset_item::Entity::find()
        .filter(dataset_item::Column::DatasetId.eq(id.0))
        .filter(dataset_item::Column::PageItemId.eq(page.0))
        .order_by_asc(dataset_item::Column::Panel)
        .order_by_asc(dataset_item::Column::Id)
        .all(db.connection())
        .await
        .doing("read the panels of a page")?;
    let known = rows.into_iter().map(|row| KnownPanel {
        id: ItemId(row.id),
        is_edited: row.page_caption.as_deref() != Some(row.caption.as_str()),
        sha256: row.sha256,
    });
    Ok(known.collect())
}

/// Notes which page a picture was cut out of, and the caption that the page had then.
pub async fn set_panel(tx: &Tx, item: ItemId, panel: PanelOf, page_caption: &str) -> Result<()> {
    dataset_item::Entity::update_many()
        .col_expr(dataset_item::Column::PageItemId, Expr::value(panel.page_id.0))
        .col_expr(
            dataset_item::Column::Panel,
            Expr::value(panel.number.cast_signed()),
        )
        .col_expr(
            dataset_item::Column::PageCaption,
            Expr::value(clean(page_caption)),
        )
        .filter(dataset_item::Column::Id.eq(item.0))
        .exec(tx.connection())
        .await
        .doing("note the page of a panel")?;
    Ok(())
}

/// The pictures of a dataset that were split into panels.
pub(super) async fn pages(db: &impl Read, id: DatasetId) -> Result<HashSet<Uuid>> {
    let pages: Vec<Uuid> = dataset_item::Entity::find()
        .select_only()
        .column(dataset_item::Column::PageItemId)
        .distinct()
        .filter(dataset_item::Column::DatasetId.eq(id.0))
        .filter(dataset_item::Column::PageItemId.is_not_null())
        .into_tuple()
        .all(db.connection())
        .await
        .doing("read which pages were split")?;
    Ok(pages.into_iter().collect())
}

/// Makes the panels of a page pictures like all others.
pub(super) async fn forget_page(tx: &Tx, id: DatasetId, page: ItemId) -> Result<()> {
    dataset_item::Entity::update_many()
        .col_expr(dataset_item::Column::PageItemId, Expr::value(None::<Uuid>))
        .col_expr(dataset_item::Column::Panel, Expr::value(None::<i32>))
        // Of which there is an index.
        .filter(dataset_item::Column::DatasetId.eq(id.0))
        .filter(dataset_item::Column::PageItemId.eq(page.0))
        .exec(tx.connection())
        .await
        .doing("forget the page of its panels")?;
    Ok(())
}
