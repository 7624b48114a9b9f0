//! Rows of rented machines. Each is committed, with its name and its reservation, before the provider is asked.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use protocol::{
    AttemptId, DrawingSessionId, JobId, MicroUsd, OwnerId,
    spend::{CloudTier, InstancePhase, RentedInstance},
};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, UpdateMany, sea_query::Expr,
};
use uuid::Uuid;

use super::{Scopes, ledger, month_of};
use crate::{
    Read, Result, StoreError, Tx,
    db::{
        entities::{attempt, rented_instance as instance},
        insert,
    },
    drawing,
    error::Doing,
    spend::Shortage,
    words::{clean, unword, word},
};

/// What a machine is rented for, and whose limit pays for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Payer {
    /// A training.
    Job(JobId),
    /// A drawing session.
    Drawing(DrawingSessionId),
}

impl Payer {
    /// The columns that refer to it: of jobs and drawing sessions.
    pub(super) fn columns(self) -> (Option<Uuid>, Option<Uuid>) {
        match self {
            Self::Job(id) => (Some(id.0), None),
            Self::Drawing(id) => (None, Some(id.0)),
        }
    }

    /// What the columns say.
    fn of(job: Option<Uuid>, drawing: Option<Uuid>) -> Result<Self> {
        match (job, drawing) {
            (Some(id), _) => Ok(Self::Job(JobId(id))),
            (None, Some(id)) => Ok(Self::Drawing(DrawingSessionId(id))),
            (None, None) => Err(StoreError::corrupt("rented_instances", "for nothing")),
        }
    }

    /// Its id, whatever it is.
    pub fn id(self) -> Uuid {
        match self {
            Self::Job(id) => id.0,
            Self::Drawing(id) => id.0,
        }
    }
}

/// A rented machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// Its id here.
    pub id: Uuid,
    /// The budgets that it keeps to.
    pub scopes: Scopes,
    /// What it was ordered for.
    pub payer: Payer,
    /// Which try of it.
    pub attempt: AttemptId,
    /// Who rents it out.
    pub provider: String,
    /// Its name there, which nothing else ever has.
    pub name: String,
    /// The provider's id, once it is known.
    pub handle: Option<String>,
    /// Where it stands.
    pub phase: InstancePhase,
    /// What an hour costs now.
    pub rate: MicroUsd,
    /// What an hour may cost at most by the reservation.
    pub rate_cap: MicroUsd,
    /// What was reserved in all.
    pub reserved: MicroUsd,
    /// What it has cost until `accrued_until`, at most.
    pub accrued: MicroUsd,
    /// When it was ordered; from then on it is counted as costing.
    pub ordered_at: DateTime<Utc>,
    /// When it must be gone.
    pub deadline_at: DateTime<Utc>,
    /// See `accrued`.
    pub accrued_until: DateTime<Utc>,
    /// Since when the provider does not show it.
    pub missing_since: Option<DateTime<Utc>>,
    /// How often that was asked since.
    pub n_missing: u32,
    /// When it was given up looking for.
    pub abandoned_at: Option<DateTime<Utc>>,
    /// When it was confirmed gone.
    pub gone_at: Option<DateTime<Utc>>,
    /// The final bill.
    pub billed: Option<MicroUsd>,
    /// The bill at the newest look, and since when it is this.
    pub bill_seen: Option<(MicroUsd, DateTime<Utc>)>,
}

impl Instance {
    /// What is still set aside for it.
    pub fn held(&self) -> MicroUsd {
        match self.phase {
            InstancePhase::Gone => MicroUsd::ZERO,
            _ => (self.reserved - self.accrued).max(MicroUsd::ZERO),
        }
    }
}

