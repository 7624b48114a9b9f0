//! What an installation knows about itself: what it was restored from, whose its objects are, and where it launches
//! nothing.

use chrono::{DateTime, TimeDelta, Utc};
use protocol::audit::AuditAction;
use sea_orm::{ConnectionTrait, EntityTrait};

use crate::{
    Read, Result, Store, StoreError, audit,
    db::{
        entities::setting,
        identity::{DEPLOYMENT, OBJECTS_CLAIMED, OBJECTS_MARK},
        setting::{get, set},
    },
    error::Doing,
    words::clean,
};

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
        None => get(db, DEPLOYMENT).await,
    }
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
