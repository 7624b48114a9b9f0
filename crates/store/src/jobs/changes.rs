//! Changes of jobs. A phase changes by compare-and-set, in the same transaction as its event.

use chrono::{DateTime, Utc};
use protocol::{
    JobId, MicroUsd,
    agent::ArtifactKind,
    event::{Event, StepMetrics},
    notice::NoticeKind,
    phase::Phase,
    spend::RentalWish,
};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter,
    sea_query::{Expr, Func},
};

use super::{NewJob, Requested, with_recipe};
use crate::{
    Result, StoreError, Tx,
    db::{entities::job, insert as insert_row},
    error::Doing,
    events::{self, NewEvent},
    now, outbox,
    store::Read,
    words::{clean, json, word},
};

/// A change of phase.
#[derive(Debug, Clone, PartialEq)]
pub struct PhaseChange {
    /// The expected current phase.
    pub from: Phase,
    /// The new phase.
    pub to: Phase,
    /// Why, for a person.
    pub reason: Option<String>,
    /// New count of attempts in a row without a new checkpoint.
    pub n_fruitless_attempts: Option<u32>,
    /// The job is not started before this time.
    pub not_before: Option<DateTime<Utc>>,
}

impl PhaseChange {
    /// A change that needs no explanation.
    pub fn new(from: Phase, to: Phase) -> Self {
        Self {
            from,
            to,
            reason: None,
            n_fruitless_attempts: None,
            not_before: None,
        }
    }

    /// Says why.
    pub fn because(self, reason: impl Into<String>) -> Self {
        Self {
            reason: Some(reason.into()),
            ..self
        }
    }
}

/// Queues a new job.
pub async fn insert(tx: &Tx, new: NewJob) -> Result<JobId> {
    let (id, now) = (JobId::new(), now());
    let row = with_recipe!(job, &new.recipe, {
        id: id.0,
        owner_id: new.owner.0,
        dataset_id: new.dataset_id.0,
        dataset_version_id: new.dataset_version_id.0,
        provider: new.provider,
        priority: i32::from(new.priority),
        project: new.project,
        note: new.note.as_deref().map(clean),
        stamp: None,
        version_of_job_id: None,
        rental: new.rental.as_ref().map(json),
        limit_micro_usd: new.limit.map(|limit| limit.0),
        spent_micro_usd: 0,
        reserved_micro_usd: 0,
        rate_micro_usd: 0,
        spend_warned_at: None,
        phase: word(&Phase::Queued),
        reason: None,
        requested: None,
        requested_at: None,
        checkpoint_requested_at: None,
        sample_requested_at: None,
        finish_requested_at: None,
        not_before: None,
        n_attempts: 0,
        n_fruitless_attempts: 0,
        progress: None,
        checkpoint_step: None,
        last_seq: 0,
        model_version_id: None,
        artifact_url: None,
        created_at: now,
        updated_at: now,
        started_at: None,
        ended_at: None,
        deleted_at: None,
    });
    insert_row(tx.connection(), row, "store a job").await?;
    let queued = Event::PhaseChanged {
        phase: Phase::Queued,
        reason: None,
    };
    events::append(tx, id, vec![NewEvent::of_job(now, queued)]).await?;
    tx.wake_on_commit();
    Ok(id)
}

