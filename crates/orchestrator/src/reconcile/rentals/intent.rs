//! The intent to rent a machine: its money is set aside and it has a row and a name before it is ordered.

use std::time::Duration;

use chrono::{DateTime, Utc};
use protocol::{OwnerId, spend::Budget};
use rental::{MachineName, Offer};
use store::{
    Tx,
    attempts::Attempt,
    spend::{self, Instance, NewInstance, Payer, Scopes},
    tokens::NewToken,
};
use uuid::Uuid;

use crate::{
    reconcile::ReconcileError,
    rentals::{Plan, Rental, plan},
};

/// The result of the transaction of an intent.
pub(super) enum Committed {
    /// The machine can be ordered, by this attempt, with this token.
    Yes(Box<Instance>, Box<Attempt>, String),
    /// This budget has not enough left.
    Short(Budget),
    /// Another server has it, or its owner has asked for something else.
    Overtaken,
}

/// What a machine is rented for, and who pays for it.
pub(super) struct Intent<'a> {
    pub(super) rental: &'a Rental,
    pub(super) offer: &'a Offer,
    pub(super) payer: Payer,
    pub(super) owner: OwnerId,
    pub(super) project: Option<String>,
    pub(super) now: DateTime<Utc>,
}

impl Intent<'_> {
    /// For how long the tightest budget pays, `run` at most; else what stands in the way.
    pub(super) async fn plan(
        &self,
        tx: &Tx,
        run: Duration,
    ) -> Result<Result<Plan, Committed>, ReconcileError> {
        let scopes = Scopes {
            owner: self.owner,
            project: self.project.clone(),
            month: spend::month_of(self.now),
        };
        let tightest = spend::tightest(tx, self.payer, &scopes).await?;
        let left = tightest.as_ref().and_then(Budget::left);
        let plan = plan(&self.rental.times, self.offer.rate_cap, run, left, self.now);
        Ok(plan.ok_or_else(|| tightest.map_or(Committed::Overtaken, Committed::Short)))
    }

    /// Sets the worst case aside, writes the machine's row, and commits.
    pub(super) async fn commit(
        self,
        tx: Tx,
        plan: Plan,
        attempt: Attempt,
        token: NewToken,
        deployment: Uuid,
    ) -> Result<Committed, ReconcileError> {
        let Plan {
            reserved,
            deadline_at,
        } = plan;
        let form = self.rental.landlord.kind().names();
        let name = MachineName::new(form, deployment, self.payer.id(), attempt.n, deadline_at);
        let new = NewInstance {
            payer: self.payer,
            owner: self.owner,
            project: self.project.as_deref(),
            attempt: attempt.id,
            provider: self.rental.name(),
            name: name.to_string(),
            gpu: &self.offer.gpu,
            n_gpus: self.offer.n_gpus,
            cloud: self.offer.cloud,
            data_center: self.offer.data_center.as_deref(),
            rate: self.offer.rate,
            rate_cap: self.offer.rate_cap,
            reserved,
            ordered_at: self.now,
            deadline_at,
        };
        let instance = match spend::open(&tx, new).await? {
            Ok(instance) => instance,
            Err(shortage) => return Ok(Committed::Short(shortage.budget)),
        };
        tx.commit().await?;
        crate::failpoint::reached("intent committed");
        tracing::info!(payer = ?self.payer, name = instance.name, gpu = self.offer.gpu, %reserved, %deadline_at, "ordering a machine");
        Ok(Committed::Yes(
            Box::new(instance),
            Box::new(attempt),
            token.secret,
        ))
    }
}
