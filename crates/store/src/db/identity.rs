//! Who an installation is: its first owner, its identity, its signing key and the mark of its objects, made at the first
//! start.

use protocol::OwnerId;
use sea_orm::{ConnectionTrait, EntityTrait, QueryOrder};
use uuid::Uuid;

use super::{
    Database,
    entities::owner,
    insert,
    setting::{get, get_or_insert},
};
use crate::{Result, StoreError, error::Doing, objects::SigningKey, time::now};

/// The setting with the installation's id.
pub(crate) const DEPLOYMENT: &str = "deployment";

/// Made at the first start, kept for ever.
pub(crate) struct Identity {
    pub(crate) owner: OwnerId,
    pub(crate) deployment: Uuid,
    pub(crate) signing_key: SigningKey,
    pub(crate) objects_mark: String,
    pub(crate) are_objects_claimed: bool,
}

pub(crate) async fn identity(database: &Database) -> Result<Identity> {
    let tx = database.begin_alone().await.doing("begin a transaction")?;
    let signing_key = get_or_insert(&tx, "blob_signing_key", SigningKey::random().to_hex()).await?;
    let deployment = get_or_insert(&tx, DEPLOYMENT, Uuid::now_v7().to_string()).await?;
    let owner = first_owner(&tx).await?;
    let objects_mark = get(&tx, OBJECTS_MARK)
        .await?
        .unwrap_or_else(|| deployment.clone());
    let are_objects_claimed = get(&tx, OBJECTS_CLAIMED).await?.is_some();
    tx.commit().await.doing("commit a transaction")?;
    Ok(Identity {
        owner,
        objects_mark,
        are_objects_claimed,
        deployment: deployment
            .parse()
            .map_err(|err| StoreError::corrupt("settings.deployment", err))?,
        signing_key: SigningKey::from_hex(&signing_key)
            .ok_or_else(|| StoreError::corrupt("settings.blob_signing_key", "not 64 hexadecimal digits"))?,
    })
}

/// The mark of the objects, where it is not the installation's id alone.
pub(crate) const OBJECTS_MARK: &str = "objects_mark";

/// There when the mark was written.
pub(crate) const OBJECTS_CLAIMED: &str = "objects_claimed";

pub(crate) async fn first_owner(db: &impl ConnectionTrait) -> Result<OwnerId> {
    let first = owner::Entity::find()
        .order_by_asc(owner::Column::Id)
        .one(db)
        .await
        .doing("read owners")?;
    if let Some(first) = first {
        return Ok(OwnerId(first.id));
    }
    let id = OwnerId::new();
    let row = owner::Model {
        id: id.0,
        name: "owner".to_owned(),
        created_at: now(),
        auth_user_id: None,
    };
    insert(db, row, "write the first owner").await?;
    Ok(id)
}
