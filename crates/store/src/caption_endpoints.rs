//! Endpoints that describe pictures. The URL and the key of one leave this crate only to ask it.

use protocol::{CaptionEndpointId, OwnerId, captioning::CaptionEndpoint};
use reqwest::Url;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, sea_query::Expr};
use uuid::Uuid;

use crate::{
    Read, Result, StoreError, Tx,
    db::{
        entities::{caption_endpoint, caption_run},
        insert,
    },
    error::Doing,
    now,
};

/// An endpoint to add or to ask. Not printed: it holds secrets.
#[derive(Clone)]
pub struct SecretEndpoint {
    /// Its name, which no other of the owner's has.
    pub name: String,
    /// Base URL of its API.
    pub url: String,
    /// The model's name there.
    pub model: String,
    /// Sent as a bearer token.
    pub key: Option<String>,
}

/// An owner's endpoints, by name.
pub async fn list(db: &impl Read, owner: OwnerId) -> Result<Vec<CaptionEndpoint>> {
    let rows = caption_endpoint::Entity::find()
        .filter(caption_endpoint::Column::OwnerId.eq(owner.0))
        .order_by_asc(caption_endpoint::Column::Name)
        .all(db.connection())
        .await
        .doing("list endpoints that describe pictures")?;
    rows.into_iter().map(to_endpoint).collect()
}

/// How many an owner has.
pub async fn count(db: &impl Read, owner: OwnerId) -> Result<u64> {
    caption_endpoint::Entity::find()
        .filter(caption_endpoint::Column::OwnerId.eq(owner.0))
        .count(db.connection())
        .await
        .doing("count endpoints that describe pictures")
}

/// Whether an owner has one of this name.
pub async fn has(db: &impl Read, owner: OwnerId, name: &str) -> Result<bool> {
    let found = caption_endpoint::Entity::find()
        .filter(caption_endpoint::Column::OwnerId.eq(owner.0))
        .filter(caption_endpoint::Column::Name.eq(name))
        .one(db.connection())
        .await
        .doing("look for an endpoint that describes pictures")?;
    Ok(found.is_some())
}

/// One of an owner's.
pub async fn get(db: &impl Read, owner: OwnerId, id: CaptionEndpointId) -> Result<CaptionEndpoint> {
    to_endpoint(row(db, owner, id).await?)
}

/// One of an owner's, to ask it.
pub async fn secret(db: &impl Read, owner: OwnerId, id: CaptionEndpointId) -> Result<SecretEndpoint> {
    let row = row(db, owner, id).await?;
    Ok(SecretEndpoint {
        name: row.name,
        url: row.url,
        model: row.model,
        key: row.key,
    })
}

/// Adds an endpoint.
pub async fn create(tx: &Tx, owner: OwnerId, new: SecretEndpoint) -> Result<CaptionEndpointId> {
    let id = CaptionEndpointId::new();
    let row = caption_endpoint::Model {
        id: id.0,
        owner_id: owner.0,
        name: new.name,
        url: new.url,
        model: new.model,
        key: new.key,
        created_at: now(),
    };
    insert(tx.connection(), row, "add an endpoint that describes pictures").await?;
    Ok(id)
}

/// Deletes an endpoint. Runs keep its name; those that need it still fail.
pub async fn delete(tx: &Tx, owner: OwnerId, id: CaptionEndpointId) -> Result<()> {
    row(tx, owner, id).await?;
    caption_run::Entity::update_many()
        .col_expr(caption_run::Column::EndpointId, Expr::value(None::<Uuid>))
        .filter(caption_run::Column::EndpointId.eq(id.0))
        .exec(tx.connection())
        .await
        .doing("take an endpoint from its runs")?;
    caption_endpoint::Entity::delete_by_id(id.0)
        .exec(tx.connection())
        .await
        .doing("delete an endpoint that describes pictures")?;
    tx.wake_on_commit();
    Ok(())
}

async fn row(db: &impl Read, owner: OwnerId, id: CaptionEndpointId) -> Result<caption_endpoint::Model> {
    db.hold(caption_endpoint::Entity::find_by_id(id.0))
        .filter(caption_endpoint::Column::OwnerId.eq(owner.0))
        .one(db.connection())
        .await
        .doing("read an endpoint that describes pictures")?
        .ok_or_else(|| StoreError::not_found("endpoint", id))
}

fn to_endpoint(row: caption_endpoint::Model) -> Result<CaptionEndpoint> {
    let url: Url = row
        .url
        .parse()
        .map_err(|err| StoreError::corrupt("caption_endpoints.url", err))?;
    Ok(CaptionEndpoint {
        id: CaptionEndpointId(row.id),
        name: row.name,
        origin: url.origin().ascii_serialization(),
        model: row.model,
        has_key: row.key.is_some(),
        created_at: row.created_at,
    })
}
