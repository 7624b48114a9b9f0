//! The job queue: rows of the database, each claimed by one statement.
//!
//! Claiming is a compare-and-set on the phase, so that of any number of claimers one gets a row. What was
//! claimed is owned through the lease and the fence of its attempt (see [`crate::attempts`]): claim, renew,
//! end; a lease that ran out is found by the reconcilers and its row queued again. Enqueueing is inserting a
//! row. Waiting claimers are woken by [`crate::Signals`].

use chrono::{DateTime, Utc};
use protocol::{GenerationId, JobId, generation::GenerationPhase, phase::Phase};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend,
    sea_query::{Expr, ExprTrait, LockBehavior, LockType, Order, Query, SelectStatement},
};
use uuid::Uuid;

use crate::{
    Read, Result, Tx,
    db::entities::{generation, job},
    error::Doing,
    events::{self, NewEvent},
    generations::{GenerationState, state},
    now,
    words::word,
};

/// Moves a provider's oldest queued job to `to`, with its event; `None` when none waits.
pub async fn claim_job(tx: &Tx, provider: &str, now: DateTime<Utc>, to: Phase) -> Result<Option<JobId>> {
    let mut oldest = Query::select()
        .column(job::Column::Id)
        .from(job::Entity)
        .and_where(job::Column::Phase.eq(word(&Phase::Queued)))
        .and_where(job::Column::Provider.eq(provider))
        .cond_where(
            Condition::any()
                .add(job::Column::NotBefore.is_null())
                .add(job::Column::NotBefore.lte(now)),
        )
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

/// Takes the oldest queued generation and counts an attempt; `None` when none waits.
pub async fn claim_generation(tx: &Tx) -> Result<Option<GenerationState>> {
    let now = now();
    let mut oldest = Query::select()
        .column(generation::Column::Id)
        .from(generation::Entity)
        .and_where(generation::Column::Phase.eq(word(&GenerationPhase::Queued)))
        .order_by(generation::Column::CreatedAt, Order::Asc)
        .order_by(generation::Column::Id, Order::Asc)
        .limit(1)
        .take();
    skip_locked(tx, &mut oldest);
    let claim = Query::update()
        .table(generation::Entity)
        .value(generation::Column::Phase, word(&GenerationPhase::Running))
        .value(generation::Column::StartedAt, now)
        .value(
            generation::Column::NAttempts,
            Expr::col(generation::Column::NAttempts).add(1_i32),
        )
        .and_where(Expr::col(generation::Column::Id).eq(oldest))
        .returning_col(generation::Column::Id)
        .take();
    let claimed = tx
        .connection()
        .query_one(&claim)
        .await
        .doing("claim a generation")?;
    let Some(claimed) = claimed else { return Ok(None) };
    let id: Uuid = claimed.try_get("", "id").doing("claim a generation")?;
    let id = GenerationId(id);
    tx.touch_generation(id);
    state(tx, id).await.map(Some)
}

/// Several claimers do not wait for each other on PostgreSQL; SQLite has one writer at a time anyway.
fn skip_locked(tx: &Tx, select: &mut SelectStatement) {
    if tx.connection().get_database_backend() == DbBackend::Postgres {
        select.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    }
}
