//! Rented machines: every one that exists or may exist is checked repeatedly until it is confirmed gone.
//!
//! One pass: list the machines, look at each row that is not gone ([`decide`] says what to do), end machines of ours
//! that no row wants, ask for the bills of those that are gone, and order machines for queued jobs ([`launch`]). Each
//! step is one transaction before or after one call; a pass that dies between them is repaired by the next one.

mod decide;
mod drawing;
mod intent;
mod launch;
mod mailbox;
mod money;
mod settle;
mod strays;
mod work;

use std::collections::HashMap;

use protocol::{
    phase::{AttemptPhase, Outcome},
    problem::chain,
    spend::InstancePhase,
};
use rental::{CallError, CallFault, Machine};
use store::{
    Tx,
    attempts::{self, Attempt},
    spend::{self, Accrual, Change, Instance},
};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use self::{
    decide::{Action, View, decide},
    work::Work,
};
use super::ReconcileError;
use crate::{
    Orchestrator,
    rentals::{Rental, accrued, missing_money},
    services::{AttemptEnd, SILENCE, end_rented_attempt, silent_for},
    watches::{Aspect, Mark},
};

impl From<CallError> for ReconcileError {
    fn from(err: CallError) -> Self {
        Self::Landlord(err)
    }
}

impl Orchestrator {
    /// Manages one landlord's machines until `shutdown`.
    pub(super) async fn repeat_rental(&self, rental: &Rental, shutdown: &CancellationToken) {
        let mut wakeups = self.store.signals().on_wake();
        let scaled = |time: std::time::Duration| time / rental.time_scale.max(1);
        let busy_tick = scaled(rental.times.busy_tick);
        let mut timer = tokio::time::interval(busy_tick);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looked_at = tokio::time::Instant::now() - scaled(rental.times.tick);
        let mut is_woken = false;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = wakeups.wait() => {
                    is_woken = true;
                    continue;
                }
                _ = timer.tick() => {}
            }
            let is_due = looked_at.elapsed() >= scaled(rental.times.tick);
            match self
                .rental_has_business(rental, std::mem::take(&mut is_woken))
                .await
            {
                Ok(true) => {}
                Ok(false) if is_due => {}
                Ok(false) => continue,
                Err(err) => tracing::error!(error = chain(&err), "failed to read what is rented"),
            }
            looked_at = tokio::time::Instant::now();
            if let Err(err) = self.reconcile_rental(rental).await {
                let provider = rental.name();
                tracing::error!(
                    provider,
                    error = chain(&err),
                    "failed to look after rented machines"
                );
            }
        }
    }

    /// Whether something should be done before the next regular pass.
    async fn rental_has_business(&self, rental: &Rental, is_woken: bool) -> Result<bool, ReconcileError> {
        use InstancePhase::{Ending, Intent, Live, Unknown};
        let alive = spend::alive(&self.store, rental.name()).await?;
        let is_unsettled = |instance: &Instance| matches!(instance.phase, Intent | Unknown | Ending);
        if alive.iter().any(is_unsettled) {
            return Ok(true);
        }
        // The reason for the wake-up: a job was queued, a drawing session asked for, or an attempt has ended.
        if !is_woken {
            return Ok(false);
        }
        for instance in alive.iter().filter(|instance| instance.phase == Live) {
            let attempt = attempts::get(&self.store, instance.attempt).await?;
            if attempt.phase == AttemptPhase::Gone {
                return Ok(true);
            }
        }
        if self.drawings_have_business(rental).await? {
            return Ok(true);
        }
        Ok(
            store::queue::next_job(&self.store, rental.name(), &[], store::now())
                .await?
                .is_some(),
        )
    }

    /// One pass.
    pub(crate) async fn reconcile_rental(&self, rental: &Rental) -> Result<(), ReconcileError> {
        self.refuse_late_drawings(rental).await?;
        let listed = match rental.landlord.list().await {
            Ok(listed) => listed,
            Err(
                err @ CallError {
                    fault: CallFault::Unauthorized(_),
                    ..
                },
            ) => {
                self.halt(rental, &chain(&err)).await?;
                return Err(err.into());
            }
            Err(err) => return Err(err.into()),
        };
        if let Some(at) = listed.at {
            rental.clock.heard(at);
        }
        let mut by_name: HashMap<&str, Vec<&Machine>> = HashMap::new();
        for machine in &listed.machines {
            by_name.entry(&machine.name).or_default().push(machine);
        }
        for instance in spend::alive(&self.store, rental.name()).await? {
            let shown = by_name.remove(instance.name.as_str()).unwrap_or_default();
            let (own, doubles): (Vec<&Machine>, Vec<&Machine>) = shown.into_iter().partition(|machine| {
                instance
                    .handle
                    .as_ref()
                    .is_none_or(|handle| *handle == machine.id)
            });
            let mut own = own.into_iter();
            let outcome = self.reconcile_instance(rental, &instance, own.next()).await;
            if let Err(err) = outcome {
                report(&instance.name, &err);
            }
            // Two machines for one order: whatever the cause, one must go.
            for double in own.chain(doubles) {
                tracing::error!(
                    instance = double.id,
                    name = double.name,
                    "ending a second machine of one order"
                );
                rental.landlord.terminate(&double.id).await?;
            }
        }
        for machine in by_name.into_values().flatten() {
            if let Err(err) = self.reconcile_stray(rental, machine).await {
                report(&machine.name, &err);
            }
        }
        self.withdraw_orphans(rental).await?;
        self.close_drawings(rental).await?;
        self.note_health(rental, &listed.machines);
        self.settle_bills(rental).await?;
        self.fill_rental(rental).await
    }

    async fn reconcile_instance(
        &self,
        rental: &Rental,
        instance: &Instance,
        shown: Option<&Machine>,
    ) -> Result<(), ReconcileError> {
        let now = rental.clock.now();
        let attempt = attempts::get(&self.store, instance.attempt).await?;
        let work = Work::read(&self.store, instance.payer).await?;
        let at = rental.clock.instant();
        let watch = |aspect, mark| rental.watches.unchanged_at(at, attempt.id.0, aspect, mark);
        let silent_for = match work.newest_use() {
            Some(used) => silent_for(rental, attempt.id, used),
            None => std::time::Duration::ZERO,
        };
        let lease = match work {
            Work::Job(_) => (attempt.fence, attempt.lease_until),
            // While it draws a picture, its agent renews the lease of that.
            Work::Drawing(..) => newest_lease(&attempts::alive_of_agent(&self.store, &attempt).await?),
        };
        let view = View {
            times: &rental.times,
            now,
            instance,
            shown,
            attempt: &attempt,
            work: &work,
            unrenewed_for: watch(Aspect::Lease, lease),
            requested_for: watch(Aspect::Request, (0, work.requested_at())),
            silent_for,
        };
        match decide(&view) {
            Action::Wait => Ok(()),
            Action::Adopt => match shown {
                Some(machine) => self.find(rental, instance, machine).await,
                None => Ok(()),
            },
            Action::Abandon => self.abandon(rental, instance).await,
            Action::Forget => self.forget(rental, instance).await,
            Action::Keep => match shown {
                Some(machine) => self.keep(rental, instance, machine, &work).await,
                None => Ok(()),
            },
            Action::LookCloser => self.look_closer(rental, instance).await,
            Action::End { reason, outcome } => self.end(rental, instance, &work, (reason, outcome)).await,
            Action::EndAgain => self.end_again(rental, instance, shown).await,
        }
    }

    /// The machine of an order that was not answered has shown up.
    async fn find(
        &self,
        rental: &Rental,
        instance: &Instance,
        machine: &Machine,
    ) -> Result<(), ReconcileError> {
        if self.adopt(rental, instance, machine).await? == Adopted::TooDear {
            let tx = self.store.begin().await?;
            let attempt = attempts::get(&tx, instance.attempt).await?;
            let end = AttemptEnd::again(Outcome::NeverStarted, TOO_DEAR, std::time::Duration::ZERO);
            end_rented_attempt(self, &tx, &attempt, end).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// The machine of an order exists: from now on it is managed by its id, and terminated if it is not needed.
    pub(super) async fn adopt(
        &self,
        rental: &Rental,
        instance: &Instance,
        machine: &Machine,
    ) -> Result<Adopted, ReconcileError> {
        let now = rental.clock.now();
        let tx = self.store.begin().await?;
        let attempt = attempts::get(&tx, instance.attempt).await?;
        let is_newest = spend::of_attempt(&tx, attempt.id)
            .await?
            .last()
            .is_some_and(|newest| newest.id == instance.id);
        // Given up already, or another one was ordered in its place.
        let is_wanted =
            attempt.phase != AttemptPhase::Gone && is_newest && instance.phase != InstancePhase::Abandoned;
        let adopted = match is_wanted {
            false => Adopted::Unwanted,
            true if machine.rate > instance.rate_cap => Adopted::TooDear,
            true => Adopted::Wanted,
        };
        let to = match adopted {
            Adopted::Wanted => InstancePhase::Live,
            Adopted::TooDear | Adopted::Unwanted => InstancePhase::Ending,
        };
        spend::adopt(&tx, instance, to, &machine.id).await?;
        let seen = fresh(&tx, instance).await?;
        let accrual = Accrual {
            total: accrued(&seen, machine.rate, now),
            until: now.max(seen.accrued_until),
            rate: machine.rate,
        };
        spend::accrue(&tx, &seen, accrual).await?;
        if adopted == Adopted::Wanted {
            let row = serde_json::json!({"name": instance.name, "id": machine.id});
            attempts::launched(&tx, &attempt, row).await?;
        }
        self.note_rate(&tx, instance).await?;
        tx.commit().await?;
        tracing::info!(
            instance = machine.id,
            name = instance.name,
            ?adopted,
            "rented machine found"
        );
        if adopted != Adopted::Wanted {
            rental.landlord.terminate(&machine.id).await?;
        }
        Ok(adopted)
    }

    /// The machine of an unanswered order was not found. Its name is never used again; part of the money stays
    /// reserved until it is certain that it does not exist.
    async fn abandon(&self, rental: &Rental, instance: &Instance) -> Result<(), ReconcileError> {
        let now = rental.clock.now();
        let tx = self.store.begin().await?;
        // An attempt is locked before what it is a try of.
        let attempt = attempts::get(&tx, instance.attempt).await?;
        let keep = rental.times.quarantined(instance, now);
        spend::release(&tx, instance, keep, now).await?;
        let reason = "the order was not answered, and the machine was not found";
        let change = Change {
            to: InstancePhase::Abandoned,
            reason: Some(reason.to_owned()),
            at: now,
        };
        spend::change(&tx, instance, change).await?;
        if attempt.phase != AttemptPhase::Gone {
            let end = AttemptEnd::again(Outcome::NeverStarted, reason, std::time::Duration::ZERO);
            end_rented_attempt(self, &tx, &attempt, end).await?;
        }
        tx.commit().await?;
        tracing::warn!(name = instance.name, "{reason}");
        Ok(())
    }

    /// Books what the machine has cost, and reserves more if its price has risen.
    async fn keep(
        &self,
        rental: &Rental,
        instance: &Instance,
        machine: &Machine,
        work: &Work,
    ) -> Result<(), ReconcileError> {
        let now = rental.clock.now();
        let tx = self.store.begin().await?;
        let instance = &self.count(&tx, rental, instance, machine.rate).await?;
        if machine.rate > instance.rate_cap {
            let missing = missing_money(&rental.times, instance, now);
            if missing.0 > 0
                && let Err(shortage) = spend::top_up(&tx, instance, missing, now).await?
            {
                tracing::warn!(
                    name = instance.name,
                    budget = ?shortage.budget.scope,
                    "the machine has become dearer than its reservation, and must go earlier"
                );
            }
        }
        if !work.is_as_told(&tx).await? {
            self.tell_spend(&tx, rental, instance.payer).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// The list does not have the machine; its own page decides, but not at once.
    async fn look_closer(&self, rental: &Rental, instance: &Instance) -> Result<(), ReconcileError> {
        let Some(handle) = &instance.handle else {
            return Ok(());
        };
        if let Some(machine) = rental.landlord.get(handle).await? {
            let work = Work::read(&self.store, instance.payer).await?;
            return self.keep(rental, instance, &machine, &work).await;
        }
        let now = rental.clock.now();
        let tx = self.store.begin().await?;
        spend::note_missing(&tx, instance, Some(now)).await?;
        let instance = fresh(&tx, instance).await?;
        if decide::is_missing(&rental.times, &instance, now) {
            let attempt = attempts::get(&tx, instance.attempt).await?;
            if attempt.phase != AttemptPhase::Gone {
                let end = AttemptEnd::new(Outcome::Lost, "the rented machine has vanished".to_owned());
                end_rented_attempt(self, &tx, &attempt, end).await?;
            }
            self.gone(&tx, rental, &instance, "the machine has vanished")
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Records that the machine must go, ends its attempt, and asks for its termination.
    async fn end(
        &self,
        rental: &Rental,
        instance: &Instance,
        work: &Work,
        (reason, outcome): (&'static str, Outcome),
    ) -> Result<(), ReconcileError> {
        let now = rental.clock.now();
        let tx = self.store.begin().await?;
        let attempt = attempts::get(&tx, instance.attempt).await?;
        let change = Change {
            to: InstancePhase::Ending,
            reason: Some(reason.to_owned()),
            at: now,
        };
        // Before the session, in the order in which a claim locks them.
        spend::change(&tx, instance, change).await?;
        // From here on, no picture is asked for; one that was since the last look begins the time anew.
        if reason == SILENCE && Work::read(&tx, instance.payer).await?.newest_use() != work.newest_use() {
            return Ok(());
        }
        if attempt.phase != AttemptPhase::Gone {
            end_rented_attempt(self, &tx, &attempt, AttemptEnd::new(outcome, reason.to_owned())).await?;
        }
        tx.commit().await?;
        crate::failpoint::reached("end committed");
        tracing::info!(name = instance.name, reason, "ending a rented machine");
        if let Some(handle) = &instance.handle {
            rental.landlord.terminate(handle).await?;
        }
        Ok(())
    }

    /// Asks for a machine's termination again, and checks whether it is gone.
    async fn end_again(
        &self,
        rental: &Rental,
        instance: &Instance,
        shown: Option<&Machine>,
    ) -> Result<(), ReconcileError> {
        let Some(handle) = &instance.handle else {
            return Ok(());
        };
        rental.landlord.terminate(handle).await?;
        crate::failpoint::reached("end ordered");
        let seen = match shown {
            Some(machine) => Some(machine.clone()),
            None => rental.landlord.get(handle).await?,
        };
        let now = rental.clock.now();
        let tx = self.store.begin().await?;
        let mut is_gone = false;
        match seen {
            Some(machine) => {
                self.count(&tx, rental, instance, machine.rate).await?;
            }
            None => {
                spend::note_missing(&tx, instance, Some(now)).await?;
                let instance = fresh(&tx, instance).await?;
                if decide::is_missing(&rental.times, &instance, now) {
                    self.gone(&tx, rental, &instance, "its end is confirmed").await?;
                    is_gone = true;
                }
            }
        }
        tx.commit().await?;
        if is_gone {
            crate::failpoint::reached("gone committed");
        }
        Ok(())
    }
}

/// What a machine that was found is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Adopted {
    /// Its attempt waits for it.
    Wanted,
    /// It costs more than was reserved.
    TooDear,
    /// It was given up, or its attempt has ended.
    Unwanted,
}

pub(super) const TOO_DEAR: &str = "the machine is dearer than it was offered";

/// Changes whenever one of an agent's leases is renewed.
fn newest_lease(attempts: &[Attempt]) -> Mark {
    let fences = attempts.iter().map(|attempt| attempt.fence).sum();
    let until = attempts.iter().filter_map(|attempt| attempt.lease_until).max();
    (fences, until)
}

/// A machine as this transaction has left it.
async fn fresh(tx: &Tx, instance: &Instance) -> Result<Instance, ReconcileError> {
    let found = spend::get(tx, &instance.name).await?;
    Ok(found.expect("rows of machines are never deleted"))
}

/// An error with one machine must not stop the others from being managed.
fn report(name: &str, err: &ReconcileError) {
    if err.is_race() {
        tracing::debug!(name, error = chain(err), "overtaken");
    } else {
        tracing::error!(name, error = chain(err), "failed to look after a rented machine");
    }
}
