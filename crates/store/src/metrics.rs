//! Step metrics of a job, in columns, for charts.

mod tiles;

use chrono::{DateTime, Utc};
use protocol::{
    JobId,
    event::{Event, StepMetrics},
    job::Metrics,
    seen::JobStep,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, Statement, Value,
    sea_query::OnConflict,
};

use crate::{
    Read, Result, StoreError, Tx,
    db::entities::{job, job_metric},
    error::Doing,
    jobs::to_step,
};

/// Rows of one statement; SQLite takes at most 32,766 values in one.
const ROWS_PER_INSERT: usize = 1000;

#[derive(FromQueryResult)]
struct Bucket {
    step: i64,
    loss: f64,
    loss_min: f64,
    loss_max: f64,
    average_loss: f64,
    learning_rate: f64,
    gradient_norm: f64,
    step_ms: f64,
}

/// The metrics of a job in at most `width` entries (see [`Metrics`]).
pub async fn chart(db: &impl Read, job: JobId, width: u32) -> Result<Metrics> {
    let width = i64::from(width.max(1));
    // Read before the rows: a follower sees a row twice rather than never.
    let last_seq = job::Entity::find_by_id(job.0)
        .one(db.connection())
        .await
        .doing("read a job")?
        .ok_or_else(|| StoreError::not_found("job", job))?
        .last_seq;
    let mut metrics = Metrics {
        last_seq,
        ..Metrics::default()
    };
    for bucket in buckets(db, job, width).await? {
        metrics.step.push(to_step(bucket.step)?);
        metrics.loss.push(bucket.loss);
        metrics.loss_min.push(bucket.loss_min);
        metrics.loss_max.push(bucket.loss_max);
        metrics.average_loss.push(bucket.average_loss);
        metrics.learning_rate.push(bucket.learning_rate);
        metrics.gradient_norm.push(bucket.gradient_norm);
        metrics.step_ms.push(bucket.step_ms);
    }
    let validation = job_metric::Entity::find()
        .filter(job_metric::Column::JobId.eq(job.0))
        .filter(job_metric::Column::ValidationLoss.is_not_null())
        .order_by_asc(job_metric::Column::Step)
        .all(db.connection())
        .await
        .doing("read the validation losses of a job")?;
    for row in validation {
        if let Some(loss) = row.validation_loss {
            metrics.validation.push((to_step(row.step)?, loss));
        }
    }
    Ok(metrics)
}

/// The numbers of one step that was done, without its pictures.
pub async fn step(db: &impl Read, job: JobId, step: u32) -> Result<JobStep> {
    let row = job_metric::Entity::find_by_id((job.0, i64::from(step)))
        .one(db.connection())
        .await
        .doing("read the metrics of a step")?;
    let done = row.and_then(|row| {
        Some(JobStep {
            step,
            at: row.at,
            loss: row.loss?,
            learning_rate: row.learning_rate?,
            step_ms: row.step_ms.unwrap_or_default(),
            pictures: Vec::new(),
        })
    });
    done.ok_or_else(|| StoreError::not_found("step", step))
}

/// About equal ranges of steps; each has its extremes, and the numbers of its last step.
async fn buckets(db: &impl Read, job: JobId, width: i64) -> Result<Vec<Bucket>> {
    let Some(Span { first, last }) = span(db, job).await? else {
        return Ok(Vec::new());
    };
    let n_steps = last - first + 1;
    let Some(size) = tiles::coarsest(n_steps, width) else {
        let values = [job.0.into(), width.into(), first.into(), n_steps.into()];
        return bucket_rows(db, FROM_STEPS, &values).await;
    };
    let values = [
        job.0.into(),
        width.into(),
        first.into(),
        n_steps.into(),
        size.into(),
    ];
    bucket_rows(db, FROM_TILES, &values).await
}

const FROM_STEPS: &str = "\
    WITH bucket AS ( \
        SELECT MAX(step) AS step, MIN(loss) AS loss_min, MAX(loss) AS loss_max \
        FROM job_metrics WHERE job_id = $1 AND loss IS NOT NULL \
        GROUP BY CASE WHEN $4 <= $2 THEN step - $3 ELSE (step - $3) * $2 / $4 END \
    )";

const FROM_TILES: &str = "\
    WITH bucket AS ( \
        SELECT MAX(last_step) AS step, MIN(loss_min) AS loss_min, MAX(loss_max) AS loss_max \
        FROM job_metric_tiles WHERE job_id = $1 AND size = $5 \
        GROUP BY (last_step - $3) * $2 / $4 \
    )";