/// A machine to be ordered.
#[derive(Debug, Clone, PartialEq)]
pub struct NewInstance<'a> {
    /// What for.
    pub payer: Payer,
    /// Who owns that.
    pub owner: OwnerId,
    /// The project of that, if it has one.
    pub project: Option<&'a str>,
    /// Which try of it.
    pub attempt: AttemptId,
    /// Who rents it out.
    pub provider: &'a str,
    /// Its name.
    pub name: String,
    /// GPU type.
    pub gpu: &'a str,
    /// GPUs in it.
    pub n_gpus: u32,
    /// Tier.
    pub cloud: CloudTier,
    /// Place; the provider chooses when absent.
    pub data_center: Option<&'a str>,
    /// What an hour costs by the catalogue.
    pub rate: MicroUsd,
    /// What an hour may cost at most.
    pub rate_cap: MicroUsd,
    /// What it may cost in all.
    pub reserved: MicroUsd,
    /// Now, by the provider's clock.
    pub ordered_at: DateTime<Utc>,
    /// When it must be gone.
    pub deadline_at: DateTime<Utc>,
}

/// Commits the intent and sets its worst case aside; or says which budget has too little, and writes nothing.
pub async fn open(tx: &Tx, new: NewInstance<'_>) -> Result<std::result::Result<Instance, Shortage>> {
    let scopes = Scopes {
        owner: new.owner,
        project: new.project.map(str::to_owned),
        month: month_of(new.ordered_at),
    };
    if let Some(shortage) = ledger::shortage(tx, new.payer, &scopes, new.reserved).await? {
        return Ok(Err(shortage));
    }
    let (job_id, drawing_session_id) = new.payer.columns();
    let row = instance::Model {
        id: Uuid::now_v7(),
        owner_id: scopes.owner.0,
        job_id,
        drawing_session_id,
        attempt_id: new.attempt.0,
        project: scopes.project.clone(),
        month: scopes.month.clone(),
        provider: new.provider.to_owned(),
        name: new.name,
        handle: None,
        phase: word(&InstancePhase::Intent),
        reason: None,
        gpu: new.gpu.to_owned(),
        n_gpus: new.n_gpus.cast_signed(),
        cloud: word(&new.cloud),
        data_center: new.data_center.map(str::to_owned),
        rate_micro_usd: new.rate.0,
        rate_cap_micro_usd: new.rate_cap.0,
        reserved_micro_usd: 0,
        accrued_micro_usd: 0,
        billed_micro_usd: None,
        bill_seen_micro_usd: None,
        bill_seen_at: None,
        ordered_at: new.ordered_at,
        deadline_at: new.deadline_at,
        accrued_until: new.ordered_at,
        missing_since: None,
        n_missing: 0,
        abandoned_at: None,
        gone_at: None,
    };
    insert(tx.connection(), row.clone(), "store a rented instance").await?;
    let mut opened = to_instance(row)?;
    ledger::reserve(tx, &opened, new.reserved, new.ordered_at).await?;
    opened.reserved = new.reserved;
    Ok(Ok(opened))
}

/// Every machine of a provider that is not confirmed gone, the oldest first.
pub async fn alive(db: &impl Read, provider: &str) -> Result<Vec<Instance>> {
    list(
        db,
        Condition::all()
            .add(instance::Column::Provider.eq(provider))
            .add(is_alive()),
    )
    .await
}

/// The machines of a job or a drawing session that are not confirmed gone.
pub async fn living_of(db: &impl Read, payer: Payer) -> Result<Vec<Instance>> {
    list(db, Condition::all().add(is_for(payer)).add(is_alive())).await
}

/// The machines that were ordered for a job or a drawing session, the newest last.
pub async fn of_payer(db: &impl Read, payer: Payer) -> Result<Vec<Instance>> {
    list(db, is_for(payer)).await
}

/// The machines that were ordered for an attempt, the newest last.
pub async fn of_attempt(db: &impl Read, attempt: AttemptId) -> Result<Vec<Instance>> {
    list(
        db,
        Condition::all().add(instance::Column::AttemptId.eq(attempt.0)),
    )
    .await
}

