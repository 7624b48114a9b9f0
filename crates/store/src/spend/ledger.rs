//! The ledger: every movement of money, and the sums that it changes.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use protocol::{
    DrawingSessionId, JobId, MicroUsd, OwnerId,
    spend::{Budget, BudgetScope, LedgerAccount, LedgerEntry, LedgerKind},
};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait},
};
use uuid::Uuid;

use super::{Instance, Payer, Scopes, budgets};
use crate::{
    Read, Result, StoreError, Tx,
    db::{
        entities::{drawing_session, job, ledger_entry, rented_instance as instance},
        insert,
    },
    drawing,
    error::Doing,
    words::{unword, word},
};

/// A budget that has too little left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    /// Which; that of the job or drawing session comes first.
    pub budget: Budget,
    /// What was to be reserved.
    pub wanted: MicroUsd,
}

/// The first budget that cannot take another reservation. What it reads stays as it is until the transaction ends.
pub(super) async fn shortage(
    tx: &Tx,
    payer: Payer,
    scopes: &Scopes,
    wanted: MicroUsd,
) -> Result<Option<Shortage>> {
    let mut all = vec![of_payer(tx, payer).await?];
    all.extend(budgets::budgets_for(tx, scopes).await?);
    let short = |budget: &Budget| budget.left().is_some_and(|left| left < wanted);
    Ok(all
        .into_iter()
        .find(short)
        .map(|budget| Shortage { budget, wanted }))
}

/// The budget that leaves least to the next machine of a job or drawing session; `None` when no limit is set.
pub async fn tightest(db: &impl Read, payer: Payer, scopes: &Scopes) -> Result<Option<Budget>> {
    let mut all = vec![of_payer(db, payer).await?];
    all.extend(budgets::budgets_for(db, scopes).await?);
    all.retain(|budget| budget.limit_micro_usd.is_some());
    Ok(all.into_iter().min_by_key(Budget::left))
}

/// The own budget of a job or a drawing session.
async fn of_payer(db: &impl Read, payer: Payer) -> Result<Budget> {
    let id = match payer {
        Payer::Job(id) => return of_job(db, id).await,
        Payer::Drawing(id) => id,
    };
    let row = db
        .hold(drawing_session::Entity::find_by_id(id.0))
        .one(db.connection())
        .await
        .doing("read the budget of a drawing session")?
        .ok_or_else(|| StoreError::not_found("drawing session", id))?;
    Ok(Budget {
        scope: BudgetScope::Drawing,
        key: id.to_string(),
        limit_micro_usd: Some(MicroUsd(row.limit_micro_usd)),
        spent_micro_usd: MicroUsd(row.spent_micro_usd),
        reserved_micro_usd: MicroUsd(row.reserved_micro_usd),
    })
}

/// A job's own budget.
async fn of_job(db: &impl Read, id: JobId) -> Result<Budget> {
    let row = db
        .hold(job::Entity::find_by_id(id.0))
        .one(db.connection())
        .await
        .doing("read the budget of a job")?
        .ok_or_else(|| StoreError::not_found("job", id))?;
    Ok(Budget {
        scope: BudgetScope::Job,
        key: id.to_string(),
        limit_micro_usd: row.limit_micro_usd.map(MicroUsd),
        spent_micro_usd: MicroUsd(row.spent_micro_usd),
        reserved_micro_usd: MicroUsd(row.reserved_micro_usd),
    })
}

/// Sets money aside. [`shortage`] has said in this transaction that there is enough.
pub(super) async fn reserve(tx: &Tx, instance: &Instance, amount: MicroUsd, at: DateTime<Utc>) -> Result<()> {
    let movement = Movement {
        kind: LedgerKind::Reserve,
        from: LedgerAccount::Available,
        to: LedgerAccount::Reserved,
        amount,
        at,
    };
    post(tx, instance, movement).await?;
    raise_reservation(tx, instance, amount).await
}

/// Sets more aside for a machine that became dearer; or says which budget has too little, and changes nothing.
pub async fn top_up(
    tx: &Tx,
    instance: &Instance,
    amount: MicroUsd,
    at: DateTime<Utc>,
) -> Result<std::result::Result<(), Shortage>> {
    if let Some(shortage) = shortage(tx, instance.payer, &instance.scopes, amount).await? {
        return Ok(Err(shortage));
    }
    let movement = Movement {
        kind: LedgerKind::TopUp,
        from: LedgerAccount::Available,
        to: LedgerAccount::Reserved,
        amount,
        at,
    };
    post(tx, instance, movement).await?;
    raise_reservation(tx, instance, amount).await.map(Ok)
}

