//! The pool: machines where somebody runs an agent, as they were last seen.

use chrono::{DateTime, TimeDelta, Utc};
use protocol::{OwnerId, TokenId, machine::Machine};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder,
    sea_query::{OnConflict, Query},
};
use uuid::Uuid;

use crate::{
    Read, Result, Tx,
    db::entities::{api_token, pool_machine},
    error::Doing,
    now,
    words::from_json,
};

/// A machine that has not called for so long is forgotten.
const REMEMBERED: TimeDelta = TimeDelta::days(30);

/// A machine that has called.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Its id here.
    pub id: Uuid,
    /// What it said of itself.
    pub machine: Machine,
    /// When.
    pub at: DateTime<Utc>,
}

/// Notes that a machine has called; returns its id.
pub async fn note(tx: &Tx, owner: OwnerId, token: TokenId, machine: &Machine) -> Result<Uuid> {
    let row = pool_machine::Model {
        id: Uuid::now_v7(),
        owner_id: owner.0,
        token_id: token.0,
        name: machine.name.clone(),
        machine: serde_json::to_value(machine).expect("a machine is plain data"),
        seen_at: now(),
    };
    let known = OnConflict::columns([pool_machine::Column::TokenId, pool_machine::Column::Name])
        .update_columns([pool_machine::Column::Machine, pool_machine::Column::SeenAt])
        .to_owned();
    let row: pool_machine::ActiveModel = row.into();
    let row = pool_machine::Entity::insert(row)
        .on_conflict(known)
        .exec_with_returning(tx.connection())
        .await
        .doing("note a machine of the pool")?;
    Ok(row.id)
}

/// An owner's machines whose tokens are still good, the newest call first.
pub async fn machines(db: &impl Read, owner: OwnerId) -> Result<Vec<Seen>> {
    let rows = pool_machine::Entity::find()
        .filter(pool_machine::Column::OwnerId.eq(owner.0))
        .filter(pool_machine::Column::SeenAt.gte(now() - REMEMBERED))
        .filter(
            pool_machine::Column::TokenId.in_subquery(
                Query::select()
                    .column(api_token::Column::Id)
                    .from(api_token::Entity)
                    .and_where(api_token::Column::RevokedAt.is_null())
                    .take(),
            ),
        )
        .order_by_desc(pool_machine::Column::SeenAt)
        .all(db.connection())
        .await
        .doing("list the machines of the pool")?;
    rows.into_iter()
        .map(|row| {
            Ok(Seen {
                id: row.id,
                machine: from_json("pool_machines.machine", row.machine)?,
                at: row.seen_at,
            })
        })
        .collect()
}
