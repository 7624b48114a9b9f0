//! What the provider has billed for machines that are gone, once it no longer changes.

use std::sync::PoisonError;

use chrono::{DateTime, TimeDelta, Utc};
use protocol::MicroUsd;
use rental::Bill;
use store::spend::{self, Accrual, Instance};

use super::{fresh, report};
use crate::{
    Orchestrator,
    reconcile::ReconcileError,
    rentals::{Rental, cost},
    time::time_delta,
};

/// Records come hours late at most.
const RECORDS_COME_WITHIN: TimeDelta = TimeDelta::days(2);
/// Number of times that the bills are read before one is final.
const LOOKS_AT_BILLS: i32 = 12;

impl Orchestrator {
    /// Asks for the bills of machines that are gone. Records lag behind: one that has stayed as it is for a while
    /// after the end is final, and the difference to our own reckoning is moved.
    pub(super) async fn settle_bills(&self, rental: &Rental) -> Result<(), ReconcileError> {
        let unbilled = spend::unbilled(&self.store, rental.name()).await?;
        for instance in &unbilled {
            if let Err(err) = self.settle(rental, instance).await {
                report(&instance.name, &err);
            }
        }
        let mut read = rental.bills_read.lock().unwrap_or_else(PoisonError::into_inner);
        read.retain(|id, _| unbilled.iter().any(|instance| instance.id == *id));
        Ok(())
    }

    async fn settle(&self, rental: &Rental, instance: &Instance) -> Result<(), ReconcileError> {
        let now = rental.clock.now();
        let Some(gone_at) = instance.gone_at else {
            return Ok(());
        };
        let wait = time_delta(rental.times.bill);
        // The first check is soon; the next ones when the answer can matter.
        let is_due = match instance.bill_seen {
            None => is_look_due(rental, instance, now),
            Some((_, since)) => now - since.max(gone_at) >= wait,
        };
        if !is_due {
            return Ok(());
        }
        let Some(handle) = &instance.handle else {
            return self.settle_unseen(rental, instance, gone_at).await;
        };
        let bills = rental.landlord.bills(instance.ordered_at, Some(handle)).await?;
        let bill = match bills.first() {
            Some(bill) => bill.total,
            // No record yet: that does not mean a bill of 0, unless it stays so for long.
            None if now - gone_at < RECORDS_COME_WITHIN => return Ok(()),
            None => MicroUsd::ZERO,
        };
        let tx = self.store.begin().await?;
        match instance.bill_seen {
            Some((seen, since)) if seen == bill && now - since.max(gone_at) >= wait => {
                tracing::info!(name = instance.name, %bill, accrued = %instance.accrued, "bill settled");
                spend::settle_bill(&tx, instance, bill, now).await?;
            }
            _ => spend::note_bill(&tx, instance, bill, now).await?,
        }
        tx.commit().await?;
        Ok(())
    }

    /// The bill of a machine that was never shown, if there was one.
    async fn settle_unseen(
        &self,
        rental: &Rental,
        instance: &Instance,
        gone_at: DateTime<Utc>,
    ) -> Result<(), ReconcileError> {
        let now = rental.clock.now();
        let found = self.bill_of_unseen(rental, instance).await?;
        let tx = self.store.begin().await?;
        match found {
            // From now on its bill is read like any other.
            Some(bill) => spend::identify(&tx, instance, &bill.id).await?,
            None if now - gone_at >= RECORDS_COME_WITHIN => {
                spend::settle_bill(&tx, instance, MicroUsd::ZERO, now).await?;
            }
            None => return Ok(()),
        }
        tx.commit().await?;
        Ok(())
    }

    /// An abandoned machine has not appeared, and will not. If it existed before any list showed it, it is billed.
    pub(super) async fn forget(&self, rental: &Rental, instance: &Instance) -> Result<(), ReconcileError> {
        let bill = self.bill_of_unseen(rental, instance).await?;
        let now = rental.clock.now();
        let tx = self.store.begin().await?;
        match bill {
            Some(bill) => {
                spend::identify(&tx, instance, &bill.id).await?;
                let accrual = Accrual {
                    total: bill.total,
                    until: now,
                    rate: instance.rate,
                };
                spend::accrue(&tx, instance, accrual).await?;
                let instance = fresh(&tx, instance).await?;
                self.gone(&tx, rental, &instance, "it was billed, and never shown")
                    .await?;
            }
            None => self.gone(&tx, rental, instance, "it was never shown").await?,
        }
        tx.commit().await?;
        Ok(())
    }

    /// A bill that can only be that of a machine that was never shown: one that is nobody else's, began after the
    /// order, and is not more than the machine may have cost. Bills name no machine, so it is found by elimination;
    /// an ambiguous bill is counted as ours, since spending less than a limit is acceptable, and exceeding it is not.
    async fn bill_of_unseen(
        &self,
        rental: &Rental,
        instance: &Instance,
    ) -> Result<Option<Bill>, ReconcileError> {
        // Machines that were there before have records from before.
        let a_day_before = instance.ordered_at - TimeDelta::days(1);
        let mut bills = rental.landlord.bills(a_day_before, None).await?;
        let known = spend::handles(&self.store, rental.name()).await?;
        let longest = instance.deadline_at - instance.ordered_at + time_delta(rental.times.kill);
        let most = cost(instance.rate_cap, longest);
        {
            let health = rental.health.lock().unwrap_or_else(PoisonError::into_inner);
            bills.retain(|bill| {
                !known.contains(&bill.id)
                    && !health.foreign.contains(&bill.id)
                    && bill.first_until > instance.ordered_at
                    && bill.total <= most
            });
        }
        bills.sort_by_key(|bill| (bill.first_until, std::cmp::Reverse(bill.total)));
        let bill = bills.into_iter().next();
        if let Some(bill) = &bill {
            tracing::warn!(name = instance.name, instance = bill.id, cost = %bill.total, "a machine that was never shown is billed");
        }
        Ok(bill)
    }
}

/// Whether a bill that has no record yet should be asked for again; notes that it is.
fn is_look_due(rental: &Rental, instance: &Instance, now: DateTime<Utc>) -> bool {
    let between = time_delta(rental.times.bill) / LOOKS_AT_BILLS;
    let mut read = rental.bills_read.lock().unwrap_or_else(PoisonError::into_inner);
    let is_due = read.get(&instance.id).is_none_or(|last| now - *last >= between);
    if is_due {
        read.insert(instance.id, now);
    }
    is_due
}
