//! The outbox: notices that are to be sent, written in the transaction of what they tell of, so that neither exists
//! without the other.
//!
//! A server takes what is due with a lease, sends it, and records the result. One that is killed in between has its
//! lease run out, and the notice is sent again, with the same id and the same body.

use chrono::{DateTime, TimeDelta, Utc};
use protocol::{
    DeliveryId, JobId, MicroUsd, ModelVersionId, OwnerId, WebhookId,
    event::{Event, EventKind},
    notice::{Delivery, DeliveryState, Notice, NoticeJob, NoticeKind},
    phase::Phase,
    recipe::Recipe,
};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait as _, Query},
};
use uuid::Uuid;

use crate::{
    Read, Result, StoreError, Tx,
    db::{
        entities::{delivery, job, webhook},
        insert, lock,
    },
    error::Doing,
    events, now, webhooks,
    words::{clean, from_json, unword, word},
};

/// How long a server has for one try; longer than a try may take.
const LEASE: TimeDelta = TimeDelta::seconds(90);
/// Between two notices of a full disk.
const DISK_PAUSE: TimeDelta = TimeDelta::hours(1);

/// A notice to send now. Not printed: it holds the receiver's secrets.
#[derive(Clone)]
pub struct Due {
    /// Its id, the same at every try.
    pub id: DeliveryId,
    /// Its owner.
    pub owner: OwnerId,
    /// Who receives it.
    pub receiver: Receiver,
    /// What it tells of.
    pub kind: NoticeKind,
    /// The JSON of a [`Notice`].
    pub body: String,
    /// The job that it is about.
    pub job: Option<JobId>,
    /// Tries before this one.
    pub n_attempts: u32,
}

/// Who receives a notice.
#[derive(Clone)]
pub enum Receiver {
    /// A webhook.
    Webhook {
        /// Its id.
        id: WebhookId,
        /// Its URL.
        url: String,
        /// What signs it: `whsec_…`.
        secret: String,
    },
    /// The addresses of the server's settings.
    Mail,
}

/// What a try came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// HTTP status of the answer.
    pub status: Option<u16>,
    /// What was wrong.
    pub error: Option<String>,
}

/// Tells of a job, in the transaction that changes it.
pub async fn tell_of_job(tx: &Tx, id: JobId, kind: NoticeKind) -> Result<()> {
    let row = job::Entity::find_by_id(id.0)
        .one(tx.connection())
        .await
        .doing("read a job")?
        .ok_or_else(|| StoreError::not_found("job", id))?;
    let owner = OwnerId(row.owner_id);
    let receivers = receivers(tx, Some(owner), kind).await?;
    if receivers.is_empty() {
        return Ok(());
    }
    let recipe: Recipe = from_json("training_jobs.recipe", row.recipe)?;
    let url = tx.outgoing().public_url.as_ref();
    let job = NoticeJob {
        id,
        name: recipe.name().to_owned(),
        phase: unword("training_jobs.phase", &row.phase)?,
        reason: row.reason,
        base_model: recipe.base_model().to_owned(),
        spent_micro_usd: MicroUsd(row.spent_micro_usd),
        model_version_id: row.model_version_id.map(ModelVersionId),
        url: url.map(|url| format!("{url}/jobs/{id}")),
    };
    let notice = Notice::of_job(kind, now(), job);
    for to in receivers {
        put(tx, to, &notice).await?;
    }
    Ok(())
}

/// Tells of a job that waits in the queue, once since it came there, whatever its reason says meanwhile.
pub async fn tell_of_queued_job(tx: &Tx, id: JobId, kind: NoticeKind) -> Result<()> {
    let phases = events::of_kind(tx, id, EventKind::PhaseChanged).await?;
    // Another reason to wait is an event too.
    let queued = phases.iter().rev().take_while(|event| is_queued(&event.event));
    let Some(since) = queued.last() else { return Ok(()) };
    let n_told = delivery::Entity::find()
        .filter(delivery::Column::JobId.eq(id.0))
        .filter(delivery::Column::Kind.eq(word(&kind)))
        .filter(delivery::Column::CreatedAt.gte(since.at))
        .count(tx.connection())
        .await
        .doing("look for notices of a job")?;
    if n_told > 0 {
        return Ok(());
    }
    tell_of_job(tx, id, kind).await
}

fn is_queued(event: &Event) -> bool {
    matches!(
        event,
        Event::PhaseChanged {
            phase: Phase::Queued,
            ..
        }
    )
}

