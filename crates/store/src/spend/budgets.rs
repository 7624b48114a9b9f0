//! Budgets of users, months and projects. A job's own is in its row.

use chrono::{DateTime, Utc};
use protocol::{
    MicroUsd, OwnerId,
    spend::{Budget, BudgetScope},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder,
    sea_query::{Expr, ExprTrait, OnConflict},
};
use uuid::Uuid;

use crate::{
    Read, Result, Tx,
    db::entities::budget,
    error::Doing,
    now,
    words::{clean, unword, word},
};

/// The budgets that a machine keeps to, besides its job's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes {
    /// Whose they are.
    pub owner: OwnerId,
    /// The project, if the job has one.
    pub project: Option<String>,
    /// The month that the machine was ordered in, which pays for all of it.
    pub month: String,
}

/// The month of a time, as budgets call it: `2026-11`.
pub fn month_of(time: DateTime<Utc>) -> String {
    time.format("%Y-%m").to_string()
}

/// Budgets of an owner, all months and projects included, the newest month first.
pub async fn budgets(db: &impl Read, owner: OwnerId) -> Result<Vec<Budget>> {
    let rows = budget::Entity::find()
        .filter(budget::Column::OwnerId.eq(owner.0))
        .order_by_desc(budget::Column::Scope)
        .order_by_desc(budget::Column::Key)
        .all(db.connection())
        .await
        .doing("list budgets")?;
    rows.into_iter().map(to_budget).collect()
}

/// The budgets of these scopes, in the order in which they are locked. What has no row yet has its standing limit.
pub async fn budgets_for(db: &impl Read, scopes: &Scopes) -> Result<Vec<Budget>> {
    let mut found = Vec::new();
    for (scope, key) in keys(scopes) {
        let row = db
            .hold(budget::Entity::find())
            .filter(budget::Column::OwnerId.eq(scopes.owner.0))
            .filter(budget::Column::Scope.eq(word(&scope)))
            .filter(budget::Column::Key.eq(key.clone()))
            .one(db.connection())
            .await
            .doing("read a budget")?;
        found.push(match row {
            Some(row) => to_budget(row)?,
            None => Budget {
                scope,
                limit_micro_usd: standing_limit(db, scopes.owner, scope, &key).await?,
                key,
                spent_micro_usd: MicroUsd::ZERO,
                reserved_micro_usd: MicroUsd::ZERO,
            },
        });
    }
    Ok(found)
}

/// Sets or takes away a limit. One below what is spent stops new machines, and takes nothing from those that live.
pub async fn set_limit(
    tx: &Tx,
    owner: OwnerId,
    scope: BudgetScope,
    key: &str,
    limit: Option<MicroUsd>,
) -> Result<Budget> {
    ensure(tx, owner, scope, key).await?;
    budget::Entity::update_many()
        .col_expr(
            budget::Column::LimitMicroUsd,
            Expr::value(limit.map(|limit| limit.0)),
        )
        .filter(of(owner, scope, key))
        .exec(tx.connection())
        .await
        .doing("set the limit of a budget")?;
    tx.wake_on_commit();
    let row = budget::Entity::find()
        .filter(of(owner, scope, key))
        .one(tx.connection())
        .await
        .doing("read a budget")?;
    to_budget(row.expect("it was just made sure of"))
}

/// Makes sure that every budget of these scopes has a row, and adds to its sums.
pub(super) async fn add(tx: &Tx, scopes: &Scopes, reserved: i64, spent: i64) -> Result<()> {
    for (scope, key) in keys(scopes) {
        ensure(tx, scopes.owner, scope, &key).await?;
        budget::Entity::update_many()
            .col_expr(
                budget::Column::ReservedMicroUsd,
                Expr::col(budget::Column::ReservedMicroUsd).add(reserved),
            )
            .col_expr(
                budget::Column::SpentMicroUsd,
                Expr::col(budget::Column::SpentMicroUsd).add(spent),
            )
            .filter(of(scopes.owner, scope, &key))
            .exec(tx.connection())
            .await
            .doing("change a budget")?;
    }
    Ok(())
}

/// In a fixed order, so that two transactions never wait for each other.
fn keys(scopes: &Scopes) -> Vec<(BudgetScope, String)> {
    let mut keys = Vec::new();
    if let Some(project) = &scopes.project {
        keys.push((BudgetScope::Project, project.clone()));
    }
    keys.push((BudgetScope::User, String::new()));
    keys.push((BudgetScope::Month, scopes.month.clone()));
    keys
}

async fn ensure(tx: &Tx, owner: OwnerId, scope: BudgetScope, key: &str) -> Result<()> {
    let limit = standing_limit(tx, owner, scope, key).await?;
    let row = budget::ActiveModel {
        id: Set(Uuid::now_v7()),
        owner_id: Set(owner.0),
        scope: Set(word(&scope)),
        key: Set(clean(key)),
        limit_micro_usd: Set(limit.map(|limit| limit.0)),
        reserved_micro_usd: Set(0),
        spent_micro_usd: Set(0),
        created_at: Set(now()),
    };
    let by_key = [
        budget::Column::OwnerId,
        budget::Column::Scope,
        budget::Column::Key,
    ];
    budget::Entity::insert(row)
        .on_conflict(OnConflict::columns(by_key).do_nothing().to_owned())
        .exec_without_returning(tx.connection())
        .await
        .doing("make a budget")?;
    Ok(())
}

/// The limit that a budget without a row has: a month has that of the newest month before it.
async fn standing_limit(
    db: &impl Read,
    owner: OwnerId,
    scope: BudgetScope,
    key: &str,
) -> Result<Option<MicroUsd>> {
    if scope != BudgetScope::Month {
        return Ok(None);
    }
    let before = budget::Entity::find()
        .filter(budget::Column::OwnerId.eq(owner.0))
        .filter(budget::Column::Scope.eq(word(&scope)))
        .filter(budget::Column::Key.lt(key))
        .order_by_desc(budget::Column::Key)
        .one(db.connection())
        .await
        .doing("read the budget of an earlier month")?;
    Ok(before.and_then(|row| row.limit_micro_usd).map(MicroUsd))
}

fn of(owner: OwnerId, scope: BudgetScope, key: &str) -> Condition {
    Condition::all()
        .add(budget::Column::OwnerId.eq(owner.0))
        .add(budget::Column::Scope.eq(word(&scope)))
        .add(budget::Column::Key.eq(key))
}

fn to_budget(row: budget::Model) -> Result<Budget> {
    Ok(Budget {
        scope: unword("budgets.scope", &row.scope)?,
        key: row.key,
        limit_micro_usd: row.limit_micro_usd.map(MicroUsd),
        spent_micro_usd: MicroUsd(row.spent_micro_usd),
        reserved_micro_usd: MicroUsd(row.reserved_micro_usd),
    })
}
