//! The job queue: rows of the database, each claimed by one statement.
//!
//! Claiming is a compare-and-set on the phase, so that of any number of claimers one gets a row. What was
//! claimed is owned through the lease and the fence of its attempt (see [`crate::attempts`]): claim, renew,
//! end; a lease that ran out is found by the reconcilers and its row queued again. Enqueueing is inserting a
//! row. Jobs of a higher priority go first, of equal ones the oldest. Waiting claimers are woken by [`crate::Signals`].

use chrono::{DateTime, TimeDelta, Utc};
use protocol::{
    DrawingSessionId, EditId, GenerationId, JobId,
    edit::EditPhase,
    generation::GenerationPhase,
    phase::{AttemptPhase, Phase},
};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect,
    sea_query::{Expr, ExprTrait, LockBehavior, LockType, Order, Query, SelectStatement},
};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    Read, Result, Tx,
    db::{
        entities::{attempt, edit, generation, job},
        lock,
    },
    edits::{self, EditState},
    error::Doing,
    events::{self, NewEvent},
    generations::{self, GenerationState},
    now,
    words::word,
};

/// No job is put off for longer: a time that is further away was written by a server whose clock was wrong.
const LONGEST_DELAY: TimeDelta = TimeDelta::minutes(2);

/// Which job is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobClaim<'a> {
    /// Who would lease its machine.
    pub provider: &'a str,
    /// Attempts of this provider that this server may have at the same time, with the one to come.
    pub max_running: usize,
    /// Jobs that are put off beyond this wait.
    pub now: DateTime<Utc>,
    /// The phase that it gets.
    pub to: Phase,
}

/// Moves a provider's next queued job to another phase, with its event; `None` when none waits, or when as many
/// run as may. Its attempt must be opened in the same transaction.
pub async fn claim_job(tx: &Tx, wanted: JobClaim<'_>) -> Result<Option<JobId>> {
    let JobClaim {
        provider,
        max_running,
        now,
        to,
    } = wanted;
    // Two claimers must not both see room for one more.
    let key = format!("morpheus/{}/{provider}", tx.server());
    lock(tx.connection(), &key).await?;
    if n_running(tx, provider).await? >= max_running as u64 {
        return Ok(None);
    }
    let mut oldest = Query::select()
        .column(job::Column::Id)
        .from(job::Entity)
        .and_where(job::Column::Phase.eq(word(&Phase::Queued)))
        .and_where(job::Column::Provider.eq(provider))
        .cond_where(is_due(now))
        .order_by(job::Column::Priority, Order::Desc)
        .order_by(job::Column::CreatedAt, Order::Asc)
        .order_by(job::Column::Id, Order::Asc)
        .limit(1)
        .take();
    skip_locked(tx, &mut oldest);
    let claim = Query::update()
        .table(job::Entity)
        .value(job::Column::Phase, word(&to))
        .value(job::Column::Reason, None::<String>)
        .value(job::Column::UpdatedAt, now)
        // Equal to one sub-select: PostgreSQL may evaluate an `IN` with a limit more than once.
        .and_where(Expr::col(job::Column::Id).eq(oldest))
        .returning_col(job::Column::Id)
        .take();
    let claimed = tx.connection().query_one(&claim).await.doing("claim a job")?;
    let Some(claimed) = claimed else { return Ok(None) };
    let id: Uuid = claimed.try_get("", "id").doing("claim a job")?;
    let changed = protocol::event::Event::PhaseChanged {
        phase: to,
        reason: None,
    };
    events::append(tx, JobId(id), vec![NewEvent::of_job(now, changed)]).await?;
    Ok(Some(JobId(id)))
}

/// A provider's next queued job besides these; it stays where it is.
pub async fn next_job(
    db: &impl Read,
    provider: &str,
    besides: &[JobId],
    now: DateTime<Utc>,
) -> Result<Option<JobId>> {
    let id: Option<Uuid> = job::Entity::find()
        .select_only()
        .column(job::Column::Id)
        .filter(job::Column::Phase.eq(word(&Phase::Queued)))
        .filter(job::Column::Provider.eq(provider))
        .filter(is_due(now))
        .filter(job::Column::Id.is_not_in(besides.iter().map(|id| id.0)))
        .order_by_desc(job::Column::Priority)
        .order_by_asc(job::Column::CreatedAt)
        .order_by_asc(job::Column::Id)
        .into_tuple()
        .one(db.connection())
        .await
        .doing("look for a queued job")?;
    Ok(id.map(JobId))
}