/// Whether it was told a short while ago that the disk is nearly full.
pub async fn was_told_of_disk(db: &impl Read) -> Result<bool> {
    let n_recent = delivery::Entity::find()
        .filter(delivery::Column::Kind.eq(word(&NoticeKind::DiskShort)))
        .filter(delivery::Column::CreatedAt.gt(now() - DISK_PAUSE))
        .count(db.connection())
        .await
        .doing("look for notices of the disk")?;
    Ok(n_recent > 0)
}

/// Tells everybody who wants to know that the disk is nearly full, unless that was told a short while ago.
pub async fn tell_of_disk(tx: &Tx, message: String) -> Result<()> {
    // Two servers must not both see that nothing was told yet.
    lock(tx.connection(), "morpheus/notices/disk").await?;
    if was_told_of_disk(tx).await? {
        return Ok(());
    }
    let kind = NoticeKind::DiskShort;
    let notice = Notice::of_server(kind, now(), message);
    for to in receivers(tx, None, kind).await? {
        put(tx, to, &notice).await?;
    }
    Ok(())
}

/// A test for one webhook.
pub async fn test_webhook(tx: &Tx, owner: OwnerId, id: WebhookId) -> Result<DeliveryId> {
    webhooks::row(tx, owner, id).await?;
    put(tx, (owner, Some(id)), &test()).await
}

/// A test mail.
pub async fn test_mail(tx: &Tx, owner: OwnerId) -> Result<DeliveryId> {
    put(tx, (owner, None), &test()).await
}

fn test() -> Notice {
    let kind = NoticeKind::Test;
    Notice::of_server(kind, now(), kind.sentence("", None))
}

/// Sends an ended delivery again, with the same id; one that still waits is tried at once.
pub async fn send_again(tx: &Tx, owner: OwnerId, id: DeliveryId) -> Result<()> {
    let now = now();
    let done = delivery::Entity::update_many()
        .col_expr(
            delivery::Column::State,
            Expr::value(word(&DeliveryState::Waiting)),
        )
        .col_expr(delivery::Column::NAttempts, Expr::value(0))
        .col_expr(delivery::Column::NextAt, Expr::value(now))
        .col_expr(delivery::Column::EndedAt, Expr::value(None::<DateTime<Utc>>))
        .filter(delivery::Column::Id.eq(id.0))
        .filter(delivery::Column::OwnerId.eq(owner.0))
        .exec(tx.connection())
        .await
        .doing("send a notice again")?;
    if done.rows_affected == 0 {
        return Err(StoreError::not_found("delivery", id));
    }
    tx.wake_on_commit();
    Ok(())
}

/// An owner's deliveries, the newest first: at most `limit` that are older than `after`.
pub async fn list(
    db: &impl Read,
    owner: OwnerId,
    after: Option<DeliveryId>,
    limit: u64,
) -> Result<Vec<Delivery>> {
    let mut query = delivery::Entity::find().filter(delivery::Column::OwnerId.eq(owner.0));
    if let Some(after) = after {
        query = query.filter(delivery::Column::Id.lt(after.0));
    }
    let rows = query
        .order_by_desc(delivery::Column::Id)
        .limit(limit)
        .all(db.connection())
        .await
        .doing("list deliveries")?;
    let webhooks = webhooks::list(db, owner).await?;
    let name = |id: Option<Uuid>| match id {
        None => "mail".to_owned(),
        Some(id) => webhooks
            .iter()
            .find(|webhook| webhook.id.0 == id)
            .map(|webhook| webhook.name.clone())
            .unwrap_or_default(),
    };
    rows.into_iter()
        .map(|row| {
            let receiver = name(row.webhook_id);
            to_delivery(row, receiver)
        })
        .collect()
}

/// One of an owner's.
pub async fn get(db: &impl Read, owner: OwnerId, id: DeliveryId) -> Result<Delivery> {
    let row = delivery::Entity::find_by_id(id.0)
        .filter(delivery::Column::OwnerId.eq(owner.0))
        .one(db.connection())
        .await
        .doing("read a delivery")?
        .ok_or_else(|| StoreError::not_found("delivery", id))?;
    let receiver = match row.webhook_id {
        None => "mail".to_owned(),
        Some(webhook) => webhooks::get(db, owner, WebhookId(webhook)).await?.name,
    };
    to_delivery(row, receiver)
}

/// Whether something is to be sent now; mail only by servers that send it.
pub async fn any_due(db: &impl Read, now: DateTime<Utc>, sends_mail: bool) -> Result<bool> {
    let found = delivery::Entity::find()
        .filter(is_due(now, sends_mail))
        .one(db.connection())
        .await
        .doing("look for notices to send")?;
    Ok(found.is_some())
}

