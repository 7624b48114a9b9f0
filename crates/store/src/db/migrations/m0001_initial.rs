//! The first schema.

use protocol::{
    dataset::Split,
    generation::GenerationPhase,
    model::Stage,
    phase::{AttemptPhase, Outcome, Phase},
};
use sea_orm_migration::{prelude::*, schema::*};

use super::{execute, one_of, to};
use crate::words::word;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0001_initial"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for mut table in [
            owners(),
            settings(),
            api_tokens(),
            training_datasets(),
            dataset_items(),
            dataset_versions(),
            training_jobs(),
            generations(),
            attempts(),
            job_events(),
            job_metrics(),
            artifacts(),
            models(),
            model_versions(),
        ] {
            manager.create_table(table.take()).await?;
        }
        for index in INDEXES {
            execute(manager, index).await?;
        }
        Ok(())
    }
}

/// The same text on SQLite and PostgreSQL.
const INDEXES: &[&str] = &[
    "CREATE INDEX api_tokens_owner ON api_tokens (owner_id)",
    "CREATE INDEX training_datasets_owner ON training_datasets (owner_id, id)",
    "CREATE UNIQUE INDEX dataset_items_picture ON dataset_items (dataset_id, sha256)",
    "CREATE UNIQUE INDEX dataset_versions_content ON dataset_versions (dataset_id, manifest_sha256)",
    "CREATE INDEX training_jobs_owner ON training_jobs (owner_id, id)",
    "CREATE INDEX training_jobs_dataset ON training_jobs (dataset_id)",
    // The queue: few rows are queued, many have ended.
    "CREATE INDEX training_jobs_queue ON training_jobs (provider, created_at, id) WHERE phase = 'queued'",
    "CREATE INDEX training_jobs_open ON training_jobs (phase) \
     WHERE phase NOT IN ('stopped', 'cancelled', 'failed', 'succeeded')",
    "CREATE INDEX generations_owner ON generations (owner_id, id)",
    "CREATE INDEX generations_queue ON generations (created_at, id) WHERE phase = 'queued'",
    // At most one attempt of a job is not gone, whatever the programs believe.
    "CREATE UNIQUE INDEX attempts_one_per_job ON attempts (job_id) WHERE phase <> 'gone'",
    "CREATE UNIQUE INDEX attempts_one_per_generation ON attempts (generation_id) WHERE phase <> 'gone'",
    "CREATE UNIQUE INDEX attempts_of_job ON attempts (job_id, n)",
    "CREATE UNIQUE INDEX attempts_of_generation ON attempts (generation_id, n)",
    "CREATE INDEX attempts_token ON attempts (token_hash)",
    // An agent's event is taken once.
    "CREATE UNIQUE INDEX job_events_agent ON job_events (attempt_id, attempt_n)",
    "CREATE INDEX artifacts_of_job ON artifacts (job_id, kind, step)",
    "CREATE INDEX artifacts_of_generation ON artifacts (generation_id)",
    "CREATE INDEX artifacts_of_attempt ON artifacts (attempt_id, sha256)",
    "CREATE UNIQUE INDEX models_name ON models (owner_id, name)",
    "CREATE UNIQUE INDEX model_versions_number ON model_versions (model_id, version)",
    "CREATE UNIQUE INDEX model_versions_job ON model_versions (job_id)",
    "CREATE INDEX model_versions_owner ON model_versions (owner_id, id)",
];

fn owners() -> TableCreateStatement {
    Table::create()
        .table("owners")
        .col(pk_uuid("id"))
        .col(text("name"))
        .col(time("created_at"))
        .take()
}

fn settings() -> TableCreateStatement {
    Table::create()
        .table("settings")
        .col(text("key").primary_key())
        .col(text("value"))
        .take()
}

