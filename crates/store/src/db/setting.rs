//! Single values that an installation keeps, by their names.

use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait, sea_query::OnConflict};

use super::entities::setting;
use crate::{Result, StoreError, error::Doing};

pub(crate) async fn get(db: &impl ConnectionTrait, key: &str) -> Result<Option<String>> {
    let row = setting::Entity::find_by_id(key.to_owned())
        .one(db)
        .await
        .doing("read a setting")?;
    Ok(row.map(|row| row.value))
}

pub(crate) async fn set(db: &impl ConnectionTrait, key: &str, value: String) -> Result<()> {
    let row = setting::ActiveModel {
        key: Set(key.to_owned()),
        value: Set(value),
    };
    let mut replace = OnConflict::column(setting::Column::Key);
    replace.update_column(setting::Column::Value);
    setting::Entity::insert(row)
        .on_conflict(replace)
        .exec_without_returning(db)
        .await
        .doing("write a setting")?;
    Ok(())
}

/// The value of a setting; `default` becomes it when there is none.
pub(crate) async fn get_or_insert(db: &impl ConnectionTrait, key: &str, default: String) -> Result<String> {
    let row = setting::ActiveModel {
        key: Set(key.to_owned()),
        value: Set(default),
    };
    setting::Entity::insert(row)
        .on_conflict(OnConflict::column(setting::Column::Key).do_nothing().to_owned())
        .exec_without_returning(db)
        .await
        .doing("write a setting")?;
    get(db, key)
        .await?
        .ok_or_else(|| StoreError::not_found("setting", key))
}
