//! Jobs: one row each, with its recipe as JSON and its hyperparameters in columns that a person can read.

mod changes;
mod columns;

use chrono::{DateTime, Utc};
use protocol::{
    DatasetId, DatasetVersionId, JobId, MicroUsd, ModelVersionId, OwnerId,
    event::StepMetrics,
    job::Job,
    phase::Phase,
    recipe::Recipe,
    spend::{JobSpend, RentalWish},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use changes::{
    PhaseChange, change_phase, clear_served_requests, explain, forgive, go_on_from, insert, make_version_of,
    move_to, put_off, request, request_checkpoint, request_finish, request_sample, set_checkpoint, set_limit,
    set_progress, set_rate, set_spend_warned,
};
pub(crate) use columns::with_recipe;

use crate::{
    Read, Result, StoreError,
    db::entities::job,
    error::Doing,
    words::{from_json, unword},
};

/// A job to create.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Its owner.
    pub owner: OwnerId,
    /// The dataset it is made from.
    pub dataset_id: DatasetId,
    /// The frozen pictures that it trains on.
    pub dataset_version_id: DatasetVersionId,
    /// The fully resolved configuration.
    pub recipe: Recipe,
    /// The provider of the machine.
    pub provider: String,
    /// Higher runs first.
    pub priority: i8,
    /// The project of the job.
    pub project: Option<String>,
    /// Why it is run, as its owner wrote.
    pub note: Option<String>,
    /// Requirements for the rented machine; absent if none is rented.
    pub rental: Option<RentalWish>,
    /// Total cost limit.
    pub limit: Option<MicroUsd>,
}

/// A pending request of the user to end a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Requested {
    /// Stop with a checkpoint.
    Stop,
    /// Cancel without keeping anything.
    Cancel,
}

/// State for decisions of the orchestrator.
#[derive(Debug, Clone, PartialEq)]
pub struct JobState {
    /// The job.
    pub id: JobId,
    /// Its owner.
    pub owner: OwnerId,
    /// Its phase.
    pub phase: Phase,
    /// Why it stands there, for a person.
    pub reason: Option<String>,
    /// What its owner wants, other than that it goes on.
    pub requested: Option<Requested>,
    /// When that was requested.
    pub requested_at: Option<DateTime<Utc>>,
    /// Whether a checkpoint was requested.
    pub wants_checkpoint: bool,
    /// Whether samples were requested.
    pub wants_sample: bool,
    /// Whether its owner wants it to end early with a result.
    pub wants_finish: bool,
    /// The job whose checkpoint this one makes a version of.
    pub version_of: Option<JobId>,
    /// The provider of the machine.
    pub provider: String,
    /// Number of attempts.
    pub n_attempts: u32,
    /// Attempts in a row that ended without a new checkpoint.
    pub n_fruitless_attempts: u32,
    /// Optimizer steps at the newest checkpoint.
    pub checkpoint_step: Option<u32>,
    /// The configuration.
    pub recipe: Recipe,
    /// The frozen pictures.
    pub dataset_version_id: DatasetVersionId,
    /// The project of the job.
    pub project: Option<String>,
    /// Requirements for the rented machine; absent if none is rented.
    pub rental: Option<RentalWish>,
    /// Its cost limit and its cost so far.
    pub spend: JobSpend,
    /// Whether its owner was warned of the limit.
    pub is_spend_warned: bool,
    /// The numbers of the newest step.
    pub progress: Option<StepMetrics>,
}

/// An owner's jobs, the newest first: at most `limit` that are older than `after`.
pub async fn list(db: &impl Read, owner: OwnerId, after: Option<JobId>, limit: u64) -> Result<Vec<Job>> {
    let mut query = job::Entity::find()
        .filter(job::Column::OwnerId.eq(owner.0))
        .filter(job::Column::DeletedAt.is_null());
    if let Some(after) = after {
        query = query.filter(job::Column::Id.lt(after.0));
    }
    let rows = query
        .order_by_desc(job::Column::Id)
        .limit(limit)
        .all(db.connection())
        .await
        .doing("list jobs")?;
    rows.into_iter().map(to_job).collect()
}

/// One job.
pub async fn get(db: &impl Read, owner: OwnerId, id: JobId) -> Result<Job> {
    let row = row(db, id).await?;
    if row.owner_id != owner.0 || row.deleted_at.is_some() {
        return Err(StoreError::not_found("job", id));
    }
    to_job(row)
}

/// State for decisions of the orchestrator, of deleted jobs too: their machines may still have to be ended and paid.
pub async fn state(db: &impl Read, id: JobId) -> Result<JobState> {
    to_state(row(db, id).await?)
}

/// The number of the newest event of each job of an owner.
pub async fn newest_events(db: &impl Read, owner: OwnerId) -> Result<Vec<(JobId, i64)>> {
    let rows: Vec<(Uuid, i64)> = job::Entity::find()
        .select_only()
        .column(job::Column::Id)
        .column(job::Column::LastSeq)
        .filter(job::Column::OwnerId.eq(owner.0))
        .filter(job::Column::DeletedAt.is_null())
        .into_tuple()
        .all(db.connection())
        .await
        .doing("list the newest events of jobs")?;
    Ok(rows.into_iter().map(|(id, seq)| (JobId(id), seq)).collect())
}

/// How many jobs there are in a phase, and how many events they have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// The phase.
    pub phase: Phase,
    /// Jobs in it.
    pub n_jobs: u64,
    /// Events of these jobs.
    pub n_events: u64,
}

