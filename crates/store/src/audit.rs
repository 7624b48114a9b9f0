//! The audit log: who did what, when, from where.
//!
//! [`record`] writes an entry in the transaction of the change, so that neither exists without the other. The actor
//! is not passed through every function: a request, or a command, runs inside [`acting`], and what is recorded
//! there is attributed to its actor. Changes outside of it, by reconcilers, are attributed to the server.

use chrono::{DateTime, Utc};
use protocol::{
    AuditId, OwnerId, TokenId,
    audit::{AuditAction, AuditCategory, AuditEntry},
    limits::MAX_AUDIT_CHARS,
};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::{
    Read, Result, Store, StoreBuilder, Tx,
    db::{Database, entities::audit_entry as entry, first_owner, insert, migrations},
    error::Doing,
    now,
    words::{unword, word},
};

/// Entries that are deleted in one transaction, so that others do not wait for long.
const DELETED_AT_ONCE: u64 = 5000;

/// An actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Name for people: `token ci`.
    pub name: String,
    /// The owner whose data it can change; `None` for the default owner.
    pub owner: Option<OwnerId>,
    /// The token or session used.
    pub token: Option<TokenId>,
    /// The IP address.
    pub address: Option<String>,
}

impl Actor {
    /// A caller without a token.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            owner: None,
            token: None,
            address: None,
        }
    }
}

tokio::task_local! {
    static ACTOR: Actor;
}

/// Runs a future with `actor` as the actor.
pub async fn acting<T>(actor: Actor, what: impl Future<Output = T>) -> T {
    ACTOR.scope(actor, what).await
}

/// The current actor; `None` for the server.
pub fn actor() -> Option<Actor> {
    ACTOR.try_with(Clone::clone).ok()
}

/// Records an action of this transaction with its subject and details. Neither text may contain a
/// secret, a prompt or a caption.
pub async fn record(tx: &Tx, action: AuditAction, subject: &str, detail: &str) -> Result<()> {
    add(tx, actor(), action, (subject, detail), 1).await
}

/// A name with the id it can be found by.
pub fn named(name: &str, id: impl std::fmt::Display) -> String {
    format!("{name} ({id})")
}

/// Failed sign-ins from one address within a minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Where they came from.
    pub address: String,
    /// The kind of secret: `login`, `token`.
    pub with: &'static str,
    /// How many.
    pub n: u32,
}

/// Records failed sign-ins, one entry per address.
pub async fn record_refused(tx: &Tx, refused: &[Refused]) -> Result<()> {
    for one in refused {
        let actor = Actor {
            address: Some(one.address.clone()),
            ..Actor::named("nobody")
        };
        let texts = ("", &*format!("with a wrong or ended {}", one.with));
        add(tx, Some(actor), AuditAction::SignInFailed, texts, one.n).await?;
    }
    Ok(())
}

impl StoreBuilder {
    /// Records an action on the whole database by the current actor; opens only the database.
    pub async fn record(
        &self,
        action: AuditAction,
        subject: &str,
    ) -> std::result::Result<(), crate::maintenance::TransferError> {
        let database = Database::connect(&self.place()?).await?;
        record_whole(&database, action, subject).await
    }
}

/// Writes down what was done to the database as a whole. One of an older version stays as it is: a server of that
/// version may be at work on it.
pub(crate) async fn record_whole(
    database: &Database,
    action: AuditAction,
    subject: &str,
) -> std::result::Result<(), crate::maintenance::TransferError> {
    let tx = database.begin_alone().await?;
    if migrations::applied(&tx).await? != migrations::known() {
        return Ok(());
    }
    let owner = first_owner(&tx).await?;
    let row = row(owner, actor(), action, (subject, ""), 1);
    insert(&tx, row, "write the audit log").await?;
    tx.commit().await?;
    Ok(())
}

async fn add(tx: &Tx, actor: Option<Actor>, action: AuditAction, texts: (&str, &str), n: u32) -> Result<()> {
    let row = row(tx.default_owner(), actor, action, texts, n);
    insert(tx.connection(), row, "write the audit log").await
}

