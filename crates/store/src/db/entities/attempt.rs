//! `attempts`: one try of a job or a generation or another piece of work on one machine.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "attempts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub job_id: Option<Uuid>,
    pub generation_id: Option<Uuid>,
    pub edit_id: Option<Uuid>,
    pub drawing_session_id: Option<Uuid>,
    pub n: i32,
    pub provider: String,
    pub server: Option<Uuid>,
    pub phase: String,
    pub outcome: Option<String>,
    pub detail: Option<String>,
    pub fence: i64,
    pub lease_until: Option<DateTimeUtc>,
    pub token_hash: String,
    pub instance: Option<Json>,
    pub start_step: i64,
    pub last_event_n: i64,
    pub created_at: DateTimeUtc,
    pub launched_at: Option<DateTimeUtc>,
    pub claimed_at: Option<DateTimeUtc>,
    pub heartbeat_at: Option<DateTimeUtc>,
    pub ended_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
