//! What the provider has billed for machines that are gone, once it no longer changes.

use chrono::TimeDelta;
use protocol::problem::chain;
use store::{StoreError, spend};

use crate::{Orchestrator, orchestrator::time_delta, reconcile::ReconcileError, rentals::Rental};

/// Records come hours late at most.
const RECORDS_COME_WITHIN: TimeDelta = TimeDelta::days(2);

impl Orchestrator {
    /// Asks for the bills of machines that are gone. Records lag behind: one that has stayed as it is for a while
    /// after the end is final, and the difference to our own reckoning is moved.
    pub(super) async fn settle_bills(&self, rental: &Rental) -> Result<(), ReconcileError> {
        for instance in spend::unbilled(&self.store, rental.name()).await? {
            let (Some(handle), Some(gone_at)) = (&instance.handle, instance.gone_at) else {
                continue;
            };
            let now = rental.clock.now();
            let wait = time_delta(rental.times.bill);
            // The first look is soon; the next ones when the answer can matter.
            let is_due = match instance.bill_seen {
                None => true,
                Some((_, since)) => now - since.max(gone_at) >= wait,
            };
            if !is_due {
                continue;
            }
            let bill = match rental.landlord.billed(handle, instance.ordered_at).await {
                // No record yet: that is not a bill of nothing, unless it stays so for long.
                Ok(bill) if bill.n_records == 0 && now - gone_at < RECORDS_COME_WITHIN => continue,
                Ok(bill) => bill.total,
                Err(err) => {
                    tracing::warn!(name = instance.name, error = chain(&err), "failed to read a bill");
                    continue;
                }
            };
            let tx = self.store.begin().await?;
            let outcome = match instance.bill_seen {
                Some((seen, since)) if seen == bill && now - since.max(gone_at) >= wait => {
                    tracing::info!(name = instance.name, %bill, accrued = %instance.accrued, "bill settled");
                    spend::settle_bill(&tx, &instance, bill, now).await
                }
                _ => spend::note_bill(&tx, &instance, bill, now).await,
            };
            match outcome {
                Ok(()) => tx.commit().await?,
                Err(StoreError::Stale { .. }) => {}
                Err(err) => return Err(err.into()),
            }
        }
        Ok(())
    }
}