/// Moves a job to another phase; fails with [`StoreError::Stale`] if it is not in the expected one.
pub async fn change_phase(tx: &Tx, id: JobId, change: PhaseChange) -> Result<()> {
    let now = now();
    let mut update = job::Entity::update_many()
        .col_expr(job::Column::Phase, Expr::value(word(&change.to)))
        .col_expr(
            job::Column::Reason,
            Expr::value(change.reason.as_deref().map(clean)),
        )
        .col_expr(job::Column::NotBefore, Expr::value(change.not_before))
        .col_expr(job::Column::UpdatedAt, Expr::value(now));
    let ended = change.to.is_ended().then_some(now);
    update = update.col_expr(job::Column::EndedAt, Expr::value(ended));
    if let Some(n) = change.n_fruitless_attempts {
        update = update.col_expr(job::Column::NFruitlessAttempts, Expr::value(n));
    }
    if change.to.is_ended() {
        update = update
            .col_expr(job::Column::Requested, Expr::value(None::<String>))
            .col_expr(job::Column::RequestedAt, Expr::value(None::<DateTime<Utc>>))
            .col_expr(
                job::Column::CheckpointRequestedAt,
                Expr::value(None::<DateTime<Utc>>),
            )
            .col_expr(job::Column::SampleRequestedAt, Expr::value(None::<DateTime<Utc>>))
            .col_expr(job::Column::FinishRequestedAt, Expr::value(None::<DateTime<Utc>>));
    }
    if change.to == Phase::Running {
        let started = Func::coalesce([Expr::col(job::Column::StartedAt), Expr::value(now)]);
        update = update.col_expr(job::Column::StartedAt, started.into());
    }
    let done = update
        .filter(job::Column::Id.eq(id.0))
        .filter(job::Column::Phase.eq(word(&change.from)))
        .exec(tx.connection())
        .await
        .doing("change the phase of a job")?;
    if done.rows_affected == 0 {
        return Err(StoreError::stale("job", id));
    }
    let changed = Event::PhaseChanged {
        phase: change.to,
        reason: change.reason,
    };
    events::append(tx, id, vec![NewEvent::of_job(now, changed)]).await?;
    if let Some(kind) = NoticeKind::of_phase(change.to) {
        outbox::tell_of_job(tx, id, kind).await?;
    }
    tx.wake_on_commit();
    Ok(())
}

/// Records the user's request to end a job.
pub async fn request(tx: &Tx, id: JobId, requested: Option<Requested>) -> Result<()> {
    let word = requested.map(|requested| word(&requested));
    set(tx, id, job::Column::Requested, word).await?;
    set(tx, id, job::Column::RequestedAt, requested.map(|_| now())).await?;
    tx.wake_on_commit();
    Ok(())
}

/// Records that its owner wants it to end early with a result.
pub async fn request_finish(tx: &Tx, id: JobId) -> Result<()> {
    set(tx, id, job::Column::FinishRequestedAt, now()).await?;
    tx.wake_on_commit();
    Ok(())
}

/// Makes a job that was just inserted one that only makes a version of another job's checkpoint of this step.
pub async fn make_version_of(tx: &Tx, id: JobId, source: JobId, step: u32) -> Result<()> {
    set(tx, id, job::Column::VersionOfJobId, source.0).await?;
    set(tx, id, job::Column::CheckpointStep, i64::from(step)).await?;
    request_finish(tx, id).await
}

/// Resets the count of attempts without a new checkpoint, because the owner resumed the job.
pub async fn forgive(tx: &Tx, id: JobId) -> Result<()> {
    set(tx, id, job::Column::NFruitlessAttempts, 0).await
}

/// Requests a checkpoint.
pub async fn request_checkpoint(tx: &Tx, id: JobId) -> Result<()> {
    set(tx, id, job::Column::CheckpointRequestedAt, now()).await
}

/// Requests preview pictures.
pub async fn request_sample(tx: &Tx, id: JobId) -> Result<()> {
    set(tx, id, job::Column::SampleRequestedAt, now()).await
}

/// Clears a request that was made before a file of that kind was announced.
pub async fn clear_served_requests(
    tx: &Tx,
    id: JobId,
    kind: &ArtifactKind,
    announced_at: DateTime<Utc>,
) -> Result<()> {
    let column = match kind {
        ArtifactKind::Checkpoint { .. } => job::Column::CheckpointRequestedAt,
        ArtifactKind::Sample { .. } => job::Column::SampleRequestedAt,
        _ => return Ok(()),
    };
    job::Entity::update_many()
        .col_expr(column, Expr::value(None::<DateTime<Utc>>))
        .filter(job::Column::Id.eq(id.0))
        .filter(column.lte(announced_at))
        .exec(tx.connection())
        .await
        .doing("clear a request")?;
    Ok(())
}

