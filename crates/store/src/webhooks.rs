//! Webhooks: addresses that are told of jobs. The URL and the secret of one leave this crate only to send to it.

use protocol::{
    OwnerId, WebhookId,
    notice::{DeliveryState, NoticeKind, Webhook},
};
use reqwest::Url;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, sea_query::Expr};

use crate::{
    Read, Result, StoreError, Tx,
    db::{
        entities::{delivery, webhook},
        insert,
    },
    error::Doing,
    now,
    words::{clean, from_json, json, word},
};

/// A webhook to add. Not printed: it holds secrets.
#[derive(Clone)]
pub struct NewWebhook {
    /// Its name, which no other of the owner's has.
    pub name: String,
    /// Who is told.
    pub url: String,
    /// Signs what is sent: `whsec_…`.
    pub secret: String,
    /// What it is told of.
    pub events: Vec<NoticeKind>,
}

/// An owner's webhooks, by name.
pub async fn list(db: &impl Read, owner: OwnerId) -> Result<Vec<Webhook>> {
    let rows = webhook::Entity::find()
        .filter(webhook::Column::OwnerId.eq(owner.0))
        .order_by_asc(webhook::Column::Name)
        .all(db.connection())
        .await
        .doing("list webhooks")?;
    rows.into_iter().map(to_webhook).collect()
}

/// How many an owner has.
pub async fn count(db: &impl Read, owner: OwnerId) -> Result<u64> {
    webhook::Entity::find()
        .filter(webhook::Column::OwnerId.eq(owner.0))
        .count(db.connection())
        .await
        .doing("count webhooks")
}

/// Whether an owner has one of this name.
pub async fn has(db: &impl Read, owner: OwnerId, name: &str) -> Result<bool> {
    let found = webhook::Entity::find()
        .filter(webhook::Column::OwnerId.eq(owner.0))
        .filter(webhook::Column::Name.eq(name))
        .one(db.connection())
        .await
        .doing("look for a webhook")?;
    Ok(found.is_some())
}

/// One of an owner's.
pub async fn get(db: &impl Read, owner: OwnerId, id: WebhookId) -> Result<Webhook> {
    to_webhook(row(db, owner, id).await?)
}

/// Adds a webhook.
pub async fn create(tx: &Tx, owner: OwnerId, new: NewWebhook) -> Result<WebhookId> {
    let id = WebhookId::new();
    let row = webhook::Model {
        id: id.0,
        owner_id: owner.0,
        name: new.name,
        url: new.url,
        secret: new.secret,
        events: json(&new.events),
        disabled: None,
        created_at: now(),
    };
    insert(tx.connection(), row, "add a webhook").await?;
    Ok(id)
}

/// Deletes a webhook with its deliveries.
pub async fn delete(tx: &Tx, owner: OwnerId, id: WebhookId) -> Result<()> {
    row(tx, owner, id).await?;
    delivery::Entity::delete_many()
        .filter(delivery::Column::WebhookId.eq(id.0))
        .exec(tx.connection())
        .await
        .doing("delete the deliveries of a webhook")?;
    webhook::Entity::delete_by_id(id.0)
        .exec(tx.connection())
        .await
        .doing("delete a webhook")?;
    Ok(())
}

/// Sends nothing to a webhook any more, for this reason; what still waits for it is given up. `None` if that was so
/// already, or it was deleted meanwhile.
pub async fn disable(tx: &Tx, id: WebhookId, reason: &str) -> Result<Option<Webhook>> {
    let done = webhook::Entity::update_many()
        .col_expr(webhook::Column::Disabled, Expr::value(clean(reason)))
        .filter(webhook::Column::Id.eq(id.0))
        .filter(webhook::Column::Disabled.is_null())
        .exec(tx.connection())
        .await
        .doing("disable a webhook")?;
    if done.rows_affected == 0 {
        return Ok(None);
    }
    fail_waiting(tx, id, reason).await?;
    let row = webhook::Entity::find_by_id(id.0)
        .one(tx.connection())
        .await
        .doing("read a webhook")?;
    row.map(to_webhook).transpose()
}

/// Gives up what waits for a webhook.
async fn fail_waiting(tx: &Tx, webhook: WebhookId, reason: &str) -> Result<()> {
    delivery::Entity::update_many()
        .col_expr(delivery::Column::State, Expr::value(word(&DeliveryState::Failed)))
        .col_expr(delivery::Column::Error, Expr::value(clean(reason)))
        .col_expr(delivery::Column::EndedAt, Expr::value(now()))
        .filter(delivery::Column::WebhookId.eq(webhook.0))
        .filter(delivery::Column::State.eq(word(&DeliveryState::Waiting)))
        .exec(tx.connection())
        .await
        .doing("give notices up")?;
    Ok(())
}

/// One of an owner's, with its secrets.
pub(crate) async fn row(db: &impl Read, owner: OwnerId, id: WebhookId) -> Result<webhook::Model> {
    db.hold(webhook::Entity::find_by_id(id.0))
        .filter(webhook::Column::OwnerId.eq(owner.0))
        .one(db.connection())
        .await
        .doing("read a webhook")?
        .ok_or_else(|| StoreError::not_found("webhook", id))
}

fn to_webhook(row: webhook::Model) -> Result<Webhook> {
    let url: Url = row
        .url
        .parse()
        .map_err(|err| StoreError::corrupt("webhooks.url", err))?;
    Ok(Webhook {
        id: WebhookId(row.id),
        name: row.name,
        origin: url.origin().ascii_serialization(),
        events: from_json("webhooks.events", row.events)?,
        disabled: row.disabled,
        created_at: row.created_at,
    })
}
