//! The numbered event stream of each job: 1, 2, 3, … without gaps.

use chrono::{DateTime, Utc};
use protocol::{
    AttemptId, JobId,
    event::{Event, EventKind, JobEvent},
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, Query},
};

use crate::{
    Read, Result, StoreError, Tx,
    db::entities::{job, job_event},
    error::Doing,
    words::{from_json, json, word},
};

/// An event to append.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// When it happened.
    pub at: DateTime<Utc>,
    /// The attempt that it is about.
    pub attempt: Option<AttemptId>,
    /// The number that the attempt's agent gave it.
    pub agent_n: Option<u64>,
    /// What happened.
    pub event: Event,
}

impl NewEvent {
    /// Something that happened to the job itself.
    pub fn of_job(at: DateTime<Utc>, event: Event) -> Self {
        Self {
            at,
            attempt: None,
            agent_n: None,
            event,
        }
    }

    /// Something that happened to an attempt.
    pub fn of_attempt(at: DateTime<Utc>, attempt: AttemptId, event: Event) -> Self {
        Self {
            attempt: Some(attempt),
            ..Self::of_job(at, event)
        }
    }
}

/// Rows of one statement; SQLite takes at most 32,766 values in one.
const ROWS_PER_INSERT: usize = 1000;

/// Which events of a job are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Those with higher numbers.
    pub after: i64,
    /// And none with higher numbers than this.
    pub up_to: i64,
    /// None of these kinds.
    pub without: &'a [EventKind],
    /// The first of them, so many at most.
    pub limit: u64,
}

/// Events of a job with numbers above `after`, in order, at most `limit`.
pub async fn after(db: &impl Read, job: JobId, after: i64, limit: u64) -> Result<Vec<JobEvent>> {
    let wanted = Wanted {
        after,
        up_to: i64::MAX,
        without: &[],
        limit,
    };
    some(db, job, wanted).await
}

/// Some events of a job, in order.
pub async fn some(db: &impl Read, job: JobId, wanted: Wanted<'_>) -> Result<Vec<JobEvent>> {
    let Wanted {
        after,
        up_to,
        without,
        limit,
    } = wanted;
    let rows = job_event::Entity::find()
        .filter(job_event::Column::JobId.eq(job.0))
        .filter(job_event::Column::Seq.gt(after))
        .filter(job_event::Column::Seq.lte(up_to))
        .filter(job_event::Column::Kind.is_not_in(without.iter().map(word)))
        .order_by_asc(job_event::Column::Seq)
        .limit(limit)
        .all(db.connection())
        .await
        .doing("read the events of a job")?;
    rows.into_iter().map(to_event).collect()
}

fn to_event(row: job_event::Model) -> Result<JobEvent> {
    Ok(JobEvent {
        seq: row.seq,
        at: row.at,
        attempt_id: row.attempt_id.map(AttemptId),
        event: from_json("job_events.body", row.body)?,
    })
}

/// All events of one kind, in order.
pub async fn of_kind(db: &impl Read, job: JobId, kind: EventKind) -> Result<Vec<JobEvent>> {
    let rows = job_event::Entity::find()
        .filter(job_event::Column::JobId.eq(job.0))
        .filter(job_event::Column::Kind.eq(word(&kind)))
        .order_by_asc(job_event::Column::Seq)
        .all(db.connection())
        .await
        .doing("read the events of a job")?;
    rows.into_iter().map(to_event).collect()
}

/// The events of one kind from a time on, in order: at most `limit`.
pub async fn of_kind_since(
    db: &impl Read,
    job: JobId,
    kind: EventKind,
    since: DateTime<Utc>,
    limit: u64,
) -> Result<Vec<JobEvent>> {
    let rows = job_event::Entity::find()
        .filter(job_event::Column::JobId.eq(job.0))
        .filter(job_event::Column::Kind.eq(word(&kind)))
        .filter(job_event::Column::At.gte(since))
        .order_by_asc(job_event::Column::Seq)
        .limit(limit)
        .all(db.connection())
        .await
        .doing("read the events of a job from a time on")?;
    rows.into_iter().map(to_event).collect()
}

/// The events of one kind around a number, in order: at most `limit` up to it, and at most as many after it.
pub async fn of_kind_around(
    db: &impl Read,
    job: JobId,
    kind: EventKind,
    seq: i64,
    limit: u64,
) -> Result<Vec<JobEvent>> {
    let mut rows = job_event::Entity::find()
        .filter(job_event::Column::JobId.eq(job.0))
        .filter(job_event::Column::Kind.eq(word(&kind)))
        .filter(job_event::Column::Seq.lte(seq))
        .order_by_desc(job_event::Column::Seq)
        .limit(limit)
        .all(db.connection())
        .await
        .doing("read the events of a job up to one")?;
    rows.reverse();
    let later = job_event::Entity::find()
        .filter(job_event::Column::JobId.eq(job.0))
        .filter(job_event::Column::Kind.eq(word(&kind)))
        .filter(job_event::Column::Seq.gt(seq))
        .order_by_asc(job_event::Column::Seq)
        .limit(limit)
        .all(db.connection())
        .await
        .doing("read the events of a job after one")?;
    rows.extend(later);
    rows.into_iter().map(to_event).collect()
}

/// The number of a job's newest event.
pub async fn newest(db: &impl Read, job: JobId) -> Result<i64> {
    let newest: Option<i64> = job::Entity::find_by_id(job.0)
        .select_only()
        .column(job::Column::LastSeq)
        .into_tuple()
        .one(db.connection())
        .await
        .doing("read the number of a job's newest event")?;
    newest.ok_or_else(|| StoreError::not_found("job", job))
}

/// Appends events to a job's stream; returns the number of the last one.
///
/// The job's own row counts them. Updating it locks it until the transaction ends, so that numbers become
/// visible in order and an aborted transaction leaves no gap.
pub async fn append(tx: &Tx, job: JobId, events: Vec<NewEvent>) -> Result<i64> {
    let count = Query::update()
        .table(job::Entity)
        .value(
            job::Column::LastSeq,
            Expr::col(job::Column::LastSeq).add(events.len() as i64),
        )
        .and_where(Expr::col(job::Column::Id).eq(job.0))
        .returning_col(job::Column::LastSeq)
        .to_owned();
    let counted = tx
        .connection()
        .query_one(&count)
        .await
        .doing("number the events of a job")?
        .ok_or_else(|| StoreError::not_found("job", job))?;
    let last: i64 = counted
        .try_get("", "last_seq")
        .doing("number the events of a job")?;
    let first = last - events.len() as i64 + 1;
    let rows: Vec<_> = (first..)
        .zip(events)
        .map(|(seq, new)| {
            let body = json(&new.event);
            let row = job_event::Model {
                job_id: job.0,
                seq,
                at: new.at,
                attempt_id: new.attempt.map(|id| id.0),
                attempt_n: new.agent_n.map(u64::cast_signed),
                kind: word(&new.event.kind()),
                body,
            };
            job_event::ActiveModel::from(row)
        })
        .collect();
    for rows in rows.chunks(ROWS_PER_INSERT) {
        job_event::Entity::insert_many(rows.to_vec())
            .exec_without_returning(tx.connection())
            .await
            .doing("store the events of a job")?;
    }
    tx.touch_job(job, last);
    Ok(last)
}