/// Records the metrics of the newest step.
pub async fn set_progress(tx: &Tx, id: JobId, progress: Option<&StepMetrics>) -> Result<()> {
    set(tx, id, job::Column::Progress, progress.map(json)).await
}

/// Sets the cost limit of a job.
pub async fn set_limit(tx: &Tx, id: JobId, limit: MicroUsd) -> Result<()> {
    set(tx, id, job::Column::LimitMicroUsd, limit.0).await?;
    set(tx, id, job::Column::SpendWarnedAt, None::<DateTime<Utc>>).await?;
    tx.wake_on_commit();
    Ok(())
}

/// Chooses another provider for the next attempts.
pub async fn move_to(tx: &Tx, id: JobId, provider: &str, rental: Option<&RentalWish>) -> Result<()> {
    set(tx, id, job::Column::Provider, provider).await?;
    let rental = rental.map(|rental| serde_json::to_value(rental).expect("a wish is plain data"));
    set(tx, id, job::Column::Rental, rental).await
}

/// Records the hourly cost of the job's running machines.
pub async fn set_rate(tx: &Tx, id: JobId, rate: MicroUsd) -> Result<()> {
    set(tx, id, job::Column::RateMicroUsd, rate.0).await
}

/// Records that its owner was warned of the limit.
pub async fn set_spend_warned(tx: &Tx, id: JobId) -> Result<()> {
    set(tx, id, job::Column::SpendWarnedAt, now()).await
}

/// Postpones a queued job with a reason, which is added to its stream once.
pub async fn put_off(tx: &Tx, id: JobId, reason: &str, not_before: DateTime<Utc>) -> Result<()> {
    let queued = job::Entity::update_many()
        .col_expr(job::Column::NotBefore, Expr::value(not_before))
        .filter(job::Column::Id.eq(id.0))
        .filter(job::Column::Phase.eq(word(&Phase::Queued)));
    queued.exec(tx.connection()).await.doing("put a job off")?;
    explain(tx, id, Some(reason)).await
}

/// Says why a queued job waits, or that it only waits for its turn; its stream hears of it once.
pub async fn explain(tx: &Tx, id: JobId, reason: Option<&str>) -> Result<()> {
    let reason = reason.map(clean);
    let is_other = match &reason {
        Some(reason) => Condition::any()
            .add(job::Column::Reason.is_null())
            .add(job::Column::Reason.ne(reason.clone())),
        None => Condition::all().add(job::Column::Reason.is_not_null()),
    };
    let is_news = job::Entity::update_many()
        .col_expr(job::Column::Reason, Expr::value(reason.clone()))
        .filter(job::Column::Id.eq(id.0))
        .filter(job::Column::Phase.eq(word(&Phase::Queued)))
        .filter(is_other)
        .exec(tx.connection())
        .await
        .doing("say why a job waits")?;
    if is_news.rows_affected > 0 {
        let waits = Event::PhaseChanged {
            phase: Phase::Queued,
            reason,
        };
        events::append(tx, id, vec![NewEvent::of_job(now(), waits)]).await?;
    }
    Ok(())
}

/// Records the newest checkpoint, which also shows that attempts make progress.
pub async fn set_checkpoint(tx: &Tx, id: JobId, step: u32) -> Result<()> {
    set(tx, id, job::Column::NFruitlessAttempts, 0).await?;
    set(tx, id, job::Column::CheckpointStep, i64::from(step)).await
}

/// Records the checkpoint to resume from, after a newer one turned out damaged or intact again.
pub async fn go_on_from(tx: &Tx, id: JobId, step: Option<u32>) -> Result<()> {
    set(tx, id, job::Column::CheckpointStep, step.map(i64::from)).await
}

async fn set(tx: &Tx, id: JobId, column: job::Column, value: impl Into<sea_orm::Value>) -> Result<()> {
    job::Entity::update_many()
        .col_expr(column, Expr::value(value))
        .col_expr(job::Column::UpdatedAt, Expr::value(now()))
        .filter(job::Column::Id.eq(id.0))
        .exec(tx.connection())
        .await
        .doing("change a job")?;
    Ok(())
}