/// Machines that are gone and whose bill is not final.
pub async fn unbilled(db: &impl Read, provider: &str) -> Result<Vec<Instance>> {
    list(
        db,
        Condition::all()
            .add(instance::Column::Provider.eq(provider))
            .add(instance::Column::Phase.eq(word(&InstancePhase::Gone)))
            .add(instance::Column::BilledMicroUsd.is_null()),
    )
    .await
}

/// One machine, by its name.
pub async fn get(db: &impl Read, name: &str) -> Result<Option<Instance>> {
    let found = list(db, Condition::all().add(instance::Column::Name.eq(name))).await?;
    Ok(found.into_iter().next())
}

/// The provider's ids of all machines that were ever ours.
pub async fn handles(db: &impl Read, provider: &str) -> Result<BTreeSet<String>> {
    let handles: Vec<Option<String>> = instance::Entity::find()
        .select_only()
        .column(instance::Column::Handle)
        .filter(instance::Column::Provider.eq(provider))
        .into_tuple()
        .all(db.connection())
        .await
        .doing("read the ids of rented instances")?;
    Ok(handles.into_iter().flatten().collect())
}

/// The GPU of each job of an owner that had machines of one kind only.
pub async fn gpus_of_jobs(db: &impl Read, owner: OwnerId) -> Result<HashMap<JobId, String>> {
    let rows: Vec<(Uuid, String)> = instance::Entity::find()
        .select_only()
        .column(instance::Column::JobId)
        .column(instance::Column::Gpu)
        .filter(instance::Column::OwnerId.eq(owner.0))
        .filter(instance::Column::JobId.is_not_null())
        .filter(instance::Column::Handle.is_not_null())
        .into_tuple()
        .all(db.connection())
        .await
        .doing("look for the GPUs of jobs")?;
    let mut kinds: HashMap<JobId, BTreeSet<String>> = HashMap::new();
    for (job, gpu) in rows {
        kinds.entry(JobId(job)).or_default().insert(gpu);
    }
    kinds.retain(|_, gpus| gpus.len() == 1);
    Ok(kinds
        .into_iter()
        .filter_map(|(job, gpus)| Some((job, gpus.into_iter().next()?)))
        .collect())
}

/// Machines of an owner for a person: those that live, then the newest of the others; `limit` of them.
pub async fn overview(db: &impl Read, owner: OwnerId, limit: u64) -> Result<Vec<RentedInstance>> {
    let rows = instance::Entity::find()
        .filter(instance::Column::OwnerId.eq(owner.0))
        .order_by_asc(Expr::cust("rented_instances.phase = 'gone'"))
        .order_by_desc(instance::Column::Id)
        .limit(limit)
        .all(db.connection())
        .await
        .doing("list rented instances")?;
    let tries: HashMap<Uuid, i32> = attempt::Entity::find()
        .select_only()
        .column(attempt::Column::Id)
        .column(attempt::Column::N)
        .filter(attempt::Column::Id.is_in(rows.iter().map(|row| row.attempt_id)))
        .into_tuple()
        .all(db.connection())
        .await
        .doing("read the attempts of rented instances")?
        .into_iter()
        .collect();
    let sessions = rows.iter().filter_map(|row| row.drawing_session_id).collect();
    let names = drawing::names(db, sessions).await?;
    rows.into_iter()
        .map(|row| {
            Ok(RentedInstance {
                name: row.name,
                provider: row.provider,
                handle: row.handle,
                job_id: row.job_id.map(JobId),
                drawing_session_id: row.drawing_session_id.map(DrawingSessionId),
                drawing_session: row.drawing_session_id.and_then(|id| names.get(&id).cloned()),
                attempt: tries.get(&row.attempt_id).map_or(0, |n| n.unsigned_abs()),
                phase: unword("rented_instances.phase", &row.phase)?,
                gpu: row.gpu,
                n_gpus: row.n_gpus.unsigned_abs(),
                rate_micro_usd: MicroUsd(row.rate_micro_usd),
                reserved_micro_usd: MicroUsd(row.reserved_micro_usd),
                accrued_micro_usd: MicroUsd(row.accrued_micro_usd),
                billed_micro_usd: row.billed_micro_usd.map(MicroUsd),
                ordered_at: row.ordered_at,
                deadline_at: row.deadline_at,
                gone_at: row.gone_at,
            })
        })
        .collect()
}