fn api_tokens() -> TableCreateStatement {
    Table::create()
        .table("api_tokens")
        .col(pk_uuid("id"))
        .col(uuid("owner_id"))
        .col(text("name"))
        .col(text("scope").check(one_of("scope", &["user".into(), "worker".into()])))
        .col(text("token_hash").unique_key())
        .col(time("created_at"))
        .col(time_null("last_used_at"))
        .col(time_null("expires_at"))
        .col(time_null("revoked_at"))
        .foreign_key(&mut to("api_tokens", "owner_id", "owners"))
        .take()
}

fn training_datasets() -> TableCreateStatement {
    Table::create()
        .table("training_datasets")
        .col(pk_uuid("id"))
        .col(uuid("owner_id"))
        .col(text("name"))
        .col(time("created_at"))
        .col(time("updated_at"))
        .col(time_null("deleted_at"))
        .foreign_key(&mut to("training_datasets", "owner_id", "owners"))
        .take()
}

fn dataset_items() -> TableCreateStatement {
    let splits = [Split::Train, Split::HeldOut].map(|split| word(&split));
    Table::create()
        .table("dataset_items")
        .col(pk_uuid("id"))
        .col(uuid("dataset_id"))
        .col(text("file_name"))
        .col(text("caption"))
        .col(text("split").check(one_of("split", &splits)))
        .col(integer("width").check(above_zero("width")))
        .col(integer("height").check(above_zero("height")))
        .col(big_integer("size_bytes"))
        .col(text("sha256"))
        .col(json_binary("notes"))
        .col(time("created_at"))
        .foreign_key(&mut to("dataset_items", "dataset_id", "training_datasets"))
        .take()
}

fn dataset_versions() -> TableCreateStatement {
    Table::create()
        .table("dataset_versions")
        .col(pk_uuid("id"))
        .col(uuid("dataset_id"))
        .col(big_integer("n_items"))
        .col(json_binary("manifest"))
        .col(text("manifest_sha256"))
        .col(time("created_at"))
        .foreign_key(&mut to("dataset_versions", "dataset_id", "training_datasets"))
        .take()
}

/// The recipe in columns, for people and for queries; `recipe` is the whole of it.
fn recipe(table: &mut TableCreateStatement) -> &mut TableCreateStatement {
    table
        .col(text("name"))
        .col(text_null("trigger_word"))
        .col(text("base_model"))
        .col(text("engine"))
        .col(text("preset"))
        .col(integer("rank").check(above_zero("rank")))
        .col(double("alpha").check(above_zero("alpha")))
        .col(double("learning_rate").check(above_zero("learning_rate")))
        .col(text("lr_schedule"))
        .col(big_integer("n_warmup_steps"))
        .col(big_integer("n_steps").check(above_zero("n_steps")))
        .col(integer("batch_size").check(above_zero("batch_size")))
        .col(integer("gradient_accumulation").check(above_zero("gradient_accumulation")))
        .col(double("max_gradient_norm"))
        .col(double("weight_decay"))
        .col(double("min_snr_gamma"))
        .col(double("noise_offset"))
        .col(double("caption_dropout"))
        .col(integer("resolution").check(above_zero("resolution")))
        .col(integer("max_tokens"))
        .col(big_integer("seed"))
        .col(json_binary("recipe"))
}

fn training_jobs() -> TableCreateStatement {
    let phases = Phase::ALL.map(|phase| word(&phase));
    let mut table = Table::create();
    table
        .table("training_jobs")
        .col(pk_uuid("id"))
        .col(uuid("owner_id"))
        .col(uuid("dataset_id"))
        .col(uuid("dataset_version_id"));
    recipe(&mut table)
        .col(text("provider"))
        .col(text("phase").check(one_of("phase", &phases)))
        .col(text_null("reason"))
        .col(text_null("requested").check(one_of("requested", &["stop".into(), "cancel".into()])))
        .col(time_null("requested_at"))
        .col(time_null("checkpoint_requested_at"))
        .col(time_null("sample_requested_at"))
        .col(time_null("not_before"))
        .col(integer("n_attempts"))
        .col(integer("n_fruitless_attempts"))
        .col(json_binary_null("progress"))
        .col(big_integer_null("checkpoint_step"))
        .col(big_integer("last_seq"))
        // No foreign key: model_versions has the one back to the job, and a circle could not be inserted.
        .col(uuid_null("model_version_id"))
        .col(text_null("artifact_url"))
        .col(time("created_at"))
        .col(time("updated_at"))
        .col(time_null("started_at"))
        .col(time_null("ended_at"))
        .foreign_key(&mut to("training_jobs", "owner_id", "owners"))
        .foreign_key(&mut to("training_jobs", "dataset_id", "training_datasets"))
        .foreign_key(&mut to("training_jobs", "dataset_version_id", "dataset_versions"))
        .take()
}

