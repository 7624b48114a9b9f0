//! Hyperparameters are no longer stored beside the recipe: the database makes columns of it (`db::recipe_columns`).

use sea_orm::ColumnType::{self, BigInteger, Double, Integer, Text};
use sea_orm_migration::prelude::*;

use super::execute;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0010_recipe_columns"
    }
}

/// Columns that this step drops: the table, the name, and what it held. Exports of older schemas have them.
pub(crate) const FORMER: &[(&str, &str, ColumnType)] = &[
    // A model version keeps its own number of steps: the ones that it was trained for.
    ("training_jobs", "n_steps", BigInteger),
    ("training_jobs", "rank", Integer),
    ("training_jobs", "alpha", Double),
    ("training_jobs", "learning_rate", Double),
    ("training_jobs", "lr_schedule", Text),
    ("training_jobs", "n_warmup_steps", BigInteger),
    ("training_jobs", "batch_size", Integer),
    ("training_jobs", "gradient_accumulation", Integer),
    ("training_jobs", "max_gradient_norm", Double),
    ("training_jobs", "weight_decay", Double),
    ("training_jobs", "min_snr_gamma", Double),
    ("training_jobs", "noise_offset", Double),
    ("training_jobs", "caption_dropout", Double),
    ("training_jobs", "resolution", Integer),
    ("training_jobs", "max_tokens", Integer),
    ("training_jobs", "seed", BigInteger),
    ("model_versions", "rank", Integer),
    ("model_versions", "alpha", Double),
    ("model_versions", "learning_rate", Double),
    ("model_versions", "lr_schedule", Text),
    ("model_versions", "n_warmup_steps", BigInteger),
    ("model_versions", "batch_size", Integer),
    ("model_versions", "gradient_accumulation", Integer),
    ("model_versions", "max_gradient_norm", Double),
    ("model_versions", "weight_decay", Double),
    ("model_versions", "min_snr_gamma", Double),
    ("model_versions", "noise_offset", Double),
    ("model_versions", "caption_dropout", Double),
    ("model_versions", "resolution", Integer),
    ("model_versions", "max_tokens", Integer),
    ("model_versions", "seed", BigInteger),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column, _) in FORMER {
            execute(manager, &format!("ALTER TABLE {table} DROP COLUMN {column}")).await?;
        }
        Ok(())
    }
}