/// A change of phase, by compare-and-set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The new one.
    pub to: InstancePhase,
    /// Why, for a person.
    pub reason: Option<String>,
    /// Now, by the provider's clock.
    pub at: DateTime<Utc>,
}

/// Moves a machine to another phase; [`StoreError::Stale`] when somebody else has moved it.
pub async fn change(tx: &Tx, instance: &Instance, change: Change) -> Result<()> {
    let mut update = instance::Entity::update_many()
        .col_expr(instance::Column::Phase, Expr::value(word(&change.to)))
        .col_expr(
            instance::Column::Reason,
            Expr::value(change.reason.as_deref().map(clean)),
        );
    match change.to {
        InstancePhase::Gone => {
            update = update.col_expr(instance::Column::GoneAt, Expr::value(change.at));
            // A machine that never existed cannot be billed. One that was not found may have existed.
            if instance.handle.is_none() && instance.phase != InstancePhase::Abandoned {
                update = update.col_expr(instance::Column::BilledMicroUsd, Expr::value(0_i64));
            }
        }
        InstancePhase::Abandoned => {
            update = update.col_expr(instance::Column::AbandonedAt, Expr::value(change.at));
        }
        _ => {}
    }
    apply(tx, instance, update, "change the phase of a rented instance").await
}

/// Notes that the provider has it.
pub async fn adopt(tx: &Tx, instance: &Instance, to: InstancePhase, handle: &str) -> Result<()> {
    let update = instance::Entity::update_many()
        .col_expr(instance::Column::Phase, Expr::value(word(&to)))
        .col_expr(instance::Column::Handle, Expr::value(handle))
        .col_expr(instance::Column::MissingSince, Expr::value(None::<DateTime<Utc>>))
        .col_expr(instance::Column::NMissing, Expr::value(0));
    apply(tx, instance, update, "adopt a rented instance").await
}

/// Notes which machine it was, after its end.
pub async fn identify(tx: &Tx, instance: &Instance, handle: &str) -> Result<()> {
    let update = instance::Entity::update_many()
        .col_expr(instance::Column::Handle, Expr::value(handle))
        .filter(instance::Column::Handle.is_null());
    apply(tx, instance, update, "identify a rented instance").await
}

/// Notes that a machine that was confirmed gone is there after all.
pub async fn reopen(tx: &Tx, instance: &Instance, change: Change, handle: &str) -> Result<()> {
    let update = instance::Entity::update_many()
        .col_expr(instance::Column::Phase, Expr::value(word(&change.to)))
        .col_expr(
            instance::Column::Reason,
            Expr::value(change.reason.as_deref().map(clean)),
        )
        .col_expr(instance::Column::Handle, Expr::value(handle))
        .col_expr(instance::Column::GoneAt, Expr::value(None::<DateTime<Utc>>))
        .col_expr(instance::Column::BilledMicroUsd, Expr::value(None::<i64>))
        .col_expr(instance::Column::MissingSince, Expr::value(None::<DateTime<Utc>>))
        .col_expr(instance::Column::NMissing, Expr::value(0));
    apply(tx, instance, update, "reopen a rented instance").await?;
    match instance.billed {
        // The difference is moved once, when the bill is final again.
        Some(bill) if instance.handle.is_some() => ledger::undo_true_up(tx, instance, bill, change.at).await,
        _ => Ok(()),
    }
}

