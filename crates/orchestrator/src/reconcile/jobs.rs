//! Jobs: from the queue to an instance, and from a lost attempt to the next one.

use std::collections::HashMap;

use protocol::{phase::Outcome, problem::chain};
use store::{
    attempts::{self, Attempt, Claimant, NewAttempt, Subject},
    jobs,
    queue::{self, JobClaim},
    tokens::NewToken,
};
use uuid::Uuid;

use super::{
    ReconcileError,
    decide::{Action, View, decide},
};
use crate::{
    Orchestrator,
    lifecycle::{Input, next},
    providers::{Instance, LaunchRequest, Provider, Purpose},
    services::{AttemptEnd, end_job_attempt},
    watches::Aspect,
};

impl Orchestrator {
    /// One pass over all attempts of jobs, and over the queue.
    pub(crate) async fn reconcile_jobs(&self) -> Result<(), ReconcileError> {
        for provider in &self.options.providers {
            // Instances first: each has a row that was committed before it, so that every one found here
            // has its attempt among those read next.
            let instances: HashMap<Uuid, Instance> = provider
                .list()
                .await?
                .into_iter()
                .filter(|instance| instance.purpose == Purpose::Train)
                .map(|instance| (instance.id, instance))
                .collect();
            for attempt in self.attempts_of(provider.name()).await? {
                let instance = instances.get(&attempt.id.0);
                self.reconcile_attempt(provider.as_ref(), attempt, instance)
                    .await?;
            }
            self.fill(provider.as_ref(), &instances).await?;
        }
        Ok(())
    }

    pub(super) async fn attempts_of(&self, provider: &str) -> Result<Vec<Attempt>, ReconcileError> {
        let mut alive = attempts::alive(&self.store).await?;
        alive.retain(|attempt| attempt.provider == provider && matches!(attempt.subject, Subject::Job(_)));
        Ok(alive)
    }

    async fn reconcile_attempt(
        &self,
        provider: &dyn Provider,
        attempt: Attempt,
        instance: Option<&Instance>,
    ) -> Result<(), ReconcileError> {
        let Subject::Job(job) = attempt.subject else {
            return Ok(());
        };
        let job = jobs::state(&self.store, job).await?;
        let started = attempt.launched_at.unwrap_or(attempt.created_at);
        let watch = |aspect, mark| self.watches.unchanged_for(attempt.id.0, aspect, mark);
        let action = decide(&View {
            job: &job,
            attempt: &attempt,
            is_ours: self.is_ours(&attempt),
            instance,
            unrenewed_for: watch(Aspect::Lease, (attempt.fence, attempt.lease_until)),
            started_for: watch(Aspect::Start, (0, Some(started))),
            requested_for: watch(Aspect::Request, (0, job.requested_at)),
            lease: self.options.lease,
            boot_timeout: self.options.boot_timeout,
            patience: self.options.patience,
        });
        let (outcome, detail) = match action {
            Action::Wait => return Ok(()),
            Action::Launch => return self.launch(provider, attempt).await,
            Action::Record => {
                if let Some(instance) = instance {
                    self.record(&attempt, instance).await?;
                }
                return Ok(());
            }
            Action::Withdraw => (Outcome::Cancelled, None),
            Action::ForceCancel => (
                Outcome::Cancelled,
                Some("the agent did not carry out the cancellation".to_owned()),
            ),
            Action::NeverStarted(seen) => (Outcome::NeverStarted, Some(seen.to_owned())),
            Action::Lost(seen) => (Outcome::Lost, Some(seen.to_owned())),
        };
        let detail = match (outcome, detail) {
            (Outcome::Cancelled, detail) => detail,
            (_, detail) => self.with_last_words(provider, &attempt, detail).await,
        };
        self.end_attempt(&attempt, AttemptEnd::new(outcome, detail)).await
    }

    /// Whether the attempt belongs to this server: it opened it, or the attempt is from a version without several
    /// servers.
    pub(super) fn is_ours(&self, attempt: &Attempt) -> bool {
        attempt.server.is_none_or(|server| server == self.store.server())
    }

