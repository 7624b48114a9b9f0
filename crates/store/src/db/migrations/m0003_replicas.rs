//! Several servers on one database: whose an attempt is, which job goes first, and charts of long jobs.

use sea_orm_migration::{prelude::*, schema::*};

use super::execute;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0003_replicas"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let server = Table::alter()
            .table("attempts")
            .add_column(uuid_null("server"))
            .take();
        manager.alter_table(server).await?;
        manager.create_table(job_metric_tiles()).await?;
        for statement in STATEMENTS {
            execute(manager, statement).await?;
        }
        Ok(())
    }
}

/// The same text on SQLite and PostgreSQL.
const STATEMENTS: &[&str] = &[
    "ALTER TABLE training_jobs ADD COLUMN priority integer NOT NULL DEFAULT 0 CHECK (priority BETWEEN -10 AND 10)",
    "DROP INDEX training_jobs_queue",
    "CREATE INDEX training_jobs_queue ON training_jobs (provider, priority DESC, created_at, id) \
     WHERE phase = 'queued'",
    "CREATE INDEX attempts_alive ON attempts (provider, server) WHERE phase <> 'gone'",
    "CREATE INDEX job_metrics_validation ON job_metrics (job_id, step) WHERE validation_loss IS NOT NULL",
    // Tiles of the metrics that are there already.
    "INSERT INTO job_metric_tiles (job_id, size, tile, last_step, loss_min, loss_max) \
     SELECT job_id, 16, step / 16, MAX(step), MIN(loss), MAX(loss) \
     FROM job_metrics WHERE loss IS NOT NULL GROUP BY job_id, step / 16",
    "INSERT INTO job_metric_tiles (job_id, size, tile, last_step, loss_min, loss_max) \
     SELECT job_id, 128, tile / 8, MAX(last_step), MIN(loss_min), MAX(loss_max) \
     FROM job_metric_tiles WHERE size = 16 GROUP BY job_id, tile / 8",
    "INSERT INTO job_metric_tiles (job_id, size, tile, last_step, loss_min, loss_max) \
     SELECT job_id, 1024, tile / 8, MAX(last_step), MIN(loss_min), MAX(loss_max) \
     FROM job_metric_tiles WHERE size = 128 GROUP BY job_id, tile / 8",
];

fn job_metric_tiles() -> TableCreateStatement {
    Table::create()
        .table("job_metric_tiles")
        .col(uuid("job_id"))
        .col(big_integer("size"))
        .col(big_integer("tile"))
        .col(big_integer("last_step"))
        .col(double("loss_min"))
        .col(double("loss_max"))
        .primary_key(Index::create().col("job_id").col("size").col("tile"))
        .foreign_key(
            ForeignKey::create()
                .from("job_metric_tiles", "job_id")
                .to("training_jobs", "id"),
        )
        .take()
}