/// An owner's jobs, counted by phase; a phase without jobs is left out.
pub async fn tally(db: &impl Read, owner: OwnerId) -> Result<Vec<Tally>> {
    // PostgreSQL sums whole numbers as NUMERIC.
    let n_events = Expr::cust("CAST(SUM(last_seq) AS BIGINT)");
    let rows: Vec<(String, i64, i64)> = job::Entity::find()
        .select_only()
        .column(job::Column::Phase)
        .column_as(job::Column::Id.count(), "n_jobs")
        .column_as(n_events, "n_events")
        .filter(job::Column::OwnerId.eq(owner.0))
        .filter(job::Column::DeletedAt.is_null())
        .group_by(job::Column::Phase)
        .into_tuple()
        .all(db.connection())
        .await
        .doing("count jobs")?;
    let tally = |(phase, n_jobs, n_events): (String, i64, i64)| {
        Ok(Tally {
            phase: unword("training_jobs.phase", &phase)?,
            n_jobs: n_jobs.unsigned_abs(),
            n_events: n_events.unsigned_abs(),
        })
    };
    rows.into_iter().map(tally).collect()
}

/// All jobs that have not ended, the oldest first.
pub async fn open(db: &impl Read) -> Result<Vec<JobState>> {
    let ended = Phase::ALL
        .into_iter()
        .filter(|phase| phase.is_ended())
        .map(Phase::as_str);
    let rows = job::Entity::find()
        .filter(job::Column::Phase.is_not_in(ended))
        .order_by_asc(job::Column::CreatedAt)
        .order_by_asc(job::Column::Id)
        .all(db.connection())
        .await
        .doing("list open jobs")?;
    rows.into_iter().map(to_state).collect()
}

/// The jobs that train, will train or may be resumed, the oldest first; without deleted ones.
pub(crate) async fn unfinished(db: &impl Read) -> Result<Vec<JobState>> {
    let rows = job::Entity::find()
        .filter(job::Column::Phase.is_not_in([Phase::Succeeded, Phase::Cancelled].map(Phase::as_str)))
        .filter(job::Column::DeletedAt.is_null())
        .order_by_asc(job::Column::Id)
        .all(db.connection())
        .await
        .doing("list unfinished jobs")?;
    rows.into_iter().map(to_state).collect()
}

async fn row(db: &impl Read, id: JobId) -> Result<job::Model> {
    db.hold(job::Entity::find_by_id(id.0))
        .one(db.connection())
        .await
        .doing("read a job")?
        .ok_or_else(|| StoreError::not_found("job", id))
}

fn to_job(row: job::Model) -> Result<Job> {
    let spend = to_spend(&row);
    let progress: Option<StepMetrics> = row
        .progress
        .map(|progress| from_json("training_jobs.progress", progress))
        .transpose()?;
    Ok(Job {
        spend,
        rental: to_rental(row.rental)?,
        project: row.project,
        id: JobId(row.id),
        phase: unword("training_jobs.phase", &row.phase)?,
        reason: row.reason,
        recipe: from_json("training_jobs.recipe", row.recipe)?,
        dataset_id: DatasetId(row.dataset_id),
        dataset_version_id: DatasetVersionId(row.dataset_version_id),
        provider: row.provider,
        priority: i8::try_from(row.priority)
            .map_err(|err| StoreError::corrupt("training_jobs.priority", err))?,
        n_attempts: row.n_attempts.unsigned_abs(),
        progress,
        checkpoint_step: row.checkpoint_step.map(to_step).transpose()?,
        is_finishing: row.finish_requested_at.is_some(),
        version_of: row.version_of_job_id.map(JobId),
        note: row.note,
        stamp: row
            .stamp
            .map(|stamp| unword("training_jobs.stamp", &stamp))
            .transpose()?,
        model_version_id: row.model_version_id.map(ModelVersionId),
        last_seq: row.last_seq,
        created_at: row.created_at,
        started_at: row.started_at,
        ended_at: row.ended_at,
    })
}

fn to_state(row: job::Model) -> Result<JobState> {
    Ok(JobState {
        spend: to_spend(&row),
        is_spend_warned: row.spend_warned_at.is_some(),
        rental: to_rental(row.rental)?,
        project: row.project,
        progress: row
            .progress
            .map(|progress| from_json("training_jobs.progress", progress))
            .transpose()?,
        id: JobId(row.id),
        owner: OwnerId(row.owner_id),
        phase: unword("training_jobs.phase", &row.phase)?,
        reason: row.reason,
        requested: row
            .requested
            .map(|requested| unword("training_jobs.requested", &requested))
            .transpose()?,
        requested_at: row.requested_at,
        wants_checkpoint: row.checkpoint_requested_at.is_some(),
        wants_sample: row.sample_requested_at.is_some(),
        wants_finish: row.finish_requested_at.is_some(),
        version_of: row.version_of_job_id.map(JobId),
        provider: row.provider,
        n_attempts: row.n_attempts.unsigned_abs(),
        n_fruitless_attempts: row.n_fruitless_attempts.unsigned_abs(),
        checkpoint_step: row.checkpoint_step.map(to_step).transpose()?,
        recipe: from_json("training_jobs.recipe", row.recipe)?,
        dataset_version_id: DatasetVersionId(row.dataset_version_id),
    })
}

fn to_spend(row: &job::Model) -> JobSpend {
    JobSpend {
        limit_micro_usd: row.limit_micro_usd.map(MicroUsd),
        spent_micro_usd: MicroUsd(row.spent_micro_usd),
        reserved_micro_usd: MicroUsd(row.reserved_micro_usd),
        rate_micro_usd: MicroUsd(row.rate_micro_usd),
    }
}

fn to_rental(rental: Option<serde_json::Value>) -> Result<Option<RentalWish>> {
    rental
        .map(|rental| from_json("training_jobs.rental", rental))
        .transpose()
}

pub(crate) fn to_step(step: i64) -> Result<u32> {
    u32::try_from(step).map_err(|err| StoreError::corrupt("a number of steps", err))
}
