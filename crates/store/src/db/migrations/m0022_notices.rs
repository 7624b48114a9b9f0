//! Notices: webhooks, and what is delivered to them and by mail.

use protocol::notice::DeliveryState;
use sea_orm_migration::{prelude::*, schema::*};

use super::{execute, one_of, to};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0022_notices"
    }
}

const INDICES: &[&str] = &[
    "CREATE UNIQUE INDEX webhooks_name ON webhooks (owner_id, name)",
    "CREATE INDEX deliveries_owner ON deliveries (owner_id, id)",
    "CREATE INDEX deliveries_due ON deliveries (next_at) WHERE state = 'waiting'",
    "CREATE INDEX deliveries_webhook ON deliveries (webhook_id)",
    "CREATE INDEX deliveries_age ON deliveries (created_at)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let webhooks = Table::create()
            .table("webhooks")
            .col(pk_uuid("id"))
            .col(uuid("owner_id"))
            .col(text("name"))
            .col(text("url"))
            .col(text("secret"))
            .col(json_binary("events"))
            .col(text_null("disabled"))
            .col(timestamp_with_time_zone("created_at"))
            .foreign_key(&mut to("webhooks", "owner_id", "owners"))
            .take();
        manager.create_table(webhooks).await?;
        let states = DeliveryState::ALL.map(|state| state.as_str().to_owned());
        let deliveries = Table::create()
            .table("deliveries")
            .col(pk_uuid("id"))
            .col(uuid("owner_id"))
            .col(uuid_null("webhook_id"))
            .col(uuid_null("job_id"))
            .col(text("kind"))
            .col(text("body"))
            .col(text("state").check(one_of("state", &states)))
            .col(integer("n_attempts").check(Expr::col("n_attempts").gte(0)))
            .col(timestamp_with_time_zone("next_at"))
            .col(timestamp_with_time_zone_null("leased_until"))
            .col(integer_null("status"))
            .col(text_null("error"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone_null("ended_at"))
            .foreign_key(&mut to("deliveries", "owner_id", "owners"))
            .foreign_key(&mut to("deliveries", "webhook_id", "webhooks"))
            .foreign_key(&mut to("deliveries", "job_id", "training_jobs"))
            .take();
        manager.create_table(deliveries).await?;
        for index in INDICES {
            execute(manager, index).await?;
        }
        Ok(())
    }
}