/// Takes at most `limit` notices that are due, those that have waited longest first, and one of each webhook.
pub async fn claim(tx: &Tx, now: DateTime<Utc>, sends_mail: bool, limit: u64) -> Result<Vec<Due>> {
    let rows = delivery::Entity::find()
        .filter(is_due(now, sends_mail))
        .order_by_asc(delivery::Column::NextAt)
        .order_by_asc(delivery::Column::Id)
        .limit(limit)
        .all(tx.connection())
        .await
        .doing("look for notices to send")?;
    let mut claimed = Vec::new();
    for row in rows {
        // Another server may have been faster.
        let taken = delivery::Entity::update_many()
            .col_expr(delivery::Column::LeasedUntil, Expr::value(now + LEASE))
            .filter(delivery::Column::Id.eq(row.id))
            .filter(is_due(now, sends_mail))
            .exec(tx.connection())
            .await
            .doing("take a notice to send")?;
        if taken.rows_affected > 0
            && let Some(due) = to_due(tx, row).await?
        {
            claimed.push(due);
        }
    }
    Ok(claimed)
}

/// Records that a notice arrived.
pub async fn delivered(tx: &Tx, id: DeliveryId, tried: Tried) -> Result<()> {
    end(tx, id, DeliveryState::Delivered, tried).await
}

/// Gives a notice up.
pub async fn failed(tx: &Tx, id: DeliveryId, tried: Tried) -> Result<()> {
    end(tx, id, DeliveryState::Failed, tried).await
}

/// Tries a notice again later.
pub async fn put_off(tx: &Tx, id: DeliveryId, until: DateTime<Utc>, tried: Tried) -> Result<()> {
    record(id, tried)
        .col_expr(delivery::Column::NextAt, Expr::value(until))
        .exec(tx.connection())
        .await
        .doing("put a notice off")?;
    Ok(())
}

/// Deletes deliveries older than this; returns how many.
pub async fn forget(tx: &Tx, before: DateTime<Utc>) -> Result<u64> {
    let done = delivery::Entity::delete_many()
        .filter(delivery::Column::CreatedAt.lt(before))
        .exec(tx.connection())
        .await
        .doing("forget deliveries")?;
    Ok(done.rows_affected)
}

/// Number of an owner's deliveries that are kept, by their state.
pub async fn tally(db: &impl Read, owner: OwnerId) -> Result<Vec<(DeliveryState, u64)>> {
    let rows: Vec<(String, i64)> = delivery::Entity::find()
        .filter(delivery::Column::OwnerId.eq(owner.0))
        .select_only()
        .column(delivery::Column::State)
        .column_as(delivery::Column::Id.count(), "n")
        .group_by(delivery::Column::State)
        .into_tuple()
        .all(db.connection())
        .await
        .doing("count deliveries")?;
    rows.into_iter()
        .map(|(state, n)| Ok((unword("deliveries.state", &state)?, n.unsigned_abs())))
        .collect()
}

/// Who wants to be told, with their owner; no webhook is mail.
async fn receivers(
    tx: &Tx,
    owner: Option<OwnerId>,
    kind: NoticeKind,
) -> Result<Vec<(OwnerId, Option<WebhookId>)>> {
    let mut query = webhook::Entity::find().filter(webhook::Column::Disabled.is_null());
    if let Some(owner) = owner {
        query = query.filter(webhook::Column::OwnerId.eq(owner.0));
    }
    let rows = query.all(tx.connection()).await.doing("list webhooks")?;
    let mut receivers = Vec::new();
    for row in rows {
        let events: Vec<NoticeKind> = from_json("webhooks.events", row.events)?;
        if events.contains(&kind) {
            receivers.push((OwnerId(row.owner_id), Some(WebhookId(row.id))));
        }
    }
    if tx.outgoing().sends_mail {
        receivers.push((owner.unwrap_or(tx.default_owner()), None));
    }
    Ok(receivers)
}

async fn put(tx: &Tx, (owner, webhook): (OwnerId, Option<WebhookId>), notice: &Notice) -> Result<DeliveryId> {
    let (id, now) = (DeliveryId::new(), now());
    let row = delivery::Model {
        id: id.0,
        owner_id: owner.0,
        webhook_id: webhook.map(|webhook| webhook.0),
        job_id: notice.data.job.as_ref().map(|job| job.id.0),
        kind: word(&notice.kind),
        body: serde_json::to_string(notice).expect("a notice is plain data"),
        state: word(&DeliveryState::Waiting),
        n_attempts: 0,
        next_at: now,
        leased_until: None,
        status: None,
        error: None,
        created_at: now,
        ended_at: None,
    };
    insert(tx.connection(), row, "store a notice").await?;
    tx.wake_on_commit();
    Ok(id)
}