fn generations() -> TableCreateStatement {
    use GenerationPhase::{Failed, Queued, Running, Succeeded};
    let phases = [Queued, Running, Succeeded, Failed].map(|phase| word(&phase));
    Table::create()
        .table("generations")
        .col(pk_uuid("id"))
        .col(uuid("owner_id"))
        .col(text("phase").check(one_of("phase", &phases)))
        .col(text("base_model"))
        .col(text("prompt"))
        .col(json_binary("request"))
        .col(integer("n_attempts"))
        // No foreign key: artifacts has the one back to the generation.
        .col(uuid_null("artifact_id"))
        .col(text_null("error"))
        .col(big_integer_null("duration_ms"))
        .col(time("created_at"))
        .col(time_null("started_at"))
        .col(time_null("ended_at"))
        .foreign_key(&mut to("generations", "owner_id", "owners"))
        .take()
}

fn attempts() -> TableCreateStatement {
    use AttemptPhase::{Booting, Gone, Intent};
    let phases = [Intent, Booting, AttemptPhase::Running, Gone].map(|phase| word(&phase));
    use Outcome::{Cancelled, Completed, Failed, Lost, NeverStarted, Stopped};
    let outcomes = [Completed, Stopped, Cancelled, Failed, Lost, NeverStarted].map(|outcome| word(&outcome));
    Table::create()
        .table("attempts")
        .col(pk_uuid("id"))
        .col(uuid_null("job_id"))
        .col(uuid_null("generation_id"))
        .col(integer("n"))
        .col(text("provider"))
        .col(text("phase").check(one_of("phase", &phases)))
        .col(text_null("outcome").check(one_of("outcome", &outcomes)))
        .col(text_null("detail"))
        .col(big_integer("fence"))
        .col(time_null("lease_until"))
        .col(text("token_hash"))
        .col(json_binary_null("instance"))
        .col(big_integer("start_step"))
        .col(big_integer("last_event_n"))
        .col(time("created_at"))
        .col(time_null("launched_at"))
        .col(time_null("claimed_at"))
        .col(time_null("heartbeat_at"))
        .col(time_null("ended_at"))
        .check(Expr::cust("(job_id IS NULL) <> (generation_id IS NULL)"))
        .check(Expr::cust("(phase = 'gone') = (outcome IS NOT NULL)"))
        .foreign_key(&mut to("attempts", "job_id", "training_jobs"))
        .foreign_key(&mut to("attempts", "generation_id", "generations"))
        .take()
}

fn job_events() -> TableCreateStatement {
    Table::create()
        .table("job_events")
        .col(uuid("job_id"))
        .col(big_integer("seq").check(above_zero("seq")))
        .col(time("at"))
        .col(uuid_null("attempt_id"))
        .col(big_integer_null("attempt_n"))
        .col(text("kind"))
        .col(json_binary("body"))
        .primary_key(Index::create().col("job_id").col("seq"))
        .foreign_key(&mut to("job_events", "job_id", "training_jobs"))
        .foreign_key(&mut to("job_events", "attempt_id", "attempts"))
        .take()
}

