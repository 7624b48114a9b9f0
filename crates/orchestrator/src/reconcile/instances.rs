//! Instances: those whose attempt is over are terminated.

use futures::future::join_all;
use protocol::{
    AttemptId,
    phase::{AttemptPhase, Outcome},
};
use store::{StoreError, attempts};

use super::ReconcileError;
use crate::{
    Orchestrator,
    providers::{Instance, Provider, Purpose},
    watches::Aspect,
};

impl Orchestrator {
    /// One pass over all instances that this installation started.
    pub(crate) async fn reconcile_instances(&self) -> Result<(), ReconcileError> {
        for provider in &self.options.providers {
            let mut ends = Vec::new();
            for instance in provider.list().await? {
                if instance.purpose == Purpose::Train && self.is_over(&instance).await? {
                    ends.push(terminate(provider.as_ref(), instance));
                }
            }
            let n_ended = join_all(ends)
                .await
                .into_iter()
                .collect::<Result<Vec<()>, _>>()?
                .len();
            if n_ended > 0 {
                // They make room for the next job.
                self.store.signals().wake();
            }
        }
        Ok(())
    }

    /// Whether the instance must be terminated. After a successful attempt it has some time to exit.
    async fn is_over(&self, instance: &Instance) -> Result<bool, ReconcileError> {
        let attempt = match attempts::get(&self.store, AttemptId(instance.id)).await {
            Ok(attempt) => attempt,
            // It carries our mark, but no attempt has its id: the database was replaced.
            Err(StoreError::NotFound { .. }) => return Ok(true),
            Err(err) => return Err(err.into()),
        };
        if attempt.phase != AttemptPhase::Gone {
            return Ok(false);
        }
        let is_lost = matches!(attempt.outcome, Some(Outcome::Lost | Outcome::NeverStarted));
        let was_claimed = attempt.claimed_at.is_some();
        let mark = (0, attempt.ended_at);
        let ended_for = self.watches.unchanged_for(instance.id, Aspect::End, mark);
        let waited = ended_for >= self.options.patience;
        Ok(is_lost || !was_claimed || waited)
    }
}

pub(super) async fn terminate(provider: &dyn Provider, instance: Instance) -> Result<(), ReconcileError> {
    tracing::info!(instance.id = %instance.id, instance = %instance.handle, "ending an instance");
    provider.terminate(&instance).await?;
    Ok(())
}