/// Notes that the provider does not show it, or shows it again (`None`).
pub async fn note_missing(tx: &Tx, instance: &Instance, at: Option<DateTime<Utc>>) -> Result<()> {
    let (since, n) = match at {
        Some(at) => (
            Some(instance.missing_since.unwrap_or(at)),
            instance.n_missing.cast_signed() + 1,
        ),
        None => (None, 0),
    };
    let update = instance::Entity::update_many()
        .col_expr(instance::Column::MissingSince, Expr::value(since))
        .col_expr(instance::Column::NMissing, Expr::value(n));
    apply(tx, instance, update, "note a missing instance").await
}

/// Notes the bill at a look; the time stays when the amount does.
pub async fn note_bill(tx: &Tx, instance: &Instance, amount: MicroUsd, at: DateTime<Utc>) -> Result<()> {
    let since = match instance.bill_seen {
        Some((seen, since)) if seen == amount => since,
        _ => at,
    };
    let update = instance::Entity::update_many()
        .col_expr(instance::Column::BillSeenMicroUsd, Expr::value(amount.0))
        .col_expr(instance::Column::BillSeenAt, Expr::value(since));
    apply(tx, instance, update, "note a bill").await
}

/// Writes the final bill down, and moves the difference.
pub async fn settle_bill(tx: &Tx, instance: &Instance, amount: MicroUsd, at: DateTime<Utc>) -> Result<()> {
    let update = instance::Entity::update_many()
        .col_expr(instance::Column::BilledMicroUsd, Expr::value(amount.0))
        .filter(instance::Column::BilledMicroUsd.is_null());
    apply(tx, instance, update, "settle a bill").await?;
    ledger::true_up(tx, instance, amount, at).await
}

/// Changes a machine that is still as it was read.
async fn apply(
    tx: &Tx,
    instance: &Instance,
    update: UpdateMany<instance::Entity>,
    doing: &'static str,
) -> Result<()> {
    let done = update
        .filter(instance::Column::Id.eq(instance.id))
        .filter(instance::Column::Phase.eq(word(&instance.phase)))
        .exec(tx.connection())
        .await
        .doing(doing)?;
    if done.rows_affected == 0 {
        return Err(StoreError::stale("rented instance", instance.id));
    }
    Ok(())
}

fn is_for(payer: Payer) -> Condition {
    Condition::all().add(match payer {
        Payer::Job(id) => instance::Column::JobId.eq(id.0),
        Payer::Drawing(id) => instance::Column::DrawingSessionId.eq(id.0),
    })
}

fn is_alive() -> Condition {
    Condition::all().add(instance::Column::Phase.ne(word(&InstancePhase::Gone)))
}

async fn list(db: &impl Read, condition: Condition) -> Result<Vec<Instance>> {
    let rows = db
        .hold(instance::Entity::find())
        .filter(condition)
        .order_by_asc(instance::Column::Id)
        .all(db.connection())
        .await
        .doing("read rented instances")?;
    rows.into_iter().map(to_instance).collect()
}

fn to_instance(row: instance::Model) -> Result<Instance> {
    Ok(Instance {
        id: row.id,
        scopes: Scopes {
            owner: OwnerId(row.owner_id),
            project: row.project,
            month: row.month,
        },
        payer: Payer::of(row.job_id, row.drawing_session_id)?,
        attempt: AttemptId(row.attempt_id),
        provider: row.provider,
        name: row.name,
        handle: row.handle,
        phase: unword("rented_instances.phase", &row.phase)?,
        rate: MicroUsd(row.rate_micro_usd),
        rate_cap: MicroUsd(row.rate_cap_micro_usd),
        reserved: MicroUsd(row.reserved_micro_usd),
        accrued: MicroUsd(row.accrued_micro_usd),
        ordered_at: row.ordered_at,
        deadline_at: row.deadline_at,
        accrued_until: row.accrued_until,
        missing_since: row.missing_since,
        n_missing: row.n_missing.unsigned_abs(),
        abandoned_at: row.abandoned_at,
        gone_at: row.gone_at,
        billed: row.billed_micro_usd.map(MicroUsd),
        bill_seen: row.bill_seen_micro_usd.map(MicroUsd).zip(row.bill_seen_at),
    })
}