fn row(
    default_owner: OwnerId,
    actor: Option<Actor>,
    action: AuditAction,
    (subject, detail): (&str, &str),
    n: u32,
) -> entry::Model {
    let actor = actor.unwrap_or_else(|| Actor::named("server"));
    let kept = |text: &str| Some(short(text)).filter(|text| !text.is_empty());
    entry::Model {
        id: AuditId::new().0,
        owner_id: actor.owner.unwrap_or(default_owner).0,
        at: now(),
        action: word(&action),
        actor: short(&actor.name),
        token_id: actor.token.map(|token| token.0),
        address: actor.address.as_deref().and_then(kept),
        subject: kept(subject),
        detail: kept(detail),
        n: i32::try_from(n).unwrap_or(i32::MAX),
    }
}

fn short(text: &str) -> String {
    text.chars()
        .filter(|character| !character.is_control())
        .take(MAX_AUDIT_CHARS)
        .collect()
}

/// Filter for entries.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this kind.
    pub category: Option<AuditCategory>,
    /// At or after this time.
    pub since: Option<DateTime<Utc>>,
    /// Before this time.
    pub until: Option<DateTime<Utc>>,
    /// Older than this entry.
    pub after: Option<AuditId>,
}

/// An owner's entries, the newest first.
pub async fn list(db: &impl Read, owner: OwnerId, filter: &Filter, limit: u64) -> Result<Vec<AuditEntry>> {
    let mut query = entry::Entity::find().filter(entry::Column::OwnerId.eq(owner.0));
    if let Some(category) = filter.category {
        let actions = AuditAction::ALL
            .iter()
            .filter(|action| action.category() == category);
        query = query.filter(entry::Column::Action.is_in(actions.map(word)));
    }
    if let Some(since) = filter.since {
        query = query.filter(entry::Column::At.gte(since));
    }
    if let Some(until) = filter.until {
        query = query.filter(entry::Column::At.lt(until));
    }
    if let Some(after) = filter.after {
        query = query.filter(entry::Column::Id.lt(after.0));
    }
    let rows = query
        .order_by_desc(entry::Column::Id)
        .limit(limit)
        .all(db.connection())
        .await
        .doing("read the audit log")?;
    rows.into_iter().map(shown).collect()
}

fn shown(row: entry::Model) -> Result<AuditEntry> {
    let action: AuditAction = unword("audit_log.action", &row.action)?;
    Ok(AuditEntry {
        id: AuditId(row.id),
        at: row.at,
        action,
        label: action.label().to_owned(),
        category: action.category(),
        actor: row.actor,
        token_id: row.token_id.map(TokenId),
        address: row.address,
        subject: row.subject,
        detail: row.detail,
        n: row.n.unsigned_abs(),
    })
}

/// Number of entries older than this.
pub async fn n_before(db: &impl Read, time: DateTime<Utc>) -> Result<u64> {
    entry::Entity::find()
        .filter(entry::Column::At.lt(time))
        .count(db.connection())
        .await
        .doing("count old entries of the audit log")
}

/// Deletes entries older than this; returns how many.
pub async fn forget_before(store: &Store, time: DateTime<Utc>) -> Result<u64> {
    let mut n_deleted = 0;
    loop {
        let tx = store.begin().await?;
        let ids: Vec<uuid::Uuid> = entry::Entity::find()
            .select_only()
            .column(entry::Column::Id)
            .filter(entry::Column::At.lt(time))
            .order_by_asc(entry::Column::Id)
            .limit(DELETED_AT_ONCE)
            .into_tuple()
            .all(tx.connection())
            .await
            .doing("look for old entries of the audit log")?;
        if ids.is_empty() {
            return Ok(n_deleted);
        }
        let done = entry::Entity::delete_many()
            .filter(entry::Column::Id.is_in(ids))
            .exec(tx.connection())
            .await
            .doing("delete old entries of the audit log")?;
        tx.commit().await?;
        n_deleted += done.rows_affected;
    }
}
