//! Extremes of equal ranges of steps, so that the chart of a million steps reads some thousand rows.
//!
//! A tile of size 16 holds the lowest and highest loss of 16 steps, and the last step that it has; tiles of the
//! next sizes do so for 8 tiles of the size below. They are made from what is stored, in the transaction that
//! stores it, so that they are right whatever is written in which order.

use protocol::JobId;
use sea_orm::{ConnectionTrait, Statement, Value};

use crate::{Result, Tx, error::Doing, store::Read as _};

/// Steps of a tile, the finest first.
const SIZES: [i64; 3] = [16, 128, 1024];

/// Up to here the steps themselves are read, so that the buckets of short jobs are equal to the step.
const FEW_STEPS: i64 = 4096;

/// Tiles that a bucket of a chart has at least, so that its borders are not far off.
const TILES_PER_BUCKET: i64 = 2;

/// The size of the tiles to draw `n_steps` in `width` buckets with; `None`: the steps themselves are few enough.
pub(super) fn coarsest(n_steps: i64, width: i64) -> Option<i64> {
    let is_fine_enough = |size: &i64| n_steps > FEW_STEPS && n_steps / size >= TILES_PER_BUCKET * width;
    SIZES.into_iter().rfind(is_fine_enough)
}

/// Makes the tiles of these steps again.
pub(super) async fn refresh(tx: &Tx, job: JobId, first: i64, last: i64) -> Result<()> {
    for size in SIZES {
        let (from, to) = (first / size, last / size);
        let made = if size == SIZES[0] {
            "SELECT $1, $2, step / 16, MAX(step), MIN(loss), MAX(loss) FROM job_metrics \
             WHERE job_id = $1 AND step >= $3 AND step < $4 AND loss IS NOT NULL GROUP BY step / 16"
        } else {
            "SELECT $1, $2, tile / 8, MAX(last_step), MIN(loss_min), MAX(loss_max) FROM job_metric_tiles \
             WHERE job_id = $1 AND size = $2 / 8 AND tile >= $3 AND tile < $4 GROUP BY tile / 8"
        };
        let sql = format!(
            "INSERT INTO job_metric_tiles (job_id, size, tile, last_step, loss_min, loss_max) {made} \
             ON CONFLICT (job_id, size, tile) DO UPDATE SET \
             last_step = excluded.last_step, loss_min = excluded.loss_min, loss_max = excluded.loss_max"
        );
        let n_below = if size == SIZES[0] { size } else { 8 };
        let (from, to) = (from * n_below, (to + 1) * n_below);
        execute(tx, &sql, [job.0.into(), size.into(), from.into(), to.into()]).await?;
    }
    Ok(())
}

/// Takes the steps after this one out of all tiles; they are gone already themselves.
pub(super) async fn forget_after(tx: &Tx, job: JobId, step: i64) -> Result<()> {
    let sql = "DELETE FROM job_metric_tiles WHERE job_id = $1 AND last_step > $2";
    execute(tx, sql, [job.0.into(), step.into()]).await?;
    refresh(tx, job, step, step).await
}

async fn execute<const N: usize>(tx: &Tx, sql: &str, values: [Value; N]) -> Result<()> {
    let backend = tx.connection().get_database_backend();
    tx.connection()
        .execute_raw(Statement::from_sql_and_values(backend, sql, values))
        .await
        .doing("summarize the metrics of a job")?;
    Ok(())
}