fn job_metrics() -> TableCreateStatement {
    Table::create()
        .table("job_metrics")
        .col(uuid("job_id"))
        .col(big_integer("step"))
        .col(double_null("loss"))
        .col(double_null("average_loss"))
        .col(double_null("learning_rate"))
        .col(double_null("gradient_norm"))
        .col(double_null("step_ms"))
        .col(double_null("validation_loss"))
        .col(time("at"))
        .primary_key(Index::create().col("job_id").col("step"))
        .foreign_key(&mut to("job_metrics", "job_id", "training_jobs"))
        .take()
}

fn artifacts() -> TableCreateStatement {
    let kinds = [
        "sample",
        "checkpoint",
        "lora",
        "picture_before",
        "picture_after",
        "picture",
    ]
    .map(String::from);
    Table::create()
        .table("artifacts")
        .col(pk_uuid("id"))
        .col(uuid("owner_id"))
        .col(uuid_null("job_id"))
        .col(uuid_null("generation_id"))
        .col(uuid("attempt_id"))
        .col(text("kind").check(one_of("kind", &kinds)))
        .col(big_integer_null("step"))
        .col(json_binary("details"))
        .col(text("file_name"))
        .col(text("sha256"))
        .col(big_integer("size_bytes"))
        .col(text("blob_key"))
        .col(text("url"))
        .col(text("state").check(one_of("state", &["announced".into(), "stored".into()])))
        .col(time("created_at"))
        .col(time_null("stored_at"))
        .foreign_key(&mut to("artifacts", "owner_id", "owners"))
        .foreign_key(&mut to("artifacts", "job_id", "training_jobs"))
        .foreign_key(&mut to("artifacts", "generation_id", "generations"))
        .foreign_key(&mut to("artifacts", "attempt_id", "attempts"))
        .take()
}

fn models() -> TableCreateStatement {
    Table::create()
        .table("models")
        .col(pk_uuid("id"))
        .col(uuid("owner_id"))
        .col(text("name"))
        .col(time("created_at"))
        .foreign_key(&mut to("models", "owner_id", "owners"))
        .take()
}

fn model_versions() -> TableCreateStatement {
    let stages = [Stage::Draft, Stage::Approved, Stage::Retired].map(|stage| word(&stage));
    let mut table = Table::create();
    table
        .table("model_versions")
        .col(pk_uuid("id"))
        .col(uuid("owner_id"))
        .col(uuid("model_id"))
        .col(integer("version").check(above_zero("version")))
        .col(text("stage").check(one_of("stage", &stages)))
        .col(uuid("job_id"))
        .col(uuid("dataset_version_id"));
    recipe(&mut table)
        .col(uuid("artifact_id"))
        .col(text("artifact_url"))
        .col(text("file_name"))
        .col(big_integer("size_bytes"))
        .col(text("sha256"))
        .col(json_binary("metadata"))
        .col(json_binary("verdict"))
        .col(boolean("verdict_passed"))
        .col(uuid_null("before_artifact_id"))
        .col(uuid_null("after_artifact_id"))
        .col(time("created_at"))
        .col(time_null("promoted_at"))
        .col(time_null("retired_at"))
        .check(Expr::cust("stage <> 'approved' OR verdict_passed"))
        .foreign_key(&mut to("model_versions", "owner_id", "owners"))
        .foreign_key(&mut to("model_versions", "model_id", "models"))
        .foreign_key(&mut to("model_versions", "job_id", "training_jobs"))
        .foreign_key(&mut to(
            "model_versions",
            "dataset_version_id",
            "dataset_versions",
        ))
        .foreign_key(&mut to("model_versions", "artifact_id", "artifacts"))
        .foreign_key(&mut to("model_versions", "before_artifact_id", "artifacts"))
        .foreign_key(&mut to("model_versions", "after_artifact_id", "artifacts"))
        .take()
}

fn time(column: &'static str) -> ColumnDef {
    timestamp_with_time_zone(column)
}

fn time_null(column: &'static str) -> ColumnDef {
    timestamp_with_time_zone_null(column)
}

fn above_zero(column: &'static str) -> SimpleExpr {
    Expr::col(column).gt(0)
}
