//! The cost of rented machines: booked in each pass, reported in the job's event stream, and settled when a machine
//! is gone.

use protocol::{
    MicroUsd,
    event::{Event, LogLevel},
    spend::InstancePhase,
};
use store::{
    Tx, drawing,
    events::{self, NewEvent},
    jobs,
    spend::{self, Accrual, Change, Instance, Payer},
};

use super::fresh;
use crate::{
    Orchestrator,
    reconcile::ReconcileError,
    rentals::{Rental, accrued},
    time::time_delta,
};

/// Of a job's limit: here its owner is warned, and a checkpoint is asked for.
const WARN_PERCENT: u32 = 80;

impl Orchestrator {
    /// Books what a machine has cost until now; returns the updated row.
    pub(super) async fn count(
        &self,
        tx: &Tx,
        rental: &Rental,
        instance: &Instance,
        rate: MicroUsd,
    ) -> Result<Instance, ReconcileError> {
        let now = rental.clock.now().max(instance.accrued_until);
        if instance.missing_since.is_some() {
            spend::note_missing(tx, instance, None).await?;
        }
        let accrual = Accrual {
            total: accrued(instance, rate, now),
            until: now,
            rate,
        };
        spend::accrue(tx, instance, accrual).await?;
        self.note_rate(tx, instance).await?;
        fresh(tx, instance).await
    }

    /// Reports the cost in the job's event stream; warns its owner once when most of the limit is used. A drawing session
    /// has no stream: its row says what it has cost.
    pub(super) async fn tell_spend(
        &self,
        tx: &Tx,
        rental: &Rental,
        payer: Payer,
    ) -> Result<(), ReconcileError> {
        let Payer::Job(id) = payer else { return Ok(()) };
        let job = jobs::state(tx, id).await?;
        let spend = job.spend;
        let now = store::now();
        let forecast = job.progress.map(|progress| {
            let left = std::time::Duration::try_from_secs_f64(progress.eta_seconds).unwrap_or_default();
            let left = left.saturating_mul(rental.time_scale);
            spend.spent_micro_usd + crate::rentals::cost(spend.rate_micro_usd, time_delta(left))
        });
        let mut news = vec![NewEvent::of_job(
            now,
            Event::Spend {
                spent_micro_usd: spend.spent_micro_usd,
                rate_micro_usd: spend.rate_micro_usd,
                limit_micro_usd: spend.limit_micro_usd,
                forecast_micro_usd: forecast,
            },
        )];
        let warned_from = spend
            .limit_micro_usd
            .and_then(|limit| limit.checked_percent(WARN_PERCENT));
        if let (Some(from), Some(limit), false) = (warned_from, spend.limit_micro_usd, job.is_spend_warned)
            && spend.spent_micro_usd >= from
        {
            news.push(NewEvent::of_job(
                now,
                Event::Log {
                    level: LogLevel::Warning,
                    message: format!(
                        "{} of the limit of {limit} is spent; the job stops with a checkpoint before it passes it",
                        spend.spent_micro_usd
                    ),
                },
            ));
            jobs::set_spend_warned(tx, job.id).await?;
            jobs::request_checkpoint(tx, job.id).await?;
        }
        events::append(tx, job.id, news).await?;
        Ok(())
    }

    /// What an hour of the living machines of a job or a drawing session costs.
    pub(super) async fn note_rate(&self, tx: &Tx, instance: &Instance) -> Result<(), ReconcileError> {
        let living = spend::living_of(tx, instance.payer).await?;
        let seen = living.iter().filter(|instance| instance.handle.is_some());
        let rate = seen.map(|instance| instance.rate).sum();
        match instance.payer {
            Payer::Job(id) => jobs::set_rate(tx, id, rate).await?,
            Payer::Drawing(id) => drawing::set_rate(tx, id, rate).await?,
        }
        Ok(())
    }

    /// A machine is confirmed gone: its whole cost is booked, and its reservation released.
    pub(super) async fn gone(
        &self,
        tx: &Tx,
        rental: &Rental,
        instance: &Instance,
        reason: &str,
    ) -> Result<(), ReconcileError> {
        let now = rental.clock.now();
        let mut instance = instance.clone();
        if instance.handle.is_some() {
            // Seconds are all that the provider's clock tells.
            let until = instance.missing_since.unwrap_or(now) + chrono::TimeDelta::seconds(1);
            let until = until.max(instance.accrued_until);
            let accrual = Accrual {
                total: accrued(&instance, instance.rate, until),
                until,
                rate: instance.rate,
            };
            spend::accrue(tx, &instance, accrual).await?;
            instance = fresh(tx, &instance).await?;
        }
        if instance.accrued > instance.reserved {
            let overshoot = instance.accrued - instance.reserved;
            tracing::error!(name = instance.name, %overshoot, "a machine has cost more than was reserved");
        }
        spend::release(tx, &instance, MicroUsd::ZERO, now).await?;
        let change = Change {
            to: InstancePhase::Gone,
            reason: Some(reason.to_owned()),
            at: now,
        };
        spend::change(tx, &instance, change).await?;
        self.note_rate(tx, &instance).await?;
        if instance.handle.is_some() {
            self.tell_spend(tx, rental, instance.payer).await?;
        }
        tx.wake_on_commit();
        tracing::info!(name = instance.name, cost = %instance.accrued, reason, "rented machine gone");
        Ok(())
    }
}
