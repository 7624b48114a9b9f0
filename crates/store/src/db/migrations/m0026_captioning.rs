//! Captions that a model writes: endpoints, runs over pictures of a dataset, and what they propose.

use protocol::captioning::{CaptionPolicy, CaptionProposalState, CaptionRunState};
use sea_orm_migration::{prelude::*, schema::*};

use super::{execute, one_of, to};
use crate::words::word;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0026_captioning"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let endpoints = Table::create()
            .table("caption_endpoints")
            .col(pk_uuid("id"))
            .col(uuid("owner_id"))
            .col(text("name"))
            .col(text("url"))
            .col(text("model"))
            .col(text_null("key"))
            .col(timestamp_with_time_zone("created_at"))
            .foreign_key(&mut to("caption_endpoints", "owner_id", "owners"))
            .take();
        manager.create_table(endpoints).await?;
        let policies = [CaptionPolicy::Keep, CaptionPolicy::Add, CaptionPolicy::Replace];
        let policies = policies.map(|policy| word(&policy));
        let states = CaptionRunState::ALL.map(|state| word(&state));
        let runs = Table::create()
            .table("caption_runs")
            .col(pk_uuid("id"))
            .col(uuid("dataset_id"))
            .col(uuid_null("endpoint_id"))
            .col(text("endpoint"))
            .col(text("model"))
            .col(text("prompt"))
            .col(text("policy").check(one_of("policy", &policies)))
            .col(text("trigger_word"))
            .col(text("state").check(one_of("state", &states)))
            .col(big_integer("n_items"))
            .col(big_integer("n_done"))
            .col(big_integer("n_failed"))
            .col(big_integer("n_failed_in_row"))
            .col(text_null("error"))
            .col(uuid_null("leased_by"))
            .col(timestamp_with_time_zone_null("leased_until"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone_null("ended_at"))
            .foreign_key(&mut to("caption_runs", "dataset_id", "training_datasets"))
            .foreign_key(&mut to("caption_runs", "endpoint_id", "caption_endpoints"))
            .take();
        manager.create_table(runs).await?;
        let states = CaptionProposalState::ALL.map(|state| word(&state));
        let proposals = Table::create()
            .table("caption_proposals")
            .col(pk_uuid("id"))
            .col(uuid("run_id"))
            .col(uuid("item_id"))
            .col(text("file_name"))
            .col(text("caption_before"))
            .col(text_null("caption_after"))
            .col(text("state").check(one_of("state", &states)))
            .col(text_null("error"))
            .foreign_key(&mut to("caption_proposals", "run_id", "caption_runs"))
            .take();
        manager.create_table(proposals).await?;
        for index in [
            "CREATE UNIQUE INDEX caption_endpoints_name ON caption_endpoints (owner_id, name)",
            "CREATE INDEX caption_runs_dataset ON caption_runs (dataset_id, id)",
            "CREATE INDEX caption_runs_endpoint ON caption_runs (endpoint_id)",
            "CREATE INDEX caption_runs_running ON caption_runs (id) WHERE state = 'running'",
            "CREATE INDEX caption_proposals_run ON caption_proposals (run_id, id)",
        ] {
            execute(manager, index).await?;
        }
        Ok(())
    }
}