/// What a machine has cost since the last look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accrual {
    /// In all, since it was ordered.
    pub total: MicroUsd,
    /// Until then, by the provider's clock.
    pub until: DateTime<Utc>,
    /// What an hour costs from then on.
    pub rate: MicroUsd,
}

/// Counts what a machine has cost; of two that look at the same time, one. What goes beyond the reservation is
/// counted as well, so that nothing is launched with it.
pub async fn accrue(tx: &Tx, instance: &Instance, accrual: Accrual) -> Result<()> {
    let done = instance::Entity::update_many()
        .col_expr(instance::Column::AccruedMicroUsd, Expr::value(accrual.total.0))
        .col_expr(instance::Column::AccruedUntil, Expr::value(accrual.until))
        .col_expr(instance::Column::RateMicroUsd, Expr::value(accrual.rate.0))
        .filter(instance::Column::Id.eq(instance.id))
        .filter(instance::Column::AccruedMicroUsd.eq(instance.accrued.0))
        .filter(instance::Column::Phase.eq(word(&instance.phase)))
        .exec(tx.connection())
        .await
        .doing("count what an instance costs")?;
    if done.rows_affected == 0 {
        return Err(StoreError::stale("rented instance", instance.id));
    }
    let covered = instance.held().min(accrual.total - instance.accrued);
    let beyond = accrual.total - instance.accrued - covered;
    for (from, amount) in [
        (LedgerAccount::Reserved, covered),
        (LedgerAccount::Available, beyond),
    ] {
        let movement = Movement {
            kind: LedgerKind::Accrue,
            from,
            to: LedgerAccount::Spent,
            amount,
            at: accrual.until,
        };
        post(tx, instance, movement).await?;
    }
    Ok(())
}

/// Gives back what is set aside for a machine, down to `keep`.
pub async fn release(tx: &Tx, instance: &Instance, keep: MicroUsd, at: DateTime<Utc>) -> Result<()> {
    let amount = instance.held() - keep;
    if amount <= MicroUsd::ZERO {
        return Ok(());
    }
    let movement = Movement {
        kind: LedgerKind::Release,
        from: LedgerAccount::Reserved,
        to: LedgerAccount::Available,
        amount,
        at,
    };
    post(tx, instance, movement).await?;
    raise_reservation(tx, instance, MicroUsd::ZERO - amount).await
}

/// Moves the difference between our reckoning and the provider's bill.
pub(super) async fn true_up(tx: &Tx, instance: &Instance, bill: MicroUsd, at: DateTime<Utc>) -> Result<()> {
    move_difference(tx, instance, bill - instance.accrued, at).await
}

/// The machine has cost more since: the difference is not final.
pub(super) async fn undo_true_up(
    tx: &Tx,
    instance: &Instance,
    bill: MicroUsd,
    at: DateTime<Utc>,
) -> Result<()> {
    move_difference(tx, instance, instance.accrued - bill, at).await
}

async fn move_difference(
    tx: &Tx,
    instance: &Instance,
    difference: MicroUsd,
    at: DateTime<Utc>,
) -> Result<()> {
    let (from, to) = if difference > MicroUsd::ZERO {
        (LedgerAccount::Available, LedgerAccount::Spent)
    } else {
        (LedgerAccount::Spent, LedgerAccount::Available)
    };
    let movement = Movement {
        kind: LedgerKind::TrueUp,
        from,
        to,
        amount: MicroUsd(difference.0.saturating_abs()),
        at,
    };
    post(tx, instance, movement).await
}