    /// Starts the instance of a committed attempt, and records it.
    async fn launch(&self, provider: &dyn Provider, attempt: Attempt) -> Result<(), ReconcileError> {
        // No process knows a token that was made before this process began.
        let token = NewToken::random();
        let tx = self.store.begin().await?;
        attempts::replace_token(&tx, &attempt, &token).await?;
        tx.commit().await?;
        let request = LaunchRequest {
            id: attempt.id.0,
            purpose: Purpose::Train,
            token: token.secret,
        };
        match provider.launch(&request).await {
            Ok(instance) => {
                tracing::info!(attempt.id = %attempt.id, instance = %instance.handle, "instance started");
                self.record(&attempt, &instance).await
            }
            Err(err) => {
                let detail = chain(&err);
                tracing::warn!(attempt.id = %attempt.id, error = detail, "instance could not be started");
                let attempt = attempts::get(&self.store, attempt.id).await?;
                self.end_attempt(&attempt, AttemptEnd::new(Outcome::NeverStarted, detail))
                    .await
            }
        }
    }

    async fn record(&self, attempt: &Attempt, instance: &Instance) -> Result<(), ReconcileError> {
        let tx = self.store.begin().await?;
        let row = serde_json::to_value(instance).expect("an instance is plain data");
        match attempts::launched(&tx, attempt, row).await {
            Ok(()) => tx.commit().await?,
            // The agent has already ended the attempt.
            Err(store::StoreError::Stale { .. }) => {}
            Err(err) => return Err(err.into()),
        }
        Ok(())
    }

    async fn end_attempt(&self, attempt: &Attempt, end: AttemptEnd) -> Result<(), ReconcileError> {
        let outcome = end.outcome;
        let tx = self.store.begin().await?;
        let phase = end_job_attempt(self, &tx, attempt, end).await?;
        tx.commit().await?;
        tracing::info!(attempt.id = %attempt.id, ?outcome, job.phase = phase.as_str(), "attempt ended");
        Ok(())
    }

    /// Gives queued jobs to a provider that has room. An instance whose attempt is over takes room until it
    /// is gone: two trainings at once may not fit into the machine's memory.
    async fn fill(
        &self,
        provider: &dyn Provider,
        instances: &HashMap<Uuid, Instance>,
    ) -> Result<(), ReconcileError> {
        if self.disk.is_short() {
            return Ok(());
        }
        let alive = self.attempts_of(provider.name()).await?;
        let is_leaving = |id: &Uuid| !alive.iter().any(|attempt| attempt.id.0 == *id);
        let n_leaving = instances.keys().filter(|id| is_leaving(id)).count();
        let room = self.max_running(provider).saturating_sub(n_leaving);
        while let Some(attempt) = self.open_next(provider.name(), room).await? {
            self.launch(provider, attempt).await?;
        }
        Ok(())
    }

    /// Commits the intent to start an instance for the next queued job, if fewer than `max_running` run.
    async fn open_next(&self, provider: &str, max_running: usize) -> Result<Option<Attempt>, ReconcileError> {
        let launching =
            next(protocol::phase::Phase::Queued, Input::Launch).expect("a queued job can be launched");
        let tx = self.store.begin().await?;
        let wanted = JobClaim {
            provider,
            max_running,
            now: store::now(),
            to: launching,
        };
        let Some(id) = queue::claim_job(&tx, wanted).await? else {
            return Ok(None);
        };
        let job = jobs::state(&tx, id).await?;
        let token = NewToken::random();
        let new = NewAttempt {
            subject: Subject::Job(id),
            n: job.n_attempts + 1,
            provider,
            claimant: Claimant::Own(&token),
            start_step: job.checkpoint_step.unwrap_or(0),
        };
        let attempt = attempts::open(&tx, new).await?;
        tx.commit().await?;
        tracing::info!(job.id = %id, attempt.id = %attempt.id, attempt = attempt.n, "attempt opened");
        Ok(Some(attempt))
    }

    async fn with_last_words(
        &self,
        provider: &dyn Provider,
        attempt: &Attempt,
        seen: Option<String>,
    ) -> Option<String> {
        let seen = seen?;
        match provider.last_words(attempt.id.0).await {
            Some(words) => Some(format!("{seen}; its last output: {words}")),
            None => Some(seen),
        }
    }
}
