//! What an installation knows about itself: its identity, its secrets, and where it launches nothing.

use chrono::{DateTime, TimeDelta, Utc};
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
    pub(crate) objects_mark: String,
    pub(crate) are_objects_claimed: bool,
}

pub(crate) async fn identity(database: &Database) -> Result<Identity> {
    let tx = database.begin_alone().await.doing("begin a transaction")?;
    let signing_key = get_or_insert(&tx, "blob_signing_key", SigningKey::random().to_hex()).await?;
    let deployment = get_or_insert(&tx, "deployment", Uuid::now_v7().to_string()).await?;
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
const OBJECTS_MARK: &str = "objects_mark";

/// There when the mark was written.
const OBJECTS_CLAIMED: &str = "objects_claimed";

/// What the installation was restored from and when: two times.
const RESTORED: &str = "restored";

/// When an installation was restored from a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restoration {
    /// The time of the backup.
    pub moment: DateTime<Utc>,
    /// The time of the restoration.
    pub at: DateTime<Utc>,
}

impl Restoration {
    /// Until then nothing in the object store that is newer than the backup is deleted.
    pub fn keeps_until(&self) -> DateTime<Utc> {
        self.at + TimeDelta::days(7)
    }
}

/// The restoration that this installation is of, if it is of one.
pub async fn restoration(db: &impl Read) -> Result<Option<Restoration>> {
    let Some(text) = get(db.connection(), RESTORED).await? else {
        return Ok(None);
    };
    let parse = |time: &str| {
        let parsed = DateTime::parse_from_rfc3339(time);
        parsed.map(|time| time.with_timezone(&Utc))
    };
    let (moment, at) = text.split_once(' ').unwrap_or((text.as_str(), ""));
    let wrong = |err| StoreError::corrupt("settings.restored", err);
    Ok(Some(Restoration {
        moment: parse(moment).map_err(wrong)?,
        at: parse(at).map_err(wrong)?,
    }))
}

/// Notes that an installation is a restored one, whose objects have this mark.
pub(crate) async fn note_restoration(
    db: &impl ConnectionTrait,
    restoration: Restoration,
    mark: &str,
) -> Result<()> {
    let Restoration { moment, at } = restoration;
    set(
        db,
        RESTORED,
        format!("{} {}", moment.to_rfc3339(), at.to_rfc3339()),
    )
    .await?;
    set(db, OBJECTS_MARK, mark.to_owned()).await?;
    set(db, OBJECTS_CLAIMED, "yes".to_owned()).await
}

impl Store {
    /// Makes sure that the objects are this installation's: see [`BlobStore::claim`](crate::BlobStore::claim).
    pub async fn claim_objects(&self, only_look: bool) -> Result<()> {
        let objects = self.objects();
        // Another server may have claimed them since this one was started.
        if !objects.is_claimed() && get(self.connection(), OBJECTS_CLAIMED).await?.is_some() {
            objects.note_claimed();
        }
        objects.claim(self.objects_mark(), only_look).await?;
        if !only_look && !objects.is_claimed() {
            let tx = self.begin().await?;
            set(tx.connection(), OBJECTS_CLAIMED, "yes".to_owned()).await?;
            tx.commit().await?;
            objects.note_claimed();
        }
        Ok(())
    }
}

/// The mark that the objects must have, where it was ever written.
pub(crate) async fn written_mark(db: &impl ConnectionTrait) -> Result<Option<String>> {
    if get(db, OBJECTS_CLAIMED).await?.is_none() {
        return Ok(None);
    }
    match get(db, OBJECTS_MARK).await? {
        Some(mark) => Ok(Some(mark)),
        None => get(db, "deployment").await,
    }
}

async fn get(db: &impl ConnectionTrait, key: &str) -> Result<Option<String>> {
    let row = setting::Entity::find_by_id(key.to_owned())
        .one(db)
        .await
        .doing("read a setting")?;
    Ok(row.map(|row| row.value))
}

async fn set(db: &impl ConnectionTrait, key: &str, value: String) -> Result<()> {
    let row = setting::ActiveModel {
        key: Set(key.to_owned()),
        value: Set(value),
    };
    let mut replace = OnConflict::column(setting::Column::Key);
    replace.update_column(setting::Column::Value);
    setting::Entity::insert(row)
        .on_conflict(replace)
        .exec_without_returning(db)
        .await
        .doing("write a setting")?;
    Ok(())
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
    get(db, key)
        .await?
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
            set(tx.connection(), &halt_key(provider), clean(reason)).await?;
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
