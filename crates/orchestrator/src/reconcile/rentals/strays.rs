//! Machines without an active row: ours that reappeared or are unknown, and those of others.

use protocol::spend::InstancePhase;
use rental::{Machine, MachineName, deployment_mark};
use store::spend::{self, Change};

use super::fresh;
use crate::{Orchestrator, reconcile::ReconcileError, rentals::Rental, time::time_delta};

impl Orchestrator {
    /// A machine that no living row wants.
    pub(super) async fn reconcile_stray(
        &self,
        rental: &Rental,
        machine: &Machine,
    ) -> Result<(), ReconcileError> {
        let Ok(name) = machine.name.parse::<MachineName>() else {
            return Ok(());
        };
        if name.deployment() != deployment_mark(self.store.deployment()) {
            return Ok(());
        }
        let now = rental.clock.now();
        if let Some(instance) = spend::get(&self.store, &machine.name).await? {
            tracing::error!(
                name = machine.name,
                "a machine that was confirmed gone is back: ending it"
            );
            let tx = self.store.begin().await?;
            let change = Change {
                to: InstancePhase::Ending,
                reason: Some("it was confirmed gone, and came back".to_owned()),
                at: now,
            };
            spend::reopen(&tx, &instance, change, &machine.id).await?;
            let instance = fresh(&tx, &instance).await?;
            self.count(&tx, rental, &instance, machine.rate).await?;
            tx.commit().await?;
            rental.landlord.terminate(&machine.id).await?;
            return Ok(());
        }
        // Rows are committed before orders, so this machine belongs to no job, unless the database is an older copy
        // of itself.
        let is_old = machine
            .created_at
            .is_none_or(|created_at| now - created_at >= time_delta(rental.times.stray));
        let is_overdue = now >= name.deadline() + time_delta(rental.times.kill / 2);
        if is_old || is_overdue {
            tracing::error!(
                name = machine.name,
                "ending a machine that the database does not know"
            );
            rental.landlord.terminate(&machine.id).await?;
        }
        Ok(())
    }

    /// Notes what the account has besides.
    pub(super) fn note_health(&self, rental: &Rental, machines: &[Machine]) {
        let mark = deployment_mark(self.store.deployment());
        let is_ours = |machine: &&Machine| {
            let name = machine.name.parse::<MachineName>();
            name.is_ok_and(|name| name.deployment() == mark)
        };
        let foreign: Vec<&Machine> = machines.iter().filter(|machine| !is_ours(machine)).collect();
        let mut health = rental
            .health
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        health.seen_at = Some(store::now());
        health.n_foreign = u32::try_from(foreign.len()).unwrap_or(u32::MAX);
        health.foreign_rate = foreign.iter().map(|machine| machine.rate).sum();
        health
            .foreign
            .extend(foreign.iter().map(|machine| machine.id.clone()));
    }
}