/// Entries of an owner, of one job or drawing session only if it is given, the newest first.
pub async fn entries(
    db: &impl Read,
    owner: OwnerId,
    payer: Option<Payer>,
    limit: u64,
) -> Result<Vec<LedgerEntry>> {
    let mut query = ledger_entry::Entity::find().filter(ledger_entry::Column::OwnerId.eq(owner.0));
    query = match payer {
        Some(Payer::Job(id)) => query.filter(ledger_entry::Column::JobId.eq(id.0)),
        Some(Payer::Drawing(id)) => query.filter(ledger_entry::Column::DrawingSessionId.eq(id.0)),
        None => query,
    };
    let rows = query
        .order_by_desc(ledger_entry::Column::Id)
        .limit(limit)
        .all(db.connection())
        .await
        .doing("read the ledger")?;
    let names: HashMap<Uuid, String> = instance::Entity::find()
        .select_only()
        .column(instance::Column::Id)
        .column(instance::Column::Name)
        .filter(instance::Column::Id.is_in(rows.iter().map(|row| row.instance_id).collect::<BTreeSet<_>>()))
        .into_tuple()
        .all(db.connection())
        .await
        .doing("read the names of rented instances")?
        .into_iter()
        .collect();
    let sessions = rows.iter().filter_map(|row| row.drawing_session_id).collect();
    let drawings = drawing::names(db, sessions).await?;
    rows.into_iter()
        .map(|row| {
            Ok(LedgerEntry {
                at: row.at,
                instance: names.get(&row.instance_id).cloned().unwrap_or_default(),
                job_id: row.job_id.map(JobId),
                drawing_session_id: row.drawing_session_id.map(DrawingSessionId),
                drawing_session: row.drawing_session_id.and_then(|id| drawings.get(&id).cloned()),
                kind: unword("ledger_entries.kind", &row.kind)?,
                from: unword("ledger_entries.from_account", &row.from_account)?,
                to: unword("ledger_entries.to_account", &row.to_account)?,
                amount_micro_usd: MicroUsd(row.amount_micro_usd),
            })
        })
        .collect()
}

#[derive(Debug, Clone, Copy)]
struct Movement {
    kind: LedgerKind,
    from: LedgerAccount,
    to: LedgerAccount,
    amount: MicroUsd,
    at: DateTime<Utc>,
}

/// Writes an entry and changes the sums of the payer and of its budgets; nothing for an amount of zero.
async fn post(tx: &Tx, instance: &Instance, movement: Movement) -> Result<()> {
    let Movement {
        kind,
        from,
        to,
        amount,
        at,
    } = movement;
    if amount == MicroUsd::ZERO {
        return Ok(());
    }
    let (job_id, drawing_session_id) = instance.payer.columns();
    let row = ledger_entry::Model {
        id: Uuid::now_v7(),
        owner_id: instance.scopes.owner.0,
        job_id,
        drawing_session_id,
        instance_id: instance.id,
        at,
        kind: word(&kind),
        from_account: word(&from),
        to_account: word(&to),
        amount_micro_usd: amount.0,
    };
    insert(tx.connection(), row, "write the ledger").await?;
    let change = |account| match account {
        _ if account == to => amount.0,
        _ if account == from => -amount.0,
        _ => 0,
    };
    let (reserved, spent) = (change(LedgerAccount::Reserved), change(LedgerAccount::Spent));
    add(tx, instance.payer, reserved, spent).await?;
    budgets::add(tx, &instance.scopes, reserved, spent).await
}

/// Adds to the sums of a job or a drawing session.
async fn add(tx: &Tx, payer: Payer, reserved: i64, spent: i64) -> Result<()> {
    match payer {
        Payer::Job(id) => {
            job::Entity::update_many()
                .col_expr(
                    job::Column::ReservedMicroUsd,
                    Expr::col(job::Column::ReservedMicroUsd).add(reserved),
                )
                .col_expr(
                    job::Column::SpentMicroUsd,
                    Expr::col(job::Column::SpentMicroUsd).add(spent),
                )
                .filter(job::Column::Id.eq(id.0))
                .exec(tx.connection())
                .await
                .doing("change the budget of a job")?;
        }
        Payer::Drawing(id) => {
            drawing_session::Entity::update_many()
                .col_expr(
                    drawing_session::Column::ReservedMicroUsd,
                    Expr::col(drawing_session::Column::ReservedMicroUsd).add(reserved),
                )
                .col_expr(
                    drawing_session::Column::SpentMicroUsd,
                    Expr::col(drawing_session::Column::SpentMicroUsd).add(spent),
                )
                .filter(drawing_session::Column::Id.eq(id.0))
                .exec(tx.connection())
                .await
                .doing("change the budget of a drawing session")?;
        }
    }
    Ok(())
}

async fn raise_reservation(tx: &Tx, instance: &Instance, by: MicroUsd) -> Result<()> {
    instance::Entity::update_many()
        .col_expr(
            instance::Column::ReservedMicroUsd,
            Expr::col(instance::Column::ReservedMicroUsd).add(by.0),
        )
        .filter(instance::Column::Id.eq(instance.id))
        .exec(tx.connection())
        .await
        .doing("change a reservation")?;
    Ok(())
}
