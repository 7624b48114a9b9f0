//! `dataset_items`: one picture of a dataset.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "dataset_items")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub dataset_id: Uuid,
    pub file_name: String,
    pub caption: String,
    pub split: String,
    pub width: i32,
    pub height: i32,
    pub size_bytes: i64,
    pub sha256: String,
    pub notes: Json,
    pub created_at: DateTimeUtc,
    pub group_name: String,
    pub repeats: i32,
    pub regularization: bool,
    pub measures: Option<Json>,
    pub page_item_id: Option<Uuid>,
    pub panel: Option<i32>,
    pub page_caption: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
