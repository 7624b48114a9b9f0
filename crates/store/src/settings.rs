//! What an installation knows about itself: its identity, its secrets, and where it launches nothing.

use protocol::{OwnerId, audit::AuditAction};
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait, QueryOrder, sea_query::OnConflict};
use uuid::Uuid;

use crate::{
    Read, Result, Store, StoreError, audit,
    db::{
        Database,
        entities::{owner, setting},
        insert,
    },
    error::Doing,
    now,
    objects::SigningKey,
    words::clean,
};

/// Made at the first start, kept for ever.
pub(crate) struct Identity {
    pub(crate) owner: OwnerId,
    pub(crate) deployment: Uuid,
    pub(crate) signing_key: SigningKey,
}

pub(crate) async fn identity(database: &Database) -> Result<Identity> {
    let tx = database.begin_alone().await.doing("begin a transaction")?;
    let signing_key = get_or_insert(&tx, "blob_signing_key", SigningKey::random().to_hex()).await?;
    let deployment = get_or_insert(&tx, "deployment", Uuid::now_v7().to_string()).await?;
    let owner = first_owner(&tx).await?;
    tx.commit().await.doing("commit a transaction")?;
    Ok(Identity {
        owner,
        deployment: deployment
            .parse()
            .map_err(|err| StoreError::corrupt("settings.deployment", err))?,
        signing_key: SigningKey::from_hex(&signing_key)
            .ok_or_else(|| StoreError::corrupt("settings.blob_signing_key", "not 64 hexadecimal digits"))?,
    })
}

/// The value of a setting; `default` becomes it when there is none.
async fn get_or_insert(db: &impl ConnectionTrait, key: &str, default: String) -> Result<String> {
    let row = setting::ActiveModel {
        key: Set(key.to_owned()),
        value: Set(default),
    };
    setting::Entity::insert(row)
        .on_conflict(OnConflict::column(setting::Column::Key).do_nothing().to_owned())
        .exec_without_returning(db)
        .await
        .doing("write a setting")?;
    let row = setting::Entity::find_by_id(key.to_owned())
        .one(db)
        .await
        .doing("read a setting")?;
    row.map(|row| row.value)
        .ok_or_else(|| StoreError::not_found("setting", key))
}

/// Why nothing is launched at a provider; `None` when things are.
pub async fn halted(db: &impl Read, provider: &str) -> Result<Option<String>> {
    let row = setting::Entity::find_by_id(halt_key(provider))
        .one(db.connection())
        .await
        .doing("read a setting")?;
    Ok(row.map(|row| row.value))
}

/// Launches nothing at a provider any more, for this reason; or something again (`None`).
pub async fn halt(store: &Store, provider: &str, reason: Option<&str>) -> Result<()> {
    let tx = store.begin().await?;
    match reason {
        Some(reason) => {
            let row = setting::ActiveModel {
                key: Set(halt_key(provider)),
                value: Set(clean(reason)),
            };
            let mut replace = OnConflict::column(setting::Column::Key);
            replace.update_column(setting::Column::Value);
            setting::Entity::insert(row)
                .on_conflict(replace)
                .exec_without_returning(tx.connection())
                .await
                .doing("write a setting")?;
        }
        None => {
            setting::Entity::delete_by_id(halt_key(provider))
                .exec(tx.connection())
                .await
                .doing("delete a setting")?;
            audit::record(&tx, AuditAction::ProviderResumed, provider, "").await?;
        }
    }
    tx.wake_on_commit();
    tx.commit().await
}

fn halt_key(provider: &str) -> String {
    format!("halted.{provider}")
}

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
