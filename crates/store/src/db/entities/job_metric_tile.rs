//! `job_metric_tiles`: extremes of equal ranges of steps, for charts of long jobs; see [`crate::metrics`].

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "job_metric_tiles")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub job_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub size: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub tile: i64,
    pub last_step: i64,
    pub loss_min: f64,
    pub loss_max: f64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