/// Takes the oldest queued generation of a drawing session, or of the server's own machine, and counts an attempt; `None`
/// when none waits.
pub async fn claim_generation(tx: &Tx, drawing: Option<DrawingSessionId>) -> Result<Option<GenerationState>> {
    let columns = WorkerColumns {
        id: generation::Column::Id,
        phase: generation::Column::Phase,
        n_attempts: generation::Column::NAttempts,
        created_at: generation::Column::CreatedAt,
        started_at: generation::Column::StartedAt,
    };
    let phases = (GenerationPhase::Queued, GenerationPhase::Running);
    let own = generations::of_drawing(drawing);
    let taken = take_oldest(
        tx,
        generation::Entity,
        columns,
        (phases, own),
        "claim a generation",
    );
    let Some(id) = taken.await? else {
        return Ok(None);
    };
    tx.touch_generation(GenerationId(id));
    generations::state(tx, GenerationId(id)).await.map(Some)
}

/// Takes the oldest queued edit and counts an attempt; `None` when none waits.
pub async fn claim_edit(tx: &Tx) -> Result<Option<EditState>> {
    let columns = WorkerColumns {
        id: edit::Column::Id,
        phase: edit::Column::Phase,
        n_attempts: edit::Column::NAttempts,
        created_at: edit::Column::CreatedAt,
        started_at: edit::Column::StartedAt,
    };
    let phases = (EditPhase::Queued, EditPhase::Running);
    let all = Condition::all();
    match take_oldest(tx, edit::Entity, columns, (phases, all), "claim an edit").await? {
        Some(id) => edits::state(tx, EditId(id)).await.map(Some),
        None => Ok(None),
    }
}

/// Columns of a table of what workers make one after the other.
struct WorkerColumns<C> {
    id: C,
    phase: C,
    n_attempts: C,
    created_at: C,
    started_at: C,
}

/// Moves the oldest row of such a table that fulfills the condition from the first phase to the second, and counts an
/// attempt.
async fn take_oldest<E: EntityTrait>(
    tx: &Tx,
    table: E,
    columns: WorkerColumns<E::Column>,
    ((from, to), which): ((impl Serialize, impl Serialize), Condition),
    doing: &'static str,
) -> Result<Option<Uuid>> {
    let mut oldest = Query::select()
        .column(columns.id)
        .from(table)
        .and_where(Expr::col(columns.phase).eq(word(&from)))
        .cond_where(which)
        .order_by(columns.created_at, Order::Asc)
        .order_by(columns.id, Order::Asc)
        .limit(1)
        .take();
    skip_locked(tx, &mut oldest);
    let claim = Query::update()
        .table(table)
        .value(columns.phase, word(&to))
        .value(columns.started_at, now())
        .value(columns.n_attempts, Expr::col(columns.n_attempts).add(1_i32))
        // Equal to one sub-select: PostgreSQL may evaluate an `IN` with a limit more than once.
        .and_where(Expr::col(columns.id).eq(oldest))
        .returning_col(columns.id)
        .take();
    let claimed = tx.connection().query_one(&claim).await.doing(doing)?;
    let Some(claimed) = claimed else { return Ok(None) };
    claimed.try_get("", "id").map(Some).doing(doing)
}

/// Not put off, or for longer than anybody would.
fn is_due(now: DateTime<Utc>) -> Condition {
    Condition::any()
        .add(job::Column::NotBefore.is_null())
        .add(job::Column::NotBefore.lte(now))
        .add(job::Column::NotBefore.gt(now + LONGEST_DELAY))
}

/// Attempts of jobs that this server has at a provider.
async fn n_running(tx: &Tx, provider: &str) -> Result<u64> {
    attempt::Entity::find()
        .filter(attempt::Column::Provider.eq(provider))
        .filter(attempt::Column::Phase.ne(word(&AttemptPhase::Gone)))
        .filter(attempt::Column::JobId.is_not_null())
        .filter(
            Condition::any()
                .add(attempt::Column::Server.eq(tx.server()))
                .add(attempt::Column::Server.is_null()),
        )
        .count(tx.connection())
        .await
        .doing("count running jobs")
}

/// Several claimers do not wait for each other on PostgreSQL; SQLite has one writer at a time anyway.
fn skip_locked(tx: &Tx, select: &mut SelectStatement) {
    if tx.connection().get_database_backend() == DbBackend::Postgres {
        select.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    }
}
