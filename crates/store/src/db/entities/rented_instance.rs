//! `rented_instances`: every machine that was ever ordered, by its exact name.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rented_instances")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub owner_id: Uuid,
    pub job_id: Option<Uuid>,
    pub drawing_session_id: Option<Uuid>,
    pub attempt_id: Uuid,
    pub project: Option<String>,
    pub month: String,
    pub provider: String,
    pub name: String,
    pub handle: Option<String>,
    pub phase: String,
    pub reason: Option<String>,
    pub gpu: String,
    pub n_gpus: i32,
    pub cloud: String,
    pub data_center: Option<String>,
    pub rate_micro_usd: i64,
    pub rate_cap_micro_usd: i64,
    pub reserved_micro_usd: i64,
    pub accrued_micro_usd: i64,
    pub billed_micro_usd: Option<i64>,
    pub bill_seen_micro_usd: Option<i64>,
    pub bill_seen_at: Option<DateTimeUtc>,
    pub ordered_at: DateTimeUtc,
    pub deadline_at: DateTimeUtc,
    pub accrued_until: DateTimeUtc,
    pub missing_since: Option<DateTimeUtc>,
    pub n_missing: i32,
    pub abandoned_at: Option<DateTimeUtc>,
    pub gone_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