fn is_due(now: DateTime<Utc>, sends_mail: bool) -> Condition {
    let is_free = Condition::any()
        .add(delivery::Column::LeasedUntil.is_null())
        .add(delivery::Column::LeasedUntil.lt(now));
    // One at a time for each webhook: one that does not answer takes no other one's place.
    let being_told = Query::select()
        .column(delivery::Column::WebhookId)
        .from(delivery::Entity)
        .and_where(delivery::Column::State.eq(word(&DeliveryState::Waiting)))
        .and_where(delivery::Column::LeasedUntil.gte(now))
        .and_where(delivery::Column::WebhookId.is_not_null())
        .to_owned();
    let is_turn = Condition::any()
        .add(delivery::Column::WebhookId.is_null())
        .add(delivery::Column::WebhookId.not_in_subquery(being_told));
    let due = Condition::all()
        .add(delivery::Column::State.eq(word(&DeliveryState::Waiting)))
        .add(delivery::Column::NextAt.lte(now))
        .add(is_free)
        .add(is_turn);
    if sends_mail {
        due
    } else {
        due.add(delivery::Column::WebhookId.is_not_null())
    }
}

/// The change that every result of a try makes.
fn record(id: DeliveryId, tried: Tried) -> sea_orm::UpdateMany<delivery::Entity> {
    delivery::Entity::update_many()
        .col_expr(
            delivery::Column::NAttempts,
            Expr::col(delivery::Column::NAttempts).add(1),
        )
        .col_expr(delivery::Column::LeasedUntil, Expr::value(None::<DateTime<Utc>>))
        .col_expr(delivery::Column::Status, Expr::value(tried.status.map(i32::from)))
        .col_expr(
            delivery::Column::Error,
            Expr::value(tried.error.as_deref().map(clean)),
        )
        .filter(delivery::Column::Id.eq(id.0))
        .filter(delivery::Column::State.eq(word(&DeliveryState::Waiting)))
}

async fn end(tx: &Tx, id: DeliveryId, state: DeliveryState, tried: Tried) -> Result<()> {
    record(id, tried)
        .col_expr(delivery::Column::State, Expr::value(word(&state)))
        .col_expr(delivery::Column::EndedAt, Expr::value(now()))
        .exec(tx.connection())
        .await
        .doing("end a delivery")?;
    Ok(())
}

/// `None` if its webhook was deleted meanwhile.
async fn to_due(tx: &Tx, row: delivery::Model) -> Result<Option<Due>> {
    let receiver = match row.webhook_id {
        None => Receiver::Mail,
        Some(id) => {
            let webhook = webhook::Entity::find_by_id(id)
                .one(tx.connection())
                .await
                .doing("read a webhook")?;
            let Some(webhook) = webhook else { return Ok(None) };
            Receiver::Webhook {
                id: WebhookId(id),
                url: webhook.url,
                secret: webhook.secret,
            }
        }
    };
    Ok(Some(Due {
        id: DeliveryId(row.id),
        owner: OwnerId(row.owner_id),
        receiver,
        kind: unword("deliveries.kind", &row.kind)?,
        body: row.body,
        job: row.job_id.map(JobId),
        n_attempts: row.n_attempts.unsigned_abs(),
    }))
}

fn to_delivery(row: delivery::Model, receiver: String) -> Result<Delivery> {
    let notice: Notice =
        serde_json::from_str(&row.body).map_err(|err| StoreError::corrupt("deliveries.body", err))?;
    let state: DeliveryState = unword("deliveries.state", &row.state)?;
    let status = row.status.map(u16::try_from).transpose();
    Ok(Delivery {
        id: DeliveryId(row.id),
        webhook_id: row.webhook_id.map(WebhookId),
        receiver,
        kind: unword("deliveries.kind", &row.kind)?,
        message: notice.data.message,
        job_id: row.job_id.map(JobId),
        state,
        n_attempts: row.n_attempts.unsigned_abs(),
        status: status.map_err(|err| StoreError::corrupt("deliveries.status", err))?,
        error: row.error,
        next_attempt_at: (state == DeliveryState::Waiting).then_some(row.next_at),
        created_at: row.created_at,
        ended_at: row.ended_at,
    })
}