async fn bucket_rows(db: &impl Read, buckets: &str, values: &[Value]) -> Result<Vec<Bucket>> {
    let sql = format!(
        "{buckets} \
        SELECT bucket.step, loss, loss_min, loss_max, average_loss, learning_rate, gradient_norm, \
        COALESCE(step_ms, 0) AS step_ms \
        FROM bucket JOIN job_metrics ON job_metrics.job_id = $1 AND job_metrics.step = bucket.step \
        ORDER BY bucket.step"
    );
    let backend = db.connection().get_database_backend();
    Bucket::find_by_statement(Statement::from_sql_and_values(backend, sql, values.to_vec()))
        .all(db.connection())
        .await
        .doing("read the metrics of a job")
}

#[derive(FromQueryResult)]
struct Ends {
    first: Option<i64>,
    last: Option<i64>,
}

struct Span {
    first: i64,
    last: i64,
}

/// The first and the last step that have a loss. Two look-ups: an aggregate would read every row.
async fn span(db: &impl Read, job: JobId) -> Result<Option<Span>> {
    let sql = "\
        SELECT \
        (SELECT step FROM job_metrics WHERE job_id = $1 AND loss IS NOT NULL ORDER BY step LIMIT 1) AS first, \
        (SELECT step FROM job_metrics WHERE job_id = $1 AND loss IS NOT NULL ORDER BY step DESC LIMIT 1) AS last";
    let backend = db.connection().get_database_backend();
    let ends = Ends::find_by_statement(Statement::from_sql_and_values(backend, sql, [job.0.into()]))
        .one(db.connection())
        .await
        .doing("read the metrics of a job")?;
    Ok(ends.and_then(|ends| {
        Some(Span {
            first: ends.first?,
            last: ends.last?,
        })
    }))
}

/// Stores the metrics of step and validation events; the same step again replaces earlier values.
pub async fn record<'a>(
    tx: &Tx,
    job: JobId,
    events: impl Iterator<Item = (DateTime<Utc>, &'a Event)>,
) -> Result<()> {
    let (mut steps, mut validations) = (Vec::new(), Vec::new());
    for (at, event) in events {
        match event {
            Event::Step(metrics) => steps.push(step_row(job, at, metrics)),
            Event::ValidationLoss { step, loss } => {
                validations.push(job_metric::Model {
                    validation_loss: Some(*loss),
                    ..empty_row(job, at, *step)
                });
            }
            _ => {}
        }
    }
    use job_metric::Column as C;
    let columns = [
        C::Loss,
        C::AverageLoss,
        C::LearningRate,
        C::GradientNorm,
        C::StepMs,
        C::At,
    ];
    let numbers = steps.iter().map(|row| row.step);
    let touched = numbers.clone().min().zip(numbers.max());
    upsert(tx, steps, &columns).await?;
    if let Some((first, last)) = touched {
        tiles::refresh(tx, job, first, last).await?;
    }
    upsert(tx, validations, &[C::ValidationLoss]).await
}

/// Deletes the steps that an attempt repeats because it starts from an earlier checkpoint.
pub async fn forget_after(tx: &Tx, job: JobId, step: u32) -> Result<()> {
    job_metric::Entity::delete_many()
        .filter(job_metric::Column::JobId.eq(job.0))
        .filter(job_metric::Column::Step.gt(i64::from(step)))
        .exec(tx.connection())
        .await
        .doing("forget the metrics of lost steps")?;
    tiles::forget_after(tx, job, i64::from(step)).await
}

async fn upsert(tx: &Tx, rows: Vec<job_metric::Model>, columns: &[job_metric::Column]) -> Result<()> {
    let key = [job_metric::Column::JobId, job_metric::Column::Step];
    let replace = OnConflict::columns(key)
        .update_columns(columns.to_vec())
        .to_owned();
    for rows in rows.chunks(ROWS_PER_INSERT) {
        let rows = rows.iter().cloned().map(job_metric::ActiveModel::from);
        job_metric::Entity::insert_many(rows)
            .on_conflict(replace.clone())
            .exec_without_returning(tx.connection())
            .await
            .doing("store the metrics of a job")?;
    }
    Ok(())
}

fn step_row(job: JobId, at: DateTime<Utc>, metrics: &StepMetrics) -> job_metric::Model {
    job_metric::Model {
        loss: Some(metrics.loss),
        average_loss: Some(metrics.average_loss),
        learning_rate: Some(metrics.learning_rate),
        gradient_norm: Some(metrics.gradient_norm),
        step_ms: Some(metrics.step_ms),
        ..empty_row(job, at, metrics.step)
    }
}

fn empty_row(job: JobId, at: DateTime<Utc>, step: u32) -> job_metric::Model {
    job_metric::Model {
        job_id: job.0,
        step: i64::from(step),
        loss: None,
        average_loss: None,
        learning_rate: None,
        gradient_norm: None,
        step_ms: None,
        validation_loss: None,
        at,
    }
}
